"""The reconciliation of a license as CSV and XLSX. No cell is ever a formula.

A cell that begins with `=`, `+`, `-` or `@`, or with a tab or line break before them, is run by
spreadsheet programs (OWASP: CSV injection). In XLSX such a cell is marked as text; CSV has no types,
so an apostrophe stands before it there.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font

from app.assessments.balance import PLACES, Account, plain

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
CSV, XLSX = (
    "text/csv; charset=utf-8",
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
)

Cell = str | Decimal | date | datetime | None
Table = tuple[str, Sequence[str], Iterator[Sequence[Cell]]]


def tables(account: Account) -> list[Table]:
    """Lay the account out as three tables: lines, units, gaps."""
    return [
        (
            "lines",
            ("line", "unit", "authorized", "shipped", "delivered", "accounted_for", *PLACES),
            (
                (
                    Decimal(one.line),
                    one.unit,
                    one.authorized,
                    one.shipped,
                    one.delivered,
                    one.accounted_for,
                    *one.places.values(),
                )
                for one in account.lines
            ),
        ),
        (
            "units",
            (
                "serial",
                "line",
                "shipment",
                "shipped_on",
                "delivered_on",
                "place",
                "since",
                "evidence",
                "last_heard_at",
                "last_heard_by",
            ),
            (
                (
                    one.serial,
                    Decimal(one.line),
                    one.shipment,
                    one.shipped_on,
                    one.delivered_on,
                    one.place,
                    one.since,
                    one.evidence,
                    one.last_heard_at,
                    one.last_heard_by,
                )
                for one in account.units
            ),
        ),
        (
            "gaps",
            ("kind", "line", "serial", "since", "due_at", "explanation"),
            (
                (
                    one.kind,
                    None if one.line is None else Decimal(one.line),
                    one.serial,
                    one.since,
                    one.due_at,
                    one.explanation,
                )
                for one in account.gaps
            ),
        ),
    ]


def as_csv(account: Account) -> bytes:
    """Write the three tables below one another, each row under the name of its table."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for name, heads, rows in tables(account):
        writer.writerow(["table", *heads])
        writer.writerows([name, *map(_text, row)] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def _text(value: Cell) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(STARTS_A_FORMULA) else value
    if isinstance(value, Decimal):
        return plain(value)
    return "" if value is None else _moment(value)


def _moment(value: date) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat()


def as_xlsx(account: Account) -> bytes:
    """Write the three tables as sheets of a workbook."""
    book = Workbook(write_only=True)
    for name, heads, rows in tables(account):
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        sheet.append([_cell(sheet, head, bold=True) for head in heads])
        for row in rows:
            sheet.append([_cell(sheet, value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(sheet: Any, value: Any, *, bold: bool = False) -> Any:
    """Write one cell. Text stays text whatever it begins with; times are text, in UTC."""
    if isinstance(value, Decimal):
        cell = WriteOnlyCell(sheet)
        cell.value = value
        return cell
    told = value if isinstance(value, str) or value is None else _moment(value)
    cell = WriteOnlyCell(sheet, value=None if told is None else ILLEGAL_CHARACTERS_RE.sub("", told))
    if told is not None:
        cell.data_type = "s"
        cell.quotePrefix = told.startswith(STARTS_A_FORMULA)
        cell.alignment = Alignment(vertical="top")
        cell.font = Font(bold=bold)
    return cell
