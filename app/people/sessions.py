"""Sessions of people: opened by a sign-in, recognized by their cookie, ended by anybody's word.

A token has 256 bits of chance; only its SHA-256 is stored. A session is looked up for every request,
so that its end, a changed role or an ended account holds from the next request on.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Role
from app.errors import NotAllowed
from app.people import rules
from app.people.models import Person, PersonIdentity, PersonSession
from app.people.rules import Level, Presence, SessionMissing
from app.settings import Settings

BY_PROVIDER = "oidc"
"""The method of those whom the authority's identity provider has identified."""


class ProviderNeeded(NotAllowed):
    """You sign in by the identity provider of the authority, and in no other way."""


def digest(token: str) -> bytes:
    """Hash a token for storing. It has 256 bits of chance, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def open(
    session: Session,
    person: Person,
    settings: Settings,
    *,
    level: Level,
    method: str,
    user_agent: str | None,
    now: datetime,
) -> tuple[PersonSession, str]:
    """Open a session; the second part of the answer is the token, which goes into the cookie alone.

    `method` says how the person was recognized: `password`, `passkey`, `oidc`, … Whom the identity
    provider knows it must let in: who has left there must not come in by a passkey. Raises
    ProviderNeeded.
    """
    if method != BY_PROVIDER:
        _check_not_of_provider(session, person)
    token = secrets.token_urlsafe(32)
    row = PersonSession(
        id=rules.mint_id(),
        digest=digest(token),
        person_id=person.id,
        level=level,
        method=method,
        browser=rules.browser(user_agent),
        made_at=now,
        authenticated_at=now,
        seen_at=now,
        ends_at=now + _length(settings, level),
        ended_at=None,
        end_reason=None,
    )
    session.add(row)
    session.flush()
    if level is Level.FULL:
        tell(session, person, "person.signed_in", {"method": method, "session": row.id}, now=now)
    return row, token


def _check_not_of_provider(session: Session, person: Person) -> None:
    identity = select(PersonIdentity.subject).where(PersonIdentity.person_id == person.id)
    if session.scalars(identity.limit(1)).first() is not None:
        raise ProviderNeeded("Sign in at GET /v1/sign-in/oidc.")


def _length(settings: Settings, level: Level) -> timedelta:
    full = timedelta(hours=settings.session_hours)
    return full if level is Level.FULL else rules.HALF_WAY


def recognize(session: Session, token: str, settings: Settings, *, now: datetime) -> Presence:
    """Recognize whose session a token is, half-way or whole. Raises SessionMissing."""
    found = session.execute(
        select(PersonSession, Person)
        .join(Person, Person.id == PersonSession.person_id)
        .where(PersonSession.digest == digest(token))
    ).one_or_none()
    idle = timedelta(minutes=settings.session_idle_minutes)
    if found is None:
        raise SessionMissing("This session is not known. Sign in.")
    row, person = found
    if person.state != "active" or not rules.lasts(
        row.seen_at, row.ends_at, row.ended_at, idle, now
    ):
        raise SessionMissing(f"Your session has ended{_why(row)}. Sign in again.")
    if now - row.seen_at >= rules.SEEN_EVERY:
        session.execute(update(PersonSession).where(PersonSession.id == row.id).values(seen_at=now))
    return presence(person, row)


def _why(row: PersonSession) -> str:
    return f": {row.end_reason}" if row.end_reason else ""


def presence(person: Person, row: PersonSession) -> Presence:
    """Say who is there."""
    return Presence(
        key=person.id,
        role=Role(person.role),
        party=person.party,
        session=row.id,
        level=Level(row.level),
        authenticated_at=row.authenticated_at,
        administers_party=person.administers_party,
    )


def end(
    session: Session,
    person_id: str,
    *,
    reason: str,
    now: datetime,
    only: str | None = None,
    but: str | None = None,
) -> list[str]:
    """End a person's sessions: all, only one, or all but one. Answers with the ids that ended."""
    query = update(PersonSession).where(
        PersonSession.person_id == person_id,
        PersonSession.ended_at.is_(None),
        PersonSession.ends_at > now,
    )
    if only is not None:
        query = query.where(PersonSession.id == only)
    if but is not None:
        query = query.where(PersonSession.id != but)
    ended = query.values(ended_at=now, end_reason=reason).returning(PersonSession.id)
    return sorted(session.scalars(ended))


def listed(
    session: Session, person_id: str, settings: Settings, *, now: datetime
) -> list[PersonSession]:
    """List the sessions of a person that go on, the one seen last first."""
    idle = timedelta(minutes=settings.session_idle_minutes)
    query = select(PersonSession).where(
        PersonSession.person_id == person_id,
        PersonSession.ended_at.is_(None),
        PersonSession.ends_at > now,
        PersonSession.seen_at > now - idle,
    )
    return list(session.scalars(query.order_by(PersonSession.seen_at.desc(), PersonSession.id)))


def tell(
    session: Session,
    person: Person,
    action: str,
    body: dict[str, str | int | bool | list[str] | None],
    *,
    now: datetime,
    actor: str | None = None,
    personal: tuple[str, ...] = (),
) -> None:
    """Tell the journal what happened to a person's account; by themselves, if nobody else is named."""
    journal.append(
        session,
        actor=actor or f"{person.role}:{person.id}",
        action=action,
        subject=f"person:{person.id}",
        party=person.party,
        topic="people",
        body=dict(body),
        personal=personal,
        now=now,
    )
