"""Reads single answers out of a filled form, by the shape of their fact."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from app.audits import nodes
from app.audits.shapes import Input, Shape
from app.errors import Invalid

WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class AnswerRefused(Invalid):
    """An answer is not of the kind that its question asks for."""


def tag(element: Element) -> str:
    """Give the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def children(within: Element, name: str) -> Iterator[Element]:
    """Give the children of a name; what only serves as a template for others is none of them."""
    for child in within:
        if tag(child) == name and not any(key.endswith("}template") for key in child.attrib):
            yield child


def text_of(within: Element, name: str) -> str | None:
    """Read the answer of a question as text; None if there is none."""
    for child in children(within, name):
        text = (child.text or "").strip()
        if text:
            return text
    return None


def answer(within: Element, name: str, shape: Shape, place: str) -> Any:
    """Read the answer that states a fact as the vocabulary wants it; None if there is none."""
    if shape.input is Input.RECORDS:
        return _records(within, name, shape, place)
    text = text_of(within, name)
    if text is None:
        return None
    where = f"{place}/{name}"
    if shape.input in {Input.CODES, Input.SEVERAL_OF, Input.SERIALS}:
        return _words(within, name, text, where)
    if shape.input is Input.CODE and text == nodes.OTHER:
        return text_of(within, f"{name}{nodes.OTHER_SUFFIX}")
    return _READERS.get(shape.input, _plain)(text, where)


def _plain(text: str, _where: str) -> str:
    return text


def _whole(text: str, where: str) -> int:
    if WHOLE.fullmatch(text) is None:
        raise AnswerRefused(f"{text[:40]!r} is not a whole number.", pointer=where)
    return int(text)


def _number(text: str, where: str) -> float:
    if DECIMAL.fullmatch(text) is None:
        raise AnswerRefused(f"{text[:40]!r} is not a number.", pointer=where)
    return float(text)


def _yes_no(text: str, where: str) -> bool:
    if text not in {nodes.YES, nodes.NO}:
        raise AnswerRefused(f"{text[:40]!r} is neither yes nor no.", pointer=where)
    return text == nodes.YES


def _position(text: str, where: str) -> dict[str, float]:
    """Read latitude, longitude, altitude (m) and accuracy (m), as a geopoint has them."""
    parts = [_number(part, where) for part in text.split()]
    if len(parts) < 2:
        raise AnswerRefused("A position has a latitude and a longitude.", pointer=where)
    position = {"lat": parts[0], "lon": parts[1]}
    return position | {"accuracy_m": parts[3]} if len(parts) > 3 else position


_READERS: dict[Input, Callable[[str, str], Any]] = {
    Input.INTEGER: _whole,
    Input.NUMBER: _number,
    Input.YES_NO: _yes_no,
    Input.POSITION: _position,
}


def _words(within: Element, name: str, text: str, where: str) -> list[str] | None:
    """Read a list of code words: those chosen, and others that were written."""
    words = text.split()
    if words in ([nodes.NONE], [nodes.NONE_WRITTEN]):
        return []
    if nodes.NONE in words:
        raise AnswerRefused("None, or some, but not both.", pointer=where)
    written = (text_of(within, f"{name}{nodes.OTHER_SUFFIX}") or "").split()
    others = [word for word in written if word != nodes.NONE_WRITTEN]
    chosen = [word for word in words if word != nodes.OTHER]
    if nodes.OTHER in words and not (chosen or others):
        return None
    return list(dict.fromkeys((*chosen, *(others if nodes.OTHER in words else ()))))


def _records(within: Element, name: str, shape: Shape, place: str) -> list[Any] | None:
    """Read a list of records; that there are none is an answer too."""
    repeat = nodes.records(tag(within), name)
    records = []
    for number, entry in enumerate(children(within, repeat), 1):
        where = f"{place}/{repeat}[{number}]"
        record = {
            column.name: found
            for column in shape.columns
            if (found := answer(entry, column.name, column.answer, where)) is not None
        }
        if record:
            records.append(record)
    if records:
        return records
    return [] if text_of(within, f"{name}{nodes.ANY_SUFFIX}") == nodes.NO else None
