"""Waiving what is owed: by two persons, for a time, without rewriting what was missed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import (
    beat,
    changes,
    day,
    deviations,
    entries,
    file,
    heartbeat,
    history,
    owed,
    report,
    states,
)
from tests.world import condition


def on(month: int, of_month: int, hour: int = 12) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = on(6, 1)


@pytest.fixture
def supervisor(door: OpenDoor) -> Door:
    return door("supervisor")


@pytest.fixture
def owing(make_license: MakeLicense, sessions: Sessions) -> str:
    """A license that asks for a report of June, with no grace."""
    terms = {"every": "P1M", "by": "exporter", "starts": "2026-06-01", "grace_days": 0}
    number: str = make_license(condition("reporting_cadence", **terms))["number"]  # type: ignore[arg-type]
    beat(sessions, on(6, 1))
    return number


def ask(door: Door, id: str, expires_on: str = "2026-08-15", ground: str = "a strike") -> Any:
    return door.post(f"/v1/obligations/{id}/waiver", {"ground": ground, "expires_on": expires_on})


def waive(officer: Door, supervisor: Door, id: str, expires_on: str = "2026-08-15") -> Any:
    assert ask(officer, id, expires_on).status_code == 201
    approved = supervisor.post(f"/v1/obligations/{id}/waiver/approval")
    assert approved.status_code == 200, approved.text
    return approved.json()


def first(door: Door) -> dict[str, Any]:
    return owed(door)[0]


def test_until_a_second_person_approves_nothing_is_waived(
    owing: str, officer: Door, dashboard: Door, sessions: Sessions
) -> None:
    id = first(dashboard)["id"]
    proposed = ask(officer, id)
    assert (proposed.status_code, proposed.json()["approved_by"]) == (201, None)
    assert first(dashboard)["state"] == "upcoming"
    own = officer.post(f"/v1/obligations/{id}/waiver/approval")
    assert (own.status_code, own.json()["type"]) == (
        409,
        "urn:endwatch:problem:waiver-needs-another",
    )
    beat(sessions, on(7, 2))
    assert first(dashboard)["state"] == "overdue"


def test_a_waived_obligation_is_not_told_as_overdue_and_is_owed_again_when_it_expires(
    owing: str,
    officer: Door,
    supervisor: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    time.now = on(6, 20)
    waiver = waive(officer, supervisor, first(dashboard)["id"])
    assert (waiver["expires_at"], waiver["approved_by"]) == (
        "2026-08-16T00:00:00Z",
        supervisor.actor.key,
    )
    assert (first(dashboard)["state"], first(dashboard)["waived_until"]) == (
        "waived",
        "2026-08-16T00:00:00Z",
    )
    beat(sessions, on(7, 20))
    assert first(dashboard)["state"] == "waived"
    assert entries(sessions, "obligation.overdue") == 0
    assert deviations(dashboard) == []
    beat(sessions, on(8, 16, 0) - timedelta(seconds=1))
    assert first(dashboard)["state"] == "waived"
    beat(sessions, on(8, 16, 0))
    assert (first(dashboard)["state"], first(dashboard)["rung"]) == ("overdue", "overdue_30")
    (missing,) = deviations(dashboard)
    assert "obligation:0" in {one["source"] for one in history(dashboard, missing["id"])}


def test_waiving_what_was_missed_clears_it_and_the_miss_stays(
    owing: str,
    officer: Door,
    supervisor: Door,
    dashboard: Door,
    sessions: Sessions,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    beat(sessions, on(7, 2))
    (missing,) = deviations(dashboard)
    time.now = on(7, 3)
    waive(officer, supervisor, first(dashboard)["id"], "2026-07-10")
    (cleared,) = deviations(dashboard)
    assert cleared["cleared_at"] == "2026-07-03T12:00:00Z"
    beat(sessions, on(7, 11))
    (again,) = deviations(dashboard)
    assert (again["id"], again["cleared_at"], again["occurrences"]) == (missing["id"], None, 1)
    sequencer.tick()
    assert [change for change, _ in changes(dashboard)] == ["raised", "cleared", "raised"]


def test_what_comes_while_it_is_waived_settles_it(
    owing: str,
    officer: Door,
    supervisor: Door,
    exporter: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    waive(officer, supervisor, first(dashboard)["id"])
    time.now = on(7, 15)
    file(exporter, report(owing, time.now, period={"from": "2026-06-01", "to": "2026-06-30"}))
    assert first(dashboard)["state"] == "met_late"
    beat(sessions, on(8, 17))
    assert first(dashboard)["state"] == "met_late"
    found = [
        one["source"] for each in deviations(dashboard) for one in history(dashboard, each["id"])
    ]
    assert "obligation:0" not in found


def test_a_device_that_is_waived_is_not_found_silent(
    make_license: MakeLicense,
    officer: Door,
    supervisor: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    number = make_license(heartbeat(), serials=("FR-1",))["number"]
    beat(sessions, day(0))
    waive(officer, supervisor, first(dashboard)["id"], "2026-06-20")
    beat(sessions, day(10))
    assert (states(owed(dashboard)), deviations(dashboard)) == (["waived"], [])
    time.now = day(10)
    (kept,) = dashboard.get(f"/v1/licenses/{number}/compliance").json()["conditions"]
    assert kept["answer"] == "not_assessable"
    beat(sessions, day(20))
    assert states(owed(dashboard)) == ["overdue"]


def test_a_waived_period_is_not_broken_in_compliance_and_is_so_again_afterwards(
    owing: str,
    officer: Door,
    supervisor: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    time.now = on(6, 20)
    waive(officer, supervisor, first(dashboard)["id"], "2026-07-20")
    answers = []
    for time.now in (on(7, 10), on(7, 25)):
        beat(sessions, time.now)
        (one,) = dashboard.get(f"/v1/licenses/{owing}/compliance").json()["conditions"]
        answers.append(one["answer"])
    assert answers == ["not_assessable", "broken"]


@pytest.mark.parametrize("day_", ["2026-05-31", "2027-06-03", "2020-01-01"])
def test_a_waiver_ends_within_a_year_from_today(
    owing: str, officer: Door, dashboard: Door, day_: str
) -> None:
    refused = ask(officer, first(dashboard)["id"], day_)
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/expires_on")


def test_a_waiver_may_hold_for_today_alone_or_a_whole_year(
    owing: str, officer: Door, dashboard: Door
) -> None:
    id = first(dashboard)["id"]
    assert ask(officer, id, "2026-06-01").status_code == 201
    assert officer.post(f"/v1/obligations/{id}/waiver/refusal").status_code == 200
    assert ask(officer, id, "2027-06-02").status_code == 201


def test_bad_input_names_its_field(owing: str, officer: Door, dashboard: Door) -> None:
    answer = ask(officer, first(dashboard)["id"], ground=" ")
    assert answer.status_code == 422
    assert "/ground" in answer.text


@pytest.mark.parametrize("role", ["inspector", "dashboard", "reviewer", "auditor"])
def test_others_may_not_waive(owing: str, door: OpenDoor, dashboard: Door, role: str) -> None:
    assert ask(door(role), first(dashboard)["id"]).status_code == 403


def test_an_exporter_may_not_waive_what_it_owes_but_sees_who_did(
    owing: str, exporter: Door, officer: Door, supervisor: Door, door: OpenDoor, dashboard: Door
) -> None:
    id = first(dashboard)["id"]
    assert ask(exporter, id).status_code == 403
    waive(officer, supervisor, id)
    whole = exporter.get(f"/v1/obligations/{id}").json()
    assert [one["ground"] for one in whole["waivers"]] == ["a strike"]
    stranger = door("exporter", "OTHER").get(f"/v1/obligations/{id}")
    nobody = exporter.get(f"/v1/obligations/{uuid4()}")
    assert (stranger.status_code, nobody.status_code) == (404, 404)


def test_what_is_unknown_settled_or_waits_already_is_refused(
    owing: str,
    officer: Door,
    supervisor: Door,
    exporter: Door,
    dashboard: Door,
    time: Clock,
) -> None:
    id = first(dashboard)["id"]
    path = f"/v1/obligations/{id}/waiver"
    assert ask(officer, str(uuid4())).status_code == 404
    assert supervisor.post(f"{path}/approval").json()["type"].endswith("no-waiver-waiting")
    assert ask(officer, id).status_code == 201
    assert ask(supervisor, id).json()["type"].endswith("waiver-waiting")
    time.now = on(6, 28)
    file(exporter, report(owing, time.now))
    assert supervisor.post(f"{path}/approval").json()["type"].endswith("obligation-settled")
    assert ask(officer, id).json()["type"].endswith("obligation-settled")


def test_a_proposal_that_nobody_approved_in_time_makes_way_for_another(
    owing: str, officer: Door, supervisor: Door, dashboard: Door, time: Clock
) -> None:
    id = first(dashboard)["id"]
    assert ask(officer, id, "2026-06-02").status_code == 201
    time.now = on(6, 3)
    late = supervisor.post(f"/v1/obligations/{id}/waiver/approval")
    assert late.json()["type"].endswith("waiver-too-late")
    assert waive(officer, supervisor, id)["approved_at"] == "2026-06-03T12:00:00Z"


def test_a_waiver_sent_twice_is_proposed_once(owing: str, officer: Door, dashboard: Door) -> None:
    id = first(dashboard)["id"]
    body = {"ground": "a strike", "expires_on": "2026-08-15"}
    answers = [
        officer.post(f"/v1/obligations/{id}/waiver", body, headers={"Idempotency-Key": "w-1"})
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def test_the_database_itself_refuses_a_waiver_by_one_person(
    owing: str, officer: Door, dashboard: Door, sessions: Sessions
) -> None:
    ask(officer, first(dashboard)["id"])
    with sessions() as session, pytest.raises(IntegrityError, match="second_person"):
        session.execute(
            text("UPDATE waivers SET approved_by = proposed_by, approved_at = proposed_at")
        )
