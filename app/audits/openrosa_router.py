"""The doors for ODK Collect and other OpenRosa 1.0 clients: forms out, filled forms in.

An inspector gives the phone this service's address with `/openrosa`, any name, and a key as password.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import FormData, UploadFile

from app.access.router import may_with_password
from app.access.rules import Actor, Role
from app.audits import attachments, handing_out, openrosa, submissions
from app.audits.attachments import File
from app.audits.openrosa import SubmissionMalformed, SubmissionTooLarge, SubmissionUnfit
from app.audits.openrosa_answers import XML
from app.audits.reading import AnswerRefused
from app.clock import Now
from app.database import SessionDep
from app.errors import Conflict, Invalid, StorageFull, Unavailable
from app.evidence import service as evidence
from app.evidence.room import RoomDep
from app.evidence.router import UploadsDep
from app.evidence.rules import QuotaUsed
from app.lanes import Lanes
from app.reports.rules import BeforeLicense
from app.wire import problems

router = APIRouter(prefix=openrosa.PREFIX, tags=["openrosa"])

FORM_FILE = "xml_submission_file"
MOST_PARTS = 200

Inspector = Annotated[Actor, may_with_password(Role.INSPECTOR)]
FOUND: dict[int | str, dict[str, Any]] = {200: {"content": XML, "description": "XML"}}
FILED: dict[int | str, dict[str, Any]] = {
    201: {"content": XML, "description": "Filed, or on file already"}
}
SENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FORM_FILE],
                    "properties": {FORM_FILE: {"type": "string", "format": "binary"}},
                    "additionalProperties": {"type": "string", "format": "binary"},
                }
            }
        },
    }
}


def _xml(body: bytes, status: int = 200, **headers: str) -> Response:
    return Response(body, status, headers, media_type=openrosa.MEDIA_TYPE)


@router.get("/formList", response_class=Response, responses=FOUND)
def form_list(
    request: Request,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    form_id: Annotated[str | None, Query(alias="formID", description="Only this form")] = None,
) -> Response:
    """List the forms of the checks that are yours to make, or offered to you."""
    forms = handing_out.listed(session, inspector, form_id=form_id, now=now)
    return _xml(openrosa.form_list(forms, str(request.base_url)))


@router.get(
    "/forms/{number}",
    response_class=Response,
    responses=FOUND | problems(handing_out.FormUnknown),
)
def form(number: str, inspector: Inspector, session: SessionDep, now: Now) -> Response:
    """Get the checklist of a license as an XForm."""
    return _xml(handing_out.current(session, number, inspector, now=now))


@router.get(
    "/forms/{number}/manifest",
    response_class=Response,
    responses=FOUND | problems(handing_out.FormUnknown),
)
def manifest(number: str, inspector: Inspector, session: SessionDep) -> Response:
    """List the further files of a form: there are none."""
    handing_out.check(session, number, inspector)
    return _xml(openrosa.manifest())


@router.head("/submission", status_code=204, response_class=Response)
async def submission_head(request: Request, _: Inspector) -> Response:
    """Tell a phone where to send filled forms, and how much at once."""
    return Response(status_code=204, headers={"Location": _here(request)})


def _here(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{openrosa.SUBMISSION}"


async def _parts(request: Request, inspector: Inspector) -> AsyncIterator[FormData]:
    """Read the parts, large ones to disk; only for who may send them, and so many at once."""
    lanes: Lanes = request.app.state.lanes
    async with (
        lanes.files.place(inspector.owner),
        request.form(
            max_files=MOST_PARTS, max_fields=MOST_PARTS, max_part_size=openrosa.XML_LIMIT
        ) as parts,
    ):
        yield parts


@router.post(
    "/submission",
    status_code=201,
    response_class=Response,
    responses=FILED
    | problems(
        SubmissionMalformed,
        handing_out.FormUnknown,
        submissions.InstanceTaken,
        attachments.AttachmentTaken,
        Conflict,
        SubmissionTooLarge,
        SubmissionUnfit,
        QuotaUsed,
        StorageFull,
        Unavailable,
        submissions.FormVersionUnknown,
        AnswerRefused,
        BeforeLicense,
        Invalid,
    ),
    openapi_extra=SENT,
)
async def submit(
    request: Request,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    room: RoomDep,
    uploads: UploadsDep,
    parts: Annotated[FormData, Depends(_parts)],
) -> Response:
    """File a filled form with its files; more posts of the same form may bring further files.

    A file that is rejected does not keep the form from being filed; the answer says why it was.
    """

    def take() -> str:
        xml, files = _form(parts), _files(parts)
        size = sum(len(file.content) for file in files.values())
        if size:
            evidence.admit(session, size, room=room, limit=uploads.daily, actor=inspector, now=now)
        return submissions.take(session, xml, files, room=room, actor=inspector, now=now)

    told = await uploads.examine(take)
    return _xml(openrosa.response(told, openrosa.SUCCESS), 201, Location=_here(request))


def _form(parts: FormData) -> bytes:
    """Take the filled form, sent as a file or as text."""
    part = parts.get(FORM_FILE)
    if part is None:
        raise SubmissionMalformed(
            f"Send multipart/form-data with the filled form as {FORM_FILE}.",
            pointer=f"/{FORM_FILE}",
        )
    if isinstance(part, str):
        return part.encode()
    return part.file.read(openrosa.XML_LIMIT + 1)


def _files(parts: FormData) -> dict[str, File]:
    """Take the other files, by file name."""
    files: dict[str, File] = {}
    for key, part in parts.multi_items():
        if key == FORM_FILE or not isinstance(part, UploadFile):
            continue
        name = part.filename or key
        one = File(name, part.file.read())
        if files.setdefault(name, one) != one:
            raise SubmissionMalformed(f"{name[:100]} was sent twice, and not the same.")
    return files
