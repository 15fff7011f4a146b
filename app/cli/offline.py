"""A license and what was said under it, read from files: judged without a database.

The judging itself is that of the service. Statements are heard together, in order of when they were
true, as if all had been filed already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.access.rules import Actor, Role
from app.assessments import dockets, rules, statements
from app.assessments.rules import Docket, Ruling
from app.deviations.rules import Found
from app.errors import Conflict, Trouble
from app.licenses.rules import in_force
from app.licenses.schemas import LicenseIn, start_of
from app.reports.lines import Line as Reading
from app.reports.rules import (
    MAY_REPORT,
    BeforeLicense,
    FactRefused,
    SubjectUnknown,
    check_time,
    grade_of,
)
from app.reports.schemas import ReportIn, StatementIn
from app.shipments.schemas import ShipmentIn
from monitors import (
    Case,
    Grade,
    Line,
    Need,
    Party,
    Source,
    Statement,
    StateSpan,
    Subject,
    Unit,
    catalogue,
)

UNKNOWN_LINE = 0


class SaidTwice(Conflict):
    """Two readings of one unit at one time say different things."""


@dataclass(slots=True)
class Papers:
    """One license with what was shipped and said under it."""

    license: LicenseIn
    docket: Docket
    shipments: list[ShipmentIn] = field(default_factory=list)
    reports: dict[str, list[Statement[Any]]] = field(default_factory=dict)
    readings: dict[tuple[str, datetime], Statement[Any]] = field(default_factory=dict)
    corrected: set[str] = field(default_factory=set)

    @property
    def said(self) -> list[Statement[Any]]:
        """Everything that holds, in order; a corrected report does not."""
        standing = [
            one
            for reference, many in self.reports.items()
            if reference not in self.corrected
            for one in many
        ]
        return sorted([*standing, *self.readings.values()], key=statements.order)

    @property
    def units(self) -> dict[str, Unit]:
        """The units shipped; without shipments, the units that were spoken of."""
        if self.shipments:
            return {
                serial: Unit(serial, one.line, one.date, one.site, one.consignee)
                for one in self.shipments
                for serial in one.serials
            }
        lines = self.license.lines
        line = lines[0].line if len(lines) == 1 else UNKNOWN_LINE
        named = {one.subject.reference for one in self.said if one.subject.kind == "unit"}
        return {serial: Unit(serial, line) for serial in sorted(named)}


def papers_of(license: LicenseIn) -> Papers:
    """Open the papers of a license."""
    named = [("exporter", license.exporter), *((one.role, one) for one in license.parties)]
    docket = Docket(
        license_id=0,
        license=license.number,
        exporter=license.exporter.reference,
        state=license.state,
        granted_on=license.granted_on,
        expires_on=license.expires_on,
        time_zone=license.time_zone,
        end_use=license.end_use,
        countries=tuple(license.destination_countries),
        sites=frozenset(site.reference for site in license.sites),
        parties=tuple(Party(one.reference, role, one.name, one.country) for role, one in named),
        rulings={
            condition.key: (_ruling(license, number),)
            for number, condition in enumerate(license.conditions)
        }
        | dockets.standing_rulings(_granted(license)),
        states=(StateSpan(license.state, _granted(license)),),
    )
    return Papers(license, docket)


def _ruling(license: LicenseIn, number: int) -> Ruling:
    """Make the ruling of a condition; its place in the license serves as its id."""
    condition = license.conditions[number]
    return dockets.ruling_of(
        kind=condition.kind,
        terms=condition.terms,
        condition_id=number,
        key=condition.key,
        version=1,
        severity=condition.severity or catalogue()[condition.kind].severity,
        binds=tuple(condition.binds),
        lines=frozenset(condition.lines),
        effective_from=condition.effective_from or _granted(license),
        effective_to=condition.effective_to,
    )


def _granted(license: LicenseIn) -> datetime:
    return start_of(license.granted_on, ZoneInfo(license.time_zone)).astimezone(UTC)


def hear_report(papers: Papers, report: ReportIn, *, corrects: str | None, now: datetime) -> None:
    """Take in a report; raises what the service would refuse it with."""
    own = report.kind in MAY_REPORT[Role.EXPORTER]
    actor = Actor("offline", Role.EXPORTER if own else Role.INSPECTOR)
    by = papers.docket.exporter if own else str(actor.role)
    signed = isinstance(report.signature, str)  # believed here: only the service knows the keys
    grade = grade_of(actor.role, report.kind, report.mode, signed=signed)
    source = Source(report.kind, grade, by, report.mode)
    known = {serial for one in papers.shipments for serial in one.serials}
    heard = []
    for index, one in enumerate(report.statements):
        moment = one.observed_at or report.observed_at
        path = f"/statements/{index}/observed_at" if one.observed_at else "/observed_at"
        _check_time(papers.license, moment, now, path)
        heard.append(
            Statement(
                id=statements.report_statement_id(report.reference, index),
                subject=_subject(papers, one, known, index),
                facts=catalogue().stated(one.facts),
                observed_at=moment,
                captured_at=report.captured_at or moment,
                received_at=now,
                source=source,
            )
        )
    papers.reports[report.reference] = heard
    if corrects is not None:
        papers.corrected.add(corrects)


def _subject(papers: Papers, one: StatementIn, known: set[str], index: int) -> Subject:
    """Find what is spoken of; without shipments every serial is believed to be a unit."""
    named = one.subject
    if named.serial is not None:
        subject, there = Subject("unit", named.serial), not known or named.serial in known
    elif named.site is not None:
        subject, there = Subject("site", named.site), named.site in papers.docket.sites
    else:
        subject, there = Subject("license", papers.docket.license), True
    path = f"/statements/{index}"
    if not there:
        raise SubjectUnknown(
            f"{subject.reference!r} is not a {subject.kind} of {papers.docket.license}",
            pointer=f"{path}/subject",
        )
    for name in one.facts:
        scopes = catalogue().facts[name].scopes
        if subject.kind not in scopes:
            raise FactRefused(
                f"{name!r} is said of a {' or '.join(scopes)}, not of a {subject.kind}",
                pointer=f"{path}/facts/{name}",
            )
    return subject


def hear_reading(papers: Papers, reading: Reading, *, now: datetime) -> None:
    """Take in a reading, as if under the exporter's own machine key; the same again is no matter."""
    _check_time(papers.license, reading.observed_at, now, "/observed_at")
    if papers.shipments and reading.serial not in papers.units:
        raise SubjectUnknown(
            f"{reading.serial!r} is not a unit of {reading.license}", pointer="/serial"
        )
    key = reading.serial, reading.observed_at
    known = papers.readings.get(key)
    if known is not None and known.facts.__dict__ != reading.facts:
        raise SaidTwice("another reading of this time says something else", pointer="/observed_at")
    papers.readings[key] = Statement(
        id=statements.reading_id(reading.serial, reading.at),
        subject=Subject("unit", reading.serial),
        facts=catalogue().stated(reading.facts),
        observed_at=reading.observed_at,
        captured_at=reading.observed_at,
        received_at=now,
        source=Source(statements.READING, Grade.D, papers.docket.exporter),
    )


def _check_time(license: LicenseIn, moment: datetime, now: datetime, pointer: str) -> None:
    check_time(moment, now, pointer)
    if moment < _granted(license):
        raise BeforeLicense(
            f"{license.number} was granted on {license.granted_on}; nothing observed before can be "
            "judged by it",
            pointer=pointer,
        )


def judge(papers: Papers, now: datetime) -> list[Found]:
    """Put everything that was said before the monitors, and what was shipped."""
    said, units = papers.said, papers.units

    def context(ruling: Ruling, heard: Sequence[Statement[Any]]) -> Case:
        chosen = {one.id for one in heard}
        beside = [one for one in said if one.id not in chosen] if len(heard) < len(said) else []
        earlier = () if ruling.hears.nothing else beside
        return rules.case_of(papers.docket, ruling, units=units, earlier=earlier)

    found = rules.judge(papers.docket, said, context, now) if said else []
    return found + (_judge_ledger(papers, units, now) if papers.shipments else [])


def _judge_ledger(papers: Papers, units: dict[str, Unit], now: datetime) -> list[Found]:
    ledger = tuple(_drawn(papers, line) for line in papers.license.lines)
    chosen = [in_force(versions, now) for versions in papers.docket.rulings.values()]
    return [
        one
        for ruling in chosen
        if ruling is not None and Need.LEDGER in ruling.monitor.needs
        for one in rules.put(
            papers.docket,
            ruling,
            (),
            rules.case_of(papers.docket, ruling, units=units, ledger=ledger),
            now,
        )
    ]


def _drawn(papers: Papers, line: Any) -> Line:
    """Add up what was shipped under a line."""
    drawn = sorted((one for one in papers.shipments if one.line == line.line), key=_when)
    return Line(
        line=line.line,
        unit=line.unit,
        authorized_quantity=line.quantity,
        authorized_value=line.value.amount if line.value else None,
        currency=line.value.currency if line.value else None,
        shipped_quantity=sum((one.quantity for one in drawn), start=line.quantity * 0),
        shipped_value=sum(
            (one.value.amount for one in drawn if one.value), start=line.quantity * 0
        ),
        last_shipped_on=drawn[-1].date if drawn else None,
        shipments=tuple(one.reference for one in drawn),
    )


def _when(shipment: ShipmentIn) -> Any:
    return shipment.date


def unspoken(papers: Papers) -> list[tuple[Ruling, str]]:
    """List the conditions that these files cannot settle at all, and why."""
    stated = {name for one in papers.said for name in one.facts.__dict__}
    lines = len(papers.license.lines) > 1 and not papers.shipments
    found = []
    for versions in papers.docket.rulings.values():
        (ruling,) = versions
        monitor = ruling.monitor
        if monitor.standing:
            continue
        if monitor.owes is not None or monitor.awaits is not None:
            found.append((ruling, "what is owed by a date is not judged offline"))
        elif Need.LEDGER in monitor.needs and not papers.shipments:
            found.append((ruling, "give what was shipped with --shipments"))
        elif ruling.facts and ruling.facts.isdisjoint(stated):
            names = ", ".join(sorted(ruling.facts))
            found.append((ruling, f"nothing here speaks of it ({names})"))
        elif ruling.lines and lines:
            found.append((ruling, "to which line a unit belongs is said by --shipments"))
    return found


def refused(trouble: Trouble) -> str:
    """Say why the service would refuse something."""
    return trouble.detail or trouble.title()
