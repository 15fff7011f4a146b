"""How a fact is declared, and the facts that more than one kind reads.

A fact has a type, a unit, the subjects it may be stated about and the question a person is asked.
A name means one thing and has one type everywhere; facts used by one kind alone stand in its file.
Numbers and lists are bounded, text is a short code: there is no room for an image, a template or a
person's name.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Scope = Literal["unit", "site", "license"]

Code = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+-]*$", min_length=1, max_length=64)
]
"""A reference or code word: letters, digits and . _ : / + - only, 64 characters at most."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""

Count = Annotated[int, Field(ge=0, le=10**12, strict=True)]
Number = Annotated[float, Field(ge=0, le=10**12, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{64}$")]


def listing(item: Any) -> Any:
    """Make the type of a list fact: at most 1,000 entries."""
    return Annotated[list[item], Field(max_length=1000)]


def fact(question: str, *, unit: str, scopes: tuple[Scope, ...] = ("unit",)) -> Any:
    """Declare a fact: the question a person is asked, its unit, what it may be stated about."""
    return Field(description=question, json_schema_extra={"unit": unit, "scopes": list(scopes)})


class Position(BaseModel):
    """Where a unit is: WGS 84 degrees, and the radius in metres it is known to within."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    accuracy_m: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 0.0


PositionFact = Annotated[
    Position | None,
    fact("Where is the unit (degrees, WGS 84), and how exactly is that known?", unit="degrees"),
]
SiteFact = Annotated[
    Code | None, fact("At which site is the unit (its reference)?", unit="site reference")
]
CountryFact = Annotated[
    Country | None, fact("In which country is the unit?", unit="ISO 3166-1 alpha-2")
]
DispositionFact = Annotated[
    Literal[
        "in_use", "stored", "lost", "stolen", "destroyed", "transferred", "returned", "disposed"
    ]
    | None,
    fact("What has become of the unit?", unit="disposition"),
]
