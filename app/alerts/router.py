"""Alerts over HTTP, for dashboards that poll."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.access.router import Reader
from app.alerts import service
from app.alerts.freshness import HEADERS, etag
from app.alerts.models import Alert
from app.alerts.schemas import AlertOut, AlertState, Feed, Summary
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.wire import Limit, Page, problems
from app.wire.pages import page_of
from monitors import Severity

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing has changed since the answer with this ETag."}
}


@router.get("", response_model=Feed, responses=problems(Invalid) | UNCHANGED)
def feed(
    request: Request,
    response: Response,
    reader: Reader,
    session: SessionDep,
    now: Now,
    after: Annotated[str | None, Query(description="The `next` of the answer before")] = None,
    limit: Limit = 100,
    severity: Severity | None = None,
    state: AlertState | None = None,
    country: str | None = None,
) -> Feed | Response:
    """Read what changed after a cursor, in journal order and without gaps.

    Send the answer's `ETag` back as `If-None-Match`: an unchanged feed answers 304 from memory.
    """
    progress = request.app.state.watch.current
    tag = None if progress is None else etag(reader, request.url.query, progress.alerts)
    response.headers.update(HEADERS)
    if tag is not None and tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=HEADERS | {"ETag": tag})
    found = service.feed(
        session,
        after=after,
        limit=limit,
        severity=severity,
        state=state,
        country=country,
        party=reader.reads_only,
        now=now,
    )
    if tag is not None and len(found.items) < limit:
        response.headers["ETag"] = tag
    return found


@router.get("/current", responses=problems(Invalid))
def current(
    reader: Reader, session: SessionDep, limit: Limit = 100, after: str | None = None
) -> Page[AlertOut]:
    """List open alerts, worst first."""
    rows = service.current(session, party=reader.reads_only, limit=limit, after=after)
    return page_of(rows, limit, AlertOut.model_validate, _keys)


def _keys(alert: Alert) -> tuple[Any, ...]:
    return (alert.rank, alert.raised_at.isoformat(), str(alert.id))


@router.get("/summary")
def summary(reader: Reader, session: SessionDep, now: Now) -> Summary:
    """Count open alerts by severity, country, kind and age, and all by state."""
    return service.summary(session, party=reader.reads_only, now=now)
