"""What operators look at: liveness, readiness, metrics, and a log line for each request."""

import asyncio
import time
from typing import Any

import structlog
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from pydantic import BaseModel
from sqlalchemy import Engine, text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import router as access
from app.access.router import Public
from app.errors import Unavailable
from app.wire import problems
from app.wire.addresses import shown

router = APIRouter(tags=["operation"])

REQUESTS = Counter("endwatch_requests_total", "Requests answered", ["method", "status"])
SECONDS = Histogram(
    "endwatch_request_seconds",
    "Time to answer",
    ["method"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
SEQ = Gauge("endwatch_journal_seq", "Last journal number this process has heard of")
WORKING = Gauge("endwatch_working", "Requests worked on just now", ["lane"])
WAITING = Gauge("endwatch_waiting", "Requests waiting in line just now", ["lane"])

_log = structlog.get_logger()


class NotReady(Unavailable):
    """The service cannot do its work just now."""


class Health(BaseModel):
    """How it is."""

    status: str


@router.get("/livez", dependencies=[Public])
async def livez() -> Health:
    """Tell that the process answers."""
    return Health(status="alive")


class Pulse:
    """Asks the database whether it answers, once for all who want to know at the same time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limiter = CapacityLimiter(1)
        self._asking: asyncio.Task[None] | None = None

    async def feel(self) -> None:
        """Return when it answers; raises what the database raises."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(run_sync(self._ask, limiter=self._limiter))
        await asyncio.shield(self._asking)

    def _ask(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))


@router.get("/readyz", dependencies=[Public], responses=problems(NotReady))
async def readyz(request: Request) -> Health:
    """Tell whether the database answers and the journal is heard."""
    await request.app.state.pulse.feel()
    if request.app.state.watch.current is None:
        raise NotReady("The journal is not heard yet.")
    return Health(status="ready")


@router.get("/metrics", dependencies=[Public], response_class=Response)
async def metrics(request: Request) -> Response:
    """Give the process's figures in Prometheus text format."""
    progress = request.app.state.watch.current
    if progress is not None:
        SEQ.set(progress.seq)
    for lane in request.app.state.lanes:
        WORKING.labels(lane.name).set(lane.working)
        WAITING.labels(lane.name).set(lane.waiting)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class Observed:
    """ASGI layer that counts, times and logs every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time a request, and log what became of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            _note(scope, status, time.perf_counter() - begun)


REFUSED = frozenset({401, 403, 429})
"""What is told at the ordinary level, with who asked: attempts that an operator may look into."""


def _note(scope: Scope, status: int, seconds: float) -> None:
    method, path = scope["method"], shown(scope)
    _child(REQUESTS, method, str(status)).inc()
    _child(SECONDS, method).observe(seconds)
    if status >= 500:
        _log.warning("answered", path=path, method=method, status=status, seconds=seconds)
    elif status in REFUSED:
        who = access.who(scope)
        _log.info("refused", path=path, method=method, status=status, who=who, seconds=seconds)
    else:
        _log.debug("answered", path=path, method=method, status=status, seconds=seconds)


_children: dict[tuple[Any, ...], Any] = {}


def _child(metric: Any, *labels: str) -> Any:
    """Find a metric's child without prometheus_client's lock."""
    key = (metric, *labels)
    child = _children.get(key)
    if child is None:
        child = _children[key] = metric.labels(*labels)
    return child
