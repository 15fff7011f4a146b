"""Uploads at a real socket: what is read before the sender is known, and what a break leaves."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from app.cli.frugal import AHEAD, PART, Frugal
from app.clock import now
from app.database import Sessions
from app.evidence import looking
from app.evidence.room import Room
from tests.cli.running import eventually, running
from tests.conftest import Door
from tests.doors.filings import rows
from tests.evidence import good
from tests.evidence.handing_in import digest_of, files_of

MOST = 64 * 1024


class Counting(Frugal):
    """Counts what was read from the socket before the first byte of the answer was written."""

    read: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.seen, self.answered = 0, False
        plain: Any = transport
        write = plain.write

        def telling(data: bytes) -> None:
            if not self.answered:
                self.answered = True
                Counting.read.append(self.seen)
            write(data)

        inner: Any = self._inner
        inner.transport = _Written(plain, telling)

    def buffer_updated(self, nbytes: int) -> None:
        self.seen += nbytes
        super().buffer_updated(nbytes)


class _Written:
    """A transport that tells when something is written."""

    def __init__(self, transport: Any, write: object) -> None:
        self._transport, self.write = transport, write

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


@pytest.fixture
def address(app: FastAPI, exporter: Door) -> Iterator[tuple[str, int]]:
    """The application behind the server as `serve` sets it up."""
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        ws="none",
        lifespan="off",
        loop="uvloop",
        http="tests.evidence.test_sockets:Counting",
    )
    config.http = Counting  # type: ignore[assignment]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert eventually(lambda: server.started)
    Counting.read.clear()
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join()


def _head(token: str, *more: str) -> bytes:
    lines = ["PUT /v1/evidence HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def _flood(address: tuple[str, int], head: bytes, size: int) -> bytes:
    """Send as fast as the line takes it, until there is an answer."""
    with socket.create_connection(address, timeout=10) as line:
        line.setblocking(False)
        left = memoryview(head + b"x" * size)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                left = left[line.send(left[: 1 << 20]) :] if left else left
            try:
                return line.recv(65_536)
            except BlockingIOError:
                time.sleep(0.001)
    return b""


STRANGERS = {
    "no such key": ("nobody", ()),
    "a key that was made up": (f"ew_aaaaaaaaaa_{'x' * 43}", ()),
    "no length said": (f"ew_bbbbbbbbbb_{'x' * 43}", ("Transfer-Encoding: chunked",)),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_of_a_strangers_upload_at_most_64_kilobytes_are_read(
    who: str, address: tuple[str, int], sessions: Sessions, app: FastAPI
) -> None:
    token, more = STRANGERS[who]
    size = 40 * 2**20
    length = more or (f"Content-Length: {size}",)
    body = _head(token, *length) + (f"{size:x}\r\n".encode() if more else b"")
    for _ in range(3):
        heard = _flood(address, body, size)
        assert heard.startswith(b"HTTP/1.1 401 ")
    print("read before the refusal:", Counting.read)
    assert len(Counting.read) == 3
    assert max(Counting.read) <= MOST
    assert files_of(app.state.room) == (0, 0)


def test_what_is_declared_too_large_is_refused_before_it_is_read(
    address: tuple[str, int], exporter: Door
) -> None:
    heard = _flood(address, _head(exporter.token, f"Content-Length: {60 * 2**20}"), 2**20)
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert max(Counting.read) <= MOST


def test_little_enough_is_read_ahead_by_design() -> None:
    assert AHEAD + PART <= 56 * 1024


def test_an_upload_that_breaks_off_leaves_nothing(
    address: tuple[str, int], exporter: Door, app: FastAPI, sessions: Sessions
) -> None:
    room: Room = app.state.room
    for sent in (0, 1_000, 3_000_000):
        with socket.create_connection(address, timeout=5) as line:
            line.sendall(_head(exporter.token, "Content-Length: 5000000") + b"x" * sent)
            assert eventually(lambda: files_of(room)[0] == 1)
        assert eventually(lambda: files_of(room)[0] == 0)
    assert rows(sessions, "evidence", "journal_pending") == {"evidence": 0, "journal_pending": 0}


def test_a_service_killed_in_the_middle_of_uploads_loses_nothing_it_acknowledged(
    database_url: str, tmp_path: Path, exporter: Door, sessions: Sessions
) -> None:
    content = good.pdf("acknowledged")
    room_folder = tmp_path / "data" / "evidence"
    with running(tmp_path, url=database_url) as service:
        address = ("127.0.0.1", service.port)
        with socket.create_connection(address, timeout=20) as line:
            line.sendall(_head(exporter.token, f"Content-Length: {len(content)}") + content)
            assert line.recv(4096).startswith(b"HTTP/1.1 201 ")
        half = socket.create_connection(address, timeout=20)
        half.sendall(_head(exporter.token, "Content-Length: 5000000") + b"x" * 3_000_000)
        assert eventually(lambda: len(list((room_folder / "arrivals").glob("*"))) == 1)
        service.child("api").kill()
        half.close()
    assert rows(sessions, "evidence") == {"evidence": 1}
    assert exporter.get(f"/v1/evidence/{digest_of(content)}").content == content
    for left in (room_folder / "arrivals").glob("*"):
        os.utime(left, (0, 0))
    room: Room = exporter.client.app.state.room  # type: ignore[attr-defined]
    looking.tidy(sessions, room, now=now())
    assert files_of(room) == (0, 1)


TWO_LENGTHS = {
    "a length and chunks": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": "Content-Length: 4\r\nContent-Length: 40\r\n\r\nxxxx",
    "chunks that are none": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("how", TWO_LENGTHS)
def test_a_request_that_ends_at_two_places_is_refused(how: str, address: tuple[str, int]) -> None:
    """Else what one server takes for its body another takes for the next request (smuggling)."""
    hidden = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    head = "POST /v1/licenses HTTP/1.1\r\nHost: x\r\n"
    with socket.create_connection(address, timeout=10) as line:
        line.sendall((head + TWO_LENGTHS[how] + hidden).encode())
        heard = b"".join(iter(lambda: line.recv(65_536), b""))

    assert heard.startswith(b"HTTP/1.1 400 ")
    assert heard.count(b"HTTP/1.1 ") == 1
