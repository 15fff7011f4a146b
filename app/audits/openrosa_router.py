"""The doors for ODK Collect and other OpenRosa 1.0 clients: forms out, filled forms in."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData, UploadFile

from app.access.router import may_with_password
from app.access.rules import Actor, Role
from app.audits import checklist as checklists
from app.audits import openrosa, submissions, xform
from app.audits.openrosa import SubmissionMalformed, SubmissionTooLarge
from app.audits.reading import AnswerRefused
from app.audits.submissions import InstanceTaken, Medium
from app.clock import Now
from app.database import SessionDep
from app.licenses.service import LicenseUnknown
from app.reports.rules import KindNotYours
from app.wire import problems

router = APIRouter(prefix=openrosa.PREFIX, tags=["openrosa"])

FORM_FILE = "xml_submission_file"
MOST_FILES = 200

Inspector = Annotated[Actor, may_with_password(Role.INSPECTOR)]
XML: dict[str, Any] = {"text/xml": {"schema": {"type": "string"}}}
FOUND: dict[int | str, dict[str, Any]] = {200: {"content": XML, "description": "XML"}}


def _xml(body: bytes, status: int = 200, **headers: str) -> Response:
    return Response(body, status, headers, media_type=openrosa.MEDIA_TYPE)


@router.get("/formList", response_class=Response, responses=FOUND)
def form_list(
    request: Request,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    license: str | None = None,
    formID: str | None = None,  # noqa: N803 OpenRosa calls it so
) -> Response:
    """List the forms of licenses in force, 50 at most: first those of one's own checks."""
    only = formID.removeprefix("endwatch_") if formID is not None else license
    forms = submissions.forms(session, inspector, only=only, now=now)
    return _xml(openrosa.form_list(forms, str(request.base_url)))


@router.head("/formList", response_class=Response)
async def form_list_head(_: Inspector) -> Response:
    """Tell that there is a list, and whether the key opens it."""
    return _xml(b"")


@router.get("/forms/{number}", response_class=Response, responses=FOUND | problems(LicenseUnknown))
def form(number: str, inspector: Inspector, session: SessionDep, now: Now) -> Response:
    """Get the checklist of a license as an XForm."""
    checklist = checklists.load(session, number, party=inspector.reads_only, now=now)
    return _xml(xform.form(checklist))


@router.get(
    "/forms/{number}/manifest", response_class=Response, responses=FOUND | problems(LicenseUnknown)
)
def manifest(number: str, inspector: Inspector, session: SessionDep, now: Now) -> Response:
    """List the further files of a form: there are none."""
    checklists.load(session, number, party=inspector.reads_only, now=now)
    return _xml(openrosa.manifest())


@router.head("/submission", status_code=204, response_class=Response)
async def submission_head(request: Request, _: Inspector) -> Response:
    """Tell a phone where to send filled forms, and how much at once."""
    return Response(status_code=204, headers={"Location": _here(request)})


def _here(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{openrosa.PREFIX}/submission"


async def _parts(request: Request, _: Inspector) -> AsyncIterator[FormData]:
    """Read the parts, large ones to disk; only for who may send them."""
    async with request.form(
        max_files=MOST_FILES, max_fields=MOST_FILES, max_part_size=openrosa.XML_LIMIT
    ) as parts:
        yield parts


@router.post(
    "/submission",
    status_code=201,
    response_class=Response,
    responses={201: {"content": XML, "description": "Filed, or on file already"}}
    | problems(
        SubmissionMalformed,
        KindNotYours,
        LicenseUnknown,
        InstanceTaken,
        SubmissionTooLarge,
        AnswerRefused,
    ),
    openapi_extra={
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
    },
)
def submit(
    request: Request,
    inspector: Inspector,
    session: SessionDep,
    now: Now,
    parts: Annotated[FormData, Depends(_parts)],
) -> Response:
    """File a filled form with pictures; more posts of the same form may bring further pictures."""
    told = submissions.take(session, _form(parts), _media(parts), actor=inspector, now=now)
    return _xml(openrosa.response(told), 201, Location=_here(request))


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


def _media(parts: FormData) -> dict[str, Medium]:
    """Take the other files, by file name."""
    media: dict[str, Medium] = {}
    for key, part in parts.multi_items():
        if key == FORM_FILE or not isinstance(part, UploadFile):
            continue
        name = part.filename or key
        if (part.size or 0) > openrosa.MEDIUM_LIMIT:
            raise SubmissionTooLarge(
                f"{name[:100]} has more than {openrosa.MEDIUM_LIMIT:,} bytes. Take it smaller."
            )
        one = Medium((part.content_type or "application/octet-stream")[:100], part.file.read())
        if media.setdefault(name, one) != one:
            raise SubmissionMalformed(f"{name[:100]} was sent twice, and not the same.")
    return media
