"""Reads the worksheets of xlsx files, once it is sure that they do not swell beyond measure."""

import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, TypeVar

import openpyxl

from app.cli.layouts import FileTrouble
from app.cli.rows import Records, Unreadable

SHEET_LIMIT = 2**30  # bytes of an xlsx file once unpacked
SHEET_RATIO = 200  # how often a part of an xlsx file may exceed its packed size …
SHEET_SMALL = 2**20  # … unless it is no larger than this, in bytes
ROW_LIMIT = 1_048_576  # rows a worksheet can have, by the xlsx format

_OLE = b"\xd0\xcf\x11\xe0"

_Result = TypeVar("_Result")


@contextmanager
def opened(stream: IO[bytes], file: IO[bytes], sheet: str | None) -> Iterator[Records]:
    """Give the records of the worksheet with this name, else of the first; raise FileTrouble.

    `file` is as on the disk; a `stream` that is not the same is what was packed in it.
    """
    with ExitStack() as stack:
        if stream is not file:
            file = stack.enter_context(tempfile.TemporaryFile())
            _unpack(stream, file)
        _refuse_bombs(file)
        book = _quietly(lambda: openpyxl.load_workbook(file, read_only=True, keep_links=False))
        stack.callback(book.close)
        yield _records(_worksheet(book, sheet))


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


def _records(sheet: Any) -> Records:
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
        return Unreadable("a formula; paste values")
    if cell.data_type == "e":
        return Unreadable(f"the spreadsheet's error {cell.value}")
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
