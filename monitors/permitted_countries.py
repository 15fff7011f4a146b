"""Permitted countries: the unit is in a country the license names.

**What it means.** A license is granted for named destinations. A unit that is elsewhere has been
re-exported or carried off, whatever it is used for. The country is taken from what is stated, and
separately from the position of the unit on a map of borders.

**Terms.** `countries` (ISO 3166-1 alpha-2 codes, at least one). A territory with a code of its own,
such as `RE` (Réunion), should be named beside its state when it is meant.

**Broken** when the country stated is not named (`country_not_permitted`; a territory stated by its
own code must be named itself), or when the position surely lies outside every named country: by
more than its own accuracy and that of the map (`position_outside_countries`). Whether the stated
country and the position agree with each other is not asked here.

**Not assessable** when a position does not settle it (`border_too_near`): too near a border or
coast for its accuracy, in a disputed area, in a territory of a named state that is not named
itself, or known too vaguely.

**Source.** Destination control statements on export licenses. Borders of Natural Earth, 1:10
million, drawn to about 1 km; 12 nautical miles of sea count with the coast (United Nations
Convention on the Law of the Sea, article 3).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from monitors._borders import Standing, verdict
from monitors._contract import (
    Case,
    FactsModel,
    Finding,
    Monitor,
    Severity,
    Statement,
    TermsModel,
    broken,
    not_assessable,
)
from monitors._countries import ALPHA2, NAMES
from monitors._facts import Country, CountryFact, Position, PositionFact, known_country


class Terms(TermsModel):
    """Where the units may be."""

    countries: Annotated[
        tuple[Annotated[Country, AfterValidator(known_country)], ...],
        Field(min_length=1, max_length=len(ALPHA2)),
    ]
    """ISO 3166-1 alpha-2 codes of the countries and territories."""


class Facts(FactsModel):
    """What it reads."""

    country: CountryFact = None
    position: PositionFact = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at the country stated, then at where the position lies."""
    permitted = frozenset(terms.countries)
    inside, outside = Standing.INSIDE, Standing.OUTSIDE
    for statement in heard:
        facts = statement.facts
        country, position = facts.country, facts.position
        if country is not None and country not in permitted:
            yield _elsewhere(terms, statement, country)
        if position is None:
            continue
        standing, found = verdict(position.lat, position.lon, position.accuracy_m, permitted)
        if standing is inside:
            continue
        if standing is outside:
            yield _outside(terms, statement, position, found)
        else:
            yield _unsure(terms, statement, position)


def _elsewhere(terms: Terms, statement: Statement[Facts], country: str) -> Finding:
    return broken(
        statement,
        reason="country_not_permitted",
        expected=_expected(terms),
        observed=f"stated to be in {_named(country)}",
        clears="a report that the unit is back, or an amendment that names the country",
    )


def _outside(
    terms: Terms, statement: Statement[Facts], position: Position, country: str | None
) -> Finding:
    where = f"in {_named(country)}" if country else "outside every permitted country"
    return broken(
        statement,
        reason="position_outside_countries",
        expected=_expected(terms),
        observed=f"{_told(position)}, {where}",
        clears="a position in a permitted country, or an amendment that names the country",
    )


def _unsure(terms: Terms, statement: Statement[Facts], position: Position) -> Finding:
    return not_assessable(
        statement,
        reason="border_too_near",
        expected=_expected(terms),
        observed=f"{_told(position)}: the country cannot be told from that",
        missing=("position",),
        clears="a more exact position, or a check on site",
    )


def _expected(terms: Terms) -> str:
    return f"in {' or '.join(_named(code) for code in sorted(set(terms.countries)))}"


def _named(code: str) -> str:
    return f"{NAMES.get(code, 'no assigned country')} ({code})"


def _told(position: Position) -> str:
    return f"at {position.lat:.5f}, {position.lon:.5f}, known to {position.accuracy_m:,.0f} m"


MONITOR = Monitor(
    title="Permitted countries",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Read the unit's serial number where it stands, and write down the country and the "
        "position your own device shows there."
    ),
    what_to_see="The unit, with its own serial number, in a country the license names.",
)
