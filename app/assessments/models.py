"""What was stated, and what could not be judged."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary
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
        Index(
            "ix_statements_inventories",
            "license_id",
            "observed_at",
            postgresql_where="facts ? 'sighted_serials' AND superseded_at IS NULL",
        ),
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
    condition_id: Mapped[int | None] = mapped_column(ForeignKey(Condition.id))
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    expected: Mapped[str]
    observed: Mapped[str]
    missing: Mapped[list[Any]]
    clears: Mapped[str]
    recorded_at: Mapped[datetime]


class Document(Base):
    """A document on file about a license: a certificate, an assessment, a delivery proof.

    `about` says what of the subject it is about: a shipment's reference, a scheme, a serial number.
    `reference` is its author's own name for it; `evidence` the digest of the file itself.
    """

    __tablename__ = "documents"
    __table_args__ = (Index(None, "license_id", "reference", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    reference: Mapped[str]
    kind: Mapped[str]
    subject_kind: Mapped[str]
    subject: Mapped[str]
    about: Mapped[str | None]
    issuer: Mapped[str | None]
    issued_on: Mapped[date]
    valid_until: Mapped[date | None]
    witnessed_by: Mapped[str | None]
    evidence: Mapped[str | None]
    grade: Mapped[str]
    said_by: Mapped[str]
    filed_by: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    sent: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]


class DocumentDecision(Base):
    """The authority accepted, refused or revoked a document. The latest decision counts."""

    __tablename__ = "document_decisions"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey(Document.id), index=True)
    verdict: Mapped[str]
    ground: Mapped[str]
    effective_on: Mapped[date]
    decided_by: Mapped[str]
    decided_at: Mapped[datetime]


class StrangeReading(Base):
    """A reading of a unit that the license does not know: refused, and kept as evidence of it."""

    __tablename__ = "strange_readings"

    license_id: Mapped[int] = mapped_column(ForeignKey(License.id), primary_key=True)
    serial: Mapped[str] = mapped_column(primary_key=True)
    observed_at: Mapped[datetime] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    grade: Mapped[str]
    said_by: Mapped[str]
    facts: Mapped[dict[str, Any]]


class ShadowFinding(Base):
    """What a monitor's next version found while the present one still judges. Nobody is told."""

    __tablename__ = "shadow_findings"

    license_id: Mapped[int] = mapped_column(ForeignKey(License.id), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    subject_kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    answer: Mapped[str]
    observed_at: Mapped[datetime]
    expected: Mapped[str]
    observed: Mapped[str]
    recorded_at: Mapped[datetime]
