"""What could not be judged, over HTTP. Unknown is not compliant, so it is shown."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.access.router import Reader
from app.assessments import service
from app.assessments.models import Unassessed
from app.database import SessionDep
from app.errors import Invalid
from app.wire import Limit, Moment, Out, Page, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/unassessed", tags=["assessments"])


class UnassessedOut(Out):
    """A condition that could not be judged about a subject, and what was missing."""

    license: str
    kind: str
    subject_kind: str
    subject: str
    reason: str
    first_at: Moment
    last_at: Moment
    expected: str
    observed: str
    missing: list[str]
    clears: str


@router.get("", responses=problems(Invalid))
def browse(
    reader: Reader,
    session: SessionDep,
    license: str | None = None,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[UnassessedOut]:
    """List what could not be assessed, and why."""
    rows = service.unassessed(
        session, party=reader.reads_only, license=license, after=after, limit=limit
    )
    return page_of(rows, limit, _show, _keys)


def _show(row: tuple[Unassessed, str]) -> UnassessedOut:
    names = [name for name in UnassessedOut.model_fields if name != "license"]
    return UnassessedOut(license=row[1], **{name: getattr(row[0], name) for name in names})


def _keys(row: tuple[Unassessed, str]) -> tuple[Any, ...]:
    one = row[0]
    return (one.license_id, one.kind, one.subject_kind, one.subject, one.reason)
