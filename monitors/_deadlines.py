"""When a day ends and a deadline with it: in the time zone of the license."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from monitors._contract import Case


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def day_of(moment: datetime, case: Case) -> date:
    """Say which day it was where the license counts; at the ends of the calendar, that of UTC."""
    try:
        return moment.astimezone(_zone(case.time_zone)).date()
    except OverflowError:
        return moment.date()


def end_of(day: date, case: Case) -> datetime:
    """Give the moment a day is over where the license counts, in UTC; far days end with the calendar."""
    try:
        following = day + timedelta(days=1)
        midnight = datetime(following.year, following.month, following.day)  # noqa: DTZ001 placed next
        return midnight.replace(tzinfo=_zone(case.time_zone)).astimezone(UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def days_after(day: date, days: int) -> date:
    """Give the day so many days later; beyond the ends of the calendar, its last or first."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min
