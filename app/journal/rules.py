"""RFC 6962 hashing of lists."""

import hashlib
from collections.abc import Sequence

LEAF, NODE = b"\x00", b"\x01"


def leaf(entry: bytes) -> bytes:
    """Hash one entry (RFC 6962, 2.1)."""
    return hashlib.sha256(LEAF + entry).digest()


def root(entries: Sequence[bytes]) -> bytes:
    """Give the Merkle tree hash of a list of entries (RFC 6962, 2.1)."""
    if not entries:
        return hashlib.sha256().digest()
    level = [leaf(entry) for entry in entries]
    while len(level) > 1:
        pairs = len(level) // 2 * 2
        odd = level[pairs:]
        level = [
            hashlib.sha256(NODE + level[at] + level[at + 1]).digest() for at in range(0, pairs, 2)
        ] + odd
    return level[0]
