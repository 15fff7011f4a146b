"""Drill: an external PostgreSQL is set back in time, and what that means for the log.

It archives its WAL; after a base backup clients file on, a moment is noted, more is filed, a witness
signs the checkpoint, and somebody deletes rows. The database is brought back to the moment: to the row.
The log was rolled back by that, behind a checkpoint that a witness signed: the verifier says so, and
nothing is signed under the old name.
"""

import io
import shutil
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr
from sqlalchemy import make_url

from app.access.rules import Role
from app.cli import keys, verify, verifying
from app.clock import now
from app.database import connect, sessions_of
from app.settings import Settings
from benchmarks.external import External, Witness
from benchmarks.restores import asked, command, rows_of
from benchmarks.steady import Filers, register, scheduled, served, settled


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
    return str(asked(url, "SELECT verifier FROM journal_keys ORDER BY id DESC LIMIT 1"))


def _signed(url: str) -> int:
    return int(asked(url, "SELECT max(size) FROM journal_checkpoints"))


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
