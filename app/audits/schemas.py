"""End-use checks as they are sent and shown."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from app.audits.rules import Cause, Mode, Outcome, Reason, State
from app.licenses.schemas import Number
from app.parties.schemas import NO_NUL, Text
from app.reports.schemas import EvidenceDigest
from app.wire import Moment, Out, Strict
from monitors import Code

Ground = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=NO_NUL),
]


class OverrideIn(Strict):
    """A supervisor goes beyond the notice or the yearly limit of the license."""

    ground: Ground


class AuditIn(Strict):
    """An end-use check to plan. `note` is for the authority alone."""

    license: Number
    mode: Mode
    planned_for: date = Field(description="Day of the visit in the license's time zone")
    site: Code | None = Field(default=None, description="Reference of a site on the license")
    party: Code | None = Field(
        default=None, description="Who is checked; if not given, the end user on the license"
    )
    partner: Text | None = Field(
        default=None, description="The authority or party that makes a delegated check"
    )
    purpose: Ground | None = None
    note: Ground | None = None
    unannounced_right: Text | None = Field(
        default=None, description="The provision that lets the check come unannounced"
    )
    override: OverrideIn | None = None

    @model_validator(mode="after")
    def _delegated_to_somebody(self) -> "AuditIn":
        if (self.mode is Mode.DELEGATED) != (self.partner is not None):
            raise ValueError("name the partner of a delegated check, and of no other")
        return self


class StepIn(Strict):
    """A step of a check. The same `reference` and content again get the same answer."""

    reference: Code | None = Field(default=None, description="Its author's own name for it")
    note: Ground | None = Field(default=None, description="For the authority alone")


class FieldStepIn(StepIn):
    """A step that may be written down without network and arrive late."""

    at: Moment | None = Field(default=None, description="When it happened, if not now")


class AssignmentIn(StepIn):
    """Who is to make the check: the id of an inspector's key."""

    to: Code


class AcceptanceIn(FieldStepIn):
    """An inspector takes the check on."""


class HandoverIn(FieldStepIn):
    """The inspector in charge offers the check to another, and stays in charge until it is accepted."""

    to: Code


class NotificationIn(FieldStepIn):
    """The party was told of the check, perhaps of another day than was planned."""

    planned_for: date | None = None
    override: OverrideIn | None = None


class StartIn(FieldStepIn):
    """The check has begun."""


class CoverageIn(Strict):
    """How many of the units expected were sighted."""

    units_expected: Annotated[int, Field(ge=0, le=10_000_000)]
    units_sighted: Annotated[int, Field(ge=0, le=10_000_000)]

    @model_validator(mode="after")
    def _no_more_than_expected(self) -> "CoverageIn":
        if self.units_sighted > self.units_expected:
            raise ValueError("more units sighted than expected; count only those expected")
        return self


class ReceiptIn(Strict):
    """What shows that the goods were received: a delivery on file, or a file by its digest."""

    delivery: Code | None = None
    digest: EvidenceDigest | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "ReceiptIn":
        if (self.delivery is None) == (self.digest is None):
            raise ValueError("give exactly one of delivery and digest")
        return self


class ReportLinkIn(FieldStepIn):
    """The reports of the check, filed before. What is on file need not be told again."""

    reports: Annotated[list[UUID], Field(min_length=1, max_length=50)]
    mode: Mode | None = Field(default=None, description="As carried out, if not as planned")
    coverage: CoverageIn | None = Field(
        default=None, description="If not given, counted from the reports and the units on file"
    )
    receipt: ReceiptIn | None = None


class RefusalIn(FieldStepIn):
    """The party refused the check, and how."""

    ground: Ground
    evidence: Annotated[list[EvidenceDigest], Field(max_length=50)] = []


class UnableIn(FieldStepIn):
    """The check could not be made, and with whom that lies."""

    cause: Cause
    ground: Ground
    evidence: Annotated[list[EvidenceDigest], Field(max_length=50)] = []


class OutcomeIn(StepIn):
    """What the check came to. Given again, it is another version of the rating."""

    outcome: Outcome
    reasons: Annotated[list[Reason], Field(max_length=len(Reason))] = []
    ground: Ground

    @model_validator(mode="after")
    def _reasons_of_the_unfavorable(self) -> "OutcomeIn":
        if (self.outcome is Outcome.UNFAVORABLE) != bool(self.reasons):
            raise ValueError("an unfavorable outcome has at least one reason, and no other has any")
        if len(set(self.reasons)) != len(self.reasons):
            raise ValueError("each reason once")
        return self


class WaiverIn(Strict):
    """A second person closes without what is missing."""

    ground: Ground


class ClosingIn(StepIn):
    """Close the check; what the reports did not give may be given here, or waived."""

    mode: Mode | None = None
    coverage: CoverageIn | None = None
    receipt: ReceiptIn | None = None
    waiver: WaiverIn | None = None


class ActionIn(FieldStepIn):
    """Something to be done before the check can close."""

    text: Ground
    due_on: date | None = None
    for_party: bool = Field(default=False, description="The exporter sees it, and is to do it")


class ActionDoneIn(FieldStepIn):
    """How an action was done."""

    account: Ground


class ActionWaiverIn(StepIn):
    """Why an action need not be done."""

    ground: Ground


class StepOut(Out):
    """A step as it is on file, and how the check stood once it was."""

    audit: UUID
    number: str
    step: str
    reference: str | None
    at: Moment
    by: str
    state: State
    responsible: str
    recorded_at: Moment
    action: int | None = Field(default=None, description="The number of the action it is about")


class ActionOut(Out):
    """A recommended action; open, done or waived."""

    number: int
    text: str
    due_on: date | None
    for_party: bool
    state: Literal["open", "done", "waived"]
    recommended_by: str
    recommended_at: Moment
    done_by: str | None
    done_at: Moment | None
    done_note: str | None
    waived_by: str | None
    waived_at: Moment | None
    waiver_ground: str | None


class AuditSeen(Out):
    """A check as the exporter sees it: from when it was announced, without the authority's notes."""

    id: UUID
    number: str
    license: str
    mode: Mode
    partner: str | None
    state: State
    site: str | None
    party: str
    planned_for: date
    notified_at: Moment | None
    started_at: Moment | None
    reported_at: Moment | None
    closed_at: Moment | None
    outcome: Outcome | None = Field(description="Once the check is closed")
    reasons: list[Reason]


class ActionAsked(Out):
    """An action that is the exporter's to do."""

    number: int
    text: str
    due_on: date | None
    state: Literal["open", "done", "waived"]


class AuditSeenWhole(AuditSeen):
    """A check as the exporter sees it, with what it is asked to do."""

    actions: list[ActionAsked]


class AuditOut(AuditSeen):
    """A check as the authority sees it."""

    outcome: Outcome | None = Field(description="Of the last rating")
    purpose: str | None
    note: str | None
    unannounced_right: str | None
    override_by: str | None
    override_ground: str | None
    opened_by: str
    offered_to: str | None
    assignee: str | None
    responsible: str
    mode_carried_out: Mode | None
    units_expected: int | None
    units_sighted: int | None
    receipt_delivery: str | None
    receipt_digest: str | None
    rated_by: str | None
    waived_by: str | None
    waiver_ground: str | None
    unresolved_since: Moment | None = Field(description="Since when it could not be completed")
    next_look_at: Moment | None = Field(description="When that has its next consequence")
    created_at: Moment
    changed_at: Moment


class StepFiled(Out):
    """A step in the history of a check, with what was sent."""

    step: str
    reference: str | None
    at: Moment
    by: str
    to: str | None
    sent: dict[str, Any]
    recorded_at: Moment


class ReportLinked(Out):
    """A report of the check, and who linked it."""

    report: UUID
    linked_by: str
    linked_at: Moment


class RatingOut(Out):
    """One version of the rating."""

    version: int
    outcome: Outcome
    reasons: list[Reason]
    ground: str
    rated_by: str
    rated_at: Moment


class RungOut(Out):
    """What it led to that the check could not be completed."""

    rung: str
    due_at: Moment
    reached_at: Moment
    ended_at: Moment | None


class Fulfilled(Out):
    """An obligation that a report of the check fulfilled."""

    obligation: UUID
    condition: str
    state: str


class AuditWhole(AuditOut):
    """A check with all that happened to it, in the order it happened."""

    steps: list[StepFiled]
    reports: list[ReportLinked]
    ratings: list[RatingOut]
    actions: list[ActionOut]
    rungs: list[RungOut]
    fulfilled: list[Fulfilled]
