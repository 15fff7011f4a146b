"""Duties outlive the license until every unit is gone for good."""

from typing import Any

import pytest

from app.assessments.dispositions import dispositions_of, final_of
from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import (
    beat,
    day,
    deviations,
    file,
    heartbeat,
    owed,
    report,
    stated,
    states,
)
from tests.world import condition

_GROUND = {"ground": "sold"}


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


@pytest.fixture
def held(make_license: MakeLicense, sessions: Sessions) -> str:
    """A license with two units, each to be heard, a monthly report, and rules for disposal."""
    cadence = condition("reporting_cadence", every="P1M", by="exporter", starts="2026-06-01")
    disposal = condition("disposal", methods=["shredded"])
    number: str = make_license(heartbeat(), cadence, disposal, serials=("FR-1", "FR-2"))["number"]
    beat(sessions, day(0))
    return number


def become(door: Door, number: str, what: str, *serials: str, **more: Any) -> None:
    """Tell by a custody event what became of units."""
    at = door.client.app.state.clock()  # type: ignore[attr-defined]
    body = {"reference": f"C-{what}-{'-'.join(serials)}-{at:%m%d}", "at": at.isoformat()}
    body |= {"disposition": what, "serials": list(serials), **more}
    answer = door.post(f"/v1/licenses/{number}/custody", body)
    assert answer.status_code == 201, answer.text


def end(officer: Door, number: str, state: str = "surrendered") -> None:
    answer = officer.post(f"/v1/licenses/{number}/state", {"state": state, **_GROUND})
    assert answer.status_code == 200, answer.text


def rows(door: Door) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Show of each condition and subject the latest obligation: its state, and why it was waived."""
    listed = sorted(owed(door, limit="500"), key=lambda one: one["slot"])
    return {(one["condition"], one["subject"]): (one["state"], one["ground"]) for one in listed}


@pytest.mark.parametrize("what", ["lost", "stolen", "destroyed", "returned", "disposed"])
def test_a_unit_that_is_gone_owes_no_reading_and_the_others_do(
    held: str, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock, what: str
) -> None:
    time.now = day(1)
    become(exporter, held, what, "FR-1")
    beat(sessions, day(1))
    assert rows(dashboard)["heartbeat", "FR-1"] == ("waived", "unit_final")
    beat(sessions, day(5))
    assert rows(dashboard)["heartbeat", "FR-2"][0] == "overdue"
    silent = [one["subject"] for one in deviations(dashboard) if one["kind"] == "heartbeat"]
    assert silent == ["FR-2"]


@pytest.mark.parametrize("what", ["in_use", "stored", "transferred"])
def test_a_unit_that_is_still_somewhere_owes_its_reading(
    held: str, exporter: Door, dashboard: Door, sessions: Sessions, what: str
) -> None:
    become(exporter, held, what, "FR-1", **({"to_party": "X"} if what == "transferred" else {}))
    beat(sessions, day(0))
    assert rows(dashboard)["heartbeat", "FR-1"] == ("upcoming", None)


def test_a_transfer_is_final_once_it_is_authorized(
    held: str, door: OpenDoor, dashboard: Door, sessions: Sessions
) -> None:
    inspector = door("inspector")
    become(inspector, held, "transferred", "FR-1", to_party="X", authorized=True)
    beat(sessions, day(0))
    assert rows(dashboard)["heartbeat", "FR-1"] == ("waived", "unit_final")


def test_when_the_license_has_ended_and_all_is_gone_duties_end_but_for_the_certificates(
    held: str, officer: Door, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    time.now = day(1)
    become(exporter, held, "disposed", "FR-1")
    end(officer, held)
    beat(sessions, day(1))
    assert rows(dashboard)["reporting_cadence", held] == ("upcoming", None)
    time.now = day(2)
    become(exporter, held, "destroyed", "FR-2")
    beat(sessions, day(2))
    left = rows(dashboard)
    assert left["reporting_cadence", held] == ("waived", "all_units_final")
    assert left["heartbeat", "FR-2"] == ("waived", "all_units_final")
    assert left["disposal", "FR-1"] == left["disposal", "FR-2"] == ("upcoming", None)
    beat(sessions, day(100))
    assert rows(dashboard)["reporting_cadence", held] == ("waived", "all_units_final")
    assert rows(dashboard)["disposal", "FR-1"][0] == "overdue"


def test_while_a_license_is_in_force_its_reports_are_owed_though_all_is_gone(
    held: str, exporter: Door, dashboard: Door, sessions: Sessions
) -> None:
    become(exporter, held, "returned", "FR-1", "FR-2")
    beat(sessions, day(0))
    assert rows(dashboard)["reporting_cadence", held] == ("upcoming", None)


def test_where_more_was_shipped_than_is_known_by_serial_nobody_knows_what_is_left(
    make_license: MakeLicense,
    officer: Door,
    exporter: Door,
    dashboard: Door,
    sessions: Sessions,
) -> None:
    cadence = condition("reporting_cadence", every="P1M", by="exporter", starts="2026-06-01")
    number = make_license(cadence, serials=("FR-1",))["number"]
    loose = {"license": number, "reference": "S-2", "line": 1, "date": "2026-06-01", "quantity": 3}
    assert exporter.post("/v1/shipments", loose).status_code == 201
    become(exporter, number, "destroyed", "FR-1")
    end(officer, number)
    beat(sessions, day(0))
    assert states(owed(dashboard)) == ["upcoming"]


def test_a_unit_that_is_found_again_is_awaited_again_and_what_was_settled_stays(
    held: str, exporter: Door, officer: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    end(officer, held)
    become(exporter, held, "lost", "FR-1", "FR-2")
    beat(sessions, day(0))
    before = owed(dashboard, limit="500")
    time.now = day(10)
    become(exporter, held, "in_use", "FR-1")
    beat(sessions, day(10))
    after = owed(dashboard, limit="500")
    assert [one for one in before if one in after] == before
    fresh = [one for one in after if one not in before]
    assert {(one["condition"], one["subject"], one["slot"]) for one in fresh} == {
        ("heartbeat", "FR-1", 1),
        ("reporting_cadence", held, 1),
    }
    (awaited,) = [one for one in fresh if one["condition"] == "heartbeat"]
    assert awaited["due_at"] == "2026-06-14T12:00:00Z"


def test_an_overdue_silence_of_a_unit_told_lost_is_cleared_and_kept(
    held: str, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    beat(sessions, day(5))
    time.now = day(6)
    become(exporter, held, "stolen", "FR-1")
    beat(sessions, day(6))
    cleared = {
        one["subject"]: (one["cleared_at"], one["withdrawn_at"])
        for one in deviations(dashboard, kind="heartbeat")
    }
    assert cleared == {"FR-1": ("2026-06-07T12:00:00Z", None), "FR-2": (None, None)}


def test_a_report_that_states_the_end_of_a_unit_counts_and_its_correction_too(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    number = make_license(heartbeat(), serials=("FR-1",))["number"]
    beat(sessions, day(0))
    time.now = day(1)
    told = file(exporter, report(number, day(1), stated("FR-1", disposition="destroyed")))
    beat(sessions, day(1))
    assert rows(dashboard)["heartbeat", "FR-1"] == ("waived", "unit_final")
    with sessions() as session:
        (one,) = dispositions_of(session, 1).values()
        assert (one.disposition, one.at, one.evidence) == (
            "destroyed",
            day(1),
            f"report:{told['id']}#0",
        )
        assert final_of(session, 1, as_of=day(0)) == {}
        assert final_of(session, 1, known_at=day(0)) == {}
    time.now = day(2)
    right = stated("FR-1", disposition="stored")
    file(exporter, report(number, day(1), right, corrects=told["id"]))
    beat(sessions, day(2))
    assert rows(dashboard)["heartbeat", "FR-1"] == ("upcoming", None)


def test_a_suspension_changes_nothing_that_is_owed(
    held: str, officer: Door, dashboard: Door, sessions: Sessions
) -> None:
    before = owed(dashboard, limit="500")
    end(officer, held, "suspended")
    beat(sessions, day(0))
    assert owed(dashboard, limit="500") == before
    end(officer, held, "reinstated")
    beat(sessions, day(0))
    assert owed(dashboard, limit="500") == before
