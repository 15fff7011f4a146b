"""Scripts that run from right to left or whose letters join, on paper: in which order, in which shape, over lines and pages."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audits import bidirectional, lettering, printing, shaping
from tests.audits.test_printing import POPPLER, pages, with_text

ARABIC = "يستخدم هذا النظام فقط لمراقبة الحدود (Gate 12) ولا يزيد على 5,000 شخص."
HEBREW = "רק לביקורת גבולות: לא יותר מ-5,000 אנשים (סעיף 3)."
HINDI = "प्रणाली का उपयोग केवल सीमा नियंत्रण के लिए: अधिकतम 5,000 व्यक्ति।"
URDU = "یہ نظام صرف سرحدی نگرانی کے لیے ہے۔"  # noqa: RUF001
TAMIL, TELUGU = "எல்லைக் கட்டுப்பாட்டிற்கு மட்டும்.", "సరిహద్దు నియంత్రణకు మాత్రమే."
PERSIAN = "این سامانه فقط برای کنترل مرز است؛ حداکثر ۵۰۰۰ نفر."  # noqa: RUF001


def seen(text: str) -> str:
    """Write a text as it stands on one line, from left to right; brackets are mirrored when drawn."""
    _, levels = bidirectional.levels(text)
    runs = bidirectional.in_order(levels)
    return "".join(
        text[start:end][::-1] if reversed_ else text[start:end] for start, end, reversed_ in runs
    )


@pytest.mark.parametrize(
    ("written", "stands"),
    [
        ("only left to right, 1,234 (5)", "only left to right, 1,234 (5)"),
        ("אבג", "גבא"),
        ("at אבג now", "at גבא now"),
        ("אבג abc דהו", "והד abc גבא"),
        ("אבג 12 דהו", "והד 12 גבא"),
        ("אבג 5,000-", "-5,000 גבא"),
        ("אבג 1-2", "1-2 גבא"),
        ("אבג 5% דה", "הד 5% גבא"),
        ("אב (cd) הו", "וה )cd( בא"),
        ("cd (אב) ef", "cd (בא) ef"),
        ("cd אב (1)", "cd )1( בא"),
        ("אב cd.", ".cd בא"),
        ("شخص 12:30", "12:30 صخش"),
        ("١٢-٣ شخص", "صخش ٣-١٢"),
        ("price 10 אב", "price 10 בא"),
        ("אב ", " בא"),
        ("", ""),
    ],
)
def test_words_stand_in_the_order_in_which_they_are_read(written: str, stands: str) -> None:
    assert seen(written) == stands


@given(st.text("abאבشخ ١1(),.-%\u0301", max_size=30))  # noqa: RUF001
def test_every_character_stands_once_and_what_runs_one_way_stays_together(text: str) -> None:
    base, levels = bidirectional.levels(text)
    runs = bidirectional.in_order(levels)

    assert base in {0, 1}
    assert sorted(at for start, end, _ in runs for at in range(start, end)) == [*range(len(text))]
    assert len(levels) == len(text)


def test_what_only_steers_the_order_is_taken_out() -> None:
    hidden = "\u202eabc\u202c \u2067def\u2069"
    assert bidirectional.cleared(hidden) == "abc def"
    assert lettering.marked_up(hidden) == "abc def"


@pytest.mark.parametrize(
    ("text", "reversed_"),
    [("حدود", True), ("کے", True), ("बि", False), ("तो", False), ("మీ", False)],
)
def test_letters_take_another_shape_or_place_beside_others(text: str, reversed_: bool) -> None:  # noqa: FBT001
    together = shaping.shaped(text, reversed_=reversed_)
    alone = [shaping.shaped(one, reversed_=reversed_)[0].character for one in text]
    assert len(together) <= len(text)
    assert [one.character for one in together] not in (alone, alone[::-1])


def test_conjuncts_are_one_glyph_where_the_script_has_them() -> None:
    assert len(shaping.shaped("क्ष", reversed_=False)) == 1
    assert len(shaping.shaped("क्\u200cष", reversed_=False)) > 1


def test_marks_are_moved_over_their_letter_and_take_no_room() -> None:
    *marks, letter = shaping.shaped("بَ", reversed_=True)
    assert letter.advance > 0
    assert [mark.advance for mark in marks] == [0] * len(marks)
    assert any((mark.right, mark.up) != (0, 0) for mark in marks)


@pytest.mark.parametrize(
    "text", [ARABIC, HEBREW, PERSIAN, URDU, HINDI, TAMIL, TELUGU, f"At {HEBREW} and {ARABIC}"]
)
def test_what_the_font_has_is_printed(text: str) -> None:
    assert lettering.shown(text)
    assert lettering.needs_shaping(text)
    assert printing.paper(with_text(text))


@pytest.mark.parametrize("text", [f"{ARABIC} " * 300, "ש" * 20_000, "ב\n" * 5_000, f"{HEBREW}\n\n"])
def test_a_long_text_goes_over_as_many_pages_as_it_needs(text: str) -> None:
    assert pages(printing.paper(with_text(text))) >= 2


def test_no_line_is_wider_than_its_room() -> None:
    text = shaping.Shaped(f"{ARABIC} {HEBREW} {'ש' * 300} " * 3, 9)
    _, height = text.wrap(200, 1_000)
    assert len(text._lines) > 20  # noqa: SLF001
    assert all(width <= 200 for _, _, width in text._lines)  # noqa: SLF001
    assert height == pytest.approx(len(text._lines) * text.leading)  # noqa: SLF001


@pytest.mark.skipif(POPPLER is None, reason="reads the paper with poppler, if there is one")
def test_the_rest_of_the_paper_can_still_be_read(tmp_path: Path) -> None:
    file = tmp_path / "paper.pdf"
    file.write_bytes(printing.paper(with_text(HEBREW)))
    assert POPPLER
    told = subprocess.run([POPPLER, file, "-"], capture_output=True, check=True).stdout.decode()
    assert lettering.NOT_PRINTED not in told
    assert "How to check" in told
