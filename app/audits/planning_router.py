"""Plans of visits over HTTP: ordered, solved by a job, read and explained."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import may
from app.access.rules import Actor, Role
from app.audits import ordering
from app.audits.planning_schemas import Inputs, PlanIn, PlanOut, VisitOut
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.wire import Limit, Page, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/audit-plans", tags=["audits"])

Dispatcher = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.SUPERVISOR)]
Insider = Annotated[
    Actor, may(Role.LICENSING_OFFICER, Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR)
]
After = Annotated[str | None, Query(description="The `next` of the page before")]


class InputsOut(BaseModel):
    """All a plan is made of; the seed once it is solved. `app.audits.solving` takes it as it is."""

    inputs: Inputs
    seed: str | None


@router.post(
    "",
    response_model=PlanOut,
    status_code=202,
    responses=problems(KeyUsedForOther, ordering.PlaceUnknown, ordering.NoPlaces),
)
def order(
    plan: PlanIn, dispatcher: Dispatcher, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Order a plan of visits. What it is made of is frozen now; a job solves it."""
    return once(
        lambda: ordering.order(session, plan, actor=dispatcher, now=now),
        session=session,
        actor=dispatcher,
        now=now,
        status=202,
    )


@router.post(
    "/{id}/repeat",
    response_model=PlanOut,
    status_code=202,
    responses=problems(ordering.PlanUnknown, KeyUsedForOther),
)
def repeat(
    id: UUID, dispatcher: Dispatcher, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Have a plan solved again from the same inputs and seed, to see that it comes out the same."""
    return once(
        lambda: ordering.repeat(session, id, actor=dispatcher, now=now),
        session=session,
        actor=dispatcher,
        now=now,
        status=202,
    )


@router.get("", responses=problems(Invalid))
def browse(
    insider: Insider,  # noqa: ARG001 the role is all that matters
    session: SessionDep,
    after: After = None,
    limit: Limit = 100,
) -> Page[PlanOut]:
    """List plans, newest first."""
    rows = ordering.listed(session, after=after, limit=limit)
    return page_of(
        rows, limit, ordering.show, lambda row: (row.ordered_at.isoformat(), str(row.id))
    )


@router.get("/{id}", responses=problems(ordering.PlanUnknown))
def read(id: UUID, insider: Insider, session: SessionDep) -> PlanOut:  # noqa: ARG001
    """Read a plan: its state, and when it is solved its figures, its bound and its seed."""
    return ordering.show(ordering.one(session, id))


@router.get("/{id}/inputs", responses=problems(ordering.PlanUnknown))
def inputs(id: UUID, insider: Insider, session: SessionDep) -> InputsOut:  # noqa: ARG001
    """Read all a plan is made of: inspectors, places with what was known of each, weights, travel."""
    told: dict[str, Any] = ordering.inputs_of(session, id)
    return InputsOut.model_validate(told)


@router.get("/{id}/explain", responses=problems(ordering.PlanUnknown, Invalid))
def explain(
    id: UUID,
    insider: Insider,  # noqa: ARG001
    session: SessionDep,
    place: Annotated[str | None, Query(description="Only this place")] = None,
    visited: Annotated[bool | None, Query(description="Only places visited, or not")] = None,
    mandatory: Annotated[bool | None, Query(description="Only what must be, or not")] = None,
    after: After = None,
    limit: Limit = 100,
) -> Page[VisitOut]:
    """Say of every place why the plan visits it or not, and who goes when.

    With `mandatory=true&visited=false` it lists the visits that must be made and cannot, and why.
    """
    rows = ordering.explained(
        session,
        id,
        place=place,
        visited=visited,
        mandatory=mandatory,
        after=after,
        limit=limit,
    )
    return page_of(rows, limit, ordering.show_visit, lambda row: (row.place,))
