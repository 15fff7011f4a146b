"""Devices that go silent, and are heard again."""

import threading
from typing import Any

import pytest
from sqlalchemy import text

from app.database import Sessions
from app.journal.sequencer import Sequencer
from app.licenses import service as licenses
from app.scheduler import SYSTEM
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import (
    amend,
    beat,
    changes,
    day,
    deviations,
    entries,
    heartbeat,
    history,
    owed,
    reading,
    send,
    states,
)


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


@pytest.fixture
def watched(make_license: MakeLicense) -> str:
    """A license whose one unit owes a reading every 72 hours, with 3 hours grace."""
    number: str = make_license(heartbeat(), serials=("FR-1",))["number"]
    return number


def hear(door: Door, number: str, at: float, serial: str = "FR-1") -> dict[str, Any]:
    return send(door, reading(number, serial, day(at), gallery_size=10))


def without_times_of_record(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in item.items() if name not in {"recorded_at", "digest"}}
        for item in items
    ]


def test_silence_is_found_once_when_its_grace_is_over(
    watched: str, sessions: Sessions, dashboard: Door
) -> None:
    beat(sessions, day(0))
    (planned,) = owed(dashboard)
    assert (planned["state"], planned["due_at"]) == ("upcoming", "2026-06-04T12:00:00Z")
    assert beat(sessions, day(3, seconds=-1)) == 0
    assert beat(sessions, day(3)) == 1
    assert states(owed(dashboard)) == ["due"]
    assert beat(sessions, day(3, hours=3)) == 0
    assert deviations(dashboard) == []
    assert beat(sessions, day(3, hours=3, microseconds=1)) == 1
    assert states(owed(dashboard)) == ["overdue"]
    (silent,) = deviations(dashboard)
    assert (silent["kind"], silent["reason"], silent["subject"]) == ("heartbeat", "silent", "FR-1")
    for later, looks in ((4, 0), (5, 0), (50, 1), (400, 0)):  # it climbs its ladder once
        assert beat(sessions, day(later)) == looks
    assert len(history(dashboard, silent["id"])) == len(deviations(dashboard)) == 1
    assert entries(sessions, "obligation.overdue") == 1


def test_a_unit_that_is_heard_again_and_again_is_never_found_silent(
    watched: str, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    for at in range(0, 30, 2):
        time.now = day(at)
        hear(exporter, watched, at)
        beat(sessions, time.now)
    assert deviations(dashboard) == []
    (row,) = owed(dashboard)
    assert (row["slot"], row["state"]) == (0, "upcoming")


def test_a_reading_ends_the_silence_and_the_miss_is_kept(
    watched: str,
    sessions: Sessions,
    exporter: Door,
    dashboard: Door,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    beat(sessions, day(5))
    (silent,) = deviations(dashboard)
    time.now = day(6)
    hear(exporter, watched, 6)
    (cleared,) = deviations(dashboard)
    assert cleared["cleared_at"] == "2026-06-07T12:00:00Z"
    assert (cleared["id"], cleared["occurrences"]) == (silent["id"], 1)
    (miss,) = history(dashboard, silent["id"])
    assert miss["observed"] == "nothing heard yet"
    assert miss["withdrawn_at"] is None
    first, following = owed(dashboard)
    assert (first["slot"], first["state"], first["met_at"]) == (
        0,
        "met_late",
        "2026-06-07T12:00:00Z",
    )
    assert (following["slot"], following["state"]) == (1, "upcoming")
    assert following["due_at"] == "2026-06-10T12:00:00Z"
    sequencer.tick()
    assert changes(dashboard) == [("raised", silent["id"]), ("cleared", silent["id"])]


def test_a_second_silence_is_a_second_occurrence_of_the_same_deviation(
    watched: str,
    sessions: Sessions,
    exporter: Door,
    dashboard: Door,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    beat(sessions, day(5))
    time.now = day(6)
    hear(exporter, watched, 6)
    beat(sessions, day(12))
    (silent,) = deviations(dashboard)
    assert (silent["occurrences"], silent["cleared_at"]) == (2, None)
    assert [one["source"] for one in history(dashboard, silent["id"])] == [
        "obligation:1",
        "obligation:0",
    ]
    assert states(owed(dashboard)) == ["met_late", "overdue"]
    sequencer.tick()
    assert [change for change, _ in changes(dashboard)] == ["raised", "cleared", "raised"]


def test_a_late_reading_that_is_itself_too_old_does_not_end_the_silence(
    watched: str, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    time.now = day(0.5)
    hear(exporter, watched, 0.5)
    beat(sessions, day(5))
    time.now = day(6)
    hear(exporter, watched, 2)
    assert states(owed(dashboard)) == ["overdue"]
    assert deviations(dashboard)[0]["cleared_at"] is None
    hear(exporter, watched, 3)  # 72 hours and no more before now: due, and in its grace
    assert states(owed(dashboard)) == ["met_late", "upcoming"]
    assert deviations(dashboard)[0]["cleared_at"] is not None


def tell_the_story(
    sessions: Sessions, exporter: Door, number: str, time: Clock, *, scheduler: bool
) -> None:
    """Tell of a silence from day 1 to day 6; nothing is wrong before or after."""
    for at in (0.5, 1, 6, 8, 10):
        time.now = day(at)
        if scheduler:
            beat(sessions, day(at, minutes=-1))
        hear(exporter, number, at)
    beat(sessions, day(10, hours=1))


def test_a_silence_that_ended_while_the_scheduler_was_out_is_found_all_the_same(
    make_license: MakeLicense, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    numbers = []
    for scheduler in (True, False):
        time.now = day(0)
        numbers.append(make_license(heartbeat(), serials=("FR-1",))["number"])
        tell_the_story(sessions, exporter, numbers[-1], time, scheduler=scheduler)
    told: list[Any] = []
    for number in numbers:
        (silent,) = deviations(dashboard, license=number)
        rows = owed(dashboard, license=number)
        told.append(
            (
                [(row["slot"], row["state"], row["due_at"], row["met_at"]) for row in rows],
                without_times_of_record(history(dashboard, silent["id"])),
                (silent["severity"], silent["cleared_at"], silent["occurrences"]),
            )
        )
    assert told[0] == told[1]
    assert [row[1] for row in told[0][0]] == ["met_late", "upcoming"]


def test_two_schedulers_at_once_find_each_silence_once(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    serials = tuple(f"FR-{number}" for number in range(8))
    for _ in range(3):
        make_license(heartbeat(), serials=serials)
    beat(sessions, day(0))
    looked: list[int] = []
    threads = [
        threading.Thread(target=lambda: looked.append(beat(sessions, day(5)))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(looked) + beat(sessions, day(5)) == 24
    assert states(owed(dashboard)) == ["overdue"] * 24
    assert [one["occurrences"] for one in deviations(dashboard)] == [1] * 24
    assert entries(sessions, "obligation.overdue") == 24


def test_a_unit_that_is_shipped_later_is_awaited_from_when_we_were_told_of_it(
    watched: str, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    beat(sessions, day(0))
    time.now = day(20)
    shipment = {
        "license": watched,
        "reference": "SHIP-2",
        "line": 1,
        "date": "2026-06-19",
        "quantity": 1,
        "serials": ["FR-2"],
    }
    assert exporter.post("/v1/shipments", shipment).status_code == 201
    beat(sessions, day(20))
    assert {row["subject"]: row["due_at"] for row in owed(dashboard)} == {
        "FR-1": "2026-06-04T12:00:00Z",
        "FR-2": "2026-06-24T12:00:00Z",
    }
    beat(sessions, day(25))
    assert {one["subject"] for one in deviations(dashboard)} == {"FR-1", "FR-2"}


def test_a_condition_on_some_lines_awaits_only_their_units(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    make_license(heartbeat(_={"lines": [1]}), serials=("FR-1",))
    beat(sessions, day(0))
    assert [row["subject"] for row in owed(dashboard)] == ["FR-1"]


def test_an_amendment_moves_the_deadline(
    watched: str, sessions: Sessions, officer: Door, door: OpenDoor, dashboard: Door, time: Clock
) -> None:
    beat(sessions, day(0))
    time.now = day(1)
    amend((officer, door("licensing_officer")), watched, day(1), heartbeat(hours=240))
    beat(sessions, day(1))
    beat(sessions, day(4))
    assert deviations(dashboard) == []
    (row,) = owed(dashboard)
    assert row["due_at"] == "2026-06-11T12:00:00Z"
    time.now = day(5)
    amend((officer, door("licensing_officer")), watched, day(5), heartbeat(hours=144))
    beat(sessions, day(5))
    beat(sessions, day(6, hours=4))
    assert deviations(dashboard)[0]["reason"] == "silent"


def test_a_shorter_term_that_begins_later_is_watched_from_then_on(
    watched: str,
    sessions: Sessions,
    exporter: Door,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
) -> None:
    amend((officer, door("licensing_officer")), watched, day(2), heartbeat(hours=24))
    beat(sessions, day(0))
    assert owed(dashboard)[0]["due_at"] == "2026-06-04T12:00:00Z"
    time.now = day(1.5)
    hear(exporter, watched, 1.5)
    beat(sessions, day(2))
    assert owed(dashboard)[0]["due_at"] == "2026-06-04T00:00:00Z"
    beat(sessions, day(2.5, hours=4))
    assert states(owed(dashboard)) == ["overdue"]


def test_an_amendment_that_reaches_back_takes_a_silence_back_that_is_none_any_more(
    watched: str,
    sessions: Sessions,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    beat(sessions, day(5))
    (silent,) = deviations(dashboard)
    time.now = day(5)
    amend((officer, door("licensing_officer")), watched, day(-10), heartbeat(hours=240))
    beat(sessions, day(5))
    assert states(owed(dashboard)) == ["upcoming"]
    (one,) = history(dashboard, silent["id"])
    assert one["withdrawn_at"] is not None
    beat(sessions, day(11))
    assert states(owed(dashboard)) == ["overdue"]
    (again,) = history(dashboard, silent["id"])
    assert again["withdrawn_at"] is None
    assert again["expected"].startswith("a reading every 240 hours")
    sequencer.tick()
    assert [change for change, _ in changes(dashboard)] == ["raised", "withdrawn", "raised"]


def test_a_condition_that_begins_later_is_watched_from_its_beginning(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    make_license(heartbeat(_={"effective_from": day(10).isoformat()}), serials=("FR-1",))
    beat(sessions, day(0))
    assert owed(dashboard) == []
    beat(sessions, day(10))
    (row,) = owed(dashboard)
    assert row["due_at"] == "2026-06-14T12:00:00Z"


def test_a_condition_that_ends_is_waived_for_what_was_not_yet_due(
    watched: str, sessions: Sessions, officer: Door, door: OpenDoor, dashboard: Door, time: Clock
) -> None:
    beat(sessions, day(0))
    body = {"ground": "agreed", "effective_from": day(1).isoformat(), "ends": ["heartbeat"]}
    path = f"/v1/licenses/{watched}/amendments"
    id = officer.post(path, body).json()["id"]
    assert door("licensing_officer").post(f"{path}/{id}/approval").status_code == 200
    beat(sessions, day(9))
    assert states(owed(dashboard)) == ["waived"]
    assert deviations(dashboard) == []


def test_duties_outlive_a_license_that_expires(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    number = make_license(heartbeat(), serials=("FR-1",), expires_on="2026-06-02")["number"]
    beat(sessions, day(0))
    with sessions() as session:
        assert licenses.to_lapse(session, now=day(2), limit=10) == [number]
        assert licenses.lapse(session, number, actor=SYSTEM, now=day(2))
        session.commit()
    beat(sessions, day(2))
    assert dashboard.get(f"/v1/licenses/{number}").json()["state"] == "expired"
    beat(sessions, day(5))
    assert states(owed(dashboard)) == ["overdue"]


def test_duties_outlive_a_license_that_is_revoked(
    make_license: MakeLicense, sessions: Sessions, officer: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(heartbeat(), serials=("FR-1",))["number"]
    beat(sessions, day(0))
    time.now = day(2)
    revoked = officer.post(f"/v1/licenses/{number}/state", {"state": "revoked", "ground": "misuse"})
    assert revoked.json()["state"] == "revoked"
    beat(sessions, day(2))
    beat(sessions, day(5))
    assert deviations(dashboard)[0]["reason"] == "silent"


def test_a_row_that_cannot_be_looked_at_does_not_keep_the_others_waiting(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    number = make_license(heartbeat(), serials=("FR-1", "FR-2"))["number"]
    beat(sessions, day(0))
    with sessions() as session:  # its license names a time zone nobody knows
        session.execute(
            text("UPDATE obligations SET what = 'report' WHERE subject = 'FR-1'"),
        )
        session.execute(text("UPDATE licenses SET time_zone = 'Nowhere/Else'"))
        session.commit()

    assert beat(sessions, day(4)) == 1

    assert [item["subject"] for item in deviations(dashboard, license=number)] == ["FR-2"]
    assert beat(sessions, day(4, minutes=1)) == 0
