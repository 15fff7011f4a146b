"""Lanes: each sort of work has its own few places, its own short line, and its own connections.

A flood of readings fills the places of readings and the line in front of them; filings and
dashboards have theirs. Nobody takes the last place of a lane or more than half of its line, and
those in line are called by turns, one of each sender. Who finds no room, or waits too long, is told
so with `Retry-After`. All of this runs on the event loop of one process, so nothing is locked.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from prometheus_client import Counter

from app.errors import TooMany, Trouble, Unavailable
from app.settings import Settings

REFUSED = Counter("endwatch_refused_total", "Requests refused for want of room", ["where", "why"])
QUIET_SECONDS = 10.0
"""A flood is told in the logs once in so long for each sender."""
SENDERS_NOTED = 1_000
STRANGER = "stranger"
"""Everybody without a key, together."""

_log = structlog.get_logger()


class LaneFull(Unavailable):
    """The service has more work of this sort than it can do soon; nothing was stored."""


class TooManyAtOnce(TooMany):
    """The sender has more requests under way at once than one may have; nothing was stored."""


class Lane:
    """So many requests are worked on at once; some more wait in line, for a limited time."""

    def __init__(
        self, name: str, *, places: int, line: int, seconds: float, own: int | None = None
    ) -> None:
        self.name = name
        self.places = places
        self.own = max(1, places - 1 if own is None else own)
        self.line = line
        self.own_line = (line + 1) // 2
        self.seconds = seconds
        self.working = 0
        self.waiting = 0
        self._at_work: dict[str, int] = {}
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def place(self, sender: str) -> AsyncIterator[None]:
        """Hold a place while it is worked. Raises LaneFull, TooManyAtOnce."""
        if self._may(sender):
            self._begin(sender)
        else:
            await self._wait(sender)
        try:
            yield
        finally:
            self._end(sender)

    def _may(self, sender: str) -> bool:
        return self.working < self.places and self._at_work.get(sender, 0) < self.own

    def _begin(self, sender: str) -> None:
        self.working += 1
        self._at_work[sender] = self._at_work.get(sender, 0) + 1

    def _end(self, sender: str) -> None:
        self.working -= 1
        self._at_work[sender] -= 1
        if not self._at_work[sender]:
            del self._at_work[sender]
        self._call_next()

    def _call_next(self) -> None:
        """Call the first of the sender whose turn it is; at most one sender must be passed over."""
        for sender, line in self._lines.items():
            if self._may(sender):
                turn = line[0]
                self._step_out(sender, turn)
                if sender in self._lines:
                    self._lines.move_to_end(sender)
                self._begin(sender)
                turn.set_result(None)
                return

    def _step_out(self, sender: str, turn: asyncio.Future[None]) -> None:
        line = self._lines[sender]
        line.remove(turn)
        self.waiting -= 1
        if not line:
            del self._lines[sender]

    async def _wait(self, sender: str) -> None:
        """Wait in line to be called; who is called holds the place already."""
        if self.waiting >= self.line:
            raise self._refusal(sender, own=self._has_its_share(sender))
        if len(self._lines.get(sender, ())) >= self.own_line:
            raise self._refusal(sender, own=True)
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(sender, deque()).append(turn)
        self.waiting += 1
        called = False
        try:
            await asyncio.wait((turn,), timeout=self.seconds)
            called = turn.done()
        finally:
            if not called and turn.done():  # went away at the very moment of the call
                self._end(sender)
            elif not called:
                self._step_out(sender, turn)
        if not called:
            raise self._refusal(sender, own=self._has_its_share(sender), late=True)

    def _has_its_share(self, sender: str) -> bool:
        return self._at_work.get(sender, 0) >= self.own

    def _refusal(self, sender: str, *, own: bool, late: bool = False) -> Trouble:
        own = own and sender != STRANGER  # of strangers, the one who asks need not be the flood
        note_refusal(self.name, "own_share" if own else "late" if late else "full", sender)
        if own:
            return TooManyAtOnce(
                "Too many requests of yours are under way at once. Send fewer at a time, and this "
                "one again after Retry-After."
            )
        return LaneFull(
            "Too much is to be done just now. Send the request again after Retry-After."
        )


class Lanes:
    """The lanes of one process. Which a request takes follows from its method and address."""

    def __init__(self, settings: Settings) -> None:
        def lane(
            name: str, places: int, line: int = settings.line_length, own: int | None = None
        ) -> Lane:
            seconds = settings.pool_wait_seconds
            return Lane(name, places=places, line=line, seconds=seconds, own=own)

        self.reads = lane("reads", settings.reads_at_once)
        self.filings = lane("filings", settings.filings_at_once)
        self.readings = lane("readings", settings.readings_at_once)
        self.door = lane("door", DOOR_PLACES)
        self.batches = lane("batches", settings.batches_at_once, line=0)
        """Bodies of readings in memory: on their way in, in line, or worked on."""
        uploads = settings.evidence_uploads
        self.files = lane("files", uploads, line=0, own=uploads // 2)
        """Files and forms on their way in. A slow one holds its place for minutes, so half at most."""

    def __iter__(self) -> Iterator[Lane]:
        return iter((self.reads, self.filings, self.readings, self.door, self.batches, self.files))

    def of(self, method: str, path: str) -> Lane | None:
        """Give the lane of a request; None for those that take a place in `files` themselves."""
        if method in {"GET", "HEAD"}:
            return self.reads
        if path == "/v1/readings":
            return self.readings
        if path in TAKES_FILES:
            return None
        return self.door if path.startswith(AT_THE_DOOR) else self.filings


DOOR_PLACES = 3
"""Keys are looked up and people let in here; strangers never take the last place."""
FILE_CONNECTIONS = 4
"""Uploads speak to the database for a moment at their beginning and end."""
OTHER_CONNECTIONS = 2
"""One that listens to the journal, one for `/readyz`."""
TAKES_FILES = frozenset({"/v1/evidence", "/openrosa/submission"})
AT_THE_DOOR = ("/v1/sign-", "/v1/invitations/", "/v1/account")


def connections(settings: Settings) -> dict[str, int]:
    """Say how many database connections each lane of a process has; as many as places, or few."""
    return {
        "reads": settings.reads_at_once,
        "filings": settings.filings_at_once,
        "readings": settings.readings_at_once,
        "door": DOOR_PLACES,
        "files": FILE_CONNECTIONS,
    }


def connections_in_all(settings: Settings) -> int:
    """Count the database connections that one API process may take."""
    return sum(connections(settings).values()) + OTHER_CONNECTIONS


_noted: dict[tuple[str, str, str], tuple[float, int]] = {}


def note_refusal(where: str, why: str, sender: str, **more: Any) -> None:
    """Count a refusal, and tell of it in the logs unless that was just done."""
    REFUSED.labels(where, why).inc()
    key, moment = (where, why, sender), time.monotonic()
    last, silent = _noted.get(key, (-QUIET_SECONDS, 0))
    if moment - last < QUIET_SECONDS:
        _noted[key] = (last, silent + 1)
        return
    if len(_noted) >= SENDERS_NOTED:
        _noted.clear()
    _noted[key] = (moment, 0)
    _log.warning("crowded", where=where, why=why, sender=sender, before=silent, **more)
