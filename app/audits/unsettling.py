"""How parties stand on account of checks that could not be completed, beside what they owe."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.alerts import rungs
from app.assessments.rules import AUTHORITY_ALONE
from app.audits import visits
from app.audits.models import Audit
from app.licenses.models import License
from app.parties import standings

SYSTEM = "system:audits"
KIND = "end_use_check"
"""What alerts about checks are counted as, where others have the kind of their condition."""
COMPLETED = "the check that could not be completed has been, and nothing else stands open"


def lower(session: Session, audit: Audit, rung: str, *, now: datetime) -> bool:
    """Let the party of a check stand as its rung says, unless it stands worse already."""
    standing = visits.RUNGS[rung].standing
    if standing is None or audit.unresolved_since is None:
        return False
    license = session.get_one(License, audit.license_id)
    rungs.sound(session, _subject(audit, license), standing, actor=SYSTEM, now=now)
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
    rungs.clear(session, "audit", audit.id, actor=SYSTEM, now=now)


def _subject(audit: Audit, license: License) -> rungs.Subject:
    """Name the check for dashboards. What its delay leads to is told to the authority alone."""
    return rungs.Subject(
        what="audit",
        id=audit.id,
        title=f"End-use check {audit.number}, party {audit.party}",
        license=license.number,
        party=AUTHORITY_ALONE,
        kind=KIND,
        country=license.destination_countries[0] if license.destination_countries else "",
    )


def _source(audit: Audit) -> str:
    return f"audit:{audit.number}"
