"""Reports in doubt: signed with a key while, as its party says, somebody else may have had it.

Nothing is judged again by this: the report was what it was when it came, and whether it was the party
that signed only a person can find out. Its exporter may correct it under another key, which judges anew.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from app import journal
from app.access.rules import Actor
from app.licenses.models import License
from app.parties.models import SigningKey, SigningKeyRevocation
from app.reports.models import Report, ReportSignature
from app.wire import Moment, Out, page_after

NAMED = 500
"""Reports that the entry of the journal names; it tells how many there are, and the list has them all."""


_other = aliased(Report)
_CORRECTION = (
    select(_other.id).where(_other.corrects == Report.id).correlate(Report).scalar_subquery()
)


class DoubtfulReport(Out):
    """A report whose signature is in doubt."""

    report: UUID
    license: str
    reference: str
    kind: str
    grade: str
    received_at: Moment
    corrected_by: UUID | None


def since(revocation: SigningKeyRevocation | None) -> datetime | None:
    """Say from when on signatures are in doubt; None when none is."""
    return None if revocation is None else revocation.compromised_since


def listed(
    session: Session,
    key: SigningKey,
    revocation: SigningKeyRevocation | None,
    *,
    after: str | None,
    limit: int,
) -> list[Row[Any]]:
    """List what is in doubt, latest first; one more than `limit` tells that there is a further page."""
    keys = page_after(after, datetime, UUID)
    begin = since(revocation)
    if begin is None:
        return []
    query = (
        select(
            Report.id.label("report"),
            License.number.label("license"),
            Report.reference,
            Report.kind,
            Report.grade,
            Report.received_at,
            _CORRECTION.label("corrected_by"),
        )
        .join(ReportSignature, ReportSignature.report_id == Report.id)
        .join(License, License.id == Report.license_id)
        .where(ReportSignature.key_id == key.id, ReportSignature.received_at >= begin)
        .order_by(Report.received_at.desc(), Report.id.desc())
        .limit(limit + 1)
    )
    if keys is not None:
        query = query.where(tuple_(Report.received_at, Report.id) < tuple_(*keys))
    return list(session.execute(query))


def show(row: Row[Any]) -> DoubtfulReport:
    """Show a report in doubt."""
    return DoubtfulReport.model_validate(row)


def keys(row: Row[Any]) -> tuple[Any, ...]:
    """Give its place in the list."""
    return row.received_at.isoformat(), str(row.report)


def tell(
    session: Session,
    key: SigningKey,
    revocation: SigningKeyRevocation,
    *,
    actor: Actor,
    now: datetime,
) -> int:
    """Write a revocation to the journal, with the reports it puts in doubt; answer how many."""
    begin = since(revocation)
    count, named = 0, []
    if begin is not None:
        doubtful = (ReportSignature.key_id == key.id, ReportSignature.received_at >= begin)
        count = session.scalar(select(func.count()).where(*doubtful)) or 0
        named = [
            str(row.report) for row in listed(session, key, revocation, after=None, limit=NAMED)
        ]
    journal.append(
        session,
        actor=actor.name,
        action="signing_key.revoked",
        subject=f"signing_key:{key.id}",
        party=key.party,
        body={
            "party": key.party,
            "kid": key.kid,
            "ground": revocation.ground,
            "compromised_since": begin.isoformat() if begin else None,
            "doubtful": count,
            "reports": named[:NAMED],
        },
        now=now,
    )
    return count
