"""What happens step by step as a deadline comes near and passes. Pure: times in, rungs out.

Each rung is reached once for each deadline. Whoever looks late goes straight to the rung where
things are: the rungs passed on the way are recorded as skipped and nobody is told of them one by one.
Days are counted on the clocks of the license's time zone, from the end of the grace.

The sixty days until a party counts as unverified, and the further sixty until listing is
recommended, follow the two-step policy of the Bureau of Industry and Security for end-use checks
that are prevented (memorandum of 7 October 2022). The other figures are policy of our own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from app.obligations.calendars import INSTANT, days_later, later
from app.obligations.rules import Deadline
from app.parties.rules import Standing


@dataclass(frozen=True, slots=True)
class Rung:
    """One step: days from the due time (at it) or from the end of the grace (just after it).

    `steps` is how many steps graver than at first a deviation is from here on; `standing` what the
    parties concerned become.
    """

    name: str
    days: int
    after: Literal["due", "grace"] = "grace"
    steps: int = 0
    standing: Standing | None = None

    def at(self, deadline: Deadline, zone: ZoneInfo) -> datetime:
        """Say when it is reached."""
        if self.after == "due":
            return days_later(deadline.due_at, self.days, zone)
        return later(days_later(deadline.grace_until, self.days, zone), INSTANT)


REMINDERS = (Rung("reminder_14", -14, "due"), Rung("reminder_3", -3, "due"), Rung("due", 0, "due"))
SILENCE = (Rung("overdue", 0), Rung("overdue_14", 14, steps=1), Rung("overdue_30", 30, steps=2))
VERIFICATION = (
    Rung("unverified", 60, steps=2, standing=Standing.UNVERIFIED),
    Rung("recommend_listing", 120, steps=3, standing=Standing.LISTING_RECOMMENDED),
)
LADDERS: Mapping[str, Sequence[Rung]] = {
    "device": SILENCE,
    "hand_in": (*REMINDERS, *SILENCE),
    "check": (*REMINDERS, *SILENCE, *VERIFICATION),
}
"""By what a kind declares: a device is not reminded; a check that stays away unsettles a party."""

RUNGS = {rung.name: rung for rung in (*REMINDERS, *SILENCE, *VERIFICATION)}
"""All rungs by name, from the lowest up."""


@dataclass(frozen=True, slots=True)
class Climb:
    """Where an obligation is on its ladder, what has to be told now, and when to look again."""

    rung: Rung | None
    told: Rung | None
    skipped: Sequence[Rung]
    next_at: datetime | None


def climb(
    name: str,
    deadline: Deadline,
    *,
    since: datetime,
    zone: ZoneInfo,
    now: datetime,
    reached: Collection[str],
) -> Climb:
    """Say where things are at a time, given when it was first owed and the rungs recorded so far.

    What would have been told before it was owed is not on the ladder.
    """
    passed: list[Rung] = []
    next_at = None
    for rung, at in _rungs(name, deadline, since, zone):
        if at > now:
            next_at = at
            break
        passed.append(rung)
    fresh = [rung for rung in passed if rung.name not in reached]
    here = passed[-1] if passed else None
    told = here if here in fresh and not _beyond(here, reached) else None
    return Climb(here, told, [rung for rung in fresh if rung is not told], next_at)


def first_look(
    name: str, deadline: Deadline, *, since: datetime, zone: ZoneInfo, now: datetime
) -> datetime:
    """Say when to look first at what has just become owed: at a rung, and when it falls due."""
    climbed = climb(name, deadline, since=since, zone=zone, now=now, reached=())
    return min(deadline.due_at, climbed.next_at or deadline.due_at)


def _rungs(
    name: str, deadline: Deadline, since: datetime, zone: ZoneInfo
) -> Iterator[tuple[Rung, datetime]]:
    for rung in LADDERS[name]:
        at = rung.at(deadline, zone)
        if at >= since or rung.days >= 0:
            yield rung, at


def _beyond(here: Rung | None, reached: Collection[str]) -> bool:
    """Say whether a later rung was told already: then an earlier one is no news."""
    order = list(RUNGS)
    return here is not None and any(order.index(one) > order.index(here.name) for one in reached)


def steps(rung: str | None) -> int:
    """Say how many steps graver a deviation is at a rung."""
    return RUNGS[rung].steps if rung is not None else 0
