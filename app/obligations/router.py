"""What is owed, over HTTP."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.access.router import Reader
from app.database import SessionDep
from app.errors import Invalid
from app.obligations import service
from app.obligations.models import Obligation
from app.obligations.rules import State
from app.wire import Limit, Moment, Out, Page, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/obligations", tags=["obligations"])


class ObligationOut(Out):
    """Something owed by a time, and whether it came."""

    id: UUID
    license: str
    condition: str
    what: str
    by: str | None
    subject_kind: str
    subject: str
    slot: int
    period_from: date | None
    period_to: date | None
    due_at: Moment
    grace_until: Moment
    state: State
    last_heard_at: Moment | None
    met_at: Moment | None


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
    return page_of(rows, limit, _show, _keys)


def _show(row: tuple[Obligation, str]) -> ObligationOut:
    obligation, number = row
    columns = {
        name: getattr(obligation, name) for name in ObligationOut.model_fields if name not in MADE
    }
    return ObligationOut(**columns, license=number, condition=obligation.key)


MADE = {"license", "condition"}


def _keys(row: tuple[Obligation, str]) -> tuple[Any, ...]:
    return (row[0].due_at.isoformat(), str(row[0].id))
