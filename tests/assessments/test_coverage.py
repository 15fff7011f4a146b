"""Of all conditions in force: how many were verified within their cadence, and how many never."""

from dataclasses import replace
from typing import Any

import pytest

from app.database import Sessions
from app.obligations.coverage import Source, source_of, why_not
from monitors import catalogue
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import beat, day, file, heartbeat, reading, report, send, whole
from tests.world import condition

KINDS = ("gallery_cap", "heartbeat", "reporting_cadence", "quantity_limit")
CAP = condition("gallery_cap", max_enrolled=5000)
PLACE = condition("permitted_countries", countries=["KE"])


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


def coverage(door: Door, **query: Any) -> dict[str, Any]:
    answer = door.get("/v1/coverage", params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def counts(**more: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(["in_force", "verified", "lapsed", "never_heard", "never_checkable"], 0)
    return nothing | more


def test_nothing_in_force_has_no_share(dashboard: Door) -> None:
    told = coverage(dashboard)
    assert told["total"] == counts(share=None)
    assert told["by_kind"] == {}


def test_a_condition_is_verified_by_who_speaks_of_its_facts(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    first = make_license(CAP, PLACE, serials=("FR-1",))["number"]
    make_license(CAP, serials=("FR-1",), destination_countries=["UG", "TZ"])
    time.now = day(5)
    send(exporter, reading(first, "FR-1", day(3), gallery_size=1))
    told = coverage(dashboard)
    assert told["total"] == counts(in_force=3, verified=1, never_heard=2, share=0.3333)
    assert told["by_kind"]["gallery_cap"] == counts(
        in_force=2, verified=1, never_heard=1, share=0.5
    )
    assert sorted(told["by_country"]) == ["KE", "TZ", "UG"]
    assert told["by_tier"].keys() == {"2"}
    assert told["by_grade"] == dict.fromkeys("ABCEF", 0) | {"D": 1}


def test_a_fact_counts_though_the_newest_reading_does_not_state_it(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(CAP, PLACE, serials=("FR-1",))["number"]
    time.now = day(5)
    send(
        exporter,
        reading(number, "FR-1", day(3), gallery_size=1),
        reading(number, "FR-1", day(4), country="KE"),
    )
    assert coverage(dashboard)["total"] == counts(in_force=2, verified=2, share=1.0)


def test_a_verification_lapses_with_the_cadence_of_the_tier(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(CAP, serials=("FR-1",))["number"]
    time.now = day(1)
    send(exporter, reading(number, "FR-1", day(1), gallery_size=1))
    for at, state in ((181, "verified"), (181.001, "lapsed")):
        time.now = day(at)
        assert coverage(dashboard)["total"][state] == 1


def test_duties_are_verified_while_nothing_is_overdue(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    cadence = condition("reporting_cadence", every="P1M", starts="2026-06-01")
    number = make_license(heartbeat(), cadence, condition("quantity_limit"), serials=("FR-1",))[
        "number"
    ]
    time.now = day(1)
    send(exporter, reading(number, "FR-1", day(1)))
    file(exporter, report(number, day(1), whole()))
    beat(sessions, day(1))
    told = coverage(dashboard)
    assert told["total"] == counts(in_force=3, verified=3, share=1.0)
    assert told["by_grade"] == dict.fromkeys("ABCF", 0) | {"D": 1, "E": 2}
    time.now = day(9)
    beat(sessions, day(9))
    assert coverage(dashboard)["by_kind"]["heartbeat"] == counts(in_force=1, lapsed=1, share=0.0)


def test_corrected_words_and_cancelled_licenses_do_not_count(
    make_license: MakeLicense, exporter: Door, officer: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(condition("permitted_end_use", allowed=["border_control"]))["number"]
    time.now = day(5)
    wrong = file(exporter, report(number, day(3), whole(end_uses=["border_control"])))
    assert coverage(dashboard)["total"]["verified"] == 1
    said = {"subject": {"license": True}, "facts": {"subcontractors": []}}
    file(exporter, report(number, day(3), said, corrects=wrong["id"]))
    assert coverage(dashboard)["total"]["never_heard"] == 1
    change = {"state": "cancelled", "ground": "no longer wanted", "effective_on": "2026-06-06"}
    assert officer.post(f"/v1/licenses/{number}/state", change).status_code == 200
    assert coverage(dashboard)["total"] == counts(share=None)


def test_coverage_can_be_narrowed_and_shows_an_exporter_its_own(
    make_license: MakeLicense, door: OpenDoor, exporter: Door, dashboard: Door
) -> None:
    make_license(CAP, PLACE)
    make_license(CAP, destination_countries=["UG"])
    make_license(condition("watchlist_control", max_entries=10))
    in_force = {
        "": (coverage(dashboard), 4),
        "kind": (coverage(dashboard, kind="gallery_cap"), 2),
        "country": (coverage(dashboard, country="UG"), 1),
        "tier": (coverage(dashboard, tier=3), 1),
        "own": (coverage(exporter), 4),
        "foreign": (coverage(door("exporter", "ANOTHER")), 0),
    }
    for what, (told, expected) in in_force.items():
        assert told["total"]["in_force"] == expected, what


def test_what_nobody_delivers_can_never_be_checked() -> None:
    kinds = catalogue()
    sources = {kind: source_of(kinds[kind]) for kind in KINDS}
    assert list(sources.values()) == ["facts", "readings", "reports", "ledger"]
    assert source_of(kinds["certification"]) is Source.FILE
    silent = replace(kinds["heartbeat"], owes=None)
    assert source_of(silent) is Source.NOBODY
    assert why_not(silent) == "no source tells it"
    assert why_not(kinds["gallery_cap"]) is None


def test_a_kind_nobody_knows_and_a_tier_there_is_not_are_refused(dashboard: Door) -> None:
    refused = dashboard.get("/v1/coverage", params={"kind": "no_such_kind"})
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/kind")
    assert dashboard.get("/v1/coverage", params={"tier": 4}).status_code == 422
    assert dashboard.get("/v1/coverage", params={"country": "Kenya"}).status_code == 422
