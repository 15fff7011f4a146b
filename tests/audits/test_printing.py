"""The checklist on paper."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.audits import lettering, printing, typesetting
from app.audits.questions import Checklist, sealed
from benchmarks.checklists import checklist

WHOLE = checklist(30)
POPPLER = shutil.which("pdftotext")


def with_text(text: str) -> Checklist:
    return sealed(replace(WHOLE, parts=(replace(WHOLE.parts[0], text=text),), units=()))


def words(of: Checklist, folder: Path) -> str:
    """What can be read on the paper, spaces evened out."""
    file = folder / "paper.pdf"
    file.write_bytes(printing.paper(of))
    assert POPPLER
    told = subprocess.run([POPPLER, file, "-"], capture_output=True, check=True).stdout
    return re.sub(r"\s+", " ", told.decode())


def pages(paper: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", paper))


def test_the_paper_is_a4_and_names_its_license_and_digest() -> None:
    paper = printing.paper(WHOLE)
    assert paper.startswith(b"%PDF-")
    assert {*re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", paper)} == {
        (b"595.2756", b"841.8898")
    }
    assert WHOLE.digest.encode() in paper
    assert pages(paper) > 10


def test_fonts_are_embedded() -> None:
    paper = printing.paper(WHOLE)
    assert paper.count(b"/FontFile2") >= 2


def test_the_same_checklist_is_the_same_paper() -> None:
    assert printing.paper(WHOLE) == printing.paper(WHOLE)


def test_papers_printed_at_the_same_time_do_not_mix() -> None:
    wanted = [with_text(f"Condition {number} <&> 本系统 {'word ' * 300}") for number in range(4)]
    alone = [printing.paper(one) for one in wanted]
    with ThreadPoolExecutor(4) as many:
        assert list(many.map(printing.paper, wanted * 3)) == alone * 3


@pytest.mark.skipif(POPPLER is None, reason="reads the paper with poppler, if there is one")
def test_everything_can_be_read(tmp_path: Path) -> None:
    told = words(WHOLE, tmp_path)
    for part in WHOLE.parts:
        assert part.title in told
        assert part.how_to_check.split(".")[0] in told
    for unit in WHOLE.units:
        assert unit.serial in told
    many = pages(printing.paper(WHOLE))
    for page in range(1, many + 1):
        assert f"page {page} of {many}" in told
    assert told.count(f"sha256:{WHOLE.digest}") == many
    assert "\u2610" in told


@pytest.mark.skipif(POPPLER is None, reason="reads the paper with poppler, if there is one")
@pytest.mark.parametrize(
    "text",
    [
        "Die Anlage führt höchstens 5 000 Personen, § 3.",
        "Система используется только для пограничного контроля.",
        "Το σύστημα χρησιμοποιείται μόνο για έλεγχο.",  # noqa: RUF001
        "本系统仅用于边境管制",
        "このシステムは国境管理にのみ使用されます",
        "이 시스템은 국경 통제에만 사용됩니다.",
    ],
)
def test_conditions_stand_word_for_word_in_many_scripts(text: str, tmp_path: Path) -> None:
    assert text in words(with_text(text), tmp_path)


@pytest.mark.parametrize("text", ["সীমা", "ꯃꯩ", "ܫܠܡܐ", "ไทย", "𓀀", "ሀ", "\ue123"])  # noqa: RUF001
def test_a_text_that_would_be_printed_wrongly_is_not_printed(text: str) -> None:
    assert not lettering.shown(text)
    assert lettering.marked_up(text) == lettering.NOT_PRINTED
    assert printing.paper(with_text(text))


def test_markup_in_a_text_is_text() -> None:
    assert lettering.marked_up("a < b & <i>c</i>\r\nd\te") == (
        "a &lt; b &amp; &lt;i&gt;c&lt;/i&gt;<br/>d e"
    )
    assert printing.paper(with_text("</para> <font size=900> &nbsp; \x0b"))


@pytest.mark.parametrize(
    "text", ["x" * 20_000, "word " * 4_000, "a\n" * 10_000, "\n", "本" * 20_000]
)
def test_a_long_text_goes_over_as_many_pages_as_it_needs(text: str) -> None:
    assert pages(printing.paper(with_text(text))) >= 1


def test_many_words_and_sites_fit_on_pages() -> None:
    part = next(one for one in WHOLE.parts if one.kind == "permitted_end_use")
    (question,) = part.questions
    wide = tuple(f"{number:04}" + "W" * 60 for number in range(100))
    loud = replace(question, answer=replace(question.answer, choices=wide))
    sites = tuple(replace(WHOLE.sites[0], reference=f"SITE-{number}") for number in range(60))
    parts = (replace(part, questions=(loud,)), *WHOLE.parts)
    crowded = sealed(replace(WHOLE, parts=parts, sites=sites))
    assert pages(printing.paper(crowded)) > 60


@pytest.mark.parametrize(("length", "beside"), [(1, True), (25, True), (40, False), (64, False)])
def test_a_serial_number_gets_a_barcode_wide_enough_to_be_read(
    length: int, *, beside: bool
) -> None:
    serial = ("FR-000123456789ABCDEFGHIJ" * 3)[:length]
    drawn = printing.barcode(serial, printing.BARCODE)
    assert (drawn is not None) is beside
    drawn = drawn or printing.barcode(serial, typesetting.WIDTH - 34)
    assert drawn is not None
    assert drawn.barWidth >= printing.NARROWEST
    units = (replace(WHOLE.units[0], serial=serial),)
    assert printing.paper(sealed(replace(WHOLE, units=units)))
