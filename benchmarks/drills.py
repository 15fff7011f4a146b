"""`make drill`: kills, fills and cuts the service, and shows that nothing acknowledged is lost.

Each drill prints its figures and fails loudly. `--quick` is the short form that the suite runs.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from sqlalchemy import make_url

from app.clock import now
from benchmarks import floods
from benchmarks.authorization import authorization
from benchmarks.backups import backups
from benchmarks.commits import commits
from benchmarks.ground import UNBOUNDED, free_port, wait_ready
from benchmarks.hostile_files import hostile_files
from benchmarks.point_in_time import point_in_time
from benchmarks.schedulers import schedulers
from benchmarks.tampering import tampering

LICENSE = {
    "number": "BX-DRILL-1",
    "exporter": {"reference": "NORDLICHT", "name": "Nordlicht Biometrics GmbH", "country": "DE"},
    "granted_on": "2026-03-02",
    "end_use": "border_control",
    "destination_countries": ["KE"],
    "lines": [
        {
            "line": 1,
            "description": "Face verification gate",
            "classification": "3A981",
            "modality": "face",
            "quantity": 40,
            "unit": "piece",
        }
    ],
    "conditions": [
        {"kind": "gallery_cap", "text": "At most 5,000.", "terms": {"max_enrolled": 5000}}
    ],
}
SERIALS = [f"FR-{number}" for number in range(1, 41)]
PATIENCE = 60.0
ALLOWED = {200, 201, 429, 503, 507}


@dataclass
class Running:
    """A service under drill: its process, port, data folder and keys."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    officer: str = ""
    exporter: str = ""
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def children(self, word: str) -> list[psutil.Process]:
        """List the service's processes whose command line holds a word."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if word in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def database(self) -> psycopg.Connection[Any]:
        """Connect to its database."""
        from app.cli.postgres import Postgres

        address = make_url(Postgres(self.folder).url).set(drivername="postgresql")
        return psycopg.connect(address.render_as_string(False), autocommit=True)


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Run `endwatch serve` on a folder, with a license and keys to try it with."""
    port = free_port()
    environment = os.environ | UNBOUNDED | {"ENDWATCH_DATA_DIR": str(folder)}
    environment["ENDWATCH_LOG_LEVEL"] = "ERROR"
    environment.pop("ENDWATCH_DATABASE_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--no-samples", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    service = Running(process, port, folder)
    try:
        wait_ready(port)
        service.officer = _key(environment, "--role", "licensing_officer")
        service.exporter = _key(environment, "--role", "exporter", "--party", "NORDLICHT")
        _register(service)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _key(environment: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "app.cli", "keys", "add", *words]
    made = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return made.stdout.strip()


def _register(service: Running) -> None:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        officer = {"Authorization": f"Bearer {service.officer}"}
        client.post("/v1/licenses", json=LICENSE, headers=officer).raise_for_status()
        shipment = {
            "license": LICENSE["number"],
            "reference": "SHIP-1",
            "line": 1,
            "date": LICENSE["granted_on"],
            "quantity": len(SERIALS),
            "serials": SERIALS,
        }
        exporter = {"Authorization": f"Bearer {service.exporter}"}
        client.post("/v1/shipments", json=shipment, headers=exporter).raise_for_status()


class Clients:
    """Clients that file reports and readings, and send again with the same name until answered."""

    def __init__(self, service: Running, count: int) -> None:
        self.service = service
        self.reports: set[str] = set()
        self.readings = 0
        self.unanswered = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(count)
        ]

    def start(self) -> None:
        """Begin to file."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, client_number: int) -> None:
        since = now() - timedelta(days=1)
        headers = {"Authorization": f"Bearer {self.service.exporter}"}
        with httpx.Client(base_url=self.service.url, headers=headers, timeout=20) as client:
            number = 0
            while not self._stop.is_set():
                number += 1
                moment = since + timedelta(milliseconds=number * 100 + client_number)
                if number % 4 == 0:
                    self._send_readings(client, f"B-{client_number}-{number}", moment)
                else:
                    self._send_report(client, f"R-{client_number}-{number}", moment)

    def _send_report(self, client: httpx.Client, reference: str, moment: Any) -> None:
        body = {
            "kind": "attestation",
            "license": LICENSE["number"],
            "reference": reference,
            "observed_at": moment.isoformat(),
            "statements": [
                {
                    "subject": {"serial": random.choice(SERIALS)},
                    "facts": {"gallery_size": random.randint(1, 6000)},
                }
            ],
        }
        if self._until_answered(lambda: client.post("/v1/reports", json=body)):
            with self._lock:
                self.reports.add(reference)

    def _send_readings(self, client: httpx.Client, key: str, moment: Any) -> None:
        lines = "\n".join(
            json.dumps(
                {
                    "license": LICENSE["number"],
                    "serial": serial,
                    "observed_at": moment.isoformat(),
                    "facts": {"gallery_size": 100},
                }
            )
            for serial in SERIALS
        )
        headers = {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
        answer = self._until_answered(
            lambda: client.post("/v1/readings", content=lines, headers=headers)
        )
        if answer:
            with self._lock:
                self.readings += answer["accepted"]

    def _until_answered(self, send: Callable[[], httpx.Response]) -> Any:
        """Send until it is acknowledged; what was never acknowledged is not counted."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                answer = send()
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            with self._lock:
                self.service.statuses[answer.status_code] += 1
            if answer.status_code in {200, 201}:
                return answer.json()
            time.sleep(0.2)
        self.unanswered += 1
        return None


def count(service: Running) -> dict[str, Any]:
    """Count what is stored, once the journal has come to rest."""
    until = time.monotonic() + PATIENCE
    with service.database() as connection:
        while time.monotonic() < until:
            pending = connection.execute("SELECT count(*) FROM journal_pending").fetchone()
            if pending and pending[0] == 0:
                break
            time.sleep(0.2)
        row = connection.execute(
            "SELECT (SELECT count(*) FROM reports), (SELECT count(*) FROM readings),"
            " (SELECT count(*) FROM statements), (SELECT count(*) FROM reading_batches),"
            " (SELECT count(*) FROM journal WHERE action = 'report.filed'),"
            " (SELECT count(*) FROM journal WHERE action = 'readings.filed'),"
            " (SELECT count(*) FROM journal), (SELECT seq FROM journal_head),"
            " (SELECT max(seq) FROM journal)"
        ).fetchone()
        references = {row[0] for row in connection.execute("SELECT reference FROM reports")}
    assert row is not None
    names = ["reports", "readings", "statements", "batches", "told_reports", "told_batches"]
    stored = dict(zip([*names, "entries", "head", "last"], row, strict=True))
    return stored | {"references": references}


def verify(service: Running, clients: Clients) -> dict[str, Any]:
    """Compare what was acknowledged with what is stored, and rows with journal entries."""
    stored = count(service)
    lost = len(clients.reports - stored["references"])
    figures = {
        "acknowledged": len(clients.reports) + clients.readings,
        "lost": lost + max(0, clients.readings - stored["readings"]),
        "doubled": stored["statements"] - stored["reports"],
        "row without entry": abs(stored["reports"] - stored["told_reports"])
        + abs(stored["batches"] - stored["told_batches"]),
        "gaps in the journal": stored["last"] - stored["entries"],
        "statuses": dict(service.statuses),
    }
    assert figures["lost"] == 0, figures
    assert figures["doubled"] == 0, figures
    assert figures["row without entry"] == 0, figures
    assert figures["gaps in the journal"] == 0, figures
    assert set(service.statuses) <= ALLOWED, figures
    return figures


def kills(rounds: int) -> dict[str, Any]:
    """Kill API, scheduler and PostgreSQL by turns with SIGKILL while clients file and retry."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
    try:
        with running(folder) as service:
            clients = Clients(service, 6)
            clients.start()
            victims = ["api", "postgres", "scheduler"]
            killed = 0
            for number in range(rounds):
                time.sleep(random.uniform(1.0, 2.5))
                killed += _kill(service, victims[number % len(victims)])
                wait_ready(service.port)
            clients.stop()
            assert killed >= rounds, f"only {killed} kills"
            return {"kills": killed} | verify(service, clients)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _kill(service: Running, what: str) -> int:
    """Kill one process of a kind; answer how many."""
    words = {"api": "app.cli api", "scheduler": "app.cli scheduler", "postgres": "bin/postgres"}
    found = service.children(words[what])
    if not found:
        return 0
    found[0].kill()
    return 1


def full_disk(_: int) -> dict[str, Any]:
    """Fill the disk under the data folder (a small tmpfs; needs root), then give space back."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", folder], check=True)
    try:
        with running(folder) as service:
            clients = Clients(service, 4)
            clients.start()
            time.sleep(2)
            _fill(folder)
            time.sleep(6)
            full = Counter(service.statuses)
            (folder / "ballast").unlink()
            begun = time.monotonic()
            _wait_stored(clients)
            back = time.monotonic() - begun
            clients.stop()
            assert back <= 30, f"{back:.0f} s until it took reports again"
            figures = {"seconds until back": round(back, 1), "statuses when full": dict(full)}
            return figures | verify(service, clients)
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _fill(folder: Path) -> None:
    """Take every byte that is left."""
    with (folder / "ballast").open("wb") as ballast:
        block = b"\0" * (1 << 20)
        try:
            while True:
                ballast.write(block)
                ballast.flush()
        except OSError:
            pass


def _wait_stored(clients: Clients) -> None:
    """Wait until something new is acknowledged."""
    before, until = len(clients.reports), time.monotonic() + 60
    while time.monotonic() < until and len(clients.reports) <= before:
        time.sleep(0.1)


def flood(seconds: int) -> dict[str, Any]:
    """Flood the service with one party's readings while another files and dashboards look."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
    try:
        with running(folder) as service:
            environment = os.environ | {"ENDWATCH_DATA_DIR": str(folder)}
            keys = floods.Keys(
                officer=service.officer,
                flooder=service.exporter,
                filer=_key(environment, "--role", "exporter", "--party", "ACME"),
                dashboard=_key(environment, "--role", "dashboard"),
            )
            told = floods.flood(service.url, keys, LICENSE, SERIALS, seconds)
            return told.figures() | floods.compare(told, count(service))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


DRILLS: dict[str, tuple[Callable[[int], dict[str, Any]], int, int]] = {
    "kills": (kills, 24, 3),
    "full_disk": (full_disk, 1, 1),
    "schedulers": (schedulers, 10, 1),
    "commits": (commits, 25, 1),
    "backups": (backups, 5, 1),
    "point_in_time": (point_in_time, 4, 1),
    "flood": (flood, 60, 4),
    "tampering": (tampering, 2_100, 84),
    "hostile_files": (hostile_files, 1, 12),
    "authorization": (authorization, 1, 0),
}


def main() -> int:
    """Run the drills and print their figures."""
    parser = argparse.ArgumentParser(prog="make drill")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DRILLS))
    parser.add_argument("--quick", action="store_true", help="the short form")
    chosen = parser.parse_args()
    failed = 0
    for name in chosen.names or DRILLS:
        drill, rounds, few = DRILLS[name]
        try:
            figures = drill(few if chosen.quick else rounds)
        except AssertionError as error:
            failed += 1
            print(f"{name}: FAILED {error}")
        else:
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
