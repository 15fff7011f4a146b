"""GS1 EPCIS 2.0 over HTTP: the capture interface, and what parties and sites are called in events.

The status codes and headers are those of the REST bindings of EPCIS 2.0: 202 with the address of the
capture job, 400 when it is no EPCIS document.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Header, Query, Response

from app.access.once import KeyUsedForOther, OnceDep, Replay
from app.access.router import Officer, Reader, may
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.licenses.service import LicenseUnknown
from app.shipments import aliases, captured, captures
from app.shipments.epcis_schema import DocumentInvalid
from app.shipments.epcis_schemas import AliasIn, AliasOut, CaptureOut, ErrorBehaviour
from app.shipments.models import Alias
from app.wire import Limit, Page, problems
from app.wire.pages import page_of

router = APIRouter(tags=["epcis"])

Witness = Annotated[Actor, may(Role.EXPORTER, Role.INSPECTOR, Role.LICENSING_OFFICER)]
Document = Annotated[
    dict[str, Any],
    Body(description="EPCISDocument, EPCISQueryDocument or a single event, JSON or JSON-LD"),
]
Named = Annotated[
    str | None, Header(alias="X-Endwatch-License", description="The license all events are about")
]
Behaviour = Annotated[
    ErrorBehaviour,
    Header(
        alias="GS1-Capture-Error-Behaviour",
        description="`rollback`: all events or none. `proceed`: those that can be captured",
    ),
]
VERSIONS = {"GS1-EPCIS-Version": "2.0", "GS1-CBV-Version": "2.0"}


@router.post(
    "/epcis/capture",
    response_model=CaptureOut,
    status_code=202,
    responses=problems(DocumentInvalid, LicenseUnknown, KeyUsedForOther, Invalid),
)
def capture(
    document: Document,
    witness: Witness,
    session: SessionDep,
    now: Now,
    once: OnceDep,
    named: Named = None,
    behaviour: Behaviour = "rollback",
) -> Response:
    """Capture EPCIS events: custody of the units they name. Tells of each event what became of it."""
    try:
        response = once(
            lambda: captures.take(
                session, document, license=named, behaviour=behaviour, actor=witness, now=now
            ),
            session=session,
            actor=witness,
            now=now,
            status=202,
        )
    except Replay as replay:
        response = replay.response()
    return _located(response)


def _located(response: Response) -> Response:
    """Add where the job can be read, as the standard wants it."""
    told = CaptureOut.model_validate_json(bytes(response.body))
    response.headers.update(VERSIONS | {"Location": f"/epcis/capture/{told.capture_id}"})
    return response


@router.get("/epcis/capture/{id}", responses=problems(captured.CaptureUnknown))
def job(id: UUID, reader: Reader, session: SessionDep) -> CaptureOut:
    """Read a capture job: it has finished, and tells of each event what became of it."""
    return captured.read(session, id, actor=reader)


@router.post(
    "/v1/aliases",
    response_model=AliasOut,
    status_code=201,
    responses=problems(aliases.AliasTaken, aliases.AliasOfNobody, KeyUsedForOther, Invalid),
)
def name(
    alias: AliasIn, officer: Officer, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Say which party or site a GLN or another name in EPCIS events means."""
    kind, reference = ("party", alias.party) if alias.party else ("site", alias.site)
    return once(
        lambda: AliasOut.model_validate(
            aliases.file(session, alias.identifier, kind, str(reference), actor=officer, now=now)
        ),
        session=session,
        actor=officer,
        now=now,
    )


@router.get("/v1/aliases", responses=problems(Invalid))
def names(
    officer: Officer,  # noqa: ARG001 - says who may read it
    session: SessionDep,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[AliasOut]:
    """List what parties and sites are called in EPCIS events."""
    rows = aliases.listed(session, after=after, limit=limit)
    return page_of(rows, limit, AliasOut.model_validate, _keys)


def _keys(row: Alias) -> tuple[Any, ...]:
    return (row.identifier, row.kind)
