"""Tells the routes who is signed in: the cookie, what a browser must prove, the session behind it."""

from dataclasses import replace
from datetime import datetime

import structlog
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from app import walls
from app.access.router import May, recognized
from app.access.rules import Actor, Role, RoleNotAllowed
from app.access.service import asker
from app.database import Sessions
from app.lanes import STRANGER
from app.people import rules, sessions
from app.people.rules import (
    ForeignOrigin,
    Level,
    PartyAdministratorNeeded,
    PersonNeeded,
    Presence,
    SessionMissing,
    SignInUnfinished,
)
from app.settings import Settings

_log = structlog.get_logger()

COOKIE = "__Host-endwatch"
DEVICE_COOKIE = "__Host-endwatch-device"
HALF_WAY = "half_way"
"""What the database is told of who still needs a passkey: they reach what is their own account."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Recognition:
    """Recognizes people by their cookie. `May` asks it when a request carries no Authorization."""

    def __init__(self, factory: Sessions, settings: Settings) -> None:
        self._sessions = factory
        self.settings = settings
        self.origins = frozenset(settings.origins.split())

    async def __call__(self, request: Request) -> Actor | None:
        """Say who is signed in, and wholly; None when there is no cookie."""
        found = await self.presence(request)
        if found is not None and found.level is not Level.FULL:
            raise SignInUnfinished(f"Sign-in is not finished: {rules.STATES[found.level]}.")
        return found

    async def presence(self, request: Request) -> Presence | None:
        """Say who is signed in, also half-way; a change must come from our own pages."""
        token = request.cookies.get(COOKIE)
        if not token:
            return None
        if request.method not in SAFE:
            self.check_origin(request, strictly=True)
        state = request.app.state
        async with state.lanes.door.place(STRANGER):
            return await run_in_threadpool(self._recognize, token, state.clock())

    def check_origin(self, request: Request, *, strictly: bool) -> None:
        """Refuse what another site asks for, and log that it tried. Raises ForeignOrigin."""
        try:
            rules.check_origin(request.headers, self.origins, strictly=strictly)
        except ForeignOrigin:
            origin = request.headers.get("origin", "")[:100]
            _log.warning("foreign_origin", path=request.url.path, origin=origin)
            raise

    def _recognize(self, token: str, now: datetime) -> Presence:
        with self._sessions.begin() as session:
            return sessions.recognize(session, token, self.settings, now=now)


class MayInPerson(May):
    """The declaration of a route for people who are signed in, whatever their role.

    `half_way` lets in those who still need a passkey; `recent` asks for a sign-in of the last minutes,
    which is asked of those alone who have one: where the passkey is still needed, it is recent.
    """

    for_keys = False

    def __init__(self, *roles: Role, half_way: bool = False, recent: bool = False) -> None:
        super().__init__(*(roles or Role))
        self.half_way = half_way
        self.recent = recent

    async def __call__(self, request: Request) -> Presence:
        """Recognize who is signed in, and whether that is enough."""
        if request.headers.get("authorization") is not None:
            raise PersonNeeded("Sign in as a person and leave the header `Authorization` out.")
        recognition: Recognition = request.app.state.recognition
        found = await recognition.presence(request)
        if found is None:
            raise SessionMissing("Sign in at POST /v1/sign-in, and send the cookie it sets.")
        recognized(request, found)
        if found.level is not Level.FULL and not self.half_way:
            raise SignInUnfinished(f"Sign-in is not finished: {rules.STATES[found.level]}.")
        if found.role not in self.roles:
            raise RoleNotAllowed(
                f"Role {found.role} may not do this; needed: {', '.join(sorted(self.roles))}."
            )
        if self.recent:
            rules.check_recent(found.authenticated_at, request.app.state.clock())
        known = asker(found)
        whole = found.level is Level.FULL
        walls.note(request.scope, known if whole else replace(known, role=HALF_WAY, party=None))
        return found


class MayAdminister(May):
    """The declaration of a route for administrators, and for an exporter's own administrator.

    A key of an exporter administers nobody, whoever made it.
    """

    def __init__(self) -> None:
        super().__init__(Role.ADMINISTRATOR, Role.EXPORTER)

    async def __call__(self, request: Request) -> Actor:
        """Recognize who is asking, and whether they administer anybody."""
        actor = await super().__call__(request)
        if not rules.administers(actor):
            raise PartyAdministratorNeeded(
                "Ask an administrator, or the administrator of your party."
            )
        return actor


def set_cookie(
    response: Response, token: str, *, name: str = COOKIE, seconds: int | None = None
) -> None:
    """Hand out a token as a cookie for this host alone, which no script reads."""
    response.set_cookie(
        name, token, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response) -> None:
    """Take the session's cookie back."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
