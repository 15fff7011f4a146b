"""Findings a person must look at."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.alerts.models import Alert
from app.database import Base
from app.licenses.models import Condition, License


class Deviation(Base):
    """Something that is suspected not to be as the license demands, until a person decides.

    `fingerprint` is license, kind, subject and reason; `episode` counts how often it came back
    after being closed; the id is made of both, so the same inputs give the same id. What a standing
    monitor found belongs to no condition. `cleared_at`
    says that what was owed came after all, `withdrawn_at` that its evidence was corrected.
    """

    __tablename__ = "deviations"
    __table_args__ = (
        Index(None, "license_id", "fingerprint", "episode", unique=True),
        Index(None, "raised_at", "id"),
        Index(None, "exporter", "raised_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    license: Mapped[str]
    exporter: Mapped[str]
    kind: Mapped[str]
    subject_kind: Mapped[str]
    subject: Mapped[str]
    reason: Mapped[str]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    episode: Mapped[int]
    state: Mapped[str]
    severity: Mapped[str]
    title: Mapped[str]
    sentence: Mapped[str]
    condition_id: Mapped[int | None] = mapped_column(ForeignKey(Condition.id))
    alert_id: Mapped[UUID] = mapped_column(ForeignKey(Alert.id))
    first_observed_at: Mapped[datetime]
    last_observed_at: Mapped[datetime]
    occurrences: Mapped[int]
    raised_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    condition: Mapped[Condition | None] = relationship()
    alert: Mapped[Alert] = relationship()


class Occurrence(Base):
    """One time a deviation was found: what was expected, what was observed, on what evidence.

    `source` is the statement, filing or obligation that shows it; `digest` hashes everything the
    monitor was given to find it. `sources` are the grades and authors of the evidence, as "D:NORDLICHT".
    """

    __tablename__ = "occurrences"
    __table_args__ = (Index(None, "deviation_id", "observed_at"),)

    deviation_id: Mapped[UUID] = mapped_column(ForeignKey(Deviation.id), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    observed_at: Mapped[datetime]
    condition_id: Mapped[int | None] = mapped_column(ForeignKey(Condition.id))
    monitor_version: Mapped[int]
    severity: Mapped[str]
    grade: Mapped[str | None]
    sources: Mapped[list[Any]] = mapped_column(server_default="[]")
    expected: Mapped[str]
    observed: Mapped[str]
    sentence: Mapped[str]
    clears: Mapped[str]
    evidence: Mapped[list[Any]]
    missing: Mapped[list[Any]]
    digest: Mapped[str]
    recorded_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
