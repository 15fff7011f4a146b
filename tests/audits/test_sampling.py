import csv
import hashlib
import hmac
import math
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audits import sampling
from app.audits.sampling import ListUnfit, MissingUnfit, ProbabilityUnfit, SizeUnfit

# From shared/data/sample-sizes.csv, computed in exact integers apart from this code.
FIGURES = Path(__file__).with_name("sample-sizes.csv")
SEED = bytes(range(32))


def test_every_figure_of_the_table_is_met() -> None:
    rows = list(csv.DictReader(FIGURES.read_text().splitlines()))
    assert len(rows) == 276
    for row in rows:
        found = sampling.size(
            int(row["units"]),
            int(row["missing"]),
            Fraction(int(row["detection_probability_percent"]), 100),
        )
        assert found == int(row["sample_size"]), row


def _brute(units: int, missing: int, probability: Fraction) -> int:
    """The definition, word for word."""
    return next(
        n
        for n in range(units + 1)
        if Fraction(math.comb(units - missing, n), math.comb(units, n)) <= 1 - probability
    )


CHANCES = st.fractions(min_value=Fraction(1, 1000), max_value=1, max_denominator=1000)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), CHANCES)
def test_the_size_is_that_of_the_definition(world: tuple[int, int], probability: Fraction) -> None:
    units, missing = world
    assert sampling.size(units, missing, probability) == _brute(units, missing, probability)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), st.data())
def test_at_equality_no_unit_more_is_asked_for(world: tuple[int, int], data: st.DataObject) -> None:
    units, missing = world
    n = data.draw(st.integers(1, units - missing + 1))
    exact = 1 - Fraction(math.comb(units - missing, n), math.comb(units, n))
    assert sampling.size(units, missing, exact) == _brute(units, missing, exact) <= n


@pytest.mark.parametrize(
    ("units", "missing", "probability", "expected"),
    [
        (1_000_000, 1, "0.95", 950_000),
        (1_000_000, 1_000_000, "1", 1),
        (1_000_000, 500_000, "1", 500_001),
    ],
)
def test_a_million_units_are_no_hindrance(
    units: int, missing: int, probability: str, expected: int
) -> None:
    begun = time.thread_time()
    assert sampling.size(units, missing, sampling.chance(probability)) == expected
    assert time.thread_time() - begun < 5


def test_a_million_units_with_a_demanding_probability_are_exact_too() -> None:
    begun = time.thread_time()
    probability = sampling.chance("0.999999999999")
    n = sampling.size(1_000_000, 5_000, probability)
    assert time.thread_time() - begun < 5

    def unseen(size: int) -> Fraction:
        return Fraction(math.perm(1_000_000 - size, 5_000), math.perm(1_000_000, 5_000))

    assert unseen(n) <= 1 - probability < unseen(n - 1)


@pytest.mark.parametrize("missing", [0, -1, 11])
def test_no_more_can_be_missing_than_there_is(missing: int) -> None:
    with pytest.raises(MissingUnfit) as refused:
        sampling.size(10, missing, Fraction(1, 2))
    assert refused.value.pointer == "/missing"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("0.95", "19/20"), ("95%", "19/20"), ("19/20", "19/20"), ("1", "1/1"), ("99.9%", "999/1000")],
)
def test_a_probability_is_read_as_people_write_it(text: str, meant: str) -> None:
    assert sampling.fraction(sampling.chance(text)) == meant


@pytest.mark.parametrize(
    "text",
    ["0", "1.01", "101%", "1/0", "3/2", "-0.5", "1e-1", "nan", "", "0,9", "½", "0.5/2", "५/९"],
)
def test_what_is_no_probability_is_refused(text: str) -> None:
    with pytest.raises(ProbabilityUnfit) as refused:
        sampling.chance(text)
    assert refused.value.pointer == "/probability"


def test_a_list_is_in_the_order_of_its_bytes_and_holds_each_once() -> None:
    assert sampling.listed(["b", "a", "B", "é", "a-1", "\U0001f600", "\uffee"]) == [
        "B", "a", "a-1", "b", "é", "\uffee", "\U0001f600",
    ]  # fmt: skip
    for wrong in (["a", "b", "a"], ["a\nb"], [""]):
        with pytest.raises(ListUnfit) as refused:
            sampling.listed(wrong)
        assert refused.value.pointer == "/units"


def _again(seed: bytes, serials: list[str], size: int) -> list[str]:
    """The draw as `docs/sampling.md` tells it, written anew."""
    pool = sorted(serials, key=lambda serial: serial.encode())
    digest = hashlib.sha256(b"".join(serial.encode() + b"\n" for serial in pool)).digest()
    counter = 0
    drawn: list[str] = []
    while len(drawn) < size:
        message = digest + counter.to_bytes(8, "big")
        x = int.from_bytes(hmac.new(seed, message, hashlib.sha256).digest()[:8], "big")
        counter += 1
        m = len(pool) - len(drawn)
        if x < 2**64 - 2**64 % m:
            at = len(drawn) + x % m
            pool[len(drawn)], pool[at] = pool[at], pool[len(drawn)]
            drawn.append(pool[len(drawn)])
    return drawn


@given(
    st.binary(min_size=32, max_size=32),
    st.lists(
        st.text(st.characters(exclude_characters="\n", codec="utf-8"), min_size=1),
        unique=True,
        min_size=1,
    ),
    st.data(),
)
def test_whoever_follows_the_description_draws_the_same(
    seed: bytes, serials: list[str], data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, len(serials)))
    drawn = sampling.draw(seed, sampling.listed(serials), size)
    assert drawn == _again(seed, serials, size)
    assert len(set(drawn)) == size
    assert sampling.draw(seed, sampling.listed(serials[::-1]), len(serials))[:size] == drawn


def test_the_draw_and_its_commitment_stay_what_they_were() -> None:
    """Receipts of years ago must verify: these values were made once with OpenSSL and a shell."""
    serials = sampling.listed([f"FR-{n:06}" for n in range(1, 101)])
    digest = sampling.list_digest(serials)
    bound = sampling.commitment(
        "6f1c7a52-3f0e-4f0b-9c3e-0d7d5f6a1b2c",
        SEED,
        digest,
        units=100,
        missing=5,
        probability=Fraction(9, 10),
        size=37,
    )
    assert digest.hex() == "4a030e8708917df415ddd605b92ec9c11327ccdc66cd6ee19b21234fba5fdabc"
    assert bound.hex() == "0a0b74285fcc4de7a53cba9dd00ad0ad33c99c27b0c48d9cbb4166bbe052a1e5"
    assert sampling.draw(SEED, serials, 5) == [
        "FR-000031",
        "FR-000016",
        "FR-000075",
        "FR-000035",
        "FR-000005",
    ]


def test_every_unit_is_as_likely_as_any_other() -> None:
    serials = [f"U-{n}" for n in range(7)]
    seen: Counter[str] = Counter()
    for number in range(7_000):
        seed = hashlib.sha256(number.to_bytes(4, "big")).digest()
        seen.update(sampling.draw(seed, serials, 2))
    assert sum(seen.values()) == 14_000
    expected = 2_000
    chi = sum((many - expected) ** 2 / expected for many in seen.values())
    assert chi < 22.5  # 6 degrees of freedom: exceeded once in a thousand; the seeds are fixed


def test_numbers_that_would_favour_some_are_passed_over() -> None:
    """2^64 is no multiple of 3: the last number is taken again."""
    assert sampling.below(3, iter([2**64 - 1, 5])) == 2
    assert sampling.below(3, iter([2**64 - 2, 5])) == (2**64 - 2) % 3


@pytest.mark.parametrize("size", [-1, 4])
def test_no_more_can_be_drawn_than_there_is(size: int) -> None:
    with pytest.raises(SizeUnfit) as refused:
        sampling.draw(SEED, ["a", "b", "c"], size)
    assert refused.value.pointer == "/size"
