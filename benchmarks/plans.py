"""A year planned for 20 inspectors and 2,000 sites, with the bound that proves how good it is."""

import time
from datetime import date, timedelta
from random import Random

from app.audits.laying import Plan, plan
from app.audits.planning import Order, Task
from app.audits.travel import Inspector, Place, Travel
from benchmarks.table import Figure

FIRST = date(2027, 1, 4)
HOMES = ((50.1, 8.7), (52.2, 21.0), (38.9, -77.0), (1.35, 103.8), (-1.3, 36.8))
WORLDS = {
    "everybody free": (0, 5),
    "days scarce": (30, 5),
}
"""Weeks each inspector does other things, beside three of leave, and days a week."""


def world(seed: int, *, inspectors: int, sites: int, away: int, days: int) -> Order:
    """Sites gathered around cities of 40 countries, one in sixteen of them to be visited by a date."""
    draw = Random(seed)
    countries = [
        (chr(65 + k // 26) + chr(65 + k % 26), draw.uniform(-35, 60), draw.uniform(-120, 140))
        for k in range(40)
    ]
    places = []
    for number in range(sites):
        crowded = draw.random() < 0.5
        country, lat, lon = countries[
            min(39, int(draw.paretovariate(0.7)) - 1) if crowded else draw.randrange(40)
        ]
        due = FIRST + timedelta(days=draw.randrange(30, 330)) if draw.random() < 1 / 16 else None
        places.append(
            Place(
                reference=f"S-{number:05}",
                country=country,
                lat=lat + draw.gauss(0, 2.5),
                lon=lon + draw.gauss(0, 2.5),
                score=draw.choice((5, 15, 15, 40)) + draw.randrange(150),
                due_by=due,
            )
        )
    crew = []
    for number in range(inspectors):
        lat, lon = HOMES[number % len(HOMES)]
        begin = FIRST + timedelta(weeks=draw.randrange(6, 45 - away))
        leave = (begin, begin + timedelta(weeks=away + 3))
        may = tuple(sorted(code for code, _, _ in draw.sample(countries, 25)))
        crew.append(Inspector(f"I-{number:02}", lat, lon, may, None, days, (leave,)))
    return Order(
        first=FIRST,
        last=FIRST + timedelta(days=363),
        inspectors=tuple(crew),
        places=tuple(places),
        travel=Travel(),
        random_percent=10,
        seed=draw.randbytes(32),
    )


def plans(_url: str, scale: float) -> list[Figure]:
    """Plan the year twice: with everybody free, and with days so scarce that most sites must wait."""
    inspectors, sites = (20, 2_000) if scale >= 1 else (4, 150)
    return [
        _figure(name, world(11, inspectors=inspectors, sites=sites, away=away, days=days))
        for name, (away, days) in WORLDS.items()
    ]


def _figure(name: str, order: Order) -> Figure:
    begun = time.perf_counter()
    found = plan(Task(order))
    seconds = time.perf_counter() - begun
    return Figure(
        f"a year for {len(order.inspectors)} inspectors and {len(order.places):,} sites, {name}",
        f"{seconds:.1f} s, {_told(found)}",
        f"no plan exceeds {found.bound:,} points ({found.solver})",
        "≤ 60 s, all that can be made of what must",
        seconds <= 60 and found.mandatory_made == found.mandatory_bound,
    )


def _told(found: Plan) -> str:
    return (
        f"{len(found.visits):,} visits, {found.points:,} points: at most {found.gap:.2%} below the "
        f"best; mandatory {found.mandatory_made} of {found.mandatory}, "
        f"drawn {found.drawn_made} of {len(found.drawn)}"
    )
