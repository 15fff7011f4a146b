"""Stores what conditions make somebody owe, and follows their amendments."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments.rules import Docket, Ruling
from app.licenses.models import License
from app.licenses.rules import in_force
from app.obligations import record, rules
from app.obligations.models import Obligation
from app.obligations.rules import Deadline, State
from app.shipments.models import Unit
from monitors import Duty, Subject


def plan(session: Session, license: License, docket: Docket, *, now: datetime) -> None:
    """Store what the conditions in force make somebody owe, where it is not stored yet."""
    for versions in docket.rulings.values():
        ruling = in_force(versions, now)
        duty = record.duty_of(ruling)
        if ruling is None or duty is None:
            continue
        _follow_amendment(session, license, ruling, now)
        if duty.per == "unit":
            _plan_units(session, license, ruling, duty, now)
        else:
            plan_periods(session, license, docket, ruling.key, now)


def _follow_amendment(session: Session, license: License, ruling: Ruling, now: datetime) -> None:
    """Look soon at what was planned under an earlier version of the condition."""
    session.execute(
        update(Obligation)
        .where(
            Obligation.license_id == license.id,
            Obligation.key == ruling.key,
            Obligation.condition_id != ruling.condition_id,
            Obligation.settled_at.is_(None),
            Obligation.what == "reading",
        )
        .values(condition_id=ruling.condition_id, next_look_at=now)
    )


def _plan_units(
    session: Session, license: License, ruling: Ruling, duty: Duty, now: datetime
) -> None:
    """Begin to await every unit: from when we were told of it, or the condition began."""
    planned = select(Obligation.subject).where(
        Obligation.license_id == license.id, Obligation.key == ruling.key
    )
    query = select(Unit).where(Unit.license_id == license.id, Unit.serial.not_in(planned))
    if ruling.lines:
        query = query.where(Unit.line.in_(ruling.lines))
    rows = []
    for unit in session.scalars(query.order_by(Unit.serial)):
        since = max(unit.created_at, ruling.effective_from)
        deadline = rules.after_silence(duty, since)
        row = record.row_of(license, ruling, duty, Subject("unit", unit.serial), deadline, now)
        rows.append(row | {"awaited_from": since})
    record.store(session, rows)


def plan_periods(
    session: Session,
    license: License,
    docket: Docket,
    key: str,
    now: datetime,
    settled: datetime | None = None,
) -> None:
    """Keep the periods stored up to the one that runs now, and beyond the due time settled last.

    What an amendment that reaches back no longer asks for is waived.
    """
    rows = session.scalars(
        select(Obligation)
        .where(Obligation.license_id == license.id, Obligation.key == key)
        .order_by(Obligation.slot)
    ).all()
    overruled = {(row.period_from, row.period_to): row for row in rows}
    slot = rows[-1].slot if rows else -1
    subject = Subject("license", license.number)
    fresh = []
    asked = _periods(license, docket.rulings[key], rows, now, max(now, settled or now))
    for ruling, duty, deadline in asked:
        row = overruled.pop(deadline.period or (None, None), None)
        if row is None:
            slot = max(slot + 1, deadline.slot)
            numbered = replace(deadline, slot=slot)
            fresh.append(record.row_of(license, ruling, duty, subject, numbered, now))
        elif row.settled_at is None and row.condition_id != ruling.condition_id:
            row.condition_id, row.grace_until = ruling.condition_id, deadline.grace_until
            row.next_look_at = now
    record.store(session, fresh)
    for row in overruled.values():
        if row.settled_at is None:
            _waive(session, row, docket, now)


def _periods(
    license: License,
    versions: Sequence[Ruling],
    stored: Sequence[Obligation],
    now: datetime,
    beyond: datetime,
) -> Iterator[tuple[Ruling, Duty, Deadline]]:
    """Give what the versions ask for, each the periods whose first day it rules to its end.

    Periods whose grace had passed before the license was registered here are not asked for.
    """
    zone = ZoneInfo(license.time_zone)
    latest = max((row.due_at for row in stored), default=now)
    for ruling in versions:
        duty = record.duty_of(ruling)
        if duty is None or duty.what != "report":
            continue
        starts = duty.starts or ruling.effective_from.astimezone(zone).date()
        for deadline in rules.periods_from(duty, starts, license.created_at, zone):
            if in_force(versions, rules.first_day_over(deadline, zone)) is ruling:
                yield ruling, duty, deadline
            if deadline.due_at > beyond and deadline.due_at >= latest:
                break


def _waive(session: Session, row: Obligation, docket: Docket, now: datetime) -> None:
    """Ask no more for what was planned under terms that are overruled."""
    was_overdue = row.state == State.OVERDUE
    record.settle(row, State.WAIVED, now)
    session.flush()
    record.tell(session, row, docket, now)
    if was_overdue:
        assessments.take_back(
            session, docket, record.asked_by(docket, row), record.owed(row), now=now
        )
