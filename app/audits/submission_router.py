"""What phones sent for a check, over HTTP: filled forms, and the files that came with them.

For the authority alone: an exporter reads of a check what it was told, and no evidence.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.access.router import may
from app.access.rules import READS_FILINGS, Actor, Role
from app.audits import attachments, service, submissions
from app.audits.forms import FormAttachment, FormSubmission
from app.audits.steps import AuditUnknown
from app.database import SessionDep
from app.errors import Invalid
from app.evidence import schemas as evidence
from app.evidence.models import File
from app.wire import Limit, Moment, Out, Page, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/audits/{id}", tags=["audits"])

Colleague = Annotated[Actor, may(*(READS_FILINGS - {Role.EXPORTER}))]


class ObservationOut(Out):
    """What was seen of a condition that reads no facts."""

    condition: str
    seen: str | None
    remarks: list[str]


class AttachmentOut(Out):
    """A file that came with a filled form; get it at `/v1/evidence/{digest}`, once it is accepted."""

    name: str
    digest: str
    media_type: str | None
    size: int
    state: evidence.State
    reason: str | None
    received_at: Moment


class SubmissionOut(Out):
    """A filled form. `missing` are files that it names and that have not come."""

    instance_id: str
    form_version: str
    report: UUID | None
    unlinked: str | None
    observations: list[ObservationOut]
    attachments: list[AttachmentOut]
    missing: list[str]
    filed_by: str
    received_at: Moment


@router.get("/submissions", responses=problems(AuditUnknown, Invalid))
def browse(
    id: UUID,
    colleague: Colleague,
    session: SessionDep,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[SubmissionOut]:
    """List the forms that were filled in for a check, in the order they came."""
    audit, _ = service.seen(session, id, party=colleague.reads_only)
    rows = submissions.of_audit(session, audit.id, after=after, limit=limit)
    files = attachments.of_submissions(session, [row.instance_id for row in rows])
    return page_of(rows, limit, lambda row: _show(row, files[row.instance_id]), _keys)


def _show(row: FormSubmission, files: list[tuple[FormAttachment, File]]) -> SubmissionOut:
    return SubmissionOut(
        instance_id=row.instance_id,
        form_version=row.form_version,
        report=row.report_id,
        unlinked=row.unlinked,
        observations=[ObservationOut(**one) for one in row.observations],
        attachments=[
            AttachmentOut.model_validate(
                {
                    "name": came.name,
                    "digest": file.digest,
                    "media_type": file.media_type,
                    "size": file.size,
                    "state": file.state,
                    "reason": file.reason,
                    "received_at": came.received_at,
                }
            )
            for came, file in files
        ],
        missing=sorted({*row.files} - {came.name for came, _ in files}),
        filed_by=row.filed_by,
        received_at=row.received_at,
    )


def _keys(row: FormSubmission) -> tuple[Any, ...]:
    return (row.received_at.isoformat(), row.instance_id)
