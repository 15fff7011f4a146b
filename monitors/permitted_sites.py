"""Permitted sites: the unit stands at a site the license names.

**What it means.** Sites were examined before the license was granted: who runs them, who can enter,
what stands beside. A site is a circle on the map with a reference. The position of a unit is a
circle too, since it is known only to some accuracy.

**Terms.** `sites`: one or more, each with a `reference`, a `position` (`lat`, `lon`, degrees of WGS
84) and a `radius_m` (metres, 100,000 at most). A large site may be given as several circles with
the same reference.

**Broken** when the position is surely outside every site, that is when the distance less the
accuracy is above the radius (`outside_sites`); or when a site is stated that is not named
(`site_not_permitted`). A position surely inside one site is kept, exactly on its border too.

**Not assessable** when the circle of the position crosses the border of a site and lies inside none
(`accuracy_crosses_border`).

**Source.** Authorized facilities of validated end users (15 CFR 748.15); site visits of Blue
Lantern end-use checks. Distances are great circles (haversine) on a sphere of 6,371,008.8 m, the
mean radius of the earth (IUGG), which is within 0.6 % of the ellipsoid.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

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
from monitors._facts import Code, Position, PositionFact, SiteFact, named

EARTH_M = 6_371_008.8
METRES_PER_DEGREE = radians(EARTH_M)
SLACK_M = 0.001
"""Rounding of the quick estimate; nearer than that to a border the exact distance decides."""


class Place(BaseModel):
    """A point on the map."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    """Degrees north, WGS 84."""
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    """Degrees east, WGS 84."""


class Site(BaseModel):
    """A circle on the map where units may stand."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    reference: Code
    """Reference of the site, as it stands on the license."""
    position: Place
    """Its middle."""
    radius_m: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]
    """Metres from the middle to the border."""


class Circle(NamedTuple):
    """A site as numbers; `east_m` is the length of a degree of longitude at its latitude."""

    lat: float
    lon: float
    radius_m: float
    east_m: float
    reference: str


class Terms(TermsModel):
    """Where the units may stand."""

    sites: Annotated[tuple[Site, ...], Field(min_length=1, max_length=1000)]
    """The sites."""

    @cached_property
    def circles(self) -> tuple[Circle, ...]:
        """The sites made ready for quick comparison; made once, since they do not change."""
        return tuple(
            Circle(
                site.position.lat,
                site.position.lon,
                site.radius_m,
                METRES_PER_DEGREE * cos(radians(site.position.lat)),
                site.reference,
            )
            for site in self.sites
        )

    @cached_property
    def references(self) -> frozenset[str]:
        """The references of the sites."""
        return frozenset(site.reference for site in self.sites)


class Facts(FactsModel):
    """What it reads."""

    position: PositionFact = None
    site: SiteFact = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at the site stated, then at where the position lies."""
    references, circles = terms.references, terms.circles
    for statement in heard:
        facts = statement.facts
        site, position = facts.site, facts.position
        if site is not None and site not in references:
            yield _elsewhere(terms, statement, site)
        if position is not None and not _plainly_inside(circles, position):
            yield from _measured(terms, statement, position)


def _plainly_inside(circles: tuple[Circle, ...], position: Position) -> bool:
    """Estimate quickly: along the meridian, then along the parallel, is never the shorter way."""
    lat, lon, taken = position.lat, position.lon, position.accuracy_m + SLACK_M
    for at_lat, at_lon, radius, east, _ in circles:
        if abs(lat - at_lat) * METRES_PER_DEGREE + abs(lon - at_lon) * east + taken <= radius:
            return True
    return False


def _measured(terms: Terms, statement: Statement[Facts], position: Position) -> Iterator[Finding]:
    """Take the exact distances: inside some site, surely outside all, or neither."""
    accuracy = position.accuracy_m
    away = [(distance_m(position, circle) - circle.radius_m, circle) for circle in terms.circles]
    beyond, nearest = min(away)
    if beyond + accuracy <= 0:
        return
    observed = (
        f"at {position.lat:.5f}, {position.lon:.5f}, known to {accuracy:,.0f} m; nearest is "
        f"{nearest.reference}, {distance_m(position, nearest):,.0f} m away"
    )
    if beyond - accuracy > 0:
        yield broken(
            statement,
            reason="outside_sites",
            expected=_expected(terms),
            observed=observed,
            clears="a position at a named site, or an amendment that names the site",
        )
    else:
        yield not_assessable(
            statement,
            reason="accuracy_crosses_border",
            expected=_expected(terms),
            observed=observed,
            missing=("position",),
            clears="a more exact position, or a check on site",
        )


def distance_m(position: Position, circle: Circle) -> float:
    """Give the great-circle distance to the middle of a site, in metres (haversine)."""
    north, other = radians(position.lat), radians(circle.lat)
    half_lat = sin((other - north) / 2)
    half_lon = sin(radians(circle.lon - position.lon) / 2)
    share = half_lat * half_lat + cos(north) * cos(other) * half_lon * half_lon
    return 2 * EARTH_M * asin(sqrt(min(1.0, share)))


def _elsewhere(terms: Terms, statement: Statement[Facts], site: str) -> Finding:
    return broken(
        statement,
        reason="site_not_permitted",
        expected=_expected(terms),
        observed=f"stated to be at {site}",
        clears="a report that the unit is back, or an amendment that names the site",
    )


def _expected(terms: Terms) -> str:
    return f"at {named(terms.references)}"


MONITOR = Monitor(
    title="Permitted sites",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Find the unit by its serial number where it stands, write down the address and the "
        "position your own device shows there, and photograph the serial plate in its place."
    ),
    what_to_see="The unit, with its own serial number, installed at a site the license names.",
)
