"""What the parts of an expression can be: kinds of value, and what may be done with them.

A fact's kind comes from its JSON Schema. What CEL would let pass in silence and never answer as
meant is not offered: ordering texts (version 10 would stand before version 9), dividing whole
numbers (the rest would be lost), reading numbers out of texts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitors._cel.tree import Literal, Node, Unclear

NUMBERS, ORDERED = (
    frozenset({"int", "double"}),
    frozenset({"int", "double", "timestamp", "duration"}),
)
COMPARED = ORDERED | {"bool", "string"}
SPOKEN = {
    "bool": "yes or no",
    "int": "a whole number",
    "double": "a decimal number",
    "string": "a text",
    "timestamp": "a time",
    "duration": "a length of time",
    "list": "a list",
    "map": "something with parts",
}
DURATION = re.compile(r"(?=[0-9])([0-9]{1,7}h)?([0-9]{1,7}m)?([0-9]{1,7}s)?")
TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})"
)
PATTERN = re.compile(r"(?!.*(\\\w|\(\?))[ -z|}~]{1,100}")
WRITTEN = {
    "duration": (
        DURATION,
        'a length of time is written in hours, minutes and seconds: "36h", "1h30m"',
    ),
    "timestamp": (TIMESTAMP, 'a time is written with its zone: "2026-01-31T00:00:00Z"'),
    "matches": (PATTERN, "a pattern has 100 plain characters at most, and no {…}, (?…) or \\w"),
}


@dataclass(frozen=True, slots=True)
class Type:
    """What something is; of a list its items and how many there may be, of a map its parts.

    `written` is the JSON Schema of a text, `fact` the fact it is or is an item of, `small` whether
    its capitals are made small letters when it is stated.
    """

    name: str
    item: "Type | None" = None
    most: int = 0
    parts: Mapping[str, "Type"] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)
    fact: str = ""
    small: bool = False


BOOL, INT, DOUBLE, STRING = Type("bool"), Type("int"), Type("double"), Type("string")
TIME, LENGTH = Type("timestamp"), Type("duration")
PLAIN = {"boolean": BOOL, "integer": INT, "number": DOUBLE}
SUMS: dict[tuple[str, str, str], Type] = {
    ("+", "timestamp", "duration"): TIME,
    ("+", "duration", "timestamp"): TIME,
    ("+", "duration", "duration"): LENGTH,
    ("+", "string", "string"): STRING,
    ("-", "timestamp", "timestamp"): LENGTH,
    ("-", "timestamp", "duration"): TIME,
    ("-", "duration", "duration"): LENGTH,
    ("/", "double", "double"): DOUBLE,
    ("%", "int", "int"): INT,
    **{(sign, "int", "int"): INT for sign in "+-*"},
    **{(sign, "double", "double"): DOUBLE for sign in "+-*"},
}
OF_TEXTS = {"contains": BOOL, "startsWith": BOOL, "endsWith": BOOL, "matches": BOOL}
OF_TIMES = {
    "getFullYear": INT,
    "getMonth": INT,
    "getDate": INT,
    "getDayOfWeek": INT,
    "getHours": INT,
}
FUNCTIONS: dict[tuple[str, tuple[str, ...]], Type] = {
    **{(name, ("string", "string")): made for name, made in OF_TEXTS.items()},
    **{(name, ("timestamp",)): made for name, made in OF_TIMES.items()},
    ("size", ("list",)): INT,
    ("size", ("string",)): INT,
    ("int", ("double",)): INT,
    ("double", ("int",)): DOUBLE,
    ("string", ("int",)): STRING,
    ("string", ("double",)): STRING,
    ("string", ("timestamp",)): STRING,
    ("string", ("string",)): STRING,
    ("timestamp", ("string",)): TIME,
    ("duration", ("string",)): LENGTH,
}
DOTTED = frozenset({*OF_TEXTS, *OF_TIMES, "size"})
UNDOTTED = frozenset({"size", "int", "double", "string", "timestamp", "duration", "has"})


def type_of_fact(name: str, schema: Mapping[str, Any], *, small: bool = False) -> Type | None:
    """Say what a fact is, by its JSON Schema; None for what an expression cannot read."""
    return _typed(schema, schema.get("$defs", {}), Type("string", fact=name, small=small))


def _typed(schema: Mapping[str, Any], named: Mapping[str, Any], text: Type) -> Type | None:
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        ways = [_typed(one, named, text) for one in schema["anyOf"] if one.get("type") != "null"]
        return ways[0] if len(ways) == 1 else None
    kind = schema.get("type", "")
    if kind == "array" and "maxItems" in schema:
        item = _typed(schema.get("items", {}), named, text)
        return Type("list", item=item, most=schema["maxItems"]) if item else None
    if kind == "object":
        parts = {
            name: _typed(one, named, STRING) for name, one in schema.get("properties", {}).items()
        }
        return Type("map", parts={name: one for name, one in parts.items() if one})
    if kind == "string" and schema.get("format") in {"date", "date-time"}:
        return TIME
    return replace(text, written=schema) if kind == "string" else PLAIN.get(kind)


def possible(of: Type, node: Node, *, whole: bool = True) -> None:
    """Refuse to compare a text with a word that it cannot be, or not in these letters.

    With `whole` false the word may be a piece of it.
    """
    if not isinstance(node, Literal) or not of.written:
        return
    text, schema, name = str(node.value), of.written, of.fact or "that part"
    if of.small and text != text.lower():
        raise Unclear(f"{name} is stated in small letters: write {text.lower()!r}")
    words = schema.get("enum", [])
    fits = text in words if words else re.search(schema.get("pattern", ""), text)
    if whole and (not fits or len(text) > schema.get("maxLength", len(text))):
        one_of = f"; it is one of {', '.join(words)}" if words else ""
        raise Unclear(f"{name} can never be {text!r}{one_of}")
