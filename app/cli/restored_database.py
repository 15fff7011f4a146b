"""The database of `endwatch restore`: empty before, and what was backed up afterwards.

A database that was given is filled in one transaction. In a data folder of our own it stands aside
until it is whole, so that no service starts on half of it.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy.orm import Session

from app.cli import backup, backup_folder, databases, dumping
from app.cli.backup_folder import Manifest
from app.cli.cluster import RESTORING
from app.cli.dumping import patient
from app.cli.folder_lock import FolderLock
from app.cli.migrations import MIGRATIONS, migrate
from app.cli.postgres import Postgres
from app.cli.progress import progress
from app.cli.troubles import BackupTrouble, WrongUse
from app.database import connect, sessions_of
from app.settings import Settings

Connection = psycopg.Connection[Any]

MOST_TOLD = 20

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


def refuse_newer(manifest: Manifest) -> None:
    """See that this release knows the form of the backup's database. Raises BackupTooNew."""
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
def empty(settings: Settings) -> Iterator[Settings]:
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
        aside = folder / RESTORING
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


def fill(settings: Settings, dump: Path, manifest: Manifest) -> None:
    """Restore the database, compare its rows, and bring it to the form of this release."""
    with patient(settings.url) as connection:
        version = connection.info.server_version
        _make_roles(connection, manifest)
    with progress("restoring the database", sum(manifest.rows.values())) as bar:
        done = 0

        def told(table: str) -> None:
            nonlocal done
            bar(done)
            done += manifest.rows.get(table.removeprefix("public."), 0)

        dumping.restore(settings.url, version, dump, told)
    with patient(settings.url) as connection:
        rows = backup.count_rows(connection)
    if rows != manifest.rows:
        differ = [
            f"{name} has {rows.get(name)} rows instead of {manifest.rows.get(name)}"
            for name in sorted({*rows, *manifest.rows})
            if rows.get(name) != manifest.rows.get(name)
        ]
        raise RestoreDiffers(f"what came back is not what was backed up: {few(differ)}")
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


@contextmanager
def session(settings: Settings) -> Iterator[Session]:
    """Open a session on the database that came back, in which a statement may take an hour."""
    engine = connect(settings.model_copy(update={"statement_seconds": 3600}), pool_size=2)
    try:
        with sessions_of(engine)() as opened:
            yield opened
    finally:
        engine.dispose()


def few(names: list[str], shown: Callable[[str], object] = str) -> str:
    """Name the first of many."""
    more = len(names) - MOST_TOLD
    told = ", ".join(str(shown(name)) for name in names[:MOST_TOLD])
    return f"{told} and {more:,} more" if more > 0 else told
