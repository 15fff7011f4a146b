"""What is owed, and waiving it, over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Reader, may
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.obligations import service, shows, waivers
from app.obligations.rules import State
from app.obligations.schemas import ObligationOut, ObligationWhole, WaiverIn, WaiverOut
from app.obligations.shows import Listed
from app.wire import Limit, Moment, Page, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/obligations", tags=["obligations"])

Waiving = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.SUPERVISOR)]


@router.get("", responses=problems(Invalid))
def browse(
    reader: Reader,
    session: SessionDep,
    state: Annotated[list[State] | None, Query(description="May be given several times")] = None,
    party: Annotated[str | None, Query(description="Reference of the exporter")] = None,
    license: str | None = None,
    before: Annotated[Moment | None, Query(description="Only what is due before")] = None,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[ObligationOut]:
    """List what is owed, soonest due first."""
    rows = service.listed(
        session,
        states=state or (),
        party=reader.reads_only or party,
        license=license,
        before=before,
        after=after,
        limit=limit,
    )
    return page_of(rows, limit, shows.show, _keys)


def _keys(listed: Listed) -> tuple[Any, ...]:
    return (listed.row.due_at.isoformat(), str(listed.row.id))


@router.get("/{id}", responses=problems(waivers.ObligationUnknown))
def read(id: UUID, reader: Reader, session: SessionDep) -> ObligationWhole:
    """Read what is owed, with the rungs of its ladder that were reached and its waivers."""
    return service.read(session, id, party=reader.reads_only)


@router.post(
    "/{id}/waiver",
    response_model=WaiverOut,
    status_code=201,
    responses=problems(
        waivers.ObligationUnknown,
        waivers.ObligationSettled,
        waivers.WaiverWaiting,
        waivers.ExpiryUnfit,
        KeyUsedForOther,
    ),
)
def waive(
    id: UUID, waiver: WaiverIn, person: Waiving, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Propose to ask nobody for it until a day; it waits for a second person."""
    return once(
        lambda: waivers.propose(session, id, waiver, actor=person, now=now),
        session=session,
        actor=person,
        now=now,
    )


@router.post(
    "/{id}/waiver/approval",
    response_model=WaiverOut,
    responses=problems(
        waivers.ObligationUnknown,
        waivers.ObligationSettled,
        waivers.NoWaiverWaiting,
        waivers.WaiverNeedsAnother,
        waivers.WaiverTooLate,
        KeyUsedForOther,
    ),
)
def approve(id: UUID, person: Waiving, session: SessionDep, now: Now, once: OnceDep) -> Response:
    """Approve the waiver that waits, as the second person."""
    return once(
        lambda: waivers.approve(session, id, actor=person, now=now),
        session=session,
        actor=person,
        now=now,
        status=200,
    )


@router.post(
    "/{id}/waiver/refusal",
    response_model=WaiverOut,
    responses=problems(waivers.ObligationUnknown, waivers.NoWaiverWaiting, KeyUsedForOther),
)
def refuse(id: UUID, person: Waiving, session: SessionDep, now: Now, once: OnceDep) -> Response:
    """Refuse the waiver that waits, or take back one's own."""
    return once(
        lambda: waivers.refuse(session, id, actor=person, now=now),
        session=session,
        actor=person,
        now=now,
        status=200,
    )
