"""Extends the tree over entries that were numbered, and signs for it, in the same transaction."""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, text

from app.journal import canonical, rules, tree
from app.journal.notes import Checkpoint, Signer
from app.journal.tree import HASH, Edge

_log = structlog.get_logger()

COLUMNS = """seq, recorded_at, sequenced_at, actor, action, subject, party, topic, receipt, nonce,
 body::text AS body"""

_OLDER = text(f"SELECT {COLUMNS} FROM journal WHERE seq > :sealed ORDER BY seq LIMIT :at_once")  # noqa: S608 our own columns
_EDGE = text("""
SELECT t.level, t.hashes FROM journal_tiles t
JOIN unnest(CAST(:levels AS bigint[]), CAST(:places AS bigint[])) AS wanted(level, place)
USING (level, place)
""")
_GROW = text("""
INSERT INTO journal_tiles AS tile (level, place, hashes) VALUES (:level, :place, :hashes)
ON CONFLICT (level, place) DO UPDATE SET hashes = tile.hashes || excluded.hashes
""")
_SEALED = text("UPDATE journal_head SET sealed = :size")
_SIGNED = text("SELECT root, note FROM journal_checkpoints WHERE size = :size")
_SIGN = text("""
INSERT INTO journal_checkpoints (size, root, note) VALUES (:size, :root, :note)
ON CONFLICT (size) DO NOTHING
""")
_KEY = text("""
WITH earlier AS (
    SELECT verifier FROM journal_keys ORDER BY id DESC LIMIT 1
), fresh AS (
    INSERT INTO journal_keys (verifier, since) VALUES (:verifier, :since)
    ON CONFLICT (verifier) DO NOTHING RETURNING verifier, since
)
INSERT INTO journal_pending (recorded_at, actor, action, subject, body)
SELECT clock_timestamp(), 'system:sequencer', 'log.key', 'log:' || :name,
       jsonb_build_object('key', fresh.verifier, 'before', earlier.verifier, 'since', fresh.since)
FROM fresh JOIN earlier ON true
""")


class TreeDamaged(Exception):
    """The tiles of the tree are not what was signed for; `endwatch verify` says where."""


class Seal:
    """The tree as one leading sequencer extends it, and the key it signs with, if it has one."""

    def __init__(self, signer: Signer | None) -> None:
        self.signer = signer
        self.note: str | None = None
        """The checkpoint signed last, which nobody sees before the commit."""
        self._edge: Edge | None = None

    def begin(self, connection: Connection, sealed: int) -> None:
        """Take over the tree as it stands. A key that follows another is told by the journal."""
        self._edge = None
        if self.signer is not None:
            key = {"verifier": str(self.signer.verifier), "name": self.signer.name}
            connection.execute(_KEY, key | {"since": sealed})
            self.sign(connection, sealed)

    def older(self, connection: Connection, sealed: int, at_once: int) -> int:
        """Seal a portion of what was numbered and never sealed; answer how many entries."""
        rows = connection.execute(_OLDER, {"sealed": sealed, "at_once": at_once}).all()
        self.extend(connection, sealed, rows)
        return len(rows)

    def extend(self, connection: Connection, sealed: int, rows: Sequence[Any]) -> None:
        """Append entries in their order, and sign for the tree. Raises TreeDamaged."""
        edge = self._standing(connection, sealed)
        gained = edge.grow(leaf(row) for row in rows)
        if gained:
            connection.execute(
                _GROW,
                [{"level": g.level, "place": g.tile, "hashes": g.hashes} for g in gained],
            )
            connection.execute(_SEALED, {"size": edge.size})
        self.sign(connection, edge.size)

    def sign(self, connection: Connection, size: int) -> None:
        """Sign for the tree as it stands, unless that was done. Raises TreeDamaged."""
        if self.signer is None or size == 0:
            return
        root = self._standing(connection, size).root()
        note = Checkpoint(self.signer.name, size, root).signed(self.signer)
        if connection.execute(_SIGN, {"size": size, "root": root, "note": note}).rowcount:
            self.note = note

    def _standing(self, connection: Connection, size: int) -> Edge:
        """Give the edge of the tree of a size, read and checked against what was signed for."""
        if self._edge is None or self._edge.size != size:
            edge = _read(connection, size)
            signed = connection.execute(_SIGNED, {"size": size}).first()
            if signed is not None and _differs(signed, edge):
                raise TreeDamaged(f"the tiles do not give the root signed for at size {size}")
            self._edge = edge
        return self._edge


def _differs(signed: Any, edge: Edge) -> bool:
    return bytes(signed.root) != edge.root() or f"\n{edge.size}\n" not in signed.note


def leaf(row: Any) -> bytes:
    """Hash an entry as the tree holds it; its body is given as the database's JSON."""
    return rules.leaf(canonical.entry(row, canonical.body(row.body)))


def _read(connection: Connection, size: int) -> Edge:
    """Read the unfinished tiles of the tree of a size."""
    wanted = tree.widths(size)
    edge = Edge(size, [[] for _ in range(1 + max((level for level, _, _ in wanted), default=-1))])
    found = connection.execute(
        _EDGE,
        {"levels": [level for level, _, _ in wanted], "places": [place for _, place, _ in wanted]},
    )
    tiles = {row.level: bytes(row.hashes) for row in found}
    for level, place, width in wanted:
        hashes = tiles.get(level, b"")
        if len(hashes) != width * HASH:
            raise TreeDamaged(f"tile {level}/{place} should have {width} hashes")
        edge.levels[level] = [hashes[at : at + HASH] for at in range(0, len(hashes), HASH)]
    return edge
