"""What drills of restores share: commands run to their end, and rows counted."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url


def command(*words: object, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of Endwatch to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, words)],
        env=environment(url, folder),
        capture_output=True,
        text=True,
        check=False,
    )


def environment(url: str, folder: Path) -> dict[str, str]:
    """Give a command its database and data folder."""
    return os.environ | {
        "ENDWATCH_DATABASE_URL": url,
        "ENDWATCH_DATA_DIR": str(folder),
        "ENDWATCH_LOG_LEVEL": "ERROR",
    }


def rows_of(conninfo: str) -> dict[str, int]:
    """Count the rows of every table."""
    with psycopg.connect(conninfo) as connection:
        tables = connection.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        counts = {}
        for (table,) in tables:
            found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            counts[str(table)] = found[0] if found else 0
    return counts


def asked(url: str, question: str) -> Any:
    """Ask a database for one value."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]
