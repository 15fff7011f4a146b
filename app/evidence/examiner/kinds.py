"""The types of file that are taken, each recognized by how its bytes begin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.evidence.examiner import boxes, images, office, pdf, polyglots, texts
from app.evidence.examiner.refusal import Refused

__all__ = ["Kind", "Refused", "kind_of"]

Camera = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of file: what proves it, and the libraries that takes."""

    media_type: str
    examine: Callable[[bytes], Camera | None]
    needs: tuple[str, ...] = ()


EXIF = ("PIL.Image", "PIL.TiffImagePlugin")
OPENXML = "application/vnd.openxmlformats-officedocument"

PDF = Kind("application/pdf", pdf.examine, ("pikepdf",))
JPEG = Kind("image/jpeg", images.examine_jpeg, EXIF)
PNG = Kind("image/png", images.examine_png, EXIF)
HEIC = Kind("image/heic", boxes.examine_heic, EXIF)
MP4 = Kind("video/mp4", boxes.examine_mp4)
CSV = Kind("text/csv", texts.examine_csv)
JSON = Kind("application/json", texts.examine_json)
XML = Kind("application/xml", texts.examine_xml, ("defusedxml.ElementTree",))
XLSX = Kind(f"{OPENXML}.spreadsheetml.sheet", office.examine_xlsx, XML.needs)
DOCX = Kind(f"{OPENXML}.wordprocessingml.document", office.examine_docx, XML.needs)


def kind_of(data: bytes) -> Kind:
    """Say what a file claims to be by its first bytes; examining it proves the claim."""
    polyglots.refuse_program(data)
    kind = _by_signature(data)
    polyglots.refuse_second_face(data, archive=kind in {XLSX, DOCX}, pdf=kind is PDF)
    return kind


def _by_signature(data: bytes) -> Kind:
    if data.startswith(b"%PDF-"):
        return PDF
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(images.PNG_SIGNATURE):
        return PNG
    if data.startswith(b"PK\x03\x04"):
        return XLSX if office.holds_workbook(data) else DOCX
    if data[4:8] == b"ftyp":
        return HEIC if boxes.is_still(data) else MP4
    return _by_text(data)


def _by_text(data: bytes) -> Kind:
    text = texts.decoded(data).lstrip()
    if text.startswith("<"):
        return XML
    return JSON if text.startswith(("{", "[")) else CSV
