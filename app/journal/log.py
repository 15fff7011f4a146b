"""Reading the sealed log: tiles, entry bundles, checkpoints, and proofs made of them."""

import base64
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, select, text
from sqlalchemy.orm import Session

from app.errors import Unknown
from app.journal import canonical, tree
from app.journal.models import Cosignature, Entry, LogKey, PendingEntry, SignedCheckpoint, Tile
from app.journal.tree import HASH, WIDTH

PROOF = "c2sp.org/tlog-proof@v1"
PLACE = re.compile(r"((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
LONGEST = 65_535
"""Bytes of an entry in a bundle, whose length is written in two bytes."""


class NothingSigned(Unknown):
    """The log has signed no checkpoint yet."""


class TileUnknown(Unknown):
    """The log has no such tile; which there are follows from the size in a checkpoint."""


class EntryUnknown(Unknown):
    """There is no sealed entry of that number here."""


class ReceiptUnknown(Unknown):
    """There is no receipt of that name here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tile somebody asks for: which one, and how many of its hashes."""

    place: int
    width: int


def wanted(path: str) -> Wanted:
    """Read the place of a tile from its path, as `x001/x234/067.p/112`. Raises TileUnknown."""
    found = PLACE.fullmatch(path)
    if found is None or len(path) > 40 or (found[1] and int(found[1][1:4]) == 0):
        raise TileUnknown(f"{path[:80]!r} is not the path of a tile.")
    place = int(found[1].replace("x", "").replace("/", "") + found[2])
    width = int(found[3]) if found[3] else WIDTH
    if found[3] and width >= WIDTH:
        raise TileUnknown("A partial tile has at most 255 hashes.")
    return Wanted(place, width)


def tile(session: Session, level: int, asked: Wanted) -> bytes:
    """Give the hashes of a tile, or as many of its first ones as asked for. Raises TileUnknown."""
    query = select(Tile.hashes).where(Tile.level == level, Tile.place == asked.place)
    hashes = session.scalar(query)
    if hashes is None or len(hashes) < asked.width * HASH:
        raise TileUnknown("The tree is not that large yet.")
    return hashes[: asked.width * HASH]


def bundle(session: Session, asked: Wanted) -> bytes:
    """Give the sealed forms of a tile's entries, each behind its length. Raises TileUnknown."""
    first = asked.place * WIDTH + 1
    rows = _entries(session, Entry.seq.between(first, first + asked.width - 1))
    sealed = session.scalar(text("SELECT sealed FROM journal_head")) or 0
    if len(rows) < asked.width or sealed < first + asked.width - 1:
        raise TileUnknown("The log does not have that many entries yet.")
    return b"".join(len(one).to_bytes(2, "big") + one for one in map(_sealed, rows))


def _sealed(row: Any) -> bytes:
    written = canonical.entry(row, canonical.body(row.body))
    assert len(written) <= LONGEST, "names and subjects are short"
    return written


def _entries(session: Session, which: ColumnElement[bool]) -> list[Any]:
    columns = [column for column in Entry.__table__.columns if column.name != "body"]
    body = cast(Entry.body, Text).label("body")
    return list(session.execute(select(*columns, body).where(which).order_by(Entry.seq)))


def key(session: Session) -> str:
    """Give the verifier key the log signs with now. Raises NothingSigned."""
    found = session.scalar(select(LogKey.verifier).order_by(LogKey.id.desc()).limit(1))
    if found is None:
        raise NothingSigned("The scheduler makes the log's key when it first runs.")
    return found


def checkpoint(session: Session, *, cosigned: bool = False) -> str:
    """Give the newest checkpoint with its cosignatures, or the newest that has any."""
    query = select(SignedCheckpoint).order_by(SignedCheckpoint.size.desc()).limit(1)
    if cosigned:
        query = query.where(SignedCheckpoint.size.in_(select(Cosignature.size)))
    found = session.scalar(query)
    if found is None:
        raise NothingSigned("Ask again when the scheduler has run and something was recorded.")
    return with_witnesses(session, found)


def with_witnesses(session: Session, found: SignedCheckpoint) -> str:
    """Write a checkpoint with the signatures of witnesses beneath the log's own."""
    lines = session.scalars(
        select(Cosignature.line)
        .where(Cosignature.size == found.size)
        .order_by(Cosignature.recorded_at, Cosignature.witness)
    )
    return found.note + "".join(lines)


@dataclass(frozen=True, slots=True)
class Proof:
    """That an entry is sealed: its sealed form, its place and the way from there to a checkpoint."""

    seq: int
    entry: bytes
    path: list[bytes]
    checkpoint: str

    def __str__(self) -> str:
        """Write it as https://c2sp.org/tlog-proof says, with the entry as its extra data."""
        extra = base64.b64encode(self.entry).decode()
        path = "".join(f"{base64.b64encode(one).decode()}\n" for one in self.path)
        return f"{PROOF}\nextra {extra}\nindex {self.seq - 1}\n{path}\n{self.checkpoint}"


def proof_of(session: Session, seq: int, *, party: str | None) -> Proof | None:
    """Prove an entry by its number; None while nothing is signed for it. Raises EntryUnknown."""
    rows = _entries(session, Entry.seq == seq)
    if not rows or (party is not None and rows[0].party != party):
        raise EntryUnknown(f"There is no entry {seq} here.")
    return _proof(session, rows[0])


def proof_by(session: Session, receipt: UUID, *, party: str | None) -> Proof | None:
    """Prove what was filed by its receipt; None while it is on its way. Raises ReceiptUnknown."""
    rows = _entries(session, Entry.receipt == receipt)
    if rows and (party is None or rows[0].party == party):
        return _proof(session, rows[0])
    pending = select(PendingEntry.id).where(PendingEntry.receipt == receipt).limit(1)
    if party is not None:
        pending = pending.where(PendingEntry.party == party)
    if rows or session.scalar(pending) is None:
        raise ReceiptUnknown(f"There is no receipt {receipt} here.")
    return None


def _proof(session: Session, row: Any) -> Proof | None:
    """Prove an entry to the newest checkpoint that witnesses signed, or else to the newest."""
    witnessed = SignedCheckpoint.size.in_(select(Cosignature.size))
    found = session.scalar(
        select(SignedCheckpoint)
        .where(SignedCheckpoint.size >= row.seq)
        .order_by(witnessed.desc(), SignedCheckpoint.size.desc())
        .limit(1)
    )
    if found is None:
        return None
    path = tree.inclusion(row.seq - 1, found.size, _nodes(session))
    return Proof(row.seq, _sealed(row), path, with_witnesses(session, found))


def root(session: Session, size: int) -> bytes:
    """Work out the root of the first entries from the tiles."""
    return tree.spanned(0, size, _nodes(session))


def _nodes(session: Session) -> tree.Node:
    """Give nodes of the tree from its tiles, each read once."""
    tiles: dict[tuple[int, int], bytes] = {}

    def node(height: int, place: int) -> bytes:
        level, number, first, count = tree.tile_of(height, place)
        if (level, number) not in tiles:
            tiles[level, number] = session.get_one(Tile, (level, number)).hashes
        part = tiles[level, number][first * HASH : (first + count) * HASH]
        return tree.folded([part[at : at + HASH] for at in range(0, len(part), HASH)])

    return node
