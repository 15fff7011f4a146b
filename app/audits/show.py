"""Checks as callers see them: the authority all of it, an exporter what it was told."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audits.models import (
    Audit,
    AuditAction,
    AuditRating,
    AuditReport,
    AuditRung,
    AuditStep,
)
from app.audits.rules import State
from app.audits.schemas import (
    ActionAsked,
    ActionOut,
    AuditOut,
    AuditSeen,
    AuditSeenWhole,
    AuditWhole,
    Fulfilled,
    RatingOut,
    ReportLinked,
    RungOut,
    StepFiled,
)
from app.obligations.awaiting import FILE
from app.obligations.models import Obligation
from app.reports.models import Report

SEEN = frozenset(AuditSeen.model_fields) - {"license", "outcome", "reasons"}
OWN = frozenset(AuditOut.model_fields) - {"license", "responsible"}


def show(audit: Audit, license: str, *, party: str | None) -> AuditOut | AuditSeen:
    """Show a check in a list."""
    return AuditSeen(**_seen(audit, license)) if party else AuditOut(**_own(audit, license))


def whole(
    session: Session, audit: Audit, license: str, *, party: str | None
) -> AuditWhole | AuditSeenWhole:
    """Show a check with all that belongs to it, as far as the caller may see it."""
    actions = [_action(row) for row in _of(session, AuditAction, audit, AuditAction.number)]
    if party is not None:
        asked = [ActionAsked.model_validate(one) for one in actions if one.for_party]
        return AuditSeenWhole(**_seen(audit, license), actions=asked)
    steps = _of(session, AuditStep, audit, AuditStep.at, AuditStep.id)
    reports = _of(session, AuditReport, audit, AuditReport.linked_at, AuditReport.report_id)
    ratings = _of(session, AuditRating, audit, AuditRating.version)
    rungs = _of(session, AuditRung, audit, AuditRung.id)
    return AuditWhole(
        **_own(audit, license),
        steps=[StepFiled.model_validate(row) for row in steps],
        reports=[
            ReportLinked(report=row.report_id, linked_by=row.linked_by, linked_at=row.linked_at)
            for row in reports
        ],
        ratings=[RatingOut.model_validate(row) for row in ratings],
        actions=actions,
        rungs=[RungOut.model_validate(row) for row in rungs],
        fulfilled=_fulfilled(session, audit, [row.report_id for row in reports]),
    )


def _of(session: Session, model: Any, audit: Audit, *order: Any) -> list[Any]:
    return list(session.scalars(select(model).where(model.audit_id == audit.id).order_by(*order)))


def _seen(audit: Audit, license: str) -> dict[str, Any]:
    closed = audit.state == State.CLOSED
    return {name: getattr(audit, name) for name in SEEN} | {
        "license": license,
        "outcome": audit.outcome if closed else None,
        "reasons": audit.reasons if closed else [],
    }


def _own(audit: Audit, license: str) -> dict[str, Any]:
    return {name: getattr(audit, name) for name in OWN} | {
        "license": license,
        "responsible": audit.assignee or audit.opened_by,
    }


def _action(row: AuditAction) -> ActionOut:
    state = "done" if row.done_at else "waived" if row.waived_at else "open"
    columns = {name: getattr(row, name) for name in ActionOut.model_fields if name != "state"}
    return ActionOut(**columns, state=state)


def _fulfilled(session: Session, audit: Audit, reports: list[Any]) -> list[Fulfilled]:
    """List what was owed and came with a report of the check.

    What the file makes somebody owe names no report; it came when the report that ended it did.
    """
    came = select(Report.received_at).where(Report.id.in_(reports))
    rows = session.scalars(
        select(Obligation)
        .where(
            Obligation.license_id == audit.license_id,
            Obligation.met_by.in_([str(id) for id in reports])
            | ((Obligation.what == FILE) & Obligation.met_at.in_(came)),
        )
        .order_by(Obligation.due_at, Obligation.id)
    )
    return [Fulfilled(obligation=row.id, condition=row.key, state=row.state) for row in rows]


def keys(pair: tuple[Audit, str]) -> tuple[Any, ...]:
    """Give a check's place in the list."""
    return (pair[0].created_at.isoformat(), str(pair[0].id))
