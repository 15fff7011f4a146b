"""Make `monitors/_borders.bin.xz` from the `countries-10m.json` of the npm package world-atlas.

    python docs/borders/make_borders.py countries-10m.json monitors/_borders.bin.xz

Standard library only; about half a minute. README.md beside this file says where the input comes
from; `monitors/_atlas.py` says what the sections of the output mean and reads them.
"""

import json
import lzma
import math
import sys
from array import array
from bisect import bisect_right
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from monitors._countries import NUMERIC

TOP = 4  # cells per degree
SUB = 4  # sub-cells per side of a cell
FINE = TOP * SUB
MIXED = 0xFFFF
SEA = 0
FARTHEST_KM = 60.0  # clearances above this are stored as this
KM_PER_DEGREE = 6371.0088 * math.pi / 180
RAW_MAX = 99999  # quantized longitude of the antimeridian's western side

Point = tuple[int, int]
Line = tuple[tuple[int, int], list[Point]]  # (left region, right region), points

# Natural Earth draws these inside the sovereign's feature; ISO 3166-1 gives them their own code.
# Feature, code, and a box (west, south, east, north) that holds every polygon of it.
PARTS = (
    ("France", "GF", (-55, 2, -51, 6.5)),
    ("France", "MQ", (-61.4, 14.2, -60.6, 15)),
    ("France", "GP", (-62, 15.7, -60.9, 16.7)),
    ("France", "RE", (55, -21.6, 56, -20.7)),
    ("France", "YT", (44.8, -13.2, 45.5, -12.5)),
    ("Netherlands", "BQ", (-69, 11.9, -62.8, 17.8)),
    ("Norway", "SJ", (-9.5, 70.6, -7.5, 71.4)),
    ("Norway", "SJ", (9, 74, 36, 81.5)),
    ("Norway", "BV", (3, -55, 4, -54)),
    ("New Zealand", "TK", (-173, -9.8, -171, -8.3)),
    ("Indian Ocean Ter.", "CX", (105, -11, 106.2, -10)),
    ("Indian Ocean Ter.", "CC", (96, -13, 97.5, -11)),
)
# Features without a numeric code that belong to one state and have no claimant beside it.
BELONGS = {"Coral Sea Is.": "AU", "Clipperton I.": "FR"}


def code_of(feature: dict[str, Any], lon: float, lat: float) -> str:
    """The alpha-2 code of a polygon by one of its points; Natural Earth's name without one."""
    name: str = feature["properties"]["name"]
    for owner, code, (west, south, east, north) in PARTS:
        if owner == name and west <= lon <= east and south <= lat <= north:
            return code
    return NUMERIC.get(feature.get("id", ""), BELONGS.get(name, name))


class Map:
    """The TopoJSON file, its arcs as lines with the region on either side."""

    def __init__(self, source: Path) -> None:
        topology = json.loads(source.read_bytes())
        self.scale = [*topology["transform"]["scale"], *topology["transform"]["translate"]]
        self.codes = [""]
        self.arcs = [self._absolute(arc) for arc in topology["arcs"]]
        self._close_seam()
        self.sides = [[SEA, SEA] for _ in self.arcs]
        for feature in topology["objects"]["countries"]["geometries"]:
            whole = feature["type"] == "MultiPolygon"
            for polygon in feature["arcs"] if whole else [feature["arcs"]]:
                self._claim(feature, polygon)
        self.lines = [line for index in range(len(self.arcs)) for line in self._cut(index)]

    @staticmethod
    def _absolute(arc: list[list[int]]) -> list[Point]:
        x = y = 0
        return [(x := x + dx, y := y + dy) for dx, dy in arc]

    def _close_seam(self) -> None:
        """Polygons are cut at 180 degrees: give both sides of the cut the same latitudes."""
        west = {y for arc in self.arcs for x, y in arc if x == RAW_MAX}
        for arc in self.arcs:
            for k, (x, y) in enumerate(arc):
                if x == 0 and west and abs((near := min(west, key=lambda w: abs(w - y))) - y) <= 3:
                    arc[k] = (x, near)

    def _claim(self, feature: dict[str, Any], polygon: list[list[int]]) -> None:
        """Rings run clockwise around land (holes the other way): land lies to the right."""
        first = polygon[0][0]
        x, y = self.arcs[first if first >= 0 else ~first][0]
        code = code_of(feature, *self.degrees(x, y))
        if code not in self.codes:
            self.codes.append(code)
        region = self.codes.index(code)
        for ring in polygon:
            for arc in ring:
                self.sides[arc if arc >= 0 else ~arc][arc >= 0] = region

    def _cut(self, index: int) -> list[Line]:
        """An arc as lines, without the cut along the antimeridian, which is no border."""
        left, right = self.sides[index]
        pieces: list[list[Point]] = [[]]
        for (x0, y0), (x1, y1) in pairwise(self.arcs[index]):
            a, b = (x0, y0), (x1, y1)
            if x0 in {0, RAW_MAX} and x1 in {0, RAW_MAX}:
                pieces.append([])
                continue
            if abs(x0 - x1) > RAW_MAX // 2:
                a = (RAW_MAX - x0, y0) if x0 in {0, RAW_MAX} else a
                b = (RAW_MAX - x1, y1) if x1 in {0, RAW_MAX} else b
            if not pieces[-1] or pieces[-1][-1] != a:
                pieces.append([a])
            if a != b:
                pieces[-1].append(b)
        return [((left, right), p) for p in pieces if len(p) > 1 and left != right]

    def degrees(self, x: float, y: float) -> tuple[float, float]:
        """Longitude and latitude of a quantized point."""
        sx, sy, tx, ty = self.scale
        return x * sx + tx, y * sy + ty


def touched(x0: float, y0: float, x1: float, y1: float) -> set[Point]:
    """Sub-cells (column, row) that a segment touches; coordinates in sub-cells."""
    slack = 1e-9
    found = set()
    low, high = min(y0, y1), max(y0, y1)
    for row in range(math.floor(low - slack), math.floor(high + slack) + 1):
        ends = (x0, x1)
        if y0 != y1:
            cuts = sorted(((row - y0) / (y1 - y0), (row + 1 - y0) / (y1 - y0)))
            t0, t1 = max(cuts[0], 0.0), min(cuts[1], 1.0)
            ends = (x0 + (x1 - x0) * t0, x0 + (x1 - x0) * t1)
        west, east = math.floor(min(ends) - slack), math.floor(max(ends) + slack)
        found |= {(c % (360 * FINE), row) for c in range(west, east + 1)}
    return found


class Grid:
    """Which edges touch which sub-cell, and who owns the cells that no edge touches."""

    def __init__(self, world: Map) -> None:
        self.world = world
        self.edges: dict[Point, list[int]] = defaultdict(list)
        self.crossings: dict[int, list[tuple[float, int, int]]] = defaultdict(list)
        point = 0
        for sides, line in world.lines:
            for a, b in pairwise(line):
                self._index(point, sides, world.degrees(*a), world.degrees(*b))
                point += 1
            point += 1
        self.owners = {row: self._row(crossed) for row, crossed in self.crossings.items()}
        self.southernmost = min(self.owners)
        self.mixed = sorted({(r // SUB) * 360 * TOP + c // SUB for c, r in self.edges})

    def _index(
        self, point: int, sides: tuple[int, int], a: tuple[float, float], b: tuple[float, float]
    ) -> None:
        x0, y0, x1, y1 = ((v + o) * FINE for v, o in zip((*a, *b), (180, 90) * 2, strict=True))
        for cell in touched(x0, y0, x1, y1):
            self.edges[cell].append(point)
        for row in range(math.floor(min(y0, y1)), math.ceil(max(y0, y1))):
            middle = row + 0.5
            if (y0 > middle) != (y1 > middle):
                x = x0 + (x1 - x0) * (middle - y0) / (y1 - y0)
                self.crossings[row].append((x, sides[y1 > y0], sides[y1 <= y0]))

    @staticmethod
    def _row(crossed: list[tuple[float, int, int]]) -> tuple[list[float], list[int]]:
        """Where the region changes, and to what, from the crossings (x, east, west) of a row.

        Rounded outlines of tiny islands may cross themselves, so that a corner of them runs the
        wrong way round. A crossing therefore leads to the side that one is not yet on.
        """
        crossed.sort()
        here = crossed[-1][1]  # east of the last, across 180 degrees, is west of the first
        regions = []
        for _, east, west in crossed:
            here = west if here == east else east
            regions.append(here)
        return [x for x, _, _ in crossed], regions

    def owner(self, column: float, row: int) -> int:
        """Region on the middle line of a sub-row: east of the nearest edge to the west."""
        if row not in self.owners:
            return self.world.codes.index("AQ") if row < self.southernmost else SEA
        xs, regions = self.owners[row]
        return regions[bisect_right(xs, column) - 1]

    def top(self) -> list[int]:
        """Region of every cell, MIXED where an edge touches it."""
        mixed = set(self.mixed)
        wide = 360 * TOP
        return [
            MIXED
            if cell in mixed
            else self.owner(cell % wide * SUB + SUB / 2, cell // wide * SUB + SUB // 2)
            for cell in range(wide * 180 * TOP)
        ]

    def blocks(self) -> tuple[list[int], list[int], list[int]]:
        """Per sub-cell of the mixed cells: owner, count of edges; and all their edges."""
        owners, counts, edges = [], [], []
        for cell in self.mixed:
            row, column = (part * SUB for part in divmod(cell, 360 * TOP))
            for k in range(SUB * SUB):
                place = (column + k % SUB, row + k // SUB)
                here = self.edges.get(place, [])
                owners.append(SEA if here else self.owner(place[0] + 0.5, place[1]))
                counts.append(len(here))
                edges += here
        return owners, counts, edges

    def clearances(self) -> bytearray:
        """Whole km from anywhere in a cell to the nearest edge at least, by touched sub-cells."""
        found = bytearray([int(FARTHEST_KM)]) * (360 * TOP * 180 * TOP)
        for cell in self.mixed:
            found[cell] = 0
        for column, row in self.edges:
            _lower_around(found, column, row)
        return found


def _lower_around(found: bytearray, column: int, row: int) -> None:
    wide, tall = 360 * TOP, 180 * TOP
    south, north = row / FINE - 90, (row + 1) / FINE - 90
    reach = math.ceil(FARTHEST_KM / KM_PER_DEGREE * TOP)
    for top_row in range(max(row // SUB - reach, 0), min(row // SUB + reach + 1, tall)):
        low, high = top_row / TOP - 90, (top_row + 1) / TOP - 90
        up = math.radians(max(low - north, south - high, 0.0))
        shrink = math.cos(math.radians(max(abs(low), abs(high), abs(south), abs(north))))
        for step in range(wide // 2):
            aside = math.radians(max(step * SUB - SUB, 0) / FINE)
            chord = math.hypot(math.sin(up / 2), max(shrink, 0.0) * math.sin(aside / 2))
            km = int(2 * 6371.0088 * chord)
            if km >= FARTHEST_KM:
                break
            for top_column in {(column // SUB + step) % wide, (column // SUB - step) % wide}:
                cell = top_row * wide + top_column
                found[cell] = min(found[cell], km)


def planes(values: list[int], code: str, *, delta: bool) -> bytes:
    """Differences, then all lowest bytes, all next bytes and so on: these compress best."""
    steps = [b - a for a, b in pairwise([0, *values])] if delta else values
    raw = array(code, steps)
    if sys.byteorder == "big":
        raw.byteswap()
    data = raw.tobytes()
    return b"".join(data[k :: raw.itemsize] for k in range(raw.itemsize))


def check(grid: Grid) -> int:
    """Count rows whose neighbouring crossings disagree; the map must close on itself."""
    rows: dict[int, list[tuple[float, int, int]]] = defaultdict(list)
    for (left, right), line in grid.world.lines:
        for a, b in pairwise(line):
            (x0, y0), (x1, y1) = (grid.world.degrees(*p) for p in (a, b))
            low, high = ((y + 90) * FINE for y in sorted((y0, y1)))
            for row in range(math.floor(low), math.ceil(high)):
                middle = (row + 0.5) / FINE - 90
                if (y0 > middle) != (y1 > middle):
                    x = x0 + (x1 - x0) * (middle - y0) / (y1 - y0)
                    rows[row].append((x, *((left, right) if y1 > y0 else (right, left))))
    for crossed in rows.values():
        crossed.sort()
    return sum(any(a[2] != b[1] for a, b in pairwise([*c, c[0]])) for c in rows.values())


def main(source: Path, target: Path) -> None:
    """Read the map, index it, write the data file."""
    world = Map(source)
    grid = Grid(world)
    pairs = sorted({sides for sides, _ in world.lines})
    owners, counts, edges = grid.blocks()
    sections: list[tuple[str, str, bool, list[int]]] = [
        ("xs", "i", True, [x for _, line in world.lines for x, _ in line]),
        ("ys", "i", True, [y for _, line in world.lines for _, y in line]),
        ("line_pair", "H", False, [pairs.index(sides) for sides, _ in world.lines]),
        ("line_length", "I", False, [len(line) for _, line in world.lines]),
        ("top", "H", False, grid.top()),
        ("mixed", "i", True, grid.mixed),
        ("owners", "H", False, owners),
        ("counts", "H", False, counts),
        ("edges", "i", True, edges),
        ("clear", "B", False, list(grid.clearances())),
    ]
    header = {
        "codes": world.codes,
        "pairs": pairs,
        "scale": world.scale,
        "grid": [TOP, SUB],
        "sections": [(name, code, delta, len(v)) for name, code, delta, v in sections],
    }
    body = b"".join(planes(v, code, delta=delta) for _, code, delta, v in sections)
    data = json.dumps(header, ensure_ascii=True).encode() + b"\n" + body
    target.write_bytes(lzma.compress(data, preset=6 | lzma.PRESET_EXTREME))
    print(f"{len(world.lines)} lines, {len(grid.mixed)} mixed cells, {len(edges)} edges in cells")
    print(f"{check(grid)} rows do not close, {target.stat().st_size} bytes written")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
