"""Puts what was on file at a time before the monitors, condition by condition; stores nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments import exhibits, files, rules, standing
from app.assessments.archive import File
from app.assessments.hindsight import Then
from app.assessments.rules import Docket, Ruling
from app.assessments.standing import Evidence, Hearing
from app.assessments.statements import Units, order
from app.licenses.models import Condition
from app.licenses.rules import in_force
from monitors import Finding, Grade, Line, Need, Statement, Subject


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition version that was in force then, as far as was known, with its verbatim text."""

    ruling: Ruling
    text: str


def asked(session: Session, docket: Docket, then: Then) -> list[Asked]:
    """Choose the condition versions in force at `as_of`, of those recorded by `known_at`."""
    rows = session.execute(
        select(Condition.id, Condition.text).where(
            Condition.license_id == docket.license_id, Condition.created_at <= then.known_at
        )
    )
    texts: dict[int, str] = {id: words for id, words in rows}  # noqa: C416 a row is no pair to mypy
    chosen = []
    for _, versions in sorted(docket.rulings.items()):
        known = [one for one in versions if one.condition_id in texts]
        ruling = in_force(known, then.as_of)
        if ruling is not None:
            assert ruling.condition_id is not None
            chosen.append(Asked(ruling, texts[ruling.condition_id]))
    return chosen


def hearing(file: File, ruling: Ruling) -> Hearing:
    """Let the monitor of one condition judge what was said, or what the ledger held."""
    if Need.LEDGER in ruling.monitor.needs:
        return _by_ledger(file, ruling)
    awaited = ruling.monitor.awaits is not None and ruling.hears.latest
    if awaited or ruling.monitor.needs & files.FILED:
        return exhibits.hearing(file, ruling, _said(file, ruling, file.units_of(ruling)))
    if not standing.relevant(ruling.monitor, ruling.terms):
        return Hearing()
    units = file.units_of(ruling)
    said = _said(file, ruling, units)
    statements = sorted((one for each in said.values() for one in each), key=order)
    basis = {
        subject: tuple(standing.evidence_of(one) for one in each) for subject, each in said.items()
    }
    home = {unit.serial: unit.site for unit in units.values()}
    stated = set[str]().union(*[one.facts.__dict__ for one in statements])
    return Hearing(
        basis=basis,
        findings=_findings(file, ruling, statements, units),
        silent=standing.silent(_expected(file, ruling, units), basis, home),
        first=file.first_shown.get(ruling.kind, {}),
        unstated=tuple(sorted(standing.relevant(ruling.monitor, ruling.terms) - stated)),
    )


def _said(file: File, ruling: Ruling, units: Units) -> dict[Subject, list[Statement[Any]]]:
    """Choose what counts for a condition: said under this version, of its lines, of its facts."""
    facts, chosen = standing.relevant(ruling.monitor, ruling.terms), {}
    for subject, each in file.heard.said.items():
        if subject.kind == "unit" and ruling.lines and subject.reference not in units:
            continue
        since = [one for one in each if one.observed_at >= ruling.effective_from]
        kept = standing.latest(since, facts)
        if kept:
            chosen[subject] = kept
    return chosen


def _expected(file: File, ruling: Ruling, units: Units) -> list[Subject]:
    """Say who should be heard of: each unit, else each site, else the license."""
    told_of = standing.scopes(ruling.monitor, ruling.terms)
    if "unit" in told_of:
        return [Subject("unit", serial) for serial in units]
    if "site" in told_of:
        return [Subject("site", reference) for reference in sorted(file.docket.sites)]
    return [Subject("license", file.docket.license)]


def _findings(
    file: File, ruling: Ruling, said: Sequence[Statement[Any]], units: Units
) -> list[Finding]:
    """Let the monitor judge. One that adds up over units is told what each says as said today.

    The latest number of a unit holds until it states another. Each statement is judged with all of
    them heard before it, so that every sum is whole; the newest is named as evidence of a sum.
    """
    if not said:
        return []
    if ruling.hears.scope != "license" or ruling.hears.nothing:
        return _put(file, ruling, said, (), units)
    today = [one._replace(observed_at=file.then.as_of) for one in reversed(said)]
    return _put(file, ruling, today, today, units)


def _put(
    file: File,
    ruling: Ruling,
    said: Sequence[Statement[Any]],
    earlier: Sequence[Statement[Any]],
    units: Units,
) -> list[Finding]:
    case = rules.case_of(file.docket, ruling, units=units, earlier=earlier)
    found = rules.put(file.docket, ruling, said, case, file.then.as_of)
    return [one.finding for one in found]


def _by_ledger(file: File, ruling: Ruling) -> Hearing:
    """Judge the ledger; while nothing was declared there is nothing to judge."""
    lines = [one for one in file.ledger if not ruling.lines or one.line in ruling.lines]
    subject = Subject("license", file.docket.license)
    shipped = [line for line in lines if line.last_shipped_on is not None]
    case = rules.case_of(
        file.docket, ruling, units=file.units_on_file[0], ledger=tuple(file.ledger)
    )
    found = rules.put(file.docket, ruling, (), case, file.then.as_of)
    return Hearing(
        basis={subject: tuple(map(_entry, shipped))} if shipped else {},
        findings=[one.finding for one in found],
        silent=[] if shipped else [subject],
        first=file.first_shown.get(ruling.kind, {}),
    )


def _entry(line: Line) -> Evidence:
    """Show the last shipment of a line as evidence: the exporter declared it, unsigned."""
    assert line.last_shipped_on is not None
    at = datetime.combine(line.last_shipped_on, time(), UTC)
    return Evidence(line.shipments[-1], "shipment", at, Grade.E)
