"""The rows of a file: what a header and cells become, and where in the file a fault lies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from openpyxl.utils import get_column_letter

from app.cli import layouts
from app.cli.layouts import FileTrouble, Layout


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
class Unreadable:
    """A cell, or a whole row, that the file's format spoiled; `detail` says how."""

    detail: str


Cells = list[object]
Records = Iterator[tuple[int, Cells | Unreadable]]
"""What a flat file holds, with the numbers of its rows; a blank cell is an empty text."""


@dataclass(frozen=True, slots=True)
class _Heading:
    parts: tuple[str, ...]
    called: str
    convert: Callable[[object], object]


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


def tabulated(
    records: Records, layout: Layout, used: Callable[[], int], *, lettered: bool = False
) -> Iterator[Row | BadRow]:
    """Yield the rows under the first record, which is the header; raise FileTrouble about it.

    `used` tells how many bytes of the file are read; `lettered` calls columns as a spreadsheet
    does, which also leaves out the blank cells at the end of a row.
    """
    headings: list[_Heading] | None = None
    called: dict[str, str] = {}
    for number, cells in records:
        where, offset = f"row {number}", used()
        if isinstance(cells, Unreadable):
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


def _headings(cells: Cells, layout: Layout, *, lettered: bool) -> list[_Heading]:
    names = [cell.detail if isinstance(cell, Unreadable) else str(cell) for cell in cells]
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


def _tabular_row(row: Row, cells: Cells, headings: list[_Heading]) -> Row | BadRow:
    while len(cells) > len(headings) and cells[-1] == "":
        cells.pop()
    if len(cells) != len(headings):
        detail = f"{len(cells)} cells where the header has {len(headings)}"
        return BadRow(row.number, row.where, detail, row.offset)
    values: list[tuple[tuple[str, ...], object]] = []
    faults: list[tuple[str, str]] = []
    for cell, heading in zip(cells, headings, strict=True):
        if isinstance(cell, Unreadable):
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
