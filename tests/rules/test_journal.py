import hashlib

from hypothesis import given
from hypothesis import strategies as st

from app.journal import rules

# The leaves and roots of the reference tree of certificate transparency's own tests (RFC 6962),
# also in transparency-dev/merkle, testonly/constants.go.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_roots_of_the_reference_tree_are_found() -> None:
    assert [rules.root(LEAVES[:size]).hex() for size in range(9)] == ROOTS


def test_a_leaf_is_hashed_apart_from_nodes() -> None:
    assert rules.leaf(b"").hex() == ROOTS[1]
    assert rules.leaf(b"a" * 64) != hashlib.sha256(b"\x01" + b"a" * 64).digest()


def by_definition(entries: list[bytes]) -> bytes:
    """Hash as RFC 6962, 2.1 writes it: divide at the largest power of two below the count."""
    if len(entries) < 2:
        return rules.leaf(entries[0]) if entries else hashlib.sha256().digest()
    at = 1 << (len(entries) - 1).bit_length() - 1
    halves = by_definition(entries[:at]) + by_definition(entries[at:])
    return hashlib.sha256(b"\x01" + halves).digest()


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_every_list_has_the_root_of_the_definition(entries: list[bytes]) -> None:
    assert rules.root(entries) == by_definition(entries)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40), st.data())
def test_another_entry_gives_another_root(entries: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    other = [*entries[:at], entries[at] + b"!", *entries[at + 1 :]]
    assert rules.root(other) != rules.root(entries)
