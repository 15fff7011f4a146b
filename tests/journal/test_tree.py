import base64
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.journal import rules, tree
from app.journal.tree import Edge, ProofUnfit

VECTORS = json.loads(Path(__file__).with_name("merkle-vectors.json").read_text())
SIZES = st.integers(1, 700)


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """Hash as RFC 6962, 2.1 writes it: divide at the largest power of two below the count."""
    if len(leaves) < 2:
        return leaves[0] if leaves else tree.EMPTY
    at = 1 << (len(leaves) - 1).bit_length() - 1
    return tree.join(by_definition(leaves[:at]), by_definition(leaves[at:]))


def leaves_of(size: int) -> list[bytes]:
    return [rules.leaf(str(number).encode()) for number in range(size)]


def node_of(leaves: Sequence[bytes]) -> tree.Node:
    def node(height: int, place: int) -> bytes:
        part = leaves[place << height : (place + 1) << height]
        assert len(part) == 1 << height, "only complete subtrees have a node"
        return by_definition(part)

    return node


def unpacked(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["case"])
def test_the_vectors_of_transparency_dev_are_judged_as_they_say(vector: dict[str, Any]) -> None:
    path = [unpacked(part) for part in vector["proof"] or []]
    first = vector.get("start", 0)  # a subtree is a tree of its own
    try:
        if "leafIdx" in vector:
            leaf, index = unpacked(vector["leafHash"]), vector["leafIdx"] - first
            size, root = vector.get("treeSize", vector.get("end", 0) - first), vector["root"]
            good = tree.included(leaf, index, size, path) == unpacked(root)
        else:
            assert first == 0
            old = int(vector["size1" if "size1" in vector else "end"])
            new = int(vector["size2" if "size2" in vector else "size"])
            found = tree.grown(old, new, unpacked(vector["root1"]), path)
            good = found == unpacked(vector["root2"])
    except ProofUnfit:
        good = False
    assert good is not vector["wantErr"], vector["desc"]


def test_there_were_vectors_of_both_sorts_good_and_bad() -> None:
    assert len(VECTORS) == 47
    sorts = {("leafIdx" in vector, vector["wantErr"]) for vector in VECTORS}
    assert sorts == {(True, True), (True, False), (False, True), (False, False)}


@given(st.lists(st.integers(0, 600), max_size=5))
@settings(max_examples=40, deadline=None)
def test_however_it_grows_the_edge_has_the_root_of_the_definition(steps: list[int]) -> None:
    leaves = leaves_of(sum(steps))
    edge, tiles = Edge(), dict[tuple[int, int], bytes]()
    for step in steps:
        for growth in edge.grow(leaves[edge.size : edge.size + step]):
            key = (growth.level, growth.tile)
            tiles[key] = tiles.get(key, b"") + growth.hashes
        assert edge.root() == by_definition(leaves[: edge.size])
    for (level, place), hashes in tiles.items():
        span = 256**level
        first = place * 256
        expected = [
            by_definition(leaves[number * span : (number + 1) * span])
            for number in range(first, min(first + 256, len(leaves) // span))
        ]
        assert hashes == b"".join(expected)
    kept = {(level, place): len(hashes) // 32 for (level, place), hashes in tiles.items()}
    assert {key: width for key, width in kept.items() if width < 256} == {
        (level, place): width for level, place, width in tree.widths(len(leaves))
    }


@given(SIZES, st.data())
@settings(max_examples=60, deadline=None)
def test_every_entry_is_proven_to_be_where_it_is_and_nowhere_else(
    size: int, data: st.DataObject
) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    root = by_definition(leaves)
    path = tree.inclusion(index, size, node_of(leaves))
    assert tree.included(leaves[index], index, size, path) == root
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with contextlib.suppress(ProofUnfit):
            assert tree.included(leaves[index], other, size, path) != root
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        broken = [*path[:at], tree.EMPTY, *path[at + 1 :]]
        assert tree.included(leaves[index], index, size, broken) != root
        with pytest.raises(ProofUnfit):
            tree.included(leaves[index], index, size, path[:-1])
    with pytest.raises(ProofUnfit):
        tree.included(leaves[index], index, size, [*path, root])


@given(SIZES, st.data())
@settings(max_examples=60, deadline=None)
def test_a_tree_is_proven_to_begin_with_every_smaller_one_of_it_alone(
    size: int, data: st.DataObject
) -> None:
    leaves = leaves_of(size)
    old = data.draw(st.integers(1, size))
    path = tree.consistency(old, size, node_of(leaves))
    before, after = by_definition(leaves[:old]), by_definition(leaves)
    assert tree.grown(old, size, before, path) == after
    rewritten = by_definition([tree.EMPTY, *leaves[1:old]])
    with contextlib.suppress(ProofUnfit):
        assert tree.grown(old, size, rewritten, path) != after
    with pytest.raises(ProofUnfit):
        tree.grown(old, size, before, [*path, before])
    if path:
        with pytest.raises(ProofUnfit):
            tree.grown(old, size, before, path[:-1])


def test_what_no_tree_has_is_not_proven() -> None:
    node = node_of(leaves_of(4))
    for index, size in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match="no entry"):
            tree.inclusion(index, size, node)
        with pytest.raises(ProofUnfit):
            tree.included(tree.EMPTY, index, size, [])
    for old, new in ((0, 4), (5, 4)):
        with pytest.raises(ValueError, match="grew"):
            tree.consistency(old, new, node)
        with pytest.raises(ProofUnfit):
            tree.grown(old, new, tree.EMPTY, [])


def test_a_tree_of_70_000_has_the_tiles_of_the_specification() -> None:
    # The example of https://c2sp.org/tlog-tiles, "Partial Tiles".
    assert tree.widths(70_000) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert tree.widths(256) == [(1, 0, 1)]


def test_a_node_is_made_from_the_hashes_of_one_tile() -> None:
    assert tree.tile_of(0, 5) == (0, 0, 5, 1)
    assert tree.tile_of(7, 3) == (0, 1, 128, 128)
    assert tree.tile_of(8, 300) == (1, 1, 44, 1)
    assert tree.tile_of(10, 2) == (1, 0, 8, 4)
