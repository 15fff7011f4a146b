"""Writes what is owed as an iCalendar file (RFC 5545). Pure: the same rows give the same bytes.

Each obligation is an all-day event on the last day on which it may come, in the license's time zone:
calendar programs show events everywhere, tasks (VTODO) hardly anywhere.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event

from app.obligations import calendars
from app.obligations.rules import State
from app.obligations.schemas import ObligationOut

PRODUCT = "-//Endwatch//Obligations//EN"
REMINDED_BEFORE = (14, 3)
ASKED = frozenset({State.UPCOMING, State.DUE, State.OVERDUE})


class Entry(NamedTuple):
    """An obligation with its license's time zone, how often its deadline moved, and the last change."""

    owed: ObligationOut
    time_zone: str
    sequence: int
    changed_at: datetime


def write(name: str, entries: Iterable[Entry]) -> bytes:
    """Write a whole calendar."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for entry in entries:
        calendar.add_component(_event(entry))
    written: bytes = calendar.to_ical()
    return written


def _event(entry: Entry) -> Event:
    owed, zone = entry.owed, ZoneInfo(entry.time_zone)
    changed_at = entry.changed_at.astimezone(UTC).replace(microsecond=0)
    event = Event()
    event.add("uid", f"{owed.id}@endwatch")
    event.add("dtstamp", changed_at)
    event.add("last-modified", changed_at)
    event.add("sequence", entry.sequence)
    event.add("dtstart", calendars.last_day(owed.due_at, zone))
    event.add("summary", _summary(owed))
    event.add("description", _description(owed, zone))
    event.add("categories", [owed.title, owed.state])
    event.add("status", "CANCELLED" if owed.state is State.WAIVED else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    if owed.state in ASKED:
        for days in REMINDED_BEFORE:
            event.add_component(_alarm(owed, days))
    return event


def _alarm(owed: ObligationOut, days: int) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", f"In {days} days: {_summary(owed)}")
    alarm.add("trigger", timedelta(days=-days))
    return alarm


def _summary(owed: ObligationOut) -> str:
    about = "" if owed.subject == owed.license else f", {owed.subject_kind} {owed.subject}"
    told = "" if owed.state in {State.UPCOMING, State.DUE} else f" ({owed.state})"
    return f"{owed.title}, {owed.license}{about}{told}".replace("_", " ")


def _description(owed: ObligationOut, zone: ZoneInfo) -> str:
    lines = [f"Owed by: {', '.join(owed.by) or 'nobody named'}".replace("_", " ")]
    if owed.item:
        lines.append(f"About: {owed.item}")
    if owed.period_from is not None:
        lines.append(f"Period: {owed.period_from} to {owed.period_to}")
    lines.append(f"Accepted late until: {calendars.last_day(owed.grace_until, zone)}")
    if owed.state is State.WAIVED and owed.waived_until is not None:
        lines.append(f"Waived until: {calendars.last_day(owed.waived_until, zone)}")
    return "\n".join([*lines, f"State: {owed.state.replace('_', ' ')}"])
