"""What is owed: the door to planning, looking and settling, and the list of it all."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Select, Text, func, select, tuple_
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from app.licenses.models import Condition, License
from app.obligations import shows, waivers
from app.obligations.looking import (
    attend,
    attend_around,
    due,
    look,
    look_around,
    look_at_licenses,
)
from app.obligations.models import Obligation, RungReached
from app.obligations.planning import plan
from app.obligations.rescheduling import reschedule_around
from app.obligations.rules import State
from app.obligations.schemas import ObligationWhole, RungOut
from app.obligations.settling import filed, heard
from app.obligations.shows import Listed
from app.obligations.waivers import ObligationUnknown
from app.wire import page_after
from monitors import catalogue


def listed(
    session: Session,
    *,
    states: Iterable[State],
    party: str | None,
    license: str | None,
    before: datetime | None,
    after: str | None,
    limit: int,
) -> list[Listed]:
    """List obligations by due time; one more than `limit` rows."""
    query = visible(party).order_by(Obligation.due_at, Obligation.id).limit(limit + 1)
    chosen = list(states)
    if chosen:
        query = query.where(Obligation.state.in_(chosen))
    if license is not None:
        query = query.where(License.number == license)
    if before is not None:
        query = query.where(Obligation.due_at < before.astimezone(UTC))
    keys = page_after(after, datetime, UUID)
    if keys is not None:
        query = query.where(tuple_(Obligation.due_at, Obligation.id) > tuple_(*keys))
    return [Listed(row, number, binds) for row, number, binds in session.execute(query)]


def visible(party: str | None) -> Select[Obligation, str, list[str]]:
    """Build the query of what a party may see to be owed (None: the authority)."""
    query = (
        select(Obligation, License.number, func.coalesce(Condition.binds, array([], type_=Text)))
        .join(License, License.id == Obligation.license_id)
        .outerjoin(Condition, Condition.id == Obligation.condition_id)
    )
    if party is not None:
        secret = func.split_part(Obligation.key, ":", 1).in_(catalogue().confidential)
        query = query.where(License.exporter == party, ~secret)
    return query


def read(session: Session, id: UUID, *, party: str | None) -> ObligationWhole:
    """Read an obligation with the rungs it came to and its waivers."""
    found = session.execute(visible(party).where(Obligation.id == id)).one_or_none()
    if found is None:
        raise ObligationUnknown(f"There is no obligation {id} here.")
    reached = session.scalars(
        select(RungReached)
        .where(RungReached.obligation_id == id)
        .order_by(RungReached.recorded_at.desc(), RungReached.at.desc())
        .limit(100)
    )
    return ObligationWhole(
        **shows.show(Listed(found[0], found[1], found[2])).model_dump(),
        rungs=[RungOut.model_validate(one) for one in reached],
        waivers=waivers.listed(session, id),
    )


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
    "read",
    "reschedule_around",
    "visible",
]
