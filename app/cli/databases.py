"""Finds the database a command works on: the one it was told, the running one, or its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlalchemy import make_url, text

from app.cli.migrations import migrate
from app.cli.postgres import FolderInUse, Postgres
from app.database import Sessions, connect, sessions_of
from app.settings import Settings
from app.walls import Part

PATIENCE = 15.0
"""Seconds to wait for the PostgreSQL of a service that is just starting, or starting it again."""


def data_folder(settings: Settings) -> Path:
    """Give the data folder, whole: children may run elsewhere."""
    return settings.data_dir.expanduser().absolute()


def with_url(settings: Settings, url: str) -> Settings:
    """Point the settings at a database."""
    return settings.model_copy(update={"database_url": SecretStr(url), "owner_url": None})


def let_in(settings: Settings) -> str:
    """Let the API into the embedded database under its own name; answer the address.

    A connection made under that name can never become more than the API, whatever is said on it.
    """
    engine = connect(settings, None, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER ROLE {Part.API} LOGIN"))
    engine.dispose()
    return make_url(settings.url).set(username=Part.API).render_as_string(False)


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """Give settings with a database in the newest form, beside a running service or alone.

    Without a running service the embedded PostgreSQL is started for as long as this takes. Raises
    PostgresTrouble. A database given by its address is taken as it is.
    """
    if settings.database_url is not None:
        yield settings
        return
    server = Postgres(data_folder(settings))
    if joined(server):
        yield with_url(settings, server.url)
        return
    with server:
        here = with_url(settings, server.url)
        migrate(here)
        yield here


@contextmanager
def sessions(settings: Settings) -> Iterator[Sessions]:
    """Give the session factory of the database a command works on."""
    with database(settings) as found:
        engine = connect(found, pool_size=2)
        try:
            yield sessions_of(engine)
        finally:
            engine.dispose()


def joined(server: Postgres) -> bool:
    """Join the PostgreSQL that a service runs already, or start it; say whether it was joined.

    A folder in use whose PostgreSQL does not answer is on its way up or down: wait for either.
    """
    until = time.monotonic() + PATIENCE
    while not answers(server.url):
        try:
            server.start()
        except FolderInUse:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return False
    return True


def answers(url: str) -> bool:
    """Say whether a PostgreSQL answers at an address."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(False)
    try:
        psycopg.connect(conninfo, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
