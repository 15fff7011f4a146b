"""Reports as callers see them again."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.rules import Actor
from app.evidence.schemas import NamedEvidence
from app.reports import exhibits
from app.reports.models import Report
from app.wire import Moment, Out


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
    return ReportRead(**filed.model_dump(), evidence=named)


def keys(report: Report) -> tuple[Any, ...]:
    """Give its place in the list."""
    return (report.received_at.isoformat(), str(report.id))
