"""Types that mean the same at every door."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time outside the years 1 to 9999 in UTC") from error


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[
    AwareDatetime, AfterValidator(_utc), PlainSerializer(_text, return_type=str, when_used="json")
]
"""A time with its zone, RFC 3339; told in UTC."""


class Strict(BaseModel):
    """Base of what callers send: a field nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """Base of what callers get."""

    model_config = ConfigDict(from_attributes=True)
