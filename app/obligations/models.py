"""What is owed."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.licenses.models import Condition, License


class Obligation(Base):
    """Something somebody owes by a time. `next_look_at` is when the scheduler looks at it again.

    A device's reading is owed within a span of the last one: its row moves on with each look, and
    a new slot begins only after a miss. A report is owed once a period: each period is a slot. What
    the file makes somebody owe (`what` is `file`) is one slot each time; `item` tells several about
    one subject apart. What a standing monitor awaits is owed under no condition.

    `rung` is the step of its ladder that it is on. While `waived_until` has not come, nobody is
    asked for it; `ground` says why it was waived for good. `sequence` counts how often its deadline
    moved. A settled row never changes; the database sees to that.
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
    condition_id: Mapped[int | None] = mapped_column(ForeignKey(Condition.id))
    key: Mapped[str]
    what: Mapped[str]
    by: Mapped[str | None]
    subject_kind: Mapped[str]
    subject: Mapped[str]
    slot: Mapped[int]
    item: Mapped[str] = mapped_column(server_default="")
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
    rung: Mapped[str | None]
    ground: Mapped[str | None]
    waived_until: Mapped[datetime | None]
    sequence: Mapped[int] = mapped_column(server_default="0")
    changed_at: Mapped[datetime | None]


class RungReached(Base):
    """An obligation came to a rung of its ladder for one deadline; skipped ones nobody was told of.

    `at` is when the rung was to be reached, `recorded_at` when somebody looked.
    """

    __tablename__ = "rungs"

    obligation_id: Mapped[UUID] = mapped_column(ForeignKey(Obligation.id), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    rung: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    skipped: Mapped[bool]
    recorded_at: Mapped[datetime]


class Waiver(Base):
    """Somebody proposed not to ask for an obligation until a day; it counts once another approves."""

    __tablename__ = "waivers"
    __table_args__ = (
        CheckConstraint("person_of(approved_by) <> person_of(proposed_by)", name="second_person"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="whole_approval"),
        CheckConstraint("(refused_by IS NULL) = (refused_at IS NULL)", name="whole_refusal"),
        CheckConstraint("approved_at IS NULL OR refused_at IS NULL", name="one_decision"),
        CheckConstraint("expires_at > proposed_at", name="ahead"),
        CheckConstraint("approved_at < expires_at", name="approved_in_time"),
        Index(None, "obligation_id", "id"),
        Index(
            "ix_waivers_waiting",
            "obligation_id",
            unique=True,
            postgresql_where="approved_at IS NULL AND refused_at IS NULL",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    obligation_id: Mapped[UUID] = mapped_column(ForeignKey(Obligation.id))
    ground: Mapped[str]
    expires_on: Mapped[date]
    expires_at: Mapped[datetime]
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    refused_by: Mapped[str | None]
    refused_at: Mapped[datetime | None]


class Calendar(Base):
    """An address under which a calendar program reads what is owed, as far as its maker may see it.

    Of the address only the SHA-256 is stored. It ends with the key or the account that made it.
    """

    __tablename__ = "calendars"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    key_id: Mapped[str] = mapped_column(index=True)
    label: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
