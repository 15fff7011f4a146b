"""The checklist of a license over HTTP: to read, for phones, and on paper.

The exporter of a license may read it: it says what the license says, and how that will be checked.
Which units will be drawn, and when somebody comes, is not in it.
"""

from typing import Any

from fastapi import APIRouter, Response

from app.access.router import Reader
from app.audits import checklist as checklists
from app.audits import printing, xform, xlsform
from app.audits.questions import Checklist
from app.clock import Now
from app.database import SessionDep
from app.licenses.service import LicenseUnknown
from app.wire import problems

router = APIRouter(prefix="/v1/licenses/{number}", tags=["audits"])


def _documented(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Document an answer that is a file."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"content": content, "description": "The file"}, **problems(LicenseUnknown)}


@router.get("/checklist", responses=problems(LicenseUnknown))
def read(number: str, reader: Reader, session: SessionDep, now: Now) -> Checklist:
    """Read what a license asks of whoever goes and looks: every condition in force, every unit."""
    return checklists.load(session, number, party=reader.reads_only, now=now)


@router.get("/checklist.xlsx", response_class=Response, responses=_documented(xlsform.MEDIA_TYPE))
def workbook(number: str, reader: Reader, session: SessionDep, now: Now) -> Response:
    """Get the checklist as an XLSForm, from which a form for phones can be made and changed."""
    checklist = checklists.load(session, number, party=reader.reads_only, now=now)
    return _file(checklist, "xlsx", xlsform.workbook(checklist), xlsform.MEDIA_TYPE)


@router.get("/checklist.xml", response_class=Response, responses=_documented(xform.MEDIA_TYPE))
def form(number: str, reader: Reader, session: SessionDep, now: Now) -> Response:
    """Get the checklist as an XForm, which ODK Collect and others fill in."""
    checklist = checklists.load(session, number, party=reader.reads_only, now=now)
    return _file(checklist, "xml", xform.form(checklist), xform.MEDIA_TYPE)


@router.get("/checklist.pdf", response_class=Response, responses=_documented(printing.MEDIA_TYPE))
def paper(number: str, reader: Reader, session: SessionDep, now: Now) -> Response:
    """Get the checklist on paper: check boxes, and a barcode of every serial number."""
    checklist = checklists.load(session, number, party=reader.reads_only, now=now)
    return _file(checklist, "pdf", printing.paper(checklist), printing.MEDIA_TYPE)


def _file(checklist: Checklist, ending: str, body: bytes, media_type: str) -> Response:
    """Answer with a file named after the license and the version of its checklist."""
    name = f"{checklist.form_id}_{checklist.version}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=media_type, headers=headers)
