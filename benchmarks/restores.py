"""Drill: backup and restore beside running clients, and an external PostgreSQL set back in time.

`backups`: backups are taken while clients file, some are killed; the last is restored elsewhere. To
the row it is what the manifest says, and it holds whatever was acknowledged before it began.

`point_in_time`: an external PostgreSQL archives its WAL; after a base backup clients file on, a moment
is noted, more is filed, a witness notes the checkpoint, and somebody deletes rows. The database is
brought back to the moment: to the row. The log was rolled back by that, behind a checkpoint that a
witness noted: the verifier says so, and nothing is signed under the old name.
"""

import base64
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr
from sqlalchemy import make_url

from app.access.rules import Role
from app.cli import keys, verify, verifying
from app.cli.backup_folder import BackupFolder, Manifest
from app.cli.postgres import Postgres
from app.cli.postgres_programs import Programs, find_binaries
from app.cli.postgres_troubles import PlainWords
from app.cli.system_account import account_to_run_as
from app.clock import now
from app.database import connect, sessions_of
from app.journal.notes import COSIGNATURE, DASH, Note, Verifier
from app.settings import Settings
from benchmarks import ground, steady
from benchmarks.ground import Ground
from benchmarks.steady import PATIENCE, Filers, register, scheduled, served, settled

NAME = "drill_restored"


def command(*words: object, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of Endwatch to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, words)],
        env=_environment(url, folder),
        capture_output=True,
        text=True,
        check=False,
    )


def _environment(url: str, folder: Path) -> dict[str, str]:
    return os.environ | {
        "ENDWATCH_DATABASE_URL": url,
        "ENDWATCH_DATA_DIR": str(folder),
        "ENDWATCH_LOG_LEVEL": "ERROR",
    }


def rows_of(conninfo: str) -> dict[str, int]:
    """Count the rows of every table."""
    with psycopg.connect(conninfo) as connection:
        tables = connection.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        counts = {}
        for (table,) in tables:
            found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            counts[str(table)] = found[0] if found else 0
    return counts


# Backups


def backups(rounds: int) -> dict[str, Any]:
    """Take so many backups beside clients, kill as many, and restore the last."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
    try:
        with ground.postgres() as url:
            made = steady.lay(url, "drill_backups")
            data, kept, keys = folder / "data", folder / "backups", folder / "keys"
            killed, known, seconds = 0, dict[str, str](), 0.0
            with served(made.settings.url, data) as address:
                register(address, made)
                with Filers(address, made, 4) as filers:
                    _hand_in(address, filers.headers, rounds)
                    for _ in range(rounds):
                        killed += _killed(made, data, kept)
                        time.sleep(1)
                        known, begun = dict(filers.reports), time.monotonic()
                        words = ("backup", kept, "--keys", keys)
                        done = command(*words, url=made.settings.url, folder=data)
                        seconds = time.monotonic() - begun
                        assert done.returncode == 0, done.stdout + done.stderr
            figures = {"killed": killed, "seconds to back up": round(seconds, 1)}
            return figures | _restored(url, folder, known)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hand_in(address: str, headers: dict[str, str], count: int) -> None:
    """Hand in some files of evidence."""
    for number in range(count + 2):
        answer = httpx.put(
            f"{address}/v1/evidence",
            content=f'{{"proof": {number}}}',
            headers=headers | {"Content-Type": "application/json"},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text


def _killed(made: Ground, data: Path, kept: Path) -> int:
    """Kill a backup in its middle; what is left must not look whole."""
    before = BackupFolder(kept).whole()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "backup", str(kept)],
        env=_environment(made.settings.url, data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not list(kept.glob(".unfinished-*")):
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.2))
    process.kill()
    process.wait()
    for place in BackupFolder(kept).whole():
        Manifest.read(place)
    return int(BackupFolder(kept).whole() == before)


def _restored(url: str, folder: Path, known: dict[str, str]) -> dict[str, Any]:
    """Restore the last backup into an empty database, and compare."""
    kept, data = folder / "backups", folder / "elsewhere"
    manifest = Manifest.read(BackupFolder(kept).whole()[-1])
    there = _empty_database(url)
    begun = time.monotonic()
    done = command("restore", kept, "--keys", folder / "keys", url=there, folder=data)
    seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stdout + done.stderr
    conninfo = make_url(there).set(drivername="postgresql").render_as_string(False)
    rows = rows_of(conninfo)
    differing = sum(
        rows.get(name) != count
        for name, count in manifest.rows.items()
        if not name.startswith("journal")  # goes on: what waited has a number now
    )
    with psycopg.connect(conninfo) as connection:
        found = connection.execute("SELECT reference, id::text FROM reports").fetchall()
    ids: dict[str, str] = dict(found)
    figures = {
        "seconds to restore": round(seconds, 1),
        "rows": sum(manifest.rows.values()),
        "files of evidence": manifest.evidence.files,
        "tables that differ": differing,
        "acknowledged before": len(known),
        "lost of these": sum(ids.get(reference) != id for reference, id in known.items()),
    }
    assert figures["tables that differ"] == figures["lost of these"] == 0, figures
    assert known, figures
    return figures


def _empty_database(url: str) -> str:
    admin = make_url(url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {NAME}")
    return make_url(url).set(database=NAME).render_as_string(False)


# Point-in-time recovery


def point_in_time(rounds: int) -> dict[str, Any]:
    """Set a PostgreSQL back so many times: by turns to a named point and to a time."""
    figures: dict[str, Any] = {}
    for turn in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
        try:
            figures = _set_back(folder, by_time=bool(turn % 2)) | {"rounds": turn + 1}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return figures


def _set_back(folder: Path, *, by_time: bool) -> dict[str, Any]:
    folder.chmod(0o755)
    external, witness = External(folder), Witness()
    try:
        made = external.begin()
        data = folder / "data"
        with served(made.settings.url, data, witnesses=str(witness.verifier)) as address:
            register(address, made)
            with Filers(address, made, 4, "A"):
                time.sleep(1)
                external.base_backup()
                time.sleep(1)
            settled(made.conninfo)
            target, right = external.moment(by_time=by_time)
            with Filers(address, made, 4, "B") as later:
                time.sleep(1)
            settled(made.conninfo)
            note = witness.cosign(address)
            _mistake(made.conninfo)
        external.lose()
        begun = time.monotonic()
        external.recover(target)
        seconds = time.monotonic() - begun
        conninfo = make_url(external.url).set(drivername="postgresql").render_as_string(False)
        found = rows_of(conninfo)
        differing = sum(found.get(name) != count for name, count in right.items())
        figures = {
            "seconds to recover": round(seconds, 1),
            "rows": sum(found.values()),
            "tables that differ": differing,
            "filed after the moment": later.acknowledged(),
        }
        assert differing == 0, figures
        return figures | _flagged(external.url, data, folder, note)
    finally:
        external.stop()


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
        while _asked(self.url, "SELECT pg_is_in_recovery()"):  # it can be read before that
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


def _mistake(conninfo: str) -> None:
    """Delete what no role may, as somebody with the superuser's password can."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM statements")
        connection.execute("DELETE FROM reports")


def _flagged(url: str, data: Path, folder: Path, note: str) -> dict[str, Any]:
    """See that the rollback is flagged, that nothing is signed, and that the log can go on."""
    seen, state = folder / "checkpoint", folder / "seen.json"
    seen.write_text(note)
    key = _key(url)
    verify.State(state).remember([verify.Key.read(key)], [verify.Checkpoint.read(note)])
    code, said = _verified(url, keys=[key], state=state)
    before = _signed(url)
    with scheduled(url, data):
        _file_more(url)
    silent = _signed(url) == before
    told = command("journal", "resume", "--seen", seen, url=url, folder=data)
    accept = ["--accept-rollback", "set back to before a mistake"]
    accepted = command("journal", "resume", *accept, url=url, folder=data)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    with scheduled(url, data):
        _file_more(url)
    figures = {
        "witnessed": verify.Checkpoint.read(note).size,
        "went back to": before,
        "flagged by the verifier": "rolled back" in said and code == 1,
        "rollback told": "ROLLED BACK" in told.stdout and told.returncode == 1,
        "silent until decided": silent,
        "signs under another name": _signed(url) > before and _key(url) != key,
        "verified then": _verified(url)[0] == 0,
    }
    assert all(figures.values()), (figures, said, told.stdout)
    return figures


def _key(url: str) -> str:
    return str(_asked(url, "SELECT verifier FROM journal_keys ORDER BY id DESC LIMIT 1"))


def _signed(url: str) -> int:
    return int(_asked(url, "SELECT max(size) FROM journal_checkpoints"))


def _asked(url: str, question: str) -> Any:
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def _verified(url: str, **trust: Any) -> tuple[int, str]:
    """Run `endwatch verify` on a database; its exit code, and what it said."""
    said = io.StringIO()
    with redirect_stdout(said):
        code = verifying.run(
            lambda: Settings(database_url=SecretStr(url)),
            None,
            completeness=False,
            now=now(),
            **trust,
        )
    return code, said.getvalue()


def _file_more(url: str) -> None:
    """Record something, and wait until it is numbered."""
    engine = connect(Settings(database_url=SecretStr(url)), pool_size=1)
    with sessions_of(engine)() as session:
        keys.add(session, Role.AUDITOR, party=None, label="drill", expires_at=None, now=now())
        session.commit()
    engine.dispose()
    settled(make_url(url).set(drivername="postgresql").render_as_string(False))
