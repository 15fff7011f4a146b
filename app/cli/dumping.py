"""Dumps a database and restores it, with PostgreSQL's own programs."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from app.cli.postgres import PostgresTrouble
from app.cli.postgres_programs import find_binaries
from app.cli.postgres_troubles import BinariesMissing


class ProgramTooOld(PostgresTrouble):
    """No pg_dump or pg_restore at hand is as new as the database's server."""


class DumpFailed(PostgresTrouble):
    """PostgreSQL's program gave a reason for not finishing."""


Told = Callable[[str], None]
"""Told each table as its rows are begun."""


def conninfo(url: str) -> str:
    """Give the address for libpq, with its password."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def dump(
    url: str, version: int, snapshot: str, path: Path, told: Told, *, role: str | None = None
) -> None:
    """Write a dump of what a snapshot sees, as a role that sees all. Raises PostgresTrouble."""
    seeing = [f"--role={role}", "--enable-row-security"] if role else []
    _run(
        url,
        [
            *(_program("pg_dump", version), "--format=custom", "--compress=1", "--verbose"),
            *(f"--snapshot={snapshot}", "--lock-wait-timeout=60000", f"--file={path}"),
            *seeing,
        ],
        r"dumping contents of table \"?([^\s\"]+)",
        told,
    )


def restore(url: str, version: int, path: Path, told: Told) -> None:
    """Put a dump into an empty database: all of it or nothing. Raises PostgresTrouble."""
    _run(
        url,
        [
            *(_program("pg_restore", version), "--no-owner", "--single-transaction", "--verbose"),
            *("--exit-on-error", str(path)),
        ],
        r"processing data for table \"?([^\s\"]+?)\"?$",
        told,
    )


def _program(name: str, version: int) -> str:
    """Find a program that is as new as the server: ours, or else the machine's."""
    for place in _places(name):
        said = subprocess.run([place, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 a program of PostgreSQL
        major = re.search(r"\) (\d+)", said.stdout)
        if major and int(major[1]) >= version // 10_000:
            return place
    raise ProgramTooOld(
        f"the database is PostgreSQL {version // 10_000} and no {name} here is as new: "
        "install PostgreSQL's client programs of that version"
    )


def _places(name: str) -> list[str]:
    try:
        ours = [str(find_binaries() / name)]
    except BinariesMissing:
        ours = []
    return [place for place in (*ours, shutil.which(name)) if place and Path(place).exists()]


def _run(url: str, command: Sequence[str], table: str, told: Told) -> None:
    """Run a program to its end. The password goes by the environment, where no other user reads."""
    address = make_url(url).set(drivername="postgresql")
    secret = {"PGPASSWORD": address.password} if address.password else {}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENDWATCH_")}
    without = address.set(password=None).render_as_string(hide_password=False)
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603 a program of PostgreSQL
        [*command, "--no-password", f"--dbname={without}"],
        env=kept | {"LC_ALL": "C"} | secret,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                said = [*said[-20:], line.strip()]
                if begun := re.search(table, line.strip()):
                    told(begun[1])
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise DumpFailed(_reason(said) or f"{Path(command[0]).name} ended without a reason")


def _reason(said: Sequence[str]) -> str:
    errors = [line for line in said if re.search(r"(error|FATAL|fatal): ", line)]
    return "; ".join(errors or said[-1:])


def patient(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Connect for as long as a copy takes: nothing is timed out."""
    quiet = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c timezone=UTC"
    return psycopg.connect(conninfo(url), options=quiet, application_name="endwatch backup")
