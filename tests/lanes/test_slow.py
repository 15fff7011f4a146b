"""Who is slow, at a real socket of a real process: nobody is waited for for ever."""

import json
import socket
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from app import database
from app.access import service as access
from app.access.rules import Role
from app.cli.postgres import Postgres
from app.clock import now
from app.database import sessions_of
from tests.cli.running import eventually, served
from tests.conftest import fresh_database, settings_for

PATIENCE = 1.0
LATEST = 6 * PATIENCE
"""What is waited for in these tests at most, on a busy machine."""


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture(scope="module")
def port(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(url, tmp_path_factory.mktemp("slow"), slow_seconds=PATIENCE) as port:
        yield port


@pytest.fixture(scope="module")
def token(url: str) -> str:
    engine = database.connect(settings_for(url))
    with sessions_of(engine)() as session:
        _, token = access.issue(session, Role.EXPORTER, party="ACME", label="test", now=now())
        session.commit()
    engine.dispose()
    return token


def connect(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=LATEST)
    line.settimeout(LATEST)
    return line


def heard(line: socket.socket) -> bytes:
    """Read until the other side hangs up."""
    parts = []
    try:
        while part := line.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def trickle(line: socket.socket, text: bytes, pause: float) -> float:
    """Send byte by byte until the other side hangs up; gives after how many seconds it did."""
    begun = time.monotonic()
    line.settimeout(pause)
    for at in range(len(text)):
        try:
            line.sendall(text[at : at + 1])
            if not line.recv(65_536):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


def test_who_says_nothing_is_hung_up_on(port: int) -> None:
    with connect(port) as line:
        assert heard(line) == b""


def test_headers_that_do_not_end_are_answered_408(port: int) -> None:
    with connect(port) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-More: ")
        head, _, body = heard(line).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["type"] == "urn:endwatch:problem:sender-too-slow"


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /livez HTTP/1.1\r\nX-More: ",
        b"POST /v1/licenses HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n\r\n",
    ],
    ids=["headers", "body", "empty lines after a request"],
)
def test_byte_by_byte_lasts_no_longer_than_not_at_all(port: int, begin: bytes) -> None:
    with connect(port) as line:
        line.sendall(begin)
        rest = b"\r\n" * 200 if begin.endswith(b"\r\n\r\n\r\n") else b"x" * 400
        assert trickle(line, rest, 0.05) < LATEST


def test_a_body_that_stops_is_answered_408_and_holds_no_place(port: int, token: str) -> None:
    start = (
        f"POST /v1/readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 1000\r\n\r\n{"
    )
    with connect(port) as line:
        line.sendall(start.encode())
        assert heard(line).startswith(b"HTTP/1.1 408 ")
    told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert 'endwatch_working{lane="batches"} 0.0' in told
    assert 'endwatch_refused_total{where="connections",why="slow_body"}' in told


def test_a_body_that_trickles_holds_no_place_whatever_it_is_for(port: int, token: str) -> None:
    lines = []
    for path in ("/v1/reports", "/v1/licenses/X/amendments/1/approval", "/log/cosignatures"):
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Idempotency-Key: k\r\nContent-Length: 1000\r\n\r\n{"
        )
        lines += [connect(port) for _ in range(4)]
        for line in lines[-4:]:
            line.sendall(head.encode())
    time.sleep(PATIENCE / 2)
    told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    for line in lines:
        line.close()
    assert 'endwatch_working{lane="filings"} 0.0' in told
    assert 'endwatch_waiting{lane="filings"} 0.0' in told


def test_a_fast_body_may_last_longer_than_the_patience(port: int, token: str) -> None:
    start = (
        f"POST /v1/readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 50000\r\nConnection: close\r\n\r\n"
    )
    with connect(port) as line:
        line.sendall(start.encode())
        for _ in range(10):
            line.sendall(b"x" * 5_000)
            time.sleep(PATIENCE / 4)
        assert heard(line).startswith(b"HTTP/1.1 422 ")


def test_who_takes_no_answer_is_hung_up_on(port: int) -> None:
    """Asks for the OpenAPI document again and again, and reads nothing of it."""
    process = next(
        one for one in psutil.Process().children(recursive=True) if "api" in one.cmdline()
    )
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", port))
        line.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        ours = line.getsockname()[1]

        def held() -> bool:
            return any(
                one.raddr and one.raddr.port == ours for one in process.net_connections("tcp")
            )

        assert eventually(held, LATEST)
        assert eventually(lambda: not held(), 2 * LATEST)


def test_an_idle_connection_is_kept_between_requests(port: int) -> None:
    with connect(port) as line:
        for _ in range(2):
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            told = b""
            while b"alive" not in told:
                told += line.recv(65_536)
            assert told.startswith(b"HTTP/1.1 200 ")
            time.sleep(1.5 * PATIENCE)
