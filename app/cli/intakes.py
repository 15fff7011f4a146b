"""How the rows of each kind of file are checked and stored: by the models and services of the API.

Checking needs no database. Storing happens in the caller's transaction; what is refused there is
told like a wrong cell, with its row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar
from uuid import UUID, uuid4

import psycopg
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.access.once import Replay
from app.access.rules import Actor, Role
from app.cli.kinds import Kind
from app.cli.tables import Layout, Row, layout_from_model, place
from app.errors import Trouble
from app.licenses import service as licenses
from app.licenses.schemas import LicenseIn
from app.reports import lines, readings
from app.reports.rules import refusal_of
from app.reports.schemas import ReadingIn, Rejected
from app.shipments import service as shipments
from app.shipments.schemas import ShipmentIn
from monitors import catalogue

ModelT = TypeVar("ModelT", bound=BaseModel)
Location = Sequence[str | int]

READINGS_LAYOUT = layout_from_model(ReadingIn, bare=("facts",))
SHIPMENTS_LAYOUT = layout_from_model(ShipmentIn)
LICENSES_LAYOUT = layout_from_model(LicenseIn)


@dataclass(slots=True)
class Tally:
    """What became of rows. `known` were on file already with the same content."""

    stored: int = 0
    known: int = 0
    faults: list[str] = field(default_factory=list)
    deviations: set[UUID] = field(default_factory=set)

    def add(self, other: "Tally") -> None:
        """Count another portion in."""
        self.stored += other.stored
        self.known += other.known
        self.faults += other.faults
        self.deviations |= other.deviations


class Intake(Protocol):
    """One kind of file. `at_once` is how many rows are stored together."""

    layout: ClassVar[Layout]
    at_once: ClassVar[int]

    def check(self, rows: Sequence[Row]) -> list[str]:
        """Tell what is wrong with rows, as far as they themselves show it."""

    def store(self, session: Session, rows: Sequence[Row]) -> Tally:
        """Store rows; those that are refused leave nothing behind."""


def intake_of(kind: Kind, *, party: str | None, digest: str, now: datetime) -> Intake:
    """Choose the intake of a file with this digest; exporters' own files name the exporter."""
    officer = Actor("cli", Role.LICENSING_OFFICER)
    exporter = Actor("cli", Role.EXPORTER, party) if party else None
    if kind is Kind.READINGS:
        return Readings(exporter or Actor("cli", Role.INSPECTOR), digest, now)
    if kind is Kind.SHIPMENTS:
        return Shipments(exporter or officer, now)
    return Licenses(officer, now)


@dataclass(slots=True)
class Licenses:
    """Registers licenses, one by one."""

    actor: Actor
    now: datetime
    layout: ClassVar[Layout] = LICENSES_LAYOUT
    at_once: ClassVar[int] = 100

    def check(self, rows: Sequence[Row]) -> list[str]:
        """Tell what is wrong with rows."""
        return _check_with(LicenseIn, rows)

    def store(self, session: Session, rows: Sequence[Row]) -> Tally:
        """Register the licenses; a number that is taken is refused."""

        def register(row: Row) -> None:
            license = LicenseIn.model_validate(row.values)
            try:
                licenses.register(session, license, actor=self.actor, now=self.now)
            except licenses.NumberTaken as taken:
                raise licenses.NumberTaken(
                    f"{license.number} is already on file", pointer="/number"
                ) from taken

        return _one_by_one(session, rows, register)


@dataclass(slots=True)
class Shipments:
    """Files shipments, one by one; one that is on file as it stands here is passed over."""

    actor: Actor
    now: datetime
    layout: ClassVar[Layout] = SHIPMENTS_LAYOUT
    at_once: ClassVar[int] = 500

    def check(self, rows: Sequence[Row]) -> list[str]:
        """Tell what is wrong with rows."""
        return _check_with(ShipmentIn, rows)

    def store(self, session: Session, rows: Sequence[Row]) -> Tally:
        """File the shipments."""

        def file(row: Row) -> None:
            shipment = ShipmentIn.model_validate(row.values)
            shipments.file(session, shipment, actor=self.actor, now=self.now)

        return _one_by_one(session, rows, file)


@dataclass(slots=True)
class Readings:
    """Takes readings in batches, which are judged on the way."""

    actor: Actor
    digest: str
    now: datetime
    layout: ClassVar[Layout] = READINGS_LAYOUT
    at_once: ClassVar[int] = 5_000

    def check(self, rows: Sequence[Row]) -> list[str]:
        """Tell what is wrong with rows."""
        by_number = {row.number: row for row in rows}
        return [
            fault
            for reject in _parsed(rows).rejected
            for fault in faults_of_reading(by_number[reject.line], reject)
        ]

    def store(self, session: Session, rows: Sequence[Row]) -> Tally:
        """Take a batch; known readings are counted, contradicting ones refused."""
        by_number = {row.number: row for row in rows}
        parsed = _parsed(rows)
        if not parsed.lines:
            return Tally()
        parsed.rejected.clear()  # told by `check` already
        answer = readings.file(
            session, parsed, digest=self.digest, id=uuid4(), actor=self.actor, now=self.now
        )
        refused = [
            f"{place(by_number[reject.line], steps(reject.pointer))}: {reject.detail}"
            for reject in answer.rejected
        ]
        return Tally(answer.accepted, answer.duplicates, refused, set(answer.deviations))


def _parsed(rows: Sequence[Row]) -> lines.Parsed:
    return lines.parse_values([(row.number, row.values) for row in rows], len(rows))


def faults_of_reading(row: Row, reject: Rejected) -> Iterator[str]:
    """Tell everything that is wrong with a refused reading; the refusal names the first only."""
    try:
        lines.READER.validate_python(row.values)
    except ValidationError as error:
        yield from faults(row, error)
    else:
        yield f"{place(row, steps(reject.pointer))}: {reject.detail}"


def faults(row: Row, error: ValidationError) -> Iterator[str]:
    """Tell what pydantic found wrong, each with its row and column."""
    for one in error.errors(include_url=False, include_input=False):
        location = _without_tag(one["loc"])
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            name = str(location[-1])
            stated = "facts" in location[-2:-1]
            message = refusal_of(name) if stated else f"{name[:60]!r} is not a field here"
        yield f"{place(row, location)}: {message}"


def _without_tag(location: Location) -> Location:
    """Leave out the kind that pydantic writes into the place of a condition."""
    tagged = len(location) > 2 and location[0] == "conditions" and location[2] in catalogue()
    return [*location[:2], *location[3:]] if tagged else location


def _check_with(model: type[ModelT], rows: Sequence[Row]) -> list[str]:
    found: list[str] = []
    for row in rows:
        try:
            model.model_validate(row.values)
        except ValidationError as error:
            found += faults(row, error)
    return found


def _one_by_one(session: Session, rows: Sequence[Row], do: Callable[[Row], Any]) -> Tally:
    """Store each row in a savepoint of its own, so that a refused one leaves nothing behind."""
    tally = Tally()
    for row in rows:
        try:
            with session.begin_nested():
                do(row)
        except Replay:
            tally.known += 1
        except Trouble as trouble:
            said = trouble.detail or trouble.title()
            tally.faults.append(f"{place(row, steps(trouble.pointer))}: {said}")
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.DataError | psycopg.IntegrityError):
                raise
            tally.faults.append(f"{row.where}: {str(error.orig).splitlines()[0]}")
        else:
            tally.stored += 1
    session.expunge_all()
    return tally


def steps(pointer: str | None) -> Location:
    """Take a JSON Pointer apart."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in (pointer or "").split("/")[1:]]
    return [int(part) if part.isdigit() else part for part in parts]
