"""Invitations: how somebody becomes a person, and how a person begins anew after losing everything.

There is no mail server: who invites hands the token over. It works once, for seven days.
"""

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor, Role
from app.errors import Conflict, Unknown
from app.people import rules, sessions
from app.people.models import Invitation, Person
from app.people.schemas import InvitationIn


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
