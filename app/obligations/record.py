"""One obligation by itself: under which terms it is owed, settled, shown and told."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import journal
from app.assessments.rules import Docket, Ruling
from app.licenses.models import License
from app.obligations.models import Obligation
from app.obligations.rules import Deadline, State
from monitors import Duty, Subject
from monitors import Obligation as Owed

SYSTEM = "system:obligations"


def duty_of(ruling: Ruling | None) -> Duty | None:
    """Say what a condition version makes somebody owe, if anything."""
    if ruling is None or ruling.monitor.owes is None:
        return None
    return ruling.monitor.owes(ruling.terms)


def asked_by(docket: Docket, row: Obligation) -> Ruling:
    """Find the condition version under which something is owed."""
    versions = docket.rulings[row.key]
    return next(one for one in versions if one.condition_id == row.condition_id)


def row_of(
    license: License,
    ruling: Ruling,
    duty: Duty,
    subject: Subject,
    deadline: Deadline,
    now: datetime,
) -> dict[str, Any]:
    """Write the row of a new obligation."""
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
    )


def settle(row: Obligation, state: State, now: datetime) -> None:
    """Settle an obligation: it is not looked at again."""
    row.state, row.settled_at, row.next_look_at = state, now, None


def tell(session: Session, row: Obligation, docket: Docket, now: datetime) -> None:
    """Tell the journal of an obligation's state."""
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
