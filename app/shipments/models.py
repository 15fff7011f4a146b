"""What left the country under a license, what arrived, and through whose hands it went."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, Text
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


class Delivery(Base):
    """What arrived of a shipment, as somebody told; several may add up to one shipment.

    `milestone` is what was reached: only those at the license's own count as delivered.
    """

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "license_id", "reference", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    shipment_id: Mapped[int] = mapped_column(ForeignKey(Shipment.id), index=True)
    reference: Mapped[str]
    arrived_on: Mapped[date]
    milestone: Mapped[str] = mapped_column(server_default="arrival")
    quantity: Mapped[Decimal | None]
    serials: Mapped[list[str]] = mapped_column(ARRAY(Text))
    site: Mapped[str | None]
    grade: Mapped[str]
    said_by: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    sent: Mapped[dict[str, Any]]
    filed_by: Mapped[str]
    received_at: Mapped[datetime]


class Custody(Base):
    """A unit changed hands, place or state. A wrong one is corrected by another, never edited.

    `event` is its author's own name for it; several units may share one event. `statement` is the
    id under which monitors hear of it as of any statement about the unit.
    """

    __tablename__ = "custody"
    __table_args__ = (
        Index(None, "license_id", "serial", "at"),
        Index(None, "license_id", "event", "serial", unique=True),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    event: Mapped[str]
    statement: Mapped[UUID] = mapped_column(default=uuid4)
    serial: Mapped[str]
    at: Mapped[datetime]
    disposition: Mapped[str | None]
    from_party: Mapped[str | None]
    to_party: Mapped[str | None]
    site: Mapped[str | None]
    authorized: Mapped[bool | None]
    source_kind: Mapped[str]
    grade: Mapped[str]
    said_by: Mapped[str]
    filed_by: Mapped[str]
    received_at: Mapped[datetime]
    corrected_at: Mapped[datetime | None]


class Capture(Base):
    """One EPCIS capture: what was sent together, and what became of each event in it."""

    __tablename__ = "custody_captures"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    said_by: Mapped[str] = mapped_column(index=True)
    filed_by: Mapped[str]
    error_behaviour: Mapped[str]
    success: Mapped[bool]
    events: Mapped[list[Any]]
    received_at: Mapped[datetime]


class CapturedEvent(Base):
    """An EPCIS event as it came, and what was made of it for a license (none: of no unit here).

    Rows are only ever added. `digest` is that of the whole event as it was sent; `body` has the
    fields that EPCIS defines and no others. `in_error` is an event that declares the one of the same
    `event_id` wrong.
    """

    __tablename__ = "custody_events"
    __table_args__ = (
        Index(
            "ix_custody_events_captured",
            "said_by",
            "event_id",
            "in_error",
            "license_id",
            unique=True,
            postgresql_where="verdict = 'captured'",
        ),
        Index(None, "said_by", "event_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    capture_id: Mapped[UUID] = mapped_column(ForeignKey(Capture.id), index=True)
    position: Mapped[int]
    license_id: Mapped[int | None] = mapped_column(ForeignKey(License.id), index=True)
    event_id: Mapped[str]
    event_time: Mapped[datetime]
    record_time: Mapped[datetime]
    type: Mapped[str]
    in_error: Mapped[bool]
    body: Mapped[dict[str, Any]]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    verdict: Mapped[str]
    reason: Mapped[str | None]
    said_by: Mapped[str]
    filed_by: Mapped[str]


class Alias(Base):
    """What a party or site is called in EPCIS events: a GLN with its extension, or a URI."""

    __tablename__ = "aliases"
    __table_args__ = (CheckConstraint("kind IN ('party', 'site')", name="kind"),)

    identifier: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    reference: Mapped[str]
    filed_by: Mapped[str]
    created_at: Mapped[datetime]


class Transfer(Base):
    """Units are to pass to another party, if the authority says so. Whoever asks does not decide."""

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("person_of(decided_by) <> person_of(asked_by)", name="second_person"),
        CheckConstraint("(state = 'asked') = (decided_at IS NULL)", name="whole_decision"),
        CheckConstraint("state IN ('asked', 'authorized', 'refused')", name="state"),
        Index(None, "license_id", "reference", unique=True),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    reference: Mapped[str]
    serials: Mapped[list[str]] = mapped_column(ARRAY(Text))
    to_party: Mapped[dict[str, Any]]
    to_site: Mapped[dict[str, Any] | None]
    role: Mapped[str]
    ground: Mapped[str]
    sent: Mapped[dict[str, Any]]
    asked_by: Mapped[str]
    said_by: Mapped[str]
    asked_at: Mapped[datetime]
    state: Mapped[str]
    decision_ground: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    acknowledgment_due_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledgment: Mapped[dict[str, Any] | None]
