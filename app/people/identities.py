"""Which person somebody is whom the identity provider has identified; made at the first sign-in.

The provider decides on the role, anew with every sign-in. Nobody is taken for a person on file by the
e-mail alone: whoever could choose an e-mail there could become anybody here.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Trouble
from app.people import oidc_rules, rules, sessions
from app.people.models import Person, PersonIdentity
from app.people.oidc_rules import AccountNotJoined, Identity, NoRoleForYou
from app.people.rules import PersonHasEnded, Presence

PROVIDER = "provider:oidc"
"""How the journal names the identity provider where it is the provider that decided."""


def admit(
    session: Session, identity: Identity, *, present: Presence | None, now: datetime
) -> Person | Trouble:
    """Find or make the person, with the role the provider gives; or say why it may not come in.

    What a refusal leads to is stored as well, so it is an answer and not an exception. `present` is who
    is signed in in the same browser.
    """
    person = _known(session, identity)
    if person is not None and person.state != "active":
        return PersonHasEnded("Your account here has ended. Ask an administrator.")
    if identity.role is None:
        if person is not None:
            _expel(session, person, now)
        return NoRoleForYou("Ask whoever keeps the groups of the identity provider.")
    if person is None:
        return _first(session, identity, present, now)
    _update(session, person, identity, now)
    return person


def _known(session: Session, identity: Identity) -> Person | None:
    """Find and hold the person of an identity."""
    return session.scalars(
        select(Person)
        .join(PersonIdentity, PersonIdentity.person_id == Person.id)
        .where(PersonIdentity.issuer == identity.issuer, PersonIdentity.subject == identity.subject)
        .with_for_update(of=Person)
    ).one_or_none()


def _expel(session: Session, person: Person, now: datetime) -> None:
    """End the sessions of somebody whom the provider gives no role any more."""
    ended = sessions.end(session, person.id, reason="you have no role any more", now=now)
    if ended:
        body: dict[str, Any] = {"sessions": ended}
        sessions.tell(session, person, "person.sessions_ended", body, actor=PROVIDER, now=now)


def _first(
    session: Session, identity: Identity, present: Presence | None, now: datetime
) -> Person | Trouble:
    """Take in an identity that was never here: a new person, or the one who is signed in as well."""
    name = oidc_rules.sign_in_name(identity)
    namesake = session.scalars(
        select(Person).where(Person.sign_in == name).with_for_update()
    ).one_or_none()
    if namesake is not None and _known_to(session, namesake, identity.issuer):
        # The provider knows both, as two: an address that went from one person to another.
        namesake, name = None, oidc_rules.subject_name(identity)
    if namesake is None:
        person = _made(session, identity, name, now)
    elif (trouble := _not_joined(namesake, present)) is not None:
        return trouble
    else:
        person = namesake
        _update(session, person, identity, now)
    _join(session, person, identity, now)
    return person


def _known_to(session: Session, person: Person, issuer: str) -> bool:
    query = select(PersonIdentity.subject).where(
        PersonIdentity.person_id == person.id, PersonIdentity.issuer == issuer
    )
    return session.scalars(query.limit(1)).first() is not None


def _not_joined(namesake: Person, present: Presence | None) -> Trouble | None:
    """Say why an account is not joined with an identity of the same name; None: it may be."""
    if namesake.state != "active":
        return PersonHasEnded("An account with your sign-in name has ended. Ask an administrator.")
    if namesake.party is not None:
        return AccountNotJoined("That account belongs to an exporter. Ask an administrator.")
    if present is None or present.key != namesake.id or present.level is not rules.Level.FULL:
        return AccountNotJoined(
            "Sign in to that account first and come again in the same browser: then the two are "
            "joined."
        )
    return None


def _join(session: Session, person: Person, identity: Identity, now: datetime) -> None:
    session.add(
        PersonIdentity(
            issuer=identity.issuer, subject=identity.subject, person_id=person.id, made_at=now
        )
    )
    sessions.tell(
        session,
        person,
        "person.identity_joined",
        {"issuer": identity.issuer, "subject": identity.subject},
        actor=PROVIDER,
        personal=("subject",),
        now=now,
    )


def _made(session: Session, identity: Identity, name: str, now: datetime) -> Person:
    assert identity.role is not None
    person = Person(
        id=rules.mint_id(),
        sign_in=name,
        name=identity.name,
        role=identity.role,
        administers_party=False,
        state="active",
        made_at=now,
        made_by=PROVIDER,
    )
    session.add(person)
    session.flush()
    body: dict[str, Any] = {
        "role": person.role,
        "party": None,
        "name": person.name,
        "sign_in": name,
    }
    sessions.tell(
        session,
        person,
        "person.joined",
        body,
        actor=PROVIDER,
        personal=("name", "sign_in"),
        now=now,
    )
    return person


def _update(session: Session, person: Person, identity: Identity, now: datetime) -> None:
    """Give the person name and role as the provider has them now; another role ends all sessions."""
    assert identity.role is not None
    person.name = identity.name
    if person.role == identity.role:
        return
    before, person.role = person.role, identity.role
    sessions.end(session, person.id, reason="your role was changed", now=now)
    sessions.tell(
        session,
        person,
        "person.role_changed",
        {"role": person.role, "party": None, "role_before": before},
        actor=PROVIDER,
        now=now,
    )
