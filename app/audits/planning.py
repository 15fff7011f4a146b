"""Chooses which places inspectors visit in a time, and proves how near to the best that is. Pure.

**What is modelled.** An inspector makes trips, one after another, on the working days of the time that
is planned. A trip leads to one region and takes its travel days and `visit_days` for each visit; it is
at most `longest_trip_days` long. A visit that is due by a date belongs to a trip that is over by then.
A place is visited once at most. Three aims, each only where it costs the one before nothing: most of
the visits that must be made; most of the places that were drawn by chance; most points.

**How.** For every inspector, region and deadline class (the deadlines of that region, and the end) a
whole number of trips and of visits. What an inspector's trips up to a deadline take is at most the
working days until then: with trips in order of their deadlines that is enough to lay them out day by
day. So dates need no variables, and the program stays small. HiGHS solves it, in one thread and with a
fixed random seed; it stops at the gap asked for or after so many nodes, so that the same order gives
the same plan. The limit in seconds is a last resort, and a plan that met it says so.

**What is not.** Holidays of the countries visited, visas, flights, the cost of travel, several inspectors
on one visit, several visits to a place, notice and yearly limits of `audit_right`, and absences within a
trip: those are met only when trips are laid out (`app/audits/laying.py`), and what that costs shows as a
wider gap. The bound stays true, since leaving rules out can only make the best better.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import highspy
import numpy as np

from app.audits import sampling
from app.audits.travel import Inspector, Place, Region, Travel, regions

FOR_WHAT_MUST_BE = 0.3
"""The most of the seconds that go to what must be visited, if that is not plain at once."""


@dataclass(frozen=True)
class Order:
    """Everything a plan hangs on. The same order gives the same plan."""

    first: date
    last: date
    inspectors: tuple[Inspector, ...]
    places: tuple[Place, ...]
    travel: Travel
    random_percent: int
    seed: bytes
    gap: float = 0.02
    nodes: int = 5_000
    seconds: float = 50.0


@dataclass(frozen=True, slots=True)
class Crew:
    """An inspector with the working days there are, and the run of each."""

    inspector: Inspector
    days: tuple[tuple[date, int], ...]

    @property
    def longest_run(self) -> int:
        """The most days between two absences."""
        runs = [run for _, run in self.days]
        return max((runs.count(run) for run in set(runs)), default=0)

    def until(self, day: date) -> int:
        """Count the working days up to and with a day."""
        return sum(1 for one, _ in self.days if one <= day)


@dataclass(frozen=True, slots=True)
class Leg:
    """An inspector may go to a region: the days lost on the way, and the most visits a trip holds."""

    crew: int
    region: int
    by: date
    travel: int
    most: int


@dataclass(frozen=True, slots=True)
class Trips:
    """So many trips of a leg, with so many visits in all."""

    leg: Leg
    trips: int
    visits: int


@dataclass(frozen=True)
class Choice:
    """What the solver chose. Counts are of visits, bounds what no plan can exceed."""

    trips: tuple[Trips, ...] = ()
    chosen: frozenset[str] = frozenset()
    mandatory_bound: int = 0
    drawn_bound: int = 0
    bound: int = 0
    stopped: bool = False


@dataclass(frozen=True)
class Task:
    """An order, made ready: who can go where, and what was drawn."""

    order: Order

    @cached_property
    def crews(self) -> tuple[Crew, ...]:
        """The inspectors with their working days, by reference."""
        found = sorted(self.order.inspectors, key=lambda one: one.reference)
        return tuple(
            Crew(one, tuple(one.working_days(self.order.first, self.order.last))) for one in found
        )

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The places, by reference."""
        return tuple(sorted(self.order.places, key=lambda one: one.reference))

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The places, gathered."""
        return tuple(regions(self.order.places, self.order.travel.region_km))

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        """Every way an inspector can go to a region by one of its deadlines."""
        return tuple(
            leg
            for region in self.regions
            for by in self._classes(region)
            for number in range(len(self.crews))
            if (leg := self.leg(number, region, by)) is not None
        )

    def _classes(self, region: Region) -> list[date]:
        due = {one.due_by for one in region.by_deadline if one.due_by is not None}
        return sorted({min(day, self.order.last) for day in due} | {self.order.last})

    def leg(self, number: int, region: Region, by: date) -> Leg | None:
        """Say how an inspector can go to a region by a day; None if not."""
        crew, travel = self.crews[number], self.order.travel
        if not crew.inspector.may_enter(region.middle.country):
            return None
        if not crew.inspector.speaks(region.middle.languages):
            return None
        lost = travel.days(crew.inspector, region.middle)
        days = min(travel.longest_trip_days, crew.longest_run, crew.until(by)) - lost
        most = min(days // travel.visit_days, len(region.places))
        return Leg(number, region.number, by, lost, most) if most > 0 else None

    @cached_property
    def reachable(self) -> frozenset[str]:
        """The places somebody can get to before the time is over."""
        there = {leg.region for leg in self.legs if leg.by == self.order.last}
        return frozenset(one.reference for number in there for one in self.regions[number].places)

    @cached_property
    def mandatory(self) -> frozenset[str]:
        """The places that must be visited."""
        return frozenset(one.reference for one in self.places if one.due_by is not None)

    @cached_property
    def drawn(self) -> tuple[str, ...]:
        """The places drawn by chance, in the order drawn.

        As many as `random_percent` of the most visits the working days could ever allow. Every place
        that can be reached and is not mandatory is as likely as any other.
        """
        pool = sampling.listed(sorted(self.reachable - self.mandatory))
        per_visit = self.order.travel.visit_days
        most = min(len(pool), sum(len(crew.days) // per_visit for crew in self.crews))
        share = -(-most * self.order.random_percent // 100)
        return tuple(sampling.draw(self.order.seed, pool, share))


def choose(task: Task, begun: Choice) -> Choice:
    """Let the solver choose, from a plan to begin with: what must be visited, drawn ones, points."""
    program = _Program(task)
    drawn = frozenset(task.drawn)
    first, seconds = program.begun(begun), task.order.seconds
    if (task.mandatory | drawn) - begun.chosen:
        prizes = dict.fromkeys(drawn, 1) | dict.fromkeys(task.mandatory, len(drawn) + 1)
        share = seconds * FOR_WHAT_MUST_BE
        first, seconds = program.solve(prizes, 0.0, share, first), seconds - share
    for wanted in (task.mandatory, drawn):
        program.at_least(wanted, sum(first.visited(program, one) for one in wanted))
    scores = {one.reference: one.score for one in task.places}
    best = program.solve(scores, task.order.gap, seconds, first)
    mandatory_bound, drawn_bound = divmod(int(first.bound + 1e-6), len(drawn) + 1)
    return Choice(
        trips=tuple(program.trips(best)),
        chosen=frozenset(one for one in program.visited if best.visited(program, one)),
        mandatory_bound=mandatory_bound,
        drawn_bound=min(drawn_bound, len(drawn)),
        bound=int(best.bound + 1e-6),
        stopped=first.stopped or best.stopped,
    )


@dataclass(frozen=True)
class Solved:
    """The values of the variables, what no solution exceeds, and whether time ran out."""

    values: Mapping[int, float]
    bound: float
    stopped: bool

    def visited(self, program: "_Program", place: str) -> bool:
        """Whether a place is visited."""
        return self.values.get(program.visited.get(place, -1), 0.0) > 0.5


class _Program:
    """The mixed-integer program of a task."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.upper: list[float] = []
        self.whole: list[bool] = []
        self.rows: list[tuple[float, float, list[tuple[int, int]]]] = []
        self.sums: dict[int, list[tuple[int, int]]] = {}
        reachable = task.reachable
        self.visited = {
            one.reference: self._variable(1, whole=False)
            for one in task.places
            if one.reference in reachable
        }
        self.going = {leg: self._going(leg) for leg in task.legs}
        for region in task.regions:
            self._cover(region)
        for number, crew in enumerate(task.crews):
            self._spend(number, crew)

    def _variable(self, most: float, *, whole: bool) -> int:
        self.upper.append(most)
        self.whole.append(whole)
        return len(self.upper) - 1

    def _going(self, leg: Leg) -> tuple[int, int]:
        """Make variables for the trips of a leg and for their visits; a trip holds only so many."""
        size = len(self.task.regions[leg.region].places)
        trips = self._variable(-(-size // leg.most), whole=True)
        visits = self._variable(size, whole=True)
        self.rows.append((-highspy.kHighsInf, 0, [(visits, 1), (trips, -leg.most)]))
        return trips, visits

    def _cover(self, region: Region) -> None:
        """Visit places only where somebody goes, and by a deadline only who is back by then."""
        last = self.task.order.last
        legs = [leg for leg in self.going if leg.region == region.number]
        coming = self._variable(highspy.kHighsInf, whole=False)
        self.sums[coming] = [(self.going[leg][0], 1) for leg in legs]
        self.rows.append((0, 0, [(coming, -1), *self.sums[coming]]))
        for one in region.places:
            if one.reference in self.visited:
                terms = [(coming, 1), (self.visited[one.reference], -1)]
                self.rows.append((0, highspy.kHighsInf, terms))
        for by in sorted({leg.by for leg in legs} | {one.due_by or last for one in region.places}):
            if by > last:
                continue
            there = [(self.going[leg][1], 1) for leg in legs if leg.by <= by]
            members = [
                one
                for one in region.places
                if one.reference in self.visited and (by == last or (one.due_by or last) <= by)
            ]
            if members:
                asked = [(self.visited[one.reference], -1) for one in members]
                self.rows.append((0, highspy.kHighsInf, [*there, *asked]))

    def _spend(self, number: int, crew: Crew) -> None:
        """Let the trips until each deadline take no more than the working days until then.

        What is spent is carried from deadline to deadline, which keeps the rows short.
        """
        legs: dict[date, list[Leg]] = {}
        for leg in self.going:
            if leg.crew == number:
                legs.setdefault(leg.by, []).append(leg)
        carried: list[tuple[int, int]] = []
        for by in sorted(legs):
            spent = self._variable(crew.until(by), whole=False)
            self.sums[spent] = [*carried, *self._taken(legs[by])]
            self.rows.append((0, 0, [(spent, -1), *self.sums[spent]]))
            carried = [(spent, 1)]

    def _taken(self, legs: Sequence[Leg]) -> Iterator[tuple[int, int]]:
        for leg in legs:
            trips, visits = self.going[leg]
            yield visits, self.task.order.travel.visit_days
            if leg.travel:
                yield trips, leg.travel

    def begun(self, choice: Choice) -> Solved:
        """Write a choice as values of the variables, with the trivial bound of the first two aims."""
        values = dict.fromkeys(range(len(self.upper)), 0.0)
        for place in choice.chosen:
            values[self.visited[place]] = 1.0
        for one in choice.trips:
            trips, visits = self.going[one.leg]
            values[trips] += one.trips
            values[visits] += one.visits
        for variable, terms in self.sums.items():
            values[variable] = sum(many * values[other] for other, many in terms)
        many = len(self.task.drawn)
        return Solved(values, len(self.task.mandatory) * (many + 1) + many, stopped=False)

    def at_least(self, places: frozenset[str], many: int) -> None:
        """Hold every further solution to so many visits among these places."""
        terms = [(self.visited[one], 1) for one in sorted(places) if one in self.visited]
        if terms:
            self.rows.append((many, highspy.kHighsInf, terms))

    def solve(self, prizes: Mapping[str, int], gap: float, seconds: float, start: Solved) -> Solved:
        """Find the visits of most prizes."""
        solver = _highs()
        for option, value in self._options(gap, seconds).items():
            solver.setOptionValue(option, value)
        solver.passModel(self._model(prizes))
        if start.values:
            given = highspy.HighsSolution()
            given.col_value = [start.values[k] for k in range(len(self.upper))]
            solver.setSolution(given)
        solver.run()
        found = solver.getSolution()
        values = dict(enumerate(found.col_value)) if found.value_valid else dict[int, float]()
        limit = solver.getModelStatus() == highspy.HighsModelStatus.kTimeLimit
        bound = solver.getInfo().mip_dual_bound if self.upper else 0.0
        highest = float(sum(prizes.get(one, 0) for one in self.visited))
        return Solved(values, min(bound, highest), stopped=limit)

    def _options(self, gap: float, seconds: float) -> dict[str, Any]:
        return {
            "output_flag": False,
            "threads": 1,
            "random_seed": 0,
            "mip_rel_gap": gap,
            "mip_abs_gap": 0.999,  # prizes are whole numbers
            "mip_max_nodes": self.task.order.nodes,
            "time_limit": seconds,
        }

    def _model(self, prizes: Mapping[str, int]) -> Any:
        model: Any = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self.upper), len(self.rows)
        costs = np.zeros(len(self.upper))
        for place, variable in self.visited.items():
            costs[variable] = prizes.get(place, 0)
        model.col_cost_, model.col_lower_ = costs, np.zeros(len(self.upper))
        model.col_upper_ = np.array(self.upper, dtype=float)
        model.row_lower_ = np.array([low for low, _, _ in self.rows], dtype=float)
        model.row_upper_ = np.array([high for _, high, _ in self.rows], dtype=float)
        sizes = [0, *(len(terms) for _, _, terms in self.rows)]
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.cumsum(sizes)
        model.a_matrix_.index_ = np.array([k for _, _, terms in self.rows for k, _ in terms])
        model.a_matrix_.value_ = np.array(
            [many for _, _, terms in self.rows for _, many in terms], dtype=float
        )
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[whole] for whole in self.whole]
        model.sense_ = highspy.ObjSense.kMaximize
        return model

    def trips(self, solved: Solved) -> Iterator[Trips]:
        """Tell the trips of a solution."""
        for leg, (trips, visits) in self.going.items():
            many = round(solved.values.get(visits, 0.0))
            if many:
                yield Trips(leg, round(solved.values.get(trips, 0.0)), many)


def _highs() -> Any:
    """Make a solver; its own code is not typed throughout."""
    make: Any = highspy.Highs
    return make()


def solver_name() -> str:
    """Name the solver and its version, as it is stored with each plan."""
    return f"HiGHS {_highs().version()}"
