"""Rating and closing end-use checks, and what is recommended after them, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from app.access.once import OnceDep
from app.access.router import may
from app.access.rules import Actor, Role
from app.audits import closing, reporting, reviewing, rules
from app.audits.router import STEP
from app.audits.schemas import (
    ActionDoneIn,
    ActionIn,
    ActionWaiverIn,
    ClosingIn,
    OutcomeIn,
    StepOut,
)
from app.clock import Now
from app.database import SessionDep
from app.evidence.naming import EvidenceNotHandedIn
from app.shipments.filing import NotYetCome
from app.wire import problems

router = APIRouter(prefix="/v1/audits", tags=["audits"])

Rater = Annotated[Actor, may(Role.REVIEWER, Role.SUPERVISOR)]
Adviser = Annotated[Actor, may(Role.INSPECTOR, Role.REVIEWER, Role.SUPERVISOR)]
Doer = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.INSPECTOR, Role.REVIEWER, Role.SUPERVISOR)]


@router.post(
    "/{id}/outcome",
    response_model=StepOut,
    status_code=201,
    responses=problems(*STEP, closing.OutcomeUnfounded),
)
def rate(
    id: UUID,
    outcome: OutcomeIn,
    rater: Rater,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Say what the check came to. Given again it is another version, with author and ground."""
    return once(
        lambda: reviewing.rate(session, id, outcome, actor=rater, now=now),
        session=session,
        actor=rater,
        now=now,
    )


@router.post(
    "/{id}/closing",
    response_model=StepOut,
    status_code=201,
    responses=problems(
        *STEP,
        closing.ActionsOpen,
        closing.EvidenceUnrated,
        closing.NotWhole,
        closing.SecondPersonNeeded,
        reporting.DeliveryUnknown,
        EvidenceNotHandedIn,
    ),
)
def close(
    id: UUID,
    end: ClosingIn,
    rater: Rater,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Close a check that is whole, or waive as a second person what it lacks."""
    return once(
        lambda: reviewing.close(session, id, end, actor=rater, now=now),
        session=session,
        actor=rater,
        now=now,
    )


@router.post(
    "/{id}/actions",
    response_model=StepOut,
    status_code=201,
    responses=problems(*STEP, rules.NotAssignee, NotYetCome),
)
def recommend(
    id: UUID,
    action: ActionIn,
    adviser: Adviser,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Recommend an action. The check stays open until it is done or waived."""
    return once(
        lambda: reviewing.recommend(session, id, action, actor=adviser, now=now),
        session=session,
        actor=adviser,
        now=now,
    )


@router.post(
    "/{id}/actions/{number}/done",
    response_model=StepOut,
    status_code=201,
    responses=problems(*STEP, reviewing.ActionUnknown, reviewing.ActionEnded, NotYetCome),
)
def do(
    id: UUID,
    number: Annotated[int, Path(ge=1, le=100_000)],
    account: ActionDoneIn,
    doer: Doer,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Note that an action was done, and how."""
    return once(
        lambda: reviewing.do(session, id, number, account, actor=doer, now=now),
        session=session,
        actor=doer,
        now=now,
    )


@router.post(
    "/{id}/actions/{number}/waiver",
    response_model=StepOut,
    status_code=201,
    responses=problems(
        *STEP, reviewing.ActionUnknown, reviewing.ActionEnded, closing.SecondPersonNeeded
    ),
)
def waive(
    id: UUID,
    number: Annotated[int, Path(ge=1, le=100_000)],
    waiver: ActionWaiverIn,
    rater: Rater,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Waive an action, as another person than the one who recommended it."""
    return once(
        lambda: reviewing.waive(session, id, number, waiver, actor=rater, now=now),
        session=session,
        actor=rater,
        now=now,
    )
