"""Everything on file about a license as it was at a time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from app.assessments import files, hindsight, standing
from app.assessments.hindsight import Heard, Then
from app.assessments.rules import Docket, Ruling
from app.assessments.statements import Units
from monitors import Line, Subject


class File:
    """Everything on file about a license then. Each part is read once, when it is first needed.

    `excused` is whom nobody asked then, by condition: subjects, and which of several things.
    """

    def __init__(
        self, session: Session, docket: Docket, rulings: Iterable[Ruling], then: Then
    ) -> None:
        self._session = session
        self.excused: Mapping[str, frozenset[tuple[Subject, str]]] = {}
        self.docket = docket
        self.then = then
        self._facts = frozenset[str]().union(
            *[standing.relevant(one.monitor, one.terms) for one in rulings]
        )

    @cached_property
    def heard(self) -> Heard:
        """The latest of what was said."""
        docket = self.docket
        return hindsight.heard(
            self._session, docket.license_id, self._facts, docket.granted_on, self.then
        )

    @cached_property
    def units_on_file(self) -> tuple[Units, dict[str, datetime]]:
        """The units shipped by then, and since when each was on file."""
        return hindsight.units(self._session, self.docket.license_id, self.then)

    @cached_property
    def ledger(self) -> tuple[Line, ...]:
        """What was drawn from the lines."""
        return hindsight.ledger(self._session, self.docket.license_id, self.then)

    @cached_property
    def first_shown(self) -> dict[str, dict[tuple[Subject, str], datetime]]:
        """Since when breaches stood on record."""
        return hindsight.first_shown(self._session, self.docket.license_id, self.then)

    def parts(self, ruling: Ruling) -> dict[str, tuple[Any, ...]]:
        """Read what else the monitor of a condition asks for."""
        return files.read(self._session, self.docket, ruling.monitor.needs, self.then)

    def units_of(self, ruling: Ruling) -> Units:
        """Give the units on the lines of a condition."""
        units = self.units_on_file[0]
        if not ruling.lines:
            return units
        return {serial: unit for serial, unit in units.items() if unit.line in ruling.lines}
