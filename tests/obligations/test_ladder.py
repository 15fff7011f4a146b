"""Rungs: each once, none before its time, straight to the right one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.obligations import ladder
from app.obligations.ladder import LADDERS, Climb
from app.obligations.rules import Deadline
from monitors import catalogue

DUE = datetime(2026, 6, 30, 22, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
SINCE = DUE - timedelta(days=60)
NAMES = st.sampled_from(sorted(LADDERS))
DEADLINES = st.builds(
    lambda due, grace: Deadline(due, due + grace),
    st.integers(0, 2_000 * 24).map(
        lambda hours: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    ),
    st.timedeltas(timedelta(0), timedelta(days=60)),
)
LOOKS = st.lists(st.timedeltas(timedelta(days=-400), timedelta(days=400)), max_size=12)


def look(
    now: datetime,
    reached: frozenset[str] = frozenset(),
    name: str = "check",
    deadline: Deadline | None = None,
    since: datetime = SINCE,
) -> Climb:
    deadline = deadline or Deadline(DUE, DUE)
    return ladder.climb(name, deadline, since=since, zone=BERLIN, now=now, reached=reached)


@given(NAMES, DEADLINES, LOOKS)
def test_each_rung_is_told_once_at_most_in_whatever_order_it_is_looked(
    name: str, deadline: Deadline, looks: list[timedelta]
) -> None:
    reached: list[str] = []
    told: list[str] = []
    since = deadline.due_at - timedelta(days=30)
    for away in looks:
        now = deadline.due_at + away
        climbed = look(now, frozenset(reached), name, deadline, since)
        fresh = [*climbed.skipped, *([climbed.told] if climbed.told else [])]
        assert all(rung.at(deadline, BERLIN) <= now for rung in fresh)
        assert climbed.next_at is None or climbed.next_at > now
        reached += [rung.name for rung in fresh]
        told += [climbed.told.name] if climbed.told else []
    assert len(reached) == len(set(reached))
    order = [rung.name for rung in LADDERS[name]]
    assert told == sorted(told, key=order.index)


@given(NAMES, DEADLINES)
def test_whoever_looks_when_promised_tells_every_rung_and_skips_none(
    name: str, deadline: Deadline
) -> None:
    since = deadline.due_at - timedelta(days=30)
    now: datetime | None = since
    told, reached = [], frozenset[str]()
    while now is not None:
        climbed = look(now, reached, name, deadline, since)
        assert not climbed.skipped
        if climbed.told is not None:
            told.append(climbed.told.name)
            reached |= {climbed.told.name}
        now = climbed.next_at
    assert told == [rung.name for rung in LADDERS[name]]


@given(NAMES, DEADLINES, st.timedeltas(timedelta(days=-29), timedelta(days=400)))
def test_whoever_looks_for_the_first_time_comes_straight_to_where_things_are(
    name: str, deadline: Deadline, away: timedelta
) -> None:
    now, since = deadline.due_at + away, deadline.due_at - timedelta(days=30)
    passed = [rung for rung in LADDERS[name] if rung.at(deadline, BERLIN) <= now]
    climbed = look(now, frozenset(), name, deadline, since)
    assert climbed.told == climbed.rung == (passed[-1] if passed else None)
    assert list(climbed.skipped) == passed[:-1]


@pytest.mark.parametrize(
    ("days", "rung"),
    [
        (-15, None),
        (-14, "reminder_14"),
        (-3, "reminder_3"),
        (13, "overdue"),
        (15, "overdue_14"),
        (31, "overdue_30"),
        (61, "unverified"),
        (121, "recommend_listing"),
        (4_000, "recommend_listing"),
    ],
)
def test_the_rungs_stand_where_they_should(days: int, rung: str | None) -> None:
    climbed = look(DUE + timedelta(days=days))
    assert (climbed.rung.name if climbed.rung else None) == rung


def test_at_the_limit_itself_it_is_due_and_not_yet_overdue() -> None:
    at, after = look(DUE), look(DUE + timedelta(microseconds=1))
    assert (at.rung, after.rung) == (ladder.RUNGS["due"], ladder.RUNGS["overdue"])
    assert at.next_at == DUE + timedelta(microseconds=1)


def test_nobody_is_reminded_of_what_was_not_owed_yet() -> None:
    since = DUE - timedelta(days=10)
    early = look(DUE - timedelta(days=9), since=since)
    assert (early.rung, early.skipped, early.next_at) == (None, [], DUE - timedelta(days=3))


def test_a_rung_told_too_early_by_a_wrong_clock_is_not_followed_by_an_earlier_one() -> None:
    back = look(DUE - timedelta(days=2), reached=frozenset({"overdue_30"}))
    assert (back.told, [rung.name for rung in back.skipped]) == (
        None,
        ["reminder_14", "reminder_3"],
    )


def test_reminders_keep_their_hour_where_clocks_change() -> None:
    due = datetime(2026, 3, 31, 22, tzinfo=UTC)  # midnight in Berlin, two days after the change
    rung = ladder.RUNGS["reminder_3"]
    assert rung.at(Deadline(due, due), BERLIN) == datetime(2026, 3, 28, 23, tzinfo=UTC)


def test_steps_rise_with_the_rungs_and_every_kind_has_a_ladder() -> None:
    for rungs in LADDERS.values():
        steps = [rung.steps for rung in rungs]
        assert steps == sorted(steps)
    assert ladder.steps(None) == ladder.steps("due") == 0
    assert ladder.steps("overdue_14") == 1
    assert {one.ladder for one in catalogue().monitors.values()} == set(LADDERS)


CADENCES = ("days", "hours", "every")
NOT_OWED = {
    "audit_log_integrity.max_gap_hours": "how long a gap may be: a figure of the unit",
    "audit_right.notice_hours": "runs from the announcement of an audit, which audits keep",
    "change_notification.days_before": "nobody knows of a change before it is told",
    "consistent_sources.within_hours": "how far apart statements are compared",
    "grievance_channel.max_open_days": "runs from a complaint that only the channel knows",
    "incident_notification.within_hours": "nobody knows of an incident before it is told",
    "plausible_reports.copied_days": "how near to each other copies are looked for",
    "plausible_reports.drift_hours": "how far clocks may differ",
    "remote_access.log_days": "an age of logs on the unit",
    "retention_limit.log_days": "an age of logs on the unit",
    "retention_limit.non_match_hours": "an age of data on the unit",
    "retention_limit.probe_days": "an age of data on the unit",
    "retention_limit.template_days": "an age of data on the unit",
}


def test_every_kind_with_a_cadence_or_deadline_declares_what_it_makes_somebody_owe() -> None:
    silent = {
        f"{kind}.{name}"
        for kind, monitor in catalogue().monitors.items()
        for name in monitor.terms.model_fields
        if not {*CADENCES}.isdisjoint(name.split("_"))
        and monitor.owes is None
        and monitor.awaits is None
    }
    assert silent == set(NOT_OWED)
