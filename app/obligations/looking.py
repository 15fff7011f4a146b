"""Looks at what is due, and draws the consequences of changed licenses.

Whoever comes first looks: the scheduler when a time has come, or the intake of a report for the
licenses it touches. Both look before new evidence is taken in, so an outage of the scheduler
delays a miss but never hides one.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.assessments import custody, dockets, strangers
from app.assessments import service as assessments
from app.assessments.models import Reading
from app.assessments.rules import Docket, Ruling
from app.database import Sessions
from app.licenses.models import License
from app.licenses.rules import in_force
from app.obligations import awaiting, climbing, ending, planning, record, rules
from app.obligations.awaiting import FILE
from app.obligations.models import Obligation
from app.obligations.rules import Deadline, State
from monitors import Duty

_log = structlog.get_logger()

AT_ONCE = 1_000
PUT_OFF = timedelta(minutes=5)
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
    look_at_licenses(session, {license.id: docket}, now=now)
    gone = ending.gone(session, license)
    ending.end(session, docket, gone, now=now)
    planning.plan(session, license, docket, now=now, gone=gone)
    custody.adopt(session, docket, now=now)
    strangers.recognize(session, docket, now=now)
    assessments.judge_file(session, docket, now=now)
    awaiting.follow(session, license, docket, since=since, now=now, over=gone.over)
    if since < now:
        assessments.rejudge(session, docket, since=since, now=now, only_listening=False)
    starts = [one.effective_from for versions in docket.rulings.values() for one in versions]
    license.attend_from = min((start for start in starts if start > now), default=None)


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
    duty = record.duty_of(ruling)
    if ruling is None or (duty is None and row.what != FILE):
        record.settle(row, State.WAIVED, now, planning.OVERRULED)
        session.flush()
        record.tell(session, row, docket, now)
        return
    if row.what == FILE:
        ruling = record.asked_by(docket, row)
    elif duty is not None and row.what == "reading":
        _hear_readings(session, row, duty, now)
    else:
        license = session.get_one(License, row.license_id)
        planning.plan_periods(session, license, docket, row.key, now)
        if row.settled_at is not None:
            return
        ruling = record.asked_by(docket, row)
    if record.excused(row, now):
        row.state, row.next_look_at = State.WAIVED, row.waived_until
    else:
        _climb(session, row, docket, ruling, now)


def _climb(
    session: Session, row: Obligation, docket: Docket, ruling: Ruling, now: datetime
) -> None:
    """Let an obligation climb to where it is now, and draw what follows."""
    deadline = Deadline(row.due_at, row.grace_until, row.slot)
    before, row.state = row.state, rules.state_at(deadline, now)
    climbed = climbing.climb(session, row, docket, ruling, now=now)
    looks = (rules.next_look(deadline, now), climbed.next_at)
    row.next_look_at = min((at for at in looks if at is not None), default=None)
    row.changed_at = now if row.state != before else row.changed_at
    session.flush()
    reached = climbed.told.name if climbed.told else None
    if row.state != before and not {State.OVERDUE, State.WAIVED}.isdisjoint({row.state, before}):
        record.tell(session, row, docket, now, reached=reached)
    elif climbed.told is not None:
        record.tell(session, row, docket, now, climbing.word(climbed.told), reached=reached)
    if row.state == State.OVERDUE:
        assessments.judge_obligations(
            session, docket, ruling, obligations=[record.owed(row)], now=now
        )
    elif before == State.OVERDUE:
        assessments.take_back(session, docket, ruling, record.owed(row), now=now)


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
    record.move(row, deadline, now)


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
        try:
            with sessions() as session:
                looked += _look_alone(session, id, license_id, now)
                session.commit()
        except DBAPIError:
            raise
        except Exception as error:
            _put_off(sessions, id, error, now)
    return looked


def _put_off(sessions: Sessions, id: UUID, error: Exception, now: datetime) -> None:
    """Look at a row that fails again in a while, so that it does not keep the others waiting."""
    _log.error("look_failed", obligation=str(id), exc_info=error)
    with sessions() as session:
        session.execute(
            update(Obligation)
            .where(Obligation.id == id, Obligation.settled_at.is_(None))
            .values(next_look_at=now + PUT_OFF)
        )
        session.commit()


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
    """Draw the consequences of changed licenses, one transaction each.

    What their monitors see of them is fetched for all of them together.
    """
    with sessions() as session:
        waiting = [
            (id, revision)
            for id, revision in session.execute(
                select(License.id, License.revision)
                .where(License.attend_from <= now)
                .order_by(License.id)
                .limit(limit)
            )
        ]
        if waiting:
            dockets.load(session, waiting)
    for license_id, _ in waiting:
        try:
            _attend_alone(sessions, license_id, now)
        except DBAPIError:
            raise
        except Exception as error:
            _log.error("attend_failed", license=license_id, exc_info=error)
    return len(waiting)


def _attend_alone(sessions: Sessions, license_id: int, now: datetime) -> None:
    with sessions() as session:
        license = session.scalar(
            select(License)
            .where(License.id == license_id, License.attend_from <= now)
            .with_for_update(key_share=True, skip_locked=True)
        )
        if license is not None:
            attend(session, license, now=now)
        session.commit()
