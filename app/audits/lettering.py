"""Letters on paper: fonts that may be embedded, and which of them has a character.

DejaVu Sans has Latin, Greek, Cyrillic, Armenian, Georgian and Hebrew; Droid Sans Fallback has Chinese,
Japanese and Korean; Noto Sans has Arabic (also as Persian and Urdu are written), Devanagari, Tamil and
Telugu (`fonts/LICENSES.txt`). What runs from right to left, or whose letters change with their
neighbours, is set by `shaping`. For further such scripts there is no font here: a text in one of them
is not printed wrongly, but replaced by a sentence that says where to read it.
"""

import lzma
import re
import unicodedata
from collections.abc import Iterator
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
OF_SCRIPTS = {
    "NotoSansArabic": re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefe]"),
    "NotoSansDevanagari": re.compile("[\u0900-\u097f\ua8e0-\ua8ff]"),
    "NotoSansTamil": re.compile("[\u0b80-\u0bff]"),
    "NotoSansTelugu": re.compile("[\u0c00-\u0c7f]"),
}
"""Fonts of scripts whose letters change with their neighbours: each has all of its script."""
HEBREW = re.compile("[\u0590-\u05ff\ufb1d-\ufb4f]")
UNSHAPED = re.compile(
    "[\u0700-\u074f\u0780-\u08ff\u0980-\u0b7f\u0c80-\u109f\u1200-\u137f\u1700-\u18af"
    "\u1980-\u1aaf\u1b00-\u1c7f\ua800-\ua8df\ua900-\uabff\ue000-\uf8ff\U00010800-\U00011fff]"
)
"""Further scripts that run from right to left or need shaping, and Ethiopic, which no font here has;
and characters for private use, which stand for glyphs."""
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
    if text.isascii():
        return False
    special = any(script.search(text) for script in (HEBREW, *OF_SCRIPTS.values()))
    return special and shown(text)


def font_of(character: str) -> str | None:
    """Choose the font that has a character; None if none has."""
    code = ord(character)
    for name, script in OF_SCRIPTS.items() if code >= 0x600 else ():
        if script.match(character):
            return name if code in font(name).face.charToGlyph else None
    if code < 0x20 or code in font(PLAIN).face.charToGlyph:
        return PLAIN
    return FURTHER if code in font(FURTHER).face.charToGlyph else None


def runs(text: str) -> Iterator[tuple[str, str]]:
    """Divide a text by font. A mark or joiner stays with what it belongs to, where that font has it."""
    named: list[str] = []
    for one in text:
        clinging = unicodedata.category(one) in {"Mn", "Mc", "Cf"} and named
        stays = clinging and ord(one) in font(named[-1]).face.charToGlyph
        named.append(named[-1] if stays else font_of(one) or PLAIN)
    start = 0
    for name, run in groupby(named):
        end = start + len(list(run))
        yield name, text[start:end]
        start = end


def marked_up(text: str) -> str:
    """Write a text as markup of a paragraph, each run in a font that has it."""
    text = bidirectional.cleared(printable(text))
    if text.isascii():
        return _lines(text)
    if not shown(text):
        return _lines(NOT_PRINTED)
    return "".join(
        _lines(run) if name == PLAIN else f'<font name="{name}">{_lines(run)}</font>'
        for name, run in runs(text)
    )


def _lines(text: str) -> str:
    return escape(text).replace("\r\n", "\n").replace("\n", "<br/>").replace("\t", " ")
