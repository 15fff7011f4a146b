"""Real borders: cities, islands, seams, enclaves, contested places, and a slow second opinion."""

import math
import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors import _borders as borders
from monitors._atlas import SEA, _eastmost, atlas, great_circle
from monitors._borders import Standing
from monitors._countries import ALPHA2, NAMES, NUMERIC, SOVEREIGNS
from monitors._disputes import AREAS, FEATURES, NOBODY, OUTLINES

INSIDE, OUTSIDE, UNSURE = Standing.INSIDE, Standing.OUTSIDE, Standing.UNSURE
BERLIN = (52.52, 13.405)

CITIES = """
AE 24.45 54.40|AF 34.53 69.17|AO -8.84 13.29|AO -5.00 12.40|AR -34.62 -58.45|AT 48.21 16.37
AU -35.28 149.13|AU -31.95 115.90|BD 23.81 90.41|BE 50.85 4.35|BO -16.50 -68.15|BR -15.79 -47.88
BR -3.10 -60.02|BW -24.66 25.91|CA 45.42 -75.70|CA 53.55 -113.49|CD -11.66 27.48|CH 46.95 7.45
CI 6.83 -5.28|CL -33.45 -70.67|CM 3.87 11.52|CN 39.90 116.40|CN 43.80 87.60|CO 4.71 -74.07
CR 9.93 -84.08|CU 22.41 -79.97|CZ 50.08 14.44|DE 52.52 13.405|DE 48.14 11.58|DK 55.40 10.39
DZ 35.60 5.00|EC -0.18 -78.47|EG 30.04 31.24|ES 40.42 -3.70|ES 28.30 -16.55|ET 9.03 38.74
FI 61.50 23.76|FR 48.86 2.35|FR 42.15 9.10|GB 52.48 -1.90|GF 4.00 -53.00|GH 6.69 -1.62
GL 70.00 -42.00|GR 39.64 22.42|GT 14.63 -90.51|HU 47.50 19.04|ID -7.80 110.37|IE 53.20 -7.50
IL 31.25 34.79|IN 28.61 77.21|IN 12.97 77.59|IQ 33.31 44.37|IR 35.69 51.39|IS 64.80 -18.50
IT 41.95 12.70|JO 31.95 35.93|JP 36.20 138.00|JP 43.50 142.80|KE -1.29 36.82|KR 36.35 127.38
KZ 51.17 71.43|LS -29.50 28.20|LY 27.04 14.43|MA 31.63 -7.99|MG -18.88 47.51|MK 41.55 21.50
ML 14.50 -5.50|MM 21.95 96.08|MN 47.89 106.91|MX 19.43 -99.13|MX 25.67 -100.31|NE 16.97 7.99
NG 9.06 7.49|NO 61.12 10.47|NP 27.72 85.32|NZ -38.69 176.07|PE -13.53 -71.97|PG -6.07 145.39
PH 15.50 120.97|PK 31.40 73.10|PL 52.23 21.01|PS 32.22 35.25|PT 39.60 -8.40|PY -23.50 -58.80
RE -21.10 55.50|RO 44.43 26.10|RU 55.76 37.62|RU 54.65 21.30|RU 62.03 129.73|RU 66.00 -175.00
SA 24.71 46.68|SD 15.50 32.56|SE 62.39 15.50|SJ 78.80 17.00|SK 48.70 19.15|SO 2.80 44.00
SY 35.10 36.75|TH 18.79 98.98|TR 39.93 32.86|TW 23.90 121.00|TZ -6.17 35.74|UA 49.44 32.06
UG 0.60 32.50|US 39.74 -104.99|US 64.84 -147.72|US 19.60 -155.50|UZ 41.00 64.50|VE 8.00 -66.00
VN 12.67 108.04|YE 15.35 44.21|ZA -26.20 28.05|ZM -15.42 28.28|ZW -20.15 28.58|AQ -78.46 106.84
AQ -90.00 0.00|PR 18.22 -66.43|HK 22.39 114.11|SZ -26.50 31.50|GM 13.50 -15.40|FJ -17.80 177.95
"""
PLACES = [
    (code, float(lat), float(lon))
    for code, lat, lon in (row.split() for row in CITIES.replace("\n", "|").split("|") if row)
]


def standing(lat: float, lon: float, permitted: str, accuracy_m: float = 20) -> Standing:
    return borders.verdict(lat, lon, accuracy_m, frozenset(permitted.split())).standing


@pytest.mark.parametrize(("code", "lat", "lon"), PLACES)
def test_a_city_lies_in_its_country_and_in_no_other(code: str, lat: float, lon: float) -> None:
    assert borders.locate(lat, lon)[:2] == (code, False)
    assert borders.verdict(lat, lon, 20, frozenset({code})) == (INSIDE, code)
    assert borders.verdict(lat, lon, 20, frozenset({"BT"})) == (OUTSIDE, code)


@pytest.mark.parametrize(
    ("lat", "lon", "one", "other"),
    [
        (47.66, 9.17, "CH", "DE"),  # Konstanz
        (32.53, -117.03, "MX", "US"),  # Tijuana
        (1.46, 103.76, "MY", "SG"),  # Johor Bahru
        (52.34, 14.55, "DE", "PL"),  # Frankfurt (Oder)
        (-4.30, 15.30, "CD", "CG"),  # Kinshasa
        (42.32, -83.04, "CA", "US"),  # Windsor
        (40.10, 124.38, "CN", "KP"),  # Dandong
    ],
)
def test_a_border_town_is_unsure_until_both_sides_are_permitted(
    lat: float, lon: float, one: str, other: str
) -> None:
    assert standing(lat, lon, one, 8_000) == UNSURE
    assert standing(lat, lon, other, 8_000) == UNSURE
    assert standing(lat, lon, f"{one} {other}", 8_000) == INSIDE
    assert standing(lat, lon, "BT", 8_000) == OUTSIDE


@pytest.mark.parametrize(
    ("lat", "lon"), [(0, -30), (-40, -120), (30, -40), (-30, 80), (89.9, 10), (90, 0), (0, 180)]
)
def test_the_open_ocean_is_outside_everything(lat: float, lon: float) -> None:
    assert borders.verdict(lat, lon, 20, frozenset(ALPHA2)) == (OUTSIDE, None)
    assert borders.locate(lat, lon)[:2] == (None, False)


def test_territorial_waters_of_a_permitted_country_are_not_outside() -> None:
    assert standing(54.05, 8.0, "DE") == UNSURE  # off Heligoland
    assert standing(54.05, 8.0, "BR") == OUTSIDE
    assert standing(55.5, 4.5, "DE") == OUTSIDE  # the middle of the North Sea


def test_a_coast_is_no_border_but_the_open_sea_is() -> None:
    assert standing(41.38, 2.17, "ES", 5_000) == INSIDE  # Barcelona
    assert standing(41.38, 2.17, "ES", 30_000) == UNSURE


@pytest.mark.parametrize("lon", [179.99, 180.0, -180.0, -179.99])
def test_nothing_happens_at_the_antimeridian(lon: float) -> None:
    assert borders.verdict(67.5, lon, 20, frozenset({"RU"})) == (INSIDE, "RU")
    assert borders.verdict(-16.85, lon, 50, frozenset({"FJ"})).standing != OUTSIDE
    assert borders.verdict(-80.0, lon, 20, frozenset({"US"})).standing == OUTSIDE
    assert borders.locate(67.5, lon).border_km > 50


def test_distances_cross_the_antimeridian() -> None:
    assert standing(64.98, 179.95, "RU", 1) == UNSURE  # in the Gulf of Anadyr
    assert standing(-16.8, 179.2, "FJ", 20) == UNSURE


@pytest.mark.parametrize(
    ("lat", "lon", "code", "around"),
    [(41.9029, 12.4534, "VA", "IT"), (43.94, 12.45, "SM", "IT"), (43.738, 7.425, "MC", "FR")],
)
def test_microstates_are_smaller_than_the_map_is_accurate(
    lat: float, lon: float, code: str, around: str
) -> None:
    assert standing(lat, lon, f"{code} {around}") == INSIDE
    assert standing(lat, lon, code, 5_000) == UNSURE
    assert standing(lat, lon, around, 5_000) == UNSURE


CONTESTED = [
    ("Crimea", 44.95, 34.1, "RU UA"),
    ("Donetsk", 48.0, 37.8, "RU UA"),
    ("Pristina", 42.66, 21.16, ""),
    ("Hargeisa", 9.56, 44.06, ""),
    ("Kyrenia", 35.3, 33.3, ""),
    ("Tiraspol", 46.84, 29.63, ""),
    ("Sukhumi", 43.0, 41.03, ""),
    ("Tskhinvali", 42.23, 43.97, ""),
    ("Golan", 33.0, 35.78, "IL SY"),
    ("Jerusalem", 31.79, 35.24, "IL PS"),
    ("Srinagar", 34.08, 74.8, "CN IN PK"),
    ("Gilgit", 35.92, 74.3, "CN IN PK"),
    ("Aksai Chin", 35.2, 79.3, "CN IN PK"),
    ("Itanagar", 27.1, 93.62, "CN IN"),
    ("Laayoune", 27.15, -13.2, "EH MA"),
    ("Tifariti", 26.16, -10.57, "EH MA"),
    ("Hala'ib", 22.4, 36.0, "EG SD"),
    ("Bir Tawil", 21.87, 33.7, ""),
    ("Abyei", 9.6, 28.4, "SD SS"),
    ("Ilemi", 5.0, 35.4, "ET KE SS"),
    ("Kunashir", 44.1, 145.9, "JP RU"),
    ("Baikonur", 46.0, 63.5, "KZ RU"),
]


@pytest.mark.parametrize(("name", "lat", "lon", "claimants"), CONTESTED)
def test_a_contested_place_is_unsure_unless_every_claimant_is_permitted(
    name: str, lat: float, lon: float, claimants: str
) -> None:
    assert borders.locate(lat, lon)[:2] == (None, True), name
    for permitted in ("DE", *claimants.split()):
        assert borders.verdict(lat, lon, 20, frozenset({permitted})) == (UNSURE, None)
    assert standing(lat, lon, claimants) == (INSIDE if claimants else UNSURE)
    assert standing(lat, lon, " ".join(ALPHA2)) == (INSIDE if claimants else UNSURE)


def test_a_contested_place_nearby_makes_unsure_on_both_sides() -> None:
    assert standing(41.985, 44.11, "GE", 20) == INSIDE  # Gori
    assert standing(41.985, 44.11, "GE", 30_000) == UNSURE
    assert standing(45.05, 37.0, "UA", 60_000) == UNSURE  # Taman, and Crimea within reach


def test_a_territory_of_a_permitted_state_is_a_question_of_law() -> None:
    assert borders.verdict(4.0, -53.0, 20, frozenset({"FR"})) == (UNSURE, "GF")
    assert borders.verdict(18.22, -66.43, 20, frozenset({"US"})) == (UNSURE, "PR")
    assert borders.verdict(48.86, 2.35, 20, frozenset({"GF"})) == (OUTSIDE, "FR")


def test_nothing_permitted_and_hopeless_accuracy() -> None:
    assert borders.verdict(*BERLIN, 20, frozenset()) == (OUTSIDE, "DE")
    assert borders.verdict(*BERLIN, 1e6, frozenset({"DE"})) == (UNSURE, "DE")
    assert borders.verdict(*BERLIN, math.inf, frozenset({"BR"})) == (UNSURE, "DE")


@pytest.mark.parametrize(
    ("lat", "lon", "accuracy_m"),
    [(90.1, 0, 1), (-91, 0, 1), (0, 180.1, 1), (0, -181, 1), (0, 0, -1), (math.nan, 0, 1)],
)
def test_what_is_no_position_is_refused(lat: float, lon: float, accuracy_m: float) -> None:
    with pytest.raises(ValueError, match="not a position"):
        borders.verdict(lat, lon, accuracy_m, frozenset({"DE"}))


LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)


@given(LATITUDES, LONGITUDES, st.floats(0, 3e5), st.sets(st.sampled_from(sorted(ALPHA2))))
def test_every_position_has_an_answer(
    lat: float, lon: float, accuracy_m: float, permitted: set[str]
) -> None:
    country = borders.verdict(lat, lon, accuracy_m, frozenset(permitted)).country
    assert borders.locate(lat, lon).country == country
    assert country is None or country in ALPHA2


@given(
    st.sampled_from(range(0, 477_000, 1_009)),
    st.floats(-0.3, 0.3),
    st.lists(st.floats(0, 2.5e5), min_size=2, max_size=2),
    st.sampled_from(["DE FR PL", "RU UA", "CN IN", "US", "ID MY", "NO SE FI", "CL AR"]),
)
def test_less_accuracy_never_decides(
    point: int, aside: float, accuracies: list[float], permitted: str
) -> None:
    lat, lon = atlas().ys[point] + aside, atlas().xs[point] * 0.999
    better, worse = (standing(lat, lon, permitted, a) for a in sorted(accuracies))
    assert worse in {better, UNSURE}


def edges_by_degree() -> dict[int, list[int]]:
    """Every border segment, under each whole degree of latitude that it reaches into."""
    world, found = atlas(), defaultdict(list)
    for k in sorted(set(world.edges)):
        low, high = sorted((world.ys[k], world.ys[k + 1]))
        for degree in range(math.floor(low), math.floor(high) + 1):
            found[degree].append(k)
    return found


def regions_around(lat: float, lon: float, edges: list[int]) -> set[int]:
    """Regions whose outline is crossed an odd number of times between the position and 180 W."""
    world, odd = atlas(), set[int]()
    for k in edges:
        y0, y1 = world.ys[k], world.ys[k + 1]
        if (y0 > lat) != (y1 > lat):
            x = world.xs[k] + (world.xs[k + 1] - world.xs[k]) * (lat - y0) / (y1 - y0)
            if x <= lon:
                odd ^= set(world.pairs[world.pair[k]]) - {SEA}
    return odd


def test_the_grid_agrees_with_every_polygon_looked_at() -> None:
    edges, draw, seen = edges_by_degree(), random.Random(7), set()
    for _ in range(4_000):
        point = draw.randrange(len(atlas().xs))
        near = atlas().ys[point] + draw.gauss(0, 0.05), atlas().xs[point] * 0.9999
        lat, lon = draw.choice([near, (draw.uniform(-60, 64), draw.uniform(-180, 180))])
        if -60 < lat < 64 and not -18 < lat < -15:  # elsewhere land lies at 180 W
            region = atlas().region(lat, lon)
            assert regions_around(lat, lon, edges[math.floor(lat)]) == {region} - {SEA}, (lat, lon)
            seen.add(region)
    assert len(seen) > 150


def test_the_grid_promises_no_distance_that_a_border_undercuts() -> None:
    world, draw, looked = atlas(), random.Random(8), 0
    every = b"\1" * len(world.pairs)
    for _ in range(3_000):
        lat, lon = draw.uniform(-84, 84), draw.uniform(-180, 180)
        cell = int((lat + 90) * 4) * 1440 + int((lon + 180) * 4)
        if world.clear[cell] > 1:
            looked += 1
            assert not list(world.distances(lat, lon, world.clear[cell] * 0.99, every))
    assert looked > 1_000


def test_distances_are_to_the_nearest_point_of_the_nearest_segment() -> None:
    world, draw, looked = atlas(), random.Random(9), 0
    every, starts = b"\1" * len(world.pairs), sorted(set(world.edges))
    for point in draw.sample(starts, 12):
        lat, lon = world.ys[point] * 0.99 + 0.1, world.xs[point] * 0.99
        found = min(world.distances(lat, lon, 50, every), default=None)
        sampled = (
            great_circle(lat, lon, y + (world.ys[k + 1] - y) * t, x + (world.xs[k + 1] - x) * t)
            for k in starts
            if abs((y := world.ys[k]) - lat) < 1 and abs((x := world.xs[k]) - lon) < 5
            for t in (n / 50 for n in range(51))
        )
        if found is not None:
            looked += 1
            assert found == pytest.approx(min(sampled), rel=0.01, abs=0.02)
    assert looked > 6


def test_a_walk_west_passes_the_antimeridian_and_spikes_of_no_width() -> None:
    lats = [point / 400 for point in range(26_000, 28_600)]
    found = {atlas().region(lat, -179.9999) for lat in lats}
    assert found == {SEA, atlas().codes.index("RU")}
    assert _eastmost([(1.0, 4, 0), (2.0, 4, 5), (2.0, 5, 4)]) == 4
    assert _eastmost([(2.0, 5, 4), (2.0, 6, 5)]) == 6
    assert _eastmost([(2.0, 5, 4), (2.0, 4, 5)]) is None
    assert _eastmost([(2.0, 5, 4), (2.0, 7, 6)]) == 7


def test_the_tables_name_what_exists() -> None:
    assert len(ALPHA2) == len(NAMES) == len(NUMERIC) == 249
    assert set(atlas().codes) >= ALPHA2
    assert set(atlas().codes) - ALPHA2 - {""} <= set(FEATURES) <= set(atlas().codes)
    assert {*SOVEREIGNS, *SOVEREIGNS.values()} <= ALPHA2
    claims = [*FEATURES.values(), *(area.claimants for area in AREAS)]
    assert {code for claim in claims for code in claim.split()} <= ALPHA2 | {NOBODY}
    assert len({area.name for area in AREAS}) == len(OUTLINES)


def test_the_rate_is_measured() -> None:
    assert set(borders.measure(positions=200)) == {"on land", "near borders"}
