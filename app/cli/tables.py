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
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

from app.cli import layouts, sheets
from app.cli.layouts import FileTrouble, Layout, layout_from_model
from app.cli.rows import BadRow, Records, Row, Unreadable, place, tabulated

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
_SAVE_AS = "save it as UTF-8 (in Excel: 'CSV UTF-8')"


@dataclass(frozen=True, slots=True)
class _Source:
    stream: io.BufferedReader  # unpacked
    file: IO[bytes]  # as on the disk

    def offset(self) -> int:
        return self.file.tell()


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
    return tabulated(_csv_records(chain(leading, lines), delimiter), layout, source.offset)


def _delimiter(header: str, layout: Layout) -> str:
    if "\r" in header.rstrip("\r\n"):
        raise FileTrouble(f"lines end in CR alone, as on old Macintoshes; {_SAVE_AS}")

    def fit(delimiter: str) -> tuple[int, int]:
        return layouts.familiar(next(csv.reader([header], delimiter=delimiter)), layout)

    try:
        return max(",;\t", key=fit)
    except csv.Error as error:
        raise FileTrouble(f"the header cannot be read: {error}") from None


def _csv_records(lines: Iterable[str], delimiter: str) -> Records:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            yield number, [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            # The reader starts afresh at the next line, so one bad quote costs its own row only.
            yield number, Unreadable(f"quotes that do not pair, or a cell too long ({error})")


def _xlsx(source: _Source, layout: Layout, sheet: str | None) -> Iterator[Row | BadRow]:
    with sheets.opened(source.stream, source.file, sheet) as records:
        yield from tabulated(records, layout, source.offset, lettered=True)
