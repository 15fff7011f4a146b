"""What is owed."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.licenses.models import Condition, License


class Obligation(Base):
    """Something somebody owes by a time. `next_look_at` is when the scheduler looks at it again.

    A device's reading is owed within a span of the last one: its row moves on with each look, and
    a new slot begins only after a miss. A report is owed once a period: each period is a slot.
    """

    __tablename__ = "obligations"
    __table_args__ = (
        Index(None, "license_id", "key", "subject", "slot", unique=True),
        Index("ix_obligations_to_look_at", "next_look_at", postgresql_where="settled_at IS NULL"),
        Index(
            "ix_obligations_open",
            "license_id",
            "next_look_at",
            postgresql_where="settled_at IS NULL",
        ),
        Index(
            "ix_obligations_overdue",
            "license_id",
            "subject",
            postgresql_where="state = 'overdue'",
        ),
        Index(None, "due_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    condition_id: Mapped[int] = mapped_column(ForeignKey(Condition.id))
    key: Mapped[str]
    what: Mapped[str]
    by: Mapped[str | None]
    subject_kind: Mapped[str]
    subject: Mapped[str]
    slot: Mapped[int]
    period_from: Mapped[date | None]
    period_to: Mapped[date | None]
    awaited_from: Mapped[datetime]
    due_at: Mapped[datetime]
    grace_until: Mapped[datetime]
    state: Mapped[str]
    last_heard_at: Mapped[datetime | None]
    met_at: Mapped[datetime | None]
    met_by: Mapped[str | None]
    next_look_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
