"""The figures, one function each: what the service does, beside its limit in the same run."""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import psutil
import psycopg
from sqlalchemy import text

from app.clock import now
from app.database import connect, sessions_of
from app.obligations import service as obligations
from benchmarks import ground, load
from benchmarks.checklists import checklists
from benchmarks.ground import Ground
from benchmarks.kinds import kinds
from benchmarks.places import countries
from benchmarks.plans import plans
from benchmarks.replay import replay
from benchmarks.schedule import schedule
from benchmarks.sealing import sealing
from benchmarks.table import Figure


def _post(path: str, key: str, body: bytes, media_type: str = "application/json") -> bytes:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": media_type}
    return load.request("POST", path, headers, body)


def _send_batches(
    at: Ground, port: int, batches: list[bytes], *, clients: int = 6
) -> tuple[float, load.Outcome]:
    """Post batches and give readings a second; all must be accepted."""

    def requests() -> Iterator[bytes]:
        for body in batches:
            yield _post("/v1/readings", at.exporter, body, "application/x-ndjson")

    outcome = load.run(port, requests, clients=clients, seconds=600)
    assert outcome.statuses == {200: len(batches)}, outcome.statuses
    return len(batches) * 1_000 / outcome.seconds, outcome


def _bare_copy(at: Ground, batches: list[bytes]) -> float:
    """COPY the same rows into an empty table made like the real one; rows a second."""
    rows = [
        (
            int(r["license"][3:]),
            r["serial"],
            r["observed_at"],
            r["observed_at"],
            "00000000-0000-0000-0000-000000000000",
            "D",
            "NORDLICHT",
            json.dumps(r["facts"]),
        )
        for body in batches
        for r in map(json.loads, body.splitlines())
    ]
    text_rows = ["\t".join(map(str, row)) + "\n" for row in rows]
    with psycopg.connect(at.conninfo) as connection:
        connection.execute("DROP TABLE IF EXISTS bare_readings")
        connection.execute("CREATE TABLE bare_readings (LIKE readings INCLUDING ALL)")
        connection.commit()
        begun = time.perf_counter()
        for start in range(0, len(text_rows), 1_000):
            with (
                connection.cursor() as cursor,
                cursor.copy(
                    "COPY bare_readings (license_id, serial, observed_at, received_at, batch_id,"
                    " grade, said_by, facts) FROM STDIN"
                ) as copy,
            ):
                copy.write("".join(text_rows[start : start + 1_000]))
            connection.commit()
        return len(rows) / (time.perf_counter() - begun)


def readings(url: str, scale: float) -> list[Figure]:
    """Readings over HTTP in batches of 1,000, and the memory of the API meanwhile."""
    many = max(3, int(150 * scale))
    at = ground.lay(url, "bench_readings", licenses=1_000)
    batches = ground.batches(1_000, many + 10)
    with ground.service(at, workers=2) as (port, processes):
        _send_batches(at, port, batches[:10])
        memory = [_memory(processes)]
        rates = []
        for part in range(3):
            share = batches[10 + part * many // 3 : 10 + (part + 1) * many // 3]
            rates.append(_send_batches(at, port, share)[0])
            memory.append(_memory(processes))
    rate, bare = statistics.median(rates), _bare_copy(at, batches[10 : 10 + many // 3])
    return [
        Figure(
            "readings over HTTP, 10 conditions a license, judged and committed",
            f"{rate:,.0f}/s = {rate / bare:.0%} of COPY",
            f"bare COPY {bare:,.0f}/s",
            "≥ 20,000/s and ≥ 15 %",
            rate >= 20_000 and rate >= 0.15 * bare,
        ),
        Figure(
            "memory of the API process during the bulk run",
            f"{max(memory):,.0f} MB (after each third: {', '.join(f'{m:,.0f}' for m in memory)})",
            "none",
            "≤ 300 MB, not growing",
            max(memory) <= 300 and memory[3] <= memory[1] * 1.1,
        ),
    ]


def _memory(processes: list[int]) -> float:
    """Give the largest resident size among the API's Python processes, MB."""
    sizes = []
    for id in processes:
        process = psutil.Process(id)
        if "postgres" not in process.name() and "scheduler" not in " ".join(process.cmdline()):
            sizes.append(process.memory_info().rss / 1e6)
    return max(sizes)


def world(url: str, scale: float) -> list[Figure]:
    """The cost of a reading in a large world against a small one, alternating between the two."""
    licenses = 100_000 if scale > 1 else max(200, int(5_000 * scale))
    small = ground.lay(url, "bench_small", licenses=100)
    large = ground.lay(url, "bench_large", licenses=licenses)
    rates: dict[str, list[float]] = {"small": [], "large": []}
    parts, size = 3, max(1, int(40 * scale))
    few = ground.batches(100, size * parts)
    many = ground.batches(licenses, size * parts)
    with ground.service(small) as (small_port, _), ground.service(large) as (large_port, _):
        for part in range(parts):
            share = slice(part * size, (part + 1) * size)
            rates["small"].append(_send_batches(small, small_port, few[share], clients=1)[0])
            rates["large"].append(_send_batches(large, large_port, many[share], clients=1)[0])
    ratio = statistics.median(rates["small"]) / statistics.median(rates["large"])
    return [
        Figure(
            f"cost of a reading at {licenses:,} licenses and {licenses * 10:,} units",
            f"{ratio:.2f}x ({statistics.median(rates['large']):,.0f}/s)",
            f"100 licenses, 1,000 units: {statistics.median(rates['small']):,.0f}/s",
            "≤ 1.3x",
            ratio <= 1.3,
        )
    ]


def _reports(at: Ground) -> Iterator[bytes]:
    moment = datetime.now(UTC) - timedelta(days=1)  # noqa: TID251 a benchmark's own clock
    for number in count():
        said = json.loads(
            ground.reading(
                number % 100 + 1, number // 100 % 10 + 1, moment + timedelta(seconds=number), 4000
            )
        )
        body = {
            "kind": "attestation",
            "license": said["license"],
            "reference": f"R-{number}",
            "observed_at": said["observed_at"],
            "statements": [{"subject": {"serial": said["serial"]}, "facts": said["facts"]}],
        }
        yield _post("/v1/reports", at.exporter, json.dumps(body).encode())


def _rows() -> Iterator[bytes]:
    facts = json.loads(ground.reading(1, 1, now(), 4000))["facts"]
    for number in count():
        body = {
            "reference": f"R-{number}",
            "statements": [{"subject": {"serial": "FR-1-1"}, "facts": facts}],
        }
        yield load.request(
            "POST", "/rows", {"Content-Type": "application/json"}, json.dumps(body).encode()
        )


def reports(url: str, scale: float) -> list[Figure]:
    """Single reports from 16 clients against a bare insert, alternating."""
    at = ground.lay(url, "bench_reports", licenses=100)
    ours, bares, slow = [], [], []
    filed = _reports(at)
    rows = _rows()
    with ground.service(at) as (port, _), ground.bare(at) as bare_port:
        load.run(port, lambda: filed, clients=4, seconds=min(2, 3 * scale))
        load.run(bare_port, lambda: rows, clients=4, seconds=min(2, 3 * scale))
        for _ in range(3):
            bare = load.run(bare_port, lambda: rows, clients=16, seconds=3 * scale)
            outcome = load.run(port, lambda: filed, clients=16, seconds=3 * scale)
            assert set(outcome.statuses) == {201}, outcome.statuses
            assert set(bare.statuses) == {201}, bare.statuses
            ours.append(outcome.rate)
            bares.append(bare.rate)
            slow.append(outcome.percentile(0.99))
    rate, bare_rate = statistics.median(ours), statistics.median(bares)
    p99 = statistics.median(slow) * 1000
    return [
        Figure(
            "single reports, 16 clients, judged, journaled, committed",
            f"{rate:,.0f}/s = {rate / bare_rate:.0%}; p99 {p99:.0f} ms",
            f"bare FastAPI + SQLAlchemy insert {bare_rate:,.0f}/s",
            "≥ 50 %; p99 ≤ 60 ms",
            rate >= 0.5 * bare_rate and p99 <= 60,
        )
    ]


def polls(url: str, scale: float) -> list[Figure]:
    """Unchanged polls against the barest endpoint."""
    at = ground.lay(url, "bench_polls", licenses=1)
    with ground.service(at) as (port, _), ground.bare(at) as bare_port:
        headers = {"Authorization": f"Bearer {at.dashboard}"}
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/alerts", headers=headers)
        tag = answer.headers["etag"]
        poll = load.request("GET", "/v1/alerts", headers | {"If-None-Match": tag})
        plain = load.request("GET", "/plain", {})
        ours, bares = [], []
        for _ in range(3):
            bares.append(_hammer(bare_port, plain, 200, 2 * scale))
            ours.append(_hammer(port, poll, 304, 2 * scale))
    rate, bare = statistics.median(ours), statistics.median(bares)
    return [
        Figure(
            "unchanged alert poll (304)",
            f"{rate:,.0f}/s = {rate / bare:.0%}",
            f"bare FastAPI endpoint {bare:,.0f}/s",
            "≥ 60 %",
            rate >= 0.6 * bare,
        )
    ]


def _hammer(port: int, sent: bytes, status: int, seconds: float) -> float:
    def same() -> Iterator[bytes]:
        while True:
            yield sent

    outcome = load.run(port, same, clients=8, seconds=seconds)
    assert set(outcome.statuses) == {status}, outcome.statuses
    return outcome.rate


def latency(url: str, scale: float) -> list[Figure]:
    """From a report's 2xx to the alert in a poller's hands, polling every 50 ms."""
    at = ground.lay(url, "bench_latency", licenses=100)
    seen: dict[str, float] = {}
    answered: dict[str, float] = {}
    stop = threading.Event()
    with ground.service(at) as (port, _):
        poller = threading.Thread(target=_poll, args=(at, port, seen, stop))
        poller.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            for number in range(max(10, int(60 * scale))):
                _break_something(client, at, number, answered)
                time.sleep(0.03)
        time.sleep(2)
        stop.set()
        poller.join()
    waits = sorted(seen[id] - answered[id] for id in answered if id in seen)
    missed = len(answered) - len(waits)
    p99 = waits[int(0.99 * (len(waits) - 1))]
    return [
        Figure(
            "report's 2xx to the alert seen by a poller (50 ms between polls)",
            f"p50 {statistics.median(waits):.2f} s, p99 {p99:.2f} s, {missed} missed of {len(answered)}",
            "none",
            "p99 ≤ 1 s",
            p99 <= 1.0 and missed == 0,
        )
    ]


def _break_something(
    client: httpx.Client, at: Ground, number: int, answered: dict[str, float]
) -> None:
    said = json.loads(ground.reading(number % 100 + 1, number // 100 % 10 + 1, now(), 9000))
    body: dict[str, Any] = {
        "kind": "attestation",
        "license": said["license"],
        "reference": f"L-{number}",
        "observed_at": said["observed_at"],
        "statements": [{"subject": {"serial": said["serial"]}, "facts": {"gallery_size": 9000}}],
    }
    answer = client.post(
        "/v1/reports", json=body, headers={"Authorization": f"Bearer {at.exporter}"}
    )
    answer.raise_for_status()
    for id in answer.json()["deviations"]:
        answered.setdefault(id, time.perf_counter())


def _poll(at: Ground, port: int, seen: dict[str, float], stop: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {at.dashboard}"}
    after: str | None = None
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        while not stop.is_set():
            parameters = {"limit": "500"} | ({"after": after} if after else {})
            answer = client.get("/v1/alerts", params=parameters).json()
            for item in answer["items"]:
                seen.setdefault(item["deviation"], time.perf_counter())
            after = answer["next"]
            time.sleep(0.05)


def ticks(url: str, scale: float) -> list[Figure]:
    """The scheduler's look at 1,000 due obligations among many, against among few."""
    many = 1_000_000 if scale > 1 else max(20_000, int(100_000 * scale))
    due = 1_000 if scale >= 1 else 100
    seconds: dict[int, list[float]] = {10_000: [], many: []}
    for total, taken in seconds.items():
        at = ground.lay(url, f"bench_ticks_{total}", licenses=total // 10)
        engine, owner = connect(at.settings), connect(at.settings, None)
        sessions = sessions_of(engine)
        for _ in range(3):
            with owner.begin() as connection:
                _owe(connection, due)
            with psycopg.connect(at.conninfo, autocommit=True) as vacuum:
                vacuum.execute("VACUUM ANALYZE obligations")
            begun = time.perf_counter()
            looked = obligations.look_around(sessions, now=now())
            taken.append(time.perf_counter() - begun)
            assert looked == due, looked
        engine.dispose()
        owner.dispose()
    few, large = (statistics.median(seconds[total]) for total in (10_000, many))
    return [
        Figure(
            f"scheduler tick, {due:,} due of {many:,} obligations",
            f"{large / few:.2f}x ({large:.2f} s)",
            f"{due:,} due of 10,000: {few:.2f} s",
            "≤ 1.3x",
            large <= 1.3 * few,
        )
    ]


def _owe(connection: Any, due: int) -> None:
    """Owe a reading of every unit far ahead, but of some units right now."""
    connection.execute(text("TRUNCATE obligations CASCADE"))
    connection.execute(
        text(
            "INSERT INTO obligations (id, license_id, condition_id, key, what, subject_kind,"
            " subject, slot, awaited_from, due_at, grace_until, state, next_look_at, created_at)"
            " SELECT gen_random_uuid(), u.license_id, c.id, 'heartbeat', 'reading', 'unit',"
            " u.serial, 0, now() - interval '1 day', now() + interval '2 days',"
            " now() + interval '51 hours', 'upcoming', CASE WHEN row_number() OVER"
            " (ORDER BY md5(u.serial)) <= :due THEN now() ELSE now() + interval '30 days' END,"
            " now() FROM units u JOIN conditions c ON c.license_id = u.license_id"
            " AND c.kind = 'heartbeat'"
        ),
        {"due": due},
    )


FIGURES = {
    "readings": readings,
    "world": world,
    "reports": reports,
    "polls": polls,
    "latency": latency,
    "ticks": ticks,
    "kinds": kinds,
    "countries": countries,
    "replay": replay,
    "schedule": schedule,
    "checklists": checklists,
    "plans": plans,
    "sealing": sealing,
}
