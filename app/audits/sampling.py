"""How many units to sight, and which: a draw the inspected party can recompute. Pure.

**How many.** If `missing` of `units` are not there, a sample of n shows none of them with probability
C(units - missing, n) / C(units, n). The size is the smallest n for which that is at most 1 - p. It is
worked out in whole numbers: floats give wrong answers at equality. (The probability to select at least
one defective item is also the measure by which the IAEA sizes its samples, there approximated: Journal
of Nuclear Materials Management V-44_3.)

**Which.** Anybody can do this again, in any language:

1. The *list*: every serial number once, sorted by its UTF-8 bytes, each followed by one line feed.
   The *list digest* is the SHA-256 of those bytes, the same as `sha256sum` gives of such a file.
2. The *seed*: 32 bytes, chosen by chance when the draw is committed, told when it is revealed.
3. The *commitment*: the SHA-256 of eight lines of ASCII, each followed by one line feed: the words
   `endwatch draw 1`, the id of the end-use check, the seed in lower-case hex, the list digest in
   lower-case hex, units, missing, the probability as a fraction in lowest terms (`19/20`), the size.
4. The *numbers*: block k (k = 0, 1, 2, ...) is HMAC-SHA-256 with the seed as key and, as message, the
   32 bytes of the list digest followed by k as 8 bytes, big-endian. Its first 8 bytes, big-endian,
   are a number x below 2^64.
5. *Below m*: take the next x; while x >= 2^64 - (2^64 mod m) take the next one instead, so that no
   result is likelier than another; the result is x mod m.
6. The *draw*: number the list from 0. For i = 0, 1, ... size - 1 let j be i plus a number below
   (units - i), and swap the serials at i and j. The first `size` serials, in that order, are drawn.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from app.errors import Invalid

SEED_BYTES = 32
CHANCE = re.compile(r"^(?:\d{1,3}(?:\.\d{1,12})?%?|\d{1,12}/\d{1,12})$", re.ASCII)
"""A probability as people write it: 0.95, 95%, 19/20."""

_WHOLE = 2**64


class ProbabilityUnfit(Invalid):
    """A probability is a decimal, percentage or fraction above 0 and at most 1."""


class MissingUnfit(Invalid):
    """At least one unit must be supposed missing, and no more than there are."""


class ListUnfit(Invalid):
    """A list to draw from holds every serial number once, each on one line."""


class SizeUnfit(Invalid):
    """No more can be drawn than there is."""


def chance(text: str) -> Fraction:
    """Read a probability without rounding it."""
    try:
        found = Fraction(text.removesuffix("%")) if CHANCE.match(text) else Fraction(0)
    except ZeroDivisionError:
        found = Fraction(0)
    found = found / 100 if text.endswith("%") else found
    if not 0 < found <= 1:
        raise ProbabilityUnfit(
            f"{text[:40]!r} is no probability above 0 and at most 1; write 0.95, 95% or 19/20, "
            "with 12 digits at most after the point.",
            pointer="/probability",
        )
    return found


def fraction(probability: Fraction) -> str:
    """Write a probability as it stands in a commitment."""
    return f"{probability.numerator}/{probability.denominator}"


def size(units: int, missing: int, probability: Fraction) -> int:
    """Give the smallest sample that shows one of the missing units with this probability.

    Doubles until the sample is large enough, then halves the gap: each step is a comparison of two
    products of at most min(missing, n) whole numbers.
    """
    if not 1 <= missing <= units:
        raise MissingUnfit(
            f"{missing:,} of {units:,} units cannot be missing; suppose 1 to {units:,}.",
            pointer="/missing",
        )
    most = units - missing + 1
    if probability == 1:
        return most
    enough = 1
    while enough < most and not _shows(units, missing, probability, enough):
        enough *= 2
    low, high = enough // 2, min(enough, most)
    while high - low > 1:
        middle = (low + high) // 2
        if _shows(units, missing, probability, middle):
            high = middle
        else:
            low = middle
    return high


def _shows(units: int, missing: int, probability: Fraction, n: int) -> bool:
    """Tell whether a sample of n is large enough: C(units-missing, n) / C(units, n) <= 1 - p.

    The quotient is the same with n and missing exchanged, so the shorter product is taken.
    """
    short, long = sorted((n, missing))
    unseen = math.perm(units - long, short) * probability.denominator
    return unseen <= math.perm(units, short) * (probability.denominator - probability.numerator)


def listed(serials: Sequence[str]) -> list[str]:
    """Put serials into the order of a draw, refusing what would make the list ambiguous."""
    found = sorted(serials)
    for before, after in pairwise(found):
        if before == after:
            raise ListUnfit(f"{after[:60]!r} is listed twice.", pointer="/units")
    for serial in found:
        if not serial or "\n" in serial:
            raise ListUnfit(f"{serial[:60]!r} is no serial number on one line.", pointer="/units")
    return found


def list_digest(serials: Sequence[str]) -> bytes:
    """Hash a list of serials that is in the order of a draw."""
    whole = hashlib.sha256()
    for serial in serials:
        whole.update(serial.encode() + b"\n")
    return whole.digest()


def commitment(
    check: str,
    seed: bytes,
    digest: bytes,
    *,
    units: int,
    missing: int,
    probability: Fraction,
    size: int,
) -> bytes:
    """Bind everything a draw hangs on, the seed among it, without telling any of it."""
    lines = (
        "endwatch draw 1",
        check,
        seed.hex(),
        digest.hex(),
        str(units),
        str(missing),
        fraction(probability),
        str(size),
    )
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("ascii")).digest()


def draw(seed: bytes, serials: Sequence[str], size: int) -> list[str]:
    """Draw from a list that is in the order of a draw. A larger size only adds to a smaller one."""
    if not 0 <= size <= len(serials):
        raise SizeUnfit(
            f"{size:,} cannot be drawn from {len(serials):,}; draw {len(serials):,} at most.",
            pointer="/size",
        )
    pool, numbers = list(serials), _numbers(seed, list_digest(serials))
    for i in range(size):
        j = i + below(len(pool) - i, numbers)
        pool[i], pool[j] = pool[j], pool[i]
    return pool[:size]


def _numbers(seed: bytes, digest: bytes) -> Iterator[int]:
    """Give numbers below 2^64 without end."""
    k = 0
    while True:
        block = hmac.digest(seed, digest + k.to_bytes(8, "big"), "sha256")
        yield int.from_bytes(block[:8], "big")
        k += 1


def below(m: int, numbers: Iterator[int]) -> int:
    """Take the next number below m, each as likely as any other."""
    limit = _WHOLE - _WHOLE % m
    return next(x for x in numbers if x < limit) % m
