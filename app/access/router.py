"""How a route says who may use it, and how a request says who is asking.

A route without a declaration stops the service at its start (`undeclared`).
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBasic, HTTPBearer

from app import walls
from app.access.rules import (
    READS_FILINGS,
    Actor,
    KeyMissing,
    PasswordMissing,
    Role,
    RoleNotAllowed,
    check_scope,
    scope_of,
)
from app.access.service import asker
from app.lanes import STRANGER

METERED = "endwatch.metered"
"""Under this a request that was counted against its sender's quota notes how many are left."""

_WHO = "endwatch.who"

scheme = HTTPBearer(
    auto_error=False, bearerFormat="ew_<id>_<secret>", description="A key made by `endwatch keys`"
)
password_scheme = HTTPBasic(
    auto_error=False, realm="Endwatch", description="Any name, and as password a key"
)


class May:
    """The declaration of a route: which roles may use it. Answers with the actor."""

    for_keys = True

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Actor:
        """Recognize who is asking and whether the role may."""
        actor = await self._recognized(request)
        if METERED not in request.scope:
            request.scope[METERED] = request.app.state.quotas.take(actor.owner)
        recognized(request, actor)
        if actor.role not in self.roles:
            allowed = ", ".join(sorted(self.roles))
            raise RoleNotAllowed(f"Role {actor.role} may not do this; needed: {allowed}.")
        check_scope(actor, request.scope["route"].path, request.method)
        walls.note(request.scope, asker(actor))
        return actor

    async def _recognized(self, request: Request) -> Actor:
        """Recognize a key, or without any Authorization a person who is signed in."""
        header = request.headers.get("authorization")
        token = self._token(header)
        actor: Actor | None = None
        if header is None:
            actor = await request.app.state.recognition(request)
        elif token is not None:
            actor = await _by_key(request, token)
        if actor is None:
            raise KeyMissing("Send `Authorization: Bearer ew_…` with a key you were given.")
        return actor

    def _token(self, header: str | None) -> str | None:
        return bearer(header)


def recognized(request: Request, actor: Actor) -> None:
    """Note on a request who asks, also if it is then refused: the log line of a refusal tells it."""
    request.scope[_WHO] = actor.name


def who(scope: Mapping[str, Any]) -> str | None:
    """Name who was recognized behind a request; None while nobody was."""
    name: str | None = scope.get(_WHO)
    return name


async def _by_key(request: Request, token: str) -> Actor:
    """Know a key from memory, or look it up at the door, where strangers do not crowd out others."""
    state = request.app.state
    keyring, now = state.keyring, state.clock()
    actor: Actor | None = keyring.remembered(token, now)
    if actor is None:
        async with state.lanes.door.place(keyring.known_before(token) or STRANGER):
            actor = await run_in_threadpool(keyring.recognize, token, now)
    assert actor is not None
    return actor


class MayWithPassword(May):
    """The declaration of a route for programs that ask people for a name and a password.

    The password is the key, whatever the name; a key sent in the other way opens it too.
    """

    async def __call__(self, request: Request) -> Actor:
        """Recognize who is asking; a program that is refused is told to ask for a password."""
        try:
            return await super().__call__(request)
        except KeyMissing as missing:
            raise PasswordMissing(
                "Give a key you were given (ew_…) as password; any user name will do."
            ) from missing

    def _token(self, header: str | None) -> str | None:
        return bearer(header) or password(header)


def password(header: str | None) -> str | None:
    """Take the password out of an Authorization header (RFC 7617)."""
    if header is None or header[:6].lower() != "basic ":
        return None
    try:
        pair = base64.b64decode(header[6:].strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return pair.partition(":")[2].strip()


def bearer(header: str | None) -> str | None:
    """Take the token out of an Authorization header."""
    if header is None or header[:7].lower() != "bearer ":
        return None
    return header[7:].strip()


def may(*roles: Role) -> Any:
    """Declare the roles of a route, as a parameter's default dependency."""
    return Depends(May(*roles))


def may_with_password(*roles: Role) -> Any:
    """Declare the roles of a route that takes the key as a password too."""
    return Depends(MayWithPassword(*roles))


async def public() -> None:
    """Declare a route that needs no key."""


Public = Depends(public)
Officer = Annotated[Actor, may(Role.LICENSING_OFFICER)]
Reader = Annotated[Actor, may(*READS_FILINGS)]
Anybody = Annotated[Actor, may(*Role)]


def undeclared(routers: Iterable[APIRouter]) -> list[str]:
    """Name the routes that do not say who may use them; raises when there is none to look at."""
    routes = [route for router in routers for route in router.routes]
    assert routes, "no routes were found to check"
    return [
        f"{sorted(route.methods or [])} {route.path}"
        for route in routes
        if isinstance(route, APIRoute) and not any(map(_declares, calls(route)))
    ]


def scopes_of(routers: Iterable[APIRouter]) -> frozenset[str]:
    """List the scopes a key can be narrowed to, by the routes that ask for a key."""
    return frozenset(
        scope_of(route.path, method)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        and any(isinstance(call, May) and call.for_keys for call in calls(route))
        for method in route.methods or ()
    )


def calls(route: APIRoute) -> list[Callable[..., Any] | None]:
    """List the dependencies a route was declared with."""
    return [dependency.call for dependency in route.dependant.dependencies]


def _declares(call: Callable[..., Any] | None) -> bool:
    return isinstance(call, May) or call is public
