"""`endwatch verify`: the checks of `verify.py`, and those that need the product."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from app.cli import databases, export, replay, verify
from app.settings import Settings
from monitors import catalogue


def run(
    settings: Callable[[], Settings],
    source: str | None,
    *,
    completeness: bool,
    now: datetime,
    **options: Any,
) -> int:
    """Check a source, or the database itself; then, if asked for, judge all history again."""
    if source is not None and not completeness:
        return verify.run(source, **options)
    with databases.database(settings()) as here:
        code = verify.run(source, **options) if source else _database(here, options)
        if completeness and code == verify.WELL:
            code = max(_complete(here, kind, now) for kind in sorted(catalogue().monitors))
    return code


def _database(settings: Settings, options: dict[str, Any]) -> int:
    """Export the database and check the export."""
    with tempfile.TemporaryDirectory(prefix="endwatch-") as folder:
        file = Path(folder, "journal.export")
        export.save(settings, file, tables=True)
        return verify.run(str(file), **options)


def _complete(settings: Settings, kind: str, now: datetime) -> int:
    """Judge all history again by a kind; what would appear was never raised, or was removed."""
    wanted = replay.wanted_of(kind, None, None, None, shadow=False)
    return replay.run(settings, wanted, workers=None, store=False, as_json=False, now=now)
