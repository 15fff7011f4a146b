"""What the seal costs: entries numbered and sealed a second, the wait for a number, and verifying."""

import statistics
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, text

from app.cli import export, verify
from app.database import connect
from app.journal.notes import Signer
from app.journal.sequencer import Sequencer
from benchmarks import ground
from benchmarks.ground import Ground
from benchmarks.table import Figure

BEAT = 0.1
"""Seconds between two beats of the sequencer, as the scheduler gives them."""
WRITERS, AT_ONCE = 4, 25
WRITE = """
INSERT INTO journal_pending (recorded_at, actor, action, subject, party, body)
SELECT clock_timestamp(), 'exporter:bench', 'report.tried', 'report:' || gen_random_uuid(), 'NORDLICHT',
       jsonb_build_object('license', 'BX-1', 'kind', 'attestation', 'reference', 'R-' || n,
           'observed_at', clock_timestamp(), 'statements', jsonb_build_array(jsonb_build_object(
               'subject', jsonb_build_object('serial', 'FR-1-' || n),
               'facts', jsonb_build_object('gallery_size', n, 'country', 'KE',
                   'software_version', '4.2.1', 'oldest_template_days', 100.5))))
FROM generate_series(1, %s) n
"""


def sealing(url: str, scale: float) -> list[Figure]:
    """Measure a backlog, a steady stream from several writers, and a journal of a million entries."""
    at = ground.lay(url, "bench_sealing", licenses=1)
    engine = connect(at.settings)
    signer = Signer.make("bench.endwatch.example/log")
    sequencer = Sequencer(engine, lambda _: signer)
    try:
        rate = _backlog(at, sequencer, max(2_000, int(50_000 * scale)))
        stream = _stream(at, engine, sequencer, seconds=max(1.0, 5 * scale))
        checked = _verified(
            at, engine, sequencer, signer, 1_000_000 if scale > 1 else int(50_000 * scale)
        )
    finally:
        sequencer.close()
        engine.dispose()
    return [rate, *stream, checked]


def _write(connection: psycopg.Connection[Any], many: int) -> None:
    for start in range(0, many, 10_000):
        connection.execute(WRITE, (min(10_000, many - start),))
        connection.commit()


def _backlog(at: Ground, sequencer: Sequencer, many: int) -> Figure:
    """Number and seal what has piled up, as fast as it goes."""
    with psycopg.connect(at.conninfo) as connection:
        _write(connection, many)
    begun, done = time.perf_counter(), 0
    while counted := sequencer.tick():
        done += counted
    rate = done / (time.perf_counter() - begun)
    return Figure(
        f"a backlog of {done:,} entries numbered, hashed, signed for and committed",
        f"{rate:,.0f}/s",
        "none",
        "≥ 5,000/s",
        rate >= 5_000,
    )


def _stream(at: Ground, engine: Engine, sequencer: Sequencer, *, seconds: float) -> list[Figure]:
    """Let writers commit 5,000 entries a second while the sequencer beats ten times a second."""
    stop = threading.Event()
    with engine.connect() as connection:
        before = connection.scalar(text("SELECT seq FROM journal_head")) or 0
    committed: list[list[tuple[str, float]]] = [[] for _ in range(WRITERS)]
    threads = [
        threading.Thread(target=partial(_writer, at.conninfo, stop, done)) for done in committed
    ]
    seen: dict[str, float] = {}
    for thread in threads:
        thread.start()
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        _beat(engine, sequencer, seen, before)
    taken = time.perf_counter() - begun
    stop.set()
    for thread in threads:
        thread.join()
    _beat(engine, sequencer, seen, before)
    while sequencer.tick():
        pass
    _look(engine, seen, before)
    waits = sorted(seen[name] - at for done in committed for name, at in done)
    many = len(waits) * AT_ONCE
    with engine.connect() as connection:
        after = connection.scalar(text("SELECT seq FROM journal_head"))
    assert after - before == many, "every entry got a number"
    p99 = waits[int(0.99 * (len(waits) - 1))] * 1000
    return [
        Figure(
            f"entries a second from {WRITERS} writers, sequenced as they come",
            f"{many / taken:,.0f}/s",
            "none",
            "≥ 5,000/s",
            many / taken >= 5_000,
        ),
        Figure(
            "wait from a commit until its entries are numbered, sealed and committed",
            f"p50 {statistics.median(waits) * 1000:.0f} ms, p99 {p99:.0f} ms",
            f"a beat every {BEAT * 1000:.0f} ms",
            "p99 ≤ 300 ms",
            p99 <= 300,
        ),
    ]


PACE = 5_500 / WRITERS
"""Entries a second each writer commits: a little more than the figure wants."""


def _writer(conninfo: str, stop: threading.Event, done: list[tuple[str, float]]) -> None:
    """Commit a few entries again and again; note the last one's name and the time of the commit."""
    begun, count = time.perf_counter(), 0
    with psycopg.connect(conninfo) as connection:
        while not stop.is_set():
            row = connection.execute(f"{WRITE} RETURNING nonce::text", (AT_ONCE,)).fetchall()[-1]
            connection.commit()
            done.append((row[0], time.perf_counter()))
            count += AT_ONCE
            ahead = count / PACE - (time.perf_counter() - begun)
            if ahead > 0:
                time.sleep(ahead)


def _beat(engine: Engine, sequencer: Sequencer, seen: dict[str, float], before: int) -> None:
    begun = time.perf_counter()
    if sequencer.tick():
        _look(engine, seen, before)
    time.sleep(max(0.0, BEAT - (time.perf_counter() - begun)))


def _look(engine: Engine, seen: dict[str, float], before: int) -> None:
    """Note when entries were first seen with a number: right after the commit that gave it."""
    moment = time.perf_counter()
    with engine.connect() as connection:
        for name in connection.scalars(
            text("SELECT nonce::text FROM journal WHERE seq > :seq"), {"seq": before + len(seen)}
        ):
            seen.setdefault(name, moment)


def _verified(
    at: Ground, engine: Engine, sequencer: Sequencer, signer: Signer, many: int
) -> Figure:
    """Verify an export offline: bodies, entries, tree, every checkpoint."""
    with engine.connect() as connection:
        have = connection.scalar(text("SELECT seq FROM journal_head")) or 0
    with psycopg.connect(at.conninfo) as connection:
        _write(connection, max(0, many - have))
    while sequencer.tick():
        pass
    with tempfile.TemporaryDirectory(prefix="endwatch-bench-") as folder:
        path = Path(folder, "journal.export")
        with engine.connect() as connection, path.open("wb") as out:
            count = export.write(connection, out, tables=False)
        begun = time.perf_counter()
        findings = verify.verify(str(path), keys=[str(signer.verifier)])
        taken = time.perf_counter() - begun
    assert not findings.faults, list(findings.told())
    return Figure(
        f"integrity of an export of {count:,} entries, checked offline",
        f"{taken:.1f} s, {count / taken:,.0f}/s",
        "none",
        "1,000,000 in ≤ 10 s",
        count / taken >= 100_000,
    )
