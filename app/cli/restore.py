"""`endwatch restore`: brings a backup back where nothing is, checks it, and says what is missing.

Nothing is changed before every file was found to be what the manifest says. The database comes back
in one transaction; in a data folder of our own it stands aside until it is whole. Then the journal is
verified, and signs nothing until people have said how it goes on.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from app.cli import (
    backup,
    backup_folder,
    databases,
    dumping,
    evidence_copies,
    export,
    key_copies,
    resuming,
    verify,
)
from app.cli.backup_folder import (
    DUMP,
    EVIDENCE_LIST,
    MANIFEST,
    BackupDamaged,
    BackupFolder,
    Manifest,
)
from app.cli.dumping import patient
from app.cli.erasing import ACTOR
from app.cli.folder_lock import FolderLock
from app.cli.key_copies import Keys
from app.cli.migrations import MIGRATIONS, migrate
from app.cli.postgres import Postgres
from app.cli.progress import progress
from app.cli.resuming import Decision
from app.cli.troubles import BackupTrouble, WrongUse
from app.database import Sessions, connect, sessions_of
from app.evidence.models import File
from app.evidence.room import Room, room_of
from app.journal import rollbacks
from app.settings import Settings

Connection = psycopg.Connection[Any]

ASIDE = "restoring"
"""Folder in the data folder where the database stands until it is whole."""
_MOST_TOLD = 20

_TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND n.nspname !~ '^pg_(toast|temp)' ORDER BY 1 LIMIT 3
"""


class NotEmpty(WrongUse):
    """There is something where the backup would go."""


class BackupTooNew(WrongUse):
    """The backup was made by a later release of Endwatch."""


class RestoreDiffers(BackupTrouble):
    """What came back is not what the manifest says."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to restore, with which keys, and what people say of the log."""

    source: Path
    keys: Path | None
    decision: Decision
    leave_damaged: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A backup that was found to be good, but for these files of evidence."""

    folder: BackupFolder
    place: Path
    manifest: Manifest
    lacking: frozenset[str]


def run(settings: Settings, wish: Wish, *, now: datetime) -> int:
    """Restore a backup, and say what is missing; 1 when something is, or the journal is not well."""
    folder, place = backup_folder.found(wish.source)
    manifest = Manifest.read(place)
    _refuse_newer(manifest)
    print(f"restoring {place}, made at {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    with _empty_database(settings) as target:
        found = _checked(folder, place, manifest, leave_damaged=wish.leave_damaged)
        room = room_of(settings)
        keys = _keys(wish.keys, room, manifest, now)
        _evidence(room, found)
        _database(target, found)
        troubles = _missing(target, room, found)
        code = _log(target, settings, found, keys, wish.decision, now)
    lacking = _lacking_keys(settings, room, manifest, now)
    for one in [*troubles, *lacking]:
        print(f"MISSING: {one}")
    print("the database, and all that is not named above, is restored")
    return max(code, int(bool(troubles or lacking)))


def _refuse_newer(manifest: Manifest) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if manifest.revision not in known:
        raise BackupTooNew(
            f"the backup has the form {manifest.revision}, which this release does not know: restore it "
            "with the release that made it, or a later one"
        )


@contextmanager
def _empty_database(settings: Settings) -> Iterator[Settings]:
    """Give an empty database to restore into: the one that was given, or one in the data folder."""
    if settings.database_url is not None:
        _refuse_tables(settings)
        yield settings
        return
    folder = databases.data_folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        lock = FolderLock(folder)
        lock.take()
        stack.callback(lock.release)
        if (folder / "postgres").exists():
            raise NotEmpty(
                f"{folder} has a database already: give another folder by ENDWATCH_DATA_DIR, or move "
                f"{folder / 'postgres'} away"
            )
        aside = folder / ASIDE
        if aside.exists():
            shutil.rmtree(aside)
        with Postgres(aside) as server:
            yield databases.with_url(settings, server.url)
        (aside / "postgres").rename(folder / "postgres")
        backup_folder.settle(folder)
        shutil.rmtree(aside)


def _refuse_tables(settings: Settings) -> None:
    with patient(settings.url) as connection:
        tables = [str(name) for (name,) in connection.execute(_TABLES).fetchall()]
    if tables:
        raise NotEmpty(
            f"the database is not empty (it has {', '.join(tables)}): restore into a new one"
        )


def _checked(
    folder: BackupFolder, place: Path, manifest: Manifest, *, leave_damaged: bool
) -> Found:
    """Compare every file with its digest before anything is changed. Raises BackupDamaged."""
    listed, kept = place / EVIDENCE_LIST, manifest.evidence
    damaged = [
        str(path)
        for path, told in ((place / DUMP, manifest.database), (listed, kept.listing))
        if not backup_folder.fits(path, told)
    ]
    if damaged:
        raise BackupDamaged(
            f"damaged or missing: {', '.join(damaged)}; restore another backup. Nothing was changed"
        )
    if not kept.copied:
        return Found(folder, place, manifest, frozenset())
    with progress("checking evidence", kept.files) as bar:
        looked = evidence_copies.look(folder, listed, bar)
    if looked.damaged and not leave_damaged:
        raise BackupDamaged(
            f"damaged files of evidence: {_few(looked.damaged, folder.copy_of)}. Nothing was changed; "
            "--leave-damaged restores all but these"
        )
    for one in looked.damaged:
        print(f"DAMAGED: {folder.copy_of(one)} is left out")
    return Found(folder, place, manifest, frozenset([*looked.damaged, *looked.missing]))


def _few(names: list[str], shown: Callable[[str], object] = str) -> str:
    more = len(names) - _MOST_TOLD
    told = ", ".join(str(shown(name)) for name in names[:_MOST_TOLD])
    return f"{told} and {more:,} more" if more > 0 else told


def _keys(given: Path | None, room: Room, manifest: Manifest, now: datetime) -> Keys:
    """Bring the keys back that the backup needs, where a folder of keys is given."""
    if given is None:
        return Keys(None, frozenset(), frozenset())
    keys = given.expanduser().absolute()
    if not keys.is_dir():
        raise WrongUse(f"{keys} is no folder of keys")
    last = manifest.journal.keys[-1] if manifest.journal.keys else None
    return key_copies.bring(room, keys, last, now)


def _evidence(room: Room, found: Found) -> None:
    """Put evidence back before the database tells of it."""
    kept = found.manifest.evidence
    if not kept.copied:
        return
    with progress("restoring evidence", kept.files) as bar:
        put = evidence_copies.put_back(
            room, found.folder, found.place / EVIDENCE_LIST, set(found.lacking), bar
        )
    print(f"{put:,} files of evidence put back")


def _database(settings: Settings, found: Found) -> None:
    """Restore the database, compare its rows, and bring it to the form of this release."""
    manifest = found.manifest
    with patient(settings.url) as connection:
        version = connection.info.server_version
        _make_roles(connection, manifest)
    with progress("restoring the database", sum(manifest.rows.values())) as bar:
        done = 0

        def told(table: str) -> None:
            nonlocal done
            bar(done)
            done += manifest.rows.get(table.removeprefix("public."), 0)

        dumping.restore(settings.url, version, found.place / DUMP, told)
    with patient(settings.url) as connection:
        rows = backup.count_rows(connection)
    if rows != manifest.rows:
        differ = [
            f"{name} has {rows.get(name)} rows instead of {manifest.rows.get(name)}"
            for name in sorted({*rows, *manifest.rows})
            if rows.get(name) != manifest.rows.get(name)
        ]
        raise RestoreDiffers(f"what came back is not what was backed up: {_few(differ)}")
    print(f"{sum(rows.values()):,} rows in {len(rows)} tables, as many as were backed up")
    migrate(settings)
    with psycopg.connect(dumping.conninfo(settings.url), autocommit=True) as connection:
        connection.execute("ANALYZE")


def _make_roles(connection: Connection, manifest: Manifest) -> None:
    """Make the roles that the dump gives rights to and that are not here. Raises WrongUse."""
    known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    for role in manifest.roles:
        if role.name in known:
            continue
        words = sql.SQL(" ").join(
            [sql.SQL("NOLOGIN"), sql.SQL("BYPASSRLS" if role.bypassrls else "NOBYPASSRLS")]
        )
        name = sql.Identifier(role.name)
        try:
            connection.execute(sql.SQL("CREATE ROLE {} {}").format(name, words))
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
        except psycopg.errors.InsufficientPrivilege as error:
            raise WrongUse(
                f"the database needs the role {role.name}: have its administrator run "
                f'CREATE ROLE "{role.name}" {words.as_string(connection)}, and grant it to this user'
            ) from error
        more = "; give it LOGIN and a password again" if role.login else ""
        print(f"role {role.name} was made{more}")
    connection.commit()


def _missing(settings: Settings, room: Room, found: Found) -> list[str]:
    """Compare what the database tells of evidence with what is in the store."""
    standing = {name for name, _ in room.shelf.names()}
    removed = set(found.manifest.evidence.removed_meanwhile)
    told = []
    with _sessions(settings) as sessions, sessions() as session:
        rows = session.query(File.object, File.digest).where(File.object.is_not(None))
        for object, digest in rows.order_by(File.object).yield_per(5_000):
            if object not in standing | removed:
                told.append(f"evidence {digest} (file {object}): no copy of it is in the store")
    if len(told) > _MOST_TOLD:
        print(f"MISSING: {len(told):,} files of evidence, of which the first {_MOST_TOLD}:")
    return told[:_MOST_TOLD]


@contextmanager
def _sessions(settings: Settings) -> Iterator[Sessions]:
    engine = connect(settings.model_copy(update={"statement_seconds": 3600}), pool_size=2)
    try:
        yield sessions_of(engine)
    finally:
        engine.dispose()


def _log(
    target: Settings,
    settings: Settings,
    found: Found,
    keys: Keys,
    decision: Decision,
    now: datetime,
) -> int:
    """Verify the journal, tell it that it was restored, and see how its log goes on."""
    manifest = found.manifest
    code = _verified(target, manifest)
    others = [one / MANIFEST for one in found.folder.whole() if one != found.place]
    known = Decision(decision.seen, decision.accept, decision.unchanged, others)
    with _sessions(target) as sessions, sessions() as session:
        body = {"backup": manifest.sha256, "made_at": manifest.made_at.isoformat()}
        rollbacks.restored(session, body, actor=ACTOR.name, now=now)
        session.commit()
        if keys.log is not None:
            key_copies.put_log_key(settings, keys.log)
        if manifest.journal.keys:
            waits = resuming.decide(session, settings, known, now=now)
            session.commit()
            said = decision.accept or decision.unchanged
            code = max(code, waits if said or _behind(session) else 0)
    return code


def _behind(session: Any) -> bool:
    return rollbacks.standing(session.connection()).found is not None


def _verified(target: Settings, manifest: Manifest) -> int:
    """Check the journal that came back: its tree, its signatures, its root in the manifest."""
    with tempfile.TemporaryDirectory(prefix="endwatch-") as folder:
        file = Path(folder, "journal.export")
        export.save(target, file, tables=True)
        findings = verify.verify(str(file), keys=manifest.journal.keys)
    root = manifest.journal.root
    with _sessions(target) as sessions, sessions() as session:
        if backup.root_of(session, manifest.journal.sealed) != root:
            findings.faults.append((0, "the root of the tree is not the one in the manifest"))
    for line in findings.told():
        print(line)
    return int(bool(findings.faults))


def _lacking_keys(settings: Settings, room: Room, manifest: Manifest, now: datetime) -> list[str]:
    """Say which keys are not on this machine, and what cannot be done without them."""
    here = key_copies.here(settings, room, now)
    last = manifest.journal.keys[-1] if manifest.journal.keys else None
    moved_on = here.log is not None and here.log.verifier.name != (last or "").partition("+")[0]
    return here.lacking(None if moved_on else last, manifest.evidence_keys)
