"""What somebody told us, as it was handed in."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.evidence.models import File
from app.licenses.models import License
from app.parties.models import SigningKey


class Report(Base):
    """One report. It is never edited: a correction is another report that names it.

    `answer` is what its author was told, and is told again when the same report comes again.
    """

    __tablename__ = "reports"
    __table_args__ = (
        Index(None, "license_id", "reference", unique=True),
        Index(None, "corrects", unique=True, postgresql_where="corrects IS NOT NULL"),
        Index(None, "license_id", "received_at"),
        Index(None, "owner", "received_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    kind: Mapped[str]
    reference: Mapped[str]
    period_from: Mapped[date | None]
    period_to: Mapped[date | None]
    observed_at: Mapped[datetime]
    captured_at: Mapped[datetime]
    received_at: Mapped[datetime]
    mode: Mapped[str]
    grade: Mapped[str]
    filed_by: Mapped[str]
    owner: Mapped[str | None]
    corrects: Mapped[UUID | None] = mapped_column(ForeignKey("reports.id"))
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    body: Mapped[dict[str, Any]]
    answer: Mapped[dict[str, Any]]


class ReportSignature(Base):
    """The signature that came with a report, and what was verified of it then. Only ever added.

    `signature` is the detached JWS as it was sent, or `file` the digest of the scan or signed PDF;
    `payload` the canonical body that was signed or that a PDF must name, `digest` its SHA-256. `key_id`
    is the registered key or certificate that the signature is by, where that was found.
    """

    __tablename__ = "report_signatures"
    __table_args__ = (
        CheckConstraint("kind IN ('jws', 'scanned', 'pdf')", name="kind"),
        CheckConstraint("(signature IS NULL) <> (file IS NULL)", name="one_source"),
        CheckConstraint("kind <> 'jws' OR key_id IS NOT NULL", name="key_of_jws"),
        Index(None, "key_id", "received_at"),
    )

    report_id: Mapped[UUID] = mapped_column(ForeignKey(Report.id), primary_key=True)
    kind: Mapped[str]
    grade: Mapped[str]
    key_id: Mapped[UUID | None] = mapped_column(ForeignKey(SigningKey.id))
    signature: Mapped[str | None]
    file: Mapped[str | None] = mapped_column(ForeignKey(File.digest))
    payload: Mapped[str]
    digest: Mapped[str]
    signer: Mapped[str | None]
    signed_at: Mapped[datetime | None]
    verified: Mapped[list[Any]]
    not_verified: Mapped[list[Any]]
    received_at: Mapped[datetime]


class ReadingBatch(Base):
    """One delivery of readings; the journal tells it as one entry, with the root of its readings."""

    __tablename__ = "reading_batches"
    __table_args__ = (Index(None, "received_at"), Index(None, "owner", "received_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    filed_by: Mapped[str]
    owner: Mapped[str | None]
    received_at: Mapped[datetime]
    lines: Mapped[int]
    accepted: Mapped[int]
    duplicates: Mapped[int]
    rejected: Mapped[list[Any]]
    root: Mapped[bytes] = mapped_column(LargeBinary)
