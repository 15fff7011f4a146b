"""Filing shipments, keeping the drawdown ledger and the units."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from app import journal
from app.access.once import Replay, difference
from app.access.rules import Actor
from app.errors import Conflict, Invalid
from app.licenses import service as licenses
from app.licenses.models import License, LicenseSite, Line
from app.licenses.rules import State
from app.licenses.show import decimal
from app.parties.models import Site
from app.shipments.models import LedgerEntry, Shipment, Unit
from app.shipments.schemas import LedgerLine, LedgerOut, LedgerUnit, ShipmentIn, ShipmentOut


class LineUnknown(Invalid):
    """The license has no such line."""


class SiteUnknown(Invalid):
    """The license names no such site."""


class CurrencyDiffers(Invalid):
    """A shipment's value must be in the currency of its line."""


class ShipmentInFuture(Invalid):
    """A shipment is filed when it has left, not before."""


class SerialTaken(Conflict):
    """A serial number is already on this license from another shipment."""


class ReferenceTaken(Conflict):
    """This reference belongs to an earlier shipment that says something else."""


class NotYetIssued(Conflict):
    """Nothing can be shipped under a draft or cancelled license."""


@dataclass(slots=True)
class Balance:
    """What a line authorizes, and what was drawn from it."""

    line: Line
    quantity: Decimal
    value: Decimal | None
    shipped_quantity: Decimal = Decimal(0)
    shipped_value: Decimal = Decimal(0)
    last_shipped_on: date | None = None
    shipments: list[str] = field(default_factory=list)


def file(session: Session, shipment: ShipmentIn, *, actor: Actor, now: datetime) -> ShipmentOut:
    """Record a shipment: the ledger entry, and a unit for each serial.

    More than the line allows is recorded all the same; it has left. Monitors judge it.
    """
    license = licenses.locked(session, shipment.license, party=actor.reads_only)
    sent = shipment.model_dump(mode="json")
    digest = hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).digest()
    _refuse_other(session, license, shipment, digest, sent)
    line = _check(session, license, shipment, now)
    row = _record(session, license, line, shipment, digest, sent, actor, now)
    _add_units(session, license, row, shipment, now)
    licenses.attend(license, now)
    journal.append(
        session,
        actor=actor.name,
        action="shipment.filed",
        subject=f"shipment:{license.number}/{shipment.reference}",
        party=license.exporter,
        receipt=journal.receipt_of(f"shipment:{license.number}/{shipment.reference}"),
        body=sent,
        now=now,
    )
    session.flush()
    _exhaust(session, license, actor, now)
    return _show(session, license, row)


def _refuse_other(
    session: Session, license: License, shipment: ShipmentIn, digest: bytes, sent: dict[str, Any]
) -> None:
    """Answer a repeated shipment with its first answer, and refuse another of the same reference."""
    earlier = session.scalar(
        select(Shipment).where(
            Shipment.license_id == license.id, Shipment.reference == shipment.reference
        )
    )
    if earlier is None:
        return
    if earlier.digest == digest:
        raise Replay(201, _show(session, license, earlier).model_dump_json().encode())
    raise ReferenceTaken(
        f"{shipment.reference} is on file for {license.number} with other content. "
        "Use a new reference.",
        pointer="/reference",
        diff=difference(json.dumps(earlier.sent).encode(), json.dumps(sent).encode()),
    )


def _check(session: Session, license: License, shipment: ShipmentIn, now: datetime) -> Line:
    """Refuse what cannot be true of this license."""
    if license.state in {State.DRAFT, State.CANCELLED}:
        raise NotYetIssued(f"{license.number} is {license.state}.", pointer="/license")
    if shipment.date > now.astimezone(UTC).date():
        raise ShipmentInFuture(f"{shipment.date} has not come yet.", pointer="/date")
    lines = {row.line: row for row in session.scalars(_lines_of(license.id))}
    line = lines.get(shipment.line)
    if line is None:
        raise LineUnknown(
            f"{license.number} has lines {', '.join(map(str, sorted(lines)))}.", pointer="/line"
        )
    if shipment.value and line.value_currency not in {None, shipment.value.currency}:
        raise CurrencyDiffers(f"Line {line.line} is in {line.value_currency}.", pointer="/value")
    if shipment.site is not None:
        _check_site(session, license, shipment.site)
    taken = _taken(session, license, shipment.serials)
    if taken:
        raise SerialTaken(f"Already on file: {', '.join(taken[:10])}.", pointer="/serials")
    return line


def _lines_of(license_id: int) -> Select[Line]:
    return select(Line).where(Line.license_id == license_id).order_by(Line.line)


def _check_site(session: Session, license: License, reference: str) -> None:
    known = session.scalars(
        select(Site.reference)
        .join(LicenseSite, LicenseSite.site_id == Site.id)
        .where(LicenseSite.license_id == license.id)
    ).all()
    if reference not in known:
        raise SiteUnknown(
            f"{reference!r} is not a site of {license.number}; "
            f"there are {', '.join(sorted(known)) or 'none'}.",
            pointer="/site",
        )


def _taken(session: Session, license: License, serials: Sequence[str]) -> list[str]:
    if not serials:
        return []
    query = select(Unit.serial).where(Unit.license_id == license.id, Unit.serial.in_(serials))
    return sorted(session.scalars(query))


def _record(
    session: Session,
    license: License,
    line: Line,
    shipment: ShipmentIn,
    digest: bytes,
    sent: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> Shipment:
    row = Shipment(
        license_id=license.id,
        line_id=line.id,
        reference=shipment.reference,
        shipped_on=shipment.date,
        quantity=shipment.quantity,
        value_amount=shipment.value.amount if shipment.value else None,
        value_currency=shipment.value.currency if shipment.value else None,
        consignee=shipment.consignee,
        site=shipment.site,
        itn=shipment.itn,
        mrn=shipment.mrn,
        digest=digest,
        sent=sent,
        filed_by=actor.name,
        received_at=now,
    )
    session.add(row)
    session.flush()
    session.add(
        LedgerEntry(
            license_id=license.id,
            line_id=line.id,
            account="shipped",
            quantity=shipment.quantity,
            value=row.value_amount,
            shipment_id=row.id,
            recorded_at=now,
        )
    )
    return row


def _add_units(
    session: Session, license: License, row: Shipment, shipment: ShipmentIn, now: datetime
) -> None:
    units = [
        {
            "license_id": license.id,
            "serial": serial,
            "line": shipment.line,
            "shipment_id": row.id,
            "shipped_on": shipment.date,
            "consignee": shipment.consignee,
            "site": shipment.site,
            "created_at": now,
        }
        for serial in shipment.serials
    ]
    if units:
        session.execute(insert(Unit), units)


def balances(
    session: Session, license_ids: Sequence[int], *, until: Any = None
) -> dict[int, list[Balance]]:
    """Add up the ledger of licenses, by line; `until` is the id of the last entry that counts."""
    found: dict[int, dict[int, Balance]] = {}
    lines = select(Line).where(Line.license_id.in_(license_ids)).order_by(Line.line)
    for line in session.scalars(lines):
        balance = Balance(line, line.quantity, line.value_amount)
        found.setdefault(line.license_id, {})[line.id] = balance
    entries = (
        select(LedgerEntry, Shipment.reference, Shipment.shipped_on)
        .join(Shipment, Shipment.id == LedgerEntry.shipment_id)
        .where(LedgerEntry.license_id.in_(license_ids), LedgerEntry.account == "shipped")
        .order_by(Shipment.shipped_on, LedgerEntry.id)
    )
    if until is not None:
        entries = entries.where(LedgerEntry.id <= until)
    for entry, reference, shipped_on in session.execute(entries):
        balance = found[entry.license_id][entry.line_id]
        balance.shipped_quantity += entry.quantity
        balance.shipped_value += entry.value or Decimal(0)
        balance.last_shipped_on = shipped_on
        balance.shipments.append(reference)
    return {license_id: list(lines.values()) for license_id, lines in found.items()}


def _exhaust(session: Session, license: License, actor: Actor, now: datetime) -> None:
    """End the use of a license when every line is drawn down."""
    drawn = all(
        balance.shipped_quantity >= balance.quantity
        for balance in balances(session, [license.id])[license.id]
    )
    if drawn and license.state in {State.ISSUED, State.REINSTATED}:
        licenses.change_state(
            session,
            license,
            State.EXHAUSTED,
            ground="every line is shipped in full",
            effective_on=now.astimezone(UTC).date(),
            actor=actor,
            now=now,
        )


def _show(session: Session, license: License, row: Shipment) -> ShipmentOut:
    """Show a shipment with what was left of its line when it was filed, however often it is asked."""
    until = select(LedgerEntry.id).where(LedgerEntry.shipment_id == row.id).scalar_subquery()
    balance = next(
        balance
        for balance in balances(session, [license.id], until=until)[license.id]
        if balance.line.id == row.line_id
    )
    return ShipmentOut(
        license=license.number,
        reference=row.reference,
        line=balance.line.line,
        date=row.shipped_on,
        quantity=decimal(row.quantity),
        units=len(row.sent["serials"]),
        remaining_quantity=decimal(balance.quantity - balance.shipped_quantity),
        remaining_value=(
            decimal(balance.value - balance.shipped_value) if balance.value is not None else None
        ),
        receipt=journal.Receipt(
            id=journal.receipt_of(f"shipment:{license.number}/{row.reference}"),
            digest=f"sha256:{row.digest.hex()}",
            received_at=row.received_at,
        ),
    )


def ledger(session: Session, number: str, *, party: str | None) -> LedgerOut:
    """Show what a license authorized and what was shipped, by line and by serial."""
    license = licenses.read(session, number, party=party)
    units = session.execute(
        select(Unit, Shipment.reference)
        .join(Shipment, Shipment.id == Unit.shipment_id)
        .where(Unit.license_id == license.id)
        .order_by(Unit.serial)
    )
    return LedgerOut(
        license=license.number,
        lines=[_ledger_line(balance) for balance in balances(session, [license.id])[license.id]],
        units=[
            LedgerUnit(
                serial=unit.serial,
                line=unit.line,
                shipment=reference,
                shipped_on=unit.shipped_on,
                consignee=unit.consignee,
                site=unit.site,
            )
            for unit, reference in units
        ],
    )


def _ledger_line(balance: Balance) -> LedgerLine:
    value = balance.value
    return LedgerLine(
        line=balance.line.line,
        unit=balance.line.unit,
        currency=balance.line.value_currency,
        authorized_quantity=decimal(balance.quantity),
        shipped_quantity=decimal(balance.shipped_quantity),
        remaining_quantity=decimal(balance.quantity - balance.shipped_quantity),
        authorized_value=None if value is None else decimal(value),
        shipped_value=decimal(balance.shipped_value),
        remaining_value=None if value is None else decimal(value - balance.shipped_value),
        shipments=balance.shipments,
    )
