"""What dashboards must show."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Alert(Base):
    """What a dashboard must show of a deviation, of an obligation or of a check, as it is at present.

    A deviation has one. An obligation or a check has one once it stays away for so long that it
    unsettles a party. Its history is in the journal, one entry a change.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint("num_nonnulls(deviation, obligation, audit) >= 1", name="about_something"),
        Index("ix_alerts_open", "rank", "raised_at", postgresql_where="state = 'open'"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    deviation: Mapped[UUID | None] = mapped_column(unique=True)
    license: Mapped[str] = mapped_column(index=True)
    party: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    country: Mapped[str]
    obligation: Mapped[UUID | None] = mapped_column(unique=True)
    audit: Mapped[UUID | None] = mapped_column(unique=True)
    severity: Mapped[str]
    rank: Mapped[int]
    state: Mapped[str]
    title: Mapped[str]
    raised_at: Mapped[datetime]
    changed_at: Mapped[datetime]
