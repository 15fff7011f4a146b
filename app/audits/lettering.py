"""Letters on paper: fonts that may be embedded, and which of them has a character.

DejaVu Sans has Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic; Droid Sans Fallback has
Chinese, Japanese and Korean (`fonts/LICENSES.txt`). Hebrew and Arabic are set by `shaping`. Of the
scripts of India and of others whose letters change with their neighbours there is no font here: a
text in one of them is not printed wrongly, but replaced by a sentence that says where to read it.
"""

import lzma
import re
from functools import cache
from io import BytesIO
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from app.audits import bidirectional
from app.audits.wording import printable

PLAIN, BOLD, FURTHER = "DejaVuSans", "DejaVuSans-Bold", "DroidSansFallback"
FONTS = Path(__file__).with_name("fonts")
TO_SHAPE = re.compile("[\u0590-\u06ff\u0750-\u077f\ufb1d-\ufdff\ufe70-\ufefe]")
"""Hebrew and Arabic: they run from right to left, and Arabic letters join."""
UNSHAPED = re.compile(
    "[\u0700-\u074f\u0780-\u08ff\u0900-\u109f\u1200-\u137f\u1700-\u18af\u1980-\u1aaf\u1b00-\u1c7f"
    "\ua800-\uabff\U00010800-\U00011fff]"
)
"""Further scripts that run from right to left or need shaping, and Ethiopic: no font here has them."""
WITHOUT_SPACES = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Chinese and Japanese, which break between any two characters."""
NOT_PRINTED = "[in a script that this paper cannot show: read it in the checklist's JSON]"


@cache
def font(name: str) -> TTFont:
    """Load a font once a process, and make it known for embedding."""
    data = lzma.decompress((FONTS / f"{name}.ttf.xz").read_bytes())
    loaded = TTFont(name, BytesIO(data))
    pdfmetrics.registerFont(loaded)
    return loaded


def ready() -> None:
    """Make the usual fonts known."""
    font(PLAIN), font(BOLD)
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)


def shown(text: str) -> bool:
    """Whether a text can be printed rightly."""
    if text.isascii():
        return True
    text = bidirectional.cleared(text)
    return not UNSHAPED.search(text) and all(font_of(character) for character in text)


def needs_shaping(text: str) -> bool:
    """Whether a text can be printed, and only if its glyphs are chosen and ordered for it."""
    return bool(TO_SHAPE.search(text)) and shown(text)


def font_of(character: str) -> str | None:
    """Choose the font that has a character; None if none has."""
    code = ord(character)
    if code < 0x20 or code in font(PLAIN).face.charToGlyph:
        return PLAIN
    return FURTHER if code in font(FURTHER).face.charToGlyph else None


def marked_up(text: str) -> str:
    """Write a text as markup of a paragraph, each run in a font that has it."""
    text = bidirectional.cleared(printable(text))
    if text.isascii():
        return _lines(text)
    if not shown(text):
        return _lines(NOT_PRINTED)
    runs = [(name, "".join(run)) for name, run in groupby(text, font_of)]
    return "".join(
        _lines(run) if name == PLAIN else f'<font name="{name}">{_lines(run)}</font>'
        for name, run in runs
    )


def _lines(text: str) -> str:
    return escape(text).replace("\r\n", "\n").replace("\n", "<br/>").replace("\t", " ")
