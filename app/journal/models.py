"""The record of every change, in the order it was committed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from app.database import Base

NONCE = text("gen_random_uuid()")


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
    receipt: Mapped[UUID | None]
    nonce: Mapped[UUID] = mapped_column(server_default=NONCE)
    body: Mapped[dict[str, Any]]


class Entry(Base):
    """A numbered change. Numbers are contiguous and follow the order of commits.

    `topic` names the feed that tells it (`alert`, `access`, `log`); `party` whose filing it is; `receipt` is
    what the filer asks for its proof by. The random `nonce` keeps the public hash of an entry from
    being guessed. Rows are only ever added, and sealed by the tree in `journal_tiles`.
    """

    __tablename__ = "journal"
    __table_args__ = (
        Index("ix_journal_topic_seq", "topic", "seq", postgresql_where="topic IS NOT NULL"),
        Index("ix_journal_receipt", "receipt", postgresql_where="receipt IS NOT NULL"),
    )

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    recorded_at: Mapped[datetime]
    sequenced_at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    party: Mapped[str | None]
    topic: Mapped[str | None]
    receipt: Mapped[UUID | None]
    nonce: Mapped[UUID] = mapped_column(server_default=NONCE)
    body: Mapped[dict[str, Any]]


class Head(Base):
    """One row: the last number given out, and the epoch of the sequencer that may give the next.

    `sealed` is the size of the tree: how many entries it holds, from the first on.
    """

    __tablename__ = "journal_head"
    __table_args__ = (CheckConstraint("only_row", name="one_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, default=True)
    seq: Mapped[int]
    alerts_seq: Mapped[int]
    epoch: Mapped[int]
    sealed: Mapped[int] = mapped_column(server_default="0")


class Tile(Base):
    """A tile of the tree (C2SP tlog-tiles): up to 256 hashes of 32 bytes, to which more are added."""

    __tablename__ = "journal_tiles"
    __table_args__ = (
        CheckConstraint(
            "octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0",
            name="whole_hashes",
        ),
    )

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)


class LogKey(Base):
    """A public key the log signs with, as a verifier key, from a size of the tree on."""

    __tablename__ = "journal_keys"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    verifier: Mapped[str] = mapped_column(unique=True)
    since: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class SignedCheckpoint(Base):
    """What the log signed of its tree at one size."""

    __tablename__ = "journal_checkpoints"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str]
    signed_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class Cosignature(Base):
    """A witness's signature line on a checkpoint, with the time the witness names."""

    __tablename__ = "journal_cosignatures"

    size: Mapped[int] = mapped_column(ForeignKey(SignedCheckpoint.size), primary_key=True)
    witness: Mapped[str] = mapped_column(primary_key=True)
    line: Mapped[str]
    cosigned_at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class Disclosure(Base):
    """What a commitment in an entry stands for. Erasing it leaves the entry and every proof as is."""

    __tablename__ = "journal_disclosures"
    __table_args__ = (
        CheckConstraint(
            "(salt IS NULL) = (erased_at IS NOT NULL) AND (salt IS NULL) = (value IS NULL)",
            name="whole_or_erased",
        ),
    )

    commitment: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    value: Mapped[str | None]
    recorded_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
