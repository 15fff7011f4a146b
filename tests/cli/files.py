"""Files as people export them: the same records as json, ndjson, csv and xlsx."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

FORMATS = ("json", "ndjson", "csv", "xlsx")
Records = Sequence[Mapping[str, Any]]


def written(path: Path, records: Records) -> Path:
    """Write records in the format of the path's ending."""
    {"json": _json, "ndjson": _ndjson, "csv": _csv, "xlsx": _xlsx}[path.suffix[1:]](path, records)
    return path


def _json(path: Path, records: Records) -> None:
    path.write_text(json.dumps(list(records)))


def _ndjson(path: Path, records: Records) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def _csv(path: Path, records: Records) -> None:
    rows = [_flat(record) for record in records]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)


def _xlsx(path: Path, records: Records) -> None:
    rows = [_flat(record) for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(names)
    for row in rows:
        sheet.append([row.get(name) for name in names])
    book.save(path)


def _flat(record: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    """Name nested fields by dotted paths; lists of scalars take semicolons, all else is JSON."""
    cells: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            cells |= _flat(value, f"{parent}{name}.")
        elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
            cells[f"{parent}{name}"] = json.dumps(value)
        elif isinstance(value, list):
            cells[f"{parent}{name}"] = ";".join(map(str, value))
        else:
            cells[f"{parent}{name}"] = value
    return cells
