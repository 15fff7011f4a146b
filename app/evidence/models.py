"""The files that were handed in, and who handed them in."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class File(Base):
    """One content, known by its SHA-256 and stored once, whoever handed it in.

    `object` is its name on the shelf, null when nothing is stored; `wrapped_key` opens it, itself
    encrypted under the master key `key_id`. `next_look_at` is when a file in quarantine is examined
    again; `media_type` what it was proven to be; `camera` when and where a photo says it was taken.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        CheckConstraint("state IN ('quarantined', 'accepted', 'rejected')", name="state"),
        CheckConstraint("digest ~ '^sha256:[0-9a-f]{64}$'", name="digest"),
        CheckConstraint(
            "(object IS NULL) = (wrapped_key IS NULL) AND (object IS NULL) = (key_id IS NULL)",
            name="key_of_object",
        ),
        CheckConstraint("state = 'rejected' OR object IS NOT NULL", name="content"),
        CheckConstraint("state <> 'accepted' OR media_type IS NOT NULL", name="proven"),
        Index(None, "next_look_at", postgresql_where="state = 'quarantined'"),
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    state: Mapped[str]
    media_type: Mapped[str | None]
    reason: Mapped[str | None]
    object: Mapped[str | None] = mapped_column(unique=True)
    key_id: Mapped[str | None] = mapped_column(index=True)
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    camera: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    attempts: Mapped[int]
    next_look_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    examined_at: Mapped[datetime | None]


class EvidenceFiling(Base):
    """Somebody handed in this content, under this name. Each owner sees only his own filing.

    `owner` is the party, or the key of an officer of the authority. Rows are only ever added.
    """

    __tablename__ = "evidence_filings"
    __table_args__ = (
        Index(None, "digest", "owner", unique=True),
        Index(None, "owner", "received_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey(File.digest))
    owner: Mapped[str]
    party: Mapped[str | None]
    filed_by: Mapped[str]
    name: Mapped[str | None]
    declared_type: Mapped[str]
    received_at: Mapped[datetime]
