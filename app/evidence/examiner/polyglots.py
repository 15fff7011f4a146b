"""Files that are two things at once: what one reader shows harmless, another runs."""

from app.evidence.examiner.refusal import insist

SEARCHED = 1024
"""Bytes in which readers of PDF look for its header, wherever it stands (PDF 1.7, appendix H)."""
END_RECORD = 22
TAIL = END_RECORD + 0xFFFF
"""Bytes at the end of a file in which readers of ZIP look for its directory (APPNOTE 4.3.16)."""
PROGRAMS = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xd0\xcf\x11\xe0")


def refuse_program(data: bytes) -> None:
    """Refuse what is run rather than read."""
    insist(not data.startswith(PROGRAMS), "It is a program or an old office file.")


def refuse_second_face(data: bytes, *, archive: bool, pdf: bool) -> None:
    """Refuse a file that another reader would take for something else."""
    if not pdf:
        insist(b"%PDF-" not in data[:SEARCHED], "It is a PDF behind something else.")
    if not archive:
        insist(not _ends_as_archive(data), "It is an archive behind something else.")


def _ends_as_archive(data: bytes) -> bool:
    """Find a ZIP end record whose directory stands before it."""
    tail = data[-TAIL:]
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        size = int.from_bytes(tail[at + 12 : at + 16], "little")
        where = len(data) - len(tail) + at - size
        if where >= 0 and data[where : where + 4] in {b"PK\x01\x02", b"PK\x05\x06"}:
            return True
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return b"PK\x01\x02" in tail and b"PK\x05\x06" in tail


def refuse_script(text: bytes, what: str) -> None:
    """Refuse words in a place for remarks that a browser would run."""
    found = text.lower()
    marks = (b"<script", b"<?php", b"<html", b"<svg", b"javascript:", b"<iframe")
    insist(not any(mark in found for mark in marks), f"There is a script in its {what}.")
