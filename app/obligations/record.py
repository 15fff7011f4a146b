"""One obligation by itself: under which terms it is owed, settled, shown and told."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import journal
from app.assessments.rules import Docket, Ruling
from app.licenses.models import License
from app.obligations import calendars, ladder
from app.obligations.models import Obligation
from app.obligations.rules import Deadline, State
from monitors import Duty, Subject, catalogue
from monitors import Obligation as Owed

SYSTEM = "system:obligations"


def duty_of(ruling: Ruling | None) -> Duty | None:
    """Say what a condition version makes somebody owe, if anything."""
    if ruling is None or ruling.monitor.owes is None:
        return None
    return ruling.monitor.owes(ruling.terms)


def asked_by(docket: Docket, row: Obligation) -> Ruling:
    """Find the condition version under which something is owed, or the standing monitor."""
    versions = docket.rulings[row.key]
    return next(one for one in versions if one.condition_id == row.condition_id)


def row_of(
    license: License,
    ruling: Ruling,
    duty: Duty,
    subject: Subject,
    deadline: Deadline,
    now: datetime,
    *,
    since: datetime | None = None,
) -> dict[str, Any]:
    """Write the row of a new obligation."""
    row = file_row(license, ruling, subject, deadline, now, since=since)
    return row | {"what": duty.what, "by": duty.by}


def file_row(
    license: License,
    ruling: Ruling,
    subject: Subject,
    deadline: Deadline,
    now: datetime,
    *,
    since: datetime | None = None,
) -> dict[str, Any]:
    """Write the row of what the file makes somebody owe, from `since` on or since the condition is."""
    zone, since = ZoneInfo(license.time_zone), since or ruling.effective_from
    begun = calendars.begins(deadline.period[0], zone) if deadline.period else since
    look = ladder.first_look(ruling.monitor.ladder, deadline, since=begun, zone=zone, now=now)
    return {
        "license_id": license.id,
        "condition_id": ruling.condition_id,
        "key": ruling.key,
        "what": "file",
        "by": None,
        "subject_kind": subject.kind,
        "subject": subject.reference,
        "slot": deadline.slot,
        "item": "",
        "period_from": deadline.period[0] if deadline.period else None,
        "period_to": deadline.period[1] if deadline.period else None,
        "awaited_from": since,
        "due_at": deadline.due_at,
        "grace_until": deadline.grace_until,
        "state": State.UPCOMING,
        "next_look_at": look,
        "created_at": now,
        "changed_at": now,
    }


def store(session: Session, rows: list[dict[str, Any]]) -> None:
    """Store new obligations; a slot that is there already stays as it is."""
    if rows:
        session.execute(insert(Obligation).on_conflict_do_nothing(), rows)


def owed(row: Obligation) -> Owed:
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
        item=row.item,
        steps=ladder.steps(row.rung),
    )


def settle(row: Obligation, state: State, now: datetime, ground: str | None = None) -> None:
    """Settle an obligation: it is not looked at again."""
    row.state, row.settled_at, row.next_look_at = state, now, None
    row.ground, row.changed_at = ground, now


def move(row: Obligation, deadline: Deadline, now: datetime) -> None:
    """Give an obligation another deadline."""
    if (row.due_at, row.grace_until) != (deadline.due_at, deadline.grace_until):
        row.due_at, row.grace_until = deadline.due_at, deadline.grace_until
        row.sequence, row.changed_at = row.sequence + 1, now


def excused(row: Obligation, at: datetime) -> bool:
    """Say whether a waiver covers an obligation at a time."""
    return row.waived_until is not None and at < row.waived_until


def is_secret(key: str) -> bool:
    """Say whether what is owed under a condition is for the authority alone to know."""
    return key.partition(":")[0] in catalogue().confidential


def tell(
    session: Session,
    row: Obligation,
    docket: Docket,
    now: datetime,
    what: str | None = None,
    *,
    reached: str | None = None,
) -> None:
    """Tell the journal of an obligation's state, or of what else happened to it.

    `reached` is the rung of its ladder that somebody is told of with this.
    """
    versions = docket.rulings.get(row.key, ())
    secret = any(one.monitor.confidential for one in versions)
    journal.append(
        session,
        actor=SYSTEM,
        action=f"obligation.{what or row.state}",
        subject=f"obligation:{row.id}",
        party=None if secret else docket.exporter,
        body={
            "license": docket.license,
            "key": row.key,
            "subject": {row.subject_kind: row.subject},
            "slot": row.slot,
            "item": row.item,
            "state": row.state,
            "due_at": row.due_at.isoformat(),
            "met_at": row.met_at.isoformat() if row.met_at else None,
            "rung": row.rung,
            "reached": reached,
            "waived_until": row.waived_until.isoformat() if row.waived_until else None,
            "ground": row.ground,
        },
        now=now,
    )
