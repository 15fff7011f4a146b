"""Making, ending and recognizing keys."""

import hmac
import threading
import time
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import walls
from app.access import rules
from app.access.models import Key
from app.access.rules import Actor, KeyMissing, Role
from app.database import Sessions
from app.errors import Invalid, Unknown
from app.walls import Asker

REMEMBERED_SECONDS = 30.0
REMEMBERED_KEYS = 10_000


class PartyNeeded(Invalid):
    """An exporter's key must be bound to a party, and only an exporter's."""


class KeyUnknown(Unknown):
    """There is no such key."""


def issue(
    session: Session,
    role: Role,
    *,
    party: str | None,
    label: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """Make a key; the second part of the answer is the token, shown once and stored nowhere."""
    if (role is Role.EXPORTER) != (party is not None):
        raise PartyNeeded(
            "Give the party's reference with role exporter, and with no other role.",
            pointer="/party",
        )
    id, secret = rules.mint()
    key = Key(
        id=id,
        digest=rules.digest(secret),
        role=role,
        party=party,
        label=label,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    return key, f"ew_{id}_{secret}"


def revoke(session: Session, id: str, *, now: datetime) -> Key:
    """End a key. It stops working within seconds everywhere."""
    key = session.get(Key, id, with_for_update=True)
    if key is None:
        raise KeyUnknown(f"There is no key {id!r}.")
    key.revoked_at = key.revoked_at or now
    return key


def asker(actor: Actor) -> Asker:
    """Say what the database is told about an actor."""
    return Asker(str(actor.role), actor.party, actor.owner, actor.name)


class Keyring:
    """Recognizes keys, remembering them for half a minute so that a poll costs no query.

    `forget` is called when the journal tells of a change to keys.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._known: dict[str, tuple[Actor, float, datetime | None]] = {}
        self._lock = threading.Lock()

    def remembered(self, token: str, now: datetime) -> Actor | None:
        """Recognize a token from memory alone."""
        known = self._known.get(token)
        if known is None:
            return None
        actor, until, expires_at = known
        if until < time.monotonic() or (expires_at is not None and expires_at <= now):
            return None
        return actor

    def known_before(self, token: str) -> str | None:
        """Say whose a token was when it was last looked up, if that was not long ago."""
        known = self._known.get(token)
        return None if known is None else known[0].owner

    def recognize(self, token: str, now: datetime) -> Actor:
        """Recognize a token, asking the database when memory does not know it."""
        actor = self.remembered(token, now)
        if actor is not None:
            return actor
        match = rules.KEY.match(token)
        if match is None:
            raise KeyMissing("Send `Authorization: Bearer ew_…` with a key you were given.")
        with self._sessions(info=walls.of(walls.DOOR)) as session:
            key = session.scalar(select(Key).where(Key.id == match[1]))
        if (
            key is None
            or not hmac.compare_digest(key.digest, rules.digest(match[2]))
            or key.revoked_at is not None
            or (key.expires_at is not None and key.expires_at <= now)
        ):
            raise KeyMissing("This key is not known, has expired or was revoked. Ask for another.")
        actor = Actor(key.id, Role(key.role), key.party)
        with self._lock:
            if len(self._known) >= REMEMBERED_KEYS:
                self._known.clear()
            self._known[token] = (actor, time.monotonic() + REMEMBERED_SECONDS, key.expires_at)
        return actor

    def forget(self) -> None:
        """Ask the database again next time."""
        with self._lock:
            self._known.clear()
