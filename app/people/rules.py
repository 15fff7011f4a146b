"""What holds for people: who may administer whom, how long a session lasts, how long to wait.

Limits follow OWASP ASVS 5.0 (chapters 6 and 7) and NIST SP 800-63B-4 where a source is named.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from app.access.rules import ALPHABET, OF_THE_AUTHORITY, Actor, Role
from app.errors import Conflict, Invalid, NotAllowed, NotAuthenticated, Unknown

RECENT = timedelta(minutes=15)
"""How old a sign-in may be for a route that changes credentials."""
HALF_WAY = timedelta(minutes=10)
"""How long a sign-in may stand half-way, after the password and before the passkey."""
SEEN_EVERY = timedelta(minutes=1)
INVITED_FOR = timedelta(days=7)
PERSON_ID_LENGTH = 12
"""Two more than a key's, so that no person is ever taken for a key."""


class Level(StrEnum):
    """How far somebody has signed in; only `full` opens anything beyond one's own account."""

    FULL = "full"
    SECOND_FACTOR = "second_factor"
    ENROLMENT = "enrolment"


class SignInState(StrEnum):
    """What a sign-in has come to, in the words of the API."""

    SIGNED_IN = "signed_in"
    PASSKEY_NEEDED = "passkey_needed"
    PASSKEY_REGISTRATION_NEEDED = "passkey_registration_needed"


STATES: Mapping[Level, SignInState] = MappingProxyType(
    {
        Level.FULL: SignInState.SIGNED_IN,
        Level.SECOND_FACTOR: SignInState.PASSKEY_NEEDED,
        Level.ENROLMENT: SignInState.PASSKEY_REGISTRATION_NEEDED,
    }
)


class SessionMissing(NotAuthenticated):
    """Nobody is signed in here, or the session has ended."""


class SignInUnfinished(NotAllowed):
    """The sign-in stands half-way: a passkey is still needed."""


class PersonNeeded(NotAllowed):
    """Only a person who is signed in may do this, not a key."""


class SignInTooOld(NotAllowed):
    """Changing credentials needs a sign-in of the last 15 minutes: sign in again."""


class ForeignOrigin(NotAllowed):
    """The request comes from another site than this service's own."""


class PersonUnknown(Unknown):
    """There is no such person."""


class SessionUnknown(Unknown):
    """There is no such session."""


class PersonHasEnded(Conflict):
    """The account of this person has ended."""


class LastAdministrator(Conflict):
    """Nobody would be left to administer: this is the last administrator."""


class OwnRole(NotAllowed):
    """Nobody changes their own role."""


class PartyAdministratorNeeded(NotAllowed):
    """Only an administrator, or an exporter's own administrator for its own people, may do this."""


class RoleUnfit(Invalid):
    """Role, party and administration do not fit together."""


@dataclass(frozen=True, slots=True)
class Presence(Actor):
    """A person who is signed in: an actor with the session, and how it came about."""

    session: str = ""
    level: Level = Level.FULL
    authenticated_at: datetime | None = None
    administers_party: bool = False


def mint_id(length: int = PERSON_ID_LENGTH) -> str:
    """Make a random id."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def folded(sign_in: str) -> str:
    """Write a sign-in name as it is compared and stored."""
    return sign_in.strip().casefold()


def check_role(role: Role, party: str | None, *, administers_party: bool) -> None:
    """Refuse a role whose party or administration does not fit it."""
    if (role is Role.EXPORTER) != (party is not None):
        raise RoleUnfit(
            "Give the party's reference with role exporter, and with no other role.",
            pointer="/party",
        )
    if administers_party and role is not Role.EXPORTER:
        raise RoleUnfit(
            "Only an exporter's person administers its own party.", pointer="/administers_party"
        )


def administers(actor: Actor) -> bool:
    """Say whether somebody may administer accounts at all."""
    own = isinstance(actor, Presence) and actor.administers_party
    return actor.role is Role.ADMINISTRATOR or own


def check_administers(actor: Actor, role: Role, party: str | None) -> None:
    """Refuse to let anybody make or change accounts and keys beyond what they administer."""
    if actor.role is Role.ADMINISTRATOR:
        return
    if not administers(actor):
        raise PartyAdministratorNeeded("Ask an administrator, or the administrator of your party.")
    if role is not Role.EXPORTER or party != actor.party:
        raise PartyAdministratorNeeded(
            f"You administer people and keys of {actor.party} in role exporter alone.",
            pointer="/role" if role is not Role.EXPORTER else "/party",
        )


def check_recent(authenticated_at: datetime | None, now: datetime) -> None:
    """Refuse to change credentials in a session whose person was not seen to be there lately."""
    if authenticated_at is None or now - authenticated_at > RECENT:
        raise SignInTooOld(
            f"Sign in again: this needs a sign-in of the last {RECENT.seconds // 60} minutes."
        )


def check_fresh(actor: Actor, now: datetime) -> None:
    """Ask a person, but no key, for a recent sign-in."""
    if isinstance(actor, Presence):
        check_recent(actor.authenticated_at, now)


def lasts(
    seen_at: datetime, ends_at: datetime, ended_at: datetime | None, idle: timedelta, now: datetime
) -> bool:
    """Say whether a session goes on: not ended, seen within the idle limit, within the absolute one."""
    return ended_at is None and now < ends_at and now - seen_at < idle


def own_origin(origin: str, host: str, origins: frozenset[str]) -> bool:
    """Say whether an origin is this service's own: one that was set, or that of the Host header."""
    return origin in (origins or {f"https://{host}", f"http://{host}"} if host else origins)


def check_origin(headers: Mapping[str, str], origins: frozenset[str], *, strictly: bool) -> None:
    """Refuse a change that another site asks for (OWASP ASVS 5.0, 3.5.1).

    A request that a cookie speaks for must name its origin (`strictly`). One without a cookie, such
    as a sign-in from a program, may leave it out, but must not name another.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in {"same-origin", "none"}:
        raise ForeignOrigin(
            "A browser says that another site sent this; send it from our own pages."
        )
    if origin is None and strictly:
        raise ForeignOrigin("Send the header `Origin` with this service's own address.")
    if origin is not None and not own_origin(origin, headers.get("host", ""), origins):
        raise ForeignOrigin(
            "The header `Origin` names another address than this service's own (ENDWATCH_ORIGINS)."
        )


def level_of(role: Role, *, passkeys: bool, required: bool) -> Level:
    """Say how far a right password brings somebody."""
    if passkeys:
        return Level.SECOND_FACTOR
    return Level.ENROLMENT if required and role in OF_THE_AUTHORITY else Level.FULL


BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
    "curl": "curl",
}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def browser(user_agent: str | None) -> str:
    """Name the kind of browser, coarse enough to say nothing of its person."""
    told = user_agent or ""
    name = next((name for mark, name in BROWSERS.items() if mark in told), "another program")
    system = next((name for mark, name in SYSTEMS.items() if mark in told), None)
    return f"{name} on {system}" if system else name
