"""Reports as callers see them again."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.rules import Actor
from app.evidence.schemas import NamedEvidence
from app.parties.models import SigningKey, SigningKeyRevocation
from app.reports import doubts, exhibits
from app.reports.models import Report, ReportSignature
from app.reports.schemas import SignatureOut, SignatureRead
from app.wire import Moment, Out

DOUBTFUL = "somebody else may have had the key since {:%Y-%m-%dT%H:%M:%SZ}, before this report came"


class ReportFiled(Out):
    """A report as it was handed in, what it is worth, and the answer it got."""

    id: UUID
    kind: str
    reference: str
    grade: str
    filed_by: str
    observed_at: Moment
    captured_at: Moment
    received_at: Moment
    corrects: UUID | None
    body: dict[str, Any]
    answer: dict[str, Any]


class ReportRead(ReportFiled):
    """A report with the files it names, as they stand now."""

    evidence: list[NamedEvidence]
    signature: SignatureRead | None


def show(report: Report, actor: Actor) -> ReportFiled:
    """Show a report. What photos of the authority tell is not for the exporter."""
    filed = ReportFiled.model_validate(report)
    if actor.reads_only is not None and not report.filed_by.startswith(f"{actor.role}:"):
        filed.answer = {**filed.answer, "evidence": []}
    return filed


def show_whole(session: Session, report: Report, actor: Actor) -> ReportRead:
    """Show a report with the files it names."""
    filed = show(report, actor)
    named = exhibits.of(session, filed.body, actor=actor)
    signature = _signature(session, report)
    return ReportRead(**filed.model_dump(), evidence=named, signature=signature)


def _signature(session: Session, report: Report) -> SignatureRead | None:
    """Show the signature of a report as it was verified, and whether it came into doubt since."""
    row = session.get(ReportSignature, report.id)
    if row is None:
        return None
    key = session.get(SigningKey, row.key_id) if row.key_id else None
    revocation = session.get(SigningKeyRevocation, row.key_id) if row.key_id else None
    begin = doubts.since(revocation)
    doubtful = begin is not None and row.received_at >= begin
    names = SignatureOut.model_fields.keys() - {"key", "kid"}
    return SignatureRead.model_validate(
        {name: getattr(row, name) for name in names}
        | {"key": row.key_id, "kid": key.kid if key else None}
        | {"doubtful": DOUBTFUL.format(begin) if doubtful else None}
    )


def keys(report: Report) -> tuple[Any, ...]:
    """Give its place in the list."""
    return (report.received_at.isoformat(), str(report.id))
