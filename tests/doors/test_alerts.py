from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.journal.models import Head
from app.journal.sequencer import Sequencer
from app.journal.watch import Progress
from app.wire import cursor
from tests.conftest import Clock, Door, MakeLicense
from tests.doors.filings import attestation, once, pages, problem, stating
from tests.doors.test_operation import Switch
from tests.world import condition

CAP = condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000)
MODE = condition("match_mode", "Verification only.", allowed=["verify_1_1"])


@pytest.fixture
def raise_alerts(
    app: FastAPI, make_license: MakeLicense, exporter: Door, sequencer: Sequencer, time: Clock
) -> Any:
    """Gives a license in a country a deviation for each of its units, and numbers the journal."""

    def raise_alerts(country: str, *serials: str) -> str:
        sites = [{"reference": f"{country}-1", "name": "Terminal", "country": country}]
        license = make_license(
            CAP, MODE, serials=serials, destination_countries=[country], sites=sites, parties=[]
        )
        statements = [stating({"gallery_size": 5001}, serial=serial)[0] for serial in serials]
        body = attestation(license["number"], time() - timedelta(hours=1), statements=statements)
        filed = exporter.post("/v1/reports", body)
        assert len(filed.json()["deviations"]) == len(serials)
        _number(app, sequencer)
        return str(license["number"])

    return raise_alerts


def _number(app: FastAPI, sequencer: Sequencer) -> None:
    """Number what is pending, and wait until the application has heard of it."""
    assert sequencer.tick() > 0
    with app.state.pools["reads"]() as session:
        head = session.scalars(select(Head)).one()
    once(lambda: app.state.watch.current == Progress(head.seq, head.alerts_seq))


def test_a_feed_is_told_in_journal_order_without_gaps_or_repeats(
    dashboard: Door, raise_alerts: Any
) -> None:
    raise_alerts("KE", "FR-1", "FR-2", "FR-3")
    raise_alerts("UG", "FR-1", "FR-2")
    whole = dashboard.get("/v1/alerts").json()
    assert [item["seq"] for item in whole["items"]] == sorted(
        {item["seq"] for item in whole["items"]}
    )
    assert len(whole["items"]) == 5
    told, after = [], ""
    for _ in range(4):
        part = dashboard.get(f"/v1/alerts?limit=2{after}").json()
        told += part["items"]
        after = f"&after={part['next']}"
    assert told == whole["items"]
    later = dashboard.get(f"/v1/alerts?after={whole['next']}").json()
    assert (later["items"], later["next"]) == ([], whole["next"])
    raise_alerts("TZ", "FR-9")
    (fresh,) = dashboard.get(f"/v1/alerts?after={whole['next']}").json()["items"]
    assert (fresh["country"], fresh["change"], fresh["state"]) == ("TZ", "raised", "open")


def test_nothing_is_told_before_it_has_its_number(
    dashboard: Door, exporter: Door, make_license: MakeLicense, sequencer: Sequencer, time: Clock
) -> None:
    number = make_license(CAP, serials=("FR-1",))["number"]
    body = attestation(number, time(), statements=stating({"gallery_size": 5001}))
    assert len(exporter.post("/v1/reports", body).json()["deviations"]) == 1
    assert dashboard.get("/v1/alerts").json()["items"] == []
    sequencer.tick()
    assert len(dashboard.get("/v1/alerts").json()["items"]) == 1


def test_an_unchanged_feed_answers_304_until_an_alert_comes(
    dashboard: Door, exporter: Door, raise_alerts: Any
) -> None:
    raise_alerts("KE", "FR-1")
    first = dashboard.get("/v1/alerts")
    assert first.headers["Poll-After"] == "5"
    tag = {"If-None-Match": first.headers["ETag"]}
    again = dashboard.get("/v1/alerts", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Poll-After"] == "5"
    assert again.headers["ETag"] == first.headers["ETag"]
    assert dashboard.get("/v1/alerts?state=open", headers=tag).status_code == 200
    assert exporter.get("/v1/alerts", headers=tag).status_code == 200
    assert dashboard.client.get("/v1/alerts", headers=tag).status_code == 401

    raise_alerts("UG", "FR-1")
    changed = dashboard.get("/v1/alerts", headers=tag)
    assert (changed.status_code, len(changed.json()["items"])) == (200, 2)
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_an_unchanged_feed_answers_304_also_to_a_key_that_must_be_looked_up_again(
    app: FastAPI, dashboard: Door, raise_alerts: Any
) -> None:
    raise_alerts("KE", "FR-1")
    tag = {"If-None-Match": dashboard.get("/v1/alerts").headers["ETag"]}
    app.state.keyring.forget()
    again = dashboard.get("/v1/alerts", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert (again.headers["ETag"], again.headers["Poll-After"]) == (tag["If-None-Match"], "5")


def test_what_is_no_alert_leaves_the_feed_unchanged(
    app: FastAPI,
    dashboard: Door,
    make_license: MakeLicense,
    raise_alerts: Any,
    sequencer: Sequencer,
) -> None:
    raise_alerts("KE", "FR-1")
    tag = {"If-None-Match": dashboard.get("/v1/alerts").headers["ETag"]}
    make_license()
    _number(app, sequencer)
    assert dashboard.get("/v1/alerts", headers=tag).status_code == 304


def test_an_unchanged_feed_is_answered_from_memory_while_the_database_refuses(
    app: FastAPI, dashboard: Door, raise_alerts: Any, database_url: str
) -> None:
    raise_alerts("KE", "FR-1")
    tag = {"If-None-Match": dashboard.get("/v1/alerts").headers["ETag"]}
    switch = Switch(database_url)
    switch.refuse()
    try:
        app.state.engines["reads"].dispose()
        assert dashboard.get("/v1/alerts", headers=tag).status_code == 304
        problem(dashboard.get("/v1/alerts"), 503)
        switch.cut()
        once(lambda: app.state.watch.current is None)
        problem(dashboard.get("/v1/alerts", headers=tag), 503)
    finally:
        switch.allow()


def test_a_full_page_has_no_tag_since_more_may_follow(dashboard: Door, raise_alerts: Any) -> None:
    raise_alerts("KE", "FR-1", "FR-2")
    assert "ETag" not in dashboard.get("/v1/alerts?limit=2").headers
    assert "ETag" in dashboard.get("/v1/alerts?limit=3").headers


def test_alerts_are_chosen_by_severity_state_and_country(
    dashboard: Door, raise_alerts: Any
) -> None:
    raise_alerts("KE", "FR-1", "FR-2")
    raise_alerts("UG", "FR-1")
    for query, expected in {
        "country=UG": 1,
        "country=KE": 2,
        "country=TZ": 0,
        "severity=moderate": 3,
        "severity=critical": 0,
        "state=open": 3,
        "state=cleared": 0,
        "state=open&country=KE&severity=moderate": 2,
    }.items():
        items = dashboard.get(f"/v1/alerts?{query}").json()["items"]
        assert len(items) == expected, query
    for query in ("severity=awful", "state=lost", "limit=0", "limit=501", "limit=x"):
        problem(dashboard.get(f"/v1/alerts?{query}"), 422, "fields-invalid")


def test_open_alerts_are_listed_worst_first_then_oldest_first(
    dashboard: Door,
    make_license: MakeLicense,
    exporter: Door,
    time: Clock,
) -> None:
    cap = CAP | {"severity": "low"}
    number = make_license(cap, MODE, serials=("FR-1", "FR-2", "FR-3"))["number"]
    over: dict[str, Any] = {"gallery_size": 5001}
    wide: dict[str, Any] = {"match_modes": ["identify_1_n"]}
    said = [("FR-1", over), ("FR-2", wide), ("FR-3", over), ("FR-3", wide)]
    for at, (serial, facts) in enumerate(said):
        statements = stating(facts, serial=serial)
        body = attestation(number, time(), reference=f"A-{at}", statements=statements)
        assert exporter.post("/v1/reports", body).status_code == 201
        time.forward(days=4)
    for limit in (1, 2, 4, 500):
        found = pages(dashboard, "/v1/alerts/current", limit=limit)
        assert [(row["severity"], row["kind"]) for page in found for row in page] == [
            ("moderate", "match_mode"),
            ("moderate", "match_mode"),
            ("low", "gallery_cap"),
            ("low", "gallery_cap"),
        ]
        raised = [row["raised_at"] for page in found for row in page]
        assert raised[0] < raised[1]
        assert raised[2] < raised[3]


def test_the_summary_counts_open_alerts(dashboard: Door, raise_alerts: Any, time: Clock) -> None:
    raise_alerts("KE", "FR-1", "FR-2")
    time.forward(days=8)
    raise_alerts("UG", "FR-1")
    told = dashboard.get("/v1/alerts/summary").json()
    assert told["open"] == 3
    counted = {
        name: {row["value"]: row["count"] for row in told[name]}
        for name in ("severity", "state", "country", "kind", "age")
    }
    assert counted == {
        "severity": {"moderate": 3},
        "state": {"open": 3},
        "country": {"KE": 2, "UG": 1},
        "kind": {"gallery_cap": 3},
        "age": {"under 1 day": 1, "under 30 days": 2},
    }


UNREADABLE = ["x", "!", "%00", "AAAA", cursor(), cursor("x"), cursor(None), cursor(True)]
UNREADABLE += [cursor(2**70), cursor(1, 2, 3), cursor({}), cursor([1]), cursor("a\x00b")]
UNREADABLE += [cursor("2026-01-01T00:00:00Z", 17), cursor(1, "kind", None, "", "")]


def test_a_cursor_no_list_gave_out_is_refused(door: Any, subtests: pytest.Subtests) -> None:
    auditor = door("auditor")
    for path in (
        "alerts",
        "alerts/current",
        "deviations",
        "reports",
        "obligations",
        "unassessed",
        "journal",
    ):
        for after in UNREADABLE:
            with subtests.test(path, after=after):
                problem(auditor.get(f"/v1/{path}?after={after}"), 422)
    for after in ("x", cursor(1), cursor(None), cursor("a\x00b")):
        problem(auditor.get(f"/v1/licenses?after={after}"), 422)
