"""End-use checks over HTTP."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Reader, may
from app.access.rules import Actor, Role
from app.audits import conduct, reporting, rules, service, steps, visits
from app.audits.rules import Mode, State
from app.audits.schemas import (
    AcceptanceIn,
    AssignmentIn,
    AuditIn,
    AuditOut,
    AuditSeen,
    AuditSeenWhole,
    AuditWhole,
    HandoverIn,
    NotificationIn,
    RefusalIn,
    ReportLinkIn,
    StartIn,
    StepOut,
    UnableIn,
)
from app.audits.show import keys, show, whole
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.evidence.naming import EvidenceNotHandedIn
from app.licenses.service import LicenseUnknown
from app.shipments.filing import NotYetCome
from app.wire import Limit, Page, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/audits", tags=["audits"])

Planner = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.INSPECTOR, Role.SUPERVISOR)]
Dispatcher = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.SUPERVISOR)]
Inspector = Annotated[Actor, may(Role.INSPECTOR)]
Doer = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.INSPECTOR, Role.REVIEWER, Role.SUPERVISOR)]

STEP = (steps.AuditUnknown, rules.StepOutOfTurn, steps.ReferenceTaken, KeyUsedForOther, Invalid)
LIMITS = (visits.OverrideNotYours, visits.NoticeTooShort, visits.TooManyVisits, visits.DayPast)


@router.post(
    "",
    response_model=AuditOut,
    status_code=201,
    responses=problems(
        LicenseUnknown,
        *LIMITS,
        KeyUsedForOther,
        service.SiteUnknown,
        service.PartyUnknown,
        Invalid,
    ),
)
def plan(
    audit: AuditIn, planner: Planner, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Plan a check, within the notice and the yearly limit that the license gives."""

    def do() -> BaseModel:
        row = service.plan(session, audit, actor=planner, now=now)
        return show(row, audit.license, party=None)

    return once(do, session=session, actor=planner, now=now)


@router.get("", responses=problems(Invalid))
def browse(
    reader: Reader,
    session: SessionDep,
    license: str | None = None,
    state: Annotated[list[State] | None, Query(description="May be given several times")] = None,
    mode: Mode | None = None,
    assignee: Annotated[str | None, Query(description="Id of an inspector's key")] = None,
    before: Annotated[date | None, Query(description="Only what is planned before")] = None,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[AuditOut | AuditSeen]:
    """List checks, newest first. An exporter finds its own, once they were announced."""
    party = reader.reads_only
    rows = service.listed(
        session,
        party=party,
        license=license,
        states=state or (),
        mode=mode,
        assignee=None if party else assignee,
        before=before,
        after=after,
        limit=limit,
    )
    return page_of(rows, limit, lambda pair: show(*pair, party=party), keys)


@router.get("/{id}", responses=problems(steps.AuditUnknown))
def read(id: UUID, reader: Reader, session: SessionDep) -> AuditWhole | AuditSeenWhole:
    """Read a check with all that happened to it; an exporter reads what it was told of."""
    audit, license = service.seen(session, id, party=reader.reads_only)
    return whole(session, audit, license, party=reader.reads_only)


@router.post(
    "/{id}/assignment",
    response_model=StepOut,
    status_code=201,
    responses=problems(*STEP, rules.AlreadyTheirs, conduct.InspectorUnknown),
)
def assign(
    id: UUID,
    assignment: AssignmentIn,
    dispatcher: Dispatcher,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Offer a check to an inspector; it is theirs once they accept."""
    return once(
        lambda: conduct.assign(session, id, assignment, actor=dispatcher, now=now),
        session=session,
        actor=dispatcher,
        now=now,
    )


@router.post(
    "/{id}/acceptance",
    response_model=StepOut,
    status_code=201,
    responses=problems(*STEP, rules.NotOffered, rules.AlreadyAccepted, NotYetCome),
)
def accept(
    id: UUID,
    acceptance: AcceptanceIn,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Take a check on. Of several inspectors the first has it."""
    return once(
        lambda: conduct.accept(session, id, acceptance, actor=inspector, now=now),
        session=session,
        actor=inspector,
        now=now,
    )


@router.post(
    "/{id}/handover",
    response_model=StepOut,
    status_code=201,
    responses=problems(
        *STEP, rules.NotAssignee, rules.AlreadyTheirs, conduct.InspectorUnknown, NotYetCome
    ),
)
def hand_over(
    id: UUID,
    handover: HandoverIn,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Offer a check to another inspector; until that one accepts, it stays where it is."""
    return once(
        lambda: conduct.hand_over(session, id, handover, actor=inspector, now=now),
        session=session,
        actor=inspector,
        now=now,
    )


@router.post(
    "/{id}/notification",
    response_model=StepOut,
    status_code=201,
    responses=problems(*STEP, rules.NotAssignee, *LIMITS, NotYetCome),
)
def notify(
    id: UUID,
    notification: NotificationIn,
    planner: Planner,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """File that the party was told of the check. From then on its exporter sees it."""
    return once(
        lambda: conduct.notify(session, id, notification, actor=planner, now=now),
        session=session,
        actor=planner,
        now=now,
    )


@router.post(
    "/{id}/start",
    response_model=StepOut,
    status_code=201,
    responses=problems(*STEP, rules.NotAssignee, visits.NotAnnounced, NotYetCome),
)
def start(
    id: UUID,
    beginning: StartIn,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """File that the check has begun."""
    return once(
        lambda: conduct.start(session, id, beginning, actor=inspector, now=now),
        session=session,
        actor=inspector,
        now=now,
    )


@router.post(
    "/{id}/report",
    response_model=StepOut,
    status_code=201,
    responses=problems(
        *STEP,
        rules.NotAssignee,
        reporting.ReportTaken,
        reporting.ReportUnfit,
        reporting.DeliveryUnknown,
        EvidenceNotHandedIn,
        NotYetCome,
    ),
)
def report(
    id: UUID,
    link: ReportLinkIn,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Link the inspection reports of the check, filed before, and what they cover."""
    return once(
        lambda: reporting.report(session, id, link, actor=inspector, now=now),
        session=session,
        actor=inspector,
        now=now,
    )


@router.post(
    "/{id}/refusal",
    response_model=StepOut,
    status_code=201,
    responses=problems(
        *STEP, rules.NotAssignee, visits.NotAnnounced, EvidenceNotHandedIn, NotYetCome
    ),
)
def refuse(
    id: UUID,
    refusal: RefusalIn,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """File that the party refused the check. The clock of 60 and 120 days starts."""
    return once(
        lambda: conduct.refuse(session, id, refusal, actor=inspector, now=now),
        session=session,
        actor=inspector,
        now=now,
    )


@router.post(
    "/{id}/unable",
    response_model=StepOut,
    status_code=201,
    responses=problems(*STEP, rules.NotAssignee, EvidenceNotHandedIn, NotYetCome),
)
def fail(
    id: UUID,
    inability: UnableIn,
    planner: Planner,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """File that the check could not be made, and with whom that lies."""
    return once(
        lambda: conduct.fail(session, id, inability, actor=planner, now=now),
        session=session,
        actor=planner,
        now=now,
    )
