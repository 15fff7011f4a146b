"""How long it takes to work out anew what is owed on every license, and what a tick costs.

The schedule is recomputed by two processes, on two cores, that divide the licenses. A tick is measured
among few and among many rows that are not due.
"""

import json
import multiprocessing
import os
import time
from datetime import datetime, timedelta
from multiprocessing.synchronize import Barrier

import psycopg
from pydantic import SecretStr
from sqlalchemy import make_url

from app.database import Sessions, connect, sessions_of
from app.obligations import service as obligations
from app.settings import Settings
from benchmarks import ground
from benchmarks.table import Figure

CADENCES = {
    "reporting_cadence": {"every": "P3M", "by": "exporter"},
    "delivery_verification": {"within_days": 30},
}
WHOLE = 100_000
MINUTES = 5
NOW = datetime.fromisoformat(f"{ground.GRANTED}T00:00:00Z") + timedelta(days=1)
"""The day after everything was registered: nothing is due yet, and only the schedule is made."""


def schedule(url: str, scale: float) -> list[Figure]:
    """Measure on `scale` thousand licenses of ten units; 100,000 are reckoned from them."""
    licenses = max(20, int(1_000 * scale))
    made = ground.lay(url, "bench_schedule", licenses=licenses).settings.url
    _cadences(made)
    seconds, again = recompute(made), recompute(made)
    owed = _owed(made)
    assert owed == licenses * (ground.UNITS_A_LICENSE + len(CADENCES))
    few, many = ticks(made, rows=max(1_000, int(100_000 * scale)))
    whole, second = (WHOLE / licenses * taken / 60 for taken in (seconds, again))
    return [
        Figure(
            "schedule of 100,000 licenses",
            f"{whole:.1f} min planned for the first time, {second:.1f} min recomputed",
            f"from {licenses:,} licenses, {owed:,} rows, in {seconds:.1f} s and {again:.1f} s",
            f"at most {MINUTES} min",
            second <= MINUTES,
        ),
        Figure(
            "tick with nothing due",
            f"{many * 1000:.2f} ms",
            f"{few * 1000:.2f} ms among a tenth of the rows",
            "independent of what is not due",
            many <= 3 * few + 0.001,
        ),
    ]


def _cadences(url: str) -> None:
    """Have periods planned and the file followed on every license, beside its devices."""
    with _database(url) as connection:
        for kind, terms in CADENCES.items():
            connection.execute(
                "INSERT INTO conditions (license_id, key, version, kind, text, terms, source, binds,"
                " lines, severity, effective_from, created_at) SELECT id, %s, 1, %s, 'bench', %s,"
                " 'license', '{}', '{}', 'moderate', created_at, created_at FROM licenses",
                (kind, kind, json.dumps(terms)),
            )
        connection.execute("ANALYZE")


def recompute(url: str) -> float:
    """Work out what is owed on every license, one process a core; answer the seconds."""
    crew = max(1, min(2, os.cpu_count() or 1))
    started = multiprocessing.get_context("spawn")
    barrier = started.Barrier(crew + 1)
    workers = [started.Process(target=_work, args=(url, barrier, (at, crew))) for at in range(crew)]
    for worker in workers:
        worker.start()
    barrier.wait()
    begun = time.perf_counter()
    for worker in workers:
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers)
    return time.perf_counter() - begun


def _work(url: str, barrier: Barrier, share: tuple[int, int]) -> None:
    engine = connect(Settings(database_url=SecretStr(url)), pool_size=2)
    sessions = sessions_of(engine)
    barrier.wait()
    assert obligations.reschedule_around(sessions, now=NOW, share=share) > 0
    engine.dispose()


def _owed(url: str) -> int:
    with _database(url) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM obligations").fetchall()
        return count


def ticks(url: str, *, rows: int) -> tuple[float, float]:
    """Time ticks among a tenth of so many rows that are not due, then among all of them."""
    engine = connect(Settings(database_url=SecretStr(url)), pool_size=2)
    sessions = sessions_of(engine)
    taken = []
    with _database(url) as connection:
        for count in (rows // 10, rows):
            connection.execute(
                "UPDATE obligations SET next_look_at = NULL WHERE settled_at IS NULL"
            )
            _fill(connection, count)
            taken.append(min(_tick(sessions) for _ in range(20)))
    engine.dispose()
    return taken[0], taken[1]


def _tick(sessions: Sessions) -> float:
    begun = time.perf_counter()
    assert obligations.look_around(sessions, now=NOW) == 0
    assert obligations.attend_around(sessions, now=NOW) == 0
    return time.perf_counter() - begun


def _fill(connection: psycopg.Connection[tuple[int]], count: int) -> None:
    """Fill up with rows that fall due some time later."""
    connection.execute(
        "INSERT INTO obligations (id, license_id, condition_id, key, what, subject_kind, subject,"
        " slot, awaited_from, due_at, grace_until, state, next_look_at, created_at)"
        " SELECT gen_random_uuid(), c.license_id, c.id, 'bench', 'reading', 'unit', 'B-' || n, %s,"
        " %s, %s, %s, 'upcoming', %s + n * interval '1 second', %s"
        " FROM generate_series(1, %s) n, (SELECT * FROM conditions LIMIT 1) c",
        (count, NOW, *([NOW + timedelta(days=1)] * 3), NOW, count),
    )
    connection.execute("VACUUM ANALYZE obligations")


def _database(url: str) -> psycopg.Connection[tuple[int]]:
    address = make_url(url).set(drivername="postgresql").render_as_string(False)
    return psycopg.connect(address, autocommit=True)
