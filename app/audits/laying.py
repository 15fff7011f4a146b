"""Lays chosen trips out on days, and says of every place why it is visited or not. Pure.

Trips of one inspector follow each other in the order of their deadlines, then of the points they bring.
One that does not fit before an absence waits, and a shorter one takes its place. What was chosen and
found no days, and then whatever still waits, is put into days that are left, the most urgent first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from operator import neg

from app.audits.planning import Choice, Leg, Task, Trips, choose, solver_name
from app.audits.travel import Place


class Why(StrEnum):
    """Why a place is visited, or not."""

    MANDATORY = "mandatory"
    DRAWN = "drawn"
    POINTS = "points"
    COUNTRY_CLOSED = "country_closed"
    LANGUAGE_MISSING = "language_missing"
    TOO_FAR = "too_far"
    TOO_LATE = "too_late"
    DAYS_TAKEN = "days_taken"
    OUTWEIGHED = "outweighed"
    NO_TRIP = "no_trip"
    NO_POSITION = "no_position"


@dataclass(frozen=True, slots=True)
class Visit:
    """An inspector is at a place on these days, on a trip that begins and ends on those."""

    place: str
    inspector: str
    first: date
    last: date
    leaves: date
    back: date


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a place is visited or not, as a code and as a sentence."""

    why: Why
    detail: str


@dataclass(frozen=True)
class Plan:
    """Visits on days, and what can be said for them.

    `points` is what the visits bring and `bound` what no plan that makes as many mandatory and drawn
    visits can exceed; `gap` is the share in between.
    """

    visits: tuple[Visit, ...]
    reasons: dict[str, Reason]
    drawn: tuple[str, ...]
    mandatory: int
    mandatory_made: int
    mandatory_bound: int
    drawn_made: int
    points: int
    bound: int
    gap: float
    stopped: bool
    solver: str


@dataclass
class _Slot:
    """Room for visits in a region on one trip: the first day of each."""

    region: int
    crew: int
    days: range
    """Of the inspector's working days, by number: the whole trip."""
    visits: list[int] = field(default_factory=list)


def plan(task: Task) -> Plan:
    """Make the whole plan of an order."""
    first = _Sheet(task, Choice())
    first.fill()
    choice = choose(task, first.choice_made())
    second = _Sheet(task, choice)
    second.lay()
    second.fill()
    sheet = max(second, first, key=_Sheet.worth)
    visits = tuple(sorted(sheet.visits.values(), key=lambda one: (one.first, one.inspector)))
    mandatory, drawn, points = sheet.worth()
    bound = max(choice.bound, points)
    return Plan(
        visits=visits,
        reasons=dict(sheet.reasons()),
        drawn=task.drawn,
        mandatory=len(task.mandatory),
        mandatory_made=mandatory,
        mandatory_bound=max(choice.mandatory_bound, mandatory),
        drawn_made=drawn,
        points=points,
        bound=bound,
        gap=(bound - points) / bound if bound else 0.0,
        stopped=choice.stopped,
        solver=solver_name(),
    )


class _Sheet:
    """The days of every inspector, and what is put on them."""

    def __init__(self, task: Task, choice: Choice) -> None:
        self.task = task
        self.choice = choice
        self.visits: dict[str, Visit] = {}
        self.free = [[True] * len(crew.days) for crew in task.crews]
        self.places = {one.reference: one for one in task.places}
        self.drawn = frozenset(task.drawn)
        self.squeezed: list[Trips] = []
        self.full: dict[tuple[int, date], int] = {}
        """For an inspector and a day, a length no gap until then has. Gaps only get shorter."""

    def worth(self) -> tuple[int, int, int]:
        """Compare plans: what must be visited, then what was drawn, then points."""
        made = self.visits.keys()
        points = sum(self.places[one].score for one in made)
        return len(made & self.task.mandatory), len(made & self.drawn), points

    def lay(self) -> None:
        """Put the chosen trips on days, then give their room to places."""
        slots: dict[int, list[_Slot]] = {}
        for number in range(len(self.task.crews)):
            for slot in self._laid(number):
                slots.setdefault(slot.region, []).append(slot)
        for region, found in sorted(slots.items()):
            self._share(region, found)

    def _laid(self, number: int) -> Iterator[_Slot]:
        """Put one inspector's trips on days, in order; leave out what does not fit."""
        waiting, begin = self._trips(number), 0
        days = self.task.crews[number].days
        while begin < len(days) and waiting:
            end = begin
            while end < len(days) and days[end][1] == days[begin][1]:
                end += 1
            fits = next((one for one in waiting if self._length(*one) <= end - begin), None)
            if fits is None:
                begin = end
                continue
            waiting.remove(fits)
            yield self._take(fits[0], begin, fits[1])
            begin += self._length(*fits)

    def _trips(self, number: int) -> list[tuple[Leg, int]]:
        """List the trips of an inspector, each with its visits: soonest due, then most points."""
        found = []
        for one in self.choice.trips:
            if one.leg.crew == number:
                whole, rest = divmod(one.visits, one.trips)
                found += [(one.leg, whole + (k < rest)) for k in range(one.trips)]
        return sorted(
            (one for one in found if one[1]),
            key=lambda one: (
                one[0].by,
                *map(neg, self._worth(one[0].region)),
                one[0].region,
                -one[1],
            ),
        )

    def _worth(self, region: int) -> tuple[bool, float]:
        """Say whether one of the places chosen in a region must be, and their mean points."""
        chosen = [
            one for one in self.task.regions[region].places if one.reference in self.choice.chosen
        ]
        must = any(one.due_by is not None or one.reference in self.drawn for one in chosen)
        return must, sum(one.score for one in chosen) / max(1, len(chosen))

    def _length(self, leg: Leg, visits: int) -> int:
        return leg.travel + visits * self.task.order.travel.visit_days

    def _take(self, leg: Leg, begin: int, visits: int) -> _Slot:
        """Occupy days: half of the way, the visits, the other half back."""
        length, each = self._length(leg, visits), self.task.order.travel.visit_days
        for day in range(begin, begin + length):
            self.free[leg.crew][day] = False
        out = begin + -(-leg.travel // 2)
        firsts = [out + k * each for k in range(visits)]
        return _Slot(leg.region, leg.crew, range(begin, begin + length), firsts)

    def _share(self, region: int, slots: Sequence[_Slot]) -> None:
        """Give room to the places of a region: the soonest due of those chosen goes first."""
        rooms = sorted(
            (self._back(slot), self.task.crews[slot.crew].days[day][0], slot.crew, day)
            for slot in slots
            for day in slot.visits
        )
        trips = {(slot.crew, day): slot for slot in slots for day in slot.visits}
        waiting = self._waiting(region)[: len(rooms)]
        last = self.task.order.last
        waiting.sort(key=lambda one: (min(one.due_by or last, last), -one.score, one.reference))
        for back, _, crew, day in rooms:
            there = next((one for one in waiting if one.due_by is None or one.due_by >= back), None)
            if there is not None:
                waiting.remove(there)
                self._visit(there, trips[crew, day], day)

    def _waiting(self, region: int) -> list[Place]:
        """List the places of a region that are not visited yet: the chosen first, by rank."""
        members = [
            one for one in self.task.regions[region].places if one.reference not in self.visits
        ]
        return sorted(
            members, key=lambda one: (one.reference not in self.choice.chosen, *_rank(self, one))
        )

    def _back(self, slot: _Slot) -> date:
        return self.task.crews[slot.crew].days[slot.days[-1]][0]

    def _visit(self, place: Place, slot: _Slot, day: int) -> None:
        days = self.task.crews[slot.crew].days
        self.visits[place.reference] = Visit(
            place=place.reference,
            inspector=self.task.crews[slot.crew].inspector.reference,
            first=days[day][0],
            last=days[day + self.task.order.travel.visit_days - 1][0],
            leaves=days[slot.days[0]][0],
            back=days[slot.days[-1]][0],
        )

    def fill(self) -> None:
        """Use days that are left: for the most urgent place that can still be reached, again."""
        waiting = sorted(
            (one for one in self.places.values() if one.reference not in self.visits),
            key=lambda one: _rank(self, one),
        )
        region_of = {
            one.reference: region.number for region in self.task.regions for one in region.places
        }
        for place in waiting:
            if place.reference in self.task.reachable and place.reference not in self.visits:
                self._squeeze(place, region_of[place.reference])

    def _squeeze(self, place: Place, region: int) -> None:
        """Make one more trip to a region for a place, and take along whom the gap has room for."""
        by = min(place.due_by or self.task.order.last, self.task.order.last)
        each = self.task.order.travel.visit_days
        options = []
        for number in range(len(self.task.crews)):
            leg = self.task.leg(number, self.task.regions[region], by)
            found = leg and self._gap(number, leg.travel + each, by)
            if leg and found:
                options.append((leg.travel, found[0], number, found, leg))
        if not options:
            return
        _, begin, _, gap, leg = min(options, key=lambda one: one[:3])
        most = min(leg.most, (len(gap) - leg.travel) // each)
        company = [
            one
            for one in self._waiting(region)
            if one is not place and (one.due_by is None or one.due_by >= by)
        ][: most - 1]
        slot = self._take(leg, begin, 1 + len(company))
        self.squeezed.append(Trips(leg, 1, 1 + len(company)))
        for day, one in zip(slot.visits, [place, *company], strict=True):
            self._visit(one, slot, day)

    def choice_made(self) -> Choice:
        """Tell what was squeezed in, for the solver to begin with."""
        return Choice(trips=tuple(self.squeezed), chosen=frozenset(self.visits))

    def _gap(self, number: int, length: int, by: date) -> range | None:
        """Find the first free days of one run that are long enough and over by a day."""
        if length >= self.full.get((number, by), length + 1):
            return None
        days, free = self.task.crews[number].days, self.free[number]
        begin = 0
        for k in range(len(days) + 1):
            open_here = k < len(days) and free[k] and days[k][0] <= by
            if open_here and k > begin and days[k][1] == days[begin][1]:
                continue
            if k > begin and k - begin >= length:
                return range(begin, k)
            begin = k if open_here else k + 1
        self.full[number, by] = length
        return None

    def reasons(self) -> Iterator[tuple[str, Reason]]:
        """Say of every place why it is visited, or why not."""
        least = {
            region.number: min(
                (one.score for one in region.places if self._by_points(one)), default=None
            )
            for region in self.task.regions
        }
        gone = {
            region.number: sum(one.reference in self.visits for one in region.places)
            for region in self.task.regions
        }
        for region in self.task.regions:
            for one in region.places:
                yield (
                    one.reference,
                    self._chosen(one)
                    or self._closed(one, region.number)
                    or self._passed_over(one, gone[region.number], least[region.number]),
                )

    def _by_points(self, one: Place) -> bool:
        rest = self.task.mandatory | self.drawn
        return one.reference in self.visits and one.reference not in rest

    def _chosen(self, one: Place) -> Reason | None:
        if one.reference not in self.visits:
            return None
        if one.due_by is not None:
            return Reason(Why.MANDATORY, f"must be visited by {one.due_by}")
        if one.reference in self.drawn:
            place = self.task.drawn.index(one.reference) + 1
            return Reason(Why.DRAWN, f"drawn by chance, number {place} of {len(self.drawn)}")
        return Reason(Why.POINTS, f"{one.score} points")

    def _closed(self, one: Place, region: int) -> Reason | None:
        """Say who cannot go there at all."""
        crews = [crew.inspector for crew in self.task.crews]
        enter = [inspector for inspector in crews if inspector.may_enter(one.country)]
        if not enter:
            return Reason(Why.COUNTRY_CLOSED, f"no inspector may enter {one.country}")
        if not any(inspector.speaks(one.languages) for inspector in enter):
            spoken = ", ".join(one.languages)
            return Reason(
                Why.LANGUAGE_MISSING, f"no inspector who may enter {one.country} speaks {spoken}"
            )
        if one.reference not in self.task.reachable:
            return Reason(
                Why.TOO_FAR, "no inspector has days enough in one run to get there and back"
            )
        by = min(one.due_by or self.task.order.last, self.task.order.last)
        place = self.task.regions[region]
        if all(self.task.leg(number, place, by) is None for number in range(len(crews))):
            return Reason(Why.TOO_LATE, f"no inspector can be there and back by {by}")
        return None

    def _passed_over(self, one: Place, gone: int, least: int | None) -> Reason:
        if one.due_by is not None or one.reference in self.drawn:
            return Reason(
                Why.DAYS_TAKEN,
                "the days of everybody who can get there in time go to other visits that must be "
                "made or were drawn",
            )
        if gone:
            others = (
                f"; the least of those chosen for points has {least}" if least is not None else ""
            )
            return Reason(
                Why.OUTWEIGHED,
                f"{one.score} points; {gone} others near it are visited, and a further day there "
                f"would cost more points elsewhere{others}",
            )
        return Reason(
            Why.NO_TRIP,
            f"{one.score} points; no trip leads to its region, since the days it takes bring more "
            "points elsewhere",
        )


def _rank(sheet: _Sheet, one: Place) -> tuple[bool, date, bool, int, str]:
    """Order places by urgency: due first and soonest, then drawn, then most points."""
    return (
        one.due_by is None,
        one.due_by or date.max,
        one.reference not in sheet.drawn,
        -one.score,
        one.reference,
    )
