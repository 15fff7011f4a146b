"""The checklist on paper: A4, with check boxes and a barcode of every serial number.

The conditions stand word for word, then the units, one line each, then a sheet to record a unit on.
Every page tells the license and the digest of the checklist, so that a filled page is known to
belong to it. The same checklist gives the same bytes.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import groupby
from threading import Lock
from typing import Any

from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    PageBreak,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from app.audits import lettering, nodes
from app.audits.lettering import BOLD, PLAIN
from app.audits.questions import Checklist, Part, Question, UnitToSight, asked
from app.audits.shapes import LISTS, Input
from app.audits.typesetting import MARGIN, WIDTH, footed, framed, grid, text, title
from app.audits.wording import spoken

MEDIA_TYPE = "application/pdf"
GAP = "\u00a0\u00a0 "
"""Between boxes; the line may break after it."""
BOX = "\u2610\u00a0"
LINE = "_" * 18
BLANKS = {
    Input.INTEGER: LINE,
    Input.NUMBER: LINE,
    Input.DATE: "____ - __ - __",
    Input.TIME: "____ - __ - __  __ : __  UTC +/- __",
    Input.POSITION: "lat\u00a0__________ lon\u00a0__________ \u00b1\u00a0______\u00a0m",
    Input.SERIALS: "see the list of units",
}
NARROWEST, WIDEST = 0.19 * mm, 0.3 * mm
"""Width of a bar: what handheld readers and phones still read (7.5 mil), and what is plenty."""
BARCODE = 72 * mm
MOST_BOXES = 24
"""Words to tick; of more, the others are written by hand."""
CROWDED = 800
"""Characters in one row of answers; with words of 64 characters it still fits on a page."""
BLOCK = 40
"""Lines of a text that are set together: the time to break them over pages goes with the square."""
QUIET = 10
"""Modules of white on either side of a Code 128 symbol (ISO/IEC 15417, 4.2)."""


_press = Lock()
"""Fonts are shared, and note for each paper which of their characters it uses: one at a time."""


def paper(checklist: Checklist) -> bytes:
    """Print the checklist as PDF."""
    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=20 * mm,
        title=f"Checklist of license {checklist.license}",
        author="Endwatch",
        subject=checklist.digest,
        invariant=1,
    )
    with _press:
        lettering.ready()
        document.build(list(_story(checklist)), canvasmaker=footed(checklist))
    return file.getvalue()


def _story(checklist: Checklist) -> Iterator[Flowable]:
    yield from _head(checklist)
    yield title("Conditions in force")
    for number, part in enumerate(checklist.parts, 1):
        yield from _part(checklist, number, part)
    if checklist.units:
        yield PageBreak()
        yield from _units(checklist)
    if asked(checklist, "unit"):
        yield PageBreak()
        yield from _record(checklist)


def _head(checklist: Checklist) -> Iterator[Flowable]:
    """Tell the license, and leave room for who looked, when and how."""
    yield text(f"Checklist of license {checklist.license}", 17, BOLD)
    yield Spacer(0, 4 * mm)
    modes = GAP.join(f"{BOX}{spoken(mode)}" for mode in nodes.MODES)
    rows = [
        ("Exporter", checklist.exporter),
        ("State", checklist.state),
        ("As of", checklist.as_of.strftime("%Y-%m-%d %H:%M %Z")),
        ("Version", checklist.version),
        ("Conditions, units", f"{len(checklist.parts)}, {len(checklist.units):,}"),
        ("Audit", LINE * 2),
        ("Begun, ended", f"{BLANKS[Input.TIME]}\n{BLANKS[Input.TIME]}"),
        ("How", modes),
        ("Inspector's mark", LINE),
    ]
    named = [f"{one.reference}: {one.name} ({one.country})" for one in checklist.sites]
    rows += [("Sites" if index == 0 else "", name) for index, name in enumerate(named)]
    cells = [[text(name, 9, BOLD), text(value)] for name, value in rows]
    yield Table(cells, colWidths=[38 * mm, WIDTH - 38 * mm], style=grid())
    yield Spacer(0, 6 * mm)


def _part(checklist: Checklist, number: int, part: Part) -> Iterator[Flowable]:
    """Print one condition: its text, how to check it, and its questions."""
    lines = f" (lines {', '.join(map(str, part.lines))})" if part.lines else ""
    yield CondPageBreak(45 * mm)
    yield Spacer(0, 4 * mm)
    yield text(f"{number}. {part.title}{lines}", 11, BOLD)
    written = part.text.splitlines()
    for start in range(0, len(written), BLOCK):
        block = "\n".join(written[start : start + BLOCK])
        yield framed(block)
    yield text(f"How to check: {part.how_to_check}", 8.5)
    yield text(f"You should see: {part.what_to_see}", 8.5)
    rows = [
        row
        for index, question in enumerate(part.questions, 1)
        for row in _asked(checklist, f"{number}.{index}", question)
    ]
    yield Spacer(0, 1 * mm)
    yield Table(rows, colWidths=[11 * mm, 72 * mm, WIDTH - 83 * mm], style=grid())


def _asked(checklist: Checklist, number: str, question: Question) -> Iterator[list[Any]]:
    """Print a question, and room for its answer: of the license, or of each site.

    No row may be taller than a page, so that many sites are divided among several.
    """
    room = _room(question)
    if question.scope == "unit":
        room = "of each unit, on its record sheet"
    places = [""]
    if question.scope == "site" and checklist.sites:
        places = [f"{site.reference}:\u00a0\u00a0" for site in checklist.sites]
    a_row = max(1, CROWDED // (len(room) + 20))
    for start in range(0, len(places), a_row):
        shown = "\n".join(f"{place}{room}" for place in places[start : start + a_row])
        head = [text(number), text(_what(question))] if start == 0 else ["", ""]
        yield [*head, text(shown)]


def _what(question: Question) -> str:
    return f"{question.question} ({question.unit})"


def _room(question: Question) -> str:
    """Give check boxes or a line to write on."""
    answer = question.answer
    if answer.input is Input.YES_NO:
        return f"{BOX}yes{GAP}{BOX}no"
    if answer.input is Input.RECORDS:
        columns = GAP.join(f"{column.question}: {LINE}" for column in answer.columns)
        return f"{BOX}none{GAP}{columns}"
    if answer.input in BLANKS:
        return BLANKS[answer.input]
    own = question.fact is None
    boxes = [f"{BOX}{spoken(word) if own else word}" for word in answer.choices[:MOST_BOXES]]
    if answer.input in LISTS:
        boxes.append(f"{BOX}none")
    if answer.input in {Input.CODE, Input.CODES}:
        boxes.append(f"{BOX}other: {LINE}" if answer.choices else LINE)
    return GAP.join(boxes)


def _units(checklist: Checklist) -> Iterator[Flowable]:
    """List the units, one line each, by the site their papers name."""
    yield title(f"Units to be sighted: {len(checklist.units):,}")
    yield text(
        "Tick what you saw and whose serial number you read. If it was elsewhere, write where. "
        "For each site say whether you looked for all of its units: only then are those without a "
        "tick missing.",
        8.5,
    )
    for site, units in groupby(sorted(checklist.units, key=_site_of), _site_of):
        yield CondPageBreak(40 * mm)
        yield Spacer(0, 3 * mm)
        looked = f"Looked for: {BOX} all{GAP}{BOX}some{GAP}{BOX}none"
        yield text(f"{site or 'No site on papers'}{GAP}{looked}", 10, BOLD)
        yield _unit_table(list(units))


def _site_of(unit: UnitToSight) -> str:
    return unit.site or ""


def _unit_table(units: Sequence[UnitToSight]) -> Table:
    heads = ["seen", "serial number", "line", "barcode", "if elsewhere: where; remarks"]
    rows: list[list[Any]] = [heads]
    styles: list[Any] = [
        ("FONT", (0, 0), (-1, 0), BOLD, 7.5),
        ("FONT", (0, 1), (-1, -1), PLAIN, 8.5),
        ("FONT", (0, 1), (0, -1), PLAIN, 13),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.grey),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
    for unit in units:
        drawn = barcode(unit.serial, BARCODE)
        named: Any = unit.serial if len(unit.serial) <= 18 else text(unit.serial, 7)
        rows.append([BOX, named, str(unit.line), drawn or "", ""])
        if drawn is None:
            at = len(rows)
            rows.append(["", barcode(unit.serial, WIDTH - 12 * mm), "", "", ""])
            styles += [("SPAN", (1, at), (-1, at)), ("NOSPLIT", (0, at - 1), (0, at))]
    widths = [10 * mm, 36 * mm, 9 * mm, BARCODE + 4, WIDTH - 55 * mm - BARCODE - 4]
    return Table(rows, colWidths=widths, style=TableStyle(styles), repeatRows=1)


def barcode(serial: str, room: float) -> Code128 | None:
    """Draw a serial number as Code 128; None when it would be too fine to be read."""
    drawn = Code128(serial, barHeight=6.5 * mm, barWidth=1, lquiet=QUIET, rquiet=QUIET)
    fits = min(room / drawn.width, WIDEST)
    if fits < NARROWEST:
        return None
    return Code128(
        serial, barHeight=6.5 * mm, barWidth=fits, lquiet=QUIET * fits, rquiet=QUIET * fits
    )


def _record(checklist: Checklist) -> Iterator[Flowable]:
    """Print a sheet to record one unit on, to be copied."""
    yield title("Record of one unit (copy this sheet for each)")
    yield Spacer(0, 2 * mm)
    rows = [[text("Serial number", 9, BOLD), text(LINE * 2)]]
    rows += [
        [text(_what(one.question)), text(_room(one.question))] for one in asked(checklist, "unit")
    ]
    yield Table(rows, colWidths=[83 * mm, WIDTH - 83 * mm], style=grid())
