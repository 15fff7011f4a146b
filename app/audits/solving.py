"""Solves one plan in a process of its own: an order comes in as JSON, the plan goes out as JSON.

The solver is busy for up to a minute. In a process of its own it holds up neither the scheduler's other
jobs nor a request, and may be killed at any time: nothing but this process is lost.

Whoever doubts a plan runs it again: `python -m app.audits.solving < order.json`, where the file holds
`{"inputs": ..., "seed": "..."}` as `GET /v1/audit-plans/{id}/inputs` tells them.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

from app.audits.laying import Plan, plan
from app.audits.planning import Order, Task
from app.audits.planning_schemas import Inputs, InspectorIn, PlaceGiven, SpanIn, TravelIn
from app.audits.travel import Inspector, Place, Travel

_PLANS = TypeAdapter(Plan)


class Ordered(BaseModel):
    """What the process is handed."""

    inputs: Inputs
    seed: str


def solve(ordered: Mapping[str, Any]) -> dict[str, Any]:
    """Solve an order, all in JSON."""
    handed = Ordered.model_validate(ordered)
    found = plan(Task(order_of(handed.inputs, bytes.fromhex(handed.seed))))
    told: dict[str, Any] = _PLANS.dump_python(found, mode="json")
    return told


def read(told: Mapping[str, Any]) -> Plan:
    """Read a plan that was told as JSON."""
    return _PLANS.validate_python(told)


def order_of(inputs: Inputs, seed: bytes) -> Order:
    """Put what was given into the words of the planner. Places without a position stay out."""
    return Order(
        first=inputs.period.first,
        last=inputs.period.last,
        inspectors=tuple(map(_inspector, inputs.inspectors)),
        places=tuple(_place(one) for one in inputs.places if one.position is not None),
        travel=_travel(inputs.travel),
        random_percent=inputs.random_percent,
        seed=seed,
        gap=float(inputs.gap_percent / 100),
        seconds=float(inputs.seconds),
    )


def _inspector(one: InspectorIn) -> Inspector:
    def span(away: SpanIn) -> tuple[Any, Any]:
        return away.first, away.last

    return Inspector(
        reference=one.reference,
        lat=one.position.lat,
        lon=one.position.lon,
        countries=None if one.countries is None else tuple(one.countries),
        languages=None if one.languages is None else tuple(one.languages),
        days_per_week=one.days_per_week,
        away=tuple(map(span, one.away)),
    )


def _place(one: PlaceGiven) -> Place:
    assert one.position is not None
    return Place(
        reference=one.reference,
        country=one.country,
        lat=one.position.lat,
        lon=one.position.lon,
        score=sum(one.parts.values()),
        languages=tuple(one.languages),
        due_by=one.due_by,
    )


def _travel(one: TravelIn) -> Travel:
    return Travel(
        steps=tuple(one.steps),
        region_km=one.region_km,
        longest_trip_days=one.longest_trip_days,
        visit_days=one.visit_days,
        given={(way.inspector, way.country): way.days for way in one.given},
    )


def main() -> None:
    """Read an order, write its plan."""
    json.dump(solve(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
