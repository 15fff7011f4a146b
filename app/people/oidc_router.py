"""Signing in by the authority's identity provider: there and back again."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from app.access.router import Public
from app.people import oidc_rules
from app.people.reception import Reception, Return
from app.people.recognition import COOKIE, set_cookie
from app.people.rules import PersonHasEnded, Presence, SessionMissing
from app.wire.problems import problems

router = APIRouter(tags=["people"])

BEGUN = "__Host-endwatch-oidc"
QUIET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
Given = Annotated[str | None, Query(max_length=4000)]


def _reception(request: Request) -> Reception:
    reception: Reception | None = request.app.state.reception
    if reception is None:
        raise oidc_rules.OidcNotSet("Sign in at POST /v1/sign-in, or set ENDWATCH_OIDC_ISSUER.")
    return reception


async def _present(request: Request) -> Presence | None:
    """Say who is signed in in this browser, if anybody still is."""
    try:
        present: Presence | None = await request.app.state.recognition.presence(request)
    except SessionMissing:
        return None
    return present


@router.get(
    "/v1/sign-in/oidc",
    status_code=303,
    response_class=RedirectResponse,
    dependencies=[Public],
    responses=problems(
        oidc_rules.OidcNotSet,
        oidc_rules.ReturnElsewhere,
        oidc_rules.ProviderUnfit,
        oidc_rules.ProviderUnreachable,
    ),
)
async def go_to_provider(
    request: Request,
    return_to: Annotated[
        str, Query(max_length=500, description="A path on this service to come back to")
    ] = "/v1/account",
    again: Annotated[bool, Query(description="Have the person sign in there anew")] = False,  # noqa: FBT002
) -> Response:
    """Send a browser to the identity provider of the authority, to come back at the callback."""
    reception, now = _reception(request), request.app.state.clock()
    host = request.headers.get("host", "")
    address, cookie = await reception.attend(
        partial(reception.begin, return_to, host, again=again, now=now)
    )
    response = RedirectResponse(address, 303, QUIET)
    seconds = int(oidc_rules.BEGUN_FOR.total_seconds())
    set_cookie(response, cookie, name=BEGUN, seconds=seconds)
    return response


@router.get(
    "/v1/sign-in/oidc/callback",
    status_code=303,
    response_class=RedirectResponse,
    dependencies=[Public],
    responses=problems(
        oidc_rules.SignInNotBegun,
        oidc_rules.StateMismatch,
        oidc_rules.SignInReplayed,
        oidc_rules.ProviderDeclined,
        oidc_rules.WrongIssuer,
        oidc_rules.WrongAudience,
        oidc_rules.NonceMismatch,
        oidc_rules.IdentityExpired,
        oidc_rules.ClockSkew,
        oidc_rules.SigningKeyUnknown,
        oidc_rules.IdentityUnsigned,
        oidc_rules.NoRoleForYou,
        oidc_rules.OidcNotSet,
        oidc_rules.AccountNotJoined,
        PersonHasEnded,
        oidc_rules.ProviderUnfit,
        oidc_rules.ProviderUnreachable,
    ),
)
async def come_back(
    request: Request,
    code: Given = None,
    state: Given = None,
    iss: Given = None,
    error: Given = None,
) -> Response:
    """Let somebody in whom the identity provider sends back: sets the session, and goes on."""
    reception, now = _reception(request), request.app.state.clock()
    back = Return(
        code=code,
        state=state,
        iss=iss,
        error=error,
        cookie=request.cookies.get(BEGUN),
        host=request.headers.get("host", ""),
        user_agent=request.headers.get("user-agent"),
        present=await _present(request) if COOKIE in request.cookies else None,
    )
    token, return_to = await reception.attend(partial(reception.finish, back, now=now))
    response = RedirectResponse(return_to, 303, QUIET)
    set_cookie(response, token)
    response.delete_cookie(BEGUN, path="/", secure=True, httponly=True, samesite="lax")
    return response
