"""`endwatch backup`: database, evidence and manifest as of one moment, beside a running service.

The database is dumped from one snapshot; rows are counted and evidence is listed in the same one.
Evidence is copied after it, so that what the snapshot knows is in the copy, or was removed since.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from app.cli import backup_folder, databases, dumping, evidence_copies, key_copies
from app.cli.backup_folder import (
    DUMP,
    EVIDENCE_LIST,
    MANIFEST,
    BackupFolder,
    EvidenceKept,
    JournalKept,
    Manifest,
    Role,
    StoredFile,
)
from app.cli.dumping import patient
from app.cli.evidence_copies import Copied
from app.cli.progress import progress
from app.cli.seeing_all import see_all
from app.cli.troubles import WrongUse
from app.database import connect
from app.evidence.room import Room, room_of
from app.journal import log
from app.settings import Settings

Connection = psycopg.Connection[Any]

_TABLES = """
SELECT c.oid::regclass::text, pg_table_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND n.nspname !~ '^pg_(toast|temp)' ORDER BY 1
"""
_ROLES = """
SELECT DISTINCT r.rolname, r.rolcanlogin, r.rolbypassrls FROM pg_shdepend s
JOIN pg_roles r ON r.oid = s.refobjid
WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('a', 'r')
AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1
"""
_EVIDENCE = "SELECT object, digest, size FROM evidence WHERE object IS NOT NULL ORDER BY object"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the database is at one moment, as the manifest tells it."""

    revision: str
    postgresql: str
    rows: dict[str, int]
    journal: JournalKept
    evidence_keys: list[str]
    roles: list[Role]


def run(settings: Settings, to: Path, keys: Path | None, *, evidence: bool, now: datetime) -> int:
    """Take a backup, and say what is in it; 1 when something that belongs in it is not."""
    folder = BackupFolder(to)
    keys = None if keys is None else key_copies.apart(keys, folder.place)
    if settings.database_url is None and not _has_data(settings):
        raise WrongUse(f"there is nothing to back up in {databases.data_folder(settings)}")
    with databases.database(settings) as here, folder.held():
        fresh = folder.begin(now)
        manifest, copied = take(here, folder, fresh, evidence=evidence, now=now)
        lacking = _keys(here, keys, manifest, now)
        place = folder.finish(fresh)
    _say(place, manifest, copied)
    for one in lacking:
        print(f"NOT HERE: {one}")
    return int(bool(lacking or manifest.evidence.missing))


def _has_data(settings: Settings) -> bool:
    return (databases.data_folder(settings) / "postgres" / "PG_VERSION").exists()


def take(
    settings: Settings, folder: BackupFolder, fresh: Path, *, evidence: bool, now: datetime
) -> tuple[Manifest, Copied]:
    """Put everything but the keys into the folder of a backup, the manifest last."""
    room, wanted = room_of(settings), fresh / f".{EVIDENCE_LIST}"
    with _snapshot(settings) as connection:
        _dump(settings, connection, fresh / DUMP)
        state = _state(connection, settings)
        listed = evidence_copies.list_out(_listed(connection), wanted)
    copies = evidence or settings.evidence_bucket is None
    copied = _copy(room, folder, wanted, fresh / EVIDENCE_LIST, listed) if copies else listed
    if copies:
        wanted.unlink()
    else:
        wanted.rename(fresh / EVIDENCE_LIST)
    kept = _kept(settings, copied, fresh / EVIDENCE_LIST, copies=copies)
    manifest = _manifest(state, backup_folder.stored(fresh / DUMP), kept, now)
    manifest.write(fresh / MANIFEST)
    return manifest, copied


def _kept(settings: Settings, copied: Copied, listing: Path, *, copies: bool) -> EvidenceKept:
    removed = _removed_meanwhile(settings, copied.missing)
    return EvidenceKept(
        store="folder" if settings.evidence_bucket is None else "bucket",
        copied=copies,
        files=copied.files,
        bytes=copied.bytes,
        listing=backup_folder.stored(listing),
        missing=[one for one in copied.missing if one not in removed],
        removed_meanwhile=sorted(removed),
    )


def _manifest(state: Snapshot, dump: StoredFile, kept: EvidenceKept, now: datetime) -> Manifest:
    return Manifest(
        made_at=now,
        revision=state.revision,
        postgresql=state.postgresql,
        database=dump,
        rows=state.rows,
        journal=state.journal,
        evidence=kept,
        evidence_keys=state.evidence_keys,
        roles=state.roles,
    )


@contextmanager
def _snapshot(settings: Settings) -> Iterator[Connection]:
    """Open one transaction that sees one moment, for as long as it takes."""
    with patient(settings.url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


def _dump(settings: Settings, connection: Connection, path: Path) -> None:
    """Dump what the transaction sees, which is every row."""
    role = see_all(connection)
    snapshot = _one(connection, "SELECT pg_export_snapshot()")
    sizes: dict[str, int] = dict(connection.execute(_TABLES).fetchall())
    done = 0
    with progress("dumping the database", sum(sizes.values())) as bar:

        def told(table: str) -> None:
            nonlocal done
            bar(done)
            done += sizes.get(table.removeprefix("public."), 0)

        dumping.dump(settings.url, connection.info.server_version, snapshot, path, told, role=role)
    path.chmod(0o600)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _state(connection: Connection, settings: Settings) -> Snapshot:
    keys = connection.execute(
        "SELECT DISTINCT key_id FROM evidence WHERE key_id IS NOT NULL ORDER BY 1"
    )
    return Snapshot(
        revision=_one(connection, "SELECT version_num FROM alembic_version"),
        postgresql=_one(connection, "SHOW server_version"),
        rows=count_rows(connection),
        journal=_journal(connection, settings),
        evidence_keys=[one for (one,) in keys],
        roles=[
            Role(name=name, login=login, bypassrls=bypasses)
            for name, login, bypasses in connection.execute(_ROLES)
        ],
    )


def count_rows(connection: Connection) -> dict[str, int]:
    """Count the rows of every table. Raises RowsHidden."""
    see_all(connection)
    tables = [name for name, _ in connection.execute(_TABLES).fetchall()]
    with progress("counting rows", len(tables)) as bar:
        counts = {}
        for number, table in enumerate(tables, start=1):
            name = sql.SQL(table)  # quoted by regclass
            counts[table] = _one(connection, sql.SQL("SELECT count(*) FROM {}").format(name))
            bar(number)
    return counts


def _journal(connection: Connection, settings: Settings) -> JournalKept:
    seq, sealed = connection.execute("SELECT seq, sealed FROM journal_head").fetchone() or (0, 0)
    note = connection.execute(
        "SELECT note FROM journal_checkpoints ORDER BY size DESC LIMIT 1"
    ).fetchone()
    return JournalKept(
        numbered=seq,
        pending=_one(connection, "SELECT count(*) FROM journal_pending"),
        sealed=sealed,
        root=_root(settings, sealed),
        checkpoint=note[0] if note else None,
        keys=[
            key for (key,) in connection.execute("SELECT verifier FROM journal_keys ORDER BY id")
        ],
    )


def _root(settings: Settings, size: int) -> str:
    """Work out the root of the tree; its tiles only grow, so that any later moment gives the same."""
    engine = connect(settings, pool_size=1)
    try:
        with Session(engine) as session:
            return root_of(session, size)
    finally:
        engine.dispose()


def root_of(session: Session, size: int) -> str:
    """Work out the root of the first entries, in hex; nothing when tiles of them are gone."""
    try:
        return log.root(session, size).hex()
    except (NoResultFound, IndexError):
        return ""


def _one(connection: Connection, query: Any) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _listed(connection: Connection) -> Iterator[Any]:
    with connection.cursor("evidence_files") as cursor:
        cursor.itersize = 5_000
        cursor.execute(_EVIDENCE)
        yield from cursor


def _copy(room: Room, folder: BackupFolder, wanted: Path, path: Path, listed: Copied) -> Copied:
    """Copy the evidence of the snapshot."""
    whole = folder.whole()
    before = whole[-1] / EVIDENCE_LIST if whole else None
    rows = ((one["object"], one["digest"], one["size"]) for one in evidence_copies.lines(wanted))
    with progress("copying evidence", listed.files) as bar:
        return evidence_copies.copy_out(room, folder, before, rows, path, bar)


def _removed_meanwhile(settings: Settings, missing: list[str]) -> set[str]:
    """Of files that are missing, say which were removed since the snapshot, as rejected ones are."""
    with patient(settings.url) as connection:
        found = connection.execute(
            "SELECT object FROM evidence WHERE object = ANY(%s)", [missing]
        ).fetchall()
    return set(missing) - {one for (one,) in found}


def _keys(settings: Settings, keys: Path | None, manifest: Manifest, now: datetime) -> list[str]:
    """Copy the keys apart, if asked for; say what is not there to be copied."""
    if keys is None:
        print("keys are not copied: give --keys FOLDER, apart from backups, to keep them")
        return []
    copied = key_copies.save(settings, room_of(settings), keys, now)
    print(f"keys are in {keys}: keep it apart from backups, and from who keeps these")
    last = manifest.journal.keys[-1] if manifest.journal.keys else None
    return copied.lacking(last, manifest.evidence_keys)


def _say(place: Path, manifest: Manifest, copied: Copied) -> None:
    kept = manifest.evidence
    print(
        f"{sum(manifest.rows.values()):,} rows in {len(manifest.rows)} tables, journal up to entry "
        f"{manifest.journal.numbered:,}"
    )
    if kept.copied:
        print(f"{kept.files:,} files of evidence, {copied.fresh:,} of them new")
    elif kept.files:
        print(f"{kept.files:,} files of evidence are listed and stay in their bucket (--evidence)")
    for one in kept.missing:
        print(f"NOT HERE: file of evidence {one}: the database knows it, and the store does not")
    print(f"the backup is {place}")
