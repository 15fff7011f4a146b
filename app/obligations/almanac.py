"""Calendars of what is owed, which calendar programs read by an address that nobody can guess.

An address shows what its maker may see, and ends with the maker's key or account. Only its hash is stored.
"""

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import journal, walls
from app.access.rules import READS_FILINGS, Actor, Role, digest
from app.access.service import asker
from app.errors import Unknown
from app.licenses.models import License
from app.obligations import icalendars, service
from app.obligations.icalendars import Entry
from app.obligations.models import Calendar, Obligation
from app.obligations.schemas import CalendarIn, CalendarOut
from app.obligations.shows import Listed, show
from app.people import holders

TOKEN = re.compile(r"^[A-Za-z0-9_-]{43}$")
SHOWN_AFTER = timedelta(days=90)
AT_MOST = 2_000


class CalendarUnknown(Unknown):
    """There is no such calendar, or it was revoked."""


class Made(NamedTuple):
    """A new calendar with the token that is shown once."""

    calendar: CalendarOut
    token: str


def make(session: Session, calendar: CalendarIn, *, actor: Actor, now: datetime) -> Made:
    """Make an address for a calendar of what the actor may see; 256 bits of chance name it."""
    token = secrets.token_urlsafe(32)
    row = Calendar(digest=digest(token), key_id=actor.key, label=calendar.label, created_at=now)
    session.add(row)
    session.flush()
    _tell(session, row, "made", actor, now)
    return Made(CalendarOut.model_validate(row), token)


def listed(session: Session, *, actor: Actor) -> list[CalendarOut]:
    """List the calendars that a key made, latest first."""
    query = select(Calendar).where(Calendar.key_id == actor.key)
    rows = session.scalars(query.order_by(Calendar.created_at.desc(), Calendar.id).limit(500))
    return [CalendarOut.model_validate(row) for row in rows]


def revoke(session: Session, id: UUID, *, actor: Actor, now: datetime) -> CalendarOut:
    """End a calendar; who made it may, and an administrator."""
    row = session.get(Calendar, id, with_for_update=True)
    if row is None or (row.key_id != actor.key and actor.role is not Role.ADMINISTRATOR):
        raise CalendarUnknown(f"You have no calendar {id}.")
    if row.revoked_at is None:
        row.revoked_at = now
        session.flush()
        _tell(session, row, "revoked", actor, now)
    return CalendarOut.model_validate(row)


def read(session: Session, token: str, *, now: datetime) -> bytes:
    """Write the calendar behind an address, soonest due first; an unknown one is not there."""
    if TOKEN.match(token) is None:
        raise CalendarUnknown("There is no such calendar.")
    walls.become(session, walls.DOOR)
    calendar = session.scalars(
        select(Calendar).where(Calendar.digest == digest(token), Calendar.revoked_at.is_(None))
    ).one_or_none()
    holder = None if calendar is None else holders.find(session, calendar.key_id, now=now)
    if calendar is None or holder is None or holder.role not in READS_FILINGS:
        raise CalendarUnknown("There is no such calendar.")
    walls.become(session, asker(holder))
    return icalendars.write(calendar.label, _entries(session, holder.reads_only, now))


def _entries(session: Session, party: str | None, now: datetime) -> Sequence[Entry]:
    """Read what people owe: what is open, and what was settled and due not long ago."""
    query = (
        service.visible(party)
        .add_columns(License.time_zone)
        .where(
            Obligation.what != "reading",
            or_(Obligation.settled_at.is_(None), Obligation.due_at > now - SHOWN_AFTER),
        )
        .order_by(Obligation.due_at, Obligation.id)
        .limit(AT_MOST)
    )
    return [
        Entry(
            show(Listed(row, number, binds)), zone, row.sequence, row.changed_at or row.created_at
        )
        for row, number, binds, zone in session.execute(query)
    ]


def _tell(session: Session, row: Calendar, what: str, actor: Actor, now: datetime) -> None:
    journal.append(
        session,
        actor=actor.name,
        action=f"calendar.{what}",
        subject=f"calendar:{row.id}",
        party=actor.reads_only,
        body={"label": row.label},
        now=now,
    )
