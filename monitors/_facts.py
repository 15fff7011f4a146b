"""How a fact is declared, and the facts that more than one kind reads.

A fact has a type, a unit, the subjects it may be stated about and the question a person is asked.
A name means one thing and has one type everywhere; facts used by one kind alone stand in its file.
Numbers and lists are bounded, text is a short code: there is no room for an image, a template or a
person's name.
"""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from monitors._countries import ALPHA2

Scope = Literal["unit", "site", "license"]

Code = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+-]*$", min_length=1, max_length=64)
]
"""A reference or code word: letters, digits and . _ : / + - only, 64 characters at most."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


def known_country(code: str) -> str:
    """Refuse what is not a country of ISO 3166-1."""
    if code not in ALPHA2:
        raise ValueError("not an ISO 3166-1 alpha-2 country code")
    return code


Count = Annotated[int, Field(ge=0, le=10**12, strict=True)]
Number = Annotated[float, Field(ge=0, le=10**12, allow_inf_nan=False, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{64}$")]


def _written_day(value: Any) -> Any:
    """Take a date or its ISO 8601 text alone: a number might count seconds or be a year."""
    if type(value) is date or (
        isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)
    ):
        return value
    raise ValueError("a day is written as YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_written_day)]
"""A calendar day, in JSON as YYYY-MM-DD."""

Language = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)
]
"""A language after BCP 47: `sw`, or with script or region where it matters, `zh-Hant`."""


def unspoken(wanted: Iterable[str], spoken: Iterable[str]) -> list[str]:
    """List the wanted languages that none of those spoken is; `pt-BR` is a `pt` (RFC 4647)."""
    tags = [f"{tag.lower()}-" for tag in spoken]
    return [one for one in wanted if not any(tag.startswith(f"{one.lower()}-") for tag in tags)]


def fact(question: str, *, unit: str, scopes: tuple[Scope, ...] = ("unit",)) -> Any:
    """Declare a fact: the question a person is asked, its unit, what it may be stated about."""
    return Field(description=question, json_schema_extra={"unit": unit, "scopes": list(scopes)})


Codes = Annotated[list[Code], Field(max_length=1000)]
Countries = Annotated[list[Country], Field(max_length=1000)]
Languages = Annotated[list[Language], Field(max_length=1000)]

Word = Annotated[Code, StringConstraints(to_lower=True)]
"""A code word whose capitals make no difference."""

Words = Annotated[list[Word], Field(max_length=1000)]

NAMELESS = frozenset({"other", "unknown", "unspecified"})
"""Words that stand where a name should: what is meant by them cannot be compared with terms."""


def telling(word: str) -> str:
    """Refuse, in terms, a word that names nothing."""
    if word.lower() in NAMELESS:
        raise ValueError("names nothing that a report could be compared with")
    return word


TellingWords = Annotated[
    tuple[Annotated[Word, AfterValidator(telling)], ...], Field(max_length=100)
]
"""Code words of terms: each names something, capitals make no difference."""

Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=15, decimal_places=12)]
"""A share in percent, as an exact decimal."""


def named(words: Iterable[str], most: int = 10) -> str:
    """Name things for a sentence: in order, and so many of them at most."""
    names = sorted(set(words))
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


class Position(BaseModel):
    """Where a unit is: WGS 84 degrees, and the radius in metres it is known to within."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

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

GallerySizeFact = Annotated[
    Count | None, fact("How many persons are enrolled on the unit now?", unit="persons")
]
WatchlistSizeFact = Annotated[
    Count | None, fact("How many entries has the watchlist on the unit now?", unit="entries")
]
SoftwareVersionFact = Annotated[
    Code | None, fact("Which software version runs on the unit?", unit="version")
]
Mode = Literal["verify_1_1", "identify_1_n", "search_n_n"]
MatchModesFact = Annotated[
    Annotated[list[Mode], Field(max_length=1000)] | None,
    fact("In which match modes is the unit used?", unit="match modes"),
]
IdentifyCallsFact = Annotated[
    Count | None,
    fact("How many one-to-many identifications since the reading before?", unit="calls"),
]
SearchCallsFact = Annotated[
    Count | None,
    fact("How many many-to-many searches since the reading before?", unit="calls"),
]
ConcurrentStreamsFact = Annotated[
    Count | None,
    fact("How many camera streams does the unit analyse at the same time?", unit="streams"),
]
LiveMatchingFact = Annotated[
    Flag | None,
    fact("Does the unit match persons in live streams?", unit="yes or no"),
]
BulkExportsFact = Annotated[
    Count | None,
    fact("How many bulk exports of enrolled data since the reading before?", unit="exports"),
]

PossessorFact = Annotated[
    Code | None,
    fact("Which party holds the unit (its reference)?", unit="party reference"),
]
SightedSerialsFact = Annotated[
    Annotated[list[Code], Field(max_length=10_000)] | None,
    fact(
        "Which serial numbers were sighted at the site (all that were)?",
        unit="serial numbers",
        scopes=("site",),
    ),
]


class Change(BaseModel):
    """A change of circumstances: of what, and from which day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: Literal["ownership", "site", "unit", "use"]
    effective_on: Day


ChangesFact = Annotated[
    Annotated[list[Change], Field(max_length=100)] | None,
    fact(
        "Which changes of ownership, site, units or use are there or to come, and from which day?",
        unit="changes",
        scopes=("site", "license"),
    ),
]
