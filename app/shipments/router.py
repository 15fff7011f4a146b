"""Shipments and the ledger over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Reader, may
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.licenses.service import LicenseUnknown
from app.shipments import service
from app.shipments.schemas import LedgerOut, ShipmentIn, ShipmentOut
from app.wire import problems

router = APIRouter(prefix="/v1", tags=["shipments"])

Declarant = Annotated[Actor, may(Role.EXPORTER, Role.LICENSING_OFFICER)]


@router.post(
    "/shipments",
    response_model=ShipmentOut,
    status_code=201,
    responses=problems(
        LicenseUnknown,
        service.SerialTaken,
        service.ReferenceTaken,
        service.NotYetIssued,
        KeyUsedForOther,
        service.LineUnknown,
        Invalid,
    ),
)
def file(
    shipment: ShipmentIn, declarant: Declarant, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """File an export declaration. The same one again gets the same answer."""
    return once(
        lambda: service.file(session, shipment, actor=declarant, now=now),
        session=session,
        actor=declarant,
        now=now,
    )


@router.get("/licenses/{number}/ledger", responses=problems(LicenseUnknown))
def ledger(number: str, reader: Reader, session: SessionDep) -> LedgerOut:
    """Read what was authorized and shipped, by line and by serial number."""
    return service.ledger(session, number, party=reader.reads_only)
