"""Days, months, zones and days off."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isodate import Duration

from app.obligations import calendars, rules
from monitors import Duty

BERLIN, CHATHAM = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Chatham")
ZONES = st.sampled_from([ZoneInfo("UTC"), BERLIN, CHATHAM, ZoneInfo("America/New_York")])
DAYS = st.dates(date(2000, 1, 1), date(2090, 1, 1))
COUNTRIES = st.lists(st.sampled_from(["KE", "DE", "AE", "IL", "XX"]), max_size=3)


@given(DAYS, COUNTRIES)
def test_a_day_moves_on_to_the_first_on_which_everybody_works(
    day: date, countries: list[str]
) -> None:
    moved = calendars.on_working_day(day, countries)
    assert calendars.works(moved, countries)
    assert day <= moved
    passed = [day + timedelta(days=days) for days in range((moved - day).days)]
    assert not any(calendars.works(one, countries) for one in passed)


@given(DAYS, st.integers(0, 40), COUNTRIES)
def test_working_days_counted_on_are_counted_back(
    day: date, days: int, countries: list[str]
) -> None:
    there = calendars.working_days_after(day, days, countries)
    first = calendars.on_working_day(day, countries) if days == 0 else day
    assert calendars.working_days_between(first, there, countries) == days
    assert days == 0 or calendars.works(there, countries)


@pytest.mark.parametrize(
    ("day", "countries", "moved"),
    [
        (date(2026, 12, 12), ["KE"], date(2026, 12, 14)),  # Jamhuri Day is a Saturday
        (date(2026, 12, 25), ["KE"], date(2026, 12, 28)),  # Friday, then the weekend
        (date(2026, 10, 3), ["DE"], date(2026, 10, 5)),
        (date(2026, 4, 3), ["KE", "DE"], date(2026, 4, 7)),  # Good Friday to Easter Monday
        (date(2026, 5, 1), ["US"], date(2026, 5, 1)),
        (date(2026, 6, 26), ["IL"], date(2026, 6, 28)),  # Friday and Saturday are off there
        (date(2026, 6, 27), ["XX"], date(2026, 6, 29)),  # a country nobody knows: the weekend
        (date(2026, 6, 27), [], date(2026, 6, 27)),
    ],
)
def test_holidays_and_weekends_are_those_of_the_country(
    day: date, countries: list[str], moved: date
) -> None:
    assert calendars.on_working_day(day, countries) == moved


def test_where_nobody_ever_works_the_day_itself_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendars, "works", lambda *_: False)
    assert calendars.on_working_day(date(2026, 1, 1), ["KE"]) == date(2026, 1, 1)


@given(DAYS, ZONES)
def test_a_day_ends_when_the_next_begins(day: date, zone: ZoneInfo) -> None:
    over = calendars.ends(day, zone)
    assert over == calendars.begins(day + timedelta(days=1), zone)
    assert calendars.last_day(over, zone) == day
    assert calendars.last_day(over + calendars.INSTANT, zone) == day + timedelta(days=1)


@given(DAYS, st.integers(-500, 500), ZONES)
def test_midnight_stays_midnight_over_changes_of_clocks(
    day: date, days: int, zone: ZoneInfo
) -> None:
    there = calendars.days_later(calendars.begins(day, zone), days, zone)
    assert there == calendars.begins(day + timedelta(days=days), zone)


def test_a_day_of_a_change_of_clocks_is_not_24_hours() -> None:
    before = datetime(2026, 3, 28, 11, tzinfo=UTC)
    assert calendars.days_later(before, 1, BERLIN) == before + timedelta(hours=23)


def test_at_the_ends_of_the_calendar_it_stands_still() -> None:
    last = datetime(9999, 12, 31, 12, tzinfo=UTC)
    assert calendars.days_later(last, 14, BERLIN) == calendars.LAST
    assert calendars.days_later(datetime(1, 1, 2, tzinfo=UTC), -14, BERLIN) == calendars.FIRST
    assert calendars.later(calendars.LAST, calendars.INSTANT) == calendars.LAST
    assert calendars.last_day(calendars.LAST, CHATHAM) == date(9999, 12, 31)


def duty(*, working_days: bool = False) -> Duty:
    every = Duration(months=1)
    return Duty("report", "license", every, timedelta(days=15), working_days=working_days)


def test_a_deadline_moves_to_a_working_day_only_where_the_terms_say_so() -> None:
    """The 31st of May 2026 is a Sunday, and the 1st of June is Madaraka Day in Kenya."""
    nairobi, starts = ZoneInfo("Africa/Nairobi"), date(2026, 5, 1)
    plain = rules.period(duty(), starts, 0, nairobi, ["KE"])
    moved = rules.period(duty(working_days=True), starts, 0, nairobi, ["KE"])
    assert calendars.last_day(plain.due_at, nairobi) == date(2026, 5, 31)
    assert calendars.last_day(moved.due_at, nairobi) == date(2026, 6, 2)
    assert moved.period == plain.period == (starts, date(2026, 5, 31))
    assert calendars.last_day(moved.grace_until, nairobi) == date(2026, 6, 15)


@given(st.integers(0, 60), COUNTRIES, ZONES)
def test_a_moved_deadline_is_never_earlier_and_grace_never_ends_before_it(
    slot: int, countries: list[str], zone: ZoneInfo
) -> None:
    plain = rules.period(duty(), date(2026, 1, 31), slot, zone, countries)
    moved = rules.period(duty(working_days=True), date(2026, 1, 31), slot, zone, countries)
    assert plain.due_at <= moved.due_at <= moved.grace_until
    assert plain.grace_until <= moved.grace_until
