"""Follows what the file makes somebody owe: a delivery proof, an inventory, a new certificate.

A monitor says from what is on file what is awaited next (`awaits`). What it no longer awaits, or
awaits for a later time, has come.
"""

from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments.rules import Docket, Ruling
from app.licenses.models import License
from app.licenses.rules import in_force
from app.obligations import climbing, ending, planning, record, rules
from app.obligations.models import Obligation
from app.obligations.rules import Deadline, State
from monitors import Awaited, Subject

_log = structlog.get_logger()

FILE = "file"

Key = tuple[Subject, str]


def follow(
    session: Session,
    license: License,
    docket: Docket,
    *,
    since: datetime,
    now: datetime,
    over: bool = False,
) -> None:
    """Bring what is stored as owed in line with what is on file; `since` is when that changed.

    When nothing is left to look after (`over`), only what outlives the units is followed.
    """
    for key, versions in docket.rulings.items():
        if versions[0].monitor.awaits is None or (over and not ending.outlives(docket, key)):
            continue
        stored = _stored(session, license, key)
        ruling = in_force(versions, now)
        awaited = {} if ruling is None else _awaited(session, docket, ruling, now)
        if awaited is None:
            continue
        for row in stored:
            following = awaited.get((Subject(row.subject_kind, row.subject), row.item))  # type: ignore[arg-type]
            if ruling is None:
                record.settle(row, State.WAIVED, now, planning.OVERRULED)
                session.flush()
                record.tell(session, row, docket, now)
            elif row.settled_at is None:
                _follow(session, docket, row, ruling, following, since, now)
        if ruling is not None:
            _begin(session, license, ruling, awaited, stored, now)


def _stored(session: Session, license: License, key: str) -> list[Obligation]:
    """Read what is owed and not settled."""
    query = (
        select(Obligation)
        .where(
            Obligation.license_id == license.id,
            Obligation.key == key,
            Obligation.what == FILE,
            Obligation.settled_at.is_(None),
        )
        .order_by(Obligation.subject, Obligation.item)
        .with_for_update()
    )
    return list(session.scalars(query))


def _awaited(
    session: Session, docket: Docket, ruling: Ruling, now: datetime
) -> dict[Key, Awaited] | None:
    """Ask the monitor; one that fails changes nothing."""
    awaits = ruling.monitor.awaits
    assert awaits is not None
    case = assessments.file_case(session, docket, ruling, now)
    try:
        return {(one.subject, one.item): one for one in awaits(ruling.terms, case)}
    except Exception as error:
        _log.error("awaits_failed", kind=ruling.kind, license=docket.license, exc_info=error)
        return None


def _follow(
    session: Session,
    docket: Docket,
    row: Obligation,
    ruling: Ruling,
    following: Awaited | None,
    since: datetime,
    now: datetime,
) -> None:
    """Settle what has come; move what is awaited for another time under other terms."""
    moved = row.condition_id != ruling.condition_id
    if following is not None and (moved or following.due_at <= row.due_at):
        if moved or following.due_at != row.due_at:
            row.condition_id = ruling.condition_id
            record.move(row, Deadline(following.due_at, following.grace_until), now)
            row.next_look_at = now
        return
    missed = since > row.grace_until and not record.excused(row, since)
    row.met_at = since
    record.settle(row, rules.met_state(row.due_at, since), now)
    session.flush()
    record.tell(session, row, docket, now)
    climbing.settled(session, row, now=now)
    if missed:
        owed = [record.owed(row)]
        assessments.judge_obligations(session, docket, ruling, obligations=owed, now=now)


def _begin(
    session: Session,
    license: License,
    ruling: Ruling,
    awaited: dict[Key, Awaited],
    stored: list[Obligation],
    now: datetime,
) -> None:
    """Store what is awaited anew, each under the next number of its subject."""
    if not awaited:
        return
    open_ = {(row.subject_kind, row.subject, row.item) for row in stored if row.settled_at is None}
    slots = _slots(session, license, ruling.key)
    rows = []
    for (subject, item), one in awaited.items():
        if (*subject, item) in open_:
            continue
        slot = slots[subject.reference] = slots.get(subject.reference, -1) + 1
        deadline = Deadline(one.due_at, one.grace_until, slot)
        rows.append(
            record.file_row(license, ruling, subject, deadline, now, since=one.since)
            | {"item": item, "by": one.by}
        )
    record.store(session, rows)


def _slots(session: Session, license: License, key: str) -> dict[str, int]:
    """Find the last number given to each subject."""
    rows = session.execute(
        select(Obligation.subject, Obligation.slot).where(
            Obligation.license_id == license.id, Obligation.key == key
        )
    )
    last: dict[str, int] = {}
    for subject, slot in rows:
        last[subject] = max(slot, last.get(subject, -1))
    return last
