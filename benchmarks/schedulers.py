"""Drill: two scheduler processes, of which by turns one sleeps and the other is killed.

Devices fall silent second by second meanwhile. In the end every silence was found once, at one rung,
told once, and the journal has no gap: 0 missed, 0 doubled.
"""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import psycopg

from benchmarks import ground
from benchmarks.ground import UNITS_A_LICENSE, Ground

PATIENCE = 180.0
ASLEEP = 12.0
"""Seconds a process is paused: longer than a leader may sleep before another leads."""
LICENSES_A_ROUND = 20
GRANTED = "2026-01-05"
"""Long before the units, which are dealt anew, fall silent."""

_DEAL = """
UPDATE units SET created_at = now() - interval '75 hours' + %s * interval '1 second'
    * (SELECT count(*) FROM units u WHERE u.id < units.id) / (SELECT count(*) FROM units)
"""
_COUNTS = """
SELECT (SELECT count(*) FROM units) AS units,
       (SELECT count(*) FROM obligations WHERE state = 'overdue') AS found,
       (SELECT count(*) FROM (SELECT license_id, subject FROM obligations
                              GROUP BY 1, 2 HAVING count(*) > 1) d) AS rows_doubled,
       (SELECT count(*) FROM occurrences) AS shown,
       (SELECT count(*) FROM rungs WHERE NOT skipped) AS told,
       (SELECT count(*) FROM alerts) AS alerts,
       (SELECT count(*) FROM journal WHERE action = 'obligation.overdue') AS entries,
       (SELECT count(*) FROM journal WHERE action = 'alert.raised') AS raised,
       (SELECT count(*) FROM journal_pending) AS waiting,
       (SELECT coalesce(max(seq), 0) - count(*) FROM journal) AS gaps
"""


def schedulers(rounds: int) -> dict[str, Any]:
    """Run the drill so many rounds; in each, each of the two sleeps while the other is killed."""
    with ground.postgres() as url:
        made = ground.lay(
            url, "drill_schedulers", licenses=LICENSES_A_ROUND * rounds, granted=GRANTED
        )
        with psycopg.connect(made.conninfo, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")  # past the triggers
            connection.execute(_DEAL, (2 * rounds * (ASLEEP + 4),))
            connection.execute("UPDATE licenses SET attend_from = now()")
        pair = [_start(made), _start(made)]
        begun, killed = time.monotonic(), 0
        try:
            for turn in range(2 * rounds):
                killed += _turn(made, pair, turn % 2)
            counts = _settled(made)
        finally:
            for process in pair:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                process.wait(timeout=60)
    return _judged(counts) | {
        "pauses": 2 * rounds,
        "kills": killed,
        "seconds": round(time.monotonic() - begun),
    }


def _start(made: Ground) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "scheduler"],
        env=os.environ
        | {"ENDWATCH_DATABASE_URL": made.settings.url, "ENDWATCH_LOG_LEVEL": "ERROR"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _turn(made: Ground, pair: list[subprocess.Popen[bytes]], asleep: int) -> int:
    """Put one to sleep in whatever it does, kill the other and start it again, wake the first."""
    time.sleep(3)
    pair[asleep].send_signal(signal.SIGSTOP)
    time.sleep(ASLEEP / 2)
    other = 1 - asleep
    assert pair[other].poll() is None, "a scheduler ended by itself"
    pair[other].kill()
    pair[other].wait(timeout=30)
    pair[other] = _start(made)
    time.sleep(ASLEEP / 2)
    pair[asleep].send_signal(signal.SIGCONT)
    return 1


def _settled(made: Ground) -> dict[str, int]:
    """Wait until every silence was found and numbered, and see that nothing comes after."""
    until = time.monotonic() + PATIENCE
    counts = _counts(made)
    while time.monotonic() < until and (counts["found"] < counts["units"] or counts["waiting"]):
        time.sleep(0.5)
        counts = _counts(made)
    time.sleep(3)
    return _counts(made)


def _counts(made: Ground) -> dict[str, int]:
    with psycopg.connect(made.conninfo) as connection:
        cursor = connection.execute(_COUNTS)
        names = [column.name for column in cursor.description or ()]
        return dict(zip(names, cursor.fetchone() or (), strict=True))


def _judged(counts: dict[str, int]) -> dict[str, Any]:
    """Compare what should have been found with what was, each time it was told."""
    units = counts["units"]
    told = [counts[name] for name in ("found", "shown", "told", "alerts", "entries", "raised")]
    figures = {
        "silences": units,
        "missed": max(units - count for count in told),
        "doubled": max(counts["rows_doubled"], *(count - units for count in told)),
        "gaps in the journal": counts["gaps"],
    }
    assert units >= UNITS_A_LICENSE, counts
    assert figures["missed"] == figures["doubled"] == 0, counts
    assert figures["gaps in the journal"] == 0, counts
    return figures
