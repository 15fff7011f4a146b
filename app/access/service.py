"""Making, ending and recognizing keys."""

import hmac
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import rules
from app.access.models import Key
from app.access.rules import Actor, KeyMissing, Role
from app.database import Sessions
from app.errors import Conflict, Invalid, Unknown
from app.walls import Asker

REMEMBERED_SECONDS = 30.0
REMEMBERED_KEYS = 10_000


class PartyNeeded(Invalid):
    """An exporter's key must be bound to a party, and only an exporter's."""


class KeyUnknown(Unknown):
    """There is no such key."""


class KeyEnded(Conflict):
    """This key has expired or was revoked."""


def issue(
    session: Session,
    role: Role,
    *,
    party: str | None,
    label: str,
    now: datetime,
    expires_at: datetime | None = None,
    scopes: Iterable[str] | None = None,
    made_by: str | None = None,
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
        scopes=None if scopes is None else sorted(set(scopes)),
        made_by=made_by,
    )
    session.add(key)
    session.flush()
    return key, f"ew_{id}_{secret}"


def rotate(session: Session, id: str, *, grace: timedelta, now: datetime) -> tuple[Key, str]:
    """Give a key another secret; the one before works on for a while. Raises KeyEnded."""
    key = session.get(Key, id, with_for_update=True)
    if key is None:
        raise KeyUnknown(f"There is no key {id!r}.")
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise KeyEnded(f"Key {id} has expired or was revoked. Make another.")
    secret = rules.mint()[1]
    key.previous_digest, key.previous_until = key.digest, now + grace
    key.digest, key.rotated_at = rules.digest(secret), now
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

    `forget` is called when the journal tells of a change to keys; `on_ended` with a key that has
    expired or was revoked, and is still used with its right secret.
    """

    def __init__(
        self, sessions: Sessions, on_ended: Callable[[Key, datetime], None] | None = None
    ) -> None:
        self._sessions = sessions
        self._on_ended = on_ended
        self._known: dict[str, tuple[Actor, float, datetime]] = {}
        self._lock = threading.Lock()

    def remembered(self, token: str, now: datetime) -> Actor | None:
        """Recognize a token from memory alone."""
        known = self._known.get(token)
        if known is None:
            return None
        actor, until, ends = known
        if until < time.monotonic() or ends <= now:
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
        with self._sessions() as session:
            key = session.scalar(select(Key).where(Key.id == match[1]))
        ends = None if key is None else _ends(key, rules.digest(match[2]), now)
        if key is None or ends is None:
            if key is not None and self._on_ended and _fits(key, rules.digest(match[2])):
                self._on_ended(key, now)
            raise KeyMissing("This key is not known, has expired or was revoked. Ask for another.")
        scopes = None if key.scopes is None else frozenset(key.scopes)
        actor = Actor(key.id, Role(key.role), key.party, scopes, key.made_by)
        with self._lock:
            if len(self._known) >= REMEMBERED_KEYS:
                self._known.clear()
            self._known[token] = (actor, time.monotonic() + REMEMBERED_SECONDS, ends)
        return actor

    def forget(self) -> None:
        """Ask the database again next time."""
        with self._lock:
            self._known.clear()


def _ends(key: Key, digest: bytes, now: datetime) -> datetime | None:
    """Say until when a secret opens; None: it does not, or not any more."""
    ends = []
    if _fits(key, digest):
        ends.append(datetime.max.replace(tzinfo=UTC))
    if key.previous_digest is not None and hmac.compare_digest(key.previous_digest, digest):
        ends.append(key.previous_until or now)
    if not ends or key.revoked_at is not None:
        return None
    until = min(max(ends), key.expires_at or max(ends))
    return until if until > now else None


def _fits(key: Key, digest: bytes) -> bool:
    return hmac.compare_digest(key.digest, digest)


def is_same_person(session: Session, name: str, actor: Actor) -> bool:
    """Say whether an actor is, or stands for, whom a record names: asked where two persons must act.

    A key stands for the person who made it, since that person has seen its secret.
    """
    id = rules.id_of(name)
    behind = session.scalar(select(Key.made_by).where(Key.id == id)) or id
    return rules.same_person(behind, actor.made_by or actor.key)
