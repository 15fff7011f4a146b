"""Setting text on the page: styles, tables, and the foot of every page."""

from functools import cache
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, TableStyle

from app.audits import lettering
from app.audits.lettering import BOLD, PLAIN, marked_up
from app.audits.questions import Checklist
from app.audits.shaping import Shaped
from app.audits.wording import printable

MARGIN = 15 * mm
WIDTH = A4[0] - 2 * MARGIN - 12
"""Room for text: the page without its margins and the frame's own padding (6 pt a side)."""


@cache
def _style(size: float = 9, name: str = PLAIN, *, unspaced: bool = False) -> ParagraphStyle:
    return ParagraphStyle(
        f"{name} {size} {unspaced}",
        fontName=name,
        fontSize=size,
        leading=size * 1.3,
        wordWrap="CJK" if unspaced else None,
    )


def text(words: str, size: float = 9, name: str = PLAIN) -> Flowable:
    """Set a text."""
    if lettering.needs_shaping(printable(words)):
        return Shaped(printable(words), size)
    return Paragraph(marked_up(words), _style(size, name, unspaced=unspaced(words)))


def unspaced(text: str) -> bool:
    """Whether lines must break between characters: no spaces are used, or none for too long."""
    return bool(lettering.WITHOUT_SPACES.search(text)) or any(
        len(word) > 40 for word in text.split()
    )


def title(words: str) -> Flowable:
    """Set the title of a section."""
    return text(words, 13, BOLD)


@cache
def grid() -> TableStyle:
    """Draw a line beneath each row."""
    return TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.grey),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
    )


def framed(words: str) -> Flowable:
    """Set a text on grey ground: the words of the license itself."""
    if lettering.needs_shaping(printable(words)):
        return Shaped(printable(words), 9, ground=colors.whitesmoke)
    return Paragraph(marked_up(words), _ground(unspaced=unspaced(words)))


@cache
def _ground(*, unspaced: bool) -> ParagraphStyle:
    return ParagraphStyle(
        f"verbatim {unspaced}",
        _style(unspaced=unspaced),
        backColor=colors.whitesmoke,
        borderPadding=3,
        spaceBefore=3,
        spaceAfter=5,
    )


def footed(checklist: Checklist) -> type[Canvas]:
    """Make a canvas that writes on every page whose it is and how many there are."""

    class Footed(Canvas):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - the library's name
            self.pages.append(dict(self.__dict__))
            self._startPage()  # type: ignore[attr-defined]

        def save(self) -> None:
            for page in self.pages:
                self.__dict__.update(page)
                _foot(self, checklist, len(self.pages))
                super().showPage()
            super().save()

    return Footed


def _foot(canvas: Any, checklist: Checklist, pages: int) -> None:
    canvas.setFont(PLAIN, 7.5)
    canvas.drawString(MARGIN, 12 * mm, f"License {checklist.license}")
    canvas.drawRightString(A4[0] - MARGIN, 12 * mm, f"page {canvas.getPageNumber()} of {pages}")
    canvas.setFont(PLAIN, 6)
    canvas.drawString(MARGIN, 8.5 * mm, f"checklist sha256:{checklist.digest}")
