"""How parties stand on account of checks that could not be completed, beside what they owe.

A party is lowered by the first cause that reaches its rung and restored by the last that ends. An
obligation cannot see checks, so each beat of the scheduler brings both into line.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audits import visits
from app.audits.models import Audit, AuditRung
from app.licenses.models import License
from app.obligations.models import Obligation
from app.obligations.rules import State
from app.parties import standings
from app.parties.models import PartyStanding
from app.parties.rules import Standing

SYSTEM = "system:audits"
SOURCE = "audit:"
COMPLETED = "the check that could not be completed has been, and nothing else stands open"


def lower(session: Session, audit: Audit, rung: str, *, now: datetime) -> bool:
    """Let the party of a check stand as its rung says, unless it stands worse already."""
    standing = visits.RUNGS[rung].standing
    if standing is None or audit.unresolved_since is None:
        return False
    license = session.get_one(License, audit.license_id)
    return standings.lower(
        session,
        audit.party,
        standing,
        ground=(
            f"The end-use check {audit.number} under {license.number} has not been completed since "
            f"{audit.unresolved_since.date()}"
        ),
        source=f"{SOURCE}{audit.number}",
        actor=SYSTEM,
        now=now,
    )


def settle(session: Session, party: str, *, now: datetime) -> bool:
    """Let a party stand well again that a check unsettled, once no cause of it stands open."""
    sources = standings.unsettled_by(session, party)
    own = {one for one in sources if one.startswith(SOURCE)}
    if not own or _checks_open(session, party) or _duties_open(session, sources - own):
        return False
    return standings.restore(
        session, party, ground=COMPLETED, source=min(own), actor=SYSTEM, now=now
    )


def _checks_open(session: Session, party: str) -> bool:
    query = (
        select(AuditRung.id)
        .join(Audit, Audit.id == AuditRung.audit_id)
        .where(Audit.party == party, AuditRung.ended_at.is_(None))
    )
    return session.scalar(query.limit(1)) is not None


def _duties_open(session: Session, sources: set[str]) -> bool:
    """Say whether something else still unsettles the party; what is no obligation always does."""
    ids = {one.removeprefix("obligation:") for one in sources if one.startswith("obligation:")}
    if len(ids) < len(sources):
        return True
    query = select(Obligation.id).where(
        Obligation.id.in_([UUID(one) for one in ids]),
        Obligation.settled_at.is_(None),
        Obligation.state == State.OVERDUE,
    )
    return bool(ids) and session.scalar(query.limit(1)) is not None


def reconcile(session: Session, *, now: datetime) -> int:
    """Bring parties in line whom an obligation settled or unsettled meanwhile; answer how many."""
    running = session.execute(
        select(Audit, AuditRung.rung)
        .join(Audit, Audit.id == AuditRung.audit_id)
        .where(AuditRung.ended_at.is_(None))
        .order_by(Audit.party, Audit.id, AuditRung.id)
    ).all()
    changed = 0
    for audit, rung in running:
        standing = visits.RUNGS[rung].standing
        if standing is not None and visits.stands_better(_latest(session, audit.party), standing):
            changed += lower(session, audit, rung, now=now)
    ended = session.scalars(
        select(PartyStanding.party)
        .where(
            PartyStanding.source.startswith(SOURCE),
            PartyStanding.standing != Standing.GOOD,
        )
        .distinct()
        .order_by(PartyStanding.party)
    ).all()
    for party in ended:
        if _latest(session, party) is not Standing.GOOD:
            changed += settle(session, party, now=now)
    return changed


def _latest(session: Session, party: str) -> Standing:
    row = standings.latest(session, party)
    return Standing.GOOD if row is None else Standing(row.standing)
