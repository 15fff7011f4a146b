"""What `serve` prepares and prints so that a stranger can try it at once.

Keys are shown and not kept: only their hashes are stored. So each start of the embedded service
makes a dashboard key that ends by itself.
"""

import http.client
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, select, text

from app import clock
from app.access.models import Key
from app.access.rules import Role
from app.cli import keys
from app.database import connect, sessions_of
from app.journal.models import Entry, PendingEntry
from app.licenses.models import License
from app.settings import Settings

log = structlog.get_logger()

SAMPLES = Path(__file__).parents[2] / "samples"
LABEL = "made by serve"
KEPT_DAYS = 30
FIRST_RUN = 0x66697273
"""Advisory lock: of several services started at once on one database, one loads the samples."""


@dataclass
class Greeting:
    """What is still to be said, once the service answers."""

    tokens: Mapping[str, str]
    said: bool = field(default=False, init=False)

    def say_once_ready(self, host: str, port: int) -> None:
        """Print the address and the keys as soon as the service answers there; later, nothing."""
        if self.said or not ready(host, port):
            return
        self.said = True
        address = f"http://{spoken(host)}:{port}"
        lines = [f"Endwatch is ready at {address} (what it offers: {address}/docs)"]
        lines += [f"{label} key: {token}" for label, token in self.tokens.items()]
        lines += [f"Keys are shown once. Another one: {program()} keys add --role dashboard"]
        print("\n".join(lines), flush=True)


def prepare(settings: Settings, *, samples: bool, embedded: bool) -> Greeting:
    """Load the samples on the first run, and make the keys to print."""
    engine = connect(settings, pool_size=3)
    try:
        first = _first_run(engine, settings, samples=samples)
        roles = _roles(engine, first=first, embedded=embedded)
        moment = clock.now()
        with sessions_of(engine)() as session:
            tokens = {
                role.replace("_", " "): keys.add(
                    session,
                    role,
                    party=None,
                    label=LABEL,
                    expires_at=moment + timedelta(days=KEPT_DAYS),
                    now=moment,
                )
                for role in roles
            }
            session.commit()
    finally:
        engine.dispose()
    return Greeting(tokens)


def _roles(engine: Engine, *, first: bool, embedded: bool) -> tuple[Role, ...]:
    """Choose the keys: for trying on the first run, then a dashboard's.

    On a database of one's own, keys belong into no log: only the very first start prints some.
    """
    if not embedded:
        with engine.connect() as connection:
            first = connection.scalar(select(Key.id).limit(1)) is None
    if first:
        return (Role.DASHBOARD, Role.LICENSING_OFFICER)
    return (Role.DASHBOARD,) if embedded else ()


def _first_run(engine: Engine, settings: Settings, *, samples: bool) -> bool:
    """Say whether no license is on file; then the samples are loaded if they are wanted."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": FIRST_RUN})
        try:
            first = connection.scalar(select(License.id).limit(1)) is None
            if first and samples and SAMPLES.is_dir():
                _load(settings, clock.now())
            elif samples and SAMPLES.is_dir():
                _warn_if_broken_off(connection)
        finally:
            connection.invalidate()
    return first


def _warn_if_broken_off(connection: Connection) -> None:
    """Say so when an earlier run was stopped while it loaded the samples."""
    from app.cli.samples import TOPIC

    numbers = [one["number"] for one in json.loads((SAMPLES / "licenses.json").read_text("utf-8"))]
    some = connection.scalar(select(License.id).where(License.number.in_(numbers)).limit(1))
    if some is None:
        return
    for told in (Entry, PendingEntry):
        if connection.scalar(select(told.topic).where(told.topic == TOPIC).limit(1)) is not None:
            return
    log.warning("samples_half_loaded", do="for the whole of them start with an empty database")


def _load(settings: Settings, now: datetime) -> None:
    from app.cli.samples import load

    # On a terminal each line takes the place of the one before, and the next log line of the last.
    before, after = ("\x1b[2K", "\r") if sys.stderr.isatty() else ("", "\n")

    def progress(line: str) -> None:
        print(f"{before}{line}", end=after, file=sys.stderr, flush=True)

    load(settings, SAMPLES, now=now, progress=progress)
    after = "\n"
    progress("The samples are loaded.")


def ready(host: str, port: int) -> bool:
    """Say whether the service answers that it is ready."""
    connection = http.client.HTTPConnection(spoken(host).strip("[]"), port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def spoken(host: str) -> str:
    """Write a host as it stands in an address; one that means every address as loopback."""
    known = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}  # noqa: S104 read, not bound
    return known.get(host, f"[{host}]" if ":" in host else host)


def program() -> str:
    """Say how this program was called, so that the line can be typed again."""
    if Path(sys.argv[0]).name != "__main__.py":
        return "endwatch"
    shorter = os.path.relpath(sys.executable)
    return f"{min(sys.executable, shorter, key=len)} -m app.cli"
