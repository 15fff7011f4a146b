"""The archive that an office file is: limits that hold before anything is unpacked, and while it is."""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator

from app.evidence.examiner.refusal import damaged, insist

MOST_FILES = 2_000
MOST_BYTES = 200 * 2**20
"""Bytes all files of an archive may unpack to."""
MOST_RATIO = 200
"""How many times its packed size a file may have, once it is larger than `SMALL`."""
SMALL = 1 << 20
DEEPEST = 8
ENDS = b"PK\x05\x06"
ODD = re.compile(r"[\\:\0]|(^|/)\.\.?(/|$)|^/|//")
NESTED = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"MSCF")
PROGRAMS = (b"MZ", b"\x7fELF", b"\xd0\xcf\x11\xe0", b"#!")
KINDS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
LOCAL_HEADER = 30
DESCRIPTOR = 24
"""Bytes at most that may follow a file's data (APPNOTE 4.3.9)."""
ENCRYPTED = 0x1


def unpacked(data: bytes) -> dict[str, bytes]:
    """Unpack an archive; refuses bombs, traps for unpackers, and what hides between its files."""
    with (
        damaged(
            "office file", zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError
        ),
        zipfile.ZipFile(io.BytesIO(data)) as archive,
    ):
        infos = archive.infolist()
        insist(not archive.comment and data[-22:-18] == ENDS, "Something follows it.")
        insist(0 < len(infos) <= MOST_FILES, f"It holds more than {MOST_FILES:,} files.")
        insist(sum(one.file_size for one in infos) <= MOST_BYTES, "It unpacks to too much.")
        names = {one.filename.lower() for one in infos}
        insist(len(names) == len(infos), "It holds two files of one name.")
        _side_by_side(data, infos, archive.start_dir)
        found, total = {}, 0
        for one in infos:
            _check(one)
            found[one.filename] = body = b"".join(_read(archive, one, total))
            total += len(body)
            insist(not body.startswith(NESTED), "It holds an archive within.")
            insist(not body.startswith(PROGRAMS), "It holds a program or an old office file.")
    return found


def _check(one: zipfile.ZipInfo) -> None:
    """Refuse a name or a kind of file that an unpacker could be fooled with."""
    insist(not ODD.search(one.filename) and one.filename.isprintable(), "It holds an odd name.")
    insist(one.filename.count("/") <= DEEPEST, "It is nested too deeply.")
    insist(one.orig_filename == one.filename, "It holds an odd name.")
    insist(not one.flag_bits & ENCRYPTED, "It is locked, so it cannot be examined.")
    insist(one.compress_type in KINDS, "It is packed in a way that is not taken.")
    mode = one.external_attr >> 16
    insist(
        not mode or stat.S_ISREG(mode) or stat.S_ISDIR(mode) or not stat.S_IFMT(mode),
        "It holds a link.",
    )
    if one.file_size > SMALL:
        ratio = one.file_size / max(1, one.compress_size)
        insist(ratio <= MOST_RATIO, "It unpacks to too much.")


def _read(archive: zipfile.ZipFile, one: zipfile.ZipInfo, before: int) -> Iterator[bytes]:
    """Unpack one file, counting what comes out: what it says of itself may be a lie."""
    total = before
    with archive.open(one) as packed:
        while part := packed.read(1 << 16):
            total += len(part)
            insist(total <= MOST_BYTES, "It unpacks to too much.")
            yield part


def _side_by_side(data: bytes, infos: list[zipfile.ZipInfo], end: int) -> None:
    """Hold the files to stand one behind the other from the first byte: no gap, no overlap."""
    at = 0
    for one in sorted(infos, key=lambda info: info.header_offset):
        start = one.header_offset
        insist(at <= start <= at + DESCRIPTOR, "Something hides between its files.")
        header = data[start : start + LOCAL_HEADER]
        insist(len(header) == LOCAL_HEADER and header[:4] == b"PK\x03\x04", "It is damaged.")
        names = int.from_bytes(header[26:28], "little")
        name = data[start + LOCAL_HEADER : start + LOCAL_HEADER + names]
        coding = "utf-8" if one.flag_bits & 0x800 else "cp437"
        insist(
            name == one.orig_filename.encode(coding, "replace"), "It holds two names for a file."
        )
        extra = int.from_bytes(header[28:30], "little")
        at = start + LOCAL_HEADER + names + extra + one.compress_size
    insist(at <= end <= at + DESCRIPTOR, "Something hides between its files.")
