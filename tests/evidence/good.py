"""Files that must be taken, made by code."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import openpyxl
import pikepdf
from openpyxl.styles import Font
from PIL import Image
from reportlab.pdfgen import canvas

File = tuple[str, bytes]


def pdf(text: str = "Delivered.", pages: int = 1, **more: Any) -> bytes:
    """A PDF with a line of text on every page."""
    out = io.BytesIO()
    drawn = canvas.Canvas(out, invariant=1, **more)
    for number in range(pages):
        drawn.drawString(72, 720, f"{text} {number + 1}")
        drawn.linkURL("https://example.org/", (72, 700, 200, 715))
        drawn.showPage()
    drawn.save()
    return out.getvalue()


def saved_again(data: bytes, **more: Any) -> bytes:
    """The same PDF as another program writes it."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as opened:
        opened.save(out, **more)
    return out.getvalue()


def grown(data: bytes) -> bytes:
    """A PDF with an update appended, as programs that sign do."""
    before = int(data[data.rindex(b"startxref") + 9 :].split()[0])
    with pikepdf.open(io.BytesIO(data)) as opened:
        size = int(opened.trailer["/Size"])
        root = opened.trailer["/Root"].objgen[0]
    body = f"{size} 0 obj\n<< /Note (reviewed) >>\nendobj\n".encode()
    at = len(data)
    table = (
        f"xref\n0 1\n0000000000 65535 f \n{size} 1\n{at:010} 00000 n \n"
        f"trailer\n<< /Size {size + 1} /Root {root} 0 R /Prev {before} >>\n"
        f"startxref\n{at + len(body)}\n%%EOF\n"
    )
    return data + body + table.encode()


def exif(
    taken_at: str | None = "2026:05:04 10:00:00",
    offset: str | None = "+03:00",
    position: tuple[float, float] | None = (-1.319, 36.928),
) -> bytes:
    """Camera data: the time on the camera's clock, its zone, and a position."""
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    own = tags.get_ifd(0x8769)
    if taken_at is not None:
        own[0x9003] = taken_at
    if offset is not None:
        own[0x9011] = offset
    if position is not None:
        gps = tags.get_ifd(0x8825)
        for at, (value, letters) in enumerate(zip(position, ("SN", "WE"), strict=True)):
            gps[1 + 2 * at] = letters[value >= 0]
            degrees, rest = divmod(abs(value) * 3600, 3600)
            minutes, seconds = divmod(rest, 60)
            gps[2 + 2 * at] = (degrees, minutes, round(seconds, 3))
    return tags.tobytes()


def picture(form: str = "JPEG", mode: str = "RGB", size: int = 24, **more: Any) -> bytes:
    """A picture with a slope of gray."""
    slope = Image.linear_gradient("L").resize((size, size))
    out = io.BytesIO()
    (Image.new(mode, slope.size, 9) if ";" in mode else slope.convert(mode)).save(out, form, **more)
    return out.getvalue()


def photo(**camera: Any) -> bytes:
    """A JPEG with camera data."""
    return picture(exif=exif(**camera))


def box(type: bytes, body: bytes = b"") -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + type + body


def full(type: bytes, body: bytes, version: int = 0) -> bytes:
    return box(type, bytes([version, 0, 0, 0]) + body)


def heic(
    camera: bytes | None = None, brand: bytes = b"heic", item: bytes = b"hvc1", **more: Any
) -> bytes:
    """A HEIC whose one picture is not drawn: only its structure is looked at."""
    wide: bool = more.get("wide", False)
    contents = [b"\0" * 64] + (
        [b"\0\0\0\6Exif\0\0" + camera.removeprefix(b"Exif\0\0")] if camera else []
    )
    kinds = [item, b"Exif"][: len(contents)]
    head = box(b"ftyp", brand + b"\0\0\0\0mif1heic")
    infos = b"".join(
        full(b"infe", (n + 1).to_bytes(2, "big") + b"\0\0" + kind + b"\0", version=2)
        for n, kind in enumerate(kinds)
    )
    size = 8 if wide else 4

    def meta(start: int) -> bytes:
        places, at = b"", start
        for number, content in enumerate(contents):
            places += (number + 1).to_bytes(2, "big") + b"\0\0\0\1"
            places += at.to_bytes(size, "big") + len(content).to_bytes(size, "big")
            at += len(content)
        iloc = bytes([size << 4 | size, 0]) + len(contents).to_bytes(2, "big") + places
        return full(
            b"meta",
            full(b"hdlr", b"\0\0\0\0pict" + b"\0" * 13)
            + full(b"pitm", b"\0\1")
            + full(b"iinf", len(contents).to_bytes(2, "big") + infos)
            + full(b"iloc", iloc),
        )

    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", b"".join(contents))


def film(brand: bytes = b"isom", handler: bytes = b"vide", first: bytes = b"moov") -> bytes:
    """An MP4 of one track, of which only the structure is looked at."""
    track = box(
        b"trak",
        full(b"tkhd", b"\0" * 80) + box(b"mdia", full(b"hdlr", b"\0" * 4 + handler + b"\0" * 13)),
    )
    moov = box(b"moov", full(b"mvhd", b"\0" * 96) + track)
    mdat = box(b"mdat", b"\x11" * 500)
    head = box(b"ftyp", brand + b"\0\0\2\0isommp42")
    return head + (moov + mdat if first == b"moov" else box(b"free", b"\0" * 8) + mdat + moov)


def table(rows: int = 3, delimiter: str = ",", coding: str = "utf-8", **more: Any) -> bytes:
    """A table of units."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, **more)
    writer.writerow(["serial", "site", "note"])
    for number in range(rows):
        writer.writerow(
            [f"FR-{number}", "NBO-T1", ["", "-5", "gate, left", '"new"', "+49 30 12"][number % 5]]
        )
    return out.getvalue().encode(coding)


def workbook(rows: int = 3, **more: Any) -> bytes:
    """An XLSX with a table, a formula and a link."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["serial", "enrolled"])
    for number in range(rows):
        sheet.append([f"FR-{number}", number * 100])
    if more.get("formula"):
        sheet["C1"] = "=SUM(B2:B4)"
    if more.get("link"):
        sheet["D1"].hyperlink = "https://example.org/units"
    if more.get("bold"):
        sheet["A1"].font = Font(bold=True)
    for number in range(more.get("sheets", 0)):
        book.create_sheet(f"Site {number}")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def document_parts(text: str = "Received.", links: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The parts of a DOCX."""
    types = Element("Types", xmlns=TYPES)
    for ending, kind in (
        ("rels", "application/vnd.openxmlformats-package.relationships+xml"),
        ("xml", "application/xml"),
        ("png", "image/png"),
        ("jpeg", "image/jpeg"),
    ):
        SubElement(types, "Default", Extension=ending, ContentType=kind)
    SubElement(types, "Override", PartName="/word/document.xml", ContentType=MAIN)
    top = Element("Relationships", xmlns=RELATIONS)
    SubElement(
        top, "Relationship", Id="r1", Type=f"{OFFICE}/officeDocument", Target="word/document.xml"
    )
    inner = Element("Relationships", xmlns=RELATIONS)
    for number, link in enumerate(links):
        SubElement(
            inner,
            "Relationship",
            Id=f"l{number}",
            Type=f"{OFFICE}/hyperlink",
            Target=link,
            TargetMode="External",
        )
    document = Element("w:document", {"xmlns:w": WORD})
    paragraph = SubElement(SubElement(SubElement(document, "w:body"), "w:p"), "w:r")
    SubElement(paragraph, "w:t").text = text
    return {
        "[Content_Types].xml": tostring(types, "utf-8", xml_declaration=True),
        "_rels/.rels": tostring(top, "utf-8", xml_declaration=True),
        "word/document.xml": tostring(document, "utf-8", xml_declaration=True),
        "word/_rels/document.xml.rels": tostring(inner, "utf-8", xml_declaration=True),
    }


def packed(parts: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Parts as an archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, body in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 5, 4, 10, 0, 0)), body, kind)
    return out.getvalue()


def document(text: str = "Received.", links: tuple[str, ...] = (), **more: bytes) -> bytes:
    """A DOCX; further parts by name, with `__` for a slash."""
    further = {name.replace("__", "/").replace("_dot_", "."): body for name, body in more.items()}
    return packed(document_parts(text, links) | further)


def _pdfs() -> Iterator[File]:
    yield from ((f"pdf of {n} pages", pdf(pages=n)) for n in (1, 2, 30))
    yield "pdf uncompressed", pdf(pageCompression=0)
    yield "pdf 1.7", pdf(pdfVersion=(1, 7))
    yield (
        "pdf with object streams",
        saved_again(pdf(), object_stream_mode=pikepdf.ObjectStreamMode.generate),
    )
    yield "pdf for the web", saved_again(pdf(pages=3), linearize=True)
    yield "pdf readable", saved_again(pdf(), qdf=True)
    yield "pdf with an update", grown(pdf())
    yield "pdf with two updates", grown(grown(pdf()))
    yield "pdf with a last line", pdf() + b"\r\n"
    yield "pdf that names JavaScript in its text", pdf("/JavaScript and /Launch, as words")


def _pictures() -> Iterator[File]:
    for mode, quality in product(("RGB", "L", "CMYK"), (30, 95)):
        yield f"jpeg {mode} {quality}", picture("JPEG", mode, quality=quality)
    yield "jpeg progressive", picture(progressive=True, size=200)
    yield "jpeg with restarts", picture(restart_marker_blocks=2, size=200)
    yield "jpeg with a comment", picture(comment=b"gate 3, left side")
    yield "jpeg with camera data", photo()
    yield "jpeg with camera data without a place", photo(position=None)
    yield "jpeg with damaged camera data", picture(exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    yield "jpeg of several pictures", several()
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"):
        yield f"png {mode}", picture("PNG", mode)
    yield "png with camera data", picture("PNG", exif=exif())
    yield "png large", picture("PNG", size=1500)
    yield "heic", heic()
    yield "heic with camera data", heic(exif())
    yield "heic of brand mif1", heic(brand=b"mif1")
    yield "heic as a grid", heic(item=b"grid")
    yield "heic with wide places", heic(exif(), wide=True)


def several() -> bytes:
    """A picture with another behind it, and the index (MPF) that says so."""
    one = picture()
    mark = b"MPF\0II*\0\x08\0\0\0\0\0"
    index = b"\xff\xe2" + (len(mark) + 2).to_bytes(2, "big") + mark
    return one[:2] + index + one[2:] + picture(size=8)


def _films() -> Iterator[File]:
    for brand in (b"isom", b"mp42", b"iso5", b"avc1"):
        yield f"mp4 {brand.decode()}", film(brand)
    yield "mp4 of sound", film(handler=b"soun")
    yield "mp4 with its header last", film(first=b"mdat")


def _texts() -> Iterator[File]:
    for delimiter, coding in product(",;\t|", ("utf-8", "utf-8-sig", "utf-16")):
        yield f"csv {delimiter!r} {coding}", table(delimiter=delimiter, coding=coding)
    yield "csv quoted", table(quoting=csv.QUOTE_ALL)
    yield "csv long", table(rows=5_000)
    yield "csv with line ends of Unix", table(lineterminator="\n")
    for name, value in {
        "object": {"serials": ["FR-1"], "enrolled": 4210},
        "list": [1, 2.5, None, True],
        "letters": {"Ort": "Köln", "名前": "東京"},
        "deep": json.loads("[" * 50 + "]" * 50),
        "long": [{"n": n} for n in range(5_000)],
    }.items():
        yield f"json {name}", json.dumps(value, ensure_ascii=False).encode()
    yield "json indented", json.dumps({"a": [1, 2]}, indent=4).encode()
    yield "xml", b'<?xml version="1.0" encoding="UTF-8"?>\n<units><unit serial="FR-1"/></units>'
    yield (
        "xml with names",
        b'<u:units xmlns:u="urn:x"><u:unit u:n="1">&lt;5 &amp; more</u:unit></u:units>',
    )
    yield "xml utf-16", '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16")
    yield "xml long", b"<a>" + b"<b>1</b>" * 20_000 + b"</a>"


def _offices() -> Iterator[File]:
    books: dict[str, dict[str, Any]] = {
        "xlsx": {},
        "xlsx with a formula": {"formula": True},
        "xlsx with a link": {"link": True},
        "xlsx styled": {"bold": True},
        "xlsx of many sheets": {"sheets": 20},
    }
    for name, more in books.items():
        yield name, workbook(**more)
    yield "xlsx long", workbook(rows=3_000)
    yield "docx", document()
    yield (
        "docx with links",
        document(links=("https://example.org/a?b=1", "mailto:office@example.org")),
    )
    yield (
        "docx with pictures",
        document(word__media__one_dot_png=picture("PNG"), word__media__two_dot_jpeg=photo()),
    )
    yield "docx unpacked", packed(document_parts(), zipfile.ZIP_STORED)
    yield "docx long", document("Received, all of it. " * 5_000)


FAMILIES: dict[str, Callable[[], Iterator[File]]] = {
    "pdf": _pdfs,
    "pictures": _pictures,
    "films": _films,
    "texts": _texts,
    "offices": _offices,
}
