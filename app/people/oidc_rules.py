"""What holds when the authority's identity provider says who somebody is. Pure.

Sources: OpenID Connect Core 1.0 (3.1.3.7), RFC 7636 (PKCE), RFC 9207 (issuer in the answer), RFC 9700
(best practice of OAuth 2.0).
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from app.access.rules import OF_THE_AUTHORITY, Role
from app.errors import (
    Conflict,
    Invalid,
    Malformed,
    NotAllowed,
    NotAuthenticated,
    Trouble,
    Unavailable,
    Unknown,
)

BEGUN_FOR = timedelta(minutes=10)
"""How long a sign-in may stay with the identity provider."""
SKEW = timedelta(seconds=60)
"""How far the clocks of provider and service may be apart."""
LOCAL = re.compile(r"^/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,499}$")
COOKIE_VALUE = re.compile(r"^([A-Za-z0-9_-]{43})\.([A-Za-z0-9_=-]{1,700})$")
PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class OidcNotSet(Unknown):
    """No identity provider is set; sign in with an account of this service."""


class ReturnElsewhere(Invalid):
    """After signing in, only an address on this service can be returned to."""


class SignInNotBegun(Malformed):
    """This sign-in was not begun in this browser, or more than ten minutes ago."""


class StateMismatch(Malformed):
    """The answer belongs to another sign-in than the one begun in this browser."""


class SignInReplayed(Malformed):
    """This sign-in was finished before; an answer counts once."""


class ProviderDeclined(NotAuthenticated):
    """The identity provider did not confirm who this is."""


class ProviderUnreachable(Unavailable):
    """The identity provider does not answer just now."""

    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "30"}


class ProviderUnfit(Trouble):
    """The identity provider is not set up as this service needs it, or the other way round."""

    status = 502


class IdentityRefused(NotAuthenticated):
    """What the identity provider said of the person cannot be relied on."""


class WrongIssuer(IdentityRefused):
    """The answer comes from another issuer than the identity provider that was asked."""


class WrongAudience(IdentityRefused):
    """The identity was confirmed to another service than this one."""


class NonceMismatch(IdentityRefused):
    """The identity was confirmed for another sign-in than this one."""


class IdentityExpired(IdentityRefused):
    """The confirmation of the identity has expired."""


class ClockSkew(IdentityRefused):
    """The confirmation of the identity is from the future: the clocks are too far apart."""


class SigningKeyUnknown(IdentityRefused):
    """The confirmation of the identity is signed by a key the identity provider does not publish."""


class IdentityUnsigned(IdentityRefused):
    """The confirmation of the identity is not signed as it must be."""


class NoRoleForYou(NotAllowed):
    """The identity provider knows you, but none of your groups has a role here."""


class AccountNotJoined(Conflict):
    """An account with your sign-in name is on file already, and not joined with your identity."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the identity provider says somebody is. `subject` is theirs for good; a name may change.

    `role` is none when no group has one. `seen_at` is when the provider last saw the person.
    """

    issuer: str
    subject: str
    name: str
    email: str | None
    role: Role | None
    seen_at: datetime


def mapping(text: str) -> tuple[tuple[str, Role], ...]:
    """Read `group=role` pairs, the first of which wins; raises ValueError naming the bad one.

    They stand with commas between them, or, for groups with commas in their names, with semicolons.
    """
    pairs = []
    for pair in re.split(r"[;\n]" if re.search(r"[;\n]", text) else ",", text):
        group, sign, role = pair.rpartition("=")
        if not pair.strip():
            continue
        if not sign or not group.strip() or role.strip() not in OF_THE_AUTHORITY:
            known = ", ".join(sorted(OF_THE_AUTHORITY))
            raise ValueError(f"{pair.strip()!r} is not group=role with a role of: {known}")
        pairs.append((group.strip(), Role(role.strip())))
    return tuple(pairs)


def role_of(groups: Sequence[str], roles: Sequence[tuple[str, Role]]) -> Role | None:
    """Give the role of the first line of the mapping that names a group of the person."""
    return next((role for group, role in roles if group in groups), None)


def groups_of(claim: Any) -> list[str] | None:
    """Read a claim of groups: a list of names, or one name; None when it is not there."""
    if isinstance(claim, str):
        return [claim]
    if isinstance(claim, list):
        return [group for group in claim if isinstance(group, str)]
    return None


def check_local(path: str) -> str:
    """Refuse to send anybody elsewhere after signing in (OWASP ASVS 5.0, 3.7.2)."""
    if not LOCAL.match(path):
        raise ReturnElsewhere(
            "Give a path on this service, which begins with one slash.", pointer="/return_to"
        )
    return path


def cookie(secret: str, return_to: str) -> str:
    """Write what the browser keeps while its person is with the provider."""
    return f"{secret}.{urlsafe_b64encode(return_to.encode()).decode()}"


def opened(value: str | None) -> tuple[str, str]:
    """Take the secret and where to return to out of that cookie."""
    match = COOKIE_VALUE.match(value or "")
    if match is not None:
        try:
            return match[1], check_local(urlsafe_b64decode(match[2]).decode())
        except (NotBase64, UnicodeDecodeError, ReturnElsewhere):
            pass
    raise SignInNotBegun("Begin at GET /v1/sign-in/oidc, in the browser you come back with.")


def derived(secret: str, purpose: str) -> str:
    """Derive state, nonce and PKCE verifier from the secret that only the browser keeps."""
    made = hmac.digest(secret.encode(), f"endwatch {purpose}".encode(), hashlib.sha256)
    return urlsafe_b64encode(made).decode().rstrip("=")


def check_state(secret: str, state: str | None) -> None:
    """Refuse an answer that does not belong to what was begun in this browser."""
    if not hmac.compare_digest(derived(secret, "state").encode(), (state or "").encode()):
        raise StateMismatch("Begin anew at GET /v1/sign-in/oidc, and in one window only.")


def check_issuer(named: str | None, issuer: str, *, announced: bool) -> None:
    """Refuse the answer of another issuer (RFC 9207); one that announces its name must give it."""
    if named != issuer and (named is not None or announced):
        raise WrongIssuer("Begin anew at GET /v1/sign-in/oidc. If it repeats, tell the operator.")


def told(claims: Mapping[str, Any], *names: str) -> str | None:
    """Take the first of several claims that holds text, without what could mislead a reader."""
    for name in names:
        value = claims.get(name)
        if isinstance(value, str) and (text := PLAIN.sub("", value).strip()):
            return text[:200]
    return None


def sign_in_name(identity: Identity) -> str:
    """Name the account of an identity: its e-mail, or its subject where there is none."""
    return (identity.email or subject_name(identity)).casefold()


def subject_name(identity: Identity) -> str:
    """Name the account of an identity by what nobody else has: the subject at its issuer."""
    host = identity.issuer.partition("://")[2].partition("/")[0]
    return f"{identity.subject}@{host}".casefold()
