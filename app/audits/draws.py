"""Draws of units to sight, and the seeds that wait to be revealed."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.audits.models import Audit
from app.database import Base


class Draw(Base):
    """The sample of one end-use check: the list as it was frozen, how many, and which of them.

    `commitment` binds it all before anybody knows the seed; `seed` and `drawn` come when it is
    revealed. `probability` is a fraction in lowest terms.
    """

    __tablename__ = "draws"
    __table_args__ = (
        CheckConstraint(
            "(revealed_at IS NULL) = (seed IS NULL) AND (revealed_at IS NULL) = (drawn IS NULL)"
            " AND (revealed_at IS NULL) = (revealed_by IS NULL)",
            name="whole_reveal",
        ),
        CheckConstraint("missing BETWEEN 1 AND units AND size BETWEEN 1 AND units", name="size"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    audit_id: Mapped[UUID] = mapped_column(ForeignKey(Audit.id), unique=True)
    site: Mapped[str | None]
    units: Mapped[int]
    missing: Mapped[int]
    probability: Mapped[str]
    size: Mapped[int]
    serials: Mapped[list[str]] = mapped_column(ARRAY(Text), deferred=True)
    list_digest: Mapped[bytes] = mapped_column(LargeBinary)
    commitment: Mapped[bytes] = mapped_column(LargeBinary)
    committed_by: Mapped[str]
    committed_at: Mapped[datetime]
    seed: Mapped[bytes | None] = mapped_column(LargeBinary)
    drawn: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    revealed_by: Mapped[str | None]
    revealed_at: Mapped[datetime | None]


class DrawSeed(Base):
    """The seed of a draw until it is revealed. No route reads this table."""

    __tablename__ = "draw_seeds"

    draw_id: Mapped[UUID] = mapped_column(ForeignKey(Draw.id), primary_key=True)
    seed: Mapped[bytes] = mapped_column(LargeBinary)
