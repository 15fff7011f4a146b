import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.cli import tables
from app.cli.layouts import Column
from app.cli.tables import BadRow, FileTrouble, Row
from tests.cli.readings import (
    CELLS,
    CONTENTS,
    HEADER,
    LAYOUT,
    RECORD,
    Read,
    Reading,
    only_fault,
    only_row,
    reader,
    workbook,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FIRST = "license,serial,observed_at"
START = "BX-1,FR-1,2026-03-02T10:00:00Z"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstd.compress,
}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return reader(tmp_path)


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


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\xef\xbb\xbf\n\n", "empty"),
        ("a.json", b" ", "empty"),
        ("a.ndjson", b"\n\n", "empty"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "empty"),
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
        ("a.csv.gz", gzip.compress(CONTENTS["csv"], mtime=0)[:-9], "damaged or cut short"),
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
