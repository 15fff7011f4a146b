import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from app.database import Sessions
from tests.conftest import Door
from tests.doors.filings import PROBLEM, once, problem, rows

JSON = {"content-type": "application/json"}


@pytest.fixture
def address(app: FastAPI, exporter: Door) -> Iterator[tuple[str, int]]:
    """The application behind a real server on loopback."""
    config = uvicorn.Config(app, port=0, log_config=None, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    once(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join()


def _say(address: tuple[str, int], *parts: bytes) -> bytes:
    """Send bytes, and read what comes until it has a whole problem or the line is closed."""
    with socket.create_connection(address, timeout=5) as line:
        for part in parts:
            line.sendall(part)
        heard = b""
        while not heard.endswith(b"}"):
            more = line.recv(65536)
            if not more:
                break
            heard += more
    return heard


def _head(path: str, token: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("path", "limit"), [("/v1/licenses", 256 * 1024), ("/v1/readings", 16 * 2**20)]
)
def test_a_body_declared_too_large_is_refused_before_it_is_sent(
    path: str, limit: int, address: tuple[str, int], exporter: Door
) -> None:
    for token in (exporter.token, "nobody"):
        heard = _say(address, _head(path, token, f"Content-Length: {limit + 1}"))
        head, _, body = heard.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 ")
        assert PROBLEM.encode() in head
        assert b"urn:endwatch:problem:body-too-large" in body


@pytest.mark.parametrize("path", ["/v1/reports", "/v1/readings"])
def test_a_body_of_no_declared_length_is_refused_as_soon_as_it_is_too_large(
    path: str, address: tuple[str, int], exporter: Door, sessions: Sessions
) -> None:
    before = rows(sessions)
    size = 2**20
    chunk = f"{size:x}\r\n".encode() + b" " * size + b"\r\n"
    chunks = [chunk] * (1 if path == "/v1/reports" else 17)
    head = _head(
        path, exporter.token, "Content-Type: application/json", "Transfer-Encoding: chunked"
    )
    heard = _say(address, head, *chunks)
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert b"urn:endwatch:problem:body-too-large" in heard
    assert rows(sessions) == before


def test_a_body_that_is_cut_short_stores_nothing(
    address: tuple[str, int], exporter: Door, sessions: Sessions
) -> None:
    before = rows(sessions)
    head = _head("/v1/readings", exporter.token, "Content-Length: 1000")
    with socket.create_connection(address, timeout=5) as line:
        line.sendall(head + b'{"license": ')
    assert exporter.get("/livez").status_code == 200
    assert rows(sessions) == before


BROKEN = {
    "nothing": b"",
    "half an object": b'{"kind": "attest',
    "no JSON": b"kind=attestation",
    "no text": b"\xff\xfe\x00",
    "a trailing comma": b'{"kind": "attestation",}',
    "a bottomless list": b"[" * 100_000,
    "an endless number": b'{"kind": ' + b"9" * 5_000 + b"}",
}


def test_a_body_that_is_not_json_is_refused(
    exporter: Door, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    for what, body in BROKEN.items():
        with subtests.test(what):
            answer = _post(exporter, body)
            assert answer.status_code in {400, 422}
            problem(answer, answer.status_code)
            assert set(rows(sessions).values()) == {0}


def _post(door: Door, body: bytes, headers: dict[str, str] = JSON) -> Any:
    return door.client.post("/v1/reports", content=body, headers=door.headers | headers)


def test_a_body_that_is_not_an_object_is_refused(exporter: Door) -> None:
    for body in (b"null", b"[]", b'"report"', b"17", b"true", b"NaN"):
        problem(_post(exporter, body), 422, "fields-invalid")


def test_half_a_character_and_a_number_that_is_none_are_refused(
    exporter: Door, sessions: Sessions
) -> None:
    half = b'{"kind": "attestation", "license": "BX-\\ud83d", "reference": "A-1"}'
    told = problem(_post(exporter, half), 422, "fields-invalid")
    assert "/license" in [error["pointer"] for error in told["errors"]]
    nan = (
        b'{"kind": "attestation", "license": "BX-1", "reference": "A-1",'
        b' "observed_at": "2026-03-03T12:00:00Z", "statements": [{"subject": {"serial": "F-1"},'
        b' "facts": {"position": {"lat": NaN, "lon": Infinity}}}]}'
    )
    told = problem(_post(exporter, nan), 422, "fields-invalid")
    assert told["pointer"] == "/statements/0/facts/position/lat"
    assert set(rows(sessions).values()) == {0}


def test_json_must_be_called_json(exporter: Door) -> None:
    problem(_post(exporter, b"{}", {"content-type": "text/plain"}), 422, "fields-invalid")


def test_an_address_nobody_knows_is_a_problem_too(exporter: Door) -> None:
    problem(exporter.get("/v1/nothing"), 404)
    problem(exporter.client.delete("/v1/licenses", headers=exporter.headers), 405)
    problem(exporter.client.put("/v1/reports", headers=exporter.headers), 405)
