"""Signing in: by password and passkey, by passkey alone, or by a recovery code.

A refusal is an answer, not an exception, where its trace must be committed: failures are counted and
told in the request's one transaction.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.rules import Role
from app.errors import NotAuthenticated
from app.people import (
    ceremonies,
    outcomes,
    passkeys,
    passwords,
    recovery,
    rules,
    sessions,
    throttling,
)
from app.people.ceremonies import PasskeyRefused
from app.people.models import Person, PersonSession
from app.people.outcomes import Granted, Outcome, Refused, Visitor
from app.people.passkeys import PasskeyCopied
from app.people.rules import Level, Presence, SessionMissing
from app.people.schemas import CredentialIn, SignInIn, SignInOut
from app.people.throttling import Counted
from app.settings import Settings


class SignInRefused(NotAuthenticated):
    """Name and password do not fit together."""


class RecoveryCodeRefused(NotAuthenticated):
    """This is none of your recovery codes, or it was used before."""


def with_password(
    session: Session, given: SignInIn, visitor: Visitor, settings: Settings, *, now: datetime
) -> Outcome:
    """Try a name and a password. Both wrong ways look the same and take as long."""
    person = session.scalars(select(Person).where(Person.sign_in == given.sign_in)).one_or_none()
    counted = _counted(session, person, given.sign_in, visitor, now)
    waits = throttling.seconds_to_wait(session, counted, now=now)
    if waits:
        return outcomes.throttled(waits)
    known = person if person is not None and person.state == "active" else None
    right = passwords.fits(known.password if known else None, given.password)
    if known is None or not right:
        return outcomes.failed(
            session,
            counted,
            SignInRefused("Name and password do not fit together. Try again, or ask for a reset."),
            subject=f"person:{person.id}" if person else "sign-in",
            said={"sign_in": given.sign_in, "address": visitor.address},
            now=now,
        )
    throttling.succeeded(session, counted[0])
    if known.password and passwords.outgrown(known.password):
        known.password = passwords.hashed(given.password)
    return enter(session, known, visitor, settings, method="password", now=now)


def _counted(
    session: Session, person: Person | None, sign_in: str, visitor: Visitor, now: datetime
) -> list[Counted]:
    """Say what a failure counts by: in a browser that is known, by that alone."""
    if person is not None:
        device = throttling.device_of(session, visitor.device_token, person, now)
        if device is not None:
            return [throttling.by_device(device)]
    return [throttling.by_name(sign_in), throttling.by_address(visitor.address)]


def enter(
    session: Session,
    person: Person,
    visitor: Visitor,
    settings: Settings,
    *,
    method: str,
    now: datetime,
) -> Granted:
    """Open a session after a password: whole, or half-way when a passkey is needed yet."""
    known = passkeys.of(session, person.id)
    level = rules.level_of(
        Role(person.role), passkeys=bool(known), required=settings.passkeys == "required"
    )
    if level is Level.FULL:
        return finish(session, person, visitor, settings, method=method, now=now)
    leave(session, visitor, now)
    row, token = sessions.open(
        session,
        person,
        settings,
        level=level,
        method=method,
        user_agent=visitor.user_agent,
        now=now,
    )
    options = None
    if level is Level.SECOND_FACTOR:
        options = ceremonies.ask_to_sign_in(
            session, known, visitor.place(settings), session_id=row.id, now=now
        )
    return Granted(SignInOut(state=rules.STATES[level], options=options), token)


def leave(session: Session, visitor: Visitor, now: datetime) -> None:
    """End whatever session this browser came with: each sign-in has a token of its own."""
    if visitor.token is None:
        return
    before = session.scalars(
        select(PersonSession).where(
            PersonSession.digest == sessions.digest(visitor.token),
            PersonSession.ended_at.is_(None),
        )
    ).one_or_none()
    if before is not None:
        before.ended_at, before.end_reason = now, "you signed in again"


def finish(
    session: Session,
    person: Person,
    visitor: Visitor,
    settings: Settings,
    *,
    method: str,
    now: datetime,
) -> Granted:
    """Open the whole session, and know the browser from now on."""
    leave(session, visitor, now)
    _, token = sessions.open(
        session,
        person,
        settings,
        level=Level.FULL,
        method=method,
        user_agent=visitor.user_agent,
        now=now,
    )
    device = None
    if throttling.device_of(session, visitor.device_token, person, now) is None:
        device = throttling.know_device(session, person, now)
    return Granted(SignInOut(state=rules.STATES[Level.FULL]), token, device)


def ask_for_passkey(
    session: Session, visitor: Visitor, settings: Settings, *, now: datetime
) -> dict[str, object]:
    """Ask for any passkey of this service, from somebody who has not said who they are."""
    return ceremonies.ask_to_sign_in(session, [], visitor.place(settings), session_id=None, now=now)


def with_passkey(
    session: Session,
    given: CredentialIn,
    visitor: Visitor,
    settings: Settings,
    *,
    half_way: Presence | None,
    now: datetime,
) -> Outcome:
    """Let a passkey finish a sign-in, or be the whole of it.

    Its failures are counted and told, but nobody waits for them: a signature cannot be guessed.
    """
    place = visitor.place(settings)
    try:
        person, passkey, copied = passkeys.recognize(
            session, given.credential, place, half_way=half_way, now=now
        )
    except PasskeyRefused as refused:
        counted = [throttling.by_address(visitor.address)]
        said = {"address": visitor.address}
        return outcomes.failed(session, counted, refused, subject="sign-in", said=said, now=now)
    if copied:
        sessions.tell(
            session,
            person,
            "person.passkey_copied",
            {"passkey": passkey.id, "address": visitor.address},
            actor="anybody",
            personal=("address",),
            now=now,
        )
        return Refused(PasskeyCopied("It may have been copied. Use another, and remove this one."))
    method = "password and passkey" if half_way else "passkey"
    return finish(session, person, visitor, settings, method=method, now=now)


def with_recovery_code(
    session: Session,
    code: str,
    visitor: Visitor,
    settings: Settings,
    *,
    half_way: Presence | None,
    now: datetime,
) -> Outcome:
    """Let a recovery code finish a sign-in where the passkey was lost."""
    if half_way is None or half_way.level is not Level.SECOND_FACTOR:
        raise SessionMissing("Sign in with name and password first.")
    person = session.get_one(Person, half_way.key)
    counted = [throttling.by_name(f"recovery:{person.id}")]
    waits = throttling.seconds_to_wait(session, counted, now=now)
    if waits:
        return outcomes.throttled(waits)
    if not recovery.use(session, person, code, now=now):
        return outcomes.failed(
            session,
            counted,
            RecoveryCodeRefused("Each works once, and new ones end those before."),
            subject=f"person:{person.id}",
            said={"address": visitor.address},
            now=now,
        )
    throttling.succeeded(session, counted[0])
    return finish(session, person, visitor, settings, method="password and recovery code", now=now)
