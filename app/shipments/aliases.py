"""What parties and sites are called in EPCIS events, and whom and where a name there means."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.errors import Conflict, Invalid
from app.licenses.models import License, LicenseParty, LicenseSite
from app.parties.models import Party, Site
from app.shipments import epcis
from app.shipments.models import Alias
from app.shipments.schemas import CustodyIn
from app.wire import page_after

NEAR_M = 500.0
"""A read point this near to the position of a site of the license is at it; policy."""
EARTH_M = 6_371_008.8
"""Mean radius of the earth (IUGG)."""


class AliasTaken(Conflict):
    """This name already means another party or site."""


class AliasOfNobody(Invalid):
    """There is no party or site of this reference."""


class Names(NamedTuple):
    """What can be meant on one license: parties and sites, by every name they are known under."""

    parties: Mapping[str, str]
    sites: Mapping[str, str]
    positions: Mapping[str, tuple[float, float]]


def file(
    session: Session, identifier: str, kind: str, reference: str, *, actor: Actor, now: datetime
) -> Alias:
    """Say which party or site a name means; the same again changes nothing."""
    name = epcis.canonical(identifier)
    model = Party if kind == "party" else Site
    if session.scalar(select(model.id).where(model.reference == reference)) is None:
        raise AliasOfNobody(
            f"There is no {kind} {reference!r}. It becomes known with a license that names it.",
            pointer=f"/{kind}",
        )
    row = session.get(Alias, (name, kind))
    if row is not None and row.reference != reference:
        raise AliasTaken(
            f"{name} means {kind} {row.reference}. Use another name, or that {kind}.",
            pointer="/identifier",
        )
    if row is None:
        row = Alias(
            identifier=name,
            kind=kind,
            reference=reference,
            filed_by=actor.name,
            created_at=now,
        )
        session.add(row)
        body = {"identifier": name, kind: reference}
        journal.append(
            session,
            actor=actor.name,
            action="alias.filed",
            subject=f"{kind}:{reference}",
            body=body,
            now=now,
        )
        session.flush()
    return row


def listed(session: Session, *, after: str | None, limit: int) -> list[Alias]:
    """List aliases by name; one more than `limit` tells that there is a further page."""
    query = select(Alias).order_by(Alias.identifier, Alias.kind).limit(limit + 1)
    keys = page_after(after, str, str)
    if keys is not None:
        query = query.where(
            (Alias.identifier > keys[0]) | ((Alias.identifier == keys[0]) & (Alias.kind > keys[1]))
        )
    return list(session.scalars(query))


def names_on(session: Session, license: License, spoken: Iterable[str]) -> Names:
    """Collect what the names spoken of can mean on a license."""
    aliases = session.scalars(
        select(Alias).where(Alias.identifier.in_({epcis.canonical(one) for one in spoken}))
    ).all()
    parties = session.scalars(
        select(Party.reference)
        .join(LicenseParty, LicenseParty.party_id == Party.id)
        .where(LicenseParty.license_id == license.id)
    ).all()
    sites = session.scalars(
        select(Site)
        .join(LicenseSite, LicenseSite.site_id == Site.id)
        .where(LicenseSite.license_id == license.id)
        .order_by(Site.reference)
    ).all()
    return Names(
        {epcis.canonical(one): one for one in parties}
        | {one.identifier: one.reference for one in aliases if one.kind == "party"},
        {epcis.canonical(one.reference): one.reference for one in sites}
        | {one.identifier: one.reference for one in aliases if one.kind == "site"},
        {
            one.reference: (one.lat, one.lon)
            for one in sites
            if one.lat is not None and one.lon is not None
        },
    )


def party(names: Names, name: str | None) -> str | None:
    """Say which party is meant. One that nobody knows stays as it came, so that it is seen."""
    if name is None:
        return None
    known = epcis.own_reference(name, "party") or names.parties.get(epcis.canonical(name))
    return epcis.as_code(known or name)


def site(names: Names, name: str | None, *, resting: bool) -> str | None:
    """Say which site is meant. One that nobody knows stays as it came if the units stay there."""
    if name is None:
        return None
    known = epcis.own_reference(name, "site") or names.sites.get(epcis.canonical(name))
    position = epcis.position_of(name)
    if known is None and position is not None:
        known = _nearest(names.positions, position)
    if known is None and not resting:
        return None
    return epcis.as_code(known or name)


def _nearest(
    positions: Mapping[str, tuple[float, float]], position: tuple[float, float]
) -> str | None:
    """Find the site whose position is nearest, if that is near."""
    away = {reference: _distance_m(where, position) for reference, where in positions.items()}
    nearest = min(away, key=lambda reference: (away[reference], reference), default=None)
    return nearest if nearest is not None and away[nearest] <= NEAR_M else None


def _distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Measure along the great circle (haversine), in metres."""
    (lat, lon), (to_lat, to_lon) = map(radians, one), map(radians, other)
    half = sin((to_lat - lat) / 2) ** 2
    half += cos(lat) * cos(to_lat) * sin((to_lon - lon) / 2) ** 2
    return 2 * EARTH_M * asin(sqrt(min(1.0, half)))


def custody_of(event: epcis.Event, serials: list[str], names: Names) -> CustodyIn | None:
    """Say in words of ours what an event tells of units; None when nothing is left of it."""
    told = {
        "disposition": event.disposition,
        "from_party": party(names, event.from_party),
        "to_party": party(names, event.to_party),
        "site": site(names, event.place, resting=event.resting),
    }
    if all(word is None for word in told.values()):
        return None
    return CustodyIn.model_validate(
        {"reference": epcis.reference_of(event.id), "at": event.at, "serials": serials} | told
    )
