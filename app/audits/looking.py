"""Looks at checks that could not be completed, and draws what their delay leads to."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.audits import steps, unsettling, visits
from app.audits.models import Audit, AuditRung
from app.database import Sessions
from app.licenses.models import License


def look_around(sessions: Sessions, *, now: datetime) -> int:
    """Look at every check that is due, each in its own transaction; answer how many were."""
    looked = 0
    while True:
        with sessions() as session:
            audit = session.scalar(
                select(Audit)
                .where(Audit.next_look_at <= now)
                .order_by(Audit.next_look_at, Audit.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if audit is None:
                return looked
            look(session, audit, now=now)
            session.commit()
            looked += 1


def look(session: Session, audit: Audit, *, now: datetime) -> str | None:
    """Let a check climb to where it is by now, straight to the right rung; tell of that one only."""
    since = audit.unresolved_since
    license = session.get_one(License, audit.license_id)
    zone = ZoneInfo(license.time_zone)
    known = [rung.rung for rung in steps.standing_rungs(session, audit.id)]
    reached = visits.climbed(since, now, known, zone)
    audit.next_look_at = visits.next_rung(since, [*known, *reached], zone)
    if since is None or not reached:
        return None
    session.add_all(
        AuditRung(
            audit_id=audit.id, rung=rung, due_at=visits.due_at(rung, since, zone), reached_at=now
        )
        for rung in reached
    )
    session.flush()
    unsettling.lower(session, audit, reached[-1], now=now)
    journal.append(
        session,
        actor=steps.SYSTEM,
        action=f"audit.{reached[-1]}",
        subject=f"audit:{audit.number}",
        body={
            "license": license.number,
            "party": audit.party,
            "state": audit.state,
            "unresolved_since": since.isoformat(),
            "passed": reached[:-1],
        },
        now=now,
    )
    return reached[-1]
