"""`endwatch lint`: what is wrong with a license, told before it is granted.

For licensing officers: it needs no database and no account, and nothing leaves the machine.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from app.cli import tables
from app.cli.intakes import LICENSES_LAYOUT, faults
from app.cli.tables import BadRow, Row
from app.licenses.advice import WEIGHTS, Advice
from app.licenses.lint import ConditionAlone, lint, lint_condition
from app.licenses.schemas import LicenseIn

CLEAN, ADVISED, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Looked:
    """A license, or a condition by itself, and what the linter says of it."""

    file: str
    about: str
    advice: list[Advice]

    @property
    def grave(self) -> bool:
        """Whether there is an error or a warning."""
        return any(one.severity != "note" for one in self.advice)


def run(paths: Sequence[Path], *, as_json: bool) -> int:
    """Look at files; 1 when there are errors or warnings, 2 when something cannot be read."""
    looked: list[Looked] = []
    unreadable: list[str] = []
    for path in paths:
        for one in _look(path):
            if isinstance(one, Looked):
                looked.append(one)
            else:
                unreadable.append(f"{path.name}: {' '.join(one.split())}")
    for fault in unreadable:
        print(f"endwatch: {fault}", file=sys.stderr)
    if as_json:
        print(_json(looked, unreadable))
    elif looked:
        print("\n\n".join(map(_text, looked)))
    if unreadable:
        return UNREADABLE
    return ADVISED if any(one.grave for one in looked) else CLEAN


def _look(path: Path) -> Iterator[Looked | str]:
    """Look at every license or condition of a file; what cannot be read is told as text."""
    for row in tables.read(path, LICENSES_LAYOUT):
        if isinstance(row, BadRow):
            yield str(row)
            continue
        try:
            yield _looked(path, row)
        except ValidationError as error:
            yield from faults(row, error)


def _looked(path: Path, row: Row) -> Looked:
    if "condition" in row.values:
        condition = ConditionAlone.model_validate(row.values).condition
        return Looked(path.name, f"{condition.kind} alone", lint_condition(condition))
    license = LicenseIn.model_validate(row.values)
    return Looked(path.name, license.number, lint(license))


def _json(looked: Sequence[Looked], unreadable: Sequence[str]) -> str:
    told = [
        {"file": one.file, "about": one.about, "advice": [asdict(each) for each in one.advice]}
        for one in looked
    ]
    return json.dumps({"looked_at": told, "unreadable": unreadable}, indent=1, ensure_ascii=False)


def _text(one: Looked) -> str:
    weights = [each.severity for each in one.advice]
    counts = [_counted(weights.count(weight), weight) for weight in WEIGHTS if weight in weights]
    parts = [f"{one.about} ({one.file}): {', '.join(counts) or 'nothing to say'}."]
    parts += [
        f"- {each.severity} {each.code} at {each.pointer}: {each.detail} {each.advice}"
        for each in one.advice
    ]
    return "\n".join(parts)


def _counted(number: int, weight: str) -> str:
    return f"{number} {weight}" if number == 1 else f"{number} {weight}s"
