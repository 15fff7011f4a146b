"""Settles what has come: a device that speaks again, a report for its period."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments.rules import Docket, Ruling
from app.licenses.models import License
from app.licenses.rules import in_force
from app.obligations import climbing, planning, record, rules
from app.obligations.models import Obligation
from app.obligations.rules import Deadline, State
from monitors import Duty, Filing, Need, Subject


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
    duty = record.duty_of(ruling)
    if ruling is None or duty is None:
        return
    deadline = rules.after_silence(duty, observed_at)
    if deadline.grace_until < now:
        return
    row.met_at = now
    record.settle(row, State.MET_LATE, now)
    session.flush()
    record.tell(session, row, docket, now)
    assessments.judge_obligations(session, docket, ruling, obligations=[record.owed(row)], now=now)
    license = session.get_one(License, row.license_id)
    following = Deadline(deadline.due_at, deadline.grace_until, row.slot + 1)
    subject = Subject(row.subject_kind, row.subject)  # type: ignore[arg-type]
    new = record.row_of(license, ruling, duty, subject, following, now, since=observed_at)
    record.store(session, [new | {"last_heard_at": observed_at}])


def filed(session: Session, docket: Docket, filing: Filing, *, now: datetime) -> list[UUID]:
    """Settle the period a report answers, and judge whether it says what it must."""
    deviations: list[UUID] = []
    for versions in docket.rulings.values():
        ruling = in_force(versions, filing.observed_at)
        duty = record.duty_of(ruling)
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
    record.settle(row, rules.met_state(row.due_at, now), now)
    session.flush()
    record.tell(session, row, docket, now)
    climbing.settled(session, row, now=now)
    license = session.get_one(License, row.license_id)
    planning.plan_periods(session, license, docket, row.key, now, settled=row.due_at)
    if not was_overdue:
        return []
    return assessments.judge_obligations(
        session, docket, record.asked_by(docket, row), obligations=[record.owed(row)], now=now
    ).deviations
