"""What was stated, and what could not be judged."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.licenses.models import Condition, License


class Reading(Base):
    """What a unit said of itself at a time. Partitioned by month, keyed by license.

    No foreign key leads out of it, so that it can be distributed by license.
    """

    __tablename__ = "readings"
    __table_args__ = (
        Index(
            "ix_readings_license_id_reading_id",
            "license_id",
            "reading_id",
            postgresql_where="reading_id IS NOT NULL",
        ),
        {"postgresql_partition_by": "RANGE (observed_at)"},
    )

    license_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    serial: Mapped[str] = mapped_column(primary_key=True)
    observed_at: Mapped[datetime] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    batch_id: Mapped[UUID]
    grade: Mapped[str]
    said_by: Mapped[str]
    reading_id: Mapped[str | None]
    facts: Mapped[dict[str, Any]]


class StatementRow(Base):
    """Facts about a subject at a time, from a report. Superseded when the report is corrected."""

    __tablename__ = "statements"
    __table_args__ = (
        Index(
            "ix_statements_subject",
            "license_id",
            "subject",
            "observed_at",
            postgresql_where="superseded_at IS NULL",
        ),
        Index(
            "ix_statements_superseded",
            "license_id",
            "superseded_at",
            postgresql_where="superseded_at IS NOT NULL",
        ),
        Index(None, "report_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    report_id: Mapped[UUID]
    number: Mapped[int]
    subject_kind: Mapped[str]
    subject: Mapped[str]
    observed_at: Mapped[datetime]
    captured_at: Mapped[datetime]
    received_at: Mapped[datetime]
    source_kind: Mapped[str]
    grade: Mapped[str]
    said_by: Mapped[str]
    mode: Mapped[str | None]
    facts: Mapped[dict[str, Any]]
    superseded_at: Mapped[datetime | None]


class Unassessed(Base):
    """A condition that could not be judged about a subject, why, and what was missing."""

    __tablename__ = "unassessed"

    license_id: Mapped[int] = mapped_column(ForeignKey(License.id), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey(Condition.id))
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    expected: Mapped[str]
    observed: Mapped[str]
    missing: Mapped[list[Any]]
    clears: Mapped[str]
    recorded_at: Mapped[datetime]
