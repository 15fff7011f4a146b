"""The tree that seals the journal: RFC 6962 hashing, kept as the tiles of C2SP tlog-tiles.

Everything here is pure. A **node** is named by its height and its place on that height: node (h, n)
hashes the 2**h entries that begin with entry n * 2**h. Only nodes of complete subtrees have a name;
the ragged right edge of a tree is made of them.

Sources: RFC 6962, 2.1 (hashing, inclusion, consistency) and https://c2sp.org/tlog-tiles.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from app.journal.rules import NODE

HASH = 32
"""Bytes of a hash."""
HEIGHT = 8
"""Heights that one tile spans."""
WIDTH = 1 << HEIGHT
"""Hashes of a full tile."""
EMPTY = hashlib.sha256().digest()
"""The root of a tree without entries."""

Node = Callable[[int, int], bytes]
"""Gives the hash of a complete subtree by height and place."""


def join(left: bytes, right: bytes) -> bytes:
    """Hash two neighbors into the node above them."""
    return hashlib.sha256(NODE + left + right).digest()


def folded(hashes: Sequence[bytes]) -> bytes:
    """Hash a row of nodes, as many as a power of two, into the node above all of them."""
    row = list(hashes)
    while len(row) > 1:
        row = [join(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def spanned(start: int, end: int, node: Node) -> bytes:
    """Hash the entries from `start` to before `end`; `start` is where a subtree of them may begin."""
    count = end - start
    if count == 0:
        return EMPTY
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return node(height, start >> height)
    at = start + _left(count)
    return join(spanned(start, at, node), spanned(at, end, node))


def _left(count: int) -> int:
    """Give the size of the left subtree: the largest power of two below the count."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """Prove that an entry stands at an index, counted from 0, of a tree of a size (2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} entries has no entry {index}")
    path, start, end = [], 0, size
    while end - start > 1:
        at = start + _left(end - start)
        if index < at:
            path.append(spanned(at, end, node))
            end = at
        else:
            path.append(spanned(start, at, node))
            start = at
    return path[::-1]


def consistency(old: int, new: int, node: Node) -> list[bytes]:
    """Prove that the tree of the size `new` begins with the tree of the size `old` (2.1.2)."""
    if not 0 < old <= new:
        raise ValueError(f"no tree of {new} entries grew from one of {old}")
    path, start, end, whole = [], 0, new, True
    while old != end:
        at = start + _left(end - start)
        if old <= at:
            path.append(spanned(at, end, node))
            end = at
        else:
            path.append(spanned(start, at, node))
            start, whole = at, False
    if not whole:
        path.append(spanned(start, end, node))
    return path[::-1]


class ProofUnfit(ValueError):
    """A proof has another number of hashes than its tree calls for, or does not fit it."""


def _climbed(index: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Go from a node to the root: the hash beside it on each height, and whether it stands left."""
    rest = list(path)
    while last > 0:
        if index & 1 or index < last:
            if not rest:
                raise ProofUnfit("the proof is too short")
            yield rest.pop(0), bool(index & 1)
        index, last = index >> 1, last >> 1
    if rest:
        raise ProofUnfit("the proof is too long")


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Give the root that an inclusion proof leads to. Raises ProofUnfit."""
    if not 0 <= index < size:
        raise ProofUnfit(f"a tree of {size} entries has no entry {index}")
    found = leaf
    for beside, left in _climbed(index, size - 1, path):
        found = join(beside, found) if left else join(found, beside)
    return found


def grown(old: int, new: int, root: bytes, path: Sequence[bytes]) -> bytes:
    """Give the new root that a consistency proof leads to from an old one. Raises ProofUnfit."""
    if not 0 < old <= new:
        raise ProofUnfit(f"no tree of {new} entries grew from one of {old}")
    shift = (old & -old).bit_length() - 1  # the heights on which the old edge is complete
    at, last, rest = (old - 1) >> shift, (new - 1) >> shift, list(path)
    if old == new:
        at = last = 0
    if at and not rest:
        raise ProofUnfit("the proof is too short")
    before = after = rest.pop(0) if at else root
    for beside, left in _climbed(at, last, rest):
        if left:
            before, after = join(beside, before), join(beside, after)
        else:
            after = join(after, beside)
    if before != root:
        raise ProofUnfit("the proof does not begin with the old tree")
    return after


@dataclass(frozen=True, slots=True)
class Growth:
    """Hashes to append to one tile."""

    level: int
    tile: int
    hashes: bytes


@dataclass(slots=True)
class Edge:
    """The right edge of a tree: the tile of every level that is not full yet.

    With it alone the tree grows by any number of entries at the cost of these entries.
    """

    size: int = 0
    levels: list[list[bytes]] = field(default_factory=list)

    def grow(self, leaves: Iterable[bytes]) -> list[Growth]:
        """Append leaf hashes; give what every touched tile gains, lowest level first."""
        fresh, level, gained = list(leaves), 0, []
        before = self.size
        self.size += len(fresh)
        while fresh:
            if level == len(self.levels):
                self.levels.append([])
            above = []
            tile = (before >> (HEIGHT * level)) >> HEIGHT
            row = self.levels[level]
            while fresh:
                taken, fresh = fresh[: WIDTH - len(row)], fresh[WIDTH - len(row) :]
                gained.append(Growth(level, tile, b"".join(taken)))
                row += taken
                if len(row) == WIDTH:
                    above.append(folded(row))
                    row = self.levels[level] = []
                    tile += 1
            fresh, level = above, level + 1
        return gained

    def root(self) -> bytes:
        """Give the root of the tree."""
        found: bytes | None = None
        for row in self.levels:
            end = len(row)
            while end:
                width = end & -end
                part = folded(row[end - width : end])
                found = part if found is None else join(part, found)
                end -= width
        return EMPTY if found is None else found


def widths(size: int) -> list[tuple[int, int, int]]:
    """List the unfinished tiles of a tree: level, place, and how many hashes each has."""
    found, level = [], 0
    while size >> (HEIGHT * level):
        count = size >> (HEIGHT * level)
        if count % WIDTH:
            found.append((level, count >> HEIGHT, count % WIDTH))
        level += 1
    return found


def tile_of(height: int, place: int) -> tuple[int, int, int, int]:
    """Say where a node is made from: level, tile, the first of its hashes there, and how many."""
    level, above = divmod(height, HEIGHT)
    first = place << above
    return level, first >> HEIGHT, first % WIDTH, 1 << above
