"""Words, numbers, times and facts, drawn at random: among others those a kind itself knows.

They are of its terms and of its file, so that what is drawn meets what is looked for. Facts are
drawn from their JSON Schemas, so that a new fact is drawn without a line here.
"""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from monitors import catalogue

TERMS = Path(__file__).with_name("terms")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ZONES = ("UTC", "Africa/Nairobi", "America/St_Johns", "Pacific/Kiritimati", "Pacific/Pago_Pago")
NAMES = ("FR-1", "FR-2", "NBO-T1", "KE-BCA")
WORD = r"\S{2,40}"
STATES = ("issued", "suspended", "revoked", "expired")
KINDS = ("attestation", "inspection", "reading", "custody")
Drawn = st.SearchStrategy[Any]


def _placed(moment: datetime, zone: str) -> datetime:
    try:
        return moment.astimezone(ZoneInfo(zone))
    except OverflowError:  # that zone has no such moment within the calendar
        return moment


HOURS = st.integers(-24 * 400, 24 * 400).map(lambda count: NOON + timedelta(hours=count))
EDGES = st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
ANYWHEN = HOURS | HOURS | HOURS | st.datetimes(timezones=st.just(UTC)) | EDGES
MOMENTS = st.builds(_placed, ANYWHEN, st.sampled_from(ZONES))
DAYS = ANYWHEN.map(datetime.date)
AMOUNTS = st.integers(0, 5).map(Decimal) | st.decimals(0, 10**12, places=4)


@cache
def example(kind: str) -> dict[str, Any]:
    """Read the stored example of a kind's terms."""
    stored: dict[str, Any] = json.loads((TERMS / f"{kind}.json").read_text(encoding="utf-8"))
    return stored


def _leaves(part: Any) -> Iterator[Any]:
    if isinstance(part, dict | list):
        for one in part.values() if isinstance(part, dict) else part:
            yield from _leaves(one)
    else:
        yield part


@cache
def words(kind: str) -> list[str]:
    """Collect every word of a kind: those of its terms, and those that stand in its file."""
    tree = ast.parse(inspect.getsource(_file(kind)))
    texts = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)]
    return _words([*texts, *_leaves(example(kind))])


@cache
def sorts(kind: str) -> list[str]:
    """Collect the words by which a kind tells what is on file apart, such as kinds of document."""
    named = [value for name, value in vars(_file(kind)).items() if name.isupper()]
    compared = re.findall(r'kind [!=]= "(\w+)"', inspect.getsource(_file(kind)))
    return _words([*named, *compared]) or [*KINDS]


def _words(found: Iterable[Any]) -> list[str]:
    return sorted({one for one in found if isinstance(one, str) and re.fullmatch(WORD, one)})


def _file(kind: str) -> ModuleType:
    return importlib.import_module(f"monitors.{kind}")


def texts(field: str, kind: str) -> Drawn:
    """Draw a text, most often one that stands for what a field of this name is for."""
    usual = {"kind": (sorts(kind), KINDS), "state": (STATES,)}
    often = usual.get(field, (NAMES, _words(_leaves(example(kind))) or NAMES))
    seldom = (st.sampled_from(words(kind)) | st.text(max_size=8)).map(str)
    return st.one_of([*map(st.sampled_from, often), seldom])


@cache
def numbers(kind: str) -> tuple[float, ...]:
    """Collect the numbers of a kind's terms, and what lies just below and above each."""
    stated = [str(one) for one in _leaves(example(kind)) if not isinstance(one, bool)]
    read = [float(one) for one in stated if re.fullmatch(r"-?\d{1,12}(\.\d{1,12})?", one)]
    return tuple(one + off for one in (0.0, *read) for off in (-1, -0.001, 0, 0.001, 1))


@cache
def fact(name: str, kind: str) -> Drawn:
    schema = catalogue().facts[name].json_schema
    return _of_schema(schema, schema.get("$defs", {}), kind)


def _of_schema(schema: Mapping[str, Any], named: Mapping[str, Any], kind: str) -> Drawn:
    """Draw what a JSON Schema allows."""
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        ways = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return st.one_of([_of_schema(one, named, kind) for one in ways])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "array":
        return st.lists(_of_schema(schema["items"], named, kind), max_size=4)
    if schema["type"] == "object":
        inside = {n: _of_schema(one, named, kind) for n, one in schema["properties"].items()}
        needed = {name: inside.pop(name) for name in schema.get("required", ())}
        return st.fixed_dictionaries(needed, optional=inside)
    return _text(schema, kind) if schema["type"] == "string" else _number(schema, kind)


def _number(schema: Mapping[str, Any], kind: str) -> Drawn:
    low, high = schema.get("minimum", -(10**6)), schema.get("maximum", 10**6)
    near = [one for one in numbers(kind) if low <= one <= high]
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "integer":
        return st.sampled_from(sorted({int(one) for one in near} | {low})) | st.integers(low, high)
    return st.sampled_from([*near, float(low)]) | st.floats(low, high)


def _text(schema: Mapping[str, Any], kind: str) -> Drawn:
    if schema.get("format") == "date":
        return DAYS.map(date.isoformat)
    if schema.get("format") == "date-time":
        return MOMENTS.map(datetime.isoformat)
    pattern, longest = schema.get("pattern", r"^[ -~]*$"), schema.get("maxLength", 100)
    terms = _words(_leaves(example(kind)))
    fitting = [
        [one for one in pool if re.search(pattern, one) and len(one) <= longest]
        for pool in (NAMES, terms, words(kind))
    ]
    drawn = st.from_regex(pattern, fullmatch=True).filter(lambda text: len(text) <= longest)
    return st.one_of([*(st.sampled_from(pool) for pool in fitting if pool), drawn])
