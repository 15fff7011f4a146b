"""The condition types and the fact vocabulary over HTTP, straight from the monitors' files."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from app.access.router import Public
from monitors import Fact, Monitor, Severity, catalogue

router = APIRouter(prefix="/v1", tags=["condition types"])


class ConditionType(BaseModel):
    """A kind of condition: what it means, its terms and facts, how it is checked on site.

    A `standing` kind applies to every license without being written on it. Nothing more may be
    shipped while one that `blocks_release` is broken or not assessable. `shadow_version` judges
    beside the present version, without anybody being told.
    """

    kind: str
    title: str
    documentation: str
    version: int
    severity: Severity
    terms: dict[str, Any]
    facts: list[str]
    standing: bool
    blocks_release: bool
    shadow_version: int | None
    how_to_check: str
    what_to_see: str


class FactOut(BaseModel):
    """A word of the fact vocabulary."""

    name: str
    question: str
    unit: str
    scopes: list[str]
    json_schema: dict[str, Any]
    read_by: list[str]


@router.get("/condition-types", dependencies=[Public])
def condition_types() -> list[ConditionType]:
    """List every kind of condition with its documentation and the JSON Schema of its terms."""
    return [_show_type(monitor) for monitor in catalogue().monitors.values()]


def _show_type(monitor: Monitor) -> ConditionType:
    shadow = catalogue().shadows.get(monitor.kind)
    return ConditionType(
        kind=monitor.kind,
        title=monitor.title,
        documentation=monitor.documentation,
        version=monitor.version,
        severity=monitor.severity,
        terms=monitor.terms.model_json_schema(),
        facts=sorted(monitor.fact_names),
        standing=monitor.standing,
        blocks_release=monitor.blocks_release,
        shadow_version=shadow.version if shadow else None,
        how_to_check=monitor.how_to_check,
        what_to_see=monitor.what_to_see,
    )


@router.get("/facts", dependencies=[Public])
def facts() -> list[FactOut]:
    """List the fact vocabulary: what may be stated, in which unit, about what."""
    return [_show_fact(fact) for fact in catalogue().facts.values()]


def _show_fact(fact: Fact) -> FactOut:
    return FactOut(
        name=fact.name,
        question=fact.question,
        unit=fact.unit,
        scopes=list(fact.scopes),
        json_schema=dict(fact.json_schema),
        read_by=list(fact.read_by),
    )
