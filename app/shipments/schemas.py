"""Shipments and the ledger as they are sent and shown."""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from app.licenses.schemas import Amount, Currency, Number
from app.wire import Out, Strict
from monitors import Code

Serial = Code


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
    serials: Annotated[list[Serial], Field(max_length=10_000)] = []
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

    @model_validator(mode="after")
    def _serials_once(self) -> "ShipmentIn":
        if len(set(self.serials)) != len(self.serials):
            twice = sorted(serial for serial, count in Counter(self.serials).items() if count > 1)
            raise ValueError(f"serials given twice: {', '.join(twice[:5])}")
        return self


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
