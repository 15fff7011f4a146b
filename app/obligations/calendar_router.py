"""Calendars of what is owed, over HTTP."""

import hashlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Public, Reader
from app.clock import Now
from app.database import SessionDep
from app.obligations import almanac
from app.obligations.schemas import CalendarIn, CalendarMade, CalendarOut
from app.wire import problems

router = APIRouter(prefix="/v1", tags=["obligations"])

SENT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "RFC 5545"},
    304: {"description": "As it was"},
}


@router.post(
    "/calendars",
    response_model=CalendarMade,
    status_code=201,
    responses=problems(KeyUsedForOther),
)
def make(
    calendar: CalendarIn, reader: Reader, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Make an address at which a calendar program reads what is owed; it is shown this once."""
    made: list[almanac.Made] = []

    def make_it() -> CalendarMade:
        made.append(almanac.make(session, calendar, actor=reader, now=now))
        return CalendarMade(**made[0].calendar.model_dump(), path=None)

    once(make_it, session=session, actor=reader, now=now)  # the answer kept there has no token
    done, token = made[0]
    whole = CalendarMade(**done.model_dump(), path=f"/v1/calendar/{token}.ics")
    return Response(whole.model_dump_json(), 201, media_type="application/json")


@router.get("/calendars")
def browse(reader: Reader, session: SessionDep) -> list[CalendarOut]:
    """List the calendars made with this key, latest first; their addresses are not shown again."""
    return almanac.listed(session, actor=reader)


@router.post(
    "/calendars/{id}/revocation",
    response_model=CalendarOut,
    responses=problems(almanac.CalendarUnknown, KeyUsedForOther),
)
def revoke(id: UUID, reader: Reader, session: SessionDep, now: Now, once: OnceDep) -> Response:
    """End a calendar: its address is not there any more."""
    return once(
        lambda: almanac.revoke(session, id, actor=reader, now=now),
        session=session,
        actor=reader,
        now=now,
        status=200,
    )


@router.get(
    "/calendar/{token}.ics",
    dependencies=[Public],
    response_class=Response,
    responses={**SENT, **problems(almanac.CalendarUnknown)},
)
def read(
    token: str,
    session: SessionDep,
    now: Now,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Read a calendar. Who knows the address needs no key; an `ETag` spares what has not changed."""
    written = almanac.read(session, token, now=now)
    tag = f'"{hashlib.sha256(written).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(written, headers=headers, media_type="text/calendar; charset=utf-8")
