"""One's own account: passkeys, recovery codes, password, sessions."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.access.rules import OF_THE_AUTHORITY
from app.errors import Conflict
from app.people import (
    ceremonies,
    outcomes,
    passkeys,
    passwords,
    recovery,
    rules,
    sessions,
    sign_in,
    throttling,
)
from app.people.ceremonies import Place
from app.people.models import Passkey, Person, PersonSession
from app.people.outcomes import Granted, Outcome, Visitor
from app.people.rules import Level, Presence, SessionUnknown
from app.people.schemas import (
    AccountOut,
    PasskeyIn,
    PasskeyMade,
    PasskeyOut,
    PasswordIn,
    PersonOut,
    SessionOut,
)
from app.settings import Settings


class PasswordWrong(Conflict):
    """The current password is another."""


def show(session: Session, who: Presence, settings: Settings) -> AccountOut:
    """Show somebody their own account."""
    person = session.get_one(Person, who.key)
    own = session.get_one(PersonSession, who.session)
    known = passkeys.of(session, person.id) if who.level is Level.FULL else []
    return AccountOut(
        person=PersonOut.model_validate(person),
        state=rules.STATES[who.level],
        session=show_session(own, who),
        passkeys=[PasskeyOut.model_validate(one) for one in known],
        passkey_required=settings.passkeys == "required" and who.role in OF_THE_AUTHORITY,
        recovery_codes_left=recovery.left(session, person.id),
    )


def show_session(row: PersonSession, who: Presence) -> SessionOut:
    """Show a session, and whether it is the one that asks."""
    shown = SessionOut.model_validate(row)
    return shown.model_copy(update={"own": row.id == who.session})


def ask_for_passkey(
    session: Session, who: Presence, place: Place, *, now: datetime
) -> dict[str, Any]:
    """Ask for a new passkey; where others are, only of a recent sign-in. Raises SignInTooOld."""
    person = session.get_one(Person, who.key)
    known = passkeys.of(session, person.id)
    _check_may_register(who, known)
    return ceremonies.ask_to_register(
        session, person, known, place, session_id=who.session, now=now
    )


def add_passkey(
    session: Session,
    given: PasskeyIn,
    visitor: Visitor,
    settings: Settings,
    *,
    who: Presence,
    now: datetime,
) -> tuple[PasskeyMade, Granted | None]:
    """Register a passkey; the first brings recovery codes, which are shown once.

    Where it was what the sign-in still needed, a whole session takes the place of the one half-way.
    """
    person = session.get_one(Person, who.key, with_for_update=True)
    before = passkeys.of(session, person.id)
    _check_may_register(who, before)
    row = passkeys.register(
        session,
        person,
        given.credential,
        visitor.place(settings),
        name=given.name,
        session_id=who.session,
        now=now,
    )
    made = PasskeyMade(
        state=rules.STATES[Level.FULL],
        passkey=PasskeyOut.model_validate(row),
        recovery_codes=None if before else recovery.make(session, person, now=now),
    )
    if who.level is Level.FULL:
        return made, None
    method = "password and passkey"
    return made, sign_in.finish(session, person, visitor, settings, method=method, now=now)


def _check_may_register(who: Presence, known: list[Passkey]) -> None:
    """Refuse that a password alone, half-way to its passkey, brings another passkey along."""
    if who.level is Level.SECOND_FACTOR or (who.level is Level.ENROLMENT and known):
        raise rules.SignInUnfinished("Finish signing in with a passkey you have, then add others.")


def new_recovery_codes(session: Session, *, who: Presence, now: datetime) -> list[str]:
    """Make recovery codes anew."""
    return recovery.make(session, session.get_one(Person, who.key), now=now)


def change_password(
    session: Session,
    given: PasswordIn,
    visitor: Visitor,
    settings: Settings,
    *,
    who: Presence,
    now: datetime,
) -> Outcome:
    """Change one's own password: all sessions end, this browser gets a new one."""
    person = session.get_one(Person, who.key, with_for_update=True)
    counted = [throttling.by_name(f"password:{person.id}")]
    waits = throttling.seconds_to_wait(session, counted, now=now)
    if waits:
        return outcomes.throttled(waits)
    if not passwords.fits(person.password, given.current_password):
        return outcomes.failed(
            session,
            counted,
            PasswordWrong("Give the one you have now.", pointer="/current_password"),
            subject=f"person:{person.id}",
            said={"address": visitor.address},
            now=now,
        )
    about = (person.name, person.sign_in, person.party)
    passwords.check(given.new_password, about, pointer="/new_password")
    person.password = passwords.hashed(given.new_password)
    person.password_changed_at = now
    method = session.get_one(PersonSession, who.session).method
    sessions.end(session, person.id, reason="the password was changed", now=now)
    throttling.forget_devices(session, person, now)
    sessions.tell(session, person, "person.password_changed", {}, now=now)
    return sign_in.finish(session, person, visitor, settings, method=method, now=now)


def end_session(session: Session, id: str, *, who: Presence, now: datetime) -> list[str]:
    """End one session of one's own. Raises SessionUnknown."""
    row = session.get(PersonSession, id)
    if row is None or row.person_id != who.key:
        raise SessionUnknown(f"You have no session {id!r}.")
    return _end(session, who, now, only=id)


def end_other_sessions(session: Session, *, who: Presence, now: datetime) -> list[str]:
    """End all sessions of one's own but this one."""
    return _end(session, who, now, but=who.session)


def _end(
    session: Session,
    who: Presence,
    now: datetime,
    *,
    only: str | None = None,
    but: str | None = None,
) -> list[str]:
    reason = "you signed out" if only == who.session else "you ended it elsewhere"
    ended = sessions.end(session, who.key, reason=reason, now=now, only=only, but=but)
    if ended:
        person = session.get_one(Person, who.key)
        sessions.tell(session, person, "person.sessions_ended", {"sessions": ended}, now=now)
    return ended
