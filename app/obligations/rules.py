"""When something is due, and what silence makes of it. Pure: times come in, times go out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.obligations import calendars
from monitors import Duty

PERIODIC = frozenset({"attestation", "check_in"})
"""The kinds of report that answer for a period."""


class State(StrEnum):
    """Where an obligation is."""

    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    MET = "met"
    MET_LATE = "met_late"
    WAIVED = "waived"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Deadline:
    """When something is due, until when it may be late, and for reports which days it covers."""

    due_at: datetime
    grace_until: datetime
    slot: int = 0
    period: tuple[date, date] | None = None


def after_silence(duty: Duty, heard_at: datetime) -> Deadline:
    """Say when a device must be heard again."""
    every = duty.every
    due_at = heard_at + (every if isinstance(every, timedelta) else every.totimedelta(heard_at))
    return Deadline(due_at, due_at + duty.grace)


def period(
    duty: Duty, starts: date, slot: int, zone: ZoneInfo, countries: Sequence[str] = ()
) -> Deadline:
    """Give the deadline of the n-th period (from 0), counted from its anchor so that nothing drifts.

    Months clip at their end: three months from 30 November is 28 February. A period ends with its
    last day, in the license's time zone. Where the duty says so, what would fall due on a day off
    in one of the countries may still come on the next working day; the period stays as it is.
    """
    first = calendars.stepped(starts, duty.every, slot)
    last = calendars.stepped(starts, duty.every, slot + 1) - timedelta(days=1)
    due_on, grace_on = last, last + duty.grace
    if duty.working_days:
        due_on = calendars.on_working_day(due_on, countries)
        grace_on = calendars.on_working_day(grace_on, countries)
    due_at, grace_until = calendars.ends(due_on, zone), calendars.ends(grace_on, zone)
    return Deadline(due_at, grace_until, slot, (first, last))


def periods_from(
    duty: Duty, starts: date, since: datetime, zone: ZoneInfo, countries: Sequence[str] = ()
) -> Iterator[Deadline]:
    """Give periods in order, beginning with the first whose grace was not over at `since`."""
    slot = 0
    while True:
        deadline = period(duty, starts, slot, zone, countries)
        if deadline.grace_until > since:
            yield deadline
        slot += 1


def first_day_over(deadline: Deadline, zone: ZoneInfo) -> datetime:
    """Give the last moment of a period's first day: who rules then asks for the whole period."""
    assert deadline.period is not None
    return calendars.ends(deadline.period[0], zone) - calendars.INSTANT


def state_at(deadline: Deadline, now: datetime) -> State:
    """Say where an unmet obligation is at a time. At the very end of grace it is not yet overdue."""
    if now > deadline.grace_until:
        return State.OVERDUE
    return State.DUE if now >= deadline.due_at else State.UPCOMING


def next_look(deadline: Deadline, now: datetime) -> datetime | None:
    """Say when to look again: when it falls due, then just after grace is over; then no more."""
    if now < deadline.due_at:
        return deadline.due_at
    if now <= deadline.grace_until:
        return calendars.later(deadline.grace_until, calendars.INSTANT)
    return None


def met_state(deadline_due_at: datetime, met_at: datetime) -> State:
    """Say whether something came in time."""
    return State.MET if met_at <= deadline_due_at else State.MET_LATE
