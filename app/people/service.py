"""The accounts of people, as those who administer them see and change them."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Key
from app.access.rules import Actor, Role
from app.people import invitations, rules, sessions, throttling
from app.people.models import Person
from app.people.rules import PersonUnknown
from app.people.schemas import RoleIn


def listed(session: Session, *, actor: Actor, after: str | None, limit: int) -> list[Person]:
    """List the people somebody administers, by id: everybody, or those of the own party."""
    query = select(Person).order_by(Person.id).limit(limit + 1)
    if actor.role is not Role.ADMINISTRATOR:
        query = query.where(Person.party == actor.party)
    if after is not None:
        query = query.where(Person.id > after)
    return list(session.scalars(query))


def held(session: Session, id: str, *, actor: Actor) -> Person:
    """Hold a person somebody administers; anybody else is not there. Raises PersonUnknown."""
    person = session.get(Person, id)
    if person is None or (actor.role is not Role.ADMINISTRATOR and person.party != actor.party):
        raise PersonUnknown(f"There is no person {id!r}.")
    session.refresh(person, with_for_update=True)
    return person


def change_role(session: Session, id: str, given: RoleIn, *, actor: Actor, now: datetime) -> Person:
    """Make somebody what they shall be. Their sessions end: they sign in anew as what they are."""
    _hold_administrators(session)
    person = held(session, id, actor=actor)
    if person.id == actor.key:
        raise rules.OwnRole("Ask another administrator.")
    rules.check_fresh(actor, now)
    _check_active(person)
    rules.check_role(given.role, given.party, administers_party=given.administers_party)
    rules.check_administers(actor, given.role, given.party)
    if given.role is not Role.ADMINISTRATOR:
        _check_not_last(session, person)
    before = {"role": person.role, "party": person.party}
    person.role, person.party = given.role, given.party
    person.administers_party = given.administers_party
    session.flush()
    sessions.end(session, person.id, reason="your role was changed", now=now)
    invitations.revoke_all_of(session, person, actor=actor, now=now)
    body: dict[str, Any] = given.model_dump(mode="json") | {"before": before}
    sessions.tell(session, person, "person.role_changed", body, actor=actor.name, now=now)
    return person


def end(session: Session, id: str, *, actor: Actor, now: datetime) -> tuple[Person, list[str]]:
    """End an account for good, with its sessions. Answers with keys that person made, still valid."""
    _hold_administrators(session)
    person = held(session, id, actor=actor)
    _check_not_last(session, person)
    if person.state == "active":
        person.state, person.ended_at = "ended", now
        session.flush()
        sessions.end(session, person.id, reason="the account has ended", now=now)
        throttling.forget_devices(session, person, now)
        invitations.revoke_all_of(session, person, actor=actor, now=now)
        sessions.tell(session, person, "person.ended", {}, actor=actor.name, now=now)
    made = select(Key.id).where(Key.made_by == person.id, Key.revoked_at.is_(None))
    return person, sorted(session.scalars(made))


def _hold_administrators(session: Session) -> None:
    """Hold all administrators, in one order, so that two who end each other do not both succeed."""
    session.execute(
        select(Person.id)
        .where(Person.role == Role.ADMINISTRATOR, Person.state == "active")
        .order_by(Person.id)
        .with_for_update()
    )


def _check_not_last(session: Session, person: Person) -> None:
    if person.role != Role.ADMINISTRATOR or person.state != "active":
        return
    others = select(Person.id).where(
        Person.role == Role.ADMINISTRATOR, Person.state == "active", Person.id != person.id
    )
    if session.scalars(others.limit(1)).first() is None:
        raise rules.LastAdministrator("Invite another administrator first.")


def _check_active(person: Person) -> None:
    if person.state != "active":
        raise rules.PersonHasEnded(f"{person.id} has ended. Invite somebody under another name.")


def end_sessions(session: Session, id: str, *, actor: Actor, now: datetime) -> list[str]:
    """End all sessions of somebody, as their administrator."""
    person = held(session, id, actor=actor)
    ended = sessions.end(session, person.id, reason="an administrator ended it", now=now)
    if ended:
        body: dict[str, Any] = {"sessions": ended}
        sessions.tell(session, person, "person.sessions_ended", body, actor=actor.name, now=now)
    return ended
