"""Reports that are owed for every period: missing, late, in time, by the wrong hand."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import (
    amend,
    beat,
    changes,
    deviations,
    entries,
    file,
    history,
    owed,
    report,
    states,
    whole,
)
from tests.world import condition


def on(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def monthly(**more: Any) -> dict[str, Any]:
    """A report for every calendar month from June on, with 15 days grace."""
    terms = {"every": "P1M", "by": "exporter", "starts": "2026-06-01"} | more
    return condition("reporting_cadence", **terms)


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = on(6, 1)


@pytest.fixture
def owing(make_license: MakeLicense) -> str:
    number: str = make_license(monthly())["number"]
    return number


def attest(
    door: Door, time: Clock, number: str, at: datetime, month: int, **more: Any
) -> dict[str, Any]:
    """File the report for a month, which speaks of its first ten days."""
    time.now = at
    period = {"from": f"2026-{month:02}-01", "to": f"2026-{month:02}-10"}
    return file(door, report(number, at, period=period, **more))


def test_a_missing_report_is_found_once_after_its_grace(
    owing: str, sessions: Sessions, dashboard: Door
) -> None:
    beat(sessions, on(6, 1))
    beat(sessions, on(7, 16, 0))
    assert deviations(dashboard) == []
    first, following = owed(dashboard)
    assert (first["state"], first["period_from"], first["period_to"]) == (
        "due",
        "2026-06-01",
        "2026-06-30",
    )
    assert (following["state"], following["period_to"]) == ("upcoming", "2026-07-31")
    assert beat(sessions, on(7, 16, 1)) == 1
    assert beat(sessions, on(7, 17)) == 0
    (missing,) = deviations(dashboard)
    assert (missing["kind"], missing["reason"]) == ("reporting_cadence", "report_missing")
    assert (missing["subject_kind"], missing["subject"]) == ("license", owing)


def test_a_report_in_time_leaves_nothing_to_find(
    owing: str, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    beat(sessions, on(6, 1))
    attest(exporter, time, owing, on(6, 28), month=6)
    beat(sessions, on(7, 20))
    first, following = owed(dashboard)
    assert (first["state"], first["met_at"]) == ("met", "2026-06-28T12:00:00Z")
    assert following["state"] == "upcoming"
    assert deviations(dashboard) == []


def test_every_period_that_is_reported_leads_to_the_next(
    owing: str, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    for month in (6, 7, 8, 9):
        attest(exporter, time, owing, on(month, 12), month=month)
        beat(sessions, on(month, 13))
    beat(sessions, on(10, 1))
    assert states(owed(dashboard)) == ["met", "met", "met", "met", "upcoming"]


def test_a_report_late_but_within_its_grace_is_kept(
    owing: str, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    beat(sessions, on(7, 5))
    attest(exporter, time, owing, on(7, 15), month=6)
    beat(sessions, on(7, 20))
    assert states(owed(dashboard)) == ["met_late", "upcoming"]
    assert deviations(dashboard) == []


def test_a_report_after_its_grace_clears_the_deviation_and_keeps_its_history(
    owing: str,
    sessions: Sessions,
    exporter: Door,
    dashboard: Door,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    beat(sessions, on(7, 20))
    (missing,) = deviations(dashboard)
    told = attest(exporter, time, owing, on(7, 22), month=6)
    assert told["deviations"] == [missing["id"]]
    assert states(owed(dashboard)) == ["met_late", "upcoming"]
    (cleared,) = deviations(dashboard)
    assert cleared["cleared_at"] == "2026-07-22T12:00:00Z"
    (miss,) = history(dashboard, missing["id"])
    assert (miss["cleared_at"], miss["withdrawn_at"]) == ("2026-07-22T12:00:00Z", None)
    sequencer.tick()
    assert changes(dashboard) == [("raised", missing["id"]), ("cleared", missing["id"])]


def test_without_a_scheduler_a_late_report_is_found_late_by_its_own_intake(
    owing: str, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    told = attest(exporter, time, owing, on(7, 22), month=6)
    (missing,) = deviations(dashboard)
    assert told["deviations"] == [missing["id"]]
    assert missing["cleared_at"] == "2026-07-22T12:00:00Z"


def test_a_late_report_for_a_later_period_hides_no_miss_of_an_outage(
    owing: str, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    beat(sessions, on(6, 2))
    attest(exporter, time, owing, on(9, 20), month=7)
    (missing,) = deviations(dashboard)
    found = [(one["source"], one["cleared_at"]) for one in history(dashboard, missing["id"])]
    assert found == [
        ("obligation:2", None),
        ("obligation:1", "2026-09-20T12:00:00Z"),
        ("obligation:0", None),
    ]
    assert states(owed(dashboard)) == ["overdue", "met_late", "overdue", "upcoming"]
    assert beat(sessions, on(9, 20)) == 0


def test_a_report_by_the_wrong_hand_does_not_count(
    owing: str, sessions: Sessions, door: OpenDoor, dashboard: Door, time: Clock
) -> None:
    inspector = door("inspector")
    time.now = on(6, 20)
    file(inspector, report(owing, on(6, 20), kind="check_in"))
    beat(sessions, on(7, 20))
    assert states(owed(dashboard)) == ["overdue", "upcoming"]


@pytest.mark.parametrize("kind", ["delivery_verification", "incident"])
def test_a_report_of_another_kind_does_not_count(
    owing: str,
    sessions: Sessions,
    exporter: Door,
    dashboard: Door,
    time: Clock,
    kind: str,
) -> None:
    beat(sessions, on(6, 1))
    attest(exporter, time, owing, on(6, 20), month=6, kind=kind)
    assert states(owed(dashboard)) == ["upcoming"]


def test_a_report_owed_by_another_role_is_not_met_by_the_exporter(
    make_license: MakeLicense, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(monthly(by=None, _={"binds": ["end_user"]}))["number"]
    attest(exporter, time, number, on(6, 20), month=6)
    assert states(owed(dashboard)) == ["upcoming"]


def test_a_report_that_nobody_in_particular_owes_is_met_by_anybody(
    make_license: MakeLicense, sessions: Sessions, door: OpenDoor, dashboard: Door, time: Clock
) -> None:
    number = make_license(monthly(by=None))["number"]
    beat(sessions, on(6, 1))
    time.now = on(6, 20)
    file(door("inspector"), report(number, on(6, 20), kind="check_in"))
    assert states(owed(dashboard)) == ["met", "upcoming"]


def test_a_report_that_leaves_out_a_required_fact_is_a_deviation(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(monthly(required_facts=["end_uses", "gallery_size"]))["number"]
    told = attest(exporter, time, number, on(6, 20), month=6)
    (absent,) = deviations(dashboard)
    assert told["deviations"] == [absent["id"]]
    assert absent["reason"] == "required_fact_absent"
    assert states(owed(dashboard)) == ["met", "upcoming"]


def test_a_correction_that_states_the_required_fact_takes_the_deviation_back(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(monthly(required_facts=["end_uses"]))["number"]
    time.now = on(6, 20)
    told = file(exporter, report(number, on(6, 20), whole() | {"facts": {}}))
    assert len(told["deviations"]) == 1
    file(exporter, report(number, on(6, 20), corrects=told["id"]))
    (absent,) = deviations(dashboard)
    assert absent["withdrawn_at"] is not None


def test_periods_missed_during_a_long_outage_are_all_found_each_once(
    owing: str, sessions: Sessions, dashboard: Door
) -> None:
    beat(sessions, on(6, 1))
    threads = [threading.Thread(target=beat, args=(sessions, on(11, 20))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    beat(sessions, on(11, 20))
    (missing,) = deviations(dashboard)
    sources = [one["source"] for one in history(dashboard, missing["id"])]
    assert sources == [f"obligation:{slot}" for slot in (4, 3, 2, 1, 0)]
    assert states(owed(dashboard)) == ["overdue"] * 5 + ["upcoming"]
    assert entries(sessions, "obligation.overdue") == 5


def test_periods_that_were_over_before_we_knew_the_license_are_not_asked_for(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door, time: Clock
) -> None:
    time.now = on(6, 14)
    make_license(monthly(starts="2026-03-02"))
    beat(sessions, on(6, 14))
    assert [(row["slot"], row["period_to"]) for row in owed(dashboard)] == [
        (2, "2026-06-01"),
        (3, "2026-07-01"),
    ]


def test_periods_end_at_midnight_where_the_license_is(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    make_license(monthly(), time_zone="Africa/Nairobi")
    beat(sessions, on(6, 1))
    (row,) = owed(dashboard)
    assert (row["due_at"], row["grace_until"]) == ("2026-06-30T21:00:00Z", "2026-07-15T21:00:00Z")


def test_duties_of_reporting_outlive_the_license(
    make_license: MakeLicense, sessions: Sessions, officer: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(monthly())["number"]
    time.now = on(6, 10)
    path = f"/v1/licenses/{number}/state"
    assert officer.post(path, {"state": "surrendered", "ground": "sold"}).status_code == 200
    beat(sessions, on(9, 20))
    assert states(owed(dashboard)) == ["overdue", "overdue", "overdue", "upcoming"]


def test_a_cadence_that_is_amended_is_asked_for_from_its_own_beginning(
    owing: str,
    sessions: Sessions,
    exporter: Door,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
) -> None:
    beat(sessions, on(6, 1))
    attest(exporter, time, owing, on(6, 5), month=6)
    weekly = monthly(every="P1W", starts="2026-07-01", grace_days=0)
    amend((officer, door("licensing_officer")), owing, on(7, 1, 0), weekly)
    beat(sessions, on(7, 1, 0))
    beat(sessions, on(7, 23))
    assert [(row["period_to"], row["state"]) for row in owed(dashboard)] == [
        ("2026-06-30", "met"),
        ("2026-07-07", "overdue"),
        ("2026-07-14", "overdue"),
        ("2026-07-21", "overdue"),
        ("2026-07-28", "upcoming"),
        ("2026-07-31", "waived"),
        ("2026-08-04", "upcoming"),
    ]


def test_a_period_that_runs_when_its_cadence_is_amended_runs_on(
    owing: str,
    sessions: Sessions,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
) -> None:
    beat(sessions, on(6, 1))
    weekly = monthly(every="P1W", starts=None, grace_days=0)
    amend((officer, door("licensing_officer")), owing, on(6, 20), weekly)
    beat(sessions, on(7, 20))
    assert [(row["period_to"], row["state"]) for row in owed(dashboard)] == [
        ("2026-06-26", "overdue"),
        ("2026-06-30", "overdue"),
        ("2026-07-03", "overdue"),
        ("2026-07-10", "overdue"),
        ("2026-07-17", "overdue"),
        ("2026-07-24", "upcoming"),
    ]


def test_a_longer_grace_that_reaches_back_takes_a_miss_back(
    owing: str, sessions: Sessions, officer: Door, door: OpenDoor, dashboard: Door, time: Clock
) -> None:
    beat(sessions, on(6, 1))
    beat(sessions, on(7, 17))
    assert states(owed(dashboard)) == ["overdue", "upcoming"]
    time.now = on(7, 17)
    amend((officer, door("licensing_officer")), owing, on(6, 1, 0), monthly(grace_days=30))
    beat(sessions, on(7, 17))
    assert states(owed(dashboard)) == ["due", "upcoming"]
    assert deviations(dashboard)[0]["withdrawn_at"] == "2026-07-17T12:00:00Z"
    beat(sessions, on(8, 1))
    assert states(owed(dashboard)) == ["overdue", "due", "upcoming"]
    assert deviations(dashboard)[0]["withdrawn_at"] is None


def test_a_cadence_that_reaches_back_waives_what_it_no_longer_asks_for(
    owing: str, sessions: Sessions, officer: Door, door: OpenDoor, dashboard: Door, time: Clock
) -> None:
    beat(sessions, on(7, 17))
    time.now = on(7, 17)
    yearly = monthly(every="P1Y")
    amend((officer, door("licensing_officer")), owing, on(6, 1, 0), yearly)
    beat(sessions, on(7, 17))
    assert [(row["period_to"], row["state"]) for row in owed(dashboard)] == [
        ("2026-06-30", "waived"),
        ("2026-07-31", "waived"),
        ("2027-05-31", "upcoming"),
    ]
    assert deviations(dashboard)[0]["withdrawn_at"] == "2026-07-17T12:00:00Z"
