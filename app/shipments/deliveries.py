"""Taking in deliveries: what arrived of a shipment, as somebody tells it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import journal
from app.access.once import Replay
from app.access.rules import Actor
from app.errors import Invalid
from app.licenses import service as licenses
from app.licenses.models import License
from app.licenses.show import decimal
from app.shipments import filing
from app.shipments.models import Delivery, Shipment
from app.shipments.schemas import DeliveryFiled, DeliveryIn, DeliveryOut
from app.wire import Page, page_after
from app.wire.pages import page_of
from monitors import Grade


class ShipmentUnknown(Invalid):
    """No shipment of this reference is on file under the license."""


class ArrivedBeforeShipped(Invalid):
    """A shipment cannot arrive before it has left."""


def file(session: Session, delivery: DeliveryIn, *, actor: Actor, now: datetime) -> DeliveryOut:
    """Record what arrived of a shipment.

    More than was declared, or other serials, is recorded all the same; it has arrived.
    """
    license = licenses.locked(session, delivery.license, party=actor.reads_only)
    sent = delivery.model_dump(mode="json")
    earlier = session.scalar(
        select(Delivery).where(
            Delivery.license_id == license.id, Delivery.reference == delivery.reference
        )
    )
    if earlier is not None:
        known = {"milestone": earlier.milestone} | earlier.sent
        filing.check_same(delivery.reference, known, sent, by=earlier.said_by, actor=actor)
        raise Replay(201, _show(session, license, earlier).model_dump_json().encode())
    shipment = _shipment(session, license, delivery, now)
    row = _row(license, shipment, delivery, sent, actor, now)
    session.add(row)
    licenses.attend(license, now)
    journal.append(
        session,
        actor=actor.name,
        action="delivery.filed",
        subject=f"delivery:{license.number}/{delivery.reference}",
        party=license.exporter,
        receipt=journal.receipt_of(f"delivery:{license.number}/{delivery.reference}"),
        body=sent,
        now=now,
    )
    session.flush()
    return _show(session, license, row)


def _row(
    license: License,
    shipment: Shipment,
    delivery: DeliveryIn,
    sent: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> Delivery:
    return Delivery(
        license_id=license.id,
        shipment_id=shipment.id,
        reference=delivery.reference,
        arrived_on=delivery.arrived_on,
        milestone=delivery.milestone,
        quantity=delivery.quantity,
        serials=delivery.serials,
        site=delivery.site,
        grade=filing.grade_of(actor.role),
        said_by=filing.author(actor),
        digest=filing.digest(sent),
        sent=sent,
        filed_by=actor.name,
        received_at=now,
    )


def _shipment(session: Session, license: License, delivery: DeliveryIn, now: datetime) -> Shipment:
    """Find what arrived, and refuse an arrival that cannot have been."""
    shipment = session.scalar(
        select(Shipment).where(
            Shipment.license_id == license.id, Shipment.reference == delivery.shipment
        )
    )
    if shipment is None:
        raise ShipmentUnknown(
            f"{delivery.shipment!r} is not a shipment of {license.number}. File the shipment "
            f"first, or see GET /v1/licenses/{license.number}/ledger for those on file.",
            pointer="/shipment",
        )
    filing.check_day(delivery.arrived_on, now, "/arrived_on")
    if delivery.arrived_on < shipment.shipped_on:
        raise ArrivedBeforeShipped(
            f"{shipment.reference} left on {shipment.shipped_on}. Give the day it arrived, or "
            "the shipment it belongs to.",
            pointer="/arrived_on",
        )
    return shipment


def _show(session: Session, license: License, row: Delivery) -> DeliveryOut:
    """Show a delivery with what was outstanding when it was filed, however often it is asked.

    Counted is what the same author told of the shipment so far, as far as the same milestone: two
    who tell of one arrival do not add up to two. Serials alone count one each.
    """
    shipment = session.get_one(Shipment, row.shipment_id)
    arrived = session.scalar(
        select(
            func.sum(func.coalesce(Delivery.quantity, func.cardinality(Delivery.serials)))
        ).where(
            Delivery.shipment_id == row.shipment_id,
            Delivery.said_by == row.said_by,
            Delivery.milestone == row.milestone,
            Delivery.id <= row.id,
        )
    )
    return DeliveryOut(
        license=license.number,
        reference=row.reference,
        shipment=shipment.reference,
        arrived_on=row.arrived_on,
        milestone=row.milestone,
        quantity=_quantity(row.quantity),
        units=len(row.serials),
        outstanding_quantity=decimal(shipment.quantity - (arrived or Decimal(0))),
        receipt=journal.Receipt(
            id=journal.receipt_of(f"delivery:{license.number}/{row.reference}"),
            digest=f"sha256:{row.digest.hex()}",
            received_at=row.received_at,
        ),
    )


def _quantity(quantity: Decimal | None) -> str | None:
    return None if quantity is None else decimal(quantity)


def listed(
    session: Session, number: str, *, party: str | None, after: str | None, limit: int
) -> Page[DeliveryFiled]:
    """List what is on file as arrived under a license, in the order it was filed."""
    license = filing.seen(session, number, party=party)
    query = (
        select(Delivery, Shipment.reference)
        .join(Shipment, Shipment.id == Delivery.shipment_id)
        .where(Delivery.license_id == license.id)
        .order_by(Delivery.id)
        .limit(limit + 1)
    )
    keys = page_after(after, int)
    if keys is not None:
        query = query.where(Delivery.id > keys[0])
    rows = [(row, reference) for row, reference in session.execute(query)]
    return page_of(rows, limit, lambda pair: _filed(*pair), lambda pair: (pair[0].id,))


def _filed(row: Delivery, shipment: str) -> DeliveryFiled:
    return DeliveryFiled(
        reference=row.reference,
        shipment=shipment,
        arrived_on=row.arrived_on,
        milestone=row.milestone,
        quantity=_quantity(row.quantity),
        serials=row.serials,
        site=row.site,
        grade=Grade(row.grade),
        said_by=row.said_by,
        received_at=row.received_at,
    )
