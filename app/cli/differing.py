"""What `endwatch replay` prints: counts, and a line for each thing that differs."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from app.assessments.differences import CHANGED, CHANGES, Difference
from app.assessments.replaying import EVER
from app.obligations.replaying import Outcome
from app.obligations.slicing import Wanted

SHOWN = 50
WIDE = 120


@dataclass(slots=True)
class Tally:
    """The sum of what came of it; `stored` is the sum of what was stored."""

    licenses: set[int] = field(default_factory=set)
    statements: int = 0
    same: int = 0
    unclear: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    stored: "Tally | None" = None

    def add(self, outcome: Outcome) -> None:
        """Add what came of a task."""
        self.licenses.add(outcome.license_id)
        self.statements += outcome.statements
        self.same += outcome.same
        self.unclear += outcome.unclear
        self.counts.update(outcome.counts)

    def figures(self) -> dict[str, Any]:
        """Give the figures by name."""
        changes = {change: self.counts[change] for change in CHANGES}
        return {
            "licenses": len(self.licenses),
            "statements": self.statements,
            "same": self.same,
            **changes,
            "not_assessable": self.unclear,
        }


class Paper(Protocol):
    """Where differences are written as they become known."""

    def show(self, differences: Sequence[Difference]) -> None: ...  # noqa: D102


@contextmanager
def told(wanted: Wanted, tally: Tally, *, as_json: bool) -> Iterator[Paper]:
    """Print what differs; at the end, unless it ended otherwise, the counts."""
    paper = _Json(wanted) if as_json else _Lines(wanted)
    yield paper
    paper.end(tally)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class _Json:
    """One document, written difference by difference, so that any number needs no memory."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._begun = False
        self._comma = ""

    def show(self, differences: Sequence[Difference]) -> None:
        for one in differences:
            self._begin()
            shown = asdict(one) | {"at": _utc(one.at)}
            print(f"{self._comma}\n  {json.dumps(shown, ensure_ascii=False)}", end="")
            self._comma = ","

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            head = json.dumps(_of(self._wanted), ensure_ascii=False)
            print(f'{head[:-1]}, "differences": [', end="")

    def end(self, tally: Tally) -> None:
        self._begin()
        stored = None if tally.stored is None else tally.stored.figures()
        foot = json.dumps(tally.figures() | {"stored": stored})
        print(f"\n], {foot[1:]}")


def _of(wanted: Wanted) -> dict[str, Any]:
    first, last = _days(wanted)
    return {
        "kind": wanted.kind,
        "version": wanted.version,
        "shadow": wanted.shadow,
        "from": first,
        "to": last,
        "license": wanted.license,
    }


def _days(wanted: Wanted) -> tuple[str | None, str | None]:
    since, until = wanted.span
    first = f"{since.date()}" if since > EVER.since else None
    last = f"{until.date() - timedelta(days=1)}" if until < EVER.until else None
    return first, last


class _Lines:
    """Lines for people: the first differences at the end, under the counts."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._first: list[Difference] = []

    def show(self, differences: Sequence[Difference]) -> None:
        self._first += differences[: SHOWN - len(self._first)]

    def end(self, tally: Tally) -> None:
        console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE)
        version = f"version {self._wanted.version}{' in shadow' if self._wanted.shadow else ''}"
        table = Table(f"{self._wanted.kind}, {version}", "", box=None, header_style="bold")
        table.columns[1].justify = "right"
        for name, figure in tally.figures().items():
            table.add_row(name.replace("_", " "), f"{figure:,}")
        console.print(table)
        for one in self._first:
            print(_line(one))
        more = tally.counts.total() - len(self._first)
        if more > 0:
            print(f"and {more:,} more; --json lists them all")
        print(_last(tally))


def _line(one: Difference) -> str:
    was = f" On record: {one.was}" if one.change == CHANGED else ""
    return (
        f"{one.change}: {one.license}, {one.subject_kind} {one.subject}, {_utc(one.at)}: "
        f"{one.sentence} ({one.reason}, {one.severity}){was}"
    )


def _last(tally: Tally) -> str:
    """Say whether anything differs, and what was stored."""
    if not tally.counts.total():
        return "nothing differs from what is on record"
    if tally.stored is None:
        return "nothing was stored"
    figures = tally.stored.figures()
    changes = ", ".join(f"{figures[change]:,} {change}" for change in CHANGES)
    return f"stored on {len(tally.stored.licenses):,} licenses: {changes}"
