"""Quotas: so many requests a minute, readings and reports a day; each sender its own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.access import service as access
from app.access.quotas import Quotas, RequestsQuotaUsed
from app.access.rules import Actor, Role
from app.database import Sessions
from app.main import create_app
from app.reports.daily import Count
from tests.conftest import Clock, Door, MakeLicense, settings_for
from tests.doors.filings import attestation, ndjson, problem, readings, rows, send

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def narrow(database_url: str, tmp_path: Path, time: Clock) -> Iterator[Any]:
    """Makes the service again with narrow quotas, and gives its client."""
    clients = []

    def make(**quotas: int) -> TestClient:
        settings = settings_for(database_url, data_dir=tmp_path / "narrow", **quotas)
        client = TestClient(create_app(settings, time), raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    number: str = make_license(serials=("FR-1", "FR-2", "FR-3"))["number"]
    return number


def through(client: TestClient, door: Door) -> Door:
    return Door(client, door.token, door.actor)


def second_key(sessions: Sessions, client: TestClient, party: str, time: Clock) -> Door:
    with sessions() as session:
        key, token = access.issue(session, Role.EXPORTER, party=party, label="2", now=time())
        session.commit()
    return Door(client, token, Actor(key.id, Role.EXPORTER, party))


def _refusal(quotas: Quotas, sender: str) -> RequestsQuotaUsed:
    """Ask until it is refused; meanwhile some seconds' worth may come in."""
    while True:
        try:
            quotas.take(sender)
        except RequestsQuotaUsed as refused:
            return refused


def test_requests_beyond_the_quota_are_refused_and_it_fills_up_again() -> None:
    quotas = Quotas(600)
    for _ in range(600):
        left = quotas.take("party:A")
    assert left < 10
    refused = _refusal(quotas, "party:A")
    assert refused.told_headers()["Retry-After"] == "1"
    assert quotas.take("party:B") == 599


def test_the_keys_of_a_party_share_its_quota_and_others_have_their_own(
    narrow: Any, exporter: Door, officer: Door, sessions: Sessions, time: Clock
) -> None:
    client = narrow(requests_a_minute=4)
    one, two = through(client, exporter), second_key(sessions, client, "NORDLICHT", time)
    told = [door.get("/v1/licenses") for door in (one, two, one, two)]
    assert [answer.status_code for answer in told] == [200] * 4
    assert told[0].headers["RateLimit-Policy"] == '"requests";q=4;w=60'
    assert told[3].headers["RateLimit"].startswith('"requests";r=0;t=')
    for door in (one, two):
        refused = door.get("/v1/licenses")
        assert problem(refused, 429, "requests-quota-used")["detail"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 15
        assert refused.headers["RateLimit"].startswith('"requests";r=0;')
    assert through(client, officer).get("/v1/licenses").status_code == 200


def test_polls_from_memory_and_health_cost_nothing(narrow: Any, dashboard: Door) -> None:
    client = narrow(requests_a_minute=2)
    door = through(client, dashboard)
    tag = {"If-None-Match": door.get("/v1/alerts").headers["ETag"]}
    for _ in range(10):
        assert door.get("/v1/alerts", headers=tag).status_code == 304
        assert client.get("/livez").status_code == 200
    assert door.get("/v1/alerts").status_code == 200
    problem(door.get("/v1/alerts"), 429, "requests-quota-used")
    assert door.get("/v1/alerts", headers=tag).status_code == 304


def test_a_batch_beyond_the_daily_quota_is_refused_whole_and_taken_a_day_later(
    narrow: Any, exporter: Door, number: str, sessions: Sessions, time: Clock
) -> None:
    client = narrow(readings_a_day=5)
    door = through(client, exporter)
    first, second = (
        ndjson(readings(number, time(), 3)),
        ndjson(readings(number, time() - 24 * HOUR, 3)),
    )
    assert send(door, first).json()["accepted"] == 3
    before = rows(sessions)
    refused = send(door, second)
    assert problem(refused, 429, "readings-quota-used")["detail"].startswith("At most 5 readings")
    assert rows(sessions) == before
    wait = int(refused.headers["Retry-After"])
    assert 24 * 3600 < wait <= 25 * 3600
    time.forward(seconds=wait + 1)
    assert send(door, second).json()["accepted"] == 3


def test_what_another_process_has_taken_counts_within_ten_seconds(
    narrow: Any, exporter: Door, number: str, sessions: Sessions, time: Clock
) -> None:
    one, other = narrow(reports_a_day=4), narrow(reports_a_day=4)
    here, there = through(one, exporter), second_key(sessions, other, "NORDLICHT", time)

    def file(door: Door, reference: str) -> Any:
        return door.post("/v1/reports", attestation(number, time(), reference=reference))

    assert [file(here, "1").status_code, file(there, "2").status_code] == [201, 201]
    assert [file(here, "3").status_code, file(there, "4").status_code] == [201, 201]
    time.forward(seconds=10)
    problem(file(here, "5"), 429, "reports-quota-used")
    problem(file(there, "5"), 429, "reports-quota-used")
    assert rows(sessions, "reports") == {"reports": 4}


def test_what_was_filed_before_and_is_sent_again_gets_its_answer_beyond_the_quota(
    narrow: Any, exporter: Door, number: str, time: Clock
) -> None:
    door = through(narrow(reports_a_day=1), exporter)
    report, key = attestation(number, time()), {"Idempotency-Key": "k"}
    first = door.post("/v1/reports", report, headers=key)
    again = door.post("/v1/reports", report, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content


def test_hours_fall_out_of_the_count_a_day_after_they_ended() -> None:
    count = Count()
    count.take_over({NOON: 6, NOON + HOUR: 3}, NOON, NOON + HOUR)
    later = NOON + 2 * HOUR
    assert count.used(later) == 9
    assert count.seconds_until(1, 9, later) == 23 * 3600
    assert count.seconds_until(7, 9, later) == 24 * 3600
    assert count.seconds_until(10, 9, later) == 24 * 3600
    assert count.used(NOON + 25 * HOUR) == 3
    assert count.since(later) == NOON
    count.take_over({NOON + HOUR: 4}, NOON + HOUR, later)
    assert count.used(later) == 10
