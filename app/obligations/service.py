"""Planning what is owed, looking at what is due, and settling what has come.

Whoever comes first looks: the scheduler when a time has come, or the intake of a report for the
licenses it touches. Both look before new evidence is taken in, so an outage of the scheduler
delays a miss but never hides one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import journal
from app.assessments import dockets
from app.assessments import service as assessments
from app.assessments.models import Reading
from app.assessments.rules import Docket, Ruling
from app.database import Sessions
from app.licenses.models import License
from app.licenses.rules import in_force
from app.obligations import rules
from app.obligations.models import Obligation
from app.obligations.rules import Deadline, State
from app.shipments.models import Unit
from app.wire import page_after
from monitors import Duty, Filing, Need, Subject
from monitors import Obligation as Owed

SYSTEM = "system:obligations"
AT_ONCE = 1_000
FAR_BACK = timedelta(days=400)
CLOCKS_DIFFER = timedelta(days=1)


def attend(session: Session, license: License, *, now: datetime) -> None:
    """Draw the consequences of a change of a license: plan duties, judge the ledger and history.

    The caller holds the license. What begins later is attended to when it begins.
    """
    if license.attend_from is None or license.attend_from > now:
        return
    since, license.attend_from = license.attend_from, None
    session.flush()
    docket = dockets.one(session, license)
    plan(session, license, docket, now=now)
    assessments.judge_ledger(session, license, docket, now=now)
    if since < now:
        assessments.rejudge(session, docket, since=since, now=now, only_listening=False)
    starts = [one.effective_from for versions in docket.rulings.values() for one in versions]
    license.attend_from = min((start for start in starts if start > now), default=None)


def plan(session: Session, license: License, docket: Docket, *, now: datetime) -> None:
    """Store what the conditions in force make somebody owe, where it is not stored yet."""
    for versions in docket.rulings.values():
        ruling = in_force(versions, now)
        duty = _duty(ruling)
        if ruling is None or duty is None:
            continue
        _follow_amendment(session, license, ruling, now)
        if duty.per == "unit":
            _plan_units(session, license, ruling, duty, now)
        else:
            _plan_periods(session, license, docket, ruling.key, now)


def _duty(ruling: Ruling | None) -> Duty | None:
    if ruling is None or ruling.monitor.owes is None:
        return None
    return ruling.monitor.owes(ruling.terms)


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
        row = _row(license, ruling, duty, Subject("unit", unit.serial), deadline, now)
        rows.append(row | {"awaited_from": since})
    _insert(session, rows)


def _plan_periods(
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
            fresh.append(_row(license, ruling, duty, subject, numbered, now))
        elif row.settled_at is None and row.condition_id != ruling.condition_id:
            row.condition_id, row.grace_until = ruling.condition_id, deadline.grace_until
            row.next_look_at = now
    _insert(session, fresh)
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
        duty = _duty(ruling)
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
    _settle(row, State.WAIVED, now)
    session.flush()
    _tell(session, row, docket, now)
    if was_overdue:
        assessments.take_back(session, docket, _asked_by(docket, row), _owed(row), now=now)


def _asked_by(docket: Docket, row: Obligation) -> Ruling:
    """Find the condition version under which something is owed."""
    versions = docket.rulings[row.key]
    return next(one for one in versions if one.condition_id == row.condition_id)


def _row(
    license: License,
    ruling: Ruling,
    duty: Duty,
    subject: Subject,
    deadline: Deadline,
    now: datetime,
) -> dict[str, Any]:
    return {
        "license_id": license.id,
        "condition_id": ruling.condition_id,
        "key": ruling.key,
        "what": duty.what,
        "by": duty.by,
        "subject_kind": subject.kind,
        "subject": subject.reference,
        "slot": deadline.slot,
        "period_from": deadline.period[0] if deadline.period else None,
        "period_to": deadline.period[1] if deadline.period else None,
        "awaited_from": ruling.effective_from,
        "due_at": deadline.due_at,
        "grace_until": deadline.grace_until,
        "state": State.UPCOMING,
        "next_look_at": deadline.due_at,
        "created_at": now,
    }


def _insert(session: Session, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(Obligation).on_conflict_do_nothing(), rows)


def look_at_licenses(session: Session, found: dict[int, Docket], *, now: datetime) -> None:
    """Look at what is due on licenses the caller holds, and at what that look makes due."""
    query = (
        select(Obligation)
        .where(
            Obligation.license_id.in_(found),
            Obligation.next_look_at <= now,
            Obligation.settled_at.is_(None),
        )
        .order_by(Obligation.next_look_at, Obligation.id)
        .with_for_update()
    )
    while rows := session.scalars(query).all():
        for row in rows:
            look(session, row, found[row.license_id], now=now)


def look(session: Session, row: Obligation, docket: Docket, *, now: datetime) -> None:
    """Look at one obligation: move it on if it was heard of, else let it climb to where it is."""
    ruling = in_force(docket.rulings.get(row.key, ()), row.due_at)
    duty = _duty(ruling)
    if ruling is None or duty is None:
        _settle(row, State.WAIVED, now)
        return
    if row.what == "reading":
        _hear_readings(session, row, duty, now)
    else:
        license = session.get_one(License, row.license_id)
        _plan_periods(session, license, docket, row.key, now)
        if row.settled_at is not None:
            return
        ruling = _asked_by(docket, row)
    deadline = Deadline(row.due_at, row.grace_until, row.slot)
    before, row.state = row.state, rules.state_at(deadline, now)
    row.next_look_at = rules.next_look(deadline, now)
    session.flush()
    if row.state != before and State.OVERDUE in {row.state, before}:
        _tell(session, row, docket, now)
    if row.state == State.OVERDUE:
        assessments.judge_obligations(session, docket, ruling, obligations=[_owed(row)], now=now)
    elif before == State.OVERDUE:
        assessments.take_back(session, docket, ruling, _owed(row), now=now)


def _hear_readings(session: Session, row: Obligation, duty: Duty, now: datetime) -> None:
    """Set a device's deadline after its newest reading, by the terms as they are now."""
    newest = session.scalar(
        select(func.max(Reading.observed_at)).where(
            Reading.license_id == row.license_id,
            Reading.serial == row.subject,
            Reading.observed_at > (row.last_heard_at or row.awaited_from - FAR_BACK),
            Reading.observed_at <= now + CLOCKS_DIFFER,
        )
    )
    row.last_heard_at = newest or row.last_heard_at
    since = max(row.last_heard_at or row.awaited_from, row.awaited_from)
    deadline = rules.after_silence(duty, since)
    row.due_at, row.grace_until = deadline.due_at, deadline.grace_until


def _owed(row: Obligation) -> Owed:
    """Show an obligation to its monitor."""
    period = (row.period_from, row.period_to)
    return Owed(
        subject=Subject(row.subject_kind, row.subject),  # type: ignore[arg-type]
        slot=row.slot,
        due_at=row.due_at,
        grace_until=row.grace_until,
        met_at=row.met_at,
        last_heard_at=row.last_heard_at,
        period=period if period[0] and period[1] else None,  # type: ignore[arg-type]
    )


def _settle(row: Obligation, state: State, now: datetime) -> None:
    row.state, row.settled_at, row.next_look_at = state, now, None


def _tell(session: Session, row: Obligation, docket: Docket, now: datetime) -> None:
    journal.append(
        session,
        actor=SYSTEM,
        action=f"obligation.{row.state}",
        subject=f"obligation:{row.id}",
        party=docket.exporter,
        body={
            "license": docket.license,
            "key": row.key,
            "subject": {row.subject_kind: row.subject},
            "slot": row.slot,
            "due_at": row.due_at.isoformat(),
            "met_at": row.met_at.isoformat() if row.met_at else None,
        },
        now=now,
    )


def heard(
    session: Session,
    found: dict[int, Docket],
    newest: dict[tuple[int, str], datetime],
    *,
    now: datetime,
) -> None:
    """Settle overdue devices that have just been heard: the silence ends, the miss stays."""
    rows = session.scalars(
        select(Obligation)
        .where(
            Obligation.license_id.in_(found),
            Obligation.state == State.OVERDUE,
            Obligation.what == "reading",
        )
        .order_by(Obligation.id)
        .with_for_update()
    ).all()
    for row in rows:
        observed_at = newest.get((row.license_id, row.subject))
        if observed_at is not None:
            _end_silence(session, row, found[row.license_id], observed_at, now)


def _end_silence(
    session: Session, row: Obligation, docket: Docket, observed_at: datetime, now: datetime
) -> None:
    """End a silence, unless the reading that came is itself too old to end it."""
    ruling = in_force(docket.rulings.get(row.key, ()), row.due_at)
    duty = _duty(ruling)
    if ruling is None or duty is None:
        return
    deadline = rules.after_silence(duty, observed_at)
    if deadline.grace_until < now:
        return
    row.met_at = now
    _settle(row, State.MET_LATE, now)
    session.flush()
    _tell(session, row, docket, now)
    assessments.judge_obligations(session, docket, ruling, obligations=[_owed(row)], now=now)
    license = session.get_one(License, row.license_id)
    following = Deadline(deadline.due_at, deadline.grace_until, row.slot + 1)
    subject = Subject(row.subject_kind, row.subject)  # type: ignore[arg-type]
    _insert(
        session,
        [
            _row(license, ruling, duty, subject, following, now)
            | {"last_heard_at": observed_at, "awaited_from": observed_at}
        ],
    )


def filed(session: Session, docket: Docket, filing: Filing, *, now: datetime) -> list[UUID]:
    """Settle the period a report answers, and judge whether it says what it must."""
    deviations: list[UUID] = []
    for versions in docket.rulings.values():
        ruling = in_force(versions, filing.observed_at)
        duty = _duty(ruling)
        if ruling is None or duty is None or duty.what != "report":
            continue
        if filing.kind not in rules.PERIODIC:
            continue
        bound = _bound(ruling, duty)
        if bound and bound.isdisjoint(filing.by_roles):
            continue
        deviations += _settle_periods(session, docket, ruling.key, filing, now)
    for versions in docket.rulings.values():
        ruling = in_force(versions, filing.observed_at)
        if ruling is not None and Need.FILINGS in ruling.monitor.needs:
            deviations += assessments.judge_obligations(
                session, docket, ruling, filings=[filing], now=now
            ).deviations
    return deviations


def _bound(ruling: Ruling, duty: Duty) -> frozenset[str]:
    """Say whose report it must be; nobody named means anybody's."""
    return frozenset({duty.by} if duty.by else ruling.binds)


def _settle_periods(
    session: Session, docket: Docket, key: str, filing: Filing, now: datetime
) -> list[UUID]:
    """Settle what is owed for the last day the report speaks of, and await the next."""
    zone = ZoneInfo(docket.time_zone)
    day = filing.period[1] if filing.period else filing.observed_at.astimezone(zone).date()
    rows = session.scalars(
        select(Obligation)
        .where(
            Obligation.license_id == docket.license_id,
            Obligation.key == key,
            Obligation.period_from <= day,
            Obligation.period_to >= day,
            Obligation.settled_at.is_(None),
        )
        .order_by(Obligation.slot)
        .with_for_update()
    ).all()
    return [id for row in rows for id in _settle_period(session, docket, row, filing, now)]


def _settle_period(
    session: Session, docket: Docket, row: Obligation, filing: Filing, now: datetime
) -> list[UUID]:
    was_overdue = row.state == State.OVERDUE
    row.met_at, row.met_by = now, filing.id
    _settle(row, rules.met_state(row.due_at, now), now)
    session.flush()
    _tell(session, row, docket, now)
    license = session.get_one(License, row.license_id)
    _plan_periods(session, license, docket, row.key, now, settled=row.due_at)
    if not was_overdue:
        return []
    return assessments.judge_obligations(
        session, docket, _asked_by(docket, row), obligations=[_owed(row)], now=now
    ).deviations


def due(session: Session, *, now: datetime, limit: int = AT_ONCE) -> list[tuple[UUID, int]]:
    """Find what is to be looked at now: ids of obligations and of their licenses."""
    rows = session.execute(
        select(Obligation.id, Obligation.license_id)
        .where(Obligation.next_look_at <= now, Obligation.settled_at.is_(None))
        .order_by(Obligation.next_look_at)
        .limit(limit)
    )
    return [(id, license_id) for id, license_id in rows]


def look_around(sessions: Sessions, *, now: datetime, limit: int = AT_ONCE) -> int:
    """Look at everything that is due, one transaction each; answer how many were looked at.

    Any number of schedulers may do this at once: a license or an obligation that another holds is
    passed over, and a row that another has looked at is no longer due.
    """
    with sessions() as session:
        waiting = due(session, now=now, limit=limit)
    looked = 0
    for id, license_id in waiting:
        with sessions() as session:
            looked += _look_alone(session, id, license_id, now)
            session.commit()
    return looked


def _look_alone(session: Session, id: UUID, license_id: int, now: datetime) -> int:
    license = session.scalar(
        select(License)
        .where(License.id == license_id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    if license is None:
        return 0
    row = session.scalar(
        select(Obligation)
        .where(
            Obligation.id == id,
            Obligation.next_look_at <= now,
            Obligation.settled_at.is_(None),
        )
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return 0
    look(session, row, dockets.one(session, license), now=now)
    return 1


def attend_around(sessions: Sessions, *, now: datetime, limit: int = AT_ONCE) -> int:
    """Draw the consequences of changed licenses, one transaction each."""
    with sessions() as session:
        waiting = session.scalars(
            select(License.id).where(License.attend_from <= now).order_by(License.id).limit(limit)
        ).all()
    for license_id in waiting:
        with sessions() as session:
            license = session.scalar(
                select(License)
                .where(License.id == license_id, License.attend_from <= now)
                .with_for_update(key_share=True, skip_locked=True)
            )
            if license is not None:
                attend(session, license, now=now)
            session.commit()
    return len(waiting)


def listed(
    session: Session,
    *,
    states: Iterable[State],
    party: str | None,
    license: str | None,
    before: datetime | None,
    after: str | None,
    limit: int,
) -> Sequence[tuple[Obligation, str]]:
    """List obligations by due time, with the license's number; one more than `limit` rows."""
    query = (
        select(Obligation, License.number)
        .join(License, License.id == Obligation.license_id)
        .order_by(Obligation.due_at, Obligation.id)
        .limit(limit + 1)
    )
    chosen = list(states)
    if chosen:
        query = query.where(Obligation.state.in_(chosen))
    if party is not None:
        query = query.where(License.exporter == party)
    if license is not None:
        query = query.where(License.number == license)
    if before is not None:
        query = query.where(Obligation.due_at < before.astimezone(UTC))
    keys = page_after(after, datetime, UUID)
    if keys is not None:
        query = query.where(tuple_(Obligation.due_at, Obligation.id) > tuple_(*keys))
    return [(row, number) for row, number in session.execute(query)]
