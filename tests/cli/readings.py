"""Files of readings, as people might hand them in, and the model they are read for."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import openpyxl
from pydantic import AwareDatetime, BaseModel, Field

from app.cli import tables
from app.cli.tables import BadRow, Row

Read = Callable[..., list[Row | BadRow]]


class Position(BaseModel):
    lat: float
    lon: float


class Mode(StrEnum):
    VERIFY = "verify_1_1"
    IDENTIFY = "identify_1_n"


class Session(BaseModel):
    country: str


class Facts(BaseModel):
    gallery_size: Annotated[int, Field(ge=0)] | None = None
    false_match_rate: float | None = None
    seal_intact: bool | None = None
    match_modes: list[Mode] | None = None
    oldest_days: list[int] | None = None
    certified_on: date | None = None
    position: Position | None = None
    remote_sessions: list[Session] | None = None
    software_version: str | None = None


class Period(BaseModel):
    start: date = Field(alias="from")


class Reading(BaseModel):
    license: str
    serial: str
    observed_at: AwareDatetime
    facts: Facts
    amount: Decimal | None = None
    period: Period | None = None
    terms: dict[str, object] | None = None
    unit: Literal["piece", "set"] | None = None
    followed_by: "Reading | None" = None


LAYOUT = tables.layout_from_model(Reading, bare=["facts"], aliases={"License no": "license"})
RECORD: dict[str, object] = {
    "license": "BX-1",
    "serial": "FR-1",
    "observed_at": "2026-03-02T10:00:00Z",
    "facts": {"gallery_size": 40, "position": {"lat": -1.5, "lon": 36.0}},
}
HEADER = ["license", "serial", "observed_at", "gallery_size", "position.lat", "position.lon"]
CELLS: list[object] = ["BX-1", "FR-1", "2026-03-02T10:00:00Z", 40, -1.5, 36.0]


def workbook(
    *rows: Sequence[object], sheets: Mapping[str, Sequence[object]] | None = None
) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(list(row))
    for title, cells in (sheets or {}).items():
        book.create_sheet(title).append(list(cells))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


CONTENTS = {
    "json": json.dumps([RECORD]).encode(),
    "ndjson": json.dumps(RECORD).encode() + b"\n",
    "csv": ",".join(HEADER).encode() + b"\n" + ",".join(map(str, CELLS)).encode() + b"\n",
    "xlsx": workbook(HEADER, CELLS),
}


def reader(folder: Path) -> Read:
    """Make what writes a file into the folder and reads it back."""

    def read(name: str, content: bytes | str, **how: object) -> list[Row | BadRow]:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(tables.read(path, LAYOUT, **how))  # type: ignore[arg-type]

    return read


def only_row(records: list[Row | BadRow]) -> Row:
    [row] = records
    assert isinstance(row, Row), row
    return row


def only_fault(records: list[Row | BadRow]) -> str:
    [bad] = records
    assert isinstance(bad, BadRow), bad
    return str(bad)
