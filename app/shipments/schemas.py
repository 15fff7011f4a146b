"""Shipments and the ledger as they are sent and shown."""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.journal import Receipt
from app.licenses.schemas import Amount, Currency, Day, Milestone, Number
from app.wire import Moment, Out, Strict
from monitors import Code, Grade

Serial = Code
Disposition = Literal[
    "in_use", "stored", "lost", "stolen", "destroyed", "transferred", "returned", "disposed"
]


def _once(serials: list[str]) -> list[str]:
    twice = sorted(serial for serial, count in Counter(serials).items() if count > 1)
    if twice:
        raise ValueError(f"serials given twice: {', '.join(twice[:5])}")
    return serials


Serials = Annotated[list[Serial], Field(max_length=10_000), AfterValidator(_once)]


class ShipmentValue(Strict):
    """An amount of money; decimals travel as text."""

    amount: Amount
    currency: Currency


class ShipmentIn(Strict):
    """An export declaration: what left under one line of a license."""

    license: Number
    reference: Code
    line: Annotated[int, Field(ge=1, le=9999)]
    date: date
    quantity: Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=4)]
    value: ShipmentValue | None = None
    serials: Serials = []
    consignee: Code | None = Field(default=None, description="Reference of the consignee")
    site: Code | None = Field(default=None, description="Reference of the site it goes to")
    itn: Annotated[str, StringConstraints(pattern=r"^X\d{14}$", strip_whitespace=True)] | None = (
        Field(default=None, description="Internal Transaction Number (US): X and 14 digits")
    )
    mrn: (
        Annotated[
            str, StringConstraints(pattern=r"^\d{2}[A-Z]{2}[A-Z0-9]{14}$", strip_whitespace=True)
        ]
        | None
    ) = Field(default=None, description="Movement Reference Number (EU), 18 characters")


class ShipmentOut(Out):
    """A shipment on file, and what is left on its line."""

    license: str
    reference: str
    line: int
    date: date
    quantity: str
    units: int
    remaining_quantity: str
    remaining_value: str | None
    receipt: Receipt


class LedgerUnit(Out):
    """A unit by serial number."""

    serial: str
    line: int
    shipment: str
    shipped_on: date
    consignee: str | None
    site: str | None


class LedgerLine(Out):
    """What a line authorized and what was shipped from it."""

    line: int
    unit: str
    currency: str | None
    authorized_quantity: str
    shipped_quantity: str
    remaining_quantity: str
    authorized_value: str | None
    shipped_value: str
    remaining_value: str | None
    shipments: list[str]


class LedgerOut(Out):
    """The drawdown ledger of a license, by line and by serial."""

    license: str
    lines: list[LedgerLine]
    units: list[LedgerUnit]


class DeliveryIn(Strict):
    """What arrived of a shipment, whole or in part.

    With neither quantity nor serials it says only that something arrived.
    """

    license: Number
    reference: Code
    shipment: Code = Field(description="Reference of the shipment that arrived")
    arrived_on: Day
    milestone: Milestone = Field(
        default="arrival",
        description="What was reached that day; what the license calls delivered counts as such",
    )
    quantity: Annotated[Decimal, Field(ge=0, max_digits=20, decimal_places=4)] | None = None
    serials: Serials = []
    site: Code | None = Field(default=None, description="Reference of the site it arrived at")

    @field_validator("serials")
    @classmethod
    def _no_more_than_arrived(cls, serials: list[str], info: ValidationInfo) -> list[str]:
        quantity = info.data.get("quantity")
        if quantity is not None and len(serials) > quantity:
            raise ValueError(
                f"{len(serials)} serials, but only {quantity} arrived; correct one of them, or leave "
                "the quantity out"
            )
        return serials


class DeliveryOut(Out):
    """A delivery on file. Outstanding is what its author has not told to have come as far."""

    license: str
    reference: str
    shipment: str
    arrived_on: date
    milestone: str
    quantity: str | None
    units: int
    outstanding_quantity: str
    receipt: Receipt


class DeliveryFiled(Out):
    """A delivery as it was told, by whom, and what that is worth."""

    reference: str
    shipment: str
    arrived_on: date
    milestone: str
    quantity: str | None
    serials: list[str]
    site: str | None
    grade: Grade
    said_by: str
    received_at: Moment


class CustodyIn(Strict):
    """Units changed hands, place or state. An event that only corrects another says nothing else."""

    reference: Code
    at: Moment
    serials: Annotated[Serials, Field(min_length=1)]
    disposition: Disposition | None = None
    from_party: Code | None = Field(default=None, description="Reference of who gave them away")
    to_party: Code | None = Field(default=None, description="Reference of who holds them now")
    site: Code | None = Field(default=None, description="Reference of the site they are at now")
    authorized: bool | None = Field(
        default=None, description="Whether it was authorized beforehand; for the authority to say"
    )
    corrects: Code | None = Field(
        default=None, description="Reference of the earlier event that was wrong"
    )

    @field_validator("corrects")
    @classmethod
    def _another(cls, corrects: str | None, info: ValidationInfo) -> str | None:
        if corrects is not None and corrects == info.data.get("reference"):
            raise ValueError(
                "an event cannot correct itself; give the correction its own reference"
            )
        return corrects

    @model_validator(mode="after")
    def _says_something(self) -> "CustodyIn":
        said = (self.disposition, self.from_party, self.to_party, self.site, self.corrects)
        if all(word is None for word in said):
            raise ValueError("say what happened: disposition, from_party, to_party or site")
        return self


class CustodyOut(Out):
    """A custody event on file."""

    license: str
    reference: str
    at: Moment
    units: int
    grade: Grade
    said_by: str
    received_at: Moment


class CustodyFiled(Out):
    """What a custody event tells of one unit, by whom, and whether it was corrected since."""

    reference: str
    serial: str
    at: Moment
    disposition: str | None
    from_party: str | None
    to_party: str | None
    site: str | None
    authorized: bool | None
    grade: Grade
    said_by: str
    received_at: Moment
    corrected_at: Moment | None
