"""How a flat file is laid out: which columns there are, and what their cells become.

A column is named by the dotted path of a field in the HTTP contract (`facts.position.lat`); a cell
becomes the JSON value that the contract has at that path. Whether the value is *allowed* is not
decided here: the record goes through the same pydantic model as a request.
"""

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal, NoReturn

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

Kind = Literal["str", "int", "decimal", "number", "bool", "date", "datetime", "list", "json"]

_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WHOLE = re.compile(r"([+-]?[0-9]{1,30})(?:\.0+)?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

# Excel keeps 15 significant digits; a longer number has already lost some of them.
_DIGITS_KEPT = 10**15
_LONGEST_SHOWN = 40
_AS_TEXT = "format the column as text and enter the value again"
_ZONE = "add a time zone, e.g. 2026-03-02T10:00:00Z"


class FileTrouble(Exception):
    """The file as a whole cannot be read; the message is one line that says what to do."""


class CellRefused(ValueError):
    """A cell does not hold what its column takes; the message completes "column 'x': …"."""


@dataclass(frozen=True, slots=True)
class Column:
    """What the cells of a column become; `element` is what each entry of a list becomes."""

    kind: Kind = "str"
    required: bool = False
    element: Kind = "str"


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns a file may have, by dotted path.

    `aliases` are other names of a column; `bare` names the parents that may be left out
    (`("facts",)` lets `gallery_size` stand for `facts.gallery_size`). Names are compared without
    regard to case, and blanks count as underscores.
    """

    columns: Mapping[str, Column]
    aliases: Mapping[str, str] = field(default_factory=dict)
    bare: tuple[str, ...] = ()

    def names(self) -> dict[str, str]:
        """Return every accepted name, in its compared form, with the path it stands for."""
        shortened: dict[str, list[str]] = {}
        for path in self.columns:
            for parent in self.bare:
                if path.startswith(f"{parent}."):
                    shortened.setdefault(_compared(path[len(parent) + 1 :]), []).append(path)
        known = {name: paths[0] for name, paths in shortened.items() if len(paths) == 1}
        known |= {_compared(name): path for name, path in self.aliases.items()}
        return known | {_compared(path): path for path in self.columns}


class _Schemas(GenerateJsonSchema):
    """Tells Decimal apart, which pydantic writes no differently from `float | str`."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        del schema
        return {"type": "string", "format": "decimal"}


def layout_from_model(
    model: type[BaseModel],
    *,
    bare: Iterable[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> Layout:
    """Derive the columns from a pydantic model, by way of its JSON Schema.

    Nested models become dotted paths and lists of scalars become lists; what a flat file cannot
    express (lists of models, free-form objects, unions of models) becomes a column of JSON text.
    """
    schema = model.model_json_schema(schema_generator=_Schemas, mode="validation")
    defs = schema.get("$defs", {})
    plain, refs = _plain(schema, defs)
    columns = dict(_columns(plain, defs, "", needed=True, within=refs))
    return Layout(columns=columns, aliases=dict(aliases or {}), bare=tuple(bare))


def familiar(header: Sequence[str], layout: Layout) -> tuple[int, int]:
    """Tell how well a header fits: names known, then cells. The better fit compares greater."""
    known = layout.names()
    return sum(_compared(name) in known for name in header), len(header)


def resolve(header: Sequence[str], layout: Layout) -> list[str | None]:
    """Return the path of each header cell, None where it is blank; raise FileTrouble."""
    known = layout.names()
    paths = [known.get(_compared(name)) for name in header]
    unknown = [
        name for name, path in zip(header, paths, strict=True) if path is None and name.strip()
    ]
    present = {path for path in paths if path is not None}
    faults = [_unknown(name, known) for name in unknown]
    faults += [
        f"missing column '{path}'"
        for path, column in layout.columns.items()
        if column.required and path not in present
    ]
    faults += _said_twice(header, paths)
    if faults:
        raise FileTrouble(f"{'; '.join(faults)}. Known columns: {', '.join(layout.columns)}")
    return paths


def converter(column: Column) -> Callable[[object], object]:
    """Return what turns a cell that is not blank into a JSON value, or raises CellRefused."""
    if column.kind == "list":
        entry = _CONVERT[column.element]
        return lambda cell: _list(cell, entry)
    return _CONVERT[column.kind]


def nest(cells: Iterable[tuple[tuple[str, ...], object]]) -> dict[str, object]:
    """Build the record that the contract has from values with their paths."""
    record: dict[str, Any] = {}
    for parts, value in cells:
        inner = record
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
        inner[parts[-1]] = value
    return record


def parse_json(text: str) -> object:
    """Parse strict JSON: NaN and Infinity are refused, and so is hopelessly deep nesting."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def fault(error: ValueError) -> str:
    """Say what `parse_json` found wrong with a single line."""
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    return f"not JSON: {error}"


def shown(cell: object) -> str:
    """Quote a cell for a message: one line, shortened, control characters escaped."""
    if isinstance(cell, datetime | date | time):
        return f"the date {cell.isoformat()}"
    text = str(cell)
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _compared(name: str) -> str:
    joined = re.sub(r"\s*\.\s*", ".", name.strip().casefold())
    return re.sub(r"[\s_]+", "_", joined)


def _unknown(name: str, known: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(_compared(name), known, n=2)
    hint = " or ".join(f"'{match}'" for match in close)
    return f"unknown column {shown(name)}" + (f" (did you mean {hint}?)" if hint else "")


def _said_twice(header: Sequence[str], paths: Sequence[str | None]) -> Iterator[str]:
    """Columns that would write to one place: the same path, or a path and its parent."""
    first: dict[str, str] = {}
    for name, path in zip(header, paths, strict=True):
        if path is None:
            continue
        for other, other_name in first.items():
            if path == other or path.startswith(f"{other}.") or other.startswith(f"{path}."):
                yield f"columns {shown(other_name)} and {shown(name)} say the same thing twice"
        first.setdefault(path, name)


def _columns(
    schema: Mapping[str, Any],
    defs: Mapping[str, Any],
    prefix: str,
    *,
    needed: bool,
    within: frozenset[str],
) -> Iterator[tuple[str, Column]]:
    for name, raw in schema.get("properties", {}).items():
        part, refs = _plain(raw, defs)
        required = needed and name in schema.get("required", ())
        if "properties" in part and not refs & within:
            inner = f"{prefix}{name}."
            yield from _columns(part, defs, inner, needed=required, within=within | refs)
            continue
        kind = _kind(part, defs)
        element = _kind(part["items"], defs) if kind == "list" else "str"
        yield f"{prefix}{name}", Column(kind, required, element)


def _plain(
    schema: Mapping[str, Any], defs: Mapping[str, Any]
) -> tuple[Mapping[str, Any], frozenset[str]]:
    """Follow references and drop `null`; also return the definitions that were followed."""
    refs: frozenset[str] = frozenset()
    while True:
        ways = [way for way in _ways(schema) if way.get("type") != "null"]
        if "$ref" in schema:
            refs |= {schema["$ref"]}
            schema = defs[schema["$ref"].removeprefix("#/$defs/")]
        elif len(ways) == 1:
            schema = ways[0]
        else:
            return schema, refs


def _ways(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]


def _kind(raw: Mapping[str, Any], defs: Mapping[str, Any]) -> Kind:
    schema, _ = _plain(raw, defs)
    if ways := [way for way in _ways(schema) if way.get("type") != "null"]:
        return _kind_of_union(ways, defs)
    if schema.get("type") == "string":
        return _STRINGS.get(schema.get("format", ""), "str")
    if schema.get("type") == "array":
        scalar = "items" in schema and _kind(schema["items"], defs) not in {"json", "list"}
        return "list" if scalar else "json"
    return _SCALARS.get(schema.get("type", ""), "json")


def _kind_of_union(ways: Sequence[Mapping[str, Any]], defs: Mapping[str, Any]) -> Kind:
    kinds = {_kind(way, defs) for way in ways}
    if kinds & {"json", "list"}:
        return "json"
    if kinds == {"int", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "str"


def _refuse(cell: object, expected: str) -> NoReturn:
    raise CellRefused(f"{shown(cell)} is not {expected}")


def _str(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    whole = not isinstance(cell, bool) and isinstance(cell, int | float) and cell % 1 == 0
    if whole and isinstance(cell, int | float) and abs(cell) < _DIGITS_KEPT:
        return str(int(cell))
    return _refuse(cell, f"text any more, the spreadsheet may have changed it; {_AS_TEXT}")


def _int(cell: object) -> int:
    match = _WHOLE.fullmatch(_digits(cell))
    return int(match[1]) if match else _refuse(cell, "a whole number")


def _decimal(cell: object) -> str:
    text = _digits(cell)
    return text if _DECIMAL.fullmatch(text) else _refuse(cell, "an amount such as 480000.00")


def _number(cell: object) -> float:
    text = repr(cell) if isinstance(cell, float) else _digits(cell)
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else _refuse(cell, "a number such as 0.001")


def _digits(cell: object) -> str:
    """Write a number without an exponent; text as it stands; anything else as nothing."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool) or not isinstance(cell, int | float) or abs(cell) >= _DIGITS_KEPT:
        return ""
    return format(Decimal(repr(cell)), "f")


def _bool(cell: object) -> bool:
    if isinstance(cell, bool):
        return cell
    text = cell.lower() if isinstance(cell, str) else _digits(cell)
    return _YES_NO[text] if text in _YES_NO else _refuse(cell, "true or false (or yes, no, 1, 0)")


def _date(cell: object) -> str:
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, str) and _DATE.fullmatch(cell):
        try:
            return date.fromisoformat(cell).isoformat()
        except ValueError:
            _refuse(cell, "a day of the calendar")
    return _refuse(cell, "a date such as 2026-03-02")


def _datetime(cell: object) -> str:
    if isinstance(cell, date):
        # A spreadsheet's own dates have no zone, and guessing one would move the observation.
        _refuse(cell, f"a time with a zone; format the column as text and {_ZONE}")
    try:
        moment = datetime.fromisoformat(cell if isinstance(cell, str) else "")
    except ValueError:
        _refuse(cell, "a time such as 2026-03-02T10:00:00Z")
    if moment.tzinfo is None:
        _refuse(cell, f"a time with a zone; {_ZONE}")
    return moment.isoformat().replace("+00:00", "Z")


def _list(cell: object, entry: Callable[[object], object]) -> list[object]:
    if not isinstance(cell, str):
        return [entry(cell)]
    return [entry(part.strip()) for part in cell.split(";") if part.strip()]


def _json(cell: object) -> object:
    if isinstance(cell, bool | int | float):
        return cell
    try:
        return parse_json(cell if isinstance(cell, str) else "")
    except ValueError as error:
        raise CellRefused(f"{shown(cell)} is {fault(error)}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_STRINGS: Mapping[str, Kind] = {
    "date": "date",
    "date-time": "datetime",
    "decimal": "decimal",
}
_SCALARS: Mapping[str, Kind] = {"integer": "int", "number": "number", "boolean": "bool"}
_CONVERT: Mapping[Kind, Callable[[object], object]] = {
    "str": _str,
    "int": _int,
    "decimal": _decimal,
    "number": _number,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "json": _json,
}
