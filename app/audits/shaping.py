"""Sets text whose letters change with their neighbours, or that runs from right to left.

HarfBuzz chooses the glyphs of each run in one font, and each is drawn where it puts it.
"""

from dataclasses import dataclass
from threading import Lock
from typing import Any

import uharfbuzz
from reportlab.lib.colors import Color, black
from reportlab.pdfbase import pdfmetrics
from reportlab.platypus import Flowable

from app.audits import bidirectional, lettering

PRIVATE = 0xE000
"""Glyphs that no character stands for get a character of the private use area, by their number."""
LONG = 300
"""Characters of a word that are set to see whether it fits on a line; few lines hold as many."""
_engine: Any = uharfbuzz  # it tells no types
_naming = Lock()


@dataclass(frozen=True, slots=True)
class Glyph:
    """What is drawn of a font, and by how much it is moved; sizes in thousandths of the font's size."""

    font: str
    character: str
    advance: float
    right: float
    up: float


def shaped(text: str, *, reversed_: bool) -> list[Glyph]:
    """Choose the glyphs of a text that runs one way, from left to right as they stand."""
    parts = [_shaped(run, name, reversed_=reversed_) for name, run in lettering.runs(text)]
    return [one for part in (parts[::-1] if reversed_ else parts) for one in part]


def _shaped(text: str, name: str, *, reversed_: bool) -> list[Glyph]:
    loaded: Any = lettering.font(name)
    buffer = _engine.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if reversed_ else "ltr"
    _engine.shape(_engine.Font(loaded.hbFace), buffer)
    scale = loaded.pdfScale
    return [
        Glyph(
            name,
            _character(loaded, info.codepoint, scale(place.x_advance)),
            scale(place.x_advance),
            scale(place.x_offset),
            scale(place.y_offset),
        )
        for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
    ]


def _character(loaded: Any, glyph: int, advance: float) -> str:
    """Find a character by which a glyph can be drawn, or name one."""
    face = loaded.face
    with _naming:
        known = face.glyphToChar.get(glyph)
        if not known:
            code = PRIVATE + glyph
            while code in face.charToGlyph:
                code += 1
            face.charToGlyph[code], face.charWidths[code] = glyph, advance
            known = face.glyphToChar[glyph] = [code]
    return chr(known[0])


class Shaped(Flowable):
    """A text of some paragraphs, in lines as wide as there is room, each set at the side it begins."""

    def __init__(self, text: str, size: float, *, ground: Color | None = None) -> None:
        super().__init__()
        self.size, self.leading, self.ground = size, size * 1.3, ground
        self._space = pdfmetrics.stringWidth(" ", lettering.PLAIN, size)
        self.spaceBefore, self.spaceAfter = (3, 5) if ground else (0, 0)
        cleared = bidirectional.cleared(text.replace("\t", " "))
        self._paragraphs = cleared.replace("\r\n", "\n").split("\n")
        self._lines: list[tuple[bool, list[Glyph], float]] = []

    def wrap(self, room: float, _height: float) -> tuple[float, float]:
        """Break lines, and say how high they are together."""
        self._room = room
        self._lines = [one for text in self._paragraphs for one in self._broken(text, room)]
        return room, len(self._lines) * self.leading

    def split(self, _room: float, height: float) -> list[Flowable]:
        """Divide it where a page ends."""
        many = int(height / self.leading)
        if not 0 < many < len(self._lines):
            return []
        parts = [Part(self, self._lines[:many]), Part(self, self._lines[many:])]
        return list(parts)

    def draw(self) -> None:
        """Draw every glyph in its place."""
        if self.ground is not None:
            self.canv.setFillColor(self.ground)
            height = len(self._lines) * self.leading
            self.canv.rect(-3, -3, self._room + 6, height + 6, stroke=0, fill=1)
            self.canv.setFillColor(black)
        for number, (reversed_, glyphs, width) in enumerate(self._lines, start=1):
            x = self._room - width if reversed_ else 0.0
            self._draw(glyphs, x, (len(self._lines) - number) * self.leading + self.size * 0.3)

    def _draw(self, glyphs: list[Glyph], x: float, y: float) -> None:
        scale = self.size / 1000
        for one in glyphs:
            self.canv.setFont(one.font, self.size)
            self.canv.drawString(x + one.right * scale, y + one.up * scale, one.character)
            x += one.advance * scale

    def _broken(self, text: str, room: float) -> list[tuple[bool, list[Glyph], float]]:
        """Fill lines with as many words as they hold; a word that no line holds is divided."""
        base, levels = bidirectional.levels(text)
        lines, start, end, x = [], 0, 0, 0.0
        for stop in _breaks(text):
            wide = self._width(text, levels, end, stop)
            if x + wide > room and end > start:
                lines.append((start, end))
                start, x = end, 0.0
            while self._width(text, levels, end, min(stop, end + LONG)) > room:
                end = self._fitting(text, levels, start, stop, room)
                lines.append((start, end))
                start, wide = end, self._width(text, levels, end, min(stop, end + LONG))
            spaces = len(text[end:stop]) - len(text[end:stop].rstrip())
            x, end = x + wide + spaces * self._space, stop
        found = []
        for first, last in [*lines, (start, len(text))]:
            glyphs = _line(text, levels, first, last)
            width = sum(one.advance for one in glyphs) * self.size / 1000
            found.append((base == 1, glyphs, width))
        return found

    def _fitting(self, text: str, levels: list[int], start: int, stop: int, room: float) -> int:
        """Say up to where a word that is too long fits on a line: at least one character, not all."""
        least, most = start + 1, min(stop, start + LONG)
        while most - least > 1:
            middle = (least + most) // 2
            if self._width(text, levels, start, middle) <= room:
                least = middle
            else:
                most = middle
        return least

    def _width(self, text: str, levels: list[int], start: int, stop: int) -> float:
        return sum(one.advance for one in _line(text, levels, start, stop)) * self.size / 1000


class Part(Shaped):
    """Some lines of a text that a page has no room for as a whole."""

    def __init__(self, whole: Shaped, lines: list[tuple[bool, list[Glyph], float]]) -> None:
        super().__init__("", whole.size, ground=whole.ground)
        self._room, self._lines = whole._room, lines  # noqa: SLF001 - its own kind

    def wrap(self, room: float, _height: float) -> tuple[float, float]:
        """Say how high its lines are; they are broken already."""
        return room, len(self._lines) * self.leading


def _breaks(text: str) -> list[int]:
    """Say where a line may end: after spaces, and at the end."""
    return [at for at in range(1, len(text)) if text[at - 1] == " " != text[at]] + [len(text)]


def _line(text: str, levels: list[int], start: int, stop: int) -> list[Glyph]:
    """Choose the glyphs of a line as they stand; spaces at its end take no room."""
    stop = start + len(text[start:stop].rstrip())
    return [
        glyph
        for first, last, reversed_ in bidirectional.in_order(levels[start:stop])
        for glyph in shaped(text[start + first : start + last], reversed_=reversed_)
    ]
