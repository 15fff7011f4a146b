"""What a sign-in may come to. A refusal is an answer, not an exception, where its trace is committed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app import journal
from app.errors import TooMany, Trouble
from app.people import throttling
from app.people.ceremonies import Place
from app.people.schemas import SignInOut
from app.people.throttling import Counted
from app.settings import Settings


class SignInThrottled(TooMany):
    """It failed too often of late: wait as long as `Retry-After` says."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who knocks: address, program, and the cookies it brings."""

    address: str | None
    user_agent: str | None
    host: str
    token: str | None
    device_token: str | None
    origins: frozenset[str]

    def place(self, settings: Settings) -> Place:
        """Say where passkeys are used. Raises PasskeyDomainDiffers."""
        return Place.of(settings.passkey_domain, self.origins, self.host)


@dataclass(frozen=True, slots=True)
class Granted:
    """A session was opened, whole or half-way; its token goes into a cookie."""

    answer: SignInOut
    token: str
    device_token: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody was let in. The answer says why, and for how many seconds nobody is heard."""

    trouble: Trouble
    seconds: int | None = None


Outcome = Granted | Refused


def throttled(seconds: int) -> Refused:
    """Refuse to listen for a while."""
    return Refused(SignInThrottled(f"Try again in {seconds} seconds."), seconds)


def failed(
    session: Session,
    counted: list[Counted],
    trouble: Trouble,
    *,
    subject: str,
    said: dict[str, str | None],
    now: datetime,
) -> Refused:
    """Count a failure, and tell of the first and of the one that makes everybody wait."""
    if throttling.failed(session, counted, now=now):
        journal.append(
            session,
            actor="anybody",
            action="person.sign_in_refused",
            subject=subject,
            topic="people",
            body={"problem": trouble.slug(), **said},
            personal=list(said),
            now=now,
        )
    return Refused(trouble)
