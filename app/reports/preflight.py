"""Pre-flight: what would be flagged if a report were filed. Nothing is stored.

The report is filed for real, in a transaction that is rolled back: so the verdicts, and what is
refused, are those of the real thing by construction.
"""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import walls
from app.access.once import Replay
from app.access.rules import Actor
from app.access.service import asker
from app.clock import Now
from app.database import Sessions, SessionsDep
from app.deviations.models import Deviation, Occurrence
from app.errors import Invalid
from app.evidence.naming import EvidenceNotHandedIn
from app.licenses.service import LicenseUnknown
from app.reports import rules, service
from app.reports.router import Reporter
from app.reports.schemas import NotAssessable, ReportIn, ReportOut, SignatureOut
from app.reports.signatures import REFUSALS, Sent, SentDep
from app.wire import Out, problems
from app.wire.bodies import BodyTooLarge
from monitors import Severity

router = APIRouter(prefix="/v1/reports", tags=["reports"])


class WouldBeFlagged(Out):
    """A deviation as it would stand after filing, with what this report shows of it.

    `id` is the id it would have; a deviation that is open already would gain an occurrence.
    """

    id: UUID
    kind: str
    subject_kind: str
    subject: str
    reason: str
    severity: Severity
    sentence: str
    expected: str
    observed: str
    clears: str


class PreflightOut(Out):
    """What filing the report would lead to."""

    deviations: list[WouldBeFlagged]
    not_assessable: list[NotAssessable]
    signature: SignatureOut | None = None


@router.post(
    "/preflight",
    responses=problems(
        LicenseUnknown,
        rules.KindNotYours,
        service.ReferenceTaken,
        rules.FactRefused,
        rules.SubjectUnknown,
        rules.InFuture,
        EvidenceNotHandedIn,
        *REFUSALS,
        BodyTooLarge,
        Invalid,
    ),
)
def foresee(
    report: ReportIn,
    reporter: Reporter,
    sessions: SessionsDep,
    now: Now,
    received: SentDep,
) -> PreflightOut:
    """Say what would be flagged if this report were filed; nothing is stored."""
    return tried(sessions, report, actor=reporter, now=now, received=received)


def tried(
    sessions: Sessions,
    report: ReportIn,
    *,
    actor: Actor,
    now: datetime,
    received: Sent | None = None,
) -> PreflightOut:
    """File a report, look at what came of it, and undo it all; raises what filing would raise."""
    with sessions(info=walls.of(asker(actor))) as session:
        try:
            answer = _answer(session, report, actor, now, received)
            return PreflightOut(
                deviations=[_flagged(session, id, answer.id) for id in answer.deviations],
                not_assessable=answer.not_assessable,
                signature=answer.signature,
            )
        finally:
            session.rollback()


def _answer(
    session: Session, report: ReportIn, actor: Actor, now: datetime, received: Sent | None
) -> ReportOut:
    """Give the answer filing gets; of a report that is on file already, the one it got."""
    try:
        answer = service.file(session, report, actor=actor, now=now, received=received)
    except Replay as known:
        return ReportOut.model_validate_json(known.body)
    session.flush()  # what a commit would still refuse is refused here
    return answer


def _flagged(session: Session, id: UUID, report: UUID) -> WouldBeFlagged:
    """Show a deviation by the occurrence that this report makes; by the latest, if it makes none."""
    deviation = session.get_one(Deviation, id)
    occurrence = session.scalars(
        select(Occurrence)
        .where(Occurrence.deviation_id == id)
        .order_by(
            Occurrence.source.contains(str(report)).desc(),
            Occurrence.observed_at.desc(),
            Occurrence.source.desc(),
        )
        .limit(1)
    ).one()
    return WouldBeFlagged(
        id=id,
        kind=deviation.kind,
        subject_kind=deviation.subject_kind,
        subject=deviation.subject,
        reason=deviation.reason,
        severity=Severity(deviation.severity),
        sentence=occurrence.sentence,
        expected=occurrence.expected,
        observed=occurrence.observed,
        clears=occurrence.clears,
    )
