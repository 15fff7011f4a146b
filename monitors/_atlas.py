"""Natural Earth's land borders (public domain, 1:10 million) as an index that answers quickly.

Which region holds a position, and how far the borders around it are. What follows from that for a
license is decided in `monitors._borders`. `docs/borders/` says how the data file is made.

The world is a grid of quarter degrees. A cell that no border touches knows its region and, in whole
kilometres, how far the nearest border is at least. A cell that a border touches is divided into
sub-cells, which know either their region or the border segments that touch them. A segment runs
straight in longitude and latitude from point k to point k + 1 and has a region on either side.
"""

import json
import lzma
import math
import sys
from array import array
from collections.abc import Iterator
from functools import cache
from itertools import accumulate, starmap
from pathlib import Path

EARTH_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""

KM_PER_DEGREE = EARTH_KM * math.pi / 180
CLEAR_KM = 60
"""Distances above this are stored as this."""

SEA = 0
"""Region of everything that is no land, the Caspian Sea included."""

_DATA = Path(__file__).with_name("_borders.bin.xz")
_EDGE_NOISE = 1e-9  # degrees: the generator adds a segment to every cell it comes this close to


class Atlas:
    """Regions, borders and the grid over them, as read from the data file.

    `codes[region]` is an ISO 3166-1 alpha-2 code, Natural Earth's name for a feature without one,
    or "" for the sea. `pairs[n]` are the regions left and right of a border; `top[cell]` is a
    region, or ~block for a cell with borders; `clear[cell]` a lower bound in km, 60 at most.
    """

    def __init__(self, data: bytes) -> None:
        head, _, body = data.partition(b"\n")
        header = json.loads(head)
        self.codes: list[str] = header["codes"]
        self.pairs: list[tuple[int, int]] = [(left, right) for left, right in header["pairs"]]
        self.per_degree: int = header["grid"][0]
        self.divisions: int = header["grid"][1]
        self.columns: int = 360 * self.per_degree
        parts = _sections(header["sections"], body)
        step_x, step_y, west, south = header["scale"]
        self.xs = array("d", (x * step_x + west for x in parts["xs"]))
        self.ys = array("d", (y * step_y + south for y in parts["ys"]))
        lines = zip(parts["line_pair"], parts["line_length"], strict=True)
        self.pair = array("H", b"".join(starmap(_repeated, lines)))
        self.top: array[int] = array("i", parts["top"])
        for block, cell in enumerate(parts["mixed"]):
            self.top[cell] = ~block
        self.owners: array[int] = parts["owners"]
        self.edges: array[int] = parts["edges"]
        self.starts: array[int] = array("I", accumulate(parts["counts"], initial=0))
        self.clear = bytearray(parts["clear"])

    def region(self, lat: float, lon: float) -> int:
        """Region at a position: the east side of the first border met when walking west."""
        size = self.per_degree * self.divisions
        row, column = int((lat + 90) * size), int((lon + 180) * size)
        across = 360 * size
        while (found := self._crossed(row, column, lat, lon)) is None:
            column -= 1
            if column < 0:
                column, lon = across - 1, lon + 360
        return found

    def _crossed(self, row: int, column: int, lat: float, lon: float) -> int | None:
        """Region given by one sub-cell; None when no border of it lies west on this latitude."""
        divisions = self.divisions
        cell = row // divisions * self.columns + column // divisions
        if (region := self.top[cell]) >= 0:
            return region
        sub = ~region * divisions**2 + row % divisions * divisions + column % divisions
        first, last = self.starts[sub], self.starts[sub + 1]
        if first == last:
            return self.owners[sub]
        edge = column / (self.per_degree * divisions) - 180 - _EDGE_NOISE
        met: list[tuple[float, int, int]] = []
        for k in self.edges[first:last]:
            y0, y1 = self.ys[k], self.ys[k + 1]
            if (y0 > lat) != (y1 > lat):
                x = self.xs[k] + (self.xs[k + 1] - self.xs[k]) * (lat - y0) / (y1 - y0)
                if edge <= x <= lon:
                    sides = self.pairs[self.pair[k]]
                    met.append((x, sides[y1 > y0], sides[y1 <= y0]))
        return _eastmost(met)

    def distances(self, lat: float, lon: float, reach: float, of: bytes) -> Iterator[float]:
        """Distances in km, up to `reach`, to border segments whose pair is marked in `of`.

        Great-circle distances to the nearest point of each segment, found on the plane that
        touches the Earth at the position: exact to 1 % up to 50 km outside the polar regions.
        """
        xs, ys, pair = self.xs, self.ys, self.pair
        for k in self._near(lat, lon, reach):
            if of[pair[k]]:
                yield from segment_within(lat, lon, reach, (xs[k], ys[k]), (xs[k + 1], ys[k + 1]))

    def _near(self, lat: float, lon: float, reach: float) -> Iterator[int]:
        """Segments in the sub-cells around a position; one that touches several comes as often."""
        size = self.per_degree * self.divisions
        up = reach / KM_PER_DEGREE
        shrink = math.cos(math.radians(min(abs(lat) + up, 90.0)))
        aside = min(up / max(shrink, 1e-9), 179.9)
        rows = range(int(max(lat - up + 90, 0) * size), int(min(lat + up + 90, 179.999) * size) + 1)
        west, east = math.floor((lon - aside + 180) * size), int((lon + aside + 180) * size)
        for row in rows:
            yield from self._row(row, west, east)

    def _row(self, row: int, west: int, east: int) -> Iterator[int]:
        """Segments in the sub-cells of one row from column `west` to `east`, across 180 degrees."""
        divisions = self.divisions
        cells, inner = row // divisions * self.columns, row % divisions * divisions
        column = west
        while column <= east:
            block = self.top[cells + column // divisions % self.columns]
            if block >= 0:
                column += divisions - column % divisions
                continue
            sub = ~block * divisions**2 + inner + column % divisions
            yield from self.edges[self.starts[sub] : self.starts[sub + 1]]
            column += 1

    def blur(self, south: float, west: float, north: float, east: float) -> None:
        """Let cells within 60 km of a box (away from 180 degrees) promise no distance at all."""
        up = CLEAR_KM / KM_PER_DEGREE
        aside = up / math.cos(math.radians(max(abs(south), abs(north)) + up))
        first, last = ((v + 180) * self.per_degree for v in (west - aside, east + aside))
        rows = ((v + 90) * self.per_degree for v in (south - up, north + up))
        for row in range(*(int(r) + k for k, r in enumerate(rows))):
            start, stop = row * self.columns + int(first), row * self.columns + int(last) + 1
            self.clear[start:stop] = bytes(stop - start)


@cache
def atlas() -> Atlas:
    """The atlas, read on first use (about half a second, 40 MB)."""
    return Atlas(lzma.decompress(_DATA.read_bytes()))


def great_circle(lat0: float, lon0: float, lat1: float, lon1: float) -> float:
    """Distance in km between two positions in degrees (haversine formula)."""
    up = math.sin(math.radians(lat1 - lat0) / 2)
    aside = math.sin(math.radians(lon1 - lon0) / 2)
    cosines = math.cos(math.radians(lat0)) * math.cos(math.radians(lat1))
    return 2 * EARTH_KM * math.asin(min(math.sqrt(up * up + cosines * aside * aside), 1.0))


def segment_within(
    lat: float, lon: float, reach: float, start: tuple[float, float], end: tuple[float, float]
) -> Iterator[float]:
    """Distance in km from a position to a segment of (lon, lat), if it is `reach` km at most."""
    shrink = max(math.cos(math.radians(lat)), 1e-9)
    x0, y0 = ((start[0] - lon + 540) % 360 - 180) * shrink, start[1] - lat
    dx, dy = (end[0] - start[0]) * shrink, end[1] - start[1]
    along = -(x0 * dx + y0 * dy) / (dx * dx + dy * dy)
    along = 0.0 if along < 0.0 else min(along, 1.0)
    x, y = x0 + along * dx, y0 + along * dy
    if math.hypot(x, y) * KM_PER_DEGREE <= reach * 1.3 + 1.0:
        distance = great_circle(lat, lon, lat + y, lon + x / shrink)
        if distance <= reach:
            yield distance


def _eastmost(met: list[tuple[float, int, int]]) -> int | None:
    """East side of the last crossing (x, east, west); two that undo each other are a spike."""
    met.sort()
    while len(met) > 1 and met[-1][0] - met[-2][0] < _EDGE_NOISE:
        if met[-1][1:] != (met[-2][2], met[-2][1]):
            break
        del met[-2:]
    return met[-1][1] if met else None


def _repeated(number: int, times: int) -> bytes:
    return array("H", (number,)).tobytes() * times


def _sections(kinds: list[tuple[str, str, bool, int]], body: bytes) -> "dict[str, array[int]]":
    """The named integer arrays of the file: byte planes, lowest first, perhaps of differences."""
    found, at = {}, 0
    for name, code, differences, count in kinds:
        values = array(code)
        raw = bytearray(count * values.itemsize)
        for k in range(values.itemsize):
            raw[k :: values.itemsize] = body[at : at + count]
            at += count
        values.frombytes(raw)
        if sys.byteorder == "big":  # pragma: no cover - the file is little-endian
            values.byteswap()
        found[name] = array(code, accumulate(values)) if differences else values
    return found
