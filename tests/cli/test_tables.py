import csv
import gzip
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from app.cli import tables
from app.cli.layouts import Column, converter
from app.cli.tables import BadRow, FileTrouble, Row

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


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
FIRST = "license,serial,observed_at"
START = "BX-1,FR-1,2026-03-02T10:00:00Z"


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
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstd.compress,
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[Row | BadRow]]:
    def written(name: str, content: bytes | str, **how: object) -> list[Row | BadRow]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(tables.read(path, LAYOUT, **how))  # type: ignore[arg-type]

    return written


Read = Callable[..., list[Row | BadRow]]


def only_row(records: list[Row | BadRow]) -> Row:
    [row] = records
    assert isinstance(row, Row), row
    return row


def only_fault(records: list[Row | BadRow]) -> str:
    [bad] = records
    assert isinstance(bad, BadRow), bad
    return str(bad)


def sheet_of(name: str, cell: object) -> bytes:
    return workbook([*HEADER[:3], name], [*CELLS[:3], cell])


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("form", CONTENTS)
def test_every_format_gives_the_record_of_the_contract(
    read: Read, tmp_path: Path, form: str, packing: str
) -> None:
    name = f"Readings.v2.{form.upper()}{packing}"
    row = only_row(read(name, PACK[packing](CONTENTS[form])))
    assert row.values == RECORD
    assert row.offset is not None
    assert 0 < row.offset <= (tables.count_hint(tmp_path / name) or 0)
    assert Reading.model_validate(row.values).facts.gallery_size == 40


def test_the_layout_follows_the_model() -> None:
    kinds = {path: column.kind for path, column in LAYOUT.columns.items()}
    assert kinds == {
        "license": "str",
        "serial": "str",
        "observed_at": "datetime",
        "facts.gallery_size": "int",
        "facts.false_match_rate": "number",
        "facts.seal_intact": "bool",
        "facts.match_modes": "list",
        "facts.oldest_days": "list",
        "facts.certified_on": "date",
        "facts.position.lat": "number",
        "facts.position.lon": "number",
        "facts.remote_sessions": "json",
        "facts.software_version": "str",
        "amount": "decimal",
        "period.from": "date",
        "terms": "json",
        "unit": "str",
        "followed_by": "json",
    }
    assert LAYOUT.columns["facts.oldest_days"].element == "int"
    required = {path for path, column in LAYOUT.columns.items() if column.required}
    assert required == {"license", "serial", "observed_at"}


class Unions(BaseModel):
    rate: int | float
    size: int | str
    day: date | datetime
    places: Position | list[int]
    grid: list[list[int]]
    loose: list  # type: ignore[type-arg]
    either: Position | Session
    itself: "list[Unions]"


def test_unions_and_nested_lists_have_a_kind() -> None:
    columns = tables.layout_from_model(Unions).columns
    assert [column.kind for column in columns.values()] == [
        "number",
        "str",
        "str",
        "json",
        "json",
        "json",
        "json",
        "json",
    ]


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("facts.match_modes", "verify_1_1; identify_1_n;", ["verify_1_1", "identify_1_n"]),
        ("facts.oldest_days", "3;4", [3, 4]),
        ("facts.gallery_size", "40.0", 40),
        ("facts.false_match_rate", "1e-4", 0.0001),
        ("facts.seal_intact", "Yes", True),
        ("facts.seal_intact", "0", False),
        ("facts.certified_on", "2026-03-02", "2026-03-02"),
        ("facts.remote_sessions", '[{"country": "KE"}]', [{"country": "KE"}]),
        ("amount", "480000.00", "480000.00"),
        ("observed_at", "2026-03-02 13:00+03:00", "2026-03-02T13:00:00+03:00"),
        ("serial", "=1+1", "=1+1"),
        ("facts.certified_on", date(2026, 3, 2), "2026-03-02"),
        ("amount", 480000.5, "480000.5"),
        ("amount", 480000, "480000"),
        ("terms", 5, 5),
    ],
)
def test_text_becomes_the_value_its_column_takes(column: str, cell: object, value: object) -> None:
    assert converter(LAYOUT.columns[column])(cell) == value


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("gallery_size", "forty", "'forty' is not a whole number"),
        ("gallery_size", "1_000", "'1_000' is not a whole number"),
        ("gallery_size", "40.5", "'40.5' is not a whole number"),
        ("false_match_rate", "nan", "'nan' is not a number such as 0.001"),
        ("false_match_rate", "1e999", "'1e999' is not a number such as 0.001"),
        ("seal_intact", "maybe", "'maybe' is not true or false (or yes, no, 1, 0)"),
        ("certified_on", "02.03.2026", "'02.03.2026' is not a date such as 2026-03-02"),
        ("certified_on", "2026-02-30", "'2026-02-30' is not a day of the calendar"),
        ("amount", "12,5", "'12,5' is not an amount such as 480000.00"),
        ("oldest_days", "3;x", "'x' is not a whole number"),
        ("terms", "{", "'{' is not JSON: Expecting property name"),
        ("terms", "NaN", "'NaN' is not JSON: NaN is not a JSON value"),
        ("terms", "[" * 100_000, "not JSON: nested too deeply"),
        ("gallery_size", "9" * 99, f"'{'9' * 40}…' is not a whole number"),
    ],
)
def test_a_cell_that_cannot_be_converted_costs_its_row(
    read: Read, column: str, cell: str, expected: str
) -> None:
    content = f"{FIRST};{column}".replace(",", ";") + f"\n{START.replace(',', ';')};"
    quoted = '"' + cell.replace('"', '""') + '"'
    fault = only_fault(read("a.csv", content + quoted))
    assert fault.startswith(f"row 2, column '{column}': ")
    assert expected in fault


def test_a_time_without_a_zone_is_refused_with_advice(read: Read) -> None:
    fault = only_fault(read("a.csv", f"{FIRST}\nBX-1,FR-1,2026-03-02 10:00"))
    assert fault.startswith("row 2, column 'observed_at': '2026-03-02 10:00' is not")
    assert fault.endswith("add a time zone, e.g. 2026-03-02T10:00:00Z")


def test_all_faults_of_a_row_are_told_and_the_next_row_is_read(read: Read) -> None:
    rows = f"{FIRST},gallery_size\nBX-1,FR-1,soon,many\n{START},7\n"
    bad, good = read("a.csv", rows)
    assert str(bad).startswith("row 2, column 'observed_at': 'soon' is not")
    assert str(bad).endswith("; column 'gallery_size': 'many' is not a whole number")
    assert isinstance(good, Row)
    assert good.number == 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_by_the_header(read: Read, delimiter: str) -> None:
    content = f"{FIRST},match_modes\n{START},\n".replace(",", delimiter)
    assert only_row(read("a.csv", content)).values["serial"] == "FR-1"


def test_csv_rows_are_numbered_as_an_editor_numbers_lines(read: Read) -> None:
    content = f'\n{FIRST},software_version\n{START},"4.2\nbeta"\n\n , ,,\n{START},5\n'
    rows = read("a.csv", content)
    assert [row.number for row in rows] == [3, 7]
    assert isinstance(rows[0], Row)
    assert rows[0].values["facts"] == {"software_version": "4.2\nbeta"}


def test_names_are_forgiving_and_trailing_columns_ignored(read: Read) -> None:
    content = f"\ufeffLICENSE no ,Serial, Observed At,Facts . Gallery Size,,\r\n{START}, 40 ,,\r\n"
    row = only_row(read("a.csv", content))
    assert row.values == {**RECORD, "facts": {"gallery_size": 40}}
    assert tables.place(row, ["license"]) == "row 2, column 'LICENSE no'"


def test_a_value_under_a_blank_heading_is_told(read: Read) -> None:
    content = f"license,,serial,observed_at\n{START.replace(',', ',,', 1)}\n"
    assert only_row(read("a.csv", content)).values["serial"] == "FR-1"
    fault = only_fault(read("a.csv", content.replace(",,FR-1", ",x,FR-1")))
    assert fault == "row 2, column B: 'x' stands in a column without a name"


@pytest.mark.parametrize("row", [f"{START},1,2", "BX-1,FR-1"])
def test_a_wrong_number_of_cells_costs_the_row(read: Read, row: str) -> None:
    count = row.count(",") + 1
    fault = only_fault(read("a.csv", f"{FIRST},gallery_size\n{row}\n"))
    assert fault == f"row 2: {count} cells where the header has 4"


def test_a_bad_quote_costs_only_its_row(read: Read) -> None:
    bad, good, open_ended = read("a.csv", f'{FIRST}\n"BX"1,,\n{START}\n"BX-1,FR-1,x\n')
    assert isinstance(good, Row)
    assert str(bad).startswith("row 2: quotes that do not pair")
    assert str(open_ended).startswith("row 4: quotes that do not pair")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"{FIRST},galery_size", "unknown column 'galery_size' (did you mean 'gallery_size'"),
        (f"{FIRST},qqqqq", "unknown column 'qqqqq'; "),
        ("license,observed_at,gallery_size", "missing column 'serial'"),
        (f"{FIRST},Serial", "columns 'serial' and 'Serial' say the same thing twice"),
        (f"{FIRST},gallery_size,facts.gallery_size", "say the same thing twice"),
        ("license|serial", "unknown column 'license|serial'"),
    ],
)
def test_a_wrong_header_is_told_whole(read: Read, header: str, expected: str) -> None:
    with pytest.raises(FileTrouble) as trouble:
        read("a.csv", f"{header}\n1,2,3\n")
    message = str(trouble.value)
    assert message.startswith("a.csv: ")
    assert expected.removesuffix("; ") in message
    assert "Known columns: license, serial, observed_at, facts.gallery_size, " in message
    assert "\n" not in message


def test_a_column_and_its_parent_do_not_go_together(tmp_path: Path) -> None:
    layout = tables.Layout({"facts": Column("json"), "facts.country": Column()})
    (tmp_path / "a.csv").write_text("facts,facts.country\n{},KE\n")
    with pytest.raises(FileTrouble, match=r"'facts' and 'facts\.country' say the same thing"):
        list(tables.read(tmp_path / "a.csv", layout))


def test_a_bare_name_never_hides_another_column() -> None:
    columns = {"a.size": Column(), "b.size": Column(), "unit": Column(), "a.unit": Column()}
    names = tables.Layout(columns, bare=("a", "b")).names()
    assert "size" not in names
    assert names["unit"] == "unit"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\xef\xbb\xbf\n\n", "empty"),
        ("a.json", b" ", "empty"),
        ("a.ndjson", b"\n\n", "empty"),
        ("a.csv.gz", gzip.compress(b""), "empty"),
        ("a.xlsx", workbook(), "empty"),
        ("a.ods", b"x", "unknown kind of file; known are .json, .ndjson"),
        ("gz", b"x", "unknown kind of file"),
        ("a.csv", f"{FIRST}\nBX-1,\xe9,x".encode("latin-1"), "line 2 is not UTF-8 (byte 0xe9)"),
        ("a.json", b'[\n\n"\xe9"]', "line 3 is not UTF-8"),
        ("a.csv", FIRST.encode("utf-16"), "UTF-16; save it as UTF-8 (in Excel: 'CSV UTF-8')"),
        ("a.csv", FIRST.encode("utf-16-be"), "UTF-16"),
        ("a.csv", FIRST.encode() + b"\r1,2,3\r", "CR alone"),
        ("a.csv", b"license" * 50_000, "the header cannot be read: field larger"),
        ("a.csv", b'license,serial,"x\n', "row 1: quotes that do not pair"),
        ("a.csv.gz", b"plain", "damaged or cut short"),
        ("a.csv.gz", gzip.compress(CONTENTS["csv"])[:-9], "damaged or cut short"),
        ("a.csv.zst", b"plain", "damaged or cut short"),
        ("a.csv.zst", zstd.compress(CONTENTS["csv"])[:-3], "damaged or cut short"),
        ("a.ndjson", b" " * (tables.LINE_LIMIT + 1), "line 1 is longer than"),
        ("a.json", b'{\n  "a": 1,\n  oops}', "line 3 column 3"),
        ("a.json", b'{"a": Infinity}', "not JSON: Infinity is not a JSON value"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.json", b"{}\n{}\n", "name the file .ndjson"),
        ("a.json", b"7", "an object or an array of objects was expected"),
        ("a.xlsx", b"license,serial", "not an xlsx file"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1", "an old .xls or a workbook with a password"),
    ],
)
def test_trouble_with_the_file_is_one_line(
    read: Read, name: str, content: bytes, expected: str
) -> None:
    with pytest.raises(FileTrouble) as trouble:
        read(name, content)
    message = str(trouble.value)
    assert message.startswith(f"{name}: ")
    assert expected in message
    assert "\n" not in message


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileTrouble, match=r"^gone\.csv: no such file$"):
        list(tables.read(tmp_path / "gone.csv", LAYOUT))
    with pytest.raises(FileTrouble, match=r"^folder\.csv: Is a directory$"):
        list(tables.read(tmp_path / "folder.csv", LAYOUT))
    assert tables.count_hint(tmp_path / "gone.csv") is None


def test_json_larger_than_the_limit_is_not_loaded(read: Read) -> None:
    with pytest.raises(FileTrouble, match=r"more than 10 bytes of JSON; .*\.ndjson"):
        read("a.json.gz", gzip.compress(b" " * 2**20), json_limit=10)


def test_one_object_is_a_list_of_one(read: Read) -> None:
    row = only_row(read("a.json", json.dumps(RECORD)))
    assert (row.number, row.where, row.values) == (1, "item 1", RECORD)
    assert read("a.json", "[]") == []


def test_json_records_that_are_not_objects_are_counted_and_passed(read: Read) -> None:
    bad, good = read("a.json", '["x", {}]')
    assert str(bad) == "item 1: an object was expected, not 'x'"
    assert isinstance(good, Row)
    lines = [str(line) for line in read("a.ndjson", '{"a" 1}\r\n\n[]\n1e5\n')]
    assert lines == [
        "line 1: not JSON: Expecting ':' delimiter at column 6",
        "line 3: an object was expected, not '[]'",
        "line 4: an object was expected, not '100000.0'",
    ]


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
        read("a.xlsx", zip_of("xl/workbook.xml", bytes(2 * tables.SHEET_SMALL)))
    monkeypatch.setattr(tables, "SHEET_LIMIT", 1000)
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


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("json", "item 1, /facts/gallery_size"),
        ("ndjson", "line 1, /facts/gallery_size"),
        ("csv", "row 2, column 'gallery_size'"),
        ("xlsx", "row 2, column D 'gallery_size'"),
    ],
)
def test_an_error_of_validation_is_placed_in_the_file(read: Read, form: str, expected: str) -> None:
    content = {
        "csv": CONTENTS["csv"].replace(b",40,", b",-1,"),
        "xlsx": workbook(HEADER, [*CELLS[:3], -1]),
    }.get(form, CONTENTS[form].replace(b" 40,", b" -1,"))
    row = only_row(read(f"a.{form}", content))
    with pytest.raises(ValidationError) as invalid:
        Reading.model_validate({**row.values, "facts": {"gallery_size": -1}})
    assert tables.place(row, invalid.value.errors()[0]["loc"]) == expected


def test_places_inside_and_outside_of_cells_have_words() -> None:
    called = {"facts.match_modes": "column 'modes'", "parties": "column 'parties'"}
    flat = Row(17, "row 17", {}, columns=called)
    assert tables.place(flat, []) == "row 17"
    assert tables.place(flat, ["facts", "match_modes", 1]) == "row 17, column 'modes', entry 2"
    assert tables.place(flat, ["parties", 0, "x"]) == "row 17, column 'parties', entry 1, /x"
    assert tables.place(flat, ["facts", "site"]) == "row 17, column 'facts.site'"
    nested = Row(3, "item 3", {})
    assert tables.place(nested, ["a/b", 0]) == "item 3, /a~1b/0"


def test_a_large_file_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write(f"{FIRST}\n")
        file.writelines(f"BX-1,FR-{number},2026-03-02T10:00:00Z\n" for number in range(50_000))
    records: Iterator[Row | BadRow] = tables.read(path, LAYOUT)
    row = list(islice(records, 10))[-1]
    assert row.number == 11
    assert row.offset == sum(len(line) for line in path.read_text().splitlines(True)[:11])


plain = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1).map(str.strip)
scalars: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {"s": plain.filter(bool), "i": st.integers(-(10**18), 10**18)},
    optional={
        "deep.n": st.floats(allow_nan=False, allow_infinity=False),
        "deep.er.b": st.booleans(),
        "deep.d": st.dates().map(date.isoformat),
        "t": st.datetimes(timezones=st.just(UTC)).map(lambda t: t.isoformat()[:-6] + "Z"),
        "m": st.decimals(-(10**9), 10**9, places=2).map(str),
    },
)
SCALARS = tables.Layout(
    {
        "s": Column(),
        "i": Column("int"),
        "deep.n": Column("number"),
        "deep.er.b": Column("bool"),
        "deep.d": Column("date"),
        "t": Column("datetime"),
        "m": Column("decimal"),
    }
)


def flattened(record: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in record.items():
        inner = flattened(value, f"{prefix}{name}.") if isinstance(value, dict) else None
        flat |= inner if inner is not None else {f"{prefix}{name}": value}
    return flat


@settings(deadline=None)  # it writes files
@given(records=st.lists(scalars, max_size=5), delimiter=st.sampled_from(",;\t"))
def test_scalars_survive_csv(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("round") / "trip.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(SCALARS.columns), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    rows = [row for row in tables.read(path, SCALARS) if isinstance(row, Row)]
    assert [flattened(row.values) for row in rows] == records
