"""What comes late or out of order is judged by the terms of its time, and history with it."""

from datetime import datetime
from typing import Any

import pytest

from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import (
    amend,
    beat,
    changes,
    day,
    deviations,
    file,
    history,
    reading,
    report,
    send,
    stated,
)
from tests.world import condition

UNITS = ("FR-1", "FR-2", "FR-3")


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


def cap(most: int = 5000, per: str = "unit") -> dict[str, Any]:
    return condition("gallery_cap", max_enrolled=most, per=per)


def size(number: str, serial: str, at: float, persons: int, **facts: Any) -> dict[str, Any]:
    return reading(number, serial, day(at), gallery_size=persons, **facts)


def standing(door: Door, reason: str = "over_cap") -> list[tuple[str, str]]:
    """List what shows a deviation now: when it was true, and what was observed."""
    return [
        (one["observed_at"], one["observed"])
        for deviation in deviations(door)
        if deviation["reason"] == reason
        for one in reversed(history(door, deviation["id"]))
        if one["withdrawn_at"] is None
    ]


def noon(at: int) -> str:
    return day(at).isoformat().replace("+00:00", "Z")


def test_a_reading_five_days_late_is_judged_by_the_terms_of_its_day(
    make_license: MakeLicense,
    exporter: Door,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
) -> None:
    number = make_license(cap(), serials=UNITS)["number"]
    time.now = day(3)
    amend((officer, door("licensing_officer")), number, day(3), cap(4000))
    time.now = day(8)
    send(exporter, size(number, "FR-1", 2.9, 4500), size(number, "FR-2", 3, 4500))
    (found,) = deviations(dashboard)
    assert (found["subject"], found["first_observed_at"]) == ("FR-2", noon(3))
    told = dashboard.get(f"/v1/deviations/{found['id']}").json()
    assert (told["condition"]["version"], told["condition"]["terms"]["max_enrolled"]) == (2, 4000)


@pytest.mark.parametrize("per", ["license", "site"])
def test_a_late_reading_brings_to_light_what_a_later_one_already_showed(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock, per: str
) -> None:
    number = make_license(cap(per=per), serials=UNITS)["number"]
    time.now = day(8)
    send(exporter, size(number, "FR-1", 6, 3000, site="NBO-T1"))
    assert standing(dashboard) == []
    told = send(exporter, size(number, "FR-2", 1, 3000, site="NBO-T1"))
    assert standing(dashboard) == [(noon(6), "6,000 enrolled")]
    (found,) = deviations(dashboard)
    assert told["deviations"] == [found["id"]]
    assert found["subject"] == ("NBO-T1" if per == "site" else number)


@pytest.mark.parametrize("per", ["license", "site"])
def test_a_late_reading_takes_back_what_was_found_without_it(
    make_license: MakeLicense,
    exporter: Door,
    dashboard: Door,
    sequencer: Sequencer,
    time: Clock,
    per: str,
) -> None:
    number = make_license(cap(per=per), serials=UNITS)["number"]
    time.now = day(4)
    for serial, at, persons in [("FR-1", 1, 3000), ("FR-2", 3, 2500)]:
        send(exporter, size(number, serial, at, persons, site="NBO-T1"))
    assert standing(dashboard) == [(noon(3), "5,500 enrolled")]
    time.now = day(8)
    send(exporter, size(number, "FR-1", 2, 2000, site="NBO-T1"))
    assert standing(dashboard) == []
    (found,) = deviations(dashboard)  # withdrawn, not deleted
    assert (found["withdrawn_at"], found["occurrences"]) == (noon(8), 0)
    (once,) = history(dashboard, found["id"])
    assert (once["observed"], once["withdrawn_at"]) == ("5,500 enrolled", noon(8))
    sequencer.tick()
    assert changes(dashboard) == [("raised", found["id"]), ("withdrawn", found["id"])]
    assert dashboard.get("/v1/alerts/current").json()["items"] == []


def test_what_was_taken_back_can_be_found_again(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sequencer: Sequencer, time: Clock
) -> None:
    number = make_license(cap(per="license"), serials=UNITS)["number"]
    time.now = day(8)
    for serial, at, persons in [("FR-1", 1, 3000), ("FR-2", 3, 2500), ("FR-1", 2, 2000)]:
        send(exporter, size(number, serial, at, persons))
    send(exporter, size(number, "FR-3", 2.5, 1000))
    assert standing(dashboard) == [(noon(3), "5,500 enrolled")]
    sequencer.tick()
    assert [change for change, _ in changes(dashboard)] == ["raised", "withdrawn", "raised"]


def test_a_finding_that_is_now_seen_otherwise_says_so(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(cap(per="license"), serials=UNITS)["number"]
    time.now = day(8)
    send(exporter, size(number, "FR-1", 1, 3000), size(number, "FR-2", 3, 2500))
    send(exporter, size(number, "FR-3", 2, 1000))
    assert standing(dashboard) == [(noon(3), "6,500 enrolled")]
    (found,) = deviations(dashboard)
    assert "6,500 enrolled" in found["sentence"]


def test_units_that_speak_at_the_same_moment_are_summed_in_whatever_batches(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(cap(per="license"), serials=UNITS)["number"]
    time.now = day(2)
    send(exporter, size(number, "FR-2", 1, 3000))
    send(exporter, size(number, "FR-1", 1, 3000))
    assert standing(dashboard) == [(noon(1), "6,000 enrolled")]


def test_a_late_reading_is_heard_by_a_report_that_came_before_it(
    make_license: MakeLicense, exporter: Door, door: OpenDoor, dashboard: Door, time: Clock
) -> None:
    number = make_license(cap(), serials=UNITS)["number"]
    time.now = day(10)
    seen = report(number, day(10), stated("FR-1", gallery_size=4000), kind="inspection")
    file(door("inspector"), seen | {"mode": "physical"})
    assert deviations(dashboard) == []
    send(exporter, size(number, "FR-1", 1, 100))
    assert standing(dashboard, "approaching_cap") == [
        (noon(10), "4,000 enrolled, growing by 433 a day")
    ]


def test_a_reading_and_a_report_of_the_same_moment_count_as_the_report_says(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    found = []
    for turn in (0, 1):
        number = make_license(cap(per="license"), serials=UNITS)["number"]
        time.now = day(8)
        said = report(number, day(1), stated("FR-1", gallery_size=4000))
        for reports in (turn == 0, turn == 1):
            if reports:
                file(exporter, said)
            else:
                send(exporter, size(number, "FR-1", 1, 100))
        send(exporter, size(number, "FR-2", 2, 3000))
        flagged = deviations(dashboard, license=number, kind="gallery_cap")
        found.append([one["reason"] for one in flagged])
    assert found == [["over_cap"], ["over_cap"]]


def reaches_back(
    most: int, make: MakeLicense, exporter: Door, officers: tuple[Door, Door], time: Clock
) -> str:
    """Register a cap of 5,000, hear 4,500 and 5,500, then amend it with effect from before."""
    number: str = make(cap(), serials=UNITS)["number"]
    time.now = day(3)
    send(exporter, size(number, "FR-1", 1, 4500), size(number, "FR-1", 2, 5500))
    time.now = day(8)
    amend(officers, number, day(-5), cap(most))
    return number


@pytest.mark.parametrize(
    ("most", "shown"),
    [
        (4000, [(noon(1), "4,500 enrolled"), (noon(2), "5,500 enrolled")]),
        (6000, []),
        (5500, []),
    ],
)
def test_an_amendment_that_reaches_back_judges_history_again(
    make_license: MakeLicense,
    sessions: Sessions,
    exporter: Door,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
    most: int,
    shown: list[tuple[str, str]],
) -> None:
    officers = (officer, door("licensing_officer"))
    number = reaches_back(most, make_license, exporter, officers, time)
    assert standing(dashboard) == [(noon(2), "5,500 enrolled")]
    beat(sessions, day(8))
    assert standing(dashboard) == shown
    (found,) = deviations(dashboard, license=number)
    assert found["withdrawn_at"] == (None if shown else noon(8))
    told = dashboard.get(f"/v1/deviations/{found['id']}").json()
    versions = [one["condition_version"] for one in told["history"] if not one["withdrawn_at"]]
    assert versions == [2] * len(shown)


def test_an_amendment_that_reaches_back_is_attended_to_by_the_next_reading_too(
    make_license: MakeLicense,
    exporter: Door,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
) -> None:
    officers = (officer, door("licensing_officer"))
    number = reaches_back(6000, make_license, exporter, officers, time)
    send(exporter, size(number, "FR-3", 8, 1))
    assert standing(dashboard) == []


def test_a_time_before_the_license_is_refused_and_named(
    make_license: MakeLicense, exporter: Door
) -> None:
    number = make_license(cap(), serials=UNITS)["number"]
    early = reading(number, "FR-1", datetime.fromisoformat("2026-03-01T23:59:59Z"), gallery_size=1)
    answer = exporter.post("/v1/readings", [early])
    assert [one["type"] for one in answer.json()["rejected"]] == ["before-license"]
