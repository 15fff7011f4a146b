"""Accepting an invitation: becoming a person, or beginning anew."""

import re
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.people import outcomes, passwords, rules, sessions, sign_in, throttling
from app.people.invitations import (
    InvitationExpired,
    InvitationRevoked,
    InvitationUnknown,
    InvitationUsed,
    SignInNameTaken,
)
from app.people.models import Invitation, Passkey, Person, RecoveryCode
from app.people.outcomes import Outcome, Visitor
from app.people.schemas import AcceptanceIn
from app.settings import Settings

TOKEN = re.compile(r"^ewi_[A-Za-z0-9_-]{43}$")


class NameNeeded(Invalid):
    """Say what you are called."""


def accept(
    session: Session, given: AcceptanceIn, visitor: Visitor, settings: Settings, *, now: datetime
) -> Outcome:
    """Become a person, or begin anew; and be signed in, as far as a password brings one."""
    counted = [throttling.by_address(visitor.address)]
    waits = throttling.seconds_to_wait(session, counted, now=now)
    if waits:
        return outcomes.throttled(waits)
    row = _found(session, given.token)
    trouble = _unusable(session, row, now)
    if row is None or trouble is not None:
        return outcomes.failed(
            session,
            counted,
            trouble or InvitationUnknown("Check the token; it may have been cut off."),
            subject=f"invitation:{row.id}" if row else "invitation",
            said={"address": visitor.address},
            now=now,
        )
    name = given.name or row.name
    if name is None:
        raise NameNeeded("Give the name others will know you by.", pointer="/name")
    passwords.check(given.password, (name, row.sign_in, row.party), pointer="/password")
    row.accepted_at = now
    person = _begun_anew(session, row, now) if row.person_id else _joined(session, row, name, now)
    person.name, person.password_changed_at = name, now
    person.password = passwords.hashed(given.password)
    return sign_in.enter(session, person, visitor, settings, method="invitation", now=now)


def _found(session: Session, token: str) -> Invitation | None:
    if TOKEN.match(token) is None:
        return None
    return session.scalars(
        select(Invitation).where(Invitation.digest == sessions.digest(token)).with_for_update()
    ).one_or_none()


def _unusable(session: Session, row: Invitation | None, now: datetime) -> Conflict | None:
    """Say why an invitation does not work any more; None: it does."""
    if row is None:
        return None
    if row.accepted_at is not None:
        return InvitationUsed("Sign in instead. If it was not you, tell who invited you at once.")
    if row.revoked_at is not None:
        return InvitationRevoked("Ask whoever invited you.")
    if row.expires_at <= now:
        return InvitationExpired("Ask whoever invited you for another.")
    return _without_place(session, row)


def _without_place(session: Session, row: Invitation) -> Conflict | None:
    """Say why there is no account for an invitation; None: there is."""
    if row.person_id is not None:
        active = session.get_one(Person, row.person_id).state == "active"
        return None if active else rules.PersonHasEnded("This account has ended.")
    if session.scalar(select(Person.id).where(Person.sign_in == row.sign_in)) is not None:
        return SignInNameTaken("Ask whoever invited you for an invitation under another name.")
    return None


def _joined(session: Session, row: Invitation, name: str, now: datetime) -> Person:
    person = Person(
        id=rules.mint_id(),
        sign_in=row.sign_in,
        name=name,
        role=row.role,
        party=row.party,
        administers_party=row.administers_party,
        state="active",
        made_at=now,
        made_by=row.made_by,
    )
    session.add(person)
    session.flush()
    row.person_id = person.id
    sessions.tell(
        session,
        person,
        "person.joined",
        {
            "invitation": row.id,
            "role": row.role,
            "party": row.party,
            "administers_party": row.administers_party,
            "name": name,
            "sign_in": row.sign_in,
        },
        personal=("name", "sign_in"),
        now=now,
    )
    return person


def _begun_anew(session: Session, row: Invitation, now: datetime) -> Person:
    """Forget what the person could prove with: what was lost may have been found by others."""
    person = session.get_one(Person, row.person_id, with_for_update=True)
    for passkey in session.scalars(
        select(Passkey).where(Passkey.person_id == person.id, Passkey.removed_at.is_(None))
    ):
        passkey.removed_at = now
    for code in session.scalars(
        select(RecoveryCode).where(
            RecoveryCode.person_id == person.id, RecoveryCode.ended_at.is_(None)
        )
    ):
        code.ended_at = now
    session.flush()
    throttling.forget_devices(session, person, now)
    sessions.end(session, person.id, reason="the account began anew", now=now)
    sessions.tell(session, person, "person.reset", {"invitation": row.id}, now=now)
    return person
