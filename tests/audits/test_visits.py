"""Notice, yearly limits, and what delay leads to."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audits import visits
from app.audits.rules import Mode, State
from app.audits.visits import DayPast, NotAnnounced, NoticeTooShort, Right, TooManyVisits

NAIROBI = ZoneInfo("Africa/Nairobi")
DAY = date(2026, 5, 6)
OVER = datetime(2026, 5, 6, 21, tzinfo=UTC)
"""When that day is over in Nairobi."""


def right(hours: int = 48, most: int | None = None) -> Right:
    return Right(timedelta(hours=hours), most)


def test_of_several_conditions_the_longest_notice_and_the_fewest_visits_count() -> None:
    assert visits.right_of([]) is None
    assert visits.right_of([{"notice_hours": 4, "max_per_year": None}]) == right(4)
    three = [
        {"notice_hours": 24, "max_per_year": 6},
        {"notice_hours": 72},
        {"notice_hours": 0, "max_per_year": 2},
    ]
    assert visits.right_of(three) == right(72, 2)


def test_a_day_counts_until_it_is_over_where_the_license_is() -> None:
    assert visits.end_of(DAY, NAIROBI) == OVER
    visits.check_day(DAY, OVER - timedelta(seconds=1), NAIROBI)
    with pytest.raises(DayPast) as refused:
        visits.check_day(DAY, OVER, NAIROBI)
    assert refused.value.pointer == "/planned_for"


def test_the_visit_may_be_on_the_day_on_which_the_notice_is_over_and_not_before() -> None:
    last = OVER - timedelta(hours=48)
    visits.check_notice(right(), DAY, last - timedelta(microseconds=1), NAIROBI)
    with pytest.raises(NoticeTooShort, match="48 hours") as refused:
        visits.check_notice(right(), DAY, last, NAIROBI)
    assert refused.value.more == {"earliest": OVER.isoformat()}
    visits.check_notice(None, DAY, OVER, NAIROBI)
    visits.check_notice(right(0), DAY, OVER - timedelta(seconds=1), NAIROBI)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1)),  # noqa: DTZ001
       st.integers(0, 2_000), st.integers(0, 120))  # fmt: skip
def test_the_notice_leaves_some_of_the_day_or_the_day_is_refused(
    announced: datetime, hours: int, days: int
) -> None:
    day = (announced + timedelta(days=days)).astimezone(NAIROBI).date()
    begins = announced + timedelta(hours=hours)
    possible = begins.astimezone(NAIROBI).date() <= day
    try:
        visits.check_notice(right(hours), day, announced, NAIROBI)
    except NoticeTooShort:
        assert not possible
    else:
        assert possible


def test_the_last_visit_of_the_year_is_allowed_and_the_next_is_not() -> None:
    visits.check_yearly(right(most=3), 2026, 2)
    with pytest.raises(TooManyVisits, match=r"3 visits a year.*3 are made.*2026"):
        visits.check_yearly(right(most=3), 2026, 3)
    visits.check_yearly(right(), 2026, 300)
    visits.check_yearly(None, 2026, 300)


@pytest.mark.parametrize(
    ("mode", "state", "begun", "counted"),
    [
        (Mode.PHYSICAL, State.PLANNED, False, True),
        (Mode.REMOTE_VIDEO, State.NOTIFIED, False, True),
        (Mode.DELEGATED, State.REFUSED, False, False),
        (Mode.PHYSICAL, State.UNABLE, False, False),
        (Mode.PHYSICAL, State.REFUSED, True, True),
        (Mode.PHYSICAL, State.CLOSED, True, True),
        (Mode.PHYSICAL, State.CLOSED, False, False),
        (Mode.DOCUMENTARY, State.CLOSED, True, False),
    ],
)
def test_a_visit_is_what_is_to_come_or_was_begun(
    mode: Mode, state: State, *, begun: bool, counted: bool
) -> None:
    assert visits.counts(mode, state, OVER if begun else None) is counted


@pytest.mark.parametrize(
    ("given", "free"),
    [
        ({}, False),
        ({"state": State.NOTIFIED}, True),
        ({"unannounced": True}, True),
        ({"mode": Mode.DOCUMENTARY}, True),
        ({"right": right(0)}, True),
        ({"right": None}, True),
    ],
)
def test_what_must_be_announced_is_not_begun_before(given: dict[str, Any], *, free: bool) -> None:
    case: dict[str, Any] = {
        "right": right(),
        "mode": Mode.PHYSICAL,
        "state": State.PLANNED,
        "unannounced": False,
        "number": "CHK-2026-00001",
    } | given
    if free:
        visits.check_announced(case.pop("right"), case.pop("mode"), **case)
    else:
        with pytest.raises(NotAnnounced):
            visits.check_announced(case.pop("right"), case.pop("mode"), **case)


def test_a_refusal_counts_from_the_end_of_the_notice() -> None:
    told = OVER - timedelta(hours=24)
    assert visits.clock_from(right(48), OVER, told) == told + timedelta(hours=48)
    assert visits.clock_from(right(12), OVER, told) == OVER
    assert visits.clock_from(None, OVER, told) == visits.clock_from(right(), OVER, None) == OVER


def test_rungs_are_reached_after_sixty_and_a_hundred_and_twenty_days_each_once() -> None:
    instant = timedelta(microseconds=1)

    def after(days: int, *known: str, at: timedelta = instant) -> list[str]:
        return visits.climbed(OVER, OVER + timedelta(days=days) + at, known, NAIROBI)

    assert after(60, at=timedelta()) == []
    assert after(60) == ["unverified"]
    assert after(120, "unverified", at=timedelta()) == []
    assert after(120, "unverified") == ["recommend_listing"]
    assert after(400) == ["unverified", "recommend_listing"]
    assert after(400, "unverified", "recommend_listing") == []
    assert visits.climbed(None, OVER, (), NAIROBI) == []


def test_the_next_look_is_at_the_next_rung() -> None:
    instant = timedelta(microseconds=1)
    assert visits.next_rung(None, (), NAIROBI) is None
    assert visits.next_rung(OVER, (), NAIROBI) == OVER + timedelta(days=60) + instant
    second = visits.next_rung(OVER, ["unverified"], NAIROBI)
    assert second == OVER + timedelta(days=120) + instant
    assert visits.next_rung(OVER, visits.RUNGS, NAIROBI) is None


def test_a_check_is_completed_by_one_that_saw_as_much() -> None:
    for planned in Mode:
        assert visits.completes(Mode.PHYSICAL, planned)
        assert visits.completes(planned, planned)
    assert not visits.completes(Mode.DOCUMENTARY, Mode.PHYSICAL)
    assert not visits.completes(None, Mode.PHYSICAL)


def test_a_partner_reports_as_a_third_party() -> None:
    assert visits.kinds_of_report(Mode.DELEGATED) == {"inspection", "third_party"}
    assert visits.kinds_of_report(Mode.PHYSICAL) == {"inspection"}
