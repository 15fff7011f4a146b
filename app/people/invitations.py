"""Invitations: how somebody becomes a person, and how a person begins anew after losing everything.

There is no mail server: who invites hands the token over. It works once, for seven days.
"""

import re
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor, Role
from app.errors import Conflict, Invalid, Unknown
from app.people import passwords, rules, sessions, sign_in, throttling
from app.people.models import Invitation, Passkey, Person, RecoveryCode
from app.people.schemas import AcceptanceIn, InvitationIn
from app.people.sign_in import Outcome, Visitor
from app.settings import Settings

TOKEN = re.compile(r"^ewi_[A-Za-z0-9_-]{43}$")


class InvitationUnknown(Unknown):
    """There is no such invitation."""


class InvitationUsed(Conflict):
    """This invitation was accepted before."""


class InvitationRevoked(Conflict):
    """This invitation was revoked."""


class InvitationExpired(Conflict):
    """This invitation has expired."""


class SignInNameTaken(Conflict):
    """Somebody has this sign-in name already."""


class NameNeeded(Invalid):
    """Say what you are called."""


def invite(
    session: Session, given: InvitationIn, *, actor: Actor, now: datetime
) -> tuple[Invitation, str]:
    """Invite somebody; the second part of the answer is the token, shown once.

    Whether another party's person has the name is not told to an exporter: its invitation can then not
    be accepted.
    """
    rules.check_role(given.role, given.party, administers_party=given.administers_party)
    rules.check_administers(actor, given.role, given.party)
    rules.check_fresh(actor, now)
    taken = session.scalars(select(Person).where(Person.sign_in == given.sign_in)).one_or_none()
    if taken is not None and (actor.role is Role.ADMINISTRATOR or taken.party == actor.party):
        raise SignInNameTaken(
            "Use another, or reset the account of the person who has it.", pointer="/sign_in"
        )
    row, token = _make(session, given, person=None, actor=actor, now=now)
    _tell(session, row, "person.invited", actor.name, now)
    return row, token


def reset(
    session: Session, person: Person, *, actor: Actor, now: datetime
) -> tuple[Invitation, str]:
    """Let somebody begin anew who lost everything. Until the token is used all stays as it is."""
    rules.check_administers(actor, Role(person.role), person.party)
    rules.check_fresh(actor, now)
    if person.state != "active":
        raise rules.PersonHasEnded(f"{person.id} has ended. Invite somebody under another name.")
    given = InvitationIn.model_construct(
        sign_in=person.sign_in,
        role=Role(person.role),
        party=person.party,
        administers_party=person.administers_party,
        name=person.name,
    )
    row, token = _make(session, given, person=person, actor=actor, now=now)
    _tell(session, row, "person.reset_offered", actor.name, now)
    return row, token


def _make(
    session: Session, given: InvitationIn, *, person: Person | None, actor: Actor, now: datetime
) -> tuple[Invitation, str]:
    token = f"ewi_{secrets.token_urlsafe(32)}"
    row = Invitation(
        id=rules.mint_id(),
        digest=sessions.digest(token),
        person_id=person.id if person else None,
        sign_in=given.sign_in,
        name=given.name,
        role=given.role,
        party=given.party,
        administers_party=given.administers_party,
        made_at=now,
        made_by=actor.name,
        expires_at=now + rules.INVITED_FOR,
        accepted_at=None,
        revoked_at=None,
    )
    session.add(row)
    session.flush()
    return row, token


def listed(session: Session, *, actor: Actor, limit: int = 500) -> list[Invitation]:
    """List the invitations somebody may know of, latest first."""
    query = select(Invitation).order_by(Invitation.made_at.desc(), Invitation.id).limit(limit)
    if actor.role is not Role.ADMINISTRATOR:
        query = query.where(Invitation.party == actor.party)
    return list(session.scalars(query))


def revoke(session: Session, id: str, *, actor: Actor, now: datetime) -> Invitation:
    """End an invitation that was not accepted yet."""
    row = session.get(Invitation, id, with_for_update=True)
    mine = actor.role is Role.ADMINISTRATOR or (row is not None and row.party == actor.party)
    if row is None or not mine:
        raise InvitationUnknown(f"There is no invitation {id!r}.")
    rules.check_administers(actor, Role(row.role), row.party)
    if row.accepted_at is not None:
        raise InvitationUsed(f"{id} was accepted. End the person's account instead.")
    if row.revoked_at is None:
        row.revoked_at = now
        _tell(session, row, "person.invitation_revoked", actor.name, now)
    return row


def revoke_all_of(session: Session, person: Person, *, actor: Actor, now: datetime) -> None:
    """End what somebody invited to and was not accepted, as they may invite no more."""
    mine = Invitation.made_by.endswith(f":{person.id}", autoescape=True)
    for row in session.scalars(
        select(Invitation)
        .where(mine, Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .with_for_update()
    ):
        row.revoked_at = now
        _tell(session, row, "person.invitation_revoked", actor.name, now)


def accept(
    session: Session, given: AcceptanceIn, visitor: Visitor, settings: Settings, *, now: datetime
) -> Outcome:
    """Become a person, or begin anew; and be signed in, as far as a password brings one."""
    counted = [throttling.by_address(visitor.address)]
    waits = throttling.seconds_to_wait(session, counted, now=now)
    if waits:
        return sign_in.throttled(waits)
    row = _found(session, given.token)
    trouble = _unusable(session, row, now)
    if row is None or trouble is not None:
        return sign_in.failed(
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


def _tell(session: Session, row: Invitation, action: str, actor: str, now: datetime) -> None:
    journal.append(
        session,
        actor=actor,
        action=action,
        subject=f"invitation:{row.id}",
        party=row.party,
        topic="people",
        body={
            "role": row.role,
            "party": row.party,
            "administers_party": row.administers_party,
            "person": row.person_id,
            "sign_in": row.sign_in,
            "expires_at": row.expires_at.isoformat(),
        },
        personal=["sign_in"],
        now=now,
    )
