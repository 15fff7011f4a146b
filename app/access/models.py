"""Keys and answers already given."""

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, LargeBinary, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Key(Base):
    """A machine's credential. The secret itself is never stored, only its SHA-256.

    `scopes` narrows what its role may do; none: all of it. `made_by` is the person who made it. After
    a rotation the secret before works on until `previous_until`.
    """

    __tablename__ = "keys"
    __table_args__ = (
        CheckConstraint(
            "(previous_digest IS NULL) = (previous_until IS NULL)", name="whole_rotation"
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    role: Mapped[str]
    party: Mapped[str | None]
    label: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    scopes: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    made_by: Mapped[str | None]
    rotated_at: Mapped[datetime | None]
    previous_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_until: Mapped[datetime | None]


class AnswerGiven(Base):
    """The first answer to a request that carried an `Idempotency-Key`; given again to its twin."""

    __tablename__ = "answers_given"
    __table_args__ = (PrimaryKeyConstraint("owner", "key"),)

    owner: Mapped[str]
    key: Mapped[str]
    request: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    sent: Mapped[bytes | None] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)
