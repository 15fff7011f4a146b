"""How a fact is answered by a person: what its type in the vocabulary becomes on paper and on a phone.

Pure: made from the JSON Schema of the fact, and from the words that the license itself uses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Input(StrEnum):
    """How an answer is given."""

    INTEGER = "integer"
    NUMBER = "number"
    YES_NO = "yes_no"
    ONE_OF = "one_of"
    SEVERAL_OF = "several_of"
    CODE = "code"
    CODES = "codes"
    DATE = "date"
    TIME = "time"
    POSITION = "position"
    RECORDS = "records"
    SERIALS = "serials"


LISTS = frozenset({Input.SEVERAL_OF, Input.CODES, Input.RECORDS, Input.SERIALS})
"""Answers that may be an empty list, which is not the same as no answer."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How an answer looks: its limits, the words to choose from, the columns of a record.

    `choices` of a `code` or `codes` answer are the words the license uses; others may be written.
    `most` is how many entries a list may have, `longest` how many characters a code.
    """

    input: Input
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    longest: int | None = None
    most: int | None = None
    columns: tuple["Column", ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a record."""

    name: str
    question: str
    answer: Shape


SIMPLE = {"boolean": Input.YES_NO, "integer": Input.INTEGER, "number": Input.NUMBER}
FORMATS = {"date": Input.DATE, "date-time": Input.TIME}
POSITION = {"lat", "lon"}


def shape_of(schema: Mapping[str, Any], *, unit: str = "") -> Shape:
    """Read the JSON Schema of a fact; `unit` tells serial numbers from other codes."""
    return _shape(schema, schema.get("$defs", {}), unit)


def _shape(schema: Mapping[str, Any], words: Mapping[str, Any], unit: str = "") -> Shape:
    """Read a schema; what is optional is as if it were not, since any answer may be left out."""
    schema = _resolved(schema, words)
    kind = schema.get("type")
    if kind == "array":
        return _list(schema, words, unit)
    if kind == "object":
        return _record(schema, words)
    if "enum" in schema:
        return Shape(Input.ONE_OF, choices=tuple(schema["enum"]))
    if kind in SIMPLE:
        return Shape(SIMPLE[kind], minimum=schema.get("minimum"), maximum=schema.get("maximum"))
    if schema.get("format") in FORMATS:
        return Shape(FORMATS[schema["format"]])
    return Shape(Input.CODE, pattern=schema.get("pattern"), longest=schema.get("maxLength"))


def _resolved(schema: Mapping[str, Any], words: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and take the one of several types that is not null."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = words[schema["$ref"].rpartition("/")[2]]
        else:
            (schema,) = (one for one in schema["anyOf"] if one.get("type") != "null")
    return schema


def _list(schema: Mapping[str, Any], words: Mapping[str, Any], unit: str) -> Shape:
    entry, most = _shape(schema["items"], words), schema.get("maxItems")
    if entry.input is Input.ONE_OF:
        return replace(entry, input=Input.SEVERAL_OF, most=most)
    if entry.input is Input.RECORDS:
        return replace(entry, most=most)
    listed = Input.SERIALS if unit == "serial numbers" else Input.CODES
    return replace(entry, input=listed, most=most)


def _record(schema: Mapping[str, Any], words: Mapping[str, Any]) -> Shape:
    fields = schema["properties"]
    if fields.keys() >= POSITION:
        return Shape(Input.POSITION)
    columns = [
        Column(name, name.replace("_", " ").capitalize(), _shape(field, words))
        for name, field in fields.items()
    ]
    return Shape(Input.RECORDS, columns=tuple(columns))


def with_words(shape: Shape, words: Iterable[str]) -> Shape:
    """Offer words to choose from where an answer is a code; closed sets stay what they are."""
    if shape.input not in {Input.CODE, Input.CODES}:
        return shape
    return replace(shape, choices=tuple(dict.fromkeys((*shape.choices, *words))))


def own_words(fact: str, terms: Mapping[str, Any], facts: Mapping[str, Shape]) -> tuple[str, ...]:
    """Find the words that a condition's terms use for a fact, so that nobody must type them.

    Terms and fact belong together when they are called the same, or their last words agree
    (`locked_modules` and `enabled_modules`), or when the condition reads no other code.
    """
    listed = {name: value for name, value in terms.items() if _is_words(value)}
    alike = [value for name, value in listed.items() if _last(name) == _last(fact)]
    if fact in listed:
        alike = [listed[fact]]
    coded = [name for name, shape in facts.items() if shape.input in {Input.CODE, Input.CODES}]
    if not alike and coded == [fact]:
        alike = list(listed.values())
    return tuple(dict.fromkeys(word for value in alike for word in value))


def _is_words(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _last(name: str) -> str:
    return name.rpartition("_")[2].removesuffix("s")
