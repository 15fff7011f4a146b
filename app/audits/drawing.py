"""Committing a draw of units for a check, and revealing it.

The seed is chosen when the list is frozen. It is kept in a table that no route reads until somebody
reveals it; by then the commitment has its place in the journal, and nobody can choose another seed,
list or size.
"""

import os
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app import journal
from app.access.rules import Actor
from app.audits import sampling, service, steps
from app.audits.draws import Draw, DrawSeed
from app.audits.models import Audit
from app.audits.rules import State
from app.audits.sampling_schemas import SampleIn, SampleOut
from app.errors import Conflict, Unknown
from app.licenses.models import License, LicenseSite
from app.parties.models import Site
from app.shipments.models import Custody, Unit
from monitors.serial_inventory import GONE

OVER = frozenset({State.REPORTED, State.UNDER_REVIEW, State.CLOSED})


class SampleUnknown(Unknown):
    """No sample is committed for this check."""


class SampleCommitted(Conflict):
    """A sample is committed for this check; it is drawn once."""


class CheckOver(Conflict):
    """What was seen is reported already; a sample would come after the fact."""


class NothingToSight(Conflict):
    """No unit is known to be where the check looks."""


def commit(
    session: Session,
    id: UUID,
    sample: SampleIn,
    *,
    actor: Actor,
    now: datetime,
    chance: Callable[[int], bytes] = os.urandom,
) -> SampleOut:
    """Freeze the list of units, choose a seed, and bind both."""
    held = steps.hold(session, id)
    _check(session, held.audit)
    site = None if sample.whole_license else held.audit.site
    serials = sampling.listed(expected(session, held.license, site))
    if not serials:
        place = f"at {site}" if site else f"of {held.license.number}"
        raise NothingToSight(f"No unit {place} is on file that should still be there.")
    probability = sampling.chance(sample.probability)
    size = sampling.size(len(serials), sample.missing, probability)
    seed, digest = chance(sampling.SEED_BYTES), sampling.list_digest(serials)
    draw = Draw(
        audit_id=id,
        site=site,
        units=len(serials),
        missing=sample.missing,
        probability=sampling.fraction(probability),
        size=size,
        serials=serials,
        list_digest=digest,
        commitment=sampling.commitment(
            str(id),
            seed,
            digest,
            units=len(serials),
            missing=sample.missing,
            probability=probability,
            size=size,
        ),
        committed_by=actor.name,
        committed_at=now,
    )
    session.add(draw)
    session.flush()
    session.add(DrawSeed(draw_id=draw.id, seed=seed))
    _tell(session, "sample.committed", draw, held.audit, held.license, actor=actor, now=now)
    return _shown(draw)


def _check(session: Session, audit: Audit) -> None:
    """Refuse a second draw, and one that comes too late."""
    if session.scalar(select(Draw.id).where(Draw.audit_id == audit.id)) is not None:
        raise SampleCommitted(
            f"{audit.number} has its sample. Were there a second one, somebody could choose between them."
        )
    if audit.state in OVER:
        raise CheckOver(f"{audit.number} is {audit.state}.")


def expected(session: Session, license: License, site: str | None) -> list[str]:
    """List the units that should be at a site, or anywhere under the license, by all that was told.

    A unit is where its papers say, or at the license's only site, until custody says that it moved to
    another site of the license; it is nowhere once it was lost, destroyed or given away.
    """
    sites = set(
        session.scalars(
            select(Site.reference)
            .join(LicenseSite, LicenseSite.site_id == Site.id)
            .where(LicenseSite.license_id == license.id)
        )
    )
    only = next(iter(sites)) if len(sites) == 1 else None
    rows = session.execute(select(Unit.serial, Unit.site).where(Unit.license_id == license.id))
    places = {serial: place or only for serial, place in rows}
    became: dict[str, str] = {}
    moves = session.execute(
        select(Custody.serial, Custody.site, Custody.disposition)
        .where(Custody.license_id == license.id, Custody.corrected_at.is_(None))
        .order_by(Custody.at, Custody.statement)
    )
    for serial, place, disposition in moves:
        if place in sites:
            places[serial] = place
        if disposition is not None:
            became[serial] = disposition
    return [
        serial
        for serial, place in places.items()
        if became.get(serial) not in GONE and (site is None or place == site)
    ]


def reveal(session: Session, id: UUID, *, actor: Actor, now: datetime) -> SampleOut:
    """Tell the seed and the units drawn. A second time it tells the same, and records nothing."""
    held = steps.hold(session, id)
    draw = _draw(session, held.audit)
    if draw.revealed_at is not None:
        return _shown(draw)
    secret = session.get_one(DrawSeed, draw.id)
    draw.seed = secret.seed
    draw.drawn = sampling.draw(secret.seed, draw.serials, draw.size)
    draw.revealed_by, draw.revealed_at = actor.name, now
    session.delete(secret)
    session.flush()
    _tell(session, "sample.revealed", draw, held.audit, held.license, actor=actor, now=now)
    return _shown(draw)


def read(session: Session, id: UUID, *, party: str | None) -> SampleOut:
    """Show the draw of a check: its commitment, and all of it once it is revealed."""
    audit, _ = service.seen(session, id, party=party)
    return _shown(_draw(session, audit))


def _draw(session: Session, audit: Audit) -> Draw:
    query = select(Draw).where(Draw.audit_id == audit.id).options(undefer(Draw.serials))
    draw = session.scalar(query)
    if draw is None:
        raise SampleUnknown(f"No sample is committed for {audit.number}.")
    return draw


def _shown(draw: Draw) -> SampleOut:
    told = SampleOut(
        audit=draw.audit_id,
        site=draw.site,
        units=draw.units,
        missing=draw.missing,
        probability=draw.probability,
        size=draw.size,
        commitment=draw.commitment.hex(),
        committed_at=draw.committed_at,
    )
    if draw.seed is not None:
        told.revealed_at, told.seed = draw.revealed_at, draw.seed.hex()
        told.list_digest, told.serials = draw.list_digest.hex(), draw.serials
        told.drawn = draw.drawn
    return told


def _tell(
    session: Session,
    action: str,
    draw: Draw,
    audit: Audit,
    license: License,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Write to the journal; the party reads it there once it knows of the check."""
    body = _shown(draw).model_dump(mode="json", exclude={"serials"}, exclude_none=True)
    journal.append(
        session,
        actor=actor.name,
        action=action,
        subject=f"audit:{audit.number}",
        party=license.exporter if audit.revealed_at is not None else None,
        body=body | {"license": license.number},
        now=now,
    )
