"""Who is behind an id that is on record: the holder of a key, or a person."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.access.models import Key
from app.access.rules import Actor, Role
from app.people.models import Person


def find(session: Session, id: str, *, now: datetime) -> Actor | None:
    """Find the actor behind an id; None when there is none, or its key or account has ended."""
    key = session.get(Key, id)
    if key is not None:
        ended = key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now)
        return None if ended else Actor(key.id, Role(key.role), key.party)
    person = session.get(Person, id)
    if person is None or person.state != "active":
        return None
    return Actor(person.id, Role(person.role), person.party)
