"""Loads the checklist of a license: its conditions in force, its sites, its units."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments import dockets, statements
from app.assessments.rules import Docket, Ruling
from app.audits.questions import (
    Checklist,
    Ground,
    Part,
    SiteToVisit,
    UnitToSight,
    part_of,
    sealed,
)
from app.licenses import service as licenses
from app.licenses.models import Condition, License
from app.licenses.rules import in_force
from monitors import catalogue

__all__ = ["Checklist", "load", "of_license"]


def load(session: Session, number: str, *, party: str | None, now: datetime) -> Checklist:
    """Give the checklist of a license as of now, as far as a party may see the license."""
    return of_license(session, licenses.read(session, number, party=party), now=now)


def of_license(session: Session, license: License, *, now: datetime) -> Checklist:
    """Give the checklist of a license that the caller may see.

    Duties outlive a license, and so does its checklist: every condition in force is asked about,
    whatever the license's state.
    """
    docket = dockets.one(session, license)
    sites = tuple(
        SiteToVisit(one.site.reference, one.site.name, one.site.country) for one in license.sites
    )
    return sealed(
        Checklist(
            license=license.number,
            exporter=license.exporter,
            state=license.state,
            revision=license.revision,
            as_of=now,
            sites=sites,
            parts=parts_of(docket, _texts(session, license), sites, now=now),
            units=_units(session, license),
        )
    )


def _texts(session: Session, license: License) -> dict[int, str]:
    """Read what the conditions say, word for word, by id."""
    query = select(Condition.id, Condition.text).where(Condition.license_id == license.id)
    return {row.id: row.text for row in session.execute(query)}


def parts_of(
    docket: Docket, texts: dict[int, str], sites: Sequence[SiteToVisit], *, now: datetime
) -> tuple[Part, ...]:
    """Make a part of every written condition in force, in the order of the license.

    What stands on every license without being written on it asks nothing: it compares what is said.
    """
    current = [
        ruling for versions in docket.rulings.values() if (ruling := in_force(versions, now))
    ]
    ground = Ground(
        sites=tuple(site.reference for site in sites),
        parties=tuple(dict.fromkeys(party.reference for party in docket.parties)),
        countries=tuple(dict.fromkeys((*docket.countries, *(site.country for site in sites)))),
    )
    written = [
        (ruling.condition_id, ruling) for ruling in current if ruling.condition_id is not None
    ]
    return tuple(_part(ruling, texts[id], ground) for id, ruling in sorted(written, key=_first))


def _first(pair: tuple[int, Ruling]) -> int:
    return pair[0]


def _part(ruling: Ruling, text: str, ground: Ground) -> Part:
    words = catalogue().facts
    return part_of(
        ruling.monitor,
        key=ruling.key,
        version=ruling.version,
        text=text,
        terms=ruling.terms.model_dump(mode="json"),
        lines=ruling.lines,
        facts=[words[name] for name in ruling.facts],
        ground=ground,
    )


def _units(session: Session, license: License) -> tuple[UnitToSight, ...]:
    """List the units by site and serial number.

    What was said of them since is left out: the exporter reads this too, and a form must not become
    another with every report.
    """
    units = statements.units_of(session, [license.id]).get(license.id, {})
    rows = [
        UnitToSight(unit.serial, unit.line, unit.site, unit.shipped_on, unit.consignee)
        for unit in units.values()
    ]
    return tuple(sorted(rows, key=_place))


def _place(unit: UnitToSight) -> tuple[str, str]:
    return (unit.site or "", unit.serial)
