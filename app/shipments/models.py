"""What left the country under a license."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.licenses.models import License, Line


class Shipment(Base):
    """One export declaration, drawn from one line."""

    __tablename__ = "shipments"
    __table_args__ = (Index(None, "license_id", "reference", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    line_id: Mapped[int] = mapped_column(ForeignKey(Line.id), index=True)
    reference: Mapped[str]
    shipped_on: Mapped[date]
    quantity: Mapped[Decimal]
    value_amount: Mapped[Decimal | None]
    value_currency: Mapped[str | None]
    consignee: Mapped[str | None]
    site: Mapped[str | None]
    itn: Mapped[str | None]
    mrn: Mapped[str | None]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    sent: Mapped[dict[str, Any]]
    filed_by: Mapped[str]
    received_at: Mapped[datetime]


class LedgerEntry(Base):
    """One movement in the drawdown ledger of a line. Entries are only ever added.

    Quantities are in the line's unit, values in its currency.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("account = 'shipped'", name="account"),
        Index(None, "license_id", "line_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    line_id: Mapped[int] = mapped_column(ForeignKey(Line.id))
    account: Mapped[str]
    quantity: Mapped[Decimal]
    value: Mapped[Decimal | None]
    shipment_id: Mapped[int | None] = mapped_column(ForeignKey(Shipment.id))
    recorded_at: Mapped[datetime]


class Unit(Base):
    """One serial number on a license: the device itself, as its papers describe it."""

    __tablename__ = "units"
    __table_args__ = (Index(None, "license_id", "serial", unique=True), Index(None, "serial"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    serial: Mapped[str]
    line: Mapped[int]
    shipment_id: Mapped[int] = mapped_column(ForeignKey(Shipment.id), index=True)
    shipped_on: Mapped[date]
    consignee: Mapped[str | None]
    site: Mapped[str | None]
    created_at: Mapped[datetime]
