"""Passkeys of people: registered, used, named, removed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.rules import OF_THE_AUTHORITY, Role
from app.errors import Conflict, NotAuthenticated, Unknown
from app.people import ceremonies, rules, sessions
from app.people.ceremonies import PasskeyRefused, Place
from app.people.models import Passkey, Person
from app.people.rules import Presence

if TYPE_CHECKING:
    from webauthn.registration.verify_registration_response import VerifiedRegistration


class PasskeyUnknown(Unknown):
    """You have no such passkey."""


class PasskeyKnown(Conflict):
    """This passkey is registered already, or was removed."""


class LastSecondFactor(Conflict):
    """People of the authority must have a passkey, and this is the last one."""


class PasskeyCopied(NotAuthenticated):
    """The passkey counted backwards, as a copy of it would: it is refused."""


def of(session: Session, person_id: str) -> list[Passkey]:
    """List a person's passkeys, oldest first."""
    query = select(Passkey).where(Passkey.person_id == person_id, Passkey.removed_at.is_(None))
    return list(session.scalars(query.order_by(Passkey.made_at, Passkey.id)))


def register(
    session: Session,
    person: Person,
    credential: Mapping[str, Any],
    place: Place,
    *,
    name: str,
    session_id: str,
    now: datetime,
) -> Passkey:
    """Register the passkey an authenticator made for this session. Raises PasskeyRefused."""
    made = _made(session, credential, place, session_id=session_id, now=now)
    if session.scalar(select(Passkey.id).where(Passkey.credential_id == made.credential_id)):
        raise PasskeyKnown("Use it to sign in, or register another.", pointer="/credential")
    row = Passkey(
        id=rules.mint_id(),
        person_id=person.id,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=name,
        backed_up=made.credential_backed_up,
        made_at=now,
        used_at=None,
        removed_at=None,
    )
    session.add(row)
    session.flush()
    sessions.tell(
        session,
        person,
        "person.passkey_added",
        {"passkey": row.id, "name": name},
        personal=("name",),
        now=now,
    )
    return row


def _made(
    session: Session,
    credential: Mapping[str, Any],
    place: Place,
    *,
    session_id: str,
    now: datetime,
) -> "VerifiedRegistration":
    """Verify what an authenticator made. Raises PasskeyRefused."""
    import webauthn

    challenge = ceremonies.challenge_of(credential)
    asked = ceremonies.take(session, challenge, now=now)
    if asked.purpose != ceremonies.REGISTER or asked.session_id != session_id:
        raise PasskeyRefused("This was asked in another session. Begin again.")
    return ceremonies.accepted(
        lambda: webauthn.verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=place.domain,
            expected_origin=list(place.origins),
        )
    )


def recognize(
    session: Session,
    credential: Mapping[str, Any],
    place: Place,
    *,
    half_way: Presence | None,
    now: datetime,
) -> tuple[Person, Passkey, bool]:
    """Say whose passkey this is; the last part tells whether it counted backwards, as copies do.

    After a password it must be a passkey of the same person. Alone it must have verified its person, by
    a finger or a PIN, and so is two factors in one. Raises PasskeyRefused.
    """
    challenge = ceremonies.challenge_of(credential)
    asked = ceremonies.take(session, challenge, now=now)
    alone = asked.purpose == ceremonies.SIGN_IN
    if not alone and (
        asked.purpose != ceremonies.SECOND_FACTOR
        or half_way is None
        or asked.session_id != half_way.session
    ):
        raise PasskeyRefused("This was asked in another session. Begin again.")
    row, person = _named(session, credential)
    if not alone and half_way is not None and person.id != half_way.key:
        raise PasskeyRefused("This passkey is somebody else's.")
    count = _verified(row, credential, challenge, place, alone=alone)
    if (count or row.sign_count) and count <= row.sign_count:
        return person, row, True
    row.sign_count, row.used_at = count, now
    return person, row, False


def _named(session: Session, credential: Mapping[str, Any]) -> tuple[Passkey, Person]:
    """Find the passkey an answer names, and whose it is."""
    from webauthn.helpers import base64url_to_bytes

    id = ceremonies.readable(lambda: base64url_to_bytes(credential["rawId"]))
    found = session.execute(
        select(Passkey, Person)
        .join(Person, Person.id == Passkey.person_id)
        .where(Passkey.credential_id == id, Passkey.removed_at.is_(None), Person.state == "active")
        .with_for_update(of=Passkey)
    ).one_or_none()
    if found is None:
        raise PasskeyRefused("This passkey is not known here.")
    handle = ceremonies.readable(lambda: credential["response"].get("userHandle"))
    told = ceremonies.readable(lambda: base64url_to_bytes(handle) if handle else None)
    if told is not None and told != found[1].id.encode():
        raise PasskeyRefused("This passkey is not known here.")
    return found[0], found[1]


def _verified(
    row: Passkey, credential: Mapping[str, Any], challenge: bytes, place: Place, *, alone: bool
) -> int:
    """Verify the signature, and give the count. It is compared afterwards, once it is known as true."""
    import webauthn

    return ceremonies.accepted(
        lambda: webauthn.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=place.domain,
            expected_origin=list(place.origins),
            credential_public_key=row.public_key,
            credential_current_sign_count=0,
            require_user_verification=alone,
        )
    ).new_sign_count


def rename(session: Session, id: str, name: str, *, who: Presence) -> Passkey:
    """Give a passkey another name."""
    row = _own(session, id, who)
    row.name = name
    return row


def remove(session: Session, id: str, *, who: Presence, required: bool, now: datetime) -> Passkey:
    """End a passkey; the last one of somebody who must have one stays. Raises LastSecondFactor."""
    person = session.get_one(Person, who.key, with_for_update=True)
    row = _own(session, id, who)
    others: Sequence[Passkey] = [one for one in of(session, who.key) if one.id != id]
    if required and not others and Role(person.role) in OF_THE_AUTHORITY:
        raise LastSecondFactor("Register another passkey first, then remove this one.")
    row.removed_at = now
    sessions.tell(session, person, "person.passkey_removed", {"passkey": row.id}, now=now)
    return row


def _own(session: Session, id: str, who: Presence) -> Passkey:
    row = session.get(Passkey, id, with_for_update=True)
    if row is None or row.person_id != who.key or row.removed_at is not None:
        raise PasskeyUnknown(f"You have no passkey {id!r}.")
    return row
