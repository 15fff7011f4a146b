"""How quickly a position is found to lie within permitted countries, or not."""

from collections.abc import Iterator
from random import Random

from benchmarks.table import Figure, spent
from monitors._atlas import KM_PER_DEGREE, SEA, atlas, great_circle
from monitors._borders import locate, verdict

COUNTRIES = ("KE", "UG", "TZ", "DE", "FR", "ID", "CL")
PERMITTED = frozenset({"KE", "UG", "DE", "FR"})
NEAR_KM = 10.0
INLAND_KM = 50.0
MIX = {"inland": 70, "coast": 20, "border": 10}
"""Of a hundred positions: 50 km or more from any border and sea, on land within 10 km of a coast,
on either side of a land border within 10 km of it. Percent of these countries."""

Place = tuple[float, float, float]


def countries(_url: str, scale: float) -> list[Figure]:
    """Positions in and around seven countries, four of them permitted, known to 5 to 100 metres."""
    many = max(500, int(4_000 * scale))
    draw = Random(5)
    drawn = {sort: list(_drawn(sort, many * share // 100, draw)) for sort, share in MIX.items()}
    mixed = [place for places in drawn.values() for place in places]
    draw.shuffle(mixed)
    rates = {sort: _rate(places) for sort, places in drawn.items()}
    rate, bare = _rate(mixed), _distances(mixed)
    told = ", ".join(f"{MIX[sort]} % {sort} {one:,.0f}/s" for sort, one in rates.items())
    return [
        Figure(
            "positions looked up in permitted countries",
            f"{rate:,.0f}/s a core ({told})",
            f"one great-circle distance each {bare:,.0f}/s",
            "≥ 200,000/s a core",
            rate >= 200_000,
        )
    ]


def _rate(places: list[Place]) -> float:
    def look_up() -> None:
        for lat, lon, accuracy_m in places:
            verdict(lat, lon, accuracy_m, PERMITTED)

    look_up()
    return len(places) / spent(look_up)


def _distances(places: list[Place]) -> float:
    def measure() -> None:
        for lat, lon, _ in places:
            great_circle(lat, lon, -1.319, 36.928)

    return len(places) / spent(measure)


def _drawn(sort: str, many: int, draw: Random) -> Iterator[Place]:
    """Draw positions of a sort, all different."""
    vertices, found = _vertices(sort), 0
    while found < many:
        k = draw.choice(vertices)
        lat, lon = _aside(k, NEAR_KM if sort != "inland" else 6 * INLAND_KM, draw)
        if _is(sort, lat, lon):
            found += 1
            yield lat, lon, draw.uniform(5, 100)


def _vertices(sort: str) -> list[int]:
    """List the points of the borders of these countries, with the sea or with each other."""
    world = atlas()
    inside = {region for region, code in enumerate(world.codes) if code in COUNTRIES}
    kinds = {
        n
        for n, pair in enumerate(world.pairs)
        if not inside.isdisjoint(pair) and (sort == "inland" or (SEA in pair) is (sort == "coast"))
    }
    return [k for k, pair in enumerate(world.pair) if pair in kinds]


def _aside(k: int, most_km: float, draw: Random) -> tuple[float, float]:
    """Move away from a point of a border, by so much to each side at most."""
    world, most = atlas(), most_km / KM_PER_DEGREE
    return world.ys[k] + draw.uniform(-most, most), world.xs[k] + draw.uniform(-most, most)


def _is(sort: str, lat: float, lon: float) -> bool:
    world = atlas()
    region = world.region(lat, lon)
    if region == SEA:
        return False
    return sort != "inland" or (
        world.codes[region] in COUNTRIES and locate(lat, lon).border_km >= INLAND_KM
    )
