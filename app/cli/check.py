"""`endwatch check`: what would be flagged, told before anything is filed.

For exporters: it needs no database and no account, and nothing leaves the machine.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from app.cli import offline, tables, verdicts
from app.cli.intakes import (
    LICENSES_LAYOUT,
    READINGS_LAYOUT,
    SHIPMENTS_LAYOUT,
    faults,
    faults_of_reading,
    steps,
)
from app.cli.offline import Papers
from app.cli.progress import progress
from app.cli.tables import BadRow, Layout, Row, place
from app.errors import Trouble
from app.licenses.schemas import LicenseIn
from app.reports import lines
from app.reports.schemas import ReportIn
from app.shipments.schemas import ShipmentIn

ModelT = TypeVar("ModelT", bound=BaseModel)

AT_ONCE = 5_000
CLEAN, FLAGGED, UNREADABLE = 0, 1, 2


def run(
    license: Path,
    reports: Sequence[Path],
    shipments: Sequence[Path],
    *,
    as_json: bool,
    now: datetime,
) -> int:
    """Judge files; 1 when something would be flagged, 2 when something cannot be read."""
    desk = Desk(now)
    desk.open(license)
    if not desk.faults:
        for path in shipments:
            desk.ship(path)
        for path in reports:
            desk.hear(path)
    for fault in desk.faults:
        print(f"endwatch: {' '.join(fault.split())}", file=sys.stderr)
    if not desk.papers:
        return UNREADABLE
    judged = [verdicts.of(papers, now) for papers in desk.papers.values() if desk.wanted(papers)]
    print(verdicts.as_json(judged, desk.faults) if as_json else verdicts.as_text(judged))
    if desk.faults:
        return UNREADABLE
    return FLAGGED if any(one.flagged for one in judged) else CLEAN


class Desk:
    """Where files are laid out by license; `faults` are what could not be taken."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.papers: dict[str, Papers] = {}
        self.faults: list[str] = []

    def wanted(self, papers: Papers) -> bool:
        """Say whether to judge by this license: it is the only one, or something is about it."""
        return len(self.papers) == 1 or bool(papers.said)

    def open(self, path: Path) -> None:
        """Read the license, or several of them."""
        for _, license in self._models(path, LICENSES_LAYOUT, LicenseIn):
            self.papers[license.number] = offline.papers_of(license)

    def ship(self, path: Path) -> None:
        """Read shipments; those of other licenses are passed over."""
        for _, shipment in self._models(path, SHIPMENTS_LAYOUT, ShipmentIn):
            papers = self.papers.get(shipment.license)
            if papers is not None:
                papers.shipments.append(shipment)

    def hear(self, path: Path) -> None:
        """Read reports and readings, which may stand in one file."""
        with progress(f"reading {path.name}", tables.count_hint(path)) as bar:
            rows = self._rows(path, READINGS_LAYOUT)
            while portion := list(islice(rows, AT_ONCE)):
                reports = [row for row in portion if _is_report(row)]
                for row in reports:
                    self._hear_report(path, row)
                self._hear_readings(path, [row for row in portion if not _is_report(row)])
                bar(portion[-1].offset)

    def _rows(self, path: Path, layout: Layout) -> Iterator[Row]:
        for row in tables.read(path, layout):
            if isinstance(row, BadRow):
                self.faults.append(f"{path.name}: {row}")
            else:
                yield row

    def _models(
        self, path: Path, layout: Layout, model: type[ModelT]
    ) -> Iterator[tuple[Row, ModelT]]:
        for row in self._rows(path, layout):
            try:
                yield row, model.model_validate(row.values)
            except ValidationError as error:
                self._note(path, faults(row, error))

    def _note(self, path: Path, found: Iterable[str]) -> None:
        self.faults += [f"{path.name}: {fault}" for fault in found]

    def _refuse(self, path: Path, row: Row, trouble: Trouble) -> None:
        where = place(row, steps(trouble.pointer))
        self._note(path, [f"{where}: {offline.refused(trouble)}"])

    def _papers(self, path: Path, row: Row, number: str) -> Papers | None:
        papers = self.papers.get(number)
        if papers is None:
            known = ", ".join(sorted(self.papers))
            where = place(row, ["license"])
            self._note(path, [f"{where}: it is about {number}, and the license is {known}"])
        return papers

    def _hear_report(self, path: Path, row: Row) -> None:
        values, corrects = _without_reference(row.values)
        try:
            report = ReportIn.model_validate(values)
        except ValidationError as error:
            self._note(path, faults(row, error))
            return
        papers = self._papers(path, row, report.license)
        if papers is None:
            return
        try:
            offline.hear_report(papers, report, corrects=corrects, now=self.now)
        except Trouble as trouble:
            self._refuse(path, row, trouble)

    def _hear_readings(self, path: Path, rows: Sequence[Row]) -> None:
        by_number = {row.number: row for row in rows}
        parsed = lines.parse_values([(row.number, row.values) for row in rows], len(rows))
        for reject in parsed.rejected:
            self._note(path, faults_of_reading(by_number[reject.line], reject))
        for line in parsed.lines:
            row = by_number[line.number]
            papers = self._papers(path, row, line.license)
            if papers is None:
                continue
            try:
                offline.hear_reading(papers, line, now=self.now)
            except Trouble as trouble:
                self._refuse(path, row, trouble)


def _is_report(row: Row) -> bool:
    return "statements" in row.values or "kind" in row.values


def _without_reference(values: dict[str, object]) -> tuple[dict[str, Any], str | None]:
    """Let a report that is not filed yet name the one it corrects by that one's reference."""
    corrects = values.get("corrects")
    try:
        UUID(str(corrects))
    except ValueError:
        if isinstance(corrects, str):
            return {name: value for name, value in values.items() if name != "corrects"}, corrects
    return values, None
