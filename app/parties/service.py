"""Keeping parties and sites, each once."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.parties.models import Party, Site
from app.parties.schemas import PartyIn, SiteIn


class PartyDiffers(Conflict):
    """A party with this reference is on file with another name or country."""


class SiteDiffers(Conflict):
    """A site with this reference is on file with another name, country or position."""


def keep_parties(
    session: Session, parties: Iterable[PartyIn], *, now: datetime
) -> dict[str, Party]:
    """Find or file parties by reference; the same reference must mean the same organization."""
    wanted = {party.reference: {"name": party.name, "country": party.country} for party in parties}
    return _keep(session, Party, PartyDiffers, wanted, now)


def keep_sites(session: Session, sites: Iterable[SiteIn], *, now: datetime) -> dict[str, Site]:
    """Find or file sites by reference; the same reference must mean the same place."""
    wanted = {
        site.reference: {
            "name": site.name,
            "country": site.country,
            "lat": site.position.lat if site.position else None,
            "lon": site.position.lon if site.position else None,
        }
        for site in sites
    }
    return _keep(session, Site, SiteDiffers, wanted, now)


def _keep(
    session: Session,
    model: Any,
    differs: type[Conflict],
    wanted: dict[str, dict[str, Any]],
    now: datetime,
) -> dict[str, Any]:
    """Insert what is new, in one order so that two writers cannot wait for each other."""
    if not wanted:
        return {}
    rows = [{"reference": key, "created_at": now} | wanted[key] for key in sorted(wanted)]
    session.execute(insert(model).values(rows).on_conflict_do_nothing())
    found = {
        row.reference: row
        for row in session.scalars(select(model).where(model.reference.in_(wanted)))
    }
    for reference, values in wanted.items():
        filed = {name: getattr(found[reference], name) for name in values}
        if filed != values:
            raise differs(
                f"{reference} is on file as {_show(filed)}; this says {_show(values)}. "
                "Use another reference, or what is on file.",
                reference=reference,
                on_file=filed,
            )
    return found


def _show(values: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in values.values() if value is not None)
