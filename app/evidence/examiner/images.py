"""JPEG and PNG, walked from their first byte to their last. No picture is decoded."""

import zlib
from collections.abc import Iterator
from typing import Any

from app.evidence.examiner import camera
from app.evidence.examiner.polyglots import refuse_script
from app.evidence.examiner.refusal import Refused, insist

MOST_PIXELS = 200_000_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SOI, EOI, SOS, DQT, APP1, APP2, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xE1, 0xE2, 0xFE
FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive; cameras write no other."""
REMARK = 1 << 20
"""Bytes a compressed remark in a PNG may have."""
CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}


def examine_jpeg(data: bytes) -> dict[str, Any] | None:
    """Prove a JPEG, and read when and where it was taken."""
    return camera.of_exif(walk_jpeg(data))


def examine_png(data: bytes) -> dict[str, Any] | None:
    """Prove a PNG, and read when and where it was taken."""
    return camera.of_exif(walk_png(data))


def walk_jpeg(data: bytes) -> bytes | None:
    """Walk a JPEG: one picture, or several when its index of pictures (MPF) says so."""
    end, exif, several = _picture(data, 0)
    while several and end < len(data):
        end, _, _ = _picture(data, end + _padding(data, end))
    insist(
        end == len(data),
        "Something follows the picture; send it without motion or attachments.",
    )
    return exif


def _padding(data: bytes, at: int) -> int:
    """Count the zero bytes that some cameras put between pictures."""
    length = 0
    while length < 4096 and data[at + length : at + length + 1] == b"\0":
        length += 1
    return length


def _picture(data: bytes, at: int) -> tuple[int, bytes | None, bool]:
    """Walk one picture; give where it ends, its Exif, and whether further pictures may follow."""
    insist(data[at : at + 2] == b"\xff\xd8", "It is no whole JPEG.")
    at, exif, several, seen = at + 2, None, False, set()
    while True:
        marker, body, at = _segment(data, at)
        seen.add(marker)
        if marker == EOI:
            break
        if marker in FRAMES:
            _size_of(body)
        elif marker == APP1 and body.startswith(b"Exif\0\0"):
            exif = exif or body[6:]
        elif marker == APP2 and body.startswith(b"MPF\0"):
            several = True
        elif marker == COM:
            refuse_script(body, "comment")
        elif marker == SOS:
            at = _scan(data, at)
    insist(seen & FRAMES and {SOS, DQT} <= seen, "It is no whole JPEG.")
    return at, exif, several


def _segment(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Read a marker and what it carries; give where the next stands."""
    insist(data[at : at + 1] == b"\xff", "It is no whole JPEG.")
    while data[at : at + 1] == b"\xff":
        at += 1
    insist(at < len(data), "It is no whole JPEG.")
    marker = data[at]
    if marker == EOI:
        return marker, b"", at + 1
    insist(marker >= 0xC0 and not 0xD0 <= marker <= SOI, "It is no whole JPEG.")
    length = int.from_bytes(data[at + 1 : at + 3], "big")
    insist(length >= 2 and at + 1 + length <= len(data), "It is no whole JPEG.")
    return marker, data[at + 3 : at + 1 + length], at + 1 + length


def _scan(data: bytes, at: int) -> int:
    """Skip coded picture data to the next marker that is neither stuffing nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        insist(0 <= at < len(data) - 1, "It is cut short.")
        if data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
            at += 2
        elif data[at + 1] == 0xFF:
            at += 1
        else:
            return at


def _size_of(frame: bytes) -> None:
    insist(len(frame) >= 6 and frame[0] in {8, 12}, "It is no whole JPEG.")
    _within(int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big"))


def _within(width: int, height: int) -> None:
    insist(width and height, "It is a picture without a size.")
    insist(width * height <= MOST_PIXELS, f"It has more than {MOST_PIXELS:,} pixels.")


def walk_png(data: bytes) -> bytes | None:
    """Walk a PNG: every chunk with its check sum, the picture data no longer than its size allows."""
    exif: bytes | None = None
    row = height = 0
    inflater, pixels = zlib.decompressobj(), 0
    for number, (name, body) in enumerate(_chunks(data)):
        insist((number == 0) == (name == b"IHDR"), "It is no whole PNG.")
        if name == b"IHDR":
            row, height = _header(body)
        elif name == b"IDAT":
            pixels = _inflated(inflater, body, pixels, most=(row + 16) * height * 2 + 1024)
        elif name in {b"tEXt", b"zTXt", b"iTXt"}:
            refuse_script(_remark(name, body), "remarks")
        elif name == b"eXIf":
            exif = body
    insist(inflater.eof and pixels >= row * height // 2, "It is no whole PNG.")
    return exif


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG_SIGNATURE)
    while True:
        length = int.from_bytes(data[at : at + 4], "big")
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        check = data[at + 8 + length : at + 12 + length]
        insist(len(check) == 4 and name.isalpha(), "It is no whole PNG.")
        insist(zlib.crc32(name + body) == int.from_bytes(check, "big"), "It is damaged.")
        insist(name in CRITICAL or name[:1].islower(), "It is no PNG that everybody can read.")
        yield name, body
        at += 12 + length
        if name == b"IEND":
            insist(at == len(data), "Something follows the picture.")
            return


def _header(body: bytes) -> tuple[int, int]:
    """Check the header; give bytes a row (with its filter) and rows."""
    insist(len(body) == 13, "It is no whole PNG.")
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    depth, color = body[8], body[9]
    insist(depth in DEPTHS.get(color, set()), "It is no whole PNG.")
    insist(body[10:12] == b"\0\0" and body[12] <= 1, "It is no whole PNG.")
    _within(width, height)
    return (width * depth * CHANNELS[color] + 7) // 8 + 1, height


def _inflated(inflater: Any, body: bytes, before: int, most: int) -> int:
    """Count what picture data unpacks to; never hold more than 64 KiB of it."""
    try:
        while body and not inflater.eof:
            before += len(inflater.decompress(body, 1 << 16))
            insist(before <= most, "Its picture data unpacks to more than the picture.")
            body = inflater.unconsumed_tail
    except zlib.error as error:
        raise Refused("It is no whole PNG.") from error
    insist(not inflater.unused_data and not body, "Something follows its picture data.")
    return before


def _remark(name: bytes, body: bytes) -> bytes:
    """Give the text of a remark, unpacked if it is packed."""
    keyword, _, rest = body.partition(b"\0")
    packed = name == b"zTXt" or (name == b"iTXt" and rest[:1] == b"\1")
    if not packed:
        return body
    packed_text = rest[2:].split(b"\0", 2)[-1] if name == b"iTXt" else rest[1:]
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed_text, REMARK)
    except zlib.error as error:
        raise Refused("It is no whole PNG.") from error
    insist(not unpacker.unconsumed_tail, "A remark in it is too long.")
    return keyword + text
