"""CSV, JSON and XML: text through and through, of the form it claims."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from app.evidence.examiner.polyglots import refuse_script
from app.evidence.examiner.refusal import Refused, insist

UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that make text read otherwise than it is written (Unicode, bidirectional overrides)."""
MOST_COLUMNS = 2_000
MOST_CELL = 1 << 17
NUMBER = re.compile(r"[+-][\d.,\s()/-]*%?")
DEEPEST_JSON = 100
DEEPEST_XML = 200
MOST_ELEMENTS = 5_000_000
SCRIPTED = {
    "script",
    "svg",
    "html",
    "foreignObject",
    "iframe",
    "stylesheet",
    "transform",
    "include",
}
"""Elements at which a browser or an XML tool begins to act."""


def decoded(data: bytes) -> str:
    """Read text: UTF-8, or UTF-16 that says so. Refuses what is no text."""
    coding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(coding)
    except UnicodeDecodeError as error:
        raise Refused("It is of no type that is taken, or its text is not UTF-8.") from error
    insist(not UNSEEN.search(text), "It is of no type that is taken.")
    return text


def examine_json(data: bytes) -> None:
    """Read JSON strictly (RFC 8259): no doubled names, no numbers that are none."""
    text = decoded(data)
    refuse_script(text.encode(), "text")
    insist(not DIRECTION.search(text), "It holds marks that change how it reads.")
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except ValueError as error:
        raise Refused("It is no whole JSON.") from error
    insist(_depth(found) <= DEEPEST_JSON, "It is nested too deeply.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    insist(len(found) == len(pairs), "A name stands twice in an object.")
    return found


def _constant(name: str) -> None:
    raise Refused(f"{name} is no number in JSON.")


def _depth(value: Any) -> int:
    """Measure how deeply values are nested, level by level."""
    depth, level = 0, [value]
    while level and depth <= DEEPEST_JSON:
        depth += 1
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def examine_csv(data: bytes) -> None:
    """Read a table: at least two columns, each row as wide as the first, no cell that computes."""
    text = decoded(data)
    refuse_script(text.encode(), "cells")
    insist(not DIRECTION.search(text), "It holds marks that change how it reads.")
    insist(not text.lstrip().startswith("<"), "It is no table.")
    csv.field_size_limit(MOST_CELL)
    lines = text.splitlines()
    insist(lines, "It is empty.")
    delimiter = Counter(one for one in lines[0] if one in ",;\t|").most_common(1)
    insist(delimiter, "It is of no type that is taken; a table has at least two columns.")
    try:
        widths = set()
        for row in csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter[0][0], strict=True
        ):
            if row:
                widths.add(len(row))
                insist(not any(map(_computes, row)), "A cell in it would be run as a formula.")
    except csv.Error as error:
        raise Refused("It is no whole table.") from error
    insist(len(widths) == 1 and 2 <= min(widths) <= MOST_COLUMNS, "Its rows differ in width.")


def _computes(cell: str) -> bool:
    """Say whether a spreadsheet would take a cell for a formula (OWASP, CSV injection)."""
    start = cell.lstrip(" \t\r\n\u00a0'")[:1]
    if start in {"=", "@", "\uff1d", "\uff20"}:
        return True
    if start in {"+", "-", "\uff0b", "\uff0d"}:
        plain = cell.strip()
        return len(plain) > 1 and not NUMBER.fullmatch(plain) and not plain[1:2].isspace()
    return False


def examine_xml(data: bytes) -> None:
    """Read XML without declarations of entities, and nothing in it that acts."""
    text = decoded(data)
    refuse_script(text.encode(), "text")
    for number, (name, attributes, _) in enumerate(elements(data)):
        tag = name.rpartition("}")[2]
        insist(tag not in SCRIPTED, f"{tag} is not taken in XML.")
        insist(number < MOST_ELEMENTS, "It holds too many elements.")
        for attribute, value in attributes.items():
            plain = attribute.rpartition("}")[2].lower()
            insist(not re.match(r"on[a-z]+$", plain), "There is a script in it.")
            insist(
                plain not in {"schemalocation", "nonamespaceschemalocation"}
                or not re.search(r"file:|\\\\", value),
                "It points to a file.",
            )


def elements(data: bytes) -> Iterator[tuple[str, dict[str, str], str]]:
    """Walk the elements of an XML text: name, attributes, and the text that begins each."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import XMLParser

    insist(b"<?xml-stylesheet" not in data, "It asks to be shown by another file.")
    target = _Elements()
    parser = XMLParser(target=target, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        for at in range(0, len(data), 1 << 16):
            parser.feed(data[at : at + (1 << 16)])
            yield from target.taken()
        parser.close()
    except DefusedXmlException as error:
        raise Refused("It declares entities or a document type.") from error
    except (ParseError, ValueError, LookupError) as error:
        raise Refused("It is no whole XML.") from error
    yield from target.taken()


class _Elements:
    """Collects elements while they are parsed; gives out those that have ended."""

    def __init__(self) -> None:
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._ended: list[tuple[str, dict[str, str], str]] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        insist(len(self._open) < DEEPEST_XML, "It is nested too deeply.")
        self._open.append((tag, attributes, []))

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1][2].append(text)

    def end(self, _: str) -> None:
        tag, attributes, text = self._open.pop()
        self._ended.append((tag, attributes, "".join(text)))

    def close(self) -> None:
        insist(not self._open, "It is no whole XML.")

    def taken(self) -> list[tuple[str, dict[str, str], str]]:
        ended, self._ended = self._ended, []
        return ended
