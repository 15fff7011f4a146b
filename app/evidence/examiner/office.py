"""XLSX and DOCX: an archive of XML without macros, embedded files or parts that stand elsewhere."""

import re
from collections.abc import Iterator
from typing import Any

from app.evidence.examiner import archives, images, texts
from app.evidence.examiner.refusal import Refused, insist

TYPES = "[Content_Types].xml"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
FORBIDDEN = re.compile(
    r"vba|macro|activex|embeddings?/|oleobject|externallinks?/|customui|dialogsheets/"
    r"|querytables/|connections\.xml|webextension|\.(?:exe|dll|js|vbs|ps1|bat|cmd|lnk|html?|svg)$",
    re.IGNORECASE,
)
PRINTER = re.compile(r"xl/printersettings/printersettings\d+\.bin", re.IGNORECASE)
XML = (".xml", ".rels", ".vml")
LINK = re.compile(r"(?:https?://|mailto:)[^\s\\]*", re.IGNORECASE)
FIELDS = re.compile(
    r"\b(?:DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE|IMPORT|DATABASE|MACROBUTTON)\b", re.IGNORECASE
)
"""Word's fields that start or fetch something."""
FORMULAS = re.compile(
    r"\b(?:WEBSERVICE|CALL|REGISTER|REGISTER\.ID|EXEC|FILTERXML|IMPORTXML|RTD|DDE)\s*\(|\|\s*'",
    re.IGNORECASE,
)
"""Excel's functions that start or fetch something."""


def holds_workbook(data: bytes) -> bool:
    """Guess from the names in an archive which of the two it is; examining it proves that."""
    return b"xl/workbook" in data


def examine_xlsx(data: bytes) -> None:
    """Unpack a workbook and look at every part."""
    _examine(data, WORKBOOK)


def examine_docx(data: bytes) -> None:
    """Unpack a document and look at every part."""
    _examine(data, DOCUMENT)


def _examine(data: bytes, main: str) -> None:
    parts = archives.unpacked(data)
    insist(TYPES in parts and "_rels/.rels" in parts, "It is an archive, and no office file.")
    _types(parts, main)
    for name, body in parts.items():
        insist(not FORBIDDEN.search(name), "It holds macros, or something embedded or fetched.")
        lower = name.lower()
        if lower.endswith(XML):
            _part(lower, body)
        elif lower.endswith((".jpeg", ".jpg")):
            images.walk_jpeg(body)
        elif lower.endswith(".png"):
            insist(body.startswith(images.PNG_SIGNATURE), "A picture in it is none.")
            images.walk_png(body)
        elif lower.endswith(".gif"):
            insist(body[:6] in {b"GIF87a", b"GIF89a"}, "A picture in it is none.")
        else:
            insist(
                lower.endswith("/") or PRINTER.fullmatch(lower), "It holds a part of another type."
            )


def _types(parts: dict[str, bytes], main: str) -> None:
    """Hold its own list of types to one main part of the right type, and no part with macros."""
    overrides = []
    for name, attributes, _ in texts.elements(parts[TYPES]):
        stated = attributes.get("ContentType", "")
        insist(
            not re.search(r"macroEnabled|vbaProject|oleObject|activeX|template\.main", stated),
            "It holds macros, or something embedded.",
        )
        if name.endswith("}Override") and stated == main:
            overrides.append(attributes.get("PartName", "").removeprefix("/"))
    insist(len(overrides) == 1 and overrides[0] in parts, "It is an archive, and no office file.")


def _part(name: str, body: bytes) -> None:
    """Look at an XML part: whole, without declarations, links that only a person follows."""
    for element, attributes, text in texts.elements(body):
        tag = element.rpartition("}")[2]
        if name.endswith(".rels") and tag == "Relationship":
            _relationship(attributes)
        elif tag in {"instrText", "fldSimple"}:
            _words(FIELDS, (text, *attributes.values()))
        elif tag in {"f", "definedName", "formula", "formula1", "formula2"}:
            _words(FORMULAS, (text,))
        elif tag in {"oleObject", "OLEObject", "control", "ddeLink", "altChunk", "externalBook"}:
            raise Refused("It holds something embedded or fetched.")


def _words(wanted: re.Pattern[str], texts: Iterator[str] | tuple[str, ...]) -> None:
    insist(not any(wanted.search(text) for text in texts), "A formula or field in it fetches.")


def _relationship(attributes: dict[str, Any]) -> None:
    """Take a link that a person may follow; anything else must stand in the file itself."""
    target, type = attributes.get("Target", ""), attributes.get("Type", "")
    if attributes.get("TargetMode", "Internal") == "External":
        insist(
            type.endswith("/hyperlink") and LINK.fullmatch(target),
            "It refers to something that stands elsewhere.",
        )
    else:
        insist("://" not in target and "\\" not in target, "It refers to something elsewhere.")
