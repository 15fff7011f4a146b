"""Drill: somebody with all rights on the database changes something, and the verifier says what.

Each mutation is made by SQL as a superuser past every trigger, in a transaction that is exported from
inside, verified offline and rolled back. It is drawn by chance from the tables and columns that the
entries tell of (docs/journal.md has them), and from the journal's own tables. All must be found; the
first bad entry must be named wherever it can be known, which is worked out here from what changed.
"""

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app.cli import export, verify
from benchmarks import tampered
from benchmarks.mutations import IN_TABLES, OF_THE_JOURNAL, Chance, Unfit

ATTEMPTS = 60
"""How often a mutation is drawn anew that the database refuses, or that changes nothing told."""


@dataclass
class Bench:
    """A database to tamper with, what an untouched export of it says, and the figures."""

    owner: Engine
    folder: Path
    chance: random.Random
    kinds: Counter[str] = field(default_factory=Counter)
    named: int = 0
    refused: int = 0
    beyond: int = 0
    untouched: verify.Export = field(default_factory=verify.Export)
    keys: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """Where exports are written, one over the other."""
        return self.folder / "export"

    @property
    def state(self) -> Path:
        """What somebody saw of the log before."""
        return self.folder / "seen.json"

    def exported(self, connection: Connection) -> verify.Export:
        """Export what the connection sees, and read it as the verifier does."""
        with self.file.open("wb") as out:
            export.write(connection, out, tables=True)
        with self.file.open("rb") as file:
            return verify.read(file, verify.Findings())

    def begin(self) -> None:
        """See that all is well, and remember it."""
        with self.owner.connect() as connection:
            self.untouched = self.exported(connection)
        self.keys = self.untouched.keys
        findings = verify.verify(str(self.file), keys=self.keys, state=self.state)
        assert findings.faults == [], findings.faults

    @contextmanager
    def past_triggers(self) -> Iterator[Connection]:
        """Give a transaction of a superuser whom no trigger stops; nothing of it stays."""
        with self.owner.connect() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield connection
            connection.rollback()

    def tamper(self, kind: str) -> None:
        """Make one mutation of a kind, and see that it is found."""
        for _ in range(ATTEMPTS):
            with self.past_triggers() as connection:
                try:
                    what, seq = self._mutate(connection, kind)
                except (DBAPIError, Unfit):
                    self.refused += 1
                    continue
                if what is None:
                    self.beyond += 1
                    continue
                self._check(kind, what, seq)
                return
        raise AssertionError(f"no mutation {kind} was to be had in {ATTEMPTS} attempts")

    def _mutate(self, connection: Connection, kind: str) -> tuple[str | None, int | None]:
        """Change something; say what, and the first entry that is bad by it, where that is known."""
        chance = Chance(connection, self.chance, self.untouched)
        if kind in OF_THE_JOURNAL:
            what, seq = OF_THE_JOURNAL[kind](chance)
            self.exported(connection)
            return what, seq
        what = IN_TABLES[kind](chance)
        bad = list(_differing(self.untouched, self.exported(connection).rows))
        if not bad:
            return None, None
        told = [seq for seq in bad if seq]
        return what, min(told) if told else None

    def _check(self, kind: str, what: str, seq: int | None) -> None:
        findings = verify.verify(str(self.file), keys=self.keys, state=self.state)
        assert findings.faults, f"{kind} was not found: {what}"
        first = next(line for line in findings.told() if line.startswith("BAD"))
        if seq is not None:
            assert first.startswith(f"BAD entry {seq}: "), f"{kind}: {what}: {seq}, but {first}"
            self.named += 1
        self.kinds[kind] += 1


def _differing(right: verify.Export, rows: dict[str, dict[str, Any]]) -> Iterator[int]:
    """Name the last entries about rows that are not as they were, in what entries tell; 0: none."""
    folded = right.folded
    for table, before in right.rows.items():
        for name in before.keys() | rows[table].keys():
            told = folded.tables[table].get(name, {})
            one, other = before.get(name), rows[table].get(name)
            if one is None or other is None:
                changed = one != other
            else:
                changed = any(one.get(column) != other.get(column) for column in told)
            if changed:
                yield folded.last.get((table, name), 0)


def tampering(count: int) -> dict[str, Any]:
    """Tamper so many times with a database of its own server."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
    folder.chmod(0o755)
    try:
        with tampered.server(folder / "postgres") as postgres:
            return tamper_with(postgres, folder, count)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tamper_with(postgres: Any, folder: Path, count: int, seed: int = 1) -> dict[str, Any]:
    """Build the database on a server, and tamper with it; chance is the same each time."""
    with tampered.database(postgres, folder / "data") as owner:
        bench = Bench(owner, folder, random.Random(seed))
        bench.begin()
        empty = sorted(table for table, rows in bench.untouched.rows.items() if not rows)
        assert not empty, f"nothing to tamper with in {empty}"
        kinds = [*IN_TABLES, *OF_THE_JOURNAL]
        begun = time.monotonic()
        for number in range(count):
            bench.tamper(kinds[number % len(kinds)])
        seconds = time.monotonic() - begun
    return {
        "mutations": count,
        "found": bench.kinds.total(),
        "first bad entry known and named": bench.named,
        "seconds": round(seconds, 1),
        "drawn anew: refused by the database": bench.refused,
        "drawn anew: of what no entry tells": bench.beyond,
        "tables": len(bench.untouched.rows),
        "rows": sum(map(len, bench.untouched.rows.values())),
        "entries": bench.untouched.numbered,
    } | dict(sorted(bench.kinds.items()))
