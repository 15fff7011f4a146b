from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import make_url, text

from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense
from tests.doors.filings import attestation, ndjson, once, problem, readings, rows, send
from tests.world import license_body


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    return str(make_license(serials=("FR-1",))["number"])


class Switch:
    """Takes the database of this test away, and gives it back."""

    def __init__(self, url: str) -> None:
        self._name = make_url(url).database
        other = make_url(url).set(drivername="postgresql", database="postgres")
        self._url = other.render_as_string(hide_password=False)

    def _run(self, *statements: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def refuse(self) -> None:
        """Let no new connection in."""
        self._run(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")

    def cut(self) -> None:
        """End every connection there is."""
        self._run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{self._name}' AND backend_type = 'client backend'"
        )

    def allow(self) -> None:
        self._run(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")


@pytest.fixture
def switch(database_url: str, app: FastAPI) -> Iterator[Switch]:
    switch = Switch(database_url)
    yield switch
    switch.allow()


def test_a_service_says_that_it_lives_and_is_ready(app: FastAPI, officer: Door) -> None:
    client = officer.client
    assert client.get("/livez").json() == {"status": "alive"}
    once(lambda: app.state.watch.current is not None)
    assert client.get("/readyz").json() == {"status": "ready"}


def test_metrics_count_requests_and_tell_how_far_the_journal_is(officer: Door) -> None:
    officer.get("/v1/licenses")
    told = officer.client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert 'endwatch_requests_total{method="GET",status="200"}' in told.text
    assert "endwatch_request_seconds_bucket" in told.text
    assert "endwatch_journal_seq" in told.text


def test_without_its_database_the_service_says_so_and_comes_back(
    app: FastAPI, exporter: Door, number: str, time: Clock, switch: Switch
) -> None:
    report = attestation(number, time())
    once(lambda: app.state.watch.current is not None)
    switch.refuse()
    switch.cut()
    once(lambda: app.state.watch.current is None)
    for answer in (
        exporter.get("/v1/licenses"),
        exporter.get("/v1/alerts", headers={"If-None-Match": '"any"'}),
        exporter.post("/v1/reports", report),
        send(exporter, ndjson(readings(number, time(), 1))),
        exporter.get("/readyz"),
    ):
        problem(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0
    assert exporter.get("/livez").status_code == 200

    switch.allow()
    assert exporter.post("/v1/reports", report).status_code == 201
    once(lambda: app.state.watch.current is not None)
    assert exporter.get("/readyz").status_code == 200


def test_connections_that_were_cut_store_nothing_and_are_replaced(
    exporter: Door, number: str, time: Clock, switch: Switch, sessions: Sessions
) -> None:
    before = rows(sessions)
    switch.cut()
    answers = [exporter.post("/v1/reports", attestation(number, time())) for _ in range(4)]
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {201, 503}
    assert answers[-1].status_code == 201
    with sessions() as session:
        session.connection().invalidate()
    assert rows(sessions)["reports"] == before["reports"] + 1


FAIL = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'as the test asked' USING ERRCODE = '{code}'; END $$;
CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON {table}
DEFERRABLE INITIALLY {when} FOR EACH ROW EXECUTE FUNCTION fail();
"""


def _fail(owners: Sessions, table: str, code: str, when: str) -> None:
    with owners.begin() as session:
        session.execute(text(FAIL.format(table=table, code=code, when=when)))


FAILURES = {"P0001": 500, "53100": 507, "40001": 503, "40P01": 503, "57014": 503, "23505": 409}


@pytest.mark.parametrize("code", FAILURES)
def test_a_commit_that_fails_is_never_answered_as_done(
    code: str, exporter: Door, number: str, time: Clock, sessions: Sessions, owners: Sessions
) -> None:
    before = rows(sessions)
    _fail(owners, "journal_pending", code, "DEFERRED")
    answers: list[Any] = [
        exporter.post("/v1/reports", attestation(number, time())),
        exporter.post("/v1/reports", attestation(number, time()), headers={"Idempotency-Key": "k"}),
        send(exporter, ndjson(readings(number, time(), 3))),
    ]
    for answer in answers:
        told = problem(answer, FAILURES[code])
        assert "as the test asked" not in str(told)
    assert rows(sessions) == before
    assert rows(sessions, "answers_given") == {"answers_given": 0}


def test_a_license_whose_commit_fails_can_be_registered_again(
    officer: Door, sessions: Sessions, owners: Sessions
) -> None:
    _fail(owners, "licenses", "40001", "DEFERRED")
    body = license_body()
    problem(officer.post("/v1/licenses", body), 503, "unavailable")
    assert set(rows(sessions).values()) == {0}
    with owners.begin() as session:
        session.execute(text("DROP TRIGGER fails ON licenses"))
    assert officer.post("/v1/licenses", body).status_code == 201


def test_a_full_disk_under_a_batch_is_told_as_such(
    exporter: Door, number: str, time: Clock, sessions: Sessions, owners: Sessions
) -> None:
    with owners.begin() as session:
        fail = FAIL.replace("CONSTRAINT TRIGGER fails AFTER", "TRIGGER fails BEFORE")
        fail = fail.replace("DEFERRABLE INITIALLY {when} ", "")
        session.execute(text(fail.format(table="readings", code="53100")))
    before = rows(sessions)
    answer = send(exporter, ndjson(readings(number, time(), 3)))
    problem(answer, 507, "storage-full")
    assert int(answer.headers["Retry-After"]) > 0
    assert rows(sessions) == before
