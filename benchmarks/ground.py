"""What benchmarks stand on: an own PostgreSQL, a seeded world, and the service as real processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from app.access.rules import Role
from app.cli import keys
from app.cli.migrations import migrate
from app.cli.postgres import Postgres
from app.clock import now
from app.database import connect, sessions_of
from app.settings import Settings

UNITS_A_LICENSE = 10
UNBOUNDED = {
    f"ENDWATCH_{quota}": "1000000000"
    for quota in ("REQUESTS_A_MINUTE", "READINGS_A_DAY", "REPORTS_A_DAY")
}
"""A benchmark asks for more than any one party may."""
GRANTED = (now() - timedelta(days=2)).date().isoformat()
"""Lately: nothing is overdue yet when the first device speaks."""

CONDITIONS: list[tuple[str, dict[str, Any]]] = [
    ("gallery_cap", {"max_enrolled": 5000, "per": "unit"}),
    ("match_mode", {"allowed": ["verify_1_1"]}),
    (
        "permitted_sites",
        {
            "sites": [
                {
                    "reference": "NBO-T1",
                    "position": {"lat": -1.319, "lon": 36.928},
                    "radius_m": 2000,
                }
            ]
        },
    ),
    ("permitted_countries", {"countries": ["KE"]}),
    ("retention_limit", {"template_days": 365, "probe_days": 30}),
    (
        "data_localization",
        {"storage_countries": ["KE"], "processing_countries": ["KE"]},
    ),
    ("software_version", {"versions": ">=4.2,<5"}),
    ("heartbeat", {"every_hours": 72}),
    ("permitted_end_use", {"allowed": ["border_control"]}),
    ("permitted_end_users", {"parties": ["KE-BCA"]}),
]


@dataclass(frozen=True)
class Ground:
    """A database with a world in it, and keys to try it with."""

    settings: Settings
    conninfo: str
    exporter: str
    dashboard: str


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL in a folder of its own; gives its address."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-bench-"))
    try:
        with Postgres(folder) as server:
            yield server.url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lay(url: str, name: str, *, licenses: int, granted: str = GRANTED) -> Ground:
    """Make a database with so many licenses of ten units and ten conditions each."""
    admin = make_url(url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    address = make_url(url).set(database=name)
    settings = Settings(
        database_url=SecretStr(address.render_as_string(False)), log_level="WARNING"
    )
    migrate(settings)
    conninfo = address.set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(conninfo) as connection:
        _seed(connection, licenses, granted)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    engine = connect(settings)
    with sessions_of(engine)() as session:
        exporter = _key(session, Role.EXPORTER, "NORDLICHT")
        dashboard = _key(session, Role.DASHBOARD)
        session.commit()
    engine.dispose()
    return Ground(settings, conninfo, exporter, dashboard)


def _key(session: Session, role: Role, party: str | None = None) -> str:
    """Make a key as people do, so that the journal tells of it."""
    return keys.add(session, role, party=party, label="bench", expires_at=None, now=now())


def _seed(connection: psycopg.Connection[Any], licenses: int, day: str) -> None:
    """Fill the tables straight from SQL: registering a million units by hand would take the day."""
    granted = f"{day}T00:00:00Z"
    connection.execute(
        "INSERT INTO parties (reference, name, country, created_at) VALUES "
        "('NORDLICHT', 'Nordlicht', 'DE', now()), ('KE-BCA', 'Border Control', 'KE', now())"
    )
    connection.execute(
        "INSERT INTO licenses (number, exporter, state, tier, tier_reason, tier_review_on,"
        " granted_on, expires_on, end_use, destination_countries, humanitarian_track, time_zone,"
        " revision, created_at) SELECT 'BX-' || n, 'NORDLICHT', 'issued', 2, 'bench', '2027-01-05',"
        " %s, '2028-01-05', 'border_control', '{KE}', false, 'UTC', 1, %s"
        " FROM generate_series(1, %s) n",
        (day, granted, licenses),
    )
    connection.execute(
        "INSERT INTO license_lines (license_id, line, description, classification, modality,"
        " quantity, unit) SELECT id, 1, 'gate', '3A981', 'face', 10, 'piece' FROM licenses"
    )
    connection.execute(
        "INSERT INTO license_parties (license_id, party_id, role) SELECT l.id, p.id,"
        " CASE p.reference WHEN 'NORDLICHT' THEN 'exporter' ELSE 'end_user' END"
        " FROM licenses l, parties p"
    )
    for kind, terms in CONDITIONS:
        connection.execute(
            "INSERT INTO conditions (license_id, key, version, kind, text, terms, source, binds,"
            " lines, severity, effective_from, created_at) SELECT id, %s, 1, %s, 'bench', %s,"
            " 'license', '{}', '{}', 'high', %s, %s FROM licenses",
            (kind, kind, json.dumps(terms), granted, granted),
        )
    connection.execute(
        "INSERT INTO shipments (license_id, line_id, reference, shipped_on, quantity, digest, sent,"
        " filed_by, received_at) SELECT license_id, id, 'S1', %s, 10, '', '{}', 'bench', %s"
        " FROM license_lines",
        (day, granted),
    )
    connection.execute(
        "INSERT INTO units (license_id, serial, line, shipment_id, shipped_on, created_at)"
        " SELECT license_id, 'FR-' || license_id || '-' || n, 1, id, %s, %s"
        " FROM shipments, generate_series(1, %s) n",
        (day, granted, UNITS_A_LICENSE),
    )


def reading(license: int, unit: int, observed_at: datetime, size: int) -> bytes:
    """Write one device reading as a gateway sends it."""
    return json.dumps(
        {
            "license": f"BX-{license}",
            "serial": f"FR-{license}-{unit}",
            "observed_at": observed_at.isoformat(),
            "facts": {
                "gallery_size": size,
                "position": {"lat": -1.3191, "lon": 36.9279, "accuracy_m": 12},
                "country": "KE",
                "match_modes": ["verify_1_1"],
                "identify_calls": 0,
                "software_version": "4.2.1",
                "oldest_template_days": 100.5,
                "storage_countries": ["KE"],
            },
        },
        separators=(",", ":"),
    ).encode()


def batches(
    licenses: int, count: int, *, size: int = 1_000, since: datetime | None = None
) -> list[bytes]:
    """Write batches of readings: each takes every unit of a hundred licenses once.

    Batches go round the licenses; each round is ten minutes later.
    """
    since = since or datetime.now(UTC) - timedelta(days=1)  # noqa: TID251 a benchmark's own clock
    a_batch = size // UNITS_A_LICENSE
    made = []
    for number in range(count):
        first = number * a_batch % licenses
        moment = since + timedelta(minutes=10 * (number * a_batch // licenses))
        made.append(
            b"\n".join(
                reading((first + at) % licenses + 1, unit, moment, 4000 + unit)
                for at in range(a_batch)
                for unit in range(1, UNITS_A_LICENSE + 1)
            )
        )
    return made


@contextmanager
def service(ground: Ground, *, workers: int = 1) -> Iterator[tuple[int, list[int]]]:
    """Run API processes and a scheduler on a loopback port; gives the port and the API's ids."""
    port = free_port()
    environment = os.environ | {
        "ENDWATCH_DATABASE_URL": ground.settings.url,
        "ENDWATCH_LOG_LEVEL": "WARNING",
        **UNBOUNDED,
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--no-samples", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers", str(workers)],
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_ready(port)
        yield port, children(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@contextmanager
def bare(ground: Ground, *, workers: int = 1) -> Iterator[int]:
    """Run the bare application of `benchmarks.bare` on the service's server, as many processes."""
    port = free_port()
    process = subprocess.Popen(
        [
            *[sys.executable, "-m", "uvicorn", "--factory", "benchmarks.bare:make"],
            *["--port", str(port), "--log-level", "warning", "--no-access-log"],
            *["--workers", str(workers)],
        ],
        env=os.environ | {"ENDWATCH_DATABASE_URL": ground.settings.url},
    )
    try:
        wait_ready(port, path="/plain")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """Find a free loopback port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_ready(port: int, seconds: float = 60, path: str = "/readyz") -> None:
    """Wait until the service answers."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{path}").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the service did not become ready")


def children(pid: int) -> list[int]:
    """List the processes a process started."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
