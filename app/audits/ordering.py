"""Ordering plans of visits, and reading them.

What a plan hangs on is frozen and bound with the seed when it is ordered, before anything is chosen:
nobody can try seeds until the draw suits them.
"""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, undefer

from app import journal
from app.access.rules import Actor
from app.audits import places, sampling, scoring
from app.audits.planning_schemas import (
    Inputs,
    MandatoryIn,
    PlaceGiven,
    PlaceIn,
    PlanIn,
    PlanOut,
    PlanState,
    VisitOut,
)
from app.audits.plans import AuditPlan, AuditVisit
from app.errors import Invalid, Unknown
from app.wire import page_after

SOLVED = "solved"


class PlanUnknown(Unknown):
    """There is no such plan."""


class PlaceUnknown(Invalid):
    """A place that must be visited is not among the places of the plan."""


class NoPlaces(Invalid):
    """No license in force names a site; give the places to plan for."""


def order(
    session: Session,
    plan: PlanIn,
    *,
    actor: Actor,
    now: datetime,
    chance: Callable[[int], bytes] = os.urandom,
) -> PlanOut:
    """Freeze what a plan is made of, and leave it to be solved."""
    known = plan.places
    if known is None:
        known = places.of_licenses_in_force(session, now=now)
    if not known:
        raise NoPlaces("There is no site to plan for.", pointer="/places")
    inputs = _inputs(plan, known)
    frozen = inputs.model_dump(mode="json", by_alias=True)
    row = _row(frozen, chance(sampling.SEED_BYTES), inputs, actor, now)
    return _file(session, row, actor=actor, now=now)


def repeat(session: Session, id: UUID, *, actor: Actor, now: datetime) -> PlanOut:
    """Order the same plan again, of the same inputs and the same seed; it must come out the same."""
    known = one(session, id, whole=True)
    row = _row(known.inputs, known.seed, Inputs.model_validate(known.inputs), actor, now)
    row.repeats = known.id
    return _file(session, row, actor=actor, now=now)


def _inputs(plan: PlanIn, known: list[PlaceIn]) -> Inputs:
    """Put together what the solver is given."""
    must = {one.place: one for one in plan.mandatory}
    references = {place.reference for place in known}
    for number, one in enumerate(plan.mandatory):
        if one.place not in references:
            raise PlaceUnknown(
                f"{one.place} is not among the {len(references):,} places of this plan.",
                pointer=f"/mandatory/{number}/place",
            )
    return Inputs(
        period=plan.period,
        inspectors=plan.inspectors,
        places=[_given(place, must.get(place.reference), plan) for place in known],
        travel=plan.travel,
        weights=plan.weights,
        random_percent=plan.random_percent,
        gap_percent=plan.gap_percent,
    )


def _given(place: PlaceIn, must: MandatoryIn | None, plan: PlanIn) -> PlaceGiven:
    """Give a place its points, and its deadline if it must be visited."""
    due_by, ground = (must.by, must.ground) if must else (None, None)
    if due_by is None and scoring.must_be_visited(place.known, plan.weights):
        due_by = plan.period.first + timedelta(days=plan.weights.mandatory_within_days)
        ground = f"something is overdue there for {place.known.overdue_days} days"
    return PlaceGiven(
        reference=place.reference,
        country=place.country,
        position=place.position,
        languages=place.languages,
        known=place.known,
        parts=scoring.points(place.known, plan.weights),
        due_by=due_by,
        ground=ground,
    )


def digest_of(inputs: dict[str, Any]) -> bytes:
    """Hash inputs: SHA-256 of their JSON with sorted keys, without spaces, in UTF-8."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def commitment(id: UUID, seed: bytes, digest: bytes) -> bytes:
    """Bind seed and inputs: SHA-256 of four lines, each followed by one line feed."""
    lines = ("endwatch plan 1", str(id), seed.hex(), digest.hex())
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("ascii")).digest()


def _row(
    frozen: dict[str, Any], seed: bytes, inputs: Inputs, actor: Actor, now: datetime
) -> AuditPlan:
    id, digest = uuid4(), digest_of(frozen)
    return AuditPlan(
        id=id,
        state="planned",
        period_from=inputs.period.first,
        period_to=inputs.period.last,
        inspectors=len(inputs.inspectors),
        places=len(inputs.places),
        inputs=frozen,
        inputs_digest=digest,
        seed=seed,
        commitment=commitment(id, seed, digest),
        ordered_by=actor.name,
        ordered_at=now,
        attempts=0,
    )


def _file(session: Session, row: AuditPlan, *, actor: Actor, now: datetime) -> PlanOut:
    session.add(row)
    session.flush()
    journal.append(
        session,
        actor=actor.name,
        action="plan.ordered",
        subject=f"audit-plan:{row.id}",
        body={
            "period_from": row.period_from.isoformat(),
            "period_to": row.period_to.isoformat(),
            "inspectors": row.inspectors,
            "places": row.places,
            "inputs_digest": row.inputs_digest.hex(),
            "commitment": row.commitment.hex(),
            "repeats": str(row.repeats) if row.repeats else None,
        },
        now=now,
    )
    return show(row)


def one(session: Session, id: UUID, *, whole: bool = False) -> AuditPlan:
    """Find a plan."""
    query = select(AuditPlan).where(AuditPlan.id == id)
    row = session.scalar(query.options(undefer(AuditPlan.inputs)) if whole else query)
    if row is None:
        raise PlanUnknown(f"There is no plan {id}.")
    return row


def inputs_of(session: Session, id: UUID) -> dict[str, Any]:
    """Tell all a plan is made of, and its seed once it is solved."""
    row = one(session, id, whole=True)
    return {"inputs": row.inputs, "seed": row.seed.hex() if row.state == SOLVED else None}


def listed(session: Session, *, after: str | None, limit: int) -> list[AuditPlan]:
    """List plans, newest first; one more than `limit` tells that there is a further page."""
    query = (
        select(AuditPlan)
        .order_by(AuditPlan.ordered_at.desc(), AuditPlan.id.desc())
        .limit(limit + 1)
    )
    keys = page_after(after, datetime, UUID)
    if keys is not None:
        query = query.where(tuple_(AuditPlan.ordered_at, AuditPlan.id) < tuple_(*keys))
    return list(session.scalars(query))


def explained(
    session: Session,
    id: UUID,
    *,
    place: str | None,
    visited: bool | None,
    mandatory: bool | None,
    after: str | None,
    limit: int,
) -> list[AuditVisit]:
    """List the places a plan considered, by reference; one more than `limit`."""
    one(session, id)
    query = (
        select(AuditVisit)
        .where(AuditVisit.plan_id == id)
        .order_by(AuditVisit.place)
        .limit(limit + 1)
    )
    if place is not None:
        query = query.where(AuditVisit.place == place)
    if visited is not None:
        query = query.where(AuditVisit.inspector.is_not(None) == visited)
    if mandatory is not None:
        query = query.where(AuditVisit.due_by.is_not(None) == mandatory)
    keys = page_after(after, str)
    if keys is not None:
        query = query.where(AuditVisit.place > keys[0])
    return list(session.scalars(query))


def show(row: AuditPlan) -> PlanOut:
    """Show a plan; its seed only when it is solved."""
    state: PlanState = row.state  # type: ignore[assignment]  # the table's check says so
    hidden = {"state", "seed", "inputs_digest", "commitment"}
    columns = {name: getattr(row, name) for name in PlanOut.model_fields if name not in hidden}
    return PlanOut(
        **columns,
        state=state,
        inputs_digest=row.inputs_digest.hex(),
        commitment=row.commitment.hex(),
        seed=row.seed.hex() if row.state == SOLVED else None,
    )


def show_visit(row: AuditVisit) -> VisitOut:
    """Show a place of a plan."""
    return VisitOut.model_validate(row)
