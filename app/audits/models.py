"""End-use checks, everything that happened to them, and what came of them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.licenses.models import License
from app.parties.models import Party, Site
from app.reports.models import Report


class Audit(Base):
    """One end-use check, as it stands after all its steps in the order they happened.

    Until an inspector accepts it, whoever opened it is responsible; then the `assignee` is, until
    another accepts what was `offered_to` them. `revealed_at` is set when the party first learns of
    it: before, no exporter may. `unresolved_since` runs while the check could not be completed;
    `next_look_at` is when the scheduler looks at that again.
    """

    __tablename__ = "audits"
    __table_args__ = (
        Index(None, "license_id", "planned_for"),
        Index(None, "created_at", "id"),
        Index(None, "assignee"),
        Index("ix_audits_to_look_at", "next_look_at", postgresql_where="next_look_at IS NOT NULL"),
        CheckConstraint("(mode = 'delegated') = (partner IS NOT NULL)", name="delegated_to"),
        CheckConstraint("(override_by IS NULL) = (override_ground IS NULL)", name="whole_override"),
        CheckConstraint(
            "(units_expected IS NULL) = (units_sighted IS NULL)"
            " AND units_sighted BETWEEN 0 AND units_expected",
            name="coverage",
        ),
        CheckConstraint("receipt_delivery IS NULL OR receipt_digest IS NULL", name="one_receipt"),
        CheckConstraint(
            "(waived_by IS NULL) = (waiver_ground IS NULL)"
            " AND waived_by IS DISTINCT FROM coalesce(assignee, opened_by)"
            " AND (waived_by IS NULL OR waived_by IS DISTINCT FROM rated_by)",
            name="second_person",
        ),
        CheckConstraint(
            "state <> 'closed' OR waived_by IS NOT NULL OR (mode_carried_out IS NOT NULL"
            " AND units_expected IS NOT NULL"
            " AND coalesce(receipt_delivery, receipt_digest) IS NOT NULL)",
            name="closed_whole",
        ),
        CheckConstraint("state <> 'closed' OR outcome IS NOT NULL", name="closed_rated"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str] = mapped_column(unique=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    mode: Mapped[str]
    partner: Mapped[str | None]
    state: Mapped[str]
    site: Mapped[str | None] = mapped_column(ForeignKey(Site.reference))
    party: Mapped[str] = mapped_column(ForeignKey(Party.reference))
    planned_for: Mapped[date]
    purpose: Mapped[str | None]
    note: Mapped[str | None]
    unannounced_right: Mapped[str | None]
    override_by: Mapped[str | None]
    override_ground: Mapped[str | None]
    opened_by: Mapped[str]
    offered_to: Mapped[str | None]
    assignee: Mapped[str | None]
    notified_at: Mapped[datetime | None]
    revealed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]
    mode_carried_out: Mapped[str | None]
    units_expected: Mapped[int | None]
    units_sighted: Mapped[int | None]
    receipt_delivery: Mapped[str | None]
    receipt_digest: Mapped[str | None]
    outcome: Mapped[str | None]
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    rated_by: Mapped[str | None]
    waived_by: Mapped[str | None]
    waiver_ground: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    unresolved_since: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class AuditNumber(Base):
    """The last number given to a check in a year; whoever opens the next one waits for it."""

    __tablename__ = "audit_numbers"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class AuditStep(Base):
    """Something happened to a check at a time, and reached us perhaps later. Only ever added.

    `reference` is its author's own name for it; `state` and `responsible` are how the check stood
    once it was recorded.
    """

    __tablename__ = "audit_steps"
    __table_args__ = (
        Index(
            "ix_audit_steps_reference",
            "audit_id",
            "reference",
            unique=True,
            postgresql_where="reference IS NOT NULL",
        ),
        Index(None, "audit_id", "at", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    audit_id: Mapped[UUID] = mapped_column(ForeignKey(Audit.id))
    reference: Mapped[str | None]
    step: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    to: Mapped[str | None]
    office: Mapped[bool]
    day: Mapped[date | None]
    clock_from: Mapped[datetime | None]
    outcome: Mapped[str | None]
    sent: Mapped[dict[str, Any]]
    state: Mapped[str]
    responsible: Mapped[str]
    recorded_at: Mapped[datetime]


class AuditReport(Base):
    """A filed report that belongs to a check. One report speaks of one check.

    `after_version` is how often the check had been rated when the report came.
    """

    __tablename__ = "audit_reports"

    report_id: Mapped[UUID] = mapped_column(ForeignKey(Report.id), primary_key=True)
    audit_id: Mapped[UUID] = mapped_column(ForeignKey(Audit.id), index=True)
    after_version: Mapped[int]
    linked_by: Mapped[str]
    linked_at: Mapped[datetime]


class AuditRating(Base):
    """What a check came to, by whom and on what ground. A changed rating is a new version."""

    __tablename__ = "audit_ratings"
    __table_args__ = (
        CheckConstraint(
            "(outcome = 'unfavorable') = (cardinality(reasons) > 0)", name="reasons_given"
        ),
    )

    audit_id: Mapped[UUID] = mapped_column(ForeignKey(Audit.id), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str]
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    ground: Mapped[str]
    rated_by: Mapped[str]
    rated_at: Mapped[datetime]


class AuditAction(Base):
    """What should be done after a check. It keeps the check open until it is done or waived."""

    __tablename__ = "audit_actions"
    __table_args__ = (
        CheckConstraint("waived_by <> recommended_by", name="second_person"),
        CheckConstraint("(done_at IS NULL) = (done_by IS NULL)", name="whole_done"),
        CheckConstraint(
            "(waived_at IS NULL) = (waived_by IS NULL)"
            " AND (waived_at IS NULL) = (waiver_ground IS NULL)",
            name="whole_waiver",
        ),
        CheckConstraint("done_at IS NULL OR waived_at IS NULL", name="one_end"),
    )

    audit_id: Mapped[UUID] = mapped_column(ForeignKey(Audit.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str]
    due_on: Mapped[date | None]
    for_party: Mapped[bool]
    recommended_by: Mapped[str]
    recommended_at: Mapped[datetime]
    done_by: Mapped[str | None]
    done_at: Mapped[datetime | None]
    done_note: Mapped[str | None]
    waived_by: Mapped[str | None]
    waived_at: Mapped[datetime | None]
    waiver_ground: Mapped[str | None]


class AuditRung(Base):
    """A check stayed undone for so long that it led to this; `ended_at` is when its clock stopped.

    While a clock runs each rung is reached once, even if it turns out to run longer than known.
    """

    __tablename__ = "audit_rungs"
    __table_args__ = (
        Index(
            "ix_audit_rungs_standing",
            "audit_id",
            "rung",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    audit_id: Mapped[UUID] = mapped_column(ForeignKey(Audit.id))
    rung: Mapped[str]
    due_at: Mapped[datetime]
    reached_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
