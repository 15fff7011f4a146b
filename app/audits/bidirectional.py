"""In which order characters stand on a line where scripts run both ways. Pure.

The Unicode Bidirectional Algorithm (Unicode Standard Annex 9): rule by rule, named as there. Characters
that only steer it (embeddings, overrides, isolates) are taken out beforehand, so that nothing in a
text can show its words in another order than they have.
"""

import unicodedata
from collections.abc import Iterator, Sequence

STEERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
OPENING = {"(": ")", "[": "]", "{": "}"}
NEUTRAL = frozenset({"B", "S", "WS", "ON"})
NUMBERS = frozenset({"EN", "AN"})


def cleared(text: str) -> str:
    """Take out the characters that steer the order and have no shape."""
    return "".join(one for one in text if one not in STEERING)


def levels(text: str) -> tuple[int, list[int]]:
    """Give the level of a paragraph, and of each of its characters: odd ones run from right to left."""
    kinds = [unicodedata.bidirectional(one) or "L" for one in text]
    base = next((int(one != "L") for one in kinds if one in {"L", "R", "AL"}), 0)
    towards = "R" if base else "L"
    kinds = _weak(kinds, towards)
    _brackets(text, kinds, towards)
    _neutral(kinds, towards)
    found = [_level(base, kind) for kind in kinds]
    for at in range(
        len(text) - 1, -1, -1
    ):  # L1: what ends a paragraph stands as the paragraph does
        if not text[at].isspace():
            break
        found[at] = base
    return base, found


def _level(base: int, kind: str) -> int:
    """Apply I1 and I2."""
    if base:
        return 1 if kind == "R" else 2
    return {"L": 0, "R": 1}.get(kind, 2)


def _weak(kinds: Sequence[str], towards: str) -> list[str]:
    """Apply W1 to W7: numbers, and what stands in and around them."""
    found: list[str] = []
    strong = before = towards
    for kind in kinds:
        now = before if kind in {"NSM", "BN"} else kind  # W1
        if now in {"L", "R", "AL"}:
            strong = now
        before = now
        found.append("AN" if now == "EN" and strong == "AL" else now)  # W2
    found = ["R" if one == "AL" else one for one in found]  # W3
    for at in range(1, len(found) - 1):  # W4
        left, right = found[at - 1], found[at + 1]
        if left == right and (
            (found[at] in {"ES", "CS"} and left == "EN") or (found[at] == "CS" and left == "AN")
        ):
            found[at] = left
    for start, end in _runs(found, {"ET"}):  # W5
        if "EN" in (found[start - 1 : start] + found[end : end + 1]):
            found[start:end] = ["EN"] * (end - start)
    found = ["ON" if one in {"ES", "ET", "CS"} else one for one in found]  # W6
    strong = towards
    for at, kind in enumerate(found):  # W7
        strong = kind if kind in {"L", "R"} else strong
        if kind == "EN" and strong == "L":
            found[at] = "L"
    return found


def _runs(kinds: Sequence[str], wanted: frozenset[str] | set[str]) -> Iterator[tuple[int, int]]:
    """Find where some kinds stand together: from, and up to."""
    start = None
    for at, kind in enumerate([*kinds, ""]):
        if kind in wanted and start is None:
            start = at
        elif kind not in wanted and start is not None:
            yield start, at
            start = None


def _brackets(text: str, kinds: list[str], towards: str) -> None:
    """Apply N0: a pair of brackets stands as what is in it, or as what it stands in."""
    for left, right in _pairs(text, kinds):
        inside = {_strong(one) for one in kinds[left + 1 : right]} & {"L", "R"}
        if not inside:
            continue
        other = "L" if towards == "R" else "R"
        before = (_strong(one) for one in reversed(kinds[:left]))
        context = next((one for one in before if one in {"L", "R"}), towards)
        way = other if towards not in inside and context == other else towards
        kinds[left] = kinds[right] = way


def _pairs(text: str, kinds: Sequence[str]) -> list[tuple[int, int]]:
    stack: list[tuple[str, int]] = []
    found = []
    for at, one in enumerate(text):
        if kinds[at] != "ON":
            continue
        if one in OPENING:
            stack.append((OPENING[one], at))
        elif any(closing == one for closing, _ in stack):
            while stack:
                closing, start = stack.pop()
                if closing == one:
                    found.append((start, at))
                    break
    return sorted(found)


def _strong(kind: str) -> str:
    return "R" if kind in NUMBERS else kind


def _neutral(kinds: list[str], towards: str) -> None:
    """Apply N1 and N2: what has no way of its own goes the way of both its neighbours, or the text's."""
    for start, end in _runs(kinds, NEUTRAL):
        left = _strong(kinds[start - 1]) if start else towards
        right = _strong(kinds[end]) if end < len(kinds) else towards
        kinds[start:end] = [left if left == right else towards] * (end - start)


def in_order(found: Sequence[int]) -> list[tuple[int, int, bool]]:
    """Give the runs of a line as they stand from left to right: from, up to, and whether reversed (L2)."""
    bounds = [at for at, level in enumerate(found) if at == 0 or found[at - 1] != level]
    ends = [*bounds[1:], len(found)] if bounds else []
    runs = list(zip(bounds, ends, strict=True))
    for level in range(max(found, default=0), 0, -1):
        start = None
        for at in range(len(runs) + 1):
            high = at < len(runs) and found[runs[at][0]] >= level
            if high and start is None:
                start = at
            elif not high and start is not None:
                runs[start:at] = runs[start:at][::-1]
                start = None
    return [(start, end, found[start] % 2 == 1) for start, end in runs]
