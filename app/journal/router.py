"""The journal over HTTP, by number."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from app import journal
from app.access.router import may
from app.access.rules import Actor, Role
from app.database import SessionDep
from app.errors import Invalid
from app.journal.models import Entry
from app.wire import Limit, Moment, Out, Page, cursor, page_after, problems

router = APIRouter(prefix="/v1/journal", tags=["journal"])

JournalReader = Annotated[
    Actor, may(Role.AUDITOR, Role.SUPERVISOR, Role.LICENSING_OFFICER, Role.EXPORTER)
]


class EntryOut(Out):
    """A numbered change: who did what to what, and when it was recorded."""

    seq: int
    recorded_at: Moment
    sequenced_at: Moment
    actor: str
    action: str
    subject: str
    party: str | None
    body: dict[str, Any]


@router.get("", responses=problems(Invalid))
def browse(
    reader: JournalReader,
    session: SessionDep,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[EntryOut]:
    """Read the journal by number, as far as the caller may; `next` also follows what is to come."""
    (since,) = page_after(after, int) or (0,)
    rows: list[Entry] = journal.read(session, after=since, limit=limit, party=reader.reads_only)
    last = rows[-1].seq if rows else since
    return Page(items=[EntryOut.model_validate(row) for row in rows], next=cursor(last))
