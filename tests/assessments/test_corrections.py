"""A report is corrected by another; what only the first one showed is withdrawn."""

from typing import Any

import pytest

from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import (
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


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


@pytest.fixture
def capped(make_license: MakeLicense) -> str:
    """A license that allows 5,000 enrolled on each of its two units."""
    units = ("FR-1", "FR-2")
    number: str = make_license(condition("gallery_cap", max_enrolled=5000), serials=units)["number"]
    return number


def attest(door: Door, number: str, at: float, persons: int, **more: Any) -> dict[str, Any]:
    return file(door, report(number, day(at), stated("FR-1", gallery_size=persons), **more))


def sources(door: Door, id: str) -> dict[str, bool]:
    """Say of each report that showed a deviation whether it still does."""
    return {one["source"]: one["withdrawn_at"] is None for one in history(door, id)}


def test_a_correction_withdraws_what_only_it_showed(
    capped: str, exporter: Door, dashboard: Door, sequencer: Sequencer, time: Clock
) -> None:
    time.now = day(5)
    wrong = attest(exporter, capped, 1, 50_000)
    (id,) = wrong["deviations"]
    time.now = day(6)
    right = attest(exporter, capped, 1, 5000, corrects=wrong["id"])
    assert right["deviations"] == []
    (found,) = deviations(dashboard)
    assert (found["withdrawn_at"], found["occurrences"]) == ("2026-06-07T12:00:00Z", 0)
    assert sources(dashboard, id) == {f"report:{wrong['id']}#0": False}
    sequencer.tick()
    assert changes(dashboard) == [("raised", id), ("withdrawn", id)]


def test_a_correction_keeps_what_another_report_shows(
    capped: str, exporter: Door, dashboard: Door, sequencer: Sequencer, time: Clock
) -> None:
    time.now = day(5)
    wrong, other = attest(exporter, capped, 1, 50_000), attest(exporter, capped, 2, 6000)
    (id,) = wrong["deviations"]
    attest(exporter, capped, 1, 4000, corrects=wrong["id"])
    (found,) = deviations(dashboard)
    assert (found["withdrawn_at"], found["occurrences"]) == (None, 1)
    assert sources(dashboard, id) == {
        f"report:{wrong['id']}#0": False,
        f"report:{other['id']}#0": True,
    }
    sequencer.tick()
    assert changes(dashboard) == [("raised", id)]


def test_a_correction_that_shows_the_same_again_is_a_further_occurrence(
    capped: str, exporter: Door, dashboard: Door, time: Clock
) -> None:
    time.now = day(5)
    wrong = attest(exporter, capped, 1, 50_000)
    right = attest(exporter, capped, 1, 5001, corrects=wrong["id"])
    assert right["deviations"] == wrong["deviations"]
    assert sources(dashboard, wrong["deviations"][0]) == {
        f"report:{wrong['id']}#0": False,
        f"report:{right['id']}#0": True,
    }
    assert "5,001 enrolled" in deviations(dashboard)[0]["sentence"]


def test_a_correction_is_corrected_by_another_and_the_first_not_twice(
    capped: str, exporter: Door, time: Clock
) -> None:
    time.now = day(5)
    first = attest(exporter, capped, 1, 1)
    second = attest(exporter, capped, 1, 2, corrects=first["id"])
    again = report(capped, day(1), stated("FR-1", gallery_size=3), corrects=first["id"])
    refused = exporter.post("/v1/reports", again)
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:endwatch:problem:correction-unfit"
    assert "corrected already" in refused.json()["detail"]
    attest(exporter, capped, 1, 3, corrects=second["id"])


def test_nobody_corrects_somebody_else_s_report(
    capped: str, exporter: Door, door: OpenDoor, dashboard: Door, time: Clock
) -> None:
    time.now = day(5)
    wrong = attest(exporter, capped, 1, 50_000)
    correction = report(capped, day(1), stated("FR-1", gallery_size=1), corrects=wrong["id"])
    refused = door("inspector").post("/v1/reports", correction | {"kind": "inspection"})
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/corrects")
    assert door("exporter", "ANOTHER").post("/v1/reports", correction).status_code == 404
    assert deviations(dashboard)[0]["withdrawn_at"] is None


def test_a_report_of_another_license_is_not_corrected(
    capped: str, make_license: MakeLicense, exporter: Door, time: Clock
) -> None:
    time.now = day(5)
    wrong = attest(exporter, capped, 1, 1)
    other = make_license(serials=("FR-1",))["number"]
    correction = report(other, day(1), stated("FR-1", gallery_size=1), corrects=wrong["id"])
    assert exporter.post("/v1/reports", correction).status_code == 422


def test_what_hung_on_a_corrected_statement_is_judged_again(
    capped: str, exporter: Door, dashboard: Door, time: Clock
) -> None:
    time.now = day(20)
    wrong = attest(exporter, capped, 1, 10)
    send(exporter, reading(capped, "FR-1", day(15), gallery_size=4000))
    (growing,) = deviations(dashboard)
    assert growing["reason"] == "approaching_cap"
    about_another = report(capped, day(1), stated("FR-2", gallery_size=10), corrects=wrong["id"])
    file(exporter, about_another)
    (growing,) = deviations(dashboard)
    assert growing["withdrawn_at"] is not None


def test_the_same_correction_again_gets_the_same_answer(
    capped: str, exporter: Door, time: Clock
) -> None:
    time.now = day(5)
    wrong = attest(exporter, capped, 1, 50_000)
    correction = report(capped, day(1), stated("FR-1", gallery_size=6000), corrects=wrong["id"])
    first, again = (exporter.post("/v1/reports", correction) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json() == again.json()
