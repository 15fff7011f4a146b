"""`endwatch people`: inviting, listing, ending and resetting people, beside a running service or alone.

So the first administrator is made, and the way back is found when nobody can sign in any more.
"""

from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.rules import Role
from app.cli import databases
from app.cli.keys import ACTOR, table
from app.errors import Invalid
from app.people import invitations, rules, service
from app.people.models import Invitation, Person
from app.people.rules import PersonUnknown
from app.people.schemas import InvitationIn
from app.settings import Settings


def print_invitation(
    settings: Settings,
    role: Role,
    *,
    name: str,
    sign_in: str,
    party: str | None,
    administers_party: bool,
    now: datetime,
) -> int:
    """Invite somebody, and print the token alone on one line."""
    try:
        given = InvitationIn(
            sign_in=sign_in,
            role=role,
            party=party,
            administers_party=administers_party,
            name=name,
        )
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        raise Invalid(f"{field}: {error.errors()[0]['msg']}") from error
    with databases.sessions(settings) as sessions, sessions() as session:
        _, token = invitations.invite(session, given, actor=ACTOR, now=now)
        session.commit()
    print(token)
    return 0


def print_all(settings: Settings, *, now: datetime) -> int:
    """Print every person, and every invitation that waits, oldest first."""
    with databases.sessions(settings) as sessions, sessions() as session:
        people = session.scalars(select(Person).order_by(Person.made_at, Person.id))
        rows = [
            (one.id, one.sign_in, one.role, one.party or "-", one.state, one.name) for one in people
        ]
        rows += [
            (one.id, one.sign_in, one.role, one.party or "-", "invited", one.name or "-")
            for one in _waiting(session, now)
        ]
    for line in table([("id", "sign-in", "role", "party", "state", "name"), *rows]):
        print(line)
    return 0


def _waiting(session: Session, now: datetime) -> list[Invitation]:
    query = select(Invitation).where(
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.person_id.is_(None),
        Invitation.expires_at > now,
    )
    return list(session.scalars(query.order_by(Invitation.made_at, Invitation.id)))


def end(settings: Settings, who: str, *, now: datetime) -> int:
    """End somebody's account, or an invitation that waits, by its id or sign-in name."""
    with databases.sessions(settings) as sessions, sessions() as session:
        invited = [one for one in _waiting(session, now) if _named(one, who)]
        if invited and _find(session, who) is None:
            for one in invited:
                invitations.revoke(session, one.id, actor=ACTOR, now=now)
            session.commit()
            print(f"the invitation of {who} is revoked")
            return 0
        person, keys = service.end(session, _found(session, who).id, actor=ACTOR, now=now)
        session.commit()
    print(f"{person.id} has ended")
    for key in keys:
        print(f"key {key}, which they made, still works; `keys revoke {key}` ends it")
    return 0


def reset(settings: Settings, who: str, *, now: datetime) -> int:
    """Print a token with which somebody begins anew, alone on one line."""
    with databases.sessions(settings) as sessions, sessions() as session:
        person = _found(session, who)
        _, token = invitations.reset(session, person, actor=ACTOR, now=now)
        session.commit()
    print(token)
    return 0


def _find(session: Session, who: str) -> Person | None:
    named = (Person.id == who) | (Person.sign_in == rules.folded(who))
    return session.scalars(select(Person).where(named)).one_or_none()


def _named(one: Invitation, who: str) -> bool:
    return who == one.id or rules.folded(who) == one.sign_in


def _found(session: Session, who: str) -> Person:
    person = _find(session, who)
    if person is None:
        raise PersonUnknown(f"There is no person {who!r}.")
    return person
