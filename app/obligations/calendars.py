"""Which day it is, when it ends, and whether anybody works on it. Pure: days in, days out.

Days are those of the license's time zone. Periods of months clip at the month's end and are counted
from their anchor, so that nothing drifts. Working days follow the public holidays and the weekend of
a country, as the library `holidays` keeps them; where it knows a country not, Saturday and Sunday
are off and nothing else is.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
from isodate import Duration

INSTANT = timedelta(microseconds=1)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SATURDAY = 5
LONGEST_REST = 366
"""Days after which no working day is looked for any more: then the day itself counts."""


def stepped(day: date, every: timedelta | Duration, times: int) -> date:
    """Go so many periods on from a day; months clip at their end."""
    there: date = day + every * times if times else day
    return there


def begins(day: date, zone: ZoneInfo) -> datetime:
    """Give the first moment of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def ends(day: date, zone: ZoneInfo) -> datetime:
    """Give the moment a day is over, in UTC."""
    return begins(day + timedelta(days=1), zone)


def last_day(until: datetime, zone: ZoneInfo) -> date:
    """Give the last day on which something may be handed in that is due by a moment."""
    try:
        return (until - INSTANT).astimezone(zone).date()
    except OverflowError:
        return until.date()


def days_later(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """Give the same time of day so many days later on the clocks of a zone, in UTC.

    Where clocks skip that time, it is the moment they skip to. The calendar ends in 9999 and in 1.
    """
    try:
        there = moment.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
        return there.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return LAST if days > 0 else FIRST


def later(moment: datetime, by: timedelta) -> datetime:
    """Go on in time, at most to the end of the calendar."""
    try:
        return moment + by
    except OverflowError:
        return LAST


def works(day: date, countries: Iterable[str]) -> bool:
    """Say whether a day is a working day in every one of these countries (ISO 3166-1 alpha-2)."""
    return all(_works(day, country) for country in countries)


def on_working_day(day: date, countries: Iterable[str]) -> date:
    """Give the day itself if people work on it, else the next one on which they do."""
    named = tuple(countries)
    for days in range(LONGEST_REST):
        candidate = day + timedelta(days=days)
        if works(candidate, named):
            return candidate
    return day


def working_days_after(day: date, days: int, countries: Iterable[str]) -> date:
    """Give the n-th working day after a day; none is that day, or the next working one."""
    named = tuple(countries)
    there = on_working_day(day, named) if days == 0 else day
    for _ in range(days):
        there = on_working_day(there + timedelta(days=1), named)
    return there


def working_days_between(first: date, last: date, countries: Iterable[str]) -> int:
    """Count the working days after one day up to another, that one included."""
    named = tuple(countries)
    span = range(1, (last - first).days + 1)
    return sum(works(first + timedelta(days=days), named) for days in span)


def _works(day: date, country: str) -> bool:
    known = _holidays(country, day.year)
    return day.weekday() < SATURDAY if known is None else known.is_working_day(day)


@lru_cache(maxsize=2_048)
def _holidays(country: str, year: int) -> holidays.HolidayBase | None:
    """Read the public holidays of a country in a year; None where the library knows it not."""
    try:
        return holidays.country_holidays(country, years=year, expand=False)
    except NotImplementedError:
        return None
