"""Keys of machines: made by people or other keys for their own party, narrowed, rotated, revoked.

Every change is told by the journal; its topic `access` makes running API processes forget the keys they
remember.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import journal
from app.access import service as access
from app.access.models import Key
from app.access.rules import Actor, Role
from app.access.service import KeyUnknown
from app.database import Sessions
from app.errors import Invalid, NotAllowed
from app.people import rules
from app.people.schemas import KeyIn


class ScopeTooWide(NotAllowed):
    """A key with scopes makes and rotates none that may do more."""


class ScopeUnknown(Invalid):
    """There is no such scope."""


def check_scopes(scopes: Iterable[str] | None, known: frozenset[str]) -> None:
    """Refuse scopes that no route asks for, with the list of those there are."""
    strange = sorted(set(scopes or ()) - known)
    if strange:
        raise ScopeUnknown(
            f"No scope is called {strange[0][:60]!r}. There are: {', '.join(sorted(known))}.",
            pointer="/scopes",
            scopes=sorted(known),
        )


def make(
    session: Session, given: KeyIn, *, scopes: frozenset[str], actor: Actor, now: datetime
) -> tuple[Key, str]:
    """Make a key; the second part of the answer is its token. `scopes` are those there are.

    A key that was narrowed makes none that is wider.
    """
    rules.check_role(given.role, given.party, administers_party=False)
    rules.check_administers(actor, given.role, given.party)
    rules.check_fresh(actor, now)
    check_scopes(given.scopes, scopes)
    _check_width(actor, given.scopes)
    key, token = access.issue(
        session,
        given.role,
        party=given.party,
        label=given.label,
        now=now,
        expires_at=now + timedelta(days=given.expires_days),
        scopes=given.scopes,
        made_by=actor.made_by or actor.key,
    )
    tell(session, key, "key.issued", actor, now)
    return key, token


def listed(session: Session, *, actor: Actor, after: str | None, limit: int) -> list[Key]:
    """List the keys somebody may know of: all, those of the own party, or the own one."""
    query = select(Key).order_by(Key.id).limit(limit + 1)
    if actor.role is not Role.ADMINISTRATOR:
        own = or_(Key.id == actor.key, Key.made_by == actor.key)
        query = query.where(Key.party == actor.party if rules.administers(actor) else own)
    if after is not None:
        query = query.where(Key.id > after)
    return list(session.scalars(query))


def rotate(
    session: Session, id: str, *, grace_hours: int, actor: Actor, now: datetime
) -> tuple[Key, str]:
    """Give a key another secret; a key may rotate itself."""
    held = _held(session, id, actor)
    rules.check_fresh(actor, now)
    if held.id != actor.key:
        _check_width(actor, held.scopes)
    key, token = access.rotate(session, id, grace=timedelta(hours=grace_hours), now=now)
    tell(session, key, "key.rotated", actor, now)
    return key, token


def revoke(session: Session, id: str, *, actor: Actor, now: datetime) -> Key:
    """End a key at once; a key may end itself."""
    before = _held(session, id, actor).revoked_at
    key = access.revoke(session, id, now=now)
    if before is None:
        tell(session, key, "key.revoked", actor, now)
    return key


def _held(session: Session, id: str, actor: Actor) -> Key:
    """Find a key somebody administers; any other is not there. Raises KeyUnknown."""
    key = session.get(Key, id)
    own = key is not None and key.id == actor.key
    within = rules.administers(actor) and key is not None and key.party == actor.party
    if key is None or not (own or within or actor.role is Role.ADMINISTRATOR):
        raise KeyUnknown(f"There is no key {id!r}.")
    return key


def _check_width(actor: Actor, scopes: Iterable[str] | None) -> None:
    """Refuse that a key with scopes gets at a secret that opens more."""
    if actor.scopes is not None and (scopes is None or not set(scopes) <= actor.scopes):
        raise ScopeTooWide("Give scopes that your own key has.", pointer="/scopes")


class EndedKeys:
    """Tells the journal of keys that have ended and are still used, each once a day and process."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._told: set[tuple[str, date]] = set()

    def __call__(self, key: Key, now: datetime) -> None:
        """Tell of a key that was refused, in a transaction of its own: the request has none."""
        if (key.id, now.date()) in self._told:
            return
        self._told = {one for one in self._told if one[1] == now.date()} | {(key.id, now.date())}
        with self._sessions.begin() as session:
            journal.append(
                session,
                actor="anybody",
                action="key.refused",
                subject=f"key:{key.id}",
                party=key.party,
                topic="people",
                body={"because": "revoked" if key.revoked_at else "expired"},
                now=now,
            )


def tell(session: Session, key: Key, action: str, actor: Actor, now: datetime) -> None:
    """Tell the journal what happened to a key."""
    until = key.previous_until if action == "key.rotated" else None
    journal.append(
        session,
        actor=actor.name,
        action=action,
        subject=f"key:{key.id}",
        party=key.party,
        topic="access",
        body={
            "role": key.role,
            "party": key.party,
            "label": key.label,
            "scopes": key.scopes,
            "expires_at": key.expires_at.isoformat() if key.expires_at else None,
            "previous_until": until.isoformat() if until else None,
        },
        personal=["label"],
        now=now,
    )
