"""Alerts as dashboards get them."""

from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from app.wire import Moment, Out
from monitors import Severity


class AlertState(StrEnum):
    """Where an alert is: open, gone by itself, or without its evidence."""

    OPEN = "open"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"


class AlertOut(Out):
    """An alert as it is now: about a deviation, or about an obligation or a check that stays away."""

    id: UUID
    severity: Severity
    state: AlertState
    title: str
    license: str
    country: str
    kind: str
    deviation: UUID | None
    obligation: UUID | None
    audit: UUID | None = None
    raised_at: Moment
    changed_at: Moment


class AlertChange(AlertOut):
    """One change of an alert, by its number in the journal."""

    seq: int
    change: Literal["raised", "escalated", "changed", "cleared", "withdrawn"]


class Feed(BaseModel):
    """Changes in journal order. Keep `next` and ask with it: none is missed, none comes twice."""

    items: list[AlertChange]
    next: str
    as_of: Moment


class Count(BaseModel):
    """How many open alerts share a value."""

    value: str
    count: int


class Summary(BaseModel):
    """Open alerts counted by severity, country, kind and age, and all alerts by state."""

    open: int
    severity: list[Count]
    state: list[Count]
    country: list[Count]
    kind: list[Count]
    age: list[Count]
    as_of: Moment
