"""Reads a batch of readings line by line: what can be read, and why the rest cannot."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any, NamedTuple, NotRequired, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

from app.errors import Invalid, TooLarge
from app.licenses.schemas import Number
from app.reports import rules
from app.reports.schemas import Rejected
from app.wire import Moment
from app.wire.problems import pointer
from monitors import Code, catalogue


class TooManyLines(TooLarge):
    """The batch has more lines than are taken at once."""


class NotAList(Invalid):
    """A JSON body must be an array of readings."""


class Line(NamedTuple):
    """A line that was read; `at` is its time as text."""

    number: int
    license: str
    serial: str
    observed_at: datetime
    at: str
    facts: dict[str, Any]
    id: str | None


@dataclass(slots=True)
class Parsed:
    """A batch as far as it could be read; `count` is how many lines it had."""

    lines: list[Line] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    count: int = 0


def _adapter() -> TypeAdapter[dict[str, Any]]:
    """Build the reader of one line; a TypedDict costs a third of a model."""
    make: Any = TypedDict
    fields = {
        "id": NotRequired[Code | None],
        "license": Number,
        "serial": Code,
        "observed_at": Moment,
        "facts": catalogue().typed_facts,
    }
    line = make("ReadingLine", fields)
    line.__pydantic_config__ = ConfigDict(extra="forbid")
    return cast("TypeAdapter[dict[str, Any]]", TypeAdapter(line))


READER = _adapter()


def parse(body: bytes, media_type: str, limit: int) -> Parsed:
    """Read a body: one JSON object a line, or one JSON array of them."""
    if media_type == "application/json" or body[:1] == b"[":
        return _parse_array(body, limit)
    numbered = []
    for number, line in enumerate(BytesIO(body), 1):
        if line.strip():
            numbered.append((number, line))
            _check_count(len(numbered), limit)
    parsed = Parsed(count=len(numbered))
    read = READER.validate_json
    for number, line in numbered:
        try:
            values = read(line)
        except ValidationError as error:
            parsed.rejected.append(rejected(number, error))
        else:
            _keep(parsed, number, values)
    return parsed


def _parse_array(body: bytes, limit: int) -> Parsed:
    try:
        items = from_json(body)
    except ValueError as error:
        raise NotAList(
            f"The body is not valid JSON: {error}. Send one object a line as "
            "application/x-ndjson, or an array."
        ) from error
    if not isinstance(items, list):
        raise NotAList("Send one object a line as application/x-ndjson, or an array.")
    _check_count(len(items), limit)
    return parse_values(enumerate(items, 1), limit)


def parse_values(items: Iterable[tuple[int, Any]], limit: int) -> Parsed:
    """Read numbered values that are already JSON."""
    numbered = list(items)
    _check_count(len(numbered), limit)
    parsed = Parsed(count=len(numbered))
    for number, item in numbered:
        try:
            values = READER.validate_python(item)
        except ValidationError as error:
            parsed.rejected.append(rejected(number, error))
        else:
            _keep(parsed, number, values)
    return parsed


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise TooManyLines(f"At most {limit:,} lines are taken at once. Divide the batch.")


def _keep(parsed: Parsed, number: int, values: dict[str, Any]) -> None:
    scoped = _out_of_scope(values["facts"])
    if scoped is not None:
        detail = f"{scoped!r} is not said of a unit."
        where = pointer(["facts", scoped])
        parsed.rejected.append(
            Rejected(line=number, type="fact-refused", detail=detail, pointer=where)
        )
        return
    parsed.lines.append(
        Line(
            number,
            values["license"],
            values["serial"],
            values["observed_at"],
            values["observed_at"].isoformat(),
            values["facts"],
            values.get("id"),
        )
    )


NOT_OF_UNITS = frozenset(
    name for name, fact in catalogue().facts.items() if "unit" not in fact.scopes
)


def _out_of_scope(facts: dict[str, Any]) -> str | None:
    """Find a fact that cannot be said of a unit."""
    if NOT_OF_UNITS.isdisjoint(facts):
        return None
    return min(NOT_OF_UNITS.intersection(facts))


def rejected(number: int, error: ValidationError) -> Rejected:
    """Say why a line cannot be taken: its first fault, never its values."""
    first = error.errors(include_url=False, include_input=False)[0]
    location = first["loc"]
    if first["type"] == "json_invalid":
        return Rejected(line=number, type="not-json", detail=first["msg"])
    if first["type"] == "extra_forbidden":
        name = str(location[-1])
        inside = location[0] == "facts" and len(location) == 2
        detail = rules.refusal_of(name) if inside else f"{name[:60]!r} is not a field of a reading."
        return Rejected(line=number, type="fact-refused", detail=detail, pointer=pointer(location))
    return Rejected(
        line=number, type="invalid", detail=first["msg"], pointer=pointer(location) or None
    )
