"""`endwatch journal export`: everything a stranger needs to check the journal, in one file.

Lines of text, each a word and what it names: keys, checkpoints, tiles, then every entry as its sealed
form and its body with a tab between them, then rows of some tables as they stand, all of one moment.
Bodies hold commitments in place of what may have to be erased, so that an export needs no erasing.
"""

import base64
import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

import rfc8785
from sqlalchemy import Connection, text

from app.cli import databases, exported
from app.cli.progress import progress
from app.cli.verify import HEAD
from app.database import connect
from app.journal import canonical, sealing
from app.settings import Settings

AT_ONCE = 5_000

_ENTRIES = text(f"SELECT {sealing.COLUMNS} FROM journal ORDER BY seq")  # noqa: S608 our own columns
_CHECKPOINTS = text("""
SELECT size, root, note || coalesce((
    SELECT string_agg(line, '' ORDER BY recorded_at, witness)
    FROM journal_cosignatures c WHERE c.size = p.size
), '') AS note
FROM journal_checkpoints p ORDER BY size
""")
_WAITING = text("""
SELECT subject FROM journal_pending
UNION ALL
SELECT CASE action WHEN 'report.filed' THEN 'report:' || (body ->> 'corrects')
       ELSE 'custody:' || regexp_replace(subject, '^custody:(.*)/[^/]*$', '\\1') || '/'
            || (body ->> 'corrects') END
FROM journal_pending WHERE body ->> 'corrects' IS NOT NULL
""")
"""What was corrected is told by the entry of what corrects it."""


def run(settings: Settings, path: Path, *, tables: bool) -> int:
    """Write an export and say so."""
    count = save(settings, path, tables=tables)
    print(f"{count:,} entries are in {path}; check them with `endwatch verify {path}`")
    return 0


def save(settings: Settings, path: Path, *, tables: bool) -> int:
    """Write an export; the file is there when it is whole. Answer how many entries it holds."""
    fresh = path.with_name(f"{path.name}.new")
    with databases.database(settings) as here, ExitStack() as stack:
        engine = connect(here.model_copy(update={"statement_seconds": 3600}), pool_size=1)
        stack.callback(engine.dispose)
        connection = stack.enter_context(engine.connect())
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with _created(fresh, packed=path.suffix == ".gz") as out:
            count = write(connection, out, tables=tables)
    fresh.replace(path)
    return count


def _created(path: Path, *, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "wb", 6)) if packed else path.open("wb")


def write(connection: Connection, out: IO[bytes], *, tables: bool) -> int:
    """Write everything; answer how many entries there are."""
    out.write(HEAD)
    out.writelines(_seals(connection))
    count = connection.scalar(text("SELECT seq FROM journal_head")) or 0
    with progress("exporting the journal", count) as bar:
        done = 0
        for rows in _streamed(connection, _ENTRIES).partitions(AT_ONCE):
            out.writelines(map(_entry, rows))
            done += len(rows)
            bar(done)
    if tables:
        out.writelines(_waiting(connection))
        for table in exported.TABLES:
            out.writelines(_rows(connection, table))
    out.write(b"end\n")
    return done


def _seals(connection: Connection) -> Iterator[bytes]:
    """Write keys, how far numbers were given out, checkpoints and tiles."""
    for verifier in connection.scalars(text("SELECT verifier FROM journal_keys ORDER BY id")):
        yield f"key {verifier}\n".encode()
    numbered = connection.scalar(text("SELECT seq FROM journal_head"))
    yield f"numbered {numbered}\n".encode()
    for row in _streamed(connection, _CHECKPOINTS):
        yield b"checkpoint %b\n" % rfc8785.dumps([row.size, _packed(row.root), row.note])
    for row in _streamed(connection, text("SELECT level, place, hashes FROM journal_tiles")):
        yield f"tile {row.level} {row.place} {_packed(row.hashes)}\n".encode()


def _waiting(connection: Connection) -> Iterator[bytes]:
    """Name what the tables hold already and the journal has no number for yet."""
    for subject in _streamed(connection, _WAITING).scalars():
        yield b"waiting %b\n" % rfc8785.dumps(subject)


def _streamed(connection: Connection, query: Any) -> Any:
    return connection.execution_options(yield_per=AT_ONCE).execute(query)


def _packed(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _entry(row: Any) -> bytes:
    body = canonical.body(row.body)
    return b"entry %b\t%b\n" % (canonical.entry(row, body), body)


def _rows(connection: Connection, table: str) -> Iterator[bytes]:
    """Write the rows of a table as far as the entries tell of them."""
    yield f"table {table}\n".encode()
    for row in _streamed(connection, text(exported.query(table))):
        yield b"row %b\n" % rfc8785.dumps([table, row.name, canonical.parsed(row.told)])
