"""The report of a check: which filed reports belong to it, and what they cover."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.access.rules import Actor
from app.audits import drawing, rules, steps, visits
from app.audits.draws import Draw
from app.audits.models import Audit, AuditRating, AuditReport
from app.audits.rules import Happening, Step
from app.audits.schemas import CoverageIn, ReceiptIn, ReportLinkIn, StepOut
from app.audits.steps import Held
from app.errors import Conflict, Invalid
from app.evidence import naming
from app.reports.models import Report
from app.shipments.models import Delivery
from app.wire.problems import pointer


class ReportUnfit(Invalid):
    """A report is not there, is of another license or kind, or is older than the check."""


class ReportTaken(Conflict):
    """A report belongs to a check already."""


class DeliveryUnknown(Invalid):
    """No delivery of this reference is on file under the license."""


def report(
    session: Session, id: UUID, given: ReportLinkIn, *, actor: Actor, now: datetime
) -> StepOut:
    """Link the reports of a check. It is made with that, and clears what could not be made before."""
    held = steps.hold(session, id)
    steps.replay(held, Step.REPORTED, given, actor=actor)
    audit = held.audit
    one = Happening(Step.REPORTED, steps.moment_of(given, now), actor.key)
    row = steps.record(session, held, one, given=given, now=now, actor=actor.name)
    _link(session, held, given.reports, actor, now)
    audit.mode_carried_out = given.mode or audit.mode_carried_out or audit.mode
    cover(session, held, given.coverage)
    receive(session, audit, given.receipt, actor)
    _complete_others(session, held, now)
    session.flush()
    return steps.answer(audit, row)


def _link(
    session: Session, held: Held, reports: Sequence[UUID], actor: Actor, now: datetime
) -> None:
    version = latest_version(session, held.audit.id)
    for index, id in enumerate(reports):
        _check_report(session, held, id, pointer(["reports", index]))
        session.add(
            AuditReport(
                report_id=id,
                audit_id=held.audit.id,
                after_version=version,
                linked_by=actor.key,
                linked_at=now,
            )
        )
        session.flush()


def _check_report(session: Session, held: Held, id: UUID, at: str) -> None:
    """Refuse a report that cannot be of this check, or is of another already."""
    audit, row = held.audit, session.get(Report, id)
    if row is None or row.license_id != audit.license_id:
        raise ReportUnfit(
            f"There is no report {id} of {held.license.number}. File it first.", pointer=at
        )
    fitting = visits.kinds_of_report(audit.mode)
    if row.kind not in fitting:
        raise ReportUnfit(
            f"Report {id} is a {row.kind}; a check that is {audit.mode} is reported by "
            f"{' or '.join(sorted(fitting))}.",
            pointer=at,
        )
    if row.observed_at < audit.created_at - rules.CLOCKS_DIFFER:
        raise ReportUnfit(
            f"Report {id} speaks of {row.observed_at.isoformat()}, before {audit.number} was "
            "planned.",
            pointer=at,
        )
    taken = session.scalar(
        select(Audit.number)
        .join(AuditReport, AuditReport.audit_id == Audit.id)
        .where(AuditReport.report_id == id)
    )
    if taken is not None:
        raise ReportTaken(f"Report {id} belongs to {taken}.", pointer=at, check=taken)


def latest_version(session: Session, id: UUID) -> int:
    """Say how often a check was rated."""
    return (
        session.scalar(
            select(func.count()).select_from(AuditRating).where(AuditRating.audit_id == id)
        )
        or 0
    )


_SIGHTED = text("""
SELECT s.subject FROM statements s JOIN audit_reports r USING (report_id)
WHERE r.audit_id = :audit AND s.subject_kind = 'unit' AND s.superseded_at IS NULL
UNION
SELECT jsonb_array_elements_text(s.facts -> 'sighted_serials')
FROM statements s JOIN audit_reports r USING (report_id)
WHERE r.audit_id = :audit AND s.superseded_at IS NULL AND s.facts ? 'sighted_serials'
""")
"""Units that a report of the check speaks of, and those it lists as sighted."""


def cover(session: Session, held: Held, given: CoverageIn | None) -> None:
    """Note how many of the units expected were sighted: as told, else counted from what is on file."""
    audit = held.audit
    if given is not None:
        audit.units_expected, audit.units_sighted = given.units_expected, given.units_sighted
        return
    if any(row.step == Step.REPORTED and "coverage" in row.sent for row in held.steps):
        return
    wanted = _expected(session, held)
    sighted = set(session.scalars(_SIGHTED, {"audit": audit.id}))
    audit.units_expected, audit.units_sighted = len(wanted), len(wanted & sighted)


def _expected(session: Session, held: Held) -> set[str]:
    """Name the units to sight: those that were drawn, or all that should be where the check looks."""
    drawn = session.scalar(select(Draw.drawn).where(Draw.audit_id == held.audit.id))
    if drawn is not None:
        return set(drawn)
    return set(drawing.expected(session, held.license, held.audit.site))


def receive(session: Session, audit: Audit, given: ReceiptIn | None, actor: Actor) -> None:
    """Note what shows that the goods were received. Raises DeliveryUnknown, EvidenceNotHandedIn."""
    if given is None:
        return
    if given.digest is not None:
        naming.check(session, {"/receipt/digest": given.digest}, actor=actor)
    if given.delivery is not None:
        known = session.scalar(
            select(Delivery.id).where(
                Delivery.license_id == audit.license_id, Delivery.reference == given.delivery
            )
        )
        if known is None:
            raise DeliveryUnknown(
                f"{given.delivery!r} is no delivery on file under this license. File it first, or "
                "give the digest of what shows the receipt.",
                pointer="/receipt/delivery",
            )
    audit.receipt_delivery, audit.receipt_digest = given.delivery, given.digest


def _complete_others(session: Session, held: Held, now: datetime) -> None:
    """Stop the clocks of earlier checks of the same party and place that could not be made."""
    audit = held.audit
    if not visits.completes(audit.mode_carried_out, audit.mode):
        return
    rows = session.execute(
        select(Audit.id, Audit.mode)
        .where(
            Audit.license_id == audit.license_id,
            Audit.party == audit.party,
            Audit.id != audit.id,
            Audit.unresolved_since <= audit.reported_at,
            Audit.site.is_(None) | (Audit.site == audit.site),
        )
        .order_by(Audit.id)
    ).all()
    for id, mode in rows:
        if visits.completes(audit.mode_carried_out, mode):
            other = steps.held(session, held.license, id)
            one = Happening(
                Step.COMPLETED_ELSEWHERE, now, steps.SYSTEM, to=audit.number, office=True
            )
            steps.record(session, other, one, now=now, actor=steps.SYSTEM)
