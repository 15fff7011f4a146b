"""Inspectors, places, and the days it takes to get from one to the other. Pure.

Places of one country and the same languages that lie near one another form a *region*: within it,
travel costs no working day of its own. A trip goes from the inspector's home to one region and back.
Its travel days come from the great-circle distance between home and the region's middle place, or from
what was given for the inspector and the country.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from monitors._atlas import great_circle

WEEK = 7
STEPS = ((150, 0), (2_000, 1), (8_000, 2), (20_100, 3))
"""Up to so many km there, so many working days there and back. Policy, not a timetable."""


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere a visit may lead. `due_by` is set where a visit must be made, with its ground."""

    reference: str
    country: str
    lat: float
    lon: float
    score: int
    languages: tuple[str, ...] = ()
    due_by: date | None = None


@dataclass(frozen=True)
class Inspector:
    """Somebody who can be sent. No countries or languages given means any; `away` are whole spans."""

    reference: str
    lat: float
    lon: float
    countries: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    days_per_week: int = 5
    away: tuple[tuple[date, date], ...] = ()

    def may_enter(self, country: str) -> bool:
        """Whether the inspector may go to the country."""
        return self.countries is None or country in self.countries

    def speaks(self, languages: Sequence[str]) -> bool:
        """Whether one of the languages will do; a place that names none needs none."""
        return (
            not languages or self.languages is None or not set(languages).isdisjoint(self.languages)
        )

    def working_days(self, first: date, last: date) -> list[tuple[date, int]]:
        """List the days to work, from Monday on, each with the run it belongs to.

        Absences divide runs; a trip lies within one. Weekends do not.
        """
        found: list[tuple[date, int]] = []
        run, day = 0, first
        while day <= last:
            if any(begin <= day <= end for begin, end in self.away):
                run = run + 1 if found and found[-1][1] == run else run
            elif day.weekday() < self.days_per_week:
                found.append((day, run))
            day += timedelta(days=1)
        return found


@dataclass(frozen=True, slots=True)
class Travel:
    """How travel is reckoned: kilometres and working days."""

    steps: tuple[tuple[int, int], ...] = STEPS
    region_km: int = 150
    longest_trip_days: int = 10
    visit_days: int = 1
    given: Mapping[tuple[str, str], int] | None = None
    """Days there and back that are known better, by inspector and country."""

    def days(self, inspector: Inspector, place: Place) -> int:
        """Give the working days lost on the way there and back."""
        known = (self.given or {}).get((inspector.reference, place.country))
        if known is not None:
            return known
        km = great_circle(inspector.lat, inspector.lon, place.lat, place.lon)
        limits = [limit for limit, _ in self.steps]
        return self.steps[min(bisect_right(limits, km), len(self.steps) - 1)][1]


@dataclass(frozen=True)
class Region:
    """Places that one trip can join; `middle` is the one they were gathered around."""

    number: int
    middle: Place
    places: tuple[Place, ...]

    @cached_property
    def by_deadline(self) -> tuple[Place, ...]:
        """The places that must be visited, soonest due first."""
        due = [(one.due_by, one.reference, one) for one in self.places if one.due_by is not None]
        return tuple(one for _, _, one in sorted(due, key=lambda row: row[:2]))


def regions(places: Sequence[Place], region_km: int) -> list[Region]:
    """Gather places into regions: around the place with most others within reach, then the next.

    The same places give the same regions, in whatever order they come.
    """
    found: list[Region] = []
    groups: dict[tuple[str, tuple[str, ...]], list[Place]] = {}
    for place in sorted(places, key=lambda one: one.reference):
        groups.setdefault((place.country, tuple(sorted(place.languages))), []).append(place)
    for _, group in sorted(groups.items()):
        for middle, members in _gathered(group, region_km):
            found.append(Region(len(found), middle, members))
    return found


def _gathered(group: Sequence[Place], region_km: int) -> list[tuple[Place, tuple[Place, ...]]]:
    near: list[set[int]] = [{k} for k in range(len(group))]
    for k, one in enumerate(group):
        for other in range(k):
            there = group[other]
            apart = great_circle(one.lat, one.lon, there.lat, there.lon)
            if apart <= region_km:
                near[k].add(other)
                near[other].add(k)
    left, found = set(range(len(group))), []
    while left:
        middle = max(sorted(left), key=lambda k: len(near[k] & left))
        members = sorted(near[middle] & left)
        found.append((group[middle], tuple(group[k] for k in members)))
        left.difference_update(members)
    return found
