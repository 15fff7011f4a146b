"""The reconciliation of a license over HTTP: JSON, CSV and XLSX."""

from datetime import date, datetime

from fastapi import APIRouter, Response

from app.access.router import Reader
from app.assessments import reconciliation, reconciliation_sheets
from app.assessments.balance import Account, Gap, LineAccount, UnitAccount
from app.assessments.reconciliation_sheets import CSV, XLSX
from app.clock import Now
from app.database import SessionDep
from app.licenses.models import License
from app.licenses.service import LicenseUnknown
from app.licenses.show import decimal
from app.wire import Moment, Out, problems

router = APIRouter(prefix="/v1/licenses/{number}", tags=["reconciliation"])


class LineReconciled(Out):
    """One line: what was authorized, shipped, delivered and accounted for, in its unit.

    `places` says where what was delivered stands, and sums up to it.
    """

    line: int
    unit: str
    authorized: str
    shipped: str
    delivered: str
    accounted_for: str
    places: dict[str, str]


class UnitReconciled(Out):
    """One unit by serial number; `place` is null while it is not told delivered."""

    serial: str
    line: int
    shipment: str
    shipped_on: date
    delivered_on: date | None
    place: str | None
    since: Moment | None
    evidence: str | None
    last_heard_at: Moment | None
    last_heard_by: str | None


class GapOut(Out):
    """Something that does not add up: since when, why, and until when it is awaited."""

    kind: str
    line: int | None
    serial: str | None
    since: date
    due_at: Moment | None
    explanation: str


class ReconciliationOut(Out):
    """What was authorized, shipped, delivered and accounted for, and every gap explained."""

    license: str
    as_of: Moment
    delivered_when: str
    lines: list[LineReconciled]
    units: list[UnitReconciled]
    gaps: list[GapOut]


@router.get("/reconciliation", responses=problems(LicenseUnknown))
def read(number: str, reader: Reader, session: SessionDep, now: Now) -> ReconciliationOut:
    """Read what was authorized, shipped, delivered and accounted for; each gap dated, explained."""
    license, account = reconciliation.reconcile(session, number, party=reader.reads_only, now=now)
    return show(license, account, now)


def show(license: License, account: Account, now: datetime) -> ReconciliationOut:
    """Show an account as it is sent."""
    return ReconciliationOut(
        license=license.number,
        as_of=now,
        delivered_when=license.delivered_when,
        lines=[_line(one) for one in account.lines],
        units=[_unit(one) for one in account.units],
        gaps=[_gap(one) for one in account.gaps],
    )


def _line(one: LineAccount) -> LineReconciled:
    return LineReconciled(
        line=one.line,
        unit=one.unit,
        authorized=decimal(one.authorized),
        shipped=decimal(one.shipped),
        delivered=decimal(one.delivered),
        accounted_for=decimal(one.accounted_for),
        places={place: decimal(count) for place, count in one.places.items() if count},
    )


def _unit(one: UnitAccount) -> UnitReconciled:
    return UnitReconciled.model_validate(one)


def _gap(one: Gap) -> GapOut:
    return GapOut.model_validate(one)


def _file(kind: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="reconciliation.{kind}"'}


@router.get(
    "/reconciliation.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}, **problems(LicenseUnknown)},
)
def as_csv(number: str, reader: Reader, session: SessionDep, now: Now) -> Response:
    """Read the reconciliation as CSV: lines, units and gaps below one another."""
    _, account = reconciliation.reconcile(session, number, party=reader.reads_only, now=now)
    body = reconciliation_sheets.as_csv(account)
    return Response(body, media_type=CSV, headers=_file("csv"))


@router.get(
    "/reconciliation.xlsx",
    response_class=Response,
    responses={200: {"content": {XLSX: {}}}, **problems(LicenseUnknown)},
)
def as_xlsx(number: str, reader: Reader, session: SessionDep, now: Now) -> Response:
    """Read the reconciliation as a workbook: a sheet each for lines, units and gaps."""
    _, account = reconciliation.reconcile(session, number, party=reader.reads_only, now=now)
    body = reconciliation_sheets.as_xlsx(account)
    return Response(body, media_type=XLSX, headers=_file("xlsx"))
