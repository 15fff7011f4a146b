"""What dashboards must show."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Alert(Base):
    """The present face of a deviation. Its history is in the journal, one entry a change."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_open", "rank", "raised_at", postgresql_where="state = 'open'"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    deviation: Mapped[UUID] = mapped_column(unique=True)
    license: Mapped[str] = mapped_column(index=True)
    party: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    country: Mapped[str]
    obligation: Mapped[str | None]
    severity: Mapped[str]
    rank: Mapped[int]
    state: Mapped[str]
    title: Mapped[str]
    raised_at: Mapped[datetime]
    changed_at: Mapped[datetime]
