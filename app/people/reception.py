"""Receives people who sign in by the authority's identity provider: sends them there, and lets them in.

While a provider is asked, no transaction is open and none of the threads that serve others waits: few
are with the provider at once, a few more wait in line, and the next are told to come again.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from sqlalchemy.orm import Session

from app import journal
from app.database import Sessions
from app.errors import Trouble
from app.people import identities, oidc_rules, sessions
from app.people.identities import PROVIDER
from app.people.models import Challenge, Person
from app.people.oidc_rules import (
    Identity,
    ProviderDeclined,
    ProviderUnreachable,
    ReturnElsewhere,
    SignInNotBegun,
    SignInReplayed,
)
from app.people.rules import Level, Presence
from app.settings import Settings

if TYPE_CHECKING:
    from app.people.oidc import Provider

T = TypeVar("T")

PURPOSE = "oidc"
CALLBACK = "/v1/sign-in/oidc/callback"
AT_ONCE, IN_LINE = 4, 16
TOLD_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Return:
    """What a browser comes back from the provider with: the answer, its cookie, who was there."""

    code: str | None
    state: str | None
    iss: str | None
    error: str | None
    cookie: str | None
    host: str
    user_agent: str | None
    present: Presence | None


class Reception:
    """The door for people of the authority's identity provider."""

    def __init__(self, factory: Sessions, settings: Settings, provider: "Provider") -> None:
        self._sessions = factory
        self._settings = settings
        self._provider = provider
        self._limiter: CapacityLimiter | None = None
        self._inside = 0
        self._refusals = Refusals()

    async def attend(self, do: Callable[[], T]) -> T:
        """Do what may have to wait for the provider, on a thread of its own, unless too many wait."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(AT_ONCE)
        if self._inside >= AT_ONCE + IN_LINE:
            raise ProviderUnreachable("Many people sign in just now. Try again in half a minute.")
        self._inside += 1  # here and not by the limiter, which counts those who wait too late
        try:
            return await run_sync(do, limiter=self._limiter)
        finally:
            self._inside -= 1

    def begin(self, return_to: str, host: str, *, again: bool, now: datetime) -> tuple[str, str]:
        """Give the address to send the browser to, and the cookie it keeps meanwhile.

        The cookie's secret makes state, nonce and PKCE verifier; of it only a hash is stored here.
        """
        secret = secrets.token_urlsafe(32)
        value = oidc_rules.cookie(secret, oidc_rules.check_local(return_to))
        with self._telling(now):
            address = self._provider.address(secret, self._redirect(host), again=again, now=now)
        with self._sessions.begin() as session:
            session.add(
                Challenge(
                    digest=sessions.digest(value),
                    purpose=PURPOSE,
                    expires_at=now + oidc_rules.BEGUN_FOR,
                )
            )
        return address, value

    def finish(self, back: Return, *, now: datetime) -> tuple[str, str]:
        """Let somebody in who comes back: the token of the session, and where to go on to."""
        with self._telling(now):
            with self._sessions.begin() as session:
                secret, return_to = _taken(session, back, now)
            if back.code is None:
                said = f" It says {back.error!r}." if (back.error or "").isidentifier() else ""
                raise ProviderDeclined(f"Begin anew, or ask whoever runs it.{said}")
            identity = self._provider.identify(
                back.code, secret, self._redirect(back.host), iss=back.iss, now=now
            )
            with self._sessions.begin() as session:
                outcome = self._entered(session, identity, back, now)
            if isinstance(outcome, Trouble):
                raise outcome
            return outcome, return_to

    def _entered(
        self, session: Session, identity: Identity, back: Return, now: datetime
    ) -> str | Trouble:
        """Open a session for an identity, or say why not. The session before it in this browser ends."""
        person = identities.admit(session, identity, present=back.present, now=now)
        if not isinstance(person, Person):
            return person
        if back.present is not None:
            reason, before = "you signed in again", back.present
            sessions.end(session, before.key, reason=reason, now=now, only=before.session)
        row, token = sessions.open(
            session,
            person,
            self._settings,
            level=Level.FULL,
            method=sessions.BY_PROVIDER,
            user_agent=back.user_agent,
            now=now,
        )
        row.authenticated_at = identity.seen_at
        return token

    def _redirect(self, host: str) -> str:
        """Give the address to come back to: at the origin of this host, or else the first one set."""
        origins = self._settings.origins.split()
        origin = next((one for one in origins if one.partition("://")[2] == host), origins[0])
        return origin + CALLBACK

    def _telling(self, now: datetime) -> "_Telling":
        return _Telling(partial(self._tell, now=now))

    def _tell(self, trouble: Trouble, *, now: datetime) -> None:
        """Tell the journal of a refusal, at most once a minute of each kind, with how many there were."""
        times = self._refusals.count(trouble.slug(), now)
        if times and not isinstance(trouble, ReturnElsewhere):
            with self._sessions.begin() as session:
                journal.append(
                    session,
                    actor=PROVIDER,
                    action="person.sign_in_refused",
                    subject="sign-in",
                    topic="people",
                    body={"problem": trouble.slug(), "times": times},
                    now=now,
                )


class _Telling:
    """Passes on what went wrong in its block, having told of it."""

    def __init__(self, tell: Callable[[Trouble], None]) -> None:
        self._tell = tell

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Trouble):
            self._tell(error)


class Refusals:
    """Counts refusals by kind, so that a flood of them leaves a trace and not a flood of entries."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[datetime, int]] = {}
        self._lock = threading.Lock()

    def count(self, kind: str, now: datetime) -> int:
        """Count one more; how many there are to be told of now, or none."""
        with self._lock:
            last, untold = self._told.get(kind, (None, 0))
            if last is not None and now - last < TOLD_EVERY:
                self._told[kind] = last, untold + 1
                return 0
            self._told[kind] = now, 0
            return untold + 1


def _taken(session: Session, back: Return, now: datetime) -> tuple[str, str]:
    """Take the sign-in that was begun in this browser; it counts once, whatever comes of it."""
    secret, return_to = oidc_rules.opened(back.cookie)
    oidc_rules.check_state(secret, back.state)
    digest = sessions.digest(back.cookie or "")
    begun = session.get(Challenge, digest, with_for_update=True)
    if begun is None or begun.purpose != PURPOSE or begun.expires_at <= now:
        raise SignInNotBegun("Begin anew at GET /v1/sign-in/oidc.")
    if begun.used_at is not None:
        raise SignInReplayed("Begin anew at GET /v1/sign-in/oidc.")
    begun.used_at = now
    return secret, return_to


def reception_of(settings: Settings, factory: Sessions) -> Reception | None:
    """Make the reception as the operator has set it; without an identity provider there is none."""
    if settings.oidc_issuer is None:
        return None
    from app.people.oidc import Provider  # takes memory that is not needed without a provider

    return Reception(factory, settings, Provider(settings))
