"""Screenings over HTTP: for the authority alone."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Officer, may
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.screening import service
from app.screening.schemas import HitDecisionIn, HitDecisionOut, ScreeningIn, ScreeningOut
from app.shipments import filing
from app.wire import Limit, Page, problems

router = APIRouter(prefix="/v1/screenings", tags=["screenings"])

Decider = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.REVIEWER, Role.SUPERVISOR)]
screening_reader = may(
    Role.LICENSING_OFFICER, Role.INSPECTOR, Role.REVIEWER, Role.SUPERVISOR, Role.AUDITOR
)


@router.post(
    "",
    response_model=ScreeningOut,
    status_code=201,
    responses=problems(
        KeyUsedForOther,
        service.PartyUnknown,
        service.ListNotScreened,
        filing.NotYetCome,
        Invalid,
    ),
)
def record(
    screening: ScreeningIn, officer: Officer, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Record that a party was compared with published lists, and the hits there were."""
    return once(
        lambda: service.record(session, screening, actor=officer, now=now),
        session=session,
        actor=officer,
        now=now,
    )


@router.get("", responses=problems(Invalid), dependencies=[screening_reader])
def browse(
    session: SessionDep,
    party: Annotated[str | None, Query(description="Reference of the party")] = None,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[ScreeningOut]:
    """List screenings with their hits and the decisions that count, latest recorded first."""
    return service.listed(session, party=party, after=after, limit=limit)


@router.post(
    "/{id}/hits/{hit}/decisions",
    response_model=HitDecisionOut,
    status_code=201,
    responses=problems(
        service.HitUnknown,
        filing.SecondPersonNeeded,
        service.HitDecided,
        KeyUsedForOther,
        Invalid,
    ),
)
def decide(
    id: int,
    hit: int,
    decision: HitDecisionIn,
    decider: Decider,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Say whether a hit is the party, as somebody who did not screen it."""
    return once(
        lambda: service.decide(session, id, hit, decision, actor=decider, now=now),
        session=session,
        actor=decider,
        now=now,
    )
