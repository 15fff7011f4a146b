"""In which country a position lies, and whether it surely lies in, or outside, permitted ones.

Borders are Natural Earth's (public domain, 1:10 million, version 4.1), which show who holds a
place and not who ought to. So where recognition or possession is contested, nothing is decided
unless every claimant is permitted: see `monitors._disputes`.
"""

import math
import random
import time
from enum import IntEnum, StrEnum
from functools import cache, lru_cache
from typing import NamedTuple

from monitors._atlas import CLEAR_KM, SEA, Atlas, atlas
from monitors._countries import SOVEREIGNS
from monitors._disputes import FEATURES, OUTLINES

MAP_ACCURACY_KM = 1.0
"""Added to every position's own accuracy: 1:10 million borders are drawn to about 1 km."""

TERRITORIAL_SEA_KM = 22.224
"""12 nautical miles (United Nations Convention on the Law of the Sea, article 3)."""

FARTHEST_KM = 200.0
"""A position known no better than this is not judged at all."""


class Standing(StrEnum):
    """Where a position is, seen from the permitted countries."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    UNSURE = "unsure"


class Verdict(NamedTuple):
    """Where a position stands, and the alpha-2 code of the country it is drawn in.

    `country` is None at sea and where the place is contested.
    """

    standing: Standing
    country: str | None


class Place(NamedTuple):
    """The country around a position, and how far its edge (a border or the sea) is.

    `country` is None at sea and where the place is contested. `border_km` is exact to 1 % up to
    50 km (outside the polar regions), and a lower bound beyond.
    """

    country: str | None
    disputed: bool
    border_km: float


def verdict(lat: float, lon: float, accuracy_m: float, permitted: frozenset[str]) -> Verdict:
    """Judge a position (degrees, WGS 84) known to `accuracy_m` metres.

    INSIDE and OUTSIDE are said only when they hold for the whole circle of that accuracy and the
    map's: a border between two permitted countries is none, the sea within 12 nautical miles of a
    permitted coast is never outside. Raises ValueError for a position that is none.
    """
    if not (-90 <= lat < 89.999 and -180 <= lon < 179.999 and accuracy_m >= 0):
        lat, lon = _checked(lat, lon, accuracy_m)
    world, rules = _world(), _rules(permitted)
    reach = accuracy_m / 1000 + MAP_ACCURACY_KM
    cell = int((lat + 90) * world.per_degree) * world.columns + int((lon + 180) * world.per_degree)
    region, clear = world.top[cell], world.clear[cell]
    if clear >= reach and (region != SEA or clear >= reach + TERRITORIAL_SEA_KM):
        return rules.settled[region]
    return _examined(lat, lon, reach, rules)


def locate(lat: float, lon: float) -> Place:
    """Where a position (degrees, WGS 84) is. Raises ValueError for a position that is none."""
    lat, lon = _checked(lat, lon, 0.0)
    world = _world()
    region = world.region(lat, lon)
    code, every = world.codes[region], b"\1" * len(world.pairs)
    contested = code in FEATURES or _area(lat, lon, code) is not None
    borders = (min(world.distances(lat, lon, r, every), default=None) for r in (2, 10, CLEAR_KM))
    nearest = next((distance for distance in borders if distance is not None), float(CLEAR_KM))
    return Place(None if contested else code or None, contested, nearest)


def _checked(lat: float, lon: float, accuracy_m: float) -> tuple[float, float]:
    """The position with the antimeridian as -180 and the North Pole 100 m from itself."""
    if not (-90 <= lat <= 90 and -180 <= lon <= 180 and accuracy_m >= 0):
        message = f"not a position: latitude {lat}, longitude {lon}, accuracy {accuracy_m} m"
        raise ValueError(message)
    return min(lat, 89.999), lon if lon < 179.9999999 else -180.0


class _Share(IntEnum):
    """Whether the claimants of a place are permitted."""

    NO = 0
    MAYBE = 1
    YES = 2


class _Rules:
    """What a set of permitted countries makes of every region, border and contested area.

    `foreign`, `foreign_or_sea` and `welcome` mark pairs of regions, as `Atlas.distances` reads
    them, that have a side which is not permitted, or is sea, or may be permitted.
    """

    def __init__(self, permitted: frozenset[str]) -> None:
        world = _world()
        claimants = [frozenset(FEATURES.get(code, code).split()) for code in world.codes]
        shares = [_share(claimant, permitted) for claimant in claimants]
        self.shares = shares
        self.areas = [_share(outline.claimants, permitted) for outline in OUTLINES]
        self.settled: list[Verdict] = [
            Verdict(_standing(share, contested=held), _country(code, contested=held))
            for share, code in zip(shares, world.codes, strict=True)
            for held in [code in FEATURES]
        ]
        self.foreign_or_sea = bytes(
            any(shares[r] != _Share.YES for r in pair) for pair in world.pairs
        )
        self.foreign = bytes(
            any(r != SEA and shares[r] != _Share.YES for r in pair) for pair in world.pairs
        )
        self.welcome = bytes(any(shares[r] != _Share.NO for r in pair) for pair in world.pairs)


def _share(claimants: frozenset[str], permitted: frozenset[str]) -> _Share:
    """A territory of a permitted state may be meant with it: a question of law, so MAYBE."""
    if claimants and claimants <= permitted:
        return _Share.YES
    sovereigns = {SOVEREIGNS.get(claimant, claimant) for claimant in claimants}
    return _Share.NO if permitted.isdisjoint(claimants | sovereigns) else _Share.MAYBE


def _standing(share: _Share, *, contested: bool) -> Standing:
    """The standing of a circle that lies wholly in one place."""
    if share == _Share.YES:
        return Standing.INSIDE
    return Standing.UNSURE if contested or share == _Share.MAYBE else Standing.OUTSIDE


def _country(code: str, *, contested: bool) -> str | None:
    return None if contested else code or None


def _area(lat: float, lon: float, code: str) -> int | None:
    """Number of the contested area that a position drawn in country `code` lies in."""
    for number, outline in enumerate(OUTLINES):
        if code in outline.drawn and outline.holds(lat, lon):
            return number
    return None


def _examined(lat: float, lon: float, reach: float, rules: _Rules) -> Verdict:
    """Judge a circle of `reach` km that may touch a border."""
    world = _world()
    region = world.region(lat, lon)
    code = world.codes[region]
    area = _area(lat, lon, code)
    contested = area is not None or code in FEATURES
    share = rules.shares[region] if area is None else rules.areas[area]
    standing = _standing(share, contested=contested)
    if standing != Standing.UNSURE and _touches_other(lat, lon, reach, rules, standing, region):
        standing = Standing.UNSURE
    return Verdict(standing, _country(code, contested=contested))


def _touches_other(
    lat: float, lon: float, reach: float, rules: _Rules, standing: Standing, region: int
) -> bool:
    """Whether the circle touches a place of which the standing of its centre may not hold."""
    if reach > FARTHEST_KM:
        return True
    if standing == Standing.INSIDE:
        marks = rules.foreign if reach <= TERRITORIAL_SEA_KM else rules.foreign_or_sea
        same = _Share.YES
    else:
        reach += TERRITORIAL_SEA_KM if region == SEA else 0.0
        marks, same = rules.welcome, _Share.NO
    if next(_world().distances(lat, lon, reach, marks), None) is not None:
        return True
    return any(
        share != same and outline.within(lat, lon, reach)
        for share, outline in zip(rules.areas, OUTLINES, strict=True)
    )


@lru_cache(maxsize=256)
def _rules(permitted: frozenset[str]) -> _Rules:
    return _Rules(permitted)


@cache
def _world() -> Atlas:
    """The atlas, in which cells near contested areas promise no distance to a border."""
    world = atlas()
    for outline in OUTLINES:
        world.blur(outline.south, outline.west, outline.north, outline.east)
    return world


def measure(positions: int = 100_000, seed: int = 1) -> dict[str, float]:
    """Verdicts a second on one core, for benchmarks: anywhere on land, and within 3 km of borders.

    Positions are random and all different, accuracies 5 to 100 m, three countries permitted.
    """
    world, draw = _world(), random.Random(seed)  # noqa: S311 - positions, not secrets
    land: list[tuple[float, float, float]] = []
    while len(land) < positions:
        lat, lon = math.degrees(math.asin(draw.uniform(-0.87, 1))), draw.uniform(-180, 180)
        if world.region(lat, lon) != SEA:
            land.append((lat, lon, draw.uniform(5, 100)))
    points = [draw.randrange(len(world.xs)) for _ in range(positions // 10)]
    border = [
        (world.ys[k] + draw.uniform(-0.03, 0.03), world.xs[k] * 0.999, draw.uniform(5, 100))
        for k in points
    ]
    permitted = frozenset({"DE", "FR", "US"})
    found = {}
    for name, sample in (("on land", land), ("near borders", border)):
        start = time.perf_counter()
        for lat, lon, accuracy_m in sample:
            verdict(lat, lon, accuracy_m, permitted)
        found[name] = len(sample) / (time.perf_counter() - start)
    return found
