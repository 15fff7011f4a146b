"""Judging history again: how many readings a second on each core, and whether memory stays flat."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import psycopg

from app.cli.crew import available
from benchmarks import ground
from benchmarks.ground import UNITS_A_LICENSE, Ground
from benchmarks.table import Figure

LICENSES = 100
KINDS = ("permitted_sites", "gallery_cap")
EVERY = timedelta(minutes=30)
OVER_CAP = 1_000
"""One reading in so many shows a deviation."""
COPY = (
    "COPY readings (license_id, serial, observed_at, received_at, batch_id, grade, said_by, facts)"
    " FROM STDIN"
)


@dataclass
class Watched:
    """What was seen of a command while it ran: processor seconds and resident MB of its workers."""

    told: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    processor: dict[int, float] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)


def replay(url: str, scale: float) -> list[Figure]:
    """Replay two kinds over a million readings of 1,000 units (a third in the short form)."""
    rounds = max(20, int(1_000 * scale / 3))
    at = ground.lay(url, "bench_replay", licenses=LICENSES)
    many = _load(at, rounds)
    return [_figure(at, kind, many) for kind in KINDS]


def _figure(at: Ground, kind: str, many: int) -> Figure:
    """Count what the workers and their connections used of the processor, and the whole time."""
    workers = available()
    before = _of_database(at)
    watched = _watch(at, kind)
    assert watched.told["statements"] == many, watched.told
    asked = sum(watched.processor.values())
    used = asked + _of_database(at) - before
    warm, end = _thirds(watched.memory)
    rate = many / used
    return Figure(
        f"replay of {kind} over {many:,} readings of {LICENSES * UNITS_A_LICENSE:,} units",
        f"{rate:,.0f}/s a core; {many / watched.seconds:,.0f}/s by the clock with {workers} workers; "
        f"{warm:,.0f} MB a worker at first, {end:,.0f} MB in the end",
        f"without the database's own work {many / asked:,.0f}/s a core",
        "≥ 15,000/s a core, memory flat",
        rate >= 15_000 and end <= 1.1 * warm,
    )


def _watch(at: Ground, kind: str) -> Watched:
    """Run the command as an operator does, and look at its workers meanwhile."""
    watched, begun, said = Watched(), time.perf_counter(), b""
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "replay", "--kind", kind, "--json"],
        env=os.environ | {"ENDWATCH_DATABASE_URL": at.settings.url},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        command = psutil.Process(process.pid)
        while process.poll() is None:
            said += process.stdout.read() or b""
            _look(command, watched)
            time.sleep(0.05)
        watched.seconds = time.perf_counter() - begun
        said += process.stdout.read() or b""
    watched.told = json.loads(said)
    assert process.returncode == (1 if watched.told["appeared"] else 0)
    return watched


def _look(command: psutil.Process, watched: Watched) -> None:
    """Note what each process used so far, and how large the largest worker is."""
    sizes = []
    try:
        family = [command, *command.children()]
    except psutil.Error:
        return
    for one in family:
        try:
            times = one.cpu_times()
            watched.processor[one.pid] = times.user + times.system
            sizes.append(one.memory_info().rss / 1e6)
        except psutil.Error:
            continue
    watched.memory.append(max(sizes, default=0.0))


def _thirds(memory: list[float]) -> tuple[float, float]:
    """Give the largest size in the second third of the time, and in the last."""
    third = max(1, len(memory) // 3)
    return max(memory[third : 2 * third] or memory), max(memory[-third:])


def _of_database(at: Ground) -> float:
    """Sum the processor seconds of the server's processes, with those that have ended.

    One that is just ending would be counted twice, so they get a moment for it.
    """
    time.sleep(1)
    with psycopg.connect(at.conninfo) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
        assert postmaster is not None
        alive = sum(
            times.user + times.system
            for times in [one.cpu_times() for one in (postmaster, *postmaster.children())]
        )
        ended = postmaster.cpu_times()
    return alive + ended.children_user + ended.children_system


def _load(at: Ground, rounds: int) -> int:
    """Copy readings of every unit, a round every half hour, into the database."""
    with psycopg.connect(at.conninfo) as connection:
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            for rows in _rows(rounds):
                copy.write(rows)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE readings")
    return rounds * LICENSES * UNITS_A_LICENSE


def _rows(rounds: int) -> Iterator[str]:
    """Write rows as COPY takes them; galleries grow slowly, and now and then one is too large."""
    newest = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 a benchmark's own clock
    number = 0
    for at in range(rounds):
        moment = newest - EVERY * (rounds - at)
        rows = []
        for license in range(1, LICENSES + 1):
            for unit in range(1, UNITS_A_LICENSE + 1):
                number += 1
                size = 6_000 if number % OVER_CAP == 0 else 4_000 + at // 100
                said = json.loads(ground.reading(license, unit, moment, size))
                rows.append(
                    f"{license}\t{said['serial']}\t{said['observed_at']}\t{said['observed_at']}\t"
                    "00000000-0000-0000-0000-000000000000\tD\tNORDLICHT\t"
                    f"{json.dumps(said['facts'])}\n"
                )
        yield "".join(rows)
