"""The sample of an end-use check over HTTP: committed, revealed, read."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Reader, may
from app.access.rules import Actor, Role
from app.audits import drawing, sampling
from app.audits.sampling_schemas import SampleIn, SampleOut
from app.audits.steps import AuditUnknown
from app.clock import Now
from app.database import SessionDep
from app.wire import problems

router = APIRouter(prefix="/v1/audits/{id}/sample", tags=["audits"])

Drawer = Annotated[Actor, may(Role.INSPECTOR, Role.SUPERVISOR)]


@router.post(
    "",
    response_model=SampleOut,
    status_code=201,
    responses=problems(
        AuditUnknown,
        drawing.SampleCommitted,
        drawing.CheckOver,
        drawing.NothingToSight,
        KeyUsedForOther,
        sampling.MissingUnfit,
    ),
)
def commit(
    id: UUID, sample: SampleIn, drawer: Drawer, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Freeze the list of units and bind the draw from it. The answer tells only what binds it."""
    return once(
        lambda: drawing.commit(session, id, sample, actor=drawer, now=now),
        session=session,
        actor=drawer,
        now=now,
    )


@router.post(
    "/reveal",
    response_model=SampleOut,
    responses=problems(AuditUnknown, drawing.SampleUnknown, KeyUsedForOther),
)
def reveal(id: UUID, drawer: Drawer, session: SessionDep, now: Now, once: OnceDep) -> Response:
    """Tell the seed and which units are to be sighted; from then on anybody can draw again."""
    return once(
        lambda: drawing.reveal(session, id, actor=drawer, now=now),
        session=session,
        actor=drawer,
        now=now,
        status=200,
    )


@router.get("", responses=problems(AuditUnknown, drawing.SampleUnknown))
def read(id: UUID, reader: Reader, session: SessionDep) -> SampleOut:
    """Read the draw: its commitment, and once it is revealed the receipt to check it by."""
    return drawing.read(session, id, party=reader.reads_only)
