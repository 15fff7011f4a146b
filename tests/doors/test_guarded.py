"""What every answer says to a browser, whatever it is an answer to, and what refusals leave behind."""

import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy
import structlog
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.cli import logs
from app.database import connect
from app.main import create_app
from app.settings import Settings
from app.walls import Part
from tests.conftest import Browser, Door, OpenDoor, settings_for

EVERY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
POLICY = ("base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'")


def _answers(officer: Door) -> dict[str, Any]:
    client = officer.client
    return {
        "health": client.get("/livez"),
        "figures": client.get("/metrics"),
        "document": client.get("/openapi.json"),
        "reference": client.get("/docs"),
        "list": officer.get("/v1/licenses"),
        "alerts": officer.get("/v1/alerts"),
        "no key": client.get("/v1/licenses"),
        "nothing there": client.get("/nowhere"),
        "bad field": officer.post("/v1/licenses", {"number": 1}),
        "too large": officer.post("/v1/licenses", content=b"x" * 300_000),
        "phone": client.get("/openrosa/formList"),
        "fault": client.get("/fault"),
    }


@pytest.fixture
def faulty(app: FastAPI) -> None:
    def fault() -> None:
        raise RuntimeError("secret of the inside")

    app.add_api_route("/fault", fault)


@pytest.mark.usefixtures("faulty")
def test_every_answer_tells_browsers_to_guess_run_frame_and_pass_on_nothing(officer: Door) -> None:
    told = _answers(officer)

    assert told["fault"].status_code == 500
    for what, answer in told.items():
        headers = answer.headers
        assert headers.items() >= EVERY.items(), what
        policy = headers["content-security-policy"]
        assert all(part in policy for part in POLICY), what
        assert "access-control-allow-origin" not in headers, what
        assert "server" not in headers, what
        told_as = headers["content-type"]
        assert not told_as.startswith("text/") or "charset=utf-8" in told_as, what


@pytest.mark.usefixtures("faulty")
def test_nobody_keeps_an_answer_unless_it_says_so(officer: Door) -> None:
    told = {what: one.headers["cache-control"] for what, one in _answers(officer).items()}

    assert told.pop("alerts") == "private, no-cache"
    assert set(told.values()) == {"private, no-store"}


@pytest.mark.usefixtures("faulty")
def test_a_fault_tells_nothing_of_the_inside(client: TestClient) -> None:
    answer = client.get("/fault")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_https_is_asked_for_where_there_is_https(
    client: TestClient, browser: Callable[[], Browser], settings: Settings
) -> None:
    assert "strict-transport-security" not in client.get("/livez").headers
    by_https = browser().get("/livez").headers["strict-transport-security"]
    assert by_https == "max-age=63072000; includeSubDomains"

    set_so = settings.model_copy(update={"origins": "https://endwatch.example"})
    behind_a_proxy = TestClient(create_app(set_so)).get("/livez").headers
    assert behind_a_proxy["strict-transport-security"] == by_https


def test_a_page_of_another_site_is_told_nothing(officer: Door) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}

    for answer in (
        officer.get("/v1/licenses", headers=asked),
        officer.client.options("/v1/licenses", headers=asked),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_reference_asks_no_other_machine_for_anything(client: TestClient) -> None:
    page = client.get("/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert len(links) == 3
    assert "<script>" not in page.text
    assert "script-src 'self';" in page.headers["content-security-policy"]
    for link in links:
        assert "//" not in link
        file = client.get(f"/{link}")
        assert file.status_code == 200
        assert "charset=utf-8" in file.headers["content-type"]
    assert "SwaggerUIBundle" in client.get("/docs/swagger-ui-bundle.js").text
    assert client.get("/docs/oauth2-redirect").status_code == 404
    assert client.get("/redoc").status_code == 404


def test_an_address_is_taken_as_it_is_and_nobody_is_sent_elsewhere(officer: Door) -> None:
    answer = officer.get("/v1/licenses/", headers={"Host": "elsewhere.example"})

    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT"])
def test_a_method_that_no_route_has_is_refused(method: str, officer: Door) -> None:
    answer = officer.client.request(method, "/v1/licenses", headers={"X-Told": "back"})

    assert answer.status_code == 405
    assert "back" not in answer.text


Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Lines]]:
    """Begins to log as a process does; what that gives tells the lines that were written since."""
    handlers, level, known = logging.root.handlers, logging.root.level, structlog.get_config()

    def begin(*, terminal: bool) -> Lines:
        logs.configure("INFO", terminal=terminal)
        logging.root.handlers = handlers  # the client of these tests says what it asks for

        def said() -> list[str]:
            return capsys.readouterr().err.splitlines()

        return said

    yield begin
    structlog.configure(**known)
    logging.captureWarnings(capture=False)
    logging.root.handlers, logging.root.level = handlers, level
    for name in logs.QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_refusals_are_logged_with_who_asked_and_for_what(
    door: OpenDoor, client: TestClient, lines: Callable[..., Lines]
) -> None:
    key, said = door("dashboard"), lines(terminal=False)
    client.get("/v1/licenses")
    key.post("/v1/licenses", {})
    key.get("/v1/licenses")

    told = [line for line in said() if '"refused"' in line]
    assert len(told) == 2
    assert '"status": 401' in told[0]
    assert '"who": null' in told[0]
    assert f'"who": "dashboard:{key.actor.key}"' in told[1]
    assert '"path": "/v1/licenses"' in told[1]
    assert key.token not in "".join(told)


def test_what_a_stranger_names_begins_no_line_and_steers_no_terminal(
    client: TestClient, lines: Callable[..., Lines]
) -> None:
    said = lines(terminal=True)
    client.get("/v1/licenses/x%0A2026-01-01T00:00:00Z%20forged%1B%5B2J")

    told = said()
    assert len(told) == 1
    assert "\x1b[2J" not in told[0]
    assert not told[0].startswith("2026-01-01T00:00:00Z forged")


def test_the_address_of_a_calendar_is_in_no_log_also_when_the_database_fails(
    lines: Callable[..., Lines],
) -> None:
    address = "a" * 43
    broken = settings_for("postgresql://nobody@127.0.0.1:1/none")
    with TestClient(create_app(broken), raise_server_exceptions=False) as cut:
        said = lines(terminal=False)
        assert cut.get(f"/v1/calendar/{address}.ics").status_code == 503

    told = "\n".join(said())
    assert "database_trouble" in told
    assert address not in told


class WithoutTls:
    """A server that answers PostgreSQL's request for TLS with no, as one without TLS does."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.heard = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        line, _ = self._listening.accept()
        with line:
            line.settimeout(5)
            self.heard += line.recv(8)
            line.sendall(b"N")
            while part := line.recv(4096):
                self.heard += part

    def end(self) -> None:
        self._thread.join()
        self._listening.close()


@pytest.mark.parametrize("part", [Part.API, Part.JOBS, None])
def test_a_database_that_must_speak_tls_is_told_no_password_without_it(part: Part | None) -> None:
    server = WithoutTls()
    url = f"postgresql://endwatch:secret@127.0.0.1:{server.port}/endwatch?sslmode=verify-full"
    engine = connect(Settings(database_url=SecretStr(url)), part)

    with pytest.raises(sqlalchemy.exc.OperationalError, match="SSL"):
        engine.connect()

    engine.dispose()
    server.end()
    assert server.heard == (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
