"""How parties stand on account of checks that could not be completed, beside what they owe."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.audits import visits
from app.audits.models import Audit
from app.licenses.models import License
from app.parties import standings

SYSTEM = "system:audits"
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
        source=_source(audit),
        actor=SYSTEM,
        now=now,
    )


def settle(session: Session, audit: Audit, *, now: datetime) -> None:
    """Let the party of a check stand well again, once nothing else unsettles it either."""
    standings.end(session, _source(audit), ground=COMPLETED, actor=SYSTEM, now=now)


def _source(audit: Audit) -> str:
    return f"audit:{audit.number}"
