"""A PostgreSQL of an operator's own that is recovered to a moment, and a witness outside."""

import base64
import os
import shutil
import time
from pathlib import Path

import httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import make_url

from app.cli.postgres import Postgres
from app.cli.postgres_programs import Programs, find_binaries
from app.cli.postgres_troubles import PlainWords
from app.cli.system_account import account_to_run_as
from app.clock import now
from app.journal.notes import COSIGNATURE, DASH, Note, Verifier
from benchmarks import steady
from benchmarks.ground import Ground
from benchmarks.restores import asked, rows_of
from benchmarks.steady import PATIENCE


class Witness:
    """Somebody outside who signs that he saw the newest checkpoint."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        public = self._private.public_key().public_bytes_raw()
        self.verifier = Verifier("witness.example/drill", COSIGNATURE, public)

    def cosign(self, address: str) -> str:
        """Sign the newest checkpoint, hand it in, and keep it."""
        note, seconds = httpx.get(f"{address}/log/checkpoint").text, int(now().timestamp())
        text = f"cosignature/v1\ntime {seconds}\n{Note.read(note).text}"
        signature = seconds.to_bytes(8, "big") + self._private.sign(text.encode())
        packed = base64.b64encode(self.verifier.id + signature).decode()
        line = f"{DASH} {self.verifier.name} {packed}\n"
        answer = httpx.post(f"{address}/log/cosignatures", content=f"{note}{line}")
        assert answer.status_code == 200, answer.text
        return httpx.get(f"{address}/log/cosigned-checkpoint").text


class External:
    """A PostgreSQL of an operator's own: it archives its WAL, and is recovered from a base backup."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._archive, self._base = folder / "archive", folder / "base"
        self._server = Postgres(folder / "server")
        self._programs = Programs(
            find_binaries(),
            account_to_run_as(),
            PlainWords(folder, folder / "server" / "postgres.log"),
        )
        self.url = ""

    def begin(self) -> Ground:
        """Start it with an archive, and lay a world in it."""
        for place in (self._archive, self._base):
            place.mkdir(mode=0o700)
            if self._programs.account:
                os.chown(place, self._programs.account.uid, self._programs.account.gid)
        admin = make_url(self._server.start()).set(drivername="postgresql")
        with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET archive_mode = on")
            connection.execute(
                f"ALTER SYSTEM SET archive_command = 'test ! -f {self._archive}/%f && "
                f"cp %p {self._archive}/%f'".encode()
            )
        self._server.stop()
        made = steady.lay(self._server.start(), "drill_point_in_time")
        self.url = made.settings.url
        return made

    def base_backup(self) -> None:
        """Take the base backup that recovery begins with."""
        address = make_url(self.url)
        self._programs.output_of(
            "pg_basebackup",
            *("--pgdata", str(self._base / "cluster"), "--checkpoint=fast", "--wal-method=none"),
            *("--host", str(address.query["host"]), "--port", str(address.query["port"])),
            *("--username", str(address.username), "--no-password"),
        )

    def moment(self, *, by_time: bool) -> tuple[str, dict[str, int]]:
        """Note a moment to come back to, as a setting for recovery, and the rows there are.

        The scheduler goes on all the while; so the rows are counted on both sides of the moment.
        """
        conninfo = make_url(self.url).set(drivername="postgresql").render_as_string(False)
        right, number, target = rows_of(conninfo), 0, ""
        while True:
            number += 1
            target = _noted(conninfo, None if by_time else f"before_the_mistake_{number}")
            before, right = right, rows_of(conninfo)
            if right == before:
                return target, right
            assert number < 100, "the database does not come to rest"

    def lose(self) -> None:
        """Lose the machine: the last WAL is archived, and the cluster is gone."""
        conninfo = make_url(self.url).set(drivername="postgresql").render_as_string(False)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        assert row is not None
        until = time.monotonic() + PATIENCE
        while not (self._archive / row[0]).exists():
            assert time.monotonic() < until, "the WAL was not archived"
            time.sleep(0.1)
        self._server.stop()
        shutil.rmtree(self._folder / "server" / "postgres")

    def recover(self, target: str) -> None:
        """Bring the base backup to the moment, and let it go on from there."""
        cluster = self._folder / "server" / "postgres"
        (self._base / "cluster").rename(cluster)
        with (cluster / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"archive_mode = off\nrestore_command = 'cp {self._archive}/%f %p'\n{target}\n"
                "recovery_target_action = 'promote'\n"
            )
        (cluster / "recovery.signal").touch()
        self._server.start()
        until = time.monotonic() + PATIENCE
        while asked(self.url, "SELECT pg_is_in_recovery()"):  # it can be read before that
            assert time.monotonic() < until, "recovery does not end"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()


def _noted(conninfo: str, name: str | None) -> str:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        if name is not None:
            connection.execute("SELECT pg_create_restore_point(%s)", [name])
            return f"recovery_target_name = '{name}'"
        row = connection.execute("SELECT clock_timestamp()::text").fetchone()
    assert row is not None
    return f"recovery_target_time = '{row[0]}'"
