"""When a party must be visited at the earliest, and how often at most. Pure.

The limits are those of the `audit_right` conditions in force on the day of the visit. They bind the
authority, so whoever plans keeps to them; what lies beyond is done by right or by a supervisor, and
is recorded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.audits.rules import Mode, State
from app.errors import Conflict, Invalid, NotAllowed
from app.obligations.ladder import VERIFICATION, Rung
from app.obligations.rules import Deadline

KIND = "audit_right"


class NoticeTooShort(Conflict):
    """The visit would come sooner than the license lets the party be visited."""


class TooManyVisits(Conflict):
    """The party need not accept further visits this year."""


class NotAnnounced(Conflict):
    """The visit must be announced before it begins."""


class OverrideNotYours(NotAllowed):
    """Only a supervisor may plan beyond what the license allows."""


class DayPast(Invalid):
    """A check cannot be planned for a day that is over."""


@dataclass(frozen=True, slots=True)
class Right:
    """What the license lets the authority do: hours of notice, visits a year (none: no limit)."""

    notice: timedelta
    max_per_year: int | None


def right_of(terms: Iterable[Mapping[str, Any]]) -> Right | None:
    """Combine conditions for several lines: the longest notice, the fewest visits."""
    given = list(terms)
    if not given:
        return None
    hours = max(one["notice_hours"] for one in given)
    limits = [one["max_per_year"] for one in given if one.get("max_per_year") is not None]
    return Right(timedelta(hours=hours), min(limits, default=None))


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """Give the moment a day is over in the license's time zone."""
    following = day + timedelta(days=1)
    midnight = datetime(following.year, following.month, following.day, tzinfo=zone)
    return midnight.astimezone(UTC)


def check_day(day: date, now: datetime, zone: ZoneInfo) -> None:
    """Refuse a day that is over."""
    if end_of(day, zone) <= now:
        raise DayPast(
            f"{day} is over in {zone.key}. Give a day that is not.", pointer="/planned_for"
        )


def check_notice(right: Right | None, day: date, announced_at: datetime, zone: ZoneInfo) -> None:
    """Refuse a day that is over before the notice is, if it were given at this time."""
    if right is None or announced_at + right.notice < end_of(day, zone):
        return
    earliest = announced_at + right.notice
    raise NoticeTooShort(
        f"The license gives {right.notice // timedelta(hours=1):,} hours of notice; announced at "
        f"{announced_at.isoformat()} the visit may be from {earliest.astimezone(zone).isoformat()} "
        "on. Choose a later day, name the right to come unannounced, or let a supervisor override "
        "with a ground.",
        pointer="/planned_for",
        earliest=earliest.isoformat(),
    )


def counts(mode: str, state: str, started_at: datetime | None) -> bool:
    """Say whether a check is a visit of the year: one to come, or one that was begun.

    Documents are read in the office; what was refused or impossible used up nothing.
    """
    if mode == Mode.DOCUMENTARY:
        return False
    return started_at is not None or state in {State.PLANNED, State.NOTIFIED}


def check_yearly(right: Right | None, year: int, others: int) -> None:
    """Refuse one visit more than the license allows in a calendar year."""
    if right is None or right.max_per_year is None or others < right.max_per_year:
        return
    raise TooManyVisits(
        f"The license allows {right.max_per_year} visits a year, and {others} are made or planned "
        f"in {year}. Choose another year, make it documentary, or let a supervisor override with "
        "a ground.",
        pointer="/planned_for",
        visits=others,
    )


def check_announced(
    right: Right | None, mode: str, *, state: str, unannounced: bool, number: str
) -> None:
    """Refuse to begin a visit that had to be announced and was not."""
    free = right is None or not right.notice or unannounced or mode == Mode.DOCUMENTARY
    if not free and state == State.PLANNED:
        raise NotAnnounced(
            f"{number} must be announced first: file the notification, with the time it was given.",
            state=state,
        )


def clock_from(right: Right | None, at: datetime, notified_at: datetime | None) -> datetime:
    """Say from when a refusal counts: inside the notice the party may still make one wait."""
    if right is None or notified_at is None:
        return at
    return max(at, notified_at + right.notice)


RUNGS: Mapping[str, Rung] = {rung.name: rung for rung in VERIFICATION}
"""What a check that cannot be completed leads to: the same rungs as for what stays away.

The policy they follow counts its days from the request; here they run from the refusal, which is
never earlier.
"""


def due_at(rung: str, since: datetime, zone: ZoneInfo) -> datetime:
    """Say when a rung is reached, counted from when the check could not be completed."""
    return RUNGS[rung].at(Deadline(since, since), zone)


def climbed(
    since: datetime | None, now: datetime, known: Iterable[str], zone: ZoneInfo
) -> list[str]:
    """List the rungs reached and not yet known, lowest first."""
    if since is None:
        return []
    left = [rung for rung in RUNGS if rung not in set(known)]
    return [rung for rung in left if due_at(rung, since, zone) <= now]


def next_rung(since: datetime | None, known: Iterable[str], zone: ZoneInfo) -> datetime | None:
    """Say when the next rung is due; None when no clock runs or the last one was reached."""
    if since is None:
        return None
    left = [rung for rung in RUNGS if rung not in set(known)]
    return min((due_at(rung, since, zone) for rung in left), default=None)


def kinds_of_report(mode: str) -> frozenset[str]:
    """Say which kinds of report belong to a check; a partner's word comes as that of a third party."""
    delegated = {"third_party"} if mode == Mode.DELEGATED else set()
    return frozenset({"inspection"} | delegated)


def completes(carried_out: str | None, planned: str) -> bool:
    """Say whether a check made so stands for another that was planned so and could not be made."""
    return carried_out in {Mode.PHYSICAL, planned}
