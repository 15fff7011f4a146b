"""Reports as callers see them again."""

from typing import Any
from uuid import UUID

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


def show(report: Report) -> ReportFiled:
    """Show a report."""
    return ReportFiled.model_validate(report)


def keys(report: Report) -> tuple[Any, ...]:
    """Give its place in the list."""
    return (report.received_at.isoformat(), str(report.id))
