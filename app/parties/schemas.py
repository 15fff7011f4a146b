"""Parties and sites as they are sent and shown."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from app.wire import Strict
from monitors import Code, known_country

NO_NUL = r"^[^\x00]*$"  # the one character PostgreSQL keeps in no text
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=NO_NUL),
]
CountryCode = Annotated[Code, AfterValidator(known_country)]


class PositionIn(Strict):
    """A place on earth, WGS 84 degrees."""

    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class PartyIn(Strict):
    """An organization. The same reference always means the same name and country."""

    reference: Code
    name: Text
    country: CountryCode


class SiteIn(Strict):
    """A site. The same reference always means the same place."""

    reference: Code
    name: Text
    country: CountryCode
    position: PositionIn | None = None
