"""Whether sites, destinations and permitted countries agree, by real borders. Pure; works offline."""

from collections.abc import Iterator, Sequence

from app.licenses.advice import Advice, Clause, of_kind
from app.licenses.schemas import LicenseIn
from monitors._borders import Standing, verdict


def of_license(license: LicenseIn) -> Iterator[Advice]:
    """Look at the sites of a license."""
    destinations = frozenset(license.destination_countries)
    for index, site in enumerate(license.sites):
        at = f"/sites/{index}"
        if site.country not in destinations:
            yield Advice(
                "warning",
                "site_outside_destinations",
                f"{at}/country",
                f"Site {site.reference} is in {site.country}, which is no destination of the "
                f"license ({_list(destinations)}).",
                "Add the country to the destinations, or correct the site.",
            )
        if site.position is None:
            continue
        found = verdict(site.position.lat, site.position.lon, 0.0, frozenset({site.country}))
        if found.standing is Standing.OUTSIDE:
            yield Advice(
                "error",
                "site_outside_its_country",
                f"{at}/position",
                f"Site {site.reference} is said to be in {site.country}, and its position lies "
                f"{_place(found.country)}.",
                "Check latitude and longitude: signs and order are the usual mistakes.",
            )


def of_conditions(license: LicenseIn, clauses: Sequence[Clause]) -> Iterator[Advice]:
    """Compare destinations, permitted countries and permitted sites with each other."""
    for limit in of_kind(clauses, "permitted_countries"):
        yield from _destinations(limit, license)
        permitted = frozenset(limit.term("countries"))
        for sites in of_kind(clauses, "permitted_sites"):
            if sites.meets(limit):
                yield from _circles(sites, permitted, f"the countries of {limit.pointer}")
                yield from _at_borders(sites, permitted, limit)
    destinations = frozenset(license.destination_countries)
    for sites in of_kind(clauses, "permitted_sites"):
        if destinations not in _compared(sites, clauses):
            yield from _circles(sites, destinations, "the destinations of the license")
        yield from _unknown(sites, license)


def _compared(sites: Clause, clauses: Sequence[Clause]) -> set[frozenset[str]]:
    """Give the countries the sites were compared with already, so that nothing is told twice."""
    limits = of_kind(clauses, "permitted_countries")
    return {frozenset(limit.term("countries")) for limit in limits if sites.meets(limit)}


def _destinations(limit: Clause, license: LicenseIn) -> Iterator[Advice]:
    permitted, meant = set(limit.term("countries")), set(license.destination_countries)
    if meant - permitted and not limit.condition.lines:
        yield limit.say(
            "error",
            "destination_not_permitted",
            "/terms/countries",
            f"{_list(meant - permitted)} is a destination of the license, and the {limit.name} do "
            "not name it: every unit there breaks the condition.",
            "Permit every destination, or take it off the license.",
        )
    if permitted - meant:
        yield limit.say(
            "note",
            "country_beyond_destinations",
            "/terms/countries",
            f"Units may be in {_list(permitted - meant)}, which is no destination of the license.",
            "Keep it if units travel there; otherwise permit the destinations only.",
        )


def _circles(sites: Clause, permitted: frozenset[str], what: str) -> Iterator[Advice]:
    """Judge each circle as a position that is known to within its radius."""
    for index, site in enumerate(sites.term("sites")):
        place = site.position
        found = verdict(place.lat, place.lon, site.radius_m, permitted)
        if found.standing is Standing.OUTSIDE:
            yield sites.say(
                "error",
                "site_outside_countries",
                f"/terms/sites/{index}/position",
                f"Permitted site {site.reference} lies {_place(found.country)}, outside {what} "
                f"({_list(permitted)}): a unit there breaks one of the two.",
                "Check latitude and longitude, or name the country.",
            )


def _at_borders(sites: Clause, permitted: frozenset[str], limit: Clause) -> Iterator[Advice]:
    """Find circles of which the map alone cannot say that they are inside."""
    for index, site in enumerate(sites.term("sites")):
        place = site.position
        found = verdict(place.lat, place.lon, site.radius_m, permitted)
        if found.standing is Standing.UNSURE:
            yield sites.say(
                "note",
                "site_at_border",
                f"/terms/sites/{index}/position",
                f"Permitted site {site.reference} touches a border of the countries of "
                f"{limit.pointer} ({_list(permitted)}), lies off a coast or in a contested place: "
                "positions there may not be assessable.",
                "Draw the circle smaller, or let units there state their country.",
            )


def _unknown(sites: Clause, license: LicenseIn) -> Iterator[Advice]:
    known = {site.reference for site in license.sites}
    strange = sorted({site.reference for site in sites.term("sites")} - known)
    if strange:
        yield sites.say(
            "warning",
            "site_unknown",
            "/terms/sites",
            f"The {sites.name} name {', '.join(strange)}, and the license has no such site: nothing "
            "can be reported about it, nor inspected there.",
            "Name the site on the license with the same reference.",
        )


def _place(country: str | None) -> str:
    return f"in {country}" if country else "at sea or in a contested place"


def _list(codes: Sequence[str] | frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(codes))
