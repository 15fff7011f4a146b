import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from app.cli import sheets
from app.cli.tables import FileTrouble, Row
from tests.cli.readings import (
    CELLS,
    CONTENTS,
    HEADER,
    Read,
    only_fault,
    only_row,
    reader,
    workbook,
)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return reader(tmp_path)


def sheet_of(name: str, cell: object) -> bytes:
    return workbook([*HEADER[:3], name], [*CELLS[:3], cell])


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("gallery_size", 40.0, 40),
        ("seal_intact", True, True),
        ("seal_intact", 1, True),
        ("certified_on", datetime(2026, 3, 2, tzinfo=UTC).replace(tzinfo=None), "2026-03-02"),
        ("certified_on", date(2026, 3, 2), "2026-03-02"),
        ("software_version", 42, "42"),
        ("oldest_days", 3, [3]),
        ("false_match_rate", 1e-6, 1e-6),
    ],
)
def test_what_excel_made_of_a_value_is_undone(
    read: Read, name: str, cell: object, value: object
) -> None:
    row = only_row(read("a.xlsx", sheet_of(name, cell)))
    assert row.values["facts"] == {name: value}


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        ("gallery_size", "=A1+1", "a formula; paste values"),
        ("gallery_size", "#N/A", "the spreadsheet's error #N/A"),
        ("gallery_size", 40.5, "'40.5' is not a whole number"),
        ("gallery_size", True, "'True' is not a whole number"),
        ("software_version", 1.2345678901234568e17, "format the column as text"),
        ("software_version", 1234567890123456, "format the column as text"),
        ("software_version", 4.2, "format the column as text"),
        ("software_version", date(2026, 3, 2), "the date 2026-03-02T00:00:00 is not text any more"),
        ("certified_on", 46083, "'46083' is not a date such as 2026-03-02"),
    ],
)
def test_what_excel_spoiled_is_told_with_its_cell(
    read: Read, name: str, cell: object, expected: str
) -> None:
    fault = only_fault(read("a.xlsx", sheet_of(name, cell)))
    assert fault.startswith(f"row 2, column D '{name}': ")
    assert expected in fault


def test_an_excel_date_is_no_time_because_it_has_no_zone(read: Read) -> None:
    naive = datetime(2026, 3, 2, 10, tzinfo=UTC).replace(tzinfo=None)
    fault = only_fault(read("a.xlsx", workbook(HEADER[:3], ["BX-1", "FR-1", naive])))
    assert "row 2, column C 'observed_at': the date 2026-03-02T10:00:00 is not" in fault
    assert "format the column as text and add a time zone" in fault


def test_blank_rows_and_short_rows_of_a_sheet_are_no_trouble(read: Read) -> None:
    rows = read("a.xlsx", workbook([], HEADER, [None, " "], CELLS[:3], [*CELLS, None, " "]))
    assert [row.number for row in rows] == [4, 5]
    assert all(isinstance(row, Row) for row in rows)


def test_another_sheet_is_read_only_by_its_name(read: Read) -> None:
    content = workbook(HEADER, CELLS, sheets={"Later": HEADER})
    assert len(read("a.xlsx", content)) == 1
    assert read("a.xlsx", content, sheet="Later") == []
    with pytest.raises(FileTrouble, match="no worksheet 'Gone'; there are: Sheet, Later"):
        read("a.xlsx", content, sheet="Gone")


def zip_of(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return target.getvalue()


def test_a_zip_bomb_is_refused_unopened(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileTrouble, match="unpacks to far more than a spreadsheet would"):
        read("a.xlsx", zip_of("xl/workbook.xml", bytes(2 * sheets.SHEET_SMALL)))
    monkeypatch.setattr(sheets, "SHEET_LIMIT", 1000)
    with pytest.raises(FileTrouble, match="unpacks to far more than a spreadsheet would"):
        read("a.xlsx", CONTENTS["xlsx"])
    with pytest.raises(FileTrouble, match="unpacks to more than 1,000 bytes"):
        read("a.xlsx.gz", gzip.compress(CONTENTS["xlsx"]))


def test_a_zip_that_is_no_workbook_or_a_broken_one_is_told(read: Read) -> None:
    with pytest.raises(FileTrouble, match="not a sound xlsx file"):
        read("a.xlsx", zip_of("hello.txt", b"hello"))
    with zipfile.ZipFile(io.BytesIO(CONTENTS["xlsx"])) as whole:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as broken:
            for part in whole.namelist():
                content = whole.read(part)
                broken.writestr(part, content[:-40] if "sheet1" in part else content)
    with pytest.raises(FileTrouble, match="not a sound xlsx file"):
        read("a.xlsx", target.getvalue())
