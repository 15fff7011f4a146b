"""HEIC and MP4: boxes within boxes (ISO/IEC 14496-12), walked from the first byte to the last."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from app.evidence.examiner import camera
from app.evidence.examiner.refusal import insist

STILLS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"})
FILMS = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash"}
)
OUTER = frozenset(
    {b"ftyp", b"meta", b"mdat", b"free", b"skip", b"wide", b"moov", b"moof", b"mfra", b"sidx"}
    | {b"styp", b"pdin", b"uuid", b"udta", b"emsg", b"prft"}
)
FILLERS = frozenset({b"free", b"skip", b"wide", b"uuid"})
MOST_FILLER = 1 << 20
"""Bytes without meaning: room for something else to hide in."""
DEEPEST = 12
HOLDING = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"moof", b"traf"}
)
MOST_BOXES = 200_000


class Box(NamedTuple):
    """A box: its type, and where what it holds begins and ends."""

    type: bytes
    start: int
    end: int


def is_still(data: bytes) -> bool:
    """Say whether a file of boxes says it is a picture."""
    return data[8:12] in STILLS


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Walk the boxes between two places, which they must fill exactly."""
    at = start
    while at < end:
        insist(at + 8 <= end, "Its boxes do not fit.")
        size, type, header = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            insist(at + 16 <= end, "Its boxes do not fit.")
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        insist(size >= header and at + size <= end, "It is cut short, or its boxes do not fit.")
        yield Box(type, at + header, at + size)
        at += size


def _outer(data: bytes, brands: frozenset[bytes]) -> dict[bytes, list[Box]]:
    """Walk the outer boxes: none that is unknown, little that means nothing, a brand we take."""
    found: dict[bytes, list[Box]] = {}
    for box in _boxes(data, 0, len(data)):
        insist(box.type in OUTER, "It holds boxes that no camera writes.")
        found.setdefault(box.type, []).append(box)
    filler = sum(box.end - box.start for type in FILLERS for box in found.get(type, ()))
    insist(filler <= MOST_FILLER, "Much of it means nothing.")
    (first, *more) = found[b"ftyp"]
    insist(not more and first.start == 8 and (first.end - first.start) % 4 == 0, "It is damaged.")
    insist(data[8:12] in brands, "It is a film or picture of a type that is not taken.")
    return found


def examine_mp4(data: bytes) -> None:
    """Walk a film: it has a header and at least one track of pictures or sound, and their data."""
    found = _outer(data, FILMS)
    insist(len(found.get(b"moov", ())) == 1, "It is no whole film.")
    insist(b"mdat" in found, "It is a film without pictures.")
    inner = [box for box, _ in _within(data, found[b"moov"][0], 0)]
    insist(any(box.type == b"mvhd" for box in inner), "It is no whole film.")
    handlers = {data[box.start + 8 : box.start + 12] for box in inner if box.type == b"hdlr"}
    insist(handlers & {b"vide", b"soun"}, "It is a film without pictures or sound.")
    insist(len(inner) <= MOST_BOXES, "It holds too many boxes.")


def _within(data: bytes, box: Box, depth: int) -> Iterator[tuple[Box, int]]:
    insist(depth <= DEEPEST, "It is nested too deeply.")
    for one in _boxes(data, box.start, box.end):
        yield one, depth
        if one.type in HOLDING:
            yield from _within(data, one, depth + 1)


def examine_heic(data: bytes) -> dict[str, Any] | None:
    """Walk a picture: it says which item it shows, and all its items lie within the file."""
    found = _outer(data, STILLS)
    insist(len(found.get(b"meta", ())) == 1, "It is no whole picture.")
    meta = found[b"meta"][0]
    inner = {box.type: box for box in _boxes(data, meta.start + 4, meta.end)}
    insist({b"hdlr", b"pitm", b"iinf", b"iloc"} <= inner.keys(), "It is no whole picture.")
    handler = inner[b"hdlr"]
    insist(data[handler.start + 8 : handler.start + 12] == b"pict", "It is no picture.")
    items = dict(_items(data, inner[b"iinf"]))
    insist(set(items.values()) & {b"hvc1", b"grid", b"iden"}, "It is a picture of another type.")
    insist(not set(items.values()) & {b"uri "}, "It points to something elsewhere.")
    idat = inner.get(b"idat")
    places = dict(_places(data, inner[b"iloc"], idat))
    insist(b"mdat" in found or idat is not None, "It is a picture without content.")
    for id, type in items.items():
        if type == b"Exif" and id in places:
            start, end = places[id][0]
            skip = int.from_bytes(data[start : start + 4], "big")
            tiff = data[start + 4 + skip : end]
            return camera.of_exif(tiff.removeprefix(b"Exif\0\0"))
    return None


def _items(data: bytes, iinf: Box) -> Iterator[tuple[int, bytes]]:
    """List items with their types."""
    width = 2 if data[iinf.start] == 0 else 4
    for box in _boxes(data, iinf.start + 4 + width, iinf.end):
        insist(box.type == b"infe" and data[box.start] in {2, 3}, "It is no whole picture.")
        wide = 2 if data[box.start] == 2 else 4
        at = box.start + 4
        yield (
            int.from_bytes(data[at : at + wide], "big"),
            data[at + wide + 2 : at + wide + 6],
        )


def _places(
    data: bytes, iloc: Box, idat: Box | None
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """List where the parts of each item lie; none may lie outside the file."""
    version = data[iloc.start]
    insist(version <= 2, "It is no whole picture.")
    sizes = data[iloc.start + 4 : iloc.start + 6]
    insist(len(sizes) == 2, "It is no whole picture.")
    reader = _Reader(data, iloc.start + 6, iloc.end)
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    for _ in range(reader.number(4 if version == 2 else 2)):
        id = reader.number(4 if version == 2 else 2)
        method = reader.number(2) & 15 if version else 0
        insist(reader.number(2) == 0 and method <= 2, "It points to another file.")
        base, parts = reader.number(base_size), []
        for _ in range(reader.number(2)):
            reader.number(index_size)
            start = base + reader.number(offset_size)
            length = reader.number(length_size)
            if method == 1:
                insist(idat is not None, "It is no whole picture.")
                start += idat.start if idat else 0
            if method != 2:
                insist(start + length <= len(data), "It points outside of itself.")
                parts.append((start, start + length if length else len(data)))
        if parts:
            yield id, parts


class _Reader:
    """Reads numbers one after the other, and refuses to read on past an end."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data, self._at, self._end = data, at, end

    def number(self, size: int) -> int:
        insist(self._at + size <= self._end, "It is no whole picture.")
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")
