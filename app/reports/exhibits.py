"""The files a report names: handed in, and where a photo contradicts what the report says."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.rules import Actor
from app.evidence import naming
from app.evidence import rules as evidence
from app.evidence.models import File
from app.evidence.rules import Place
from app.evidence.schemas import NamedEvidence
from app.licenses.models import License, LicenseSite
from app.parties.models import Site
from app.shipments.models import Unit

Body = Mapping[str, Any]
"""A report as it is stored, in JSON."""


def check(session: Session, body: Body, *, actor: Actor) -> list[NamedEvidence]:
    """Find the files a report names, before it is taken. Raises EvidenceNotHandedIn."""
    digests = body.get("evidence") or []
    named = {f"/evidence/{index}": digest for index, digest in enumerate(digests)}
    return _shown(session, body, naming.check(session, named, actor=actor))


def of(session: Session, body: Body, *, actor: Actor) -> list[NamedEvidence]:
    """Show the files a report names as they stand now: examined since, or rejected.

    An exporter is shown those he handed in himself: an inspector's photos are not his.
    """
    digests = body.get("evidence") or []
    files = naming.files_of(session, digests, actor=actor)
    shown = _shown(session, body, files)
    return shown if actor.reads_only is None else [one for one in shown if one.digest in files]


def _shown(session: Session, body: Body, files: Mapping[str, File]) -> list[NamedEvidence]:
    """Compare each photo with the times and places the report speaks of."""
    digests = list(dict.fromkeys(body.get("evidence") or []))
    if not any(file.camera for file in files.values()):
        return [naming.shown(digest, files.get(digest), []) for digest in digests]
    places, moments = _places(session, body), _moments(body)
    return [
        naming.shown(
            digest,
            files.get(digest),
            evidence.differs(file.camera, moments, places) if (file := files.get(digest)) else [],
        )
        for digest in digests
    ]


def _moments(body: Body) -> list[datetime]:
    """List when what the report says was true."""
    said = [one["observed_at"] for one in body["statements"] if one.get("observed_at")]
    return [datetime.fromisoformat(moment) for moment in [body["observed_at"], *said]]


def _places(session: Session, body: Body) -> list[Place]:
    """List where the report speaks of: positions it states, sites it names, sites of its units."""
    stated = [
        Place(f"the position stated in statement {number}", fact["lat"], fact["lon"])
        for number, one in enumerate(body["statements"])
        if (fact := one["facts"].get("position"))
    ]
    sites = session.scalars(
        select(Site)
        .join(LicenseSite, LicenseSite.site_id == Site.id)
        .join(License, License.id == LicenseSite.license_id)
        .where(License.number == body["license"], Site.reference.in_(_sites(session, body)))
    )
    known = [
        Place(site.reference, site.lat, site.lon)
        for site in sites
        if site.lat is not None and site.lon is not None
    ]
    return stated + known


def _sites(session: Session, body: Body) -> set[str]:
    named = set(_named(body))
    serials = [one["subject"]["serial"] for one in body["statements"] if "serial" in one["subject"]]
    if not named and serials:
        units = session.scalars(
            select(Unit.site)
            .join(License, License.id == Unit.license_id)
            .where(License.number == body["license"], Unit.serial.in_(serials))
        )
        named = {site for site in units if site is not None}
    return named


def _named(body: Body) -> Iterator[str]:
    for one in body["statements"]:
        if "site" in one["subject"]:
            yield one["subject"]["site"]
        if isinstance(one["facts"].get("site"), str):
            yield one["facts"]["site"]
