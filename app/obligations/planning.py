"""Stores what conditions make somebody owe, and follows their amendments."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments.rules import Docket, Ruling
from app.licenses.models import License, LicenseSite
from app.licenses.rules import in_force
from app.obligations import climbing, ending, record, rules
from app.obligations.ending import Gone
from app.obligations.models import Obligation
from app.obligations.rules import Deadline, State
from app.parties.models import Site
from app.shipments.models import Unit
from monitors import Duty, Subject

OVERRULED = "overruled"


def plan(
    session: Session,
    license: License,
    docket: Docket,
    *,
    now: datetime,
    gone: Gone = ending.NOTHING,
) -> None:
    """Store what the conditions in force make somebody owe, where it is not stored yet.

    Nothing is asked about units that are gone, nor of anybody when nothing is left.
    """
    if gone.over:
        return
    for versions in docket.rulings.values():
        ruling = in_force(versions, now)
        duty = record.duty_of(ruling)
        if ruling is None or duty is None:
            continue
        if len(versions) > 1:
            _follow_amendment(session, license, ruling, now)
        if duty.per == "unit":
            _plan_units(session, license, versions, ruling, duty, gone, now)
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
    session: Session,
    license: License,
    versions: Sequence[Ruling],
    ruling: Ruling,
    duty: Duty,
    gone: Gone,
    now: datetime,
) -> None:
    """Begin to await every unit that is not awaited.

    It is awaited from when we were told of it, or the condition began; one that was given up and is
    there after all, from now on.
    """
    awaited = select(Obligation.subject).where(
        Obligation.license_id == license.id,
        Obligation.key == ruling.key,
        Obligation.settled_at.is_(None),
    )
    query = select(Unit.serial, Unit.created_at).where(
        Unit.license_id == license.id, Unit.serial.not_in(awaited)
    )
    if ruling.lines:
        query = query.where(Unit.line.in_(ruling.lines))
    units = [
        row for row in session.execute(query.order_by(Unit.serial)) if row[0] not in gone.units
    ]
    if not units:
        return
    earlier = _last_slots(session, license, ruling.key)
    rows = []
    for serial, created_at in units:
        slot, ground = earlier.get(serial, (-1, None))
        begun = now if ground in {ending.UNIT_FINAL, ending.ALL_FINAL} else created_at
        since = max(begun, ruling.effective_from)
        deadline = replace(rules.after_silence(duty, since), slot=slot + 1)
        if in_force(versions, deadline.due_at) is not None:
            unit = Subject("unit", serial)
            rows.append(record.row_of(license, ruling, duty, unit, deadline, now, since=since))
    record.store(session, rows)


def _last_slots(session: Session, license: License, key: str) -> dict[str, tuple[int, str | None]]:
    """Find the last slot of each unit, and why it was waived if it was."""
    rows = session.execute(
        select(Obligation.subject, Obligation.slot, Obligation.ground)
        .where(Obligation.license_id == license.id, Obligation.key == key)
        .order_by(Obligation.slot)
    )
    return {subject: (slot, ground) for subject, slot, ground in rows}


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
    if rows and all(row.settled_at for row in rows):
        settled = max(settled or now, *(row.due_at for row in rows))
    countries = _countries(session, license, docket.rulings[key])
    beyond = max(now, settled or now)
    asked = _periods(license, docket.rulings[key], rows, now, beyond, countries)
    for ruling, duty, deadline in asked:
        row = overruled.pop(deadline.period or (None, None), None)
        if row is None:
            slot = max(slot + 1, deadline.slot)
            numbered = replace(deadline, slot=slot)
            fresh.append(record.row_of(license, ruling, duty, subject, numbered, now))
        elif row.settled_at is None and row.condition_id != ruling.condition_id:
            row.condition_id, row.next_look_at = ruling.condition_id, now
            record.move(row, deadline, now)
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
    countries: Sequence[str],
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
        for deadline in rules.periods_from(duty, starts, license.created_at, zone, countries):
            if in_force(versions, rules.first_day_over(deadline, zone)) is ruling:
                yield ruling, duty, deadline
            if deadline.due_at > beyond and deadline.due_at >= latest:
                break


def _countries(session: Session, license: License, versions: Sequence[Ruling]) -> Sequence[str]:
    """Name the countries whose days off count: those of the sites, else of the destination."""
    duties = map(record.duty_of, versions)
    if not any(duty is not None and duty.working_days for duty in duties):
        return ()
    query = (
        select(Site.country)
        .join(LicenseSite)
        .where(LicenseSite.license_id == license.id)
        .distinct()
    )
    return sorted(session.scalars(query)) or sorted(license.destination_countries)


def _waive(session: Session, row: Obligation, docket: Docket, now: datetime) -> None:
    """Ask no more for what was planned under terms that are overruled."""
    was_overdue = row.state == State.OVERDUE
    record.settle(row, State.WAIVED, now, OVERRULED)
    session.flush()
    record.tell(session, row, docket, now)
    climbing.settled(session, row, now=now)
    if was_overdue:
        assessments.take_back(
            session, docket, record.asked_by(docket, row), record.owed(row), now=now
        )
