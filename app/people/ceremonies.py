"""WebAuthn: what an authenticator is asked, once, and what its answer must be.

Level 3 of the W3C's Web Authentication, by the library py_webauthn. Attestation is not asked for: any
authenticator will do, as OWASP ASVS 5.0 asks of level 2.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.errors import Conflict, Malformed, NotAuthenticated
from app.people.models import Challenge, Passkey, Person

_log = structlog.get_logger()

ANSWERED_WITHIN = timedelta(minutes=5)
REGISTER, SIGN_IN, SECOND_FACTOR = "register", "sign_in", "second_factor"

T = TypeVar("T")


class PasskeyRefused(NotAuthenticated):
    """This passkey is not known here, or its answer does not fit what it was asked."""


class PasskeyUnreadable(Malformed):
    """This is not what a browser says of a passkey."""


class PasskeyDomainDiffers(Conflict):
    """The service is reached under another name than the one its passkeys belong to."""


@dataclass(frozen=True, slots=True)
class Place:
    """The name passkeys belong to, and the addresses at which they may be used."""

    domain: str
    origins: tuple[str, ...]

    @classmethod
    def of(cls, domain: str, origins: frozenset[str], host: str) -> "Place":
        """Say where a request came in: at the origins that were set, or at the host it names."""
        if origins:
            return cls(domain, tuple(sorted(origins)))
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name != domain and not name.endswith(f".{domain}"):
            raise PasskeyDomainDiffers(
                f"Passkeys belong to {domain}, and you are at {name or 'an address without a name'}. "
                "Use that address, or have ENDWATCH_PASSKEY_DOMAIN set to this one."
            )
        return cls(domain, (f"https://{host}", f"http://{host}"))


def ask_to_register(
    session: Session,
    person: Person,
    known: Sequence[Passkey],
    place: Place,
    *,
    session_id: str,
    now: datetime,
) -> dict[str, Any]:
    """Make the options of `navigator.credentials.create()`."""
    import webauthn  # takes memory that most processes never need
    from webauthn.helpers import options_to_json_dict, structs

    options = webauthn.generate_registration_options(
        rp_id=place.domain,
        rp_name="Endwatch",
        user_id=person.id.encode(),
        user_name=person.sign_in,
        user_display_name=person.name,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[
            structs.PublicKeyCredentialDescriptor(id=one.credential_id) for one in known
        ],
    )
    _keep(session, options.challenge, REGISTER, session_id, now)
    return options_to_json_dict(options)


def ask_to_sign_in(
    session: Session,
    known: Sequence[Passkey],
    place: Place,
    *,
    session_id: str | None,
    now: datetime,
) -> dict[str, Any]:
    """Make the options of `navigator.credentials.get()`: of one person's passkeys, or of any."""
    import webauthn
    from webauthn.helpers import options_to_json_dict, structs

    alone = session_id is None
    options = webauthn.generate_authentication_options(
        rp_id=place.domain,
        allow_credentials=[
            structs.PublicKeyCredentialDescriptor(id=one.credential_id) for one in known
        ],
        user_verification=structs.UserVerificationRequirement.REQUIRED
        if alone
        else structs.UserVerificationRequirement.PREFERRED,
    )
    _keep(session, options.challenge, SIGN_IN if alone else SECOND_FACTOR, session_id, now)
    return options_to_json_dict(options)


def _keep(
    session: Session, challenge: bytes, purpose: str, session_id: str | None, now: datetime
) -> None:
    session.add(
        Challenge(
            digest=hashlib.sha256(challenge).digest(),
            purpose=purpose,
            session_id=session_id,
            expires_at=now + ANSWERED_WITHIN,
            used_at=None,
        )
    )
    session.flush()


def challenge_of(credential: Mapping[str, Any]) -> bytes:
    """Read which challenge an answer claims to answer."""
    from webauthn.helpers import base64url_to_bytes

    def read() -> bytes:
        told = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        return base64url_to_bytes(told["challenge"])

    return readable(read)


def take(session: Session, challenge: bytes, *, now: datetime) -> Challenge:
    """Take a challenge that waits for its answer: each is answered once. Raises PasskeyRefused."""
    digest = hashlib.sha256(challenge).digest()
    taken = session.scalars(
        update(Challenge)
        .where(Challenge.digest == digest, Challenge.used_at.is_(None), Challenge.expires_at > now)
        .values(used_at=now)
        .returning(Challenge)
    ).one_or_none()
    if taken is None:
        raise PasskeyRefused("Nothing was asked like this, or too long ago. Begin again.")
    return taken


def readable(read: Callable[[], T]) -> T:
    """Read what a browser sent. Whatever goes wrong in it is the sender's, so all is caught."""
    try:
        return read()
    except Exception as error:
        _log.debug("passkey_unreadable", error=type(error).__name__)
        raise PasskeyUnreadable(
            "Send what `navigator.credentials` gave, as its `toJSON()` writes it.",
            pointer="/credential",
        ) from error


def accepted(check: Callable[[], T]) -> T:
    """Check an answer; a wrong one is refused, whatever is wrong in it."""
    try:
        return check()
    except Exception as error:
        _log.info("passkey_refused", error=str(error)[:200])
        raise PasskeyRefused("The passkey's answer does not fit what it was asked.") from error
