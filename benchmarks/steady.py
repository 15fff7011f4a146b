"""A service on a given database, and clients that file steadily, for drills that cut and restore.

Clients keep what was acknowledged, word for word, and send again under the same name until it is.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from app.access.rules import Role
from app.cli import keys
from app.clock import now
from app.database import connect, sessions_of
from benchmarks import ground
from benchmarks.ground import GRANTED, UNITS_A_LICENSE, Ground, free_port, wait_ready

ALLOWED = {200, 201, 429, 503, 507}
PATIENCE = 60.0
LICENSES = 5
"""Licenses that clients file under."""


@contextmanager
def served(url: str, folder: Path, *, witnesses: str = "") -> Iterator[str]:
    """Run `endwatch serve` on a database and a data folder; gives its address."""
    port = free_port()
    with _process("serve", "--no-samples", "--port", str(port), **_of(url, folder, witnesses)):
        wait_ready(port)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def scheduled(url: str, folder: Path) -> Iterator[None]:
    """Run `endwatch scheduler` on a database and a data folder."""
    with _process("scheduler", **_of(url, folder, "")):
        yield


def _of(url: str, folder: Path, witnesses: str) -> dict[str, str]:
    return {
        "ENDWATCH_DATABASE_URL": url,
        "ENDWATCH_DATA_DIR": str(folder),
        "ENDWATCH_LOG_LEVEL": "ERROR",
        "ENDWATCH_LOG_WITNESSES": witnesses,
    }


@contextmanager
def _process(*words: str, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *words],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def lay(url: str, name: str) -> Ground:
    """Make a database without a license; `register` fills it as people do, so that it verifies."""
    return ground.lay(url, name, licenses=0)


def register(address: str, made: Ground) -> None:
    """Register licenses and ship their units, through the service."""
    engine = connect(made.settings)
    with sessions_of(engine)() as session:
        role = Role.LICENSING_OFFICER
        officer = keys.add(session, role, party=None, label="drill", expires_at=None, now=now())
        session.commit()
    engine.dispose()
    with httpx.Client(base_url=address, timeout=30) as client:
        for number in range(1, LICENSES + 1):
            license, shipment = _license(number), _shipment(number)
            for path, body, key in (
                ("/v1/licenses", license, officer),
                ("/v1/shipments", shipment, made.exporter),
            ):
                bearer = {"Authorization": f"Bearer {key}"}
                client.post(path, json=body, headers=bearer).raise_for_status()


def _license(number: int) -> dict[str, Any]:
    return {
        "number": f"BX-{number}",
        "exporter": {"reference": "NORDLICHT", "name": "Nordlicht", "country": "DE"},
        "granted_on": GRANTED,
        "end_use": "border_control",
        "destination_countries": ["KE"],
        "lines": [
            {
                "line": 1,
                "description": "Face verification gate",
                "classification": "3A981",
                "modality": "face",
                "quantity": UNITS_A_LICENSE,
                "unit": "piece",
            }
        ],
        "conditions": [
            {"kind": "gallery_cap", "text": "At most 5,000.", "terms": {"max_enrolled": 5000}}
        ],
    }


def _shipment(number: int) -> dict[str, Any]:
    return {
        "license": f"BX-{number}",
        "reference": f"SHIP-{number}",
        "line": 1,
        "date": GRANTED,
        "quantity": UNITS_A_LICENSE,
        "serials": [f"FR-{number}-{unit}" for unit in range(1, UNITS_A_LICENSE + 1)],
    }


class Filers:
    """Clients that file reports and batches of readings until they are told to stop."""

    def __init__(self, url: str, made: Ground, count: int, name: str = "F") -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {made.exporter}"}
        self.reports: dict[str, str] = {}
        """The id that each reference was first acknowledged with."""
        self.batches: dict[str, dict[str, Any]] = {}
        self.sent: dict[str, tuple[str, str, dict[str, str], Any]] = {}
        """Of what was acknowledged: address, body, headers, and the first answer."""
        self.statuses: Counter[int] = Counter()
        self.again = 0
        """How many were answered as done before, after an answer that was lost."""
        self.unanswered = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(f"{name}{one}",)) for one in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Finish what is begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def acknowledged(self) -> int:
        """Count what was acknowledged so far."""
        return len(self.reports) + len(self.batches)

    def _work(self, client: str) -> None:
        since, number = now() - timedelta(days=1), 0
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=20) as session:
            while not self._stop.is_set():
                number += 1
                moment = (since + timedelta(milliseconds=100 * number)).isoformat()
                if number % 4:
                    self._report(session, f"{client}-{number}", moment)
                else:
                    self._batch(session, f"{client}-{number}", moment)

    def _report(self, session: httpx.Client, reference: str, moment: str) -> None:
        license = random.randint(1, LICENSES)
        serial = f"FR-{license}-{random.randint(1, UNITS_A_LICENSE)}"
        body = {
            "kind": "attestation",
            "license": f"BX-{license}",
            "reference": reference,
            "observed_at": moment,
            "statements": [
                {"subject": {"serial": serial}, "facts": {"gallery_size": random.randint(1, 6000)}}
            ],
        }
        answer = self._until_answered(session, "/v1/reports", json.dumps(body), {})
        if answer is not None:
            with self._lock:
                self.reports[reference] = answer["id"]

    def _batch(self, session: httpx.Client, key: str, moment: str) -> None:
        license = random.randint(1, LICENSES)
        lines = "\n".join(
            json.dumps(
                {
                    "license": f"BX-{license}",
                    "serial": f"FR-{license}-{unit}",
                    "id": f"{key}-{unit}",
                    "observed_at": moment,
                    "facts": {"gallery_size": 100},
                }
            )
            for unit in range(1, UNITS_A_LICENSE + 1)
        )
        named = {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
        answer = self._until_answered(session, "/v1/readings", lines, named)
        if answer is not None:
            with self._lock:
                self.batches[key] = answer

    def _until_answered(
        self, session: httpx.Client, path: str, content: str, more: dict[str, str]
    ) -> Any:
        """Send until it is acknowledged; what was never acknowledged is not counted."""
        until = time.monotonic() + PATIENCE
        headers = {"Content-Type": "application/json"} | more
        while time.monotonic() < until:
            try:
                answer = session.post(path, content=content, headers=headers)
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            with self._lock:
                self.statuses[answer.status_code] += 1
                self.again += "Idempotent-Replayed" in answer.headers
                if answer.status_code in {200, 201}:
                    self.sent[f"{headers}{content}"] = (path, content, headers, answer.json())
            if answer.status_code in {200, 201}:
                return answer.json()
            time.sleep(0.02)
        self.unanswered += 1
        return None


_STORED = """
SELECT (SELECT count(*) FROM reports) AS reports,
       (SELECT count(*) FROM statements) AS statements,
       (SELECT count(*) FROM reading_batches) AS batches,
       (SELECT count(*) FROM readings) AS readings,
       (SELECT count(*) FROM journal WHERE action = 'report.filed') AS told_reports,
       (SELECT count(*) FROM journal WHERE action = 'readings.filed') AS told_batches,
       (SELECT coalesce(max(seq), 0) - count(*) FROM journal) AS gaps
"""


def settled(conninfo: str) -> None:
    """Wait until the journal has numbered everything."""
    until = time.monotonic() + PATIENCE
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while time.monotonic() < until:
            waiting = connection.execute("SELECT count(*) FROM journal_pending").fetchone()
            if waiting == (0,):
                return
            time.sleep(0.1)
    raise AssertionError("the journal did not come to rest")


def judged(conninfo: str, filers: Filers) -> dict[str, Any]:
    """Compare what was acknowledged with what is stored, and rows with journal entries."""
    settled(conninfo)
    with psycopg.connect(conninfo) as connection:
        cursor = connection.execute(_STORED)
        names = [column.name for column in cursor.description or ()]
        stored = dict(zip(names, cursor.fetchone() or (), strict=True))
        found = connection.execute("SELECT reference, id::text FROM reports").fetchall()
    ids: dict[str, str] = dict(found)
    accepted = sum(answer["accepted"] for answer in filers.batches.values())
    lost = sum(ids.get(reference) != id for reference, id in filers.reports.items())
    figures = {
        "acknowledged": filers.acknowledged(),
        "lost": lost + max(0, accepted - stored["readings"]),
        "doubled": stored["statements"]
        - stored["reports"]
        + max(0, stored["readings"] - stored["batches"] * UNITS_A_LICENSE),
        "row without entry": abs(stored["reports"] - stored["told_reports"])
        + abs(stored["batches"] - stored["told_batches"]),
        "gaps in the journal": stored["gaps"],
        "statuses": dict(filers.statuses),
    }
    for name in ("lost", "doubled", "row without entry", "gaps in the journal"):
        assert figures[name] == 0, (figures, stored)
    assert set(filers.statuses) <= ALLOWED, figures
    return figures
