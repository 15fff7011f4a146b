"""The record of every change, in the order it was committed."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Identity, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from app.database import Base


class TransactionId(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Name the type in DDL."""
        return "xid8"


class PendingEntry(Base):
    """A change that is committed with its writer's transaction and not yet numbered."""

    __tablename__ = "journal_pending"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    transaction: Mapped[int] = mapped_column(
        TransactionId, server_default=text("pg_current_xact_id()")
    )
    recorded_at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    party: Mapped[str | None]
    topic: Mapped[str | None]
    body: Mapped[dict[str, Any]]


class Entry(Base):
    """A numbered change. Numbers are contiguous and follow the order of commits.

    `topic` names the feed that tells it (`alert`, `access`); `party` whose filing it is. `leaf` has
    the place of the entry's RFC 6962 leaf hash.
    """

    __tablename__ = "journal"
    __table_args__ = (
        Index("ix_journal_topic_seq", "topic", "seq", postgresql_where="topic IS NOT NULL"),
    )

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    recorded_at: Mapped[datetime]
    sequenced_at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    party: Mapped[str | None]
    topic: Mapped[str | None]
    body: Mapped[dict[str, Any]]
    leaf: Mapped[bytes | None] = mapped_column(LargeBinary)


class Head(Base):
    """One row: the last number given out, and the epoch of the sequencer that may give the next."""

    __tablename__ = "journal_head"
    __table_args__ = (CheckConstraint("only_row", name="one_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, default=True)
    seq: Mapped[int]
    alerts_seq: Mapped[int]
    epoch: Mapped[int]
