"""Places whose country is contested: who claims them, and roughly where they lie.

The map shows who holds a place. A position in one of these is judged only when every claimant is
permitted. `FEATURES` are drawn on the map by themselves; `AREAS` are parts of countries on it.
Not listed: claims on places whose possession is settled (the Essequibo, the Falkland Islands,
Taiwan, Antarctica): there the code on the map stands.
"""

from itertools import pairwise
from typing import NamedTuple

from monitors._atlas import segment_within

NOBODY = "ZZ"
"""A claimant without an ISO 3166-1 code, so never permitted (ZZ is left to users of the standard)."""


class Area(NamedTuple):
    """A contested part of countries on the map: a coarse polygon around it, corners (lat, lon).

    Only land that the map draws in one of the countries `drawn` is contested; the polygon may
    spill over the sea and a few kilometres over its neighbours.
    """

    name: str
    drawn: str
    claimants: str
    corners: tuple[tuple[float, float], ...]


FEATURES = {
    "Akrotiri": "CY GB",
    "Bajo Nuevo Bank": "CO JM NI US",
    "Baikonur": "KZ RU",  # Kazakh land under Russian administration until 2050
    "Cyprus U.N. Buffer Zone": "CY ZZ",
    "Dhekelia": "CY GB",
    "EH": "EH MA",
    "Kosovo": "RS ZZ",
    "N. Cyprus": "CY ZZ",
    "Scarborough Reef": "CN PH TW",
    "Serranilla Bank": "CO HN NI US",
    "Siachen Glacier": "IN PK",
    "Somaliland": "SO ZZ",
    "Spratly Is.": "BN CN MY PH TW VN",
    "USNB Guantanamo Bay": "CU US",
}
"""Claimants of Natural Earth's features that have no code or are contested as a whole."""

# fmt: off
# Traced by hand, coarse and rounded outwards by some ten kilometres, the front line in Ukraine as of
# 2024; not taken from a published data set, so a position here is left to a person.
AREAS = (
    Area("Crimea", "RU", "RU UA", (
        (44.2, 33.0), (45.0, 32.3), (45.6, 32.3), (46.0, 33.2), (46.25, 33.6), (46.1, 34.6),
        (45.8, 35.2), (45.55, 36.5), (45.4, 36.67), (45.2, 36.55), (44.8, 36.5),
    )),
    Area("Eastern and southern Ukraine", "UA", "RU UA", (
        (46.4, 31.5), (46.58, 32.3), (46.6, 32.8), (46.75, 33.3), (47.45, 34.2), (47.55, 34.65),
        (47.45, 35.3), (47.6, 35.9), (47.75, 36.75), (48.2, 37.15), (48.6, 37.6), (49.1, 37.85),
        (49.6, 37.75), (49.95, 38.1), (49.9, 38.7), (49.6, 39.2), (49.75, 39.65), (49.6, 40.15),
        (48.9, 39.75), (48.25, 40.0), (47.95, 39.75), (47.83, 38.85), (47.6, 38.3), (47.1, 38.25),
        (46.5, 36.2), (46.0, 35.3), (45.9, 34.8), (46.1, 34.4), (46.1, 33.6), (46.05, 32.9),
    )),
    Area("Transnistria", "MD", "MD ZZ", (
        (48.15, 28.5), (47.95, 28.75), (47.75, 28.97), (47.4, 29.08), (47.1, 29.15), (46.95, 29.35),
        (46.75, 29.42), (46.4, 29.9), (46.4, 30.1), (46.9, 30.0), (47.3, 29.65), (48.15, 28.9),
    )),
    Area("Abkhazia", "GE", "GE ZZ", (
        (43.38, 40.0), (43.58, 40.3), (43.55, 41.0), (43.2, 41.9), (42.95, 42.1), (42.75, 41.9),
        (42.4, 41.55), (42.35, 41.4), (42.9, 40.8), (43.2, 40.2),
    )),
    Area("South Ossetia", "GE", "GE ZZ", (
        (42.1, 44.55), (42.1, 43.9), (42.2, 43.6), (42.45, 43.5), (42.65, 43.75), (42.6, 44.2),
        (42.5, 44.6),
    )),
    Area("Golan Heights", "IL SY", "IL SY", (
        (33.25, 35.62), (33.33, 35.8), (33.1, 35.87), (32.85, 35.88), (32.7, 35.75), (32.72, 35.64),
        (32.88, 35.66),
    )),
    Area("East Jerusalem", "IL PS", "IL PS", (
        (31.86, 35.2), (31.86, 35.26), (31.8, 35.28), (31.72, 35.25), (31.72, 35.21),
        (31.775, 35.225),
    )),
    Area("Kashmir and Aksai Chin", "CN IN PK", "CN IN PK", (
        (32.35, 75.35), (32.75, 74.65), (33.0, 74.0), (33.05, 73.65), (33.6, 73.6), (34.2, 73.4),
        (34.75, 73.45), (35.05, 73.85), (35.6, 73.1), (35.9, 72.55), (36.55, 72.6), (36.75, 73.8),
        (37.05, 74.6), (36.75, 75.8), (36.6, 76.9), (36.0, 77.8), (35.9, 79.2), (35.8, 80.2),
        (35.2, 80.3), (34.4, 79.8), (33.7, 79.1), (32.6, 79.5), (32.45, 78.8), (32.6, 78.3),
        (32.95, 77.5), (32.95, 76.8), (33.15, 76.3), (32.75, 75.95),
    )),
    Area("Arunachal Pradesh", "CN IN", "CN IN", (
        (26.9, 92.05), (27.8, 91.55), (28.0, 92.4), (28.6, 93.5), (29.3, 94.9), (29.45, 96.1),
        (28.9, 97.0), (28.2, 97.4), (27.4, 97.1), (27.4, 96.6), (27.9, 95.6), (27.8, 94.9),
        (27.5, 94.3), (26.9, 93.5),
    )),
    Area("Western Sahara", "MA", "EH MA", (  # west of the berm; the east is a feature of its own
        (27.67, -13.6), (27.67, -8.66), (25.9, -8.66), (25.9, -12.0), (23.4, -12.0), (23.0, -12.9),
        (21.33, -12.95), (21.33, -16.9), (20.7, -16.9), (20.7, -17.2), (24.0, -16.4), (26.2, -14.8),
    )),
    Area("Hala'ib", "EG SD", "EG SD", ((22, 33.95), (22.25, 34.7), (23.2, 35.7), (22, 37))),
    Area("Bir Tawil", "EG SD", "ZZ", ((22.02, 33.1), (21.7, 33.5), (21.7, 34.1), (22.02, 34.1))),
    Area("Abyei", "SD SS", "SD SS", ((9.3, 27.8), (10.2, 27.8), (10.2, 29.0), (9.3, 29.0))),
    Area("Ilemi", "ET KE SS", "ET KE SS", ((4.6, 35.0), (5.4, 35.0), (5.5, 35.8), (4.6, 36.0))),
    Area("Southern Kurils", "RU", "JP RU", (
        (43.36, 145.85), (43.75, 145.4), (44.45, 145.7), (45.6, 147.6), (45.6, 149.1), (43.3, 146.9),
    )),
    Area("Senkaku", "JP", "CN JP TW", ((25.6, 123.4), (26.1, 123.4), (26.1, 124.7), (25.6, 124.7))),
    Area("Liancourt Rocks", "JP KR", "JP KR", ((37.2, 131.8), (37.3, 131.8), (37.25, 131.95))),
    Area("Paracel", "CN VN", "CN TW VN", ((15.6, 111), (17.3, 111), (17.3, 113), (15.6, 113))),
)
# fmt: on


class Outline:
    """An area made ready for looking up: its box, its edges, its codes as sets."""

    def __init__(self, area: Area) -> None:
        points = [(float(lon), float(lat)) for lat, lon in area.corners]
        self.edges = tuple(pairwise([*points, points[0]]))
        self.west, self.south = (min(p[k] for p in points) for k in (0, 1))
        self.east, self.north = (max(p[k] for p in points) for k in (0, 1))
        self.drawn, self.claimants = (frozenset(v.split()) for v in (area.drawn, area.claimants))

    def holds(self, lat: float, lon: float) -> bool:
        """Whether the polygon contains the position: its border is crossed an odd time."""
        if not (self.south <= lat <= self.north and self.west <= lon <= self.east):
            return False
        crossed = (
            x0 + (x1 - x0) * (lat - y0) / (y1 - y0) <= lon
            for (x0, y0), (x1, y1) in self.edges
            if (y0 > lat) != (y1 > lat)
        )
        return sum(crossed) % 2 == 1

    def within(self, lat: float, lon: float, reach: float) -> bool:
        """Whether any of the polygon lies within `reach` km of the position."""
        up = reach / 100  # degrees, rounded up
        if not (self.south - up <= lat <= self.north + up):
            return False
        return self.holds(lat, lon) or any(
            next(segment_within(lat, lon, reach, a, b), None) is not None for a, b in self.edges
        )


OUTLINES = tuple(Outline(area) for area in AREAS)
"""`AREAS`, in the same order."""
