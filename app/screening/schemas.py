"""Screenings as they are sent and shown."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

from app.licenses.schemas import Day, Long
from app.parties.schemas import Text
from app.wire import Moment, Out, Strict
from monitors import Code


def _each_once(lists: list[str]) -> list[str]:
    if len(set(lists)) != len(lists):
        raise ValueError("a list is named twice")
    return lists


class HitIn(Strict):
    """A possible match of the party, or of an owner of it, with an entry of a list."""

    list: Code
    entry: Text = Field(description="The entry as the list names it")
    listed_on: Day | None = Field(default=None, description="Since when the entry is on the list")
    owner: Text | None = Field(
        default=None, description="The owner of the party that matched, if not the party itself"
    )


class ScreeningIn(Strict):
    """A party was compared with lists; without hits it was on none of them."""

    party: Code
    lists: Annotated[list[Code], Field(min_length=1, max_length=100), AfterValidator(_each_once)]
    screened_at: Moment
    hits: Annotated[list[HitIn], Field(max_length=200)] = []


class HitDecisionIn(Strict):
    """Whether a hit is the party (or its owner), and why."""

    confirmed: bool
    ground: Long


class HitDecisionOut(Out):
    """Who said whether a hit is the party, and why."""

    confirmed: bool
    ground: str
    decided_by: str
    decided_at: Moment


class HitOut(Out):
    """A hit with the decision that counts; null while nobody has decided."""

    id: int
    list: str
    entry: str
    listed_on: date | None
    owner: str | None
    decision: HitDecisionOut | None


class ScreeningOut(Out):
    """A screening with its hits."""

    id: int
    party: str
    lists: list[str]
    screened_at: Moment
    screened_by: str
    received_at: Moment
    hits: list[HitOut]
