"""Reads the files people hand to `endwatch import` and `endwatch check`, record by record.

json, ndjson, csv and xlsx, each also as .gz or .zst. What is wrong with the file is raised as
`FileTrouble`; what is wrong with one row is yielded as `BadRow`, so that the caller counts it and
goes on. Everything but json and the shared strings of xlsx streams: memory does not grow with the
file. A blank cell is an absent field; blanks around a cell are dropped.
"""

import csv
import gzip
import io
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, TypeVar

import openpyxl
from openpyxl.utils import get_column_letter

from app.cli import layouts
from app.cli.layouts import FileTrouble, Layout, layout_from_model

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = [
    "BadRow",
    "FileTrouble",
    "Layout",
    "Row",
    "count_hint",
    "layout_from_model",
    "place",
    "read",
]

JSON_LIMIT = 64 * 2**20  # bytes; a json file is held in memory whole
LINE_LIMIT = 4 * 2**20  # bytes in one line of ndjson or csv
SHEET_LIMIT = 2**30  # bytes of an xlsx file once unpacked
SHEET_RATIO = 200  # how often a part of an xlsx file may exceed its packed size …
SHEET_SMALL = 2**20  # … unless it is no larger than this, in bytes
ROW_LIMIT = 1_048_576  # rows a worksheet can have, by the xlsx format

_DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error, zstd.ZstdError)
_FORMATS = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".xlsx": "xlsx",
}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"
_OLE = b"\xd0\xcf\x11\xe0"
_SAVE_AS = "save it as UTF-8 (in Excel: 'CSV UTF-8')"


@dataclass(frozen=True, slots=True)
class Row:
    """One record, nested as in the HTTP contract; `offset` is bytes of the file used so far."""

    number: int
    where: str
    values: dict[str, object]
    offset: int | None = None
    columns: Mapping[str, str] | None = None  # path -> what to call its column; None in JSON


@dataclass(frozen=True, slots=True)
class BadRow:
    """A record that could not be read; as text it is one line for a person."""

    number: int
    where: str
    detail: str
    offset: int | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.detail}"


@dataclass(frozen=True, slots=True)
class _Source:
    stream: io.BufferedReader  # unpacked
    file: IO[bytes]  # as on the disk

    def offset(self) -> int:
        return self.file.tell()


@dataclass(frozen=True, slots=True)
class _Heading:
    parts: tuple[str, ...]
    called: str
    convert: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class _Unreadable:
    detail: str


_Result = TypeVar("_Result")
_Cells = list[object]
_Records = Iterator[tuple[int, _Cells | _Unreadable]]


def read(
    path: Path, layout: Layout, *, sheet: str | None = None, json_limit: int = JSON_LIMIT
) -> Iterator[Row | BadRow]:
    """Yield the records of a file in order; raise FileTrouble, also on the way.

    `sheet` names the worksheet of an xlsx file (else the first); `json_limit` is in bytes.
    """
    try:
        form = _form(path)
        with _opened(path) as source:
            if form == "json":
                yield from _json(source, json_limit)
            elif form == "ndjson":
                yield from _ndjson(source)
            elif form == "csv":
                yield from _csv(source, layout)
            else:
                yield from _xlsx(source, layout, sheet)
    except (FileTrouble, *_DAMAGED, OSError) as error:
        raise FileTrouble(f"{path.name}: {_reason(error)}") from error


def count_hint(path: Path) -> int | None:
    """Return the bytes on the disk, against which `offset` measures progress."""
    return path.stat().st_size if path.is_file() else None


def place(row: Row, loc: Sequence[str | int]) -> str:
    """Say where in the file a validation error lies, given its pydantic location."""
    if not loc:
        return row.where
    if row.columns is None:
        return f"{row.where}, {_pointer(loc)}"
    path, rest = _column_of(row.columns, loc)
    if path is None:
        return f"{row.where}, column '{'.'.join(map(str, loc))}'"
    entry = f", entry {rest[0] + 1}" if rest and isinstance(rest[0], int) else ""
    return f"{row.where}, {row.columns[path]}{entry}{_pointer(rest[1:] if entry else rest, ', ')}"


def _pointer(loc: Sequence[str | int], lead: str = "") -> str:
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in loc]
    return lead + "".join(f"/{part}" for part in parts) if parts else ""


def _column_of(
    columns: Mapping[str, str], loc: Sequence[str | int]
) -> tuple[str | None, Sequence[str | int]]:
    """Find the column of a location, and what of the location lies inside its cell."""
    for length in range(len(loc), 0, -1):
        path = ".".join(str(part) for part in loc[:length])
        if path in columns:
            return path, loc[length:]
    return None, loc


def _form(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in {".gz", ".zst"}:
        suffixes.pop()
    form = _FORMATS.get(suffixes[-1]) if suffixes else None
    if form is None:
        known = ", ".join(_FORMATS)
        raise FileTrouble(f"unknown kind of file; known are {known}, each also with .gz or .zst")
    return form


def _reason(error: BaseException) -> str:
    if isinstance(error, FileTrouble):
        return str(error)
    if isinstance(error, _DAMAGED):
        return "the compressed data is damaged or cut short"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        unpacked: Any = file
        if path.suffix.lower() == ".gz":
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=file))
        elif path.suffix.lower() == ".zst":
            unpacked = stack.enter_context(zstd.ZstdFile(file))
        stream = file if unpacked is file else stack.enter_context(io.BufferedReader(unpacked))
        if not stream.peek(1):
            raise FileTrouble("the file is empty")
        yield _Source(stream, file)


def _skip_mark(source: _Source) -> None:
    """Step over a UTF-8 byte order mark; tell UTF-16, with a mark or without, by its bytes."""
    start = source.stream.peek(64)[:64]
    halves = start[0::2], start[1::2]
    if start.startswith(_UTF_16) or (len(start) > 1 and any(not any(half) for half in halves)):
        raise FileTrouble(f"the file is UTF-16; {_SAVE_AS}")
    if start.startswith(_UTF_8_MARK):
        source.stream.read(len(_UTF_8_MARK))


def _decoded(raw: bytes, first_line: int = 1) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + raw.count(b"\n", 0, error.start)
        raise FileTrouble(
            f"line {line} is not UTF-8 (byte 0x{raw[error.start]:02x}); {_SAVE_AS}"
        ) from None


def _lines(source: _Source) -> Iterator[str]:
    _skip_mark(source)
    number = 0
    while raw := source.stream.readline(LINE_LIMIT + 1):
        number += 1
        if len(raw) > LINE_LIMIT:
            raise FileTrouble(f"line {number} is longer than {LINE_LIMIT:,} bytes")
        yield _decoded(raw, number)


def _json(source: _Source, limit: int) -> Iterator[Row | BadRow]:
    _skip_mark(source)
    raw = source.stream.read(limit + 1)
    if len(raw) > limit:
        raise FileTrouble(f"more than {limit:,} bytes of JSON; write one record a line, as .ndjson")
    try:
        whole = layouts.parse_json(_decoded(raw))
    except ValueError as error:
        message = f"not JSON: {error}" if raw.strip() else "the file is empty"
        if "Extra data" in message:
            message += "; if every line is a record of its own, name the file .ndjson"
        raise FileTrouble(message) from None
    if not isinstance(whole, list | dict):
        raise FileTrouble("an object or an array of objects was expected")
    for number, item in enumerate(whole if isinstance(whole, list) else [whole], 1):
        yield _record(number, f"item {number}", item, source.offset())


def _ndjson(source: _Source) -> Iterator[Row | BadRow]:
    found = False
    for number, line in enumerate(_lines(source), 1):
        if not line.strip():
            continue
        found = True
        where, offset = f"line {number}", source.offset()
        try:
            value = layouts.parse_json(line.rstrip("\r\n"))
        except ValueError as error:
            yield BadRow(number, where, layouts.fault(error), offset)
        else:
            yield _record(number, where, value, offset)
    if not found:
        raise FileTrouble("the file is empty")


def _record(number: int, where: str, value: object, offset: int) -> Row | BadRow:
    if isinstance(value, dict):
        return Row(number, where, value, offset)
    return BadRow(number, where, f"an object was expected, not {layouts.shown(value)}", offset)


def _csv(source: _Source, layout: Layout) -> Iterator[Row | BadRow]:
    lines = _lines(source)
    leading: list[str] = []
    for line in lines:
        leading.append(line)
        if line.strip():
            break
    delimiter = _delimiter(leading[-1], layout) if leading else ","
    return _tabulated(_csv_records(chain(leading, lines), delimiter), layout, source)


def _delimiter(header: str, layout: Layout) -> str:
    if "\r" in header.rstrip("\r\n"):
        raise FileTrouble(f"lines end in CR alone, as on old Macintoshes; {_SAVE_AS}")

    def fit(delimiter: str) -> tuple[int, int]:
        return layouts.familiar(next(csv.reader([header], delimiter=delimiter)), layout)

    try:
        return max(",;\t", key=fit)
    except csv.Error as error:
        raise FileTrouble(f"the header cannot be read: {error}") from None


def _csv_records(lines: Iterable[str], delimiter: str) -> _Records:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            yield number, [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            # The reader starts afresh at the next line, so one bad quote costs its own row only.
            yield number, _Unreadable(f"quotes that do not pair, or a cell too long ({error})")


def _tabulated(
    records: _Records, layout: Layout, source: _Source, *, lettered: bool = False
) -> Iterator[Row | BadRow]:
    headings: list[_Heading] | None = None
    called: dict[str, str] = {}
    for number, cells in records:
        where, offset = f"row {number}", source.offset()
        if isinstance(cells, _Unreadable):
            if headings is None:
                raise FileTrouble(f"{where}: {cells.detail}")
            yield BadRow(number, where, cells.detail, offset)
        elif all(cell == "" for cell in cells):
            continue
        elif headings is None:
            headings = _headings(cells, layout, lettered=lettered)
            called = {".".join(column.parts): column.called for column in headings}
        else:
            if lettered:
                cells.extend([""] * (len(headings) - len(cells)))
            yield _tabular_row(Row(number, where, {}, offset, called), cells, headings)
    if headings is None:
        raise FileTrouble("the file is empty")


def _headings(cells: _Cells, layout: Layout, *, lettered: bool) -> list[_Heading]:
    names = [cell.detail if isinstance(cell, _Unreadable) else str(cell) for cell in cells]
    while not names[-1]:
        names.pop()
    headings = []
    for number, path in enumerate(layouts.resolve(names, layout)):
        letter = get_column_letter(number + 1)
        if path is None:
            headings.append(_Heading((), f"column {letter}", _nameless))
            continue
        name = " ".join(names[number].split())
        called = f"column {letter} '{name}'" if lettered else f"column '{name}'"
        convert = layouts.converter(layout.columns[path])
        headings.append(_Heading(tuple(path.split(".")), called, convert))
    return headings


def _nameless(cell: object) -> object:
    message = f"{layouts.shown(cell)} stands in a column without a name"
    raise layouts.CellRefused(message)


def _tabular_row(row: Row, cells: _Cells, headings: list[_Heading]) -> Row | BadRow:
    while len(cells) > len(headings) and cells[-1] == "":
        cells.pop()
    if len(cells) != len(headings):
        detail = f"{len(cells)} cells where the header has {len(headings)}"
        return BadRow(row.number, row.where, detail, row.offset)
    values: list[tuple[tuple[str, ...], object]] = []
    faults: list[tuple[str, str]] = []
    for cell, heading in zip(cells, headings, strict=True):
        if isinstance(cell, _Unreadable):
            faults.append((heading.called, cell.detail))
        elif cell != "":
            try:
                values.append((heading.parts, heading.convert(cell)))
            except layouts.CellRefused as refused:
                faults.append((heading.called, str(refused)))
    if faults:
        (column, detail), *others = faults
        detail += "".join(f"; {called}: {also}" for called, also in others)
        return BadRow(row.number, f"{row.where}, {column}", detail, row.offset)
    return Row(row.number, row.where, layouts.nest(values), row.offset, row.columns)


def _xlsx(source: _Source, layout: Layout, sheet: str | None) -> Iterator[Row | BadRow]:
    with ExitStack() as stack:
        file: IO[bytes] = source.file
        if source.stream is not source.file:
            file = stack.enter_context(tempfile.TemporaryFile())
            _unpack(source.stream, file)
        _refuse_bombs(file)
        book = _quietly(lambda: openpyxl.load_workbook(file, read_only=True, keep_links=False))
        stack.callback(book.close)
        chosen = _worksheet(book, sheet)
        yield from _tabulated(_xlsx_records(chosen), layout, source, lettered=True)


def _unpack(stream: IO[bytes], file: IO[bytes]) -> None:
    while chunk := stream.read(2**20):
        file.write(chunk)
        if file.tell() > SHEET_LIMIT:
            raise FileTrouble(f"unpacks to more than {SHEET_LIMIT:,} bytes")
    file.seek(0)


def _refuse_bombs(file: IO[bytes]) -> None:
    """Judge by the sizes the zip declares: Python's zipfile never unpacks more than these."""
    if file.read(len(_OLE)) == _OLE:
        raise FileTrouble("an old .xls or a workbook with a password; save it as plain .xlsx")
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise FileTrouble(f"not an xlsx file ({error})") from None
    swollen = any(
        part.file_size > max(SHEET_SMALL, part.compress_size * SHEET_RATIO) for part in parts
    )
    if swollen or sum(part.file_size for part in parts) > SHEET_LIMIT:
        raise FileTrouble("unpacks to far more than a spreadsheet would; use csv for large tables")


def _worksheet(book: openpyxl.Workbook, sheet: str | None) -> Any:
    sheets = {worksheet.title: worksheet for worksheet in book.worksheets}
    if sheet is None and sheets:
        return next(iter(sheets.values()))
    if sheet not in sheets:
        raise FileTrouble(f"no worksheet {sheet or ''!r}; there are: {', '.join(sheets) or 'none'}")
    return sheets[sheet]


def _xlsx_records(sheet: Any) -> _Records:
    sheet.reset_dimensions()  # The dimensions some programs write are wrong and cut rows off.
    rows = sheet.iter_rows()
    for number in range(1, ROW_LIMIT + 1):
        row = _quietly(lambda: next(rows, None))
        if row is None:
            return
        yield number, [_cell(cell) for cell in row]
    raise FileTrouble(f"more than {ROW_LIMIT:,} rows")


def _cell(cell: Any) -> object:
    if cell.data_type == "f":
        return _Unreadable("a formula; paste values")
    if cell.data_type == "e":
        return _Unreadable(f"the spreadsheet's error {cell.value}")
    if isinstance(cell.value, str):
        return cell.value.strip()
    return "" if cell.value is None else cell.value


def _quietly(act: Callable[[], _Result]) -> _Result:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and validations that do not matter here
            return act()
    except Exception as error:  # openpyxl raises whatever a malformed part made it stumble over
        raise FileTrouble(f"not a sound xlsx file ({type(error).__name__})") from error
