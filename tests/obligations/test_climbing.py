"""What is told as deadlines come near and pass, and how parties come to stand by it."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense
from tests.journeys.telling import (
    amend,
    beat,
    changes,
    day,
    deviations,
    entries,
    file,
    heartbeat,
    history,
    owed,
    reading,
    report,
    send,
    states,
)
from tests.world import condition


def on(month: int, of_month: int, hour: int = 12) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = on(6, 1)


def monthly(**more: Any) -> dict[str, Any]:
    terms = {"every": "P1M", "by": "exporter", "starts": "2026-06-01"} | more
    return condition("reporting_cadence", **terms)


def rungs(sessions: Sessions, slot: int = 0) -> list[tuple[str, bool]]:
    """List the rungs an obligation came to, in order, and whether each was skipped."""
    query = text(
        "SELECT r.rung, skipped FROM rungs r JOIN obligations o ON o.id = r.obligation_id"
        " WHERE o.slot = :slot ORDER BY r.at, r.recorded_at"
    )
    with sessions() as session:
        return [(rung, skipped) for rung, skipped in session.execute(query, {"slot": slot})]


def standings(sessions: Sessions) -> list[tuple[str, str]]:
    with sessions() as session:
        rows = session.execute(text("SELECT party, standing FROM party_standings ORDER BY id"))
        return [(party, standing) for party, standing in rows]


def test_who_must_hand_something_in_is_reminded_before(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    make_license(monthly())
    beat(sessions, on(6, 1))
    for moment in (on(6, 17, 0), on(6, 28, 0), on(7, 1, 0)):
        assert beat(sessions, moment - timedelta(microseconds=1)) == 0
        assert beat(sessions, moment) == 1
        assert beat(sessions, moment) == 0
    assert rungs(sessions) == [("reminder_14", False), ("reminder_3", False), ("due", False)]
    assert entries(sessions, "obligation.reminded") == 2
    assert entries(sessions, "obligation.fell_due") == 1
    assert deviations(dashboard) == []
    first = owed(dashboard)[0]
    assert (first["rung"], first["by"], first["title"]) == (
        "due",
        ["exporter"],
        "Reporting cadence",
    )


def test_lasting_silence_makes_the_deviation_graver_step_by_step(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door, sequencer: Sequencer
) -> None:
    make_license(heartbeat(), serials=("FR-1",))
    beat(sessions, day(0))
    grave = []
    for days in (4, 17, 18, 33, 34, 80):
        beat(sessions, day(days))
        grave.append(deviations(dashboard)[0]["severity"])
    assert grave == ["moderate", "moderate", "high", "high", "critical", "critical"]
    assert rungs(sessions) == [("overdue", False), ("overdue_14", False), ("overdue_30", False)]
    (silent,) = deviations(dashboard)
    assert len(history(dashboard, silent["id"])) == 1
    sequencer.tick()
    told = [change for change, _ in changes(dashboard)]
    assert told == ["raised", "escalated", "escalated"]


def test_after_an_outage_it_goes_straight_to_the_right_rung(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door, sequencer: Sequencer
) -> None:
    make_license(heartbeat(), serials=("FR-1", "FR-2"))
    beat(sessions, day(0))
    assert beat(sessions, day(20)) == 2
    assert beat(sessions, day(20)) == 0
    assert rungs(sessions) == [("overdue", True)] * 2 + [("overdue_14", False)] * 2
    assert [one["severity"] for one in deviations(dashboard)] == ["high", "high"]
    sequencer.tick()
    assert [change for change, _ in changes(dashboard)] == ["raised", "raised"]
    assert entries(sessions, "obligation.overdue") == 0  # numbered by now, and not pending


def test_what_comes_late_is_cleared_at_whatever_rung(
    make_license: MakeLicense, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(heartbeat(), serials=("FR-1",))["number"]
    beat(sessions, day(0))
    beat(sessions, day(20))
    time.now = day(21)
    send(exporter, reading(number, "FR-1", day(21), gallery_size=5))
    (cleared,) = deviations(dashboard)
    assert (cleared["severity"], cleared["cleared_at"]) == ("high", "2026-06-22T12:00:00Z")
    settled, following = owed(dashboard)
    assert (settled["state"], settled["rung"]) == ("met_late", "overdue_14")
    assert (following["state"], following["rung"]) == ("upcoming", None)


def test_a_check_that_stays_away_unsettles_its_parties_until_it_comes(
    make_license: MakeLicense, sessions: Sessions, door: Any, dashboard: Door, time: Clock
) -> None:
    inventory = condition("serial_inventory", initial_within_days=90)
    number = make_license(inventory, serials=("FR-1",))["number"]
    beat(sessions, time.now)
    (row,) = owed(dashboard)
    due = datetime.fromisoformat(row["due_at"])
    beat(sessions, due + timedelta(days=60))
    assert standings(sessions) == []
    beat(sessions, due + timedelta(days=61))
    beat(sessions, due + timedelta(days=62))
    assert standings(sessions) == [("KE-BCA", "unverified")]
    beat(sessions, due + timedelta(days=121))
    assert standings(sessions)[1:] == [("KE-BCA", "listing_recommended")]
    record = dashboard.get("/v1/parties/KE-BCA").json()
    assert (record["standing"], len(record["standings"])) == ("listing_recommended", 2)
    assert record["ground"].startswith(f"Serial inventory under {number} was due on 2026-05-31")
    time.now = due + timedelta(days=130)
    seen = {"subject": {"site": "NBO-T1"}, "facts": {"sighted_serials": ["FR-1"]}}
    file(door("inspector"), report(number, time.now, seen, kind="inspection", mode="physical"))
    beat(sessions, time.now)
    assert standings(sessions)[2:] == [("KE-BCA", "good")]
    assert states(owed(dashboard))[0] == "met_late"


def test_what_unsettles_a_party_is_an_alert_of_its_own_until_it_comes(
    make_license: MakeLicense,
    sessions: Sessions,
    exporter: Door,
    door: Any,
    dashboard: Door,
    time: Clock,
    sequencer: Sequencer,
) -> None:
    inventory = condition("serial_inventory", initial_within_days=90)
    number = make_license(inventory, serials=("FR-1",))["number"]
    beat(sessions, time.now)
    (row,) = owed(dashboard)
    due = datetime.fromisoformat(row["due_at"])
    for days in (59, 61, 62, 121):
        beat(sessions, due + timedelta(days=days))
    sequencer.tick()
    open_ = dashboard.get("/v1/alerts/current").json()["items"]
    assert {one["obligation"] for one in open_} == {None, row["id"]}
    time.now = due + timedelta(days=130)
    seen = {"subject": {"site": "NBO-T1"}, "facts": {"sighted_serials": ["FR-1"]}}
    file(door("inspector"), report(number, time.now, seen, kind="inspection", mode="physical"))
    beat(sessions, time.now)
    sequencer.tick()
    for reader in (dashboard, exporter):
        items = reader.get("/v1/alerts").json()["items"]
        assert [one["seq"] for one in items] == sorted(one["seq"] for one in items)
        told = [one for one in items if one["obligation"] == row["id"]]
        title = f"Serial inventory, {number}, site NBO-T1"
        assert [(one["change"], one["severity"], one["title"]) for one in told] == [
            ("raised", "high", f"{title}: unverified"),
            ("escalated", "critical", f"{title}: listing recommended"),
            ("cleared", "critical", f"{title}: listing recommended"),
        ]
        assert {(one["kind"], one["country"], one["deviation"]) for one in told} == {
            ("serial_inventory", "KE", None)
        }
    assert dashboard.get("/v1/alerts/current").json()["items"] == []


def test_what_is_waived_unsettles_nobody_until_it_is_owed_again(
    make_license: MakeLicense, sessions: Sessions, door: Any, dashboard: Door, time: Clock
) -> None:
    inventory = condition("serial_inventory", initial_within_days=90)
    make_license(inventory, serials=("FR-1",))
    beat(sessions, time.now)
    (row,) = owed(dashboard)
    time.now = datetime.fromisoformat(row["due_at"]) + timedelta(days=61)
    beat(sessions, time.now)
    path = f"/v1/obligations/{row['id']}/waiver"
    asked = {"ground": "A war.", "expires_on": f"{time.now + timedelta(days=10):%Y-%m-%d}"}
    assert door("licensing_officer").post(path, asked).status_code == 201
    assert door("supervisor").post(f"{path}/approval").status_code < 300
    with sessions() as session:
        query = text(
            "SELECT ended_at IS NULL, state FROM party_causes, alerts WHERE deviation IS NULL"
        )
        assert session.execute(query).all() == [(False, "cleared")]
    time.forward(days=12)
    beat(sessions, time.now)
    with sessions() as session:
        assert session.execute(query).all() == [(True, "open")]


def test_a_party_stays_unverified_while_another_check_of_it_is_missing(
    make_license: MakeLicense, sessions: Sessions, door: Any, dashboard: Door, time: Clock
) -> None:
    inventory = condition("serial_inventory", initial_within_days=90)
    numbers = [make_license(inventory, serials=(f"FR-{at}",))["number"] for at in (1, 2)]
    beat(sessions, time.now)
    time.now = day(70)
    beat(sessions, time.now)
    assert standings(sessions) == [("KE-BCA", "unverified")]
    for at, number in enumerate(numbers, 1):
        seen = {"subject": {"site": "NBO-T1"}, "facts": {"sighted_serials": [f"FR-{at}"]}}
        file(door("inspector"), report(number, time.now, seen, kind="inspection", mode="physical"))
        beat(sessions, time.now)
    assert standings(sessions)[1:] == [("KE-BCA", "good")]


@pytest.mark.parametrize("days", [10, 400])
def test_a_scheduler_that_was_off_raises_each_overdue_row_once_at_its_rung(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door, days: int
) -> None:
    make_license(monthly(grace_days=0), heartbeat(), serials=("FR-1", "FR-2"))
    beat(sessions, on(6, 1))
    back = on(7, 1) + timedelta(days=days)
    beat(sessions, back)
    assert beat(sessions, back) == 0
    late = [one for one in owed(dashboard, limit="500") if one["state"] == "overdue"]
    assert len(late) == (3 if days == 10 else 2 + 14)
    told = entries(sessions, "obligation.overdue")
    assert told == len(late) == sum(one["occurrences"] for one in deviations(dashboard))
    with sessions() as session:
        twice = text("SELECT count(*) FROM rungs WHERE NOT skipped")
        assert session.scalar(twice) == len(owed(dashboard, state="overdue", limit="500")) + _early(
            session
        )


def _early(session: Any) -> int:
    """Count what was told of things that are not overdue: reminders of the running period."""
    query = "SELECT count(*) FROM rungs WHERE NOT skipped AND rung NOT LIKE 'overdue%'"
    return int(session.scalar(text(query)))


def test_two_schedulers_at_once_reach_each_rung_once(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    make_license(monthly(grace_days=0), heartbeat(), serials=tuple(f"FR-{at}" for at in range(9)))
    beat(sessions, day(0))
    for moment in (day(4), day(31), day(45), day(80)):
        threads = [threading.Thread(target=beat, args=(sessions, moment)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        beat(sessions, moment)
    with sessions() as session:
        told = session.execute(
            text(
                "SELECT obligation_id, due_at, count(*) FROM rungs WHERE NOT skipped"
                " AND recorded_at = :at GROUP BY 1, 2 HAVING count(*) > 1"
            ),
            {"at": day(80)},
        ).all()
    assert told == []
    silent = [one for one in deviations(dashboard) if one["kind"] == "heartbeat"]
    assert [one["occurrences"] for one in silent] == [1] * 9
    assert entries(sessions, "obligation.overdue") == len(owed(dashboard, state="overdue"))


@pytest.mark.parametrize(
    ("zone", "moments"),
    [
        ("Europe/Berlin", [on(3, 28, 22), on(3, 29, 1), on(3, 29, 2), on(3, 31, 22), on(4, 1)]),
        ("America/New_York", [on(11, 1, 5), on(11, 1, 6), on(11, 1, 7), on(12, 1, 5)]),
        ("Pacific/Kiritimati", [on(12, 30), on(12, 31, 10), on(12, 31, 23)]),
        (
            "UTC",
            [
                datetime(2028, 2, 28, 23, tzinfo=UTC),
                datetime(2028, 2, 29, 23, tzinfo=UTC),
                datetime(2028, 3, 1, 1, tzinfo=UTC),
            ],
        ),
        ("UTC", [on(8, 1), on(8, 1) + timedelta(days=400), on(8, 1), on(8, 2)]),
        ("UTC", [on(8, 1), on(8, 1) - timedelta(days=400), on(8, 1), on(8, 2)]),
    ],
)
def test_whatever_the_clock_does_nothing_is_missed_and_nothing_doubled(
    make_license: MakeLicense,
    sessions: Sessions,
    dashboard: Door,
    time: Clock,
    zone: str,
    moments: list[datetime],
) -> None:
    """Every day, or week, that was over in its zone was found once, and no other."""
    starts = (moments[0] - timedelta(days=35)).date().isoformat()
    time.now = moments[0] - timedelta(days=35)
    days = 7 if max(moments) - min(moments) > timedelta(days=100) else 1
    terms: dict[str, Any] = {"every": f"P{days}D", "grace_days": 0, "starts": starts}
    make_license(
        condition("reporting_cadence", **terms, by="exporter"),
        granted_on=starts,
        expires_on=None,
        time_zone=zone,
    )
    for moment in moments:
        beat(sessions, moment)
        beat(sessions, moment)
    with sessions() as session:
        periods = session.execute(
            text(
                "SELECT period_from, count(*) FROM obligations WHERE state = 'overdue'"
                " GROUP BY 1 ORDER BY 1"
            )
        ).all()
        occurrences = session.scalar(text("SELECT count(*) FROM occurrences"))
        missed = session.scalar(
            text("SELECT count(*) FROM obligations WHERE state <> 'overdue' AND grace_until < :at"),
            {"at": max(moments)},
        )
    found = [one for one, _ in periods]
    assert found == [found[0] + timedelta(days=at * days) for at in range(len(found))]
    assert {count for _, count in periods} == {1}
    assert (occurrences, missed) == (len(found), 0)
    assert entries(sessions, "obligation.overdue") == len(found)


def test_a_deadline_that_an_amendment_moves_is_reminded_of_again(
    make_license: MakeLicense,
    sessions: Sessions,
    officer: Door,
    door: Any,
    time: Clock,
    dashboard: Door,
) -> None:
    inventory = condition("serial_inventory", initial_within_days=20)
    number = make_license(inventory, serials=("FR-1",), granted_on="2026-06-01")["number"]
    beat(sessions, day(0))
    beat(sessions, day(19))
    later = condition("serial_inventory", initial_within_days=60)
    time.now = day(19)
    amend((officer, door("licensing_officer")), number, day(19), later)
    beat(sessions, day(19))
    beat(sessions, day(66))
    assert [name for name, _ in rungs(sessions)].count("reminder_14") == 2
    (row,) = owed(dashboard)
    assert row["rung"] in {"reminder_14", "reminder_3"}


def test_what_is_settled_or_only_added_nobody_changes(
    make_license: MakeLicense,
    sessions: Sessions,
    owners: Sessions,
    exporter: Door,
    time: Clock,
) -> None:
    number = make_license(monthly())["number"]
    beat(sessions, on(6, 1))
    beat(sessions, on(6, 17))
    time.now = on(6, 28)
    file(exporter, report(number, on(6, 28)))
    for change in (
        "UPDATE obligations SET due_at = due_at + interval '1 day' WHERE settled_at IS NOT NULL",
        "UPDATE rungs SET skipped = true",
        "DELETE FROM rungs",
    ):
        with owners() as session, pytest.raises(DBAPIError, match="only ever added"):
            session.execute(text(change))
