"""Drill: COMMIT fails, or the connection is cut before it or after it, between service and PostgreSQL.

A proxy reads the messages of the PostgreSQL protocol on their way and cuts at COMMIT: before it is
passed on, so that nothing was stored; or when PostgreSQL has done it and before anybody is told, so
that it was stored and nobody knows. A deferred constraint fails others at that very moment.

Shown: never a 2xx without its row, and whoever sends again gets the answer of the first time.
Source: https://www.postgresql.org/docs/18/protocol-message-formats.html.
"""

import asyncio
import random
import shutil
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
from sqlalchemy import make_url

from benchmarks import ground, steady
from benchmarks.ground import Ground
from benchmarks.steady import Filers

CUT_BEFORE, CUT_AFTER, FAILING = 0.12, 0.12, 0.08
"""Shares of commits."""
PATIENCE = 300.0
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102

_FAIL = f"""
CREATE FUNCTION drill_fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < {FAILING} THEN
        RAISE EXCEPTION 'a constraint that is looked at in the end' USING ERRCODE = '40001';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER drill_fails AFTER INSERT ON journal_pending
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION drill_fail();
"""


class Proxy:
    """Stands between the service and PostgreSQL, and cuts connections at COMMIT."""

    def __init__(self, socket: str) -> None:
        self.before = self.after = self.failed = 0
        self.cutting = False
        self.port = 0
        self._socket = socket
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the proxy did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 22)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above_reader, above = await asyncio.open_unix_connection(self._socket, limit=1 << 22)
        talk = _Talk(self, reader, writer, above_reader, above)
        try:
            await talk.begin()
            await asyncio.gather(talk.ask(), talk.answer())
        except (OSError, EOFError, _Cut):
            pass
        finally:
            for end in (writer, above):
                end.transport.abort()


class _Cut(Exception):
    """This connection ends here."""


class _Talk:
    """One connection, message by message."""

    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        above_reader: asyncio.StreamReader,
        above: asyncio.StreamWriter,
    ) -> None:
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.above_reader, self.above = above_reader, above
        self.committing = self.swallows = self.done = False

    async def begin(self) -> None:
        """Pass the start on; encryption is declined here, on loopback."""
        while True:
            head = await self.reader.readexactly(8)
            length, code = struct.unpack("!ii", head)
            if code not in {_SSL, _GSS}:
                break
            self.writer.write(b"N")
        self.above.write(head + await self.reader.readexactly(length - 8))
        if code == _CANCEL:
            await self.above.drain()
            raise _Cut

    async def ask(self) -> None:
        """Pass on what the service asks."""
        while True:
            kind, message = await _message(self.reader)
            if self.proxy.cutting and _commits(kind, message):
                self._decide()
            self.above.write(kind + message)
            await self.above.drain()

    def _decide(self) -> None:
        chance = random.random()
        self.committing = True
        if chance < CUT_BEFORE:
            self.proxy.before += 1
            raise _Cut
        self.swallows = chance < CUT_BEFORE + CUT_AFTER

    async def answer(self) -> None:
        """Pass on what PostgreSQL answers, unless it is what nobody is to learn."""
        while True:
            kind, message = await _message(self.above_reader)
            self.done = self.done or (self.committing and message[4:] == b"COMMIT\0")
            if kind == b"Z" and self.committing:
                self._count()
            if not self.swallows:
                self.writer.write(kind + message)
                await self.writer.drain()

    def _count(self) -> None:
        """Count how a commit ended; one that was done and is not to be known ends the connection."""
        done, swallowed = self.done, self.swallows
        self.committing = self.swallows = self.done = False
        self.proxy.failed += not done
        self.proxy.after += done and swallowed
        if swallowed:
            raise _Cut


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head[:1], head[1:] + await reader.readexactly(length - 4)


def _commits(kind: bytes, message: bytes) -> bool:
    """Say whether a message asks for a COMMIT, simply or as a statement to be parsed."""
    return (kind == b"Q" and message[4:] == b"COMMIT\0") or (
        kind == b"P" and b"\0COMMIT\0" in message
    )


def commits(rounds: int) -> dict[str, Any]:
    """Cut so many tens of commits before and after, and count what that cost."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
    try:
        with ground.postgres() as url, _between(url, folder) as (made, proxy, address):
            begun = time.monotonic()
            with Filers(address, made, 6) as filers:
                proxy.cutting = True
                until = begun + PATIENCE
                while time.monotonic() < until and min(proxy.before, proxy.after) < 10 * rounds:
                    time.sleep(0.1)
                proxy.cutting = False
                with psycopg.connect(made.conninfo, autocommit=True) as connection:
                    connection.execute("DROP TRIGGER drill_fails ON journal_pending")
            figures = _judged(made, proxy, filers)
            figures["answered otherwise"] = same_again(address, filers)
            assert figures["answered otherwise"] == 0, figures
            return figures | {"seconds": round(time.monotonic() - begun)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _between(url: str, folder: Path) -> Iterator[tuple[Ground, Proxy, str]]:
    """Run a service whose every connection goes through the proxy."""
    made = steady.lay(url, "drill_commits")
    upstream = make_url(made.settings.url)
    socket = f"{upstream.query['host']}/.s.PGSQL.{upstream.query['port']}"
    with Proxy(socket) as proxy:
        through = upstream.set(host="127.0.0.1", port=proxy.port, query={})
        with steady.served(through.render_as_string(False), folder) as address:
            steady.register(address, made)
            with psycopg.connect(made.conninfo, autocommit=True) as connection:
                connection.execute(_FAIL)
            yield made, proxy, address


def _judged(made: Ground, proxy: Proxy, filers: Filers) -> dict[str, Any]:
    figures = {
        "cut before COMMIT": proxy.before,
        "cut after COMMIT": proxy.after,
        "COMMIT failed": proxy.failed,
        "answered as the first time": filers.again,
    } | steady.judged(made.conninfo, filers)
    assert filers.unanswered == 0, figures
    assert min(proxy.before, proxy.after, proxy.failed) > 0, figures
    assert filers.again > 0, figures
    return figures


def same_again(address: str, filers: Filers) -> int:
    """Send everything once more; count what is not answered word for word as the first time."""
    wrong = 0
    with httpx.Client(base_url=address, headers=filers.headers, timeout=20) as session:
        for path, content, headers, first in filers.sent.values():
            answer = session.post(path, content=content, headers=headers)
            again = answer.headers.get("Idempotent-Replayed") == "true"
            wrong += not again or answer.json() != first
    return wrong
