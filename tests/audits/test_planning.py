from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.audits.laying import Plan, Why, plan
from app.audits.planning import Order, Task
from app.audits.scoring import Known, Weights, must_be_visited, points
from app.audits.travel import Inspector, Place, Travel, regions
from benchmarks import plans

FIRST = date(2027, 1, 4)  # a Monday
SEED = bytes(range(32))
HOME = (50.0, 8.0)


def place(reference: str, score: int = 10, **more: object) -> Place:
    """Beside the inspectors' home: no travel."""
    given: dict[str, object] = {"country": "DE", "lat": HOME[0], "lon": HOME[1]} | more
    return Place(reference=reference, score=score, **given)  # type: ignore[arg-type]


def far(reference: str, score: int = 10, **more: object) -> Place:
    """A thousand kilometres away: a day is lost."""
    return place(reference, score, **({"country": "ES", "lat": 41.0, "lon": 8.0} | more))


def inspector(reference: str = "I-1", **more: object) -> Inspector:
    return Inspector(reference, *HOME, **more)  # type: ignore[arg-type]


def order(places: Iterable[Place], days: int = 7, **more: object) -> Order:
    given: dict[str, object] = {
        "first": FIRST,
        "last": FIRST + timedelta(days=days - 1),
        "inspectors": (inspector(),),
        "places": tuple(places),
        "travel": Travel(),
        "random_percent": 0,
        "seed": SEED,
        "gap": 0.0,
    }
    return Order(**(given | more))  # type: ignore[arg-type]


def made(given: Order) -> Plan:
    found = plan(Task(given))
    check(given, found)
    return found


def check(given: Order, found: Plan) -> None:
    """Hold a plan to every rule, whatever it is."""
    places = {one.reference: one for one in given.places}
    crews = {one.reference: one for one in given.inspectors}
    task = Task(given)
    region_of = {one.reference: r.number for r in task.regions for one in r.places}
    assert set(found.reasons) == set(places)
    assert len({one.place for one in found.visits}) == len(found.visits)
    assert found.points == sum(places[one.place].score for one in found.visits) <= found.bound
    busy: dict[str, dict[date, tuple[date, date]]] = {}
    trips: dict[tuple[str, date, date], list[str]] = {}
    for one in found.visits:
        who, there = crews[one.inspector], places[one.place]
        assert who.may_enter(there.country)
        assert who.speaks(there.languages)
        assert there.due_by is None or one.back <= there.due_by
        runs = dict(who.working_days(given.first, given.last))
        days = [day for day in runs if one.leaves <= day <= one.back]
        assert {one.leaves, one.first, one.last, one.back} <= set(days)
        assert len({runs[day] for day in days}) == 1
        for day in days:
            assert busy.setdefault(one.inspector, {}).setdefault(day, (one.leaves, one.back)) == (
                one.leaves,
                one.back,
            )
        trips.setdefault((one.inspector, one.leaves, one.back), []).append(one.place)
    for (who_name, leaves, back), visited in trips.items():
        (number,) = {region_of[name] for name in visited}
        who = crews[who_name]
        lost = given.travel.days(who, task.regions[number].middle)
        length = sum(leaves <= day <= back for day, _ in who.working_days(given.first, given.last))
        assert length <= given.travel.longest_trip_days
        assert len(visited) * given.travel.visit_days + lost <= length


def whys(found: Plan) -> dict[str, Why]:
    return {name: reason.why for name, reason in found.reasons.items()}


def test_the_places_of_most_points_are_visited() -> None:
    found = made(order(place(f"P-{n}", score=n) for n in range(10)))
    assert sorted(one.place for one in found.visits) == ["P-5", "P-6", "P-7", "P-8", "P-9"]
    assert (found.points, found.bound, found.gap, found.stopped) == (35, 35, 0.0, False)
    assert found.solver.startswith("HiGHS ")
    assert found.reasons["P-9"].why is Why.POINTS
    assert found.reasons["P-4"].why is Why.OUTWEIGHED
    assert "4 points" in found.reasons["P-4"].detail
    assert "has 5" in found.reasons["P-4"].detail


def test_what_must_be_visited_goes_before_any_points() -> None:
    places = [place(f"P-{n}", score=100) for n in range(9)]
    found = made(order([*places, place("M", 0, due_by=FIRST)]))
    first = found.visits[0]
    assert (first.place, first.first, first.back) == ("M", FIRST, FIRST)
    assert (found.mandatory, found.mandatory_made, found.mandatory_bound) == (1, 1, 1)
    assert found.reasons["M"].why is Why.MANDATORY
    assert found.points == 400


def test_the_soonest_due_goes_first_and_what_cannot_be_made_is_told_with_its_reason() -> None:
    due = [place(f"M-{n}", due_by=FIRST + timedelta(days=1)) for n in range(3)]
    found = made(order(due))
    assert (found.mandatory_made, found.mandatory_bound) == (2, 2)
    (left,) = [name for name, why in whys(found).items() if why is not Why.MANDATORY]
    assert found.reasons[left].why is Why.DAYS_TAKEN
    assert sorted(one.first for one in found.visits) == [FIRST, FIRST + timedelta(days=1)]


CLOSED: dict[str, tuple[Place, Why, str]] = {
    "nobody may enter": (place("X", country="KP", due_by=FIRST), Why.COUNTRY_CLOSED, "KP"),
    "nobody speaks": (place("X", languages=("sw",), due_by=FIRST), Why.LANGUAGE_MISSING, "sw"),
    "too far for the time": (far("X", lat=-41.0, lon=174.0), Why.TOO_FAR, "there and back"),
    "too far by the day": (far("X", due_by=FIRST), Why.TOO_LATE, "2027-01-04"),
    "due before it begins": (
        place("X", due_by=FIRST - timedelta(days=1)),
        Why.TOO_LATE,
        "2027-01-03",
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_place_nobody_can_get_to_is_told_why(name: str) -> None:
    there, why, said = CLOSED[name]
    who = inspector(
        countries=("DE", "ES"),
        languages=("en",),
        away=((FIRST + timedelta(days=2), FIRST + timedelta(days=9)),),
    )
    found = made(order([there, place("Y")], inspectors=(who,)))
    assert [one.place for one in found.visits] == ["Y"]
    assert found.reasons["X"].why is why
    assert said in found.reasons["X"].detail


def test_a_trip_goes_only_where_its_days_bring_more() -> None:
    near = [place(f"N-{n}", 10) for n in range(5)]
    found = made(order([*near, far("F", 15)]))
    assert whys(found)["F"] is Why.NO_TRIP
    found = made(order([*near, far("F", 21)]))
    assert whys(found)["F"] is Why.POINTS
    assert found.points == 10 * 3 + 21


def test_known_days_of_travel_go_before_distance() -> None:
    given = {("I-1", "ES"): 0}
    found = made(order([far("F", 1)], days=1, travel=Travel(given=given)))
    assert len(found.visits) == 1
    assert made(order([far("F", 1)], days=1)).visits == ()


def test_a_trip_goes_on_over_a_weekend_but_not_over_an_absence() -> None:
    places = [far(f"F-{n}") for n in range(7)]
    over = made(order(places, days=12))  # ten working days
    assert {(one.leaves, one.back) for one in over.visits} == {(FIRST, FIRST + timedelta(days=9))}
    away = ((FIRST + timedelta(days=4), FIRST + timedelta(days=6)),)
    broken = made(order(places, days=12, inspectors=(inspector(away=away),)))
    assert len(broken.visits) == 7
    assert len({one.leaves for one in broken.visits}) == 2


def test_a_share_is_drawn_by_chance_and_visited_whatever_its_points() -> None:
    places = [place(f"P-{n:02}", score=n) for n in range(50)]
    found = made(order(places, random_percent=40))
    assert len(found.drawn) == 2
    assert found.drawn_made == 2
    assert {name for name, why in whys(found).items() if why is Why.DRAWN} == set(found.drawn)
    assert "number 1 of 2" in found.reasons[found.drawn[0]].detail
    other = made(order(places, random_percent=40, seed=bytes(32)))
    assert other.drawn != found.drawn
    assert len(made(order(places, random_percent=100)).drawn) == 5


def test_no_place_is_likelier_to_be_drawn_for_its_points() -> None:
    places = [place(f"P-{n}", score=1_000 * n) for n in range(4)]
    drawn = [
        Task(order(places, days=1, random_percent=100, seed=bytes([n]) * 32)).drawn
        for n in range(256)
    ]
    counts = [sum(names == (one.reference,) for names in drawn) for one in places]
    assert sum(counts) == 256
    assert min(counts) > 40


def test_the_same_order_gives_the_same_plan_in_whatever_order_it_is_written() -> None:
    given = plans.world(3, inspectors=3, sites=80, away=10, days=5)
    again = replace(given, places=given.places[::-1], inspectors=tuple(reversed(given.inspectors)))
    found = made(given)
    assert len(found.visits) > 20
    assert plan(Task(given)) == found
    assert replace(plan(Task(again)), reasons=found.reasons) == found


def test_nowhere_to_go_is_a_plan_too() -> None:
    assert made(order([])).visits == ()
    nobody = inspector(away=((FIRST, FIRST + timedelta(days=30)),))
    found = made(order([place("P")], inspectors=(nobody,)))
    assert (found.visits, found.bound, found.gap) == ((), 0, 0.0)
    assert whys(found)["P"] is Why.TOO_FAR


SMALL = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([HOME, (41.0, 8.0), (41.2, 8.1), (44.0, 20.0)]),
        st.one_of(st.none(), st.integers(-1, 12)),
    ),
    min_size=1,
    max_size=7,
)


@settings(deadline=None, max_examples=40)
@given(SMALL, st.integers(1, 12), st.integers(0, 100), st.integers(0, 6))
def test_any_small_plan_keeps_every_rule_and_its_bound(
    drawn: list[tuple[int, tuple[float, float], int | None]], days: int, share: int, away: int
) -> None:
    places = [
        place(
            f"P-{n}",
            score,
            lat=at[0],
            lon=at[1],
            due_by=None if due is None else FIRST + timedelta(days=due),
        )
        for n, (score, at, due) in enumerate(drawn)
    ]
    leave = (FIRST + timedelta(days=away), FIRST + timedelta(days=away + 1))
    crew = (inspector(), inspector("I-2", away=(leave,)))
    found = made(order(places, days, inspectors=crew, random_percent=share))
    assert found.mandatory_made <= found.mandatory_bound <= found.mandatory
    assert not found.stopped


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=7),
    st.integers(1, 9),
)
def test_a_small_plan_is_the_best_there_is(drawn: list[tuple[int, bool]], days: int) -> None:
    """Against all subsets: the near cost a day each, one trip to the far ones a day more."""
    places = [(far if away else place)(f"P-{n}", score) for n, (score, away) in enumerate(drawn)]
    found = made(order(places, days))
    working = len(inspector().working_days(FIRST, FIRST + timedelta(days=days - 1)))
    best = max(
        sum(one.score for one in chosen)
        for size in range(len(places) + 1)
        for chosen in combinations(places, size)
        if size + any(one.country == "ES" for one in chosen) <= working
    )
    assert found.points == found.bound == best


def test_regions_join_near_places_of_one_country_and_language() -> None:
    a, b = place("A"), place("B", lat=51.0)
    c = place("C", lat=52.0)
    found = regions([c, place("E", languages=("de",)), place("D", country="FR"), b, a], 150)
    assert [[one.reference for one in region.places] for region in found] == [
        ["A", "B", "C"],
        ["E"],
        ["D"],
    ]
    assert found[0].middle == b
    assert [len(region.places) for region in regions([a, b, c], 0)] == [1, 1, 1]


def test_travel_takes_the_step_its_kilometres_reach() -> None:
    travel, who = Travel(steps=((111, 0), (1_000, 2))), inspector()
    assert travel.days(who, place("P", lat=50.9)) == 0
    assert travel.days(who, place("P", lat=51.1)) == 2
    assert travel.days(who, place("P", lat=-50.0)) == 2


WEIGHTS = Weights()


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Known(), {"tier": 0, "unverified": 73, "overdue": 0, "deviations": 0}),
        (
            Known(tier=3, verified_days={"A": 0}),
            {"tier": 40, "unverified": 0, "overdue": 0, "deviations": 0},
        ),
        (
            Known(verified_days={"A": 100}),
            {"tier": 0, "unverified": 10, "overdue": 0, "deviations": 0},
        ),
        (
            Known(verified_days={"D": 100}),
            {"tier": 0, "unverified": 30, "overdue": 0, "deviations": 0},
        ),
        (
            Known(verified_days={"A": 400, "C": 100}),
            {"tier": 0, "unverified": 20, "overdue": 0, "deviations": 0},
        ),
        (
            Known(verified_days={"F": 1}),
            {"tier": 0, "unverified": 73, "overdue": 0, "deviations": 0},
        ),
        (
            Known(overdue=3, overdue_days=59),
            {"tier": 0, "unverified": 73, "overdue": 22, "deviations": 0},
        ),
        (
            Known(overdue=900, overdue_days=900),
            {"tier": 0, "unverified": 73, "overdue": 64, "deviations": 0},
        ),
        (
            Known(deviations={"high": 2, "low": 1, "odd": 5}),
            {"tier": 0, "unverified": 73, "overdue": 0, "deviations": 42},
        ),
        (
            Known(deviations={"critical": 90}),
            {"tier": 0, "unverified": 73, "overdue": 0, "deviations": 120},
        ),
    ],
)
def test_points_come_from_what_is_unverified_risky_or_delinquent(
    known: Known, expected: dict[str, int]
) -> None:
    assert points(known, WEIGHTS) == expected


def test_sixty_days_overdue_make_a_visit_mandatory() -> None:
    assert not must_be_visited(Known(overdue=1, overdue_days=59), WEIGHTS)
    assert must_be_visited(Known(overdue=1, overdue_days=60), WEIGHTS)
    assert not must_be_visited(Known(overdue=0, overdue_days=60), WEIGHTS)
    never = WEIGHTS.model_copy(update={"mandatory_overdue_days": None})
    assert not must_be_visited(Known(overdue=9, overdue_days=900), never)


def test_the_country_has_no_part_in_the_points() -> None:
    assert not [name for name in (*Weights.model_fields, *Known.model_fields) if "countr" in name]
