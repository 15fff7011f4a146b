"""Plans of visits, with everything they were made of."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class AuditPlan(Base):
    """Which places inspectors visit in a time, as it was ordered and as it was solved.

    `inputs` is all the solver is given but the `seed`, frozen when it was ordered; `commitment` binds
    both. Whoever solves it holds it until `held_until`; a plan that is held no longer and not solved
    is solved again, by `attempts` at most. `gap` is a share of `bound`.
    """

    __tablename__ = "audit_plans"
    __table_args__ = (
        Index(None, "ordered_at", "id"),
        Index(
            "ix_audit_plans_to_solve",
            "ordered_at",
            postgresql_where="state IN ('planned', 'solving')",
        ),
        CheckConstraint("state IN ('planned', 'solving', 'solved', 'failed')", name="state"),
        CheckConstraint("(state = 'solving') = (held_until IS NOT NULL)", name="held"),
        CheckConstraint("(state = 'solved') = (solved_at IS NOT NULL)", name="solved"),
        CheckConstraint("points <= bound", name="bound"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    state: Mapped[str]
    period_from: Mapped[date]
    period_to: Mapped[date]
    repeats: Mapped[UUID | None] = mapped_column(ForeignKey("audit_plans.id"))
    inspectors: Mapped[int]
    places: Mapped[int]
    inputs: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    inputs_digest: Mapped[bytes] = mapped_column(LargeBinary)
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    commitment: Mapped[bytes] = mapped_column(LargeBinary)
    ordered_by: Mapped[str]
    ordered_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    held_until: Mapped[datetime | None]
    trouble: Mapped[str | None]
    solved_at: Mapped[datetime | None]
    seconds: Mapped[Decimal | None]
    solver: Mapped[str | None]
    visits: Mapped[int | None]
    mandatory: Mapped[int | None]
    mandatory_made: Mapped[int | None]
    mandatory_bound: Mapped[int | None]
    drawn: Mapped[int | None]
    drawn_made: Mapped[int | None]
    points: Mapped[int | None]
    bound: Mapped[int | None]
    gap: Mapped[Decimal | None]
    stopped: Mapped[bool | None]


class AuditVisit(Base):
    """A place a plan considered: the visit that was planned there, or why there is none.

    `parts` are the points that make up `score`. The inspector `leaves` home and is `back` on those
    days, and at the place from `first_on` to `last_on`.
    """

    __tablename__ = "audit_visits"
    __table_args__ = (
        CheckConstraint(
            "(inspector IS NULL) = (first_on IS NULL) AND (inspector IS NULL) = (last_on IS NULL)"
            " AND (inspector IS NULL) = (leaves_on IS NULL)"
            " AND (inspector IS NULL) = (back_on IS NULL)",
            name="whole_visit",
        ),
        CheckConstraint("leaves_on <= first_on AND first_on <= last_on", name="leaves"),
        CheckConstraint("last_on <= back_on", name="back"),
    )

    plan_id: Mapped[UUID] = mapped_column(ForeignKey(AuditPlan.id), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    country: Mapped[str]
    score: Mapped[int]
    parts: Mapped[dict[str, Any]]
    due_by: Mapped[date | None]
    ground: Mapped[str | None]
    why: Mapped[str]
    detail: Mapped[str]
    inspector: Mapped[str | None]
    first_on: Mapped[date | None]
    last_on: Mapped[date | None]
    leaves_on: Mapped[date | None]
    back_on: Mapped[date | None]
