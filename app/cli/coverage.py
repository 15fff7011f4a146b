"""`endwatch coverage`: which share of all conditions in force was verified within its cadence."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime

from rich.console import Console
from rich.table import Table

from app.cli import databases
from app.obligations import coverage
from app.obligations.coverage import Counted, CoverageOut, Wanted
from app.settings import Settings

COLUMNS = ("in force", "verified", "share", "lapsed", "never heard", "never checkable")
WIDE = 120


def run(
    settings: Settings,
    *,
    kind: str | None,
    country: str | None,
    tier: int | None,
    as_json: bool,
    now: datetime,
) -> int:
    """Print the coverage as tables, or as JSON."""
    with databases.sessions(settings) as sessions, sessions() as session:
        told = coverage.counted(session, Wanted(kind, country, tier), now=now)
    if as_json:
        print(json.dumps(told.model_dump(mode="json"), indent=1))
    else:
        show(told, Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE))
    return 0


def show(told: CoverageOut, console: Console) -> None:
    """Print a table for each way of dividing the conditions, and why some are never checkable."""
    parts: dict[str, Mapping[str, Counted]] = {
        "": {"all conditions": told.total},
        "kind": told.by_kind,
        "country": told.by_country,
        "tier": told.by_tier,
    }
    for name, rows in parts.items():
        console.print(_table(name, rows))
    grades = Table("grade of the newest evidence", "verified", box=None, header_style="bold")
    for grade, many in told.by_grade.items():
        grades.add_row(str(grade), f"{many:,}")
    console.print(grades)
    for kind, why in told.uncheckable.items():
        console.print(f"{kind} can never be checked: {why}")


def _table(name: str, rows: Mapping[str, Counted]) -> Table:
    table = Table(name, box=None, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for label, one in rows.items():
        share = "-" if one.share is None else f"{one.share:.1%}"
        counts = (one.lapsed, one.never_heard, one.never_checkable)
        table.add_row(
            label, f"{one.in_force:,}", f"{one.verified:,}", share, *(f"{n:,}" for n in counts)
        )
    return table
