"""Drill: backups are taken while clients file, some are killed; the last is restored elsewhere.

To the row it is what the manifest says, and it holds whatever was acknowledged before it began.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy import make_url

from app.cli.backup_folder import BackupFolder, Manifest
from benchmarks import ground, steady
from benchmarks.ground import Ground
from benchmarks.restores import command, environment, rows_of
from benchmarks.steady import PATIENCE, Filers, register, served

NAME = "drill_restored"


def backups(rounds: int) -> dict[str, Any]:
    """Take so many backups beside clients, kill as many, and restore the last."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
    try:
        with ground.postgres() as url:
            made = steady.lay(url, "drill_backups")
            data, kept, keys = folder / "data", folder / "backups", folder / "keys"
            killed, known, seconds = 0, dict[str, str](), 0.0
            with served(made.settings.url, data) as address:
                register(address, made)
                with Filers(address, made, 4) as filers:
                    _hand_in(address, filers.headers, rounds)
                    for _ in range(rounds):
                        killed += _killed(made, data, kept)
                        time.sleep(1)
                        known, begun = dict(filers.reports), time.monotonic()
                        words = ("backup", kept, "--keys", keys)
                        done = command(*words, url=made.settings.url, folder=data)
                        seconds = time.monotonic() - begun
                        assert done.returncode == 0, done.stdout + done.stderr
            figures = {"killed": killed, "seconds to back up": round(seconds, 1)}
            return figures | _restored(url, folder, known)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hand_in(address: str, headers: dict[str, str], count: int) -> None:
    """Hand in some files of evidence."""
    for number in range(count + 2):
        answer = httpx.put(
            f"{address}/v1/evidence",
            content=f'{{"proof": {number}}}',
            headers=headers | {"Content-Type": "application/json"},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text


def _killed(made: Ground, data: Path, kept: Path) -> int:
    """Kill a backup in its middle; what is left must not look whole."""
    before = BackupFolder(kept).whole()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "backup", str(kept)],
        env=environment(made.settings.url, data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not list(kept.glob(".unfinished-*")):
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.2))
    process.kill()
    process.wait()
    for place in BackupFolder(kept).whole():
        Manifest.read(place)
    return int(BackupFolder(kept).whole() == before)


def _restored(url: str, folder: Path, known: dict[str, str]) -> dict[str, Any]:
    """Restore the last backup into an empty database, and compare."""
    kept, data = folder / "backups", folder / "elsewhere"
    manifest = Manifest.read(BackupFolder(kept).whole()[-1])
    there = _empty_database(url)
    begun = time.monotonic()
    done = command("restore", kept, "--keys", folder / "keys", url=there, folder=data)
    seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stdout + done.stderr
    conninfo = make_url(there).set(drivername="postgresql").render_as_string(False)
    rows = rows_of(conninfo)
    differing = sum(
        rows.get(name) != count
        for name, count in manifest.rows.items()
        if not name.startswith("journal")  # goes on: what waited has a number now
    )
    with psycopg.connect(conninfo) as connection:
        found = connection.execute("SELECT reference, id::text FROM reports").fetchall()
    ids: dict[str, str] = dict(found)
    figures = {
        "seconds to restore": round(seconds, 1),
        "rows": sum(manifest.rows.values()),
        "files of evidence": manifest.evidence.files,
        "tables that differ": differing,
        "acknowledged before": len(known),
        "lost of these": sum(ids.get(reference) != id for reference, id in known.items()),
    }
    assert figures["tables that differ"] == figures["lost of these"] == 0, figures
    assert known, figures
    return figures


def _empty_database(url: str) -> str:
    admin = make_url(url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {NAME}")
    return make_url(url).set(database=NAME).render_as_string(False)
