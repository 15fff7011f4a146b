"""What the routes of sign-in are given of a request, and how they answer with cookies."""

from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from app import walls
from app.people.ceremonies import Place
from app.people.outcomes import Granted, Outcome, Refused, Visitor
from app.people.recognition import (
    COOKIE,
    DEVICE_COOKIE,
    MayInPerson,
    Recognition,
    drop_cookie,
    set_cookie,
)
from app.people.rules import Presence, SessionMissing
from app.people.throttling import DEVICE_FOR
from app.settings import Settings
from app.wire.problems import answer


async def _visitor(request: Request) -> Visitor:
    """Say who knocks, if not sent by another site. Raises ForeignOrigin."""
    recognition: Recognition = request.app.state.recognition
    recognition.check_origin(request, strictly=False)
    walls.note_at_the_door(request.scope)
    return Visitor(
        address=request.client.host if request.client else None,
        user_agent=request.headers.get("user-agent"),
        host=request.headers.get("host", ""),
        token=request.cookies.get(COOKIE),
        device_token=request.cookies.get(DEVICE_COOKIE),
        origins=recognition.origins,
    )


async def _half_way(request: Request) -> Presence | None:
    """Say who stands half-way; a session that has ended is none."""
    recognition: Recognition = request.app.state.recognition
    try:
        return await recognition.presence(request)
    except SessionMissing:
        return None


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


VisitorDep = Annotated[Visitor, Depends(_visitor)]
HalfWay = Annotated[Presence | None, Depends(_half_way)]
SettingsDep = Annotated[Settings, Depends(_settings)]


async def _place(visitor: VisitorDep, settings: SettingsDep) -> Place:
    return visitor.place(settings)


PlaceDep = Annotated[Place, Depends(_place)]
SignedIn = Annotated[Presence, Depends(MayInPerson())]
AlsoHalfWay = Annotated[Presence, Depends(MayInPerson(half_way=True))]
Recently = Annotated[Presence, Depends(MayInPerson(recent=True))]
RecentlyOrHalfWay = Annotated[Presence, Depends(MayInPerson(half_way=True, recent=True))]


def respond(outcome: Outcome) -> Response:
    """Answer with the cookies of a session, or with a refusal; either is committed first."""
    if isinstance(outcome, Refused):
        refusal = answer(outcome.trouble)
        if outcome.seconds is not None:
            refusal.headers["Retry-After"] = str(outcome.seconds)
        return refusal
    granted = Response(outcome.answer.model_dump_json(), media_type="application/json")
    with_cookies(granted, outcome.token, outcome.device_token)
    return granted


def shown_once(made: BaseModel, whole: Granted | None) -> Response:
    """Answer 201 with what no cache may keep, and with the cookies of a session that was opened."""
    response = Response(made.model_dump_json(), 201, media_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if whole is not None:
        with_cookies(response, whole.token, whole.device_token)
    return response


def with_cookies(response: Response, token: str, device_token: str | None) -> None:
    """Put a session's token into its cookie, and a device's beside it."""
    response.headers["Cache-Control"] = "no-store"
    set_cookie(response, token)
    if device_token is not None:
        seconds = int(DEVICE_FOR.total_seconds())
        set_cookie(response, device_token, name=DEVICE_COOKIE, seconds=seconds)


def signed_out(response: Response) -> Response:
    """Take the session's cookie back, and have the browser forget what it kept of us."""
    drop_cookie(response)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
