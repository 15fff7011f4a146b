"""Deviations as callers see them."""

from typing import Any, Literal
from uuid import UUID

from app.wire import Moment, Out
from monitors import Severity

State = Literal[
    "suspected",
    "under_review",
    "information_requested",
    "confirmed",
    "not_substantiated",
    "in_remedy",
    "referred",
    "closed",
]


class DeviationSummary(Out):
    """A deviation in a list. It is suspected until a person decides."""

    id: UUID
    license: str
    kind: str
    subject_kind: str
    subject: str
    reason: str
    state: State
    severity: Severity
    title: str
    sentence: str
    occurrences: int
    first_observed_at: Moment
    last_observed_at: Moment
    raised_at: Moment
    changed_at: Moment
    cleared_at: Moment | None
    withdrawn_at: Moment | None


class EvidenceOut(Out):
    """A piece of evidence and the grade of what it was found by."""

    id: str
    grade: str | None


class OccurrenceOut(Out):
    """One time the deviation was found."""

    source: str
    observed_at: Moment
    sentence: str
    expected: str
    observed: str
    condition_version: int | None
    monitor_version: int
    severity: Severity
    evidence: list[EvidenceOut]
    missing: list[str]
    digest: str
    recorded_at: Moment
    cleared_at: Moment | None
    withdrawn_at: Moment | None


class SourceOut(Out):
    """Who shows it, and how much that is worth."""

    grade: str
    by: str


class ConditionRef(Out):
    """The condition in question, word for word."""

    id: int
    key: str
    version: int
    text: str
    terms: dict[str, Any]


class DeviationOut(DeviationSummary):
    """A deviation explained: what was expected and observed, on what evidence, what clears it.

    `condition` is null for what a standing monitor found. A conclusion needs one source of grade A
    or two independent ones: `conclusive` says whether there are, `lacking` what else it takes.
    """

    episode: int
    condition: ConditionRef | None
    sources: list[SourceOut]
    conclusive: bool
    lacking: str | None
    expected: str
    observed: str
    evidence: list[EvidenceOut]
    missing: list[str]
    clears: str
    history: list[OccurrenceOut]
