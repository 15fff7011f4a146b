"""What is owed: the door to planning, looking and settling, and the list of it all."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.licenses.models import License
from app.obligations.looking import (
    attend,
    attend_around,
    due,
    look,
    look_around,
    look_at_licenses,
)
from app.obligations.models import Obligation
from app.obligations.planning import plan
from app.obligations.rules import State
from app.obligations.settling import filed, heard
from app.wire import page_after


def listed(
    session: Session,
    *,
    states: Iterable[State],
    party: str | None,
    license: str | None,
    before: datetime | None,
    after: str | None,
    limit: int,
) -> Sequence[tuple[Obligation, str]]:
    """List obligations by due time, with the license's number; one more than `limit` rows."""
    query = (
        select(Obligation, License.number)
        .join(License, License.id == Obligation.license_id)
        .order_by(Obligation.due_at, Obligation.id)
        .limit(limit + 1)
    )
    chosen = list(states)
    if chosen:
        query = query.where(Obligation.state.in_(chosen))
    if party is not None:
        query = query.where(License.exporter == party)
    if license is not None:
        query = query.where(License.number == license)
    if before is not None:
        query = query.where(Obligation.due_at < before.astimezone(UTC))
    keys = page_after(after, datetime, UUID)
    if keys is not None:
        query = query.where(tuple_(Obligation.due_at, Obligation.id) > tuple_(*keys))
    return [(row, number) for row, number in session.execute(query)]


__all__ = [
    "attend",
    "attend_around",
    "due",
    "filed",
    "heard",
    "listed",
    "look",
    "look_around",
    "look_at_licenses",
    "plan",
]
