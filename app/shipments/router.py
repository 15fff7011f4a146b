"""Shipments and the ledger over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Reader, may
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.licenses.service import LicenseUnknown
from app.shipments import custody, deliveries, filing, service
from app.shipments.schemas import (
    CustodyFiled,
    CustodyIn,
    CustodyOut,
    DeliveryFiled,
    DeliveryIn,
    DeliveryOut,
    LedgerOut,
    ShipmentIn,
    ShipmentOut,
)
from app.wire import Limit, Page, problems

router = APIRouter(prefix="/v1", tags=["shipments"])

Declarant = Annotated[Actor, may(Role.EXPORTER, Role.LICENSING_OFFICER)]
Witness = Annotated[Actor, may(Role.EXPORTER, Role.INSPECTOR, Role.LICENSING_OFFICER)]

After = Annotated[str | None, Query(description="The `next` of the page before")]


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


@router.post(
    "/deliveries",
    response_model=DeliveryOut,
    status_code=201,
    responses=problems(
        LicenseUnknown,
        filing.ReferenceTaken,
        KeyUsedForOther,
        deliveries.ShipmentUnknown,
        deliveries.ArrivedBeforeShipped,
        filing.NotYetCome,
        Invalid,
    ),
)
def deliver(
    delivery: DeliveryIn, witness: Witness, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """File what arrived of a shipment. The same delivery again gets the same answer."""
    return once(
        lambda: deliveries.file(session, delivery, actor=witness, now=now),
        session=session,
        actor=witness,
        now=now,
    )


@router.get("/licenses/{number}/deliveries", responses=problems(LicenseUnknown, Invalid))
def delivered(
    number: str, reader: Reader, session: SessionDep, after: After = None, limit: Limit = 100
) -> Page[DeliveryFiled]:
    """List what was told of arrivals under a license, in the order it was filed."""
    return deliveries.listed(session, number, party=reader.reads_only, after=after, limit=limit)


@router.post(
    "/licenses/{number}/custody",
    response_model=CustodyOut,
    status_code=201,
    responses=problems(
        custody.AuthorizationNotYours,
        LicenseUnknown,
        filing.ReferenceTaken,
        KeyUsedForOther,
        custody.SerialUnknown,
        custody.CorrectionUnfit,
        filing.NotYetCome,
        Invalid,
    ),
)
def hand_over(
    number: str,
    event: CustodyIn,
    witness: Witness,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """File that units changed hands, place or state. A wrong event is corrected by another."""
    return once(
        lambda: custody.file(session, number, event, actor=witness, now=now),
        session=session,
        actor=witness,
        now=now,
    )


@router.get("/licenses/{number}/custody", responses=problems(LicenseUnknown, Invalid))
def held(
    number: str,
    reader: Reader,
    session: SessionDep,
    serial: str | None = None,
    after: After = None,
    limit: Limit = 100,
) -> Page[CustodyFiled]:
    """List through whose hands the units went: unit by unit, oldest event first."""
    return custody.listed(
        session, number, serial=serial, party=reader.reads_only, after=after, limit=limit
    )
