"""The form for phones: pyxform takes it without a word, and it holds what the license holds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import zip_longest
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from openpyxl import load_workbook
from pyxform.xls2xform import convert  # type: ignore[import-untyped]

from app.audits import xform, xlsform
from app.audits.questions import Checklist, Part, SiteToVisit, UnitToSight, asked, sealed
from benchmarks.checklists import checklist

X = "{http://www.w3.org/2002/xforms}"
WHOLE = checklist(400)


def rows(sheet: str, of: Checklist = WHOLE) -> list[dict[str, Any]]:
    book = load_workbook(BytesIO(xlsform.workbook(of)), read_only=True)
    lines = list(book[sheet].iter_rows(values_only=True))
    return [dict(zip_longest(map(str, lines[0]), line)) for line in lines[1:]]


def survey(name: str, of: Checklist = WHOLE) -> Iterator[dict[str, Any]]:
    return (row for row in rows("survey", of) if row["name"] == name)


def test_pyxform_converts_the_workbook_without_a_warning() -> None:
    warnings: list[str] = []
    made = convert(xlsform.workbook(WHOLE), warnings=warnings, form_name="data")
    assert warnings == []
    assert made.xform.encode() == xform.made_of(WHOLE)


def test_the_form_names_its_license_and_version() -> None:
    (settings,) = rows("settings")
    assert settings["form_id"] == "endwatch_BX-2026-00500"
    assert settings["version"] == WHOLE.version
    (data,) = fromstring(xform.made_of(WHOLE)).iterfind(f".//{X}data")
    assert (data.attrib["id"], data.attrib["version"]) == (settings["form_id"], WHOLE.version)
    names = {element.tag.rpartition("}")[2] for element in data.iter()}
    assert names >= {"start", "end", "deviceid", "instanceID"}


def test_every_serial_number_can_be_chosen_and_any_scanned() -> None:
    serials = [row for row in rows("choices") if row["list_name"] == "serials"]
    assert len(serials) == 400
    assert len({row["name"] for row in serials}) == 400
    (scan,) = survey("scanned")
    assert scan["type"] == "barcode"


def test_every_question_is_there_with_how_to_check_and_what_to_see() -> None:
    found = rows("survey")
    for scope in ("unit", "site", "license"):
        for one in asked(WHOLE, scope):
            name = {"sighted_serials": "units_looked_for"}.get(one.question.name, one.question.name)
            fits = [row for row in found if row["name"] in {name, f"{name}_any"} and row["hint"]]
            assert len(fits) == (3 if scope == "site" else 1), name
            for row in fits:
                for part in one.parts:
                    assert part.how_to_check in row["hint"]
                    assert part.what_to_see in row["hint"]


def test_every_condition_stands_word_for_word() -> None:
    labels = [row["label"] for row in rows("survey") if row["type"] == "note"]
    assert len(labels) == len(WHOLE.parts) >= 37
    for part, label in zip(WHOLE.parts, labels, strict=True):
        assert part.text in label


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("gallery_size", "integer"),
        ("false_match_rate", "decimal"),
        ("position", "geopoint"),
        ("certified_on", "date"),
        ("incident_known_at", "dateTime"),
        ("software_version", "text"),
        ("seal_intact", "select_one yes_no"),
        ("unit_remote_sessions", "begin repeat"),
        ("picture", "image"),
        ("mode", "select_one modes"),
    ],
)
def test_each_answer_has_its_type(name: str, type: str) -> None:
    assert {row["type"] for row in survey(name)} == {type}


def test_closed_sets_are_chosen_from_and_code_words_are_held_to_their_pattern() -> None:
    (modes,) = survey("match_modes")
    assert modes["type"].startswith("select_multiple ")
    (modules,) = survey("enabled_modules")
    offered = {
        row["name"]: row["label"]
        for row in rows("choices")
        if row["list_name"] == modules["type"].partition(" ")[2]
    }
    assert offered == {
        "crowd_search": "crowd_search",
        "gait_recognition": "gait_recognition",
        "_none": "none",
        "_other": "other",
    }
    (other,) = survey("enabled_modules_other")
    assert "regex(" in other["constraint"]
    assert other["relevant"] == "selected(../enabled_modules, '_other')"
    (version,) = survey("software_version")
    assert version["constraint"].endswith("string-length(.) <= 64")
    (rate,) = survey("false_match_rate")
    assert rate["constraint"] == ". >= 0 and . <= 1"


def test_a_question_about_some_lines_is_asked_of_their_units() -> None:
    parts = tuple(
        replace(part, lines=(2,)) for part in WHOLE.parts if part.kind == "software_version"
    )
    (row,) = survey("software_version", sealed(replace(WHOLE, parts=parts)))
    assert row["relevant"] == "../unit_line = '' or ../unit_line = '2'"


@pytest.mark.parametrize(
    "text",
    [
        "As ${pulldata} says.",
        "Control \x0b character, \ufffe and \ud83d alone.",
        "=HYPERLINK(1) & <b>bold</b> ]]>",
        "Zeile eins\nZeile zwei: 本系统",
        "x" * 20_000,
    ],
)
def test_no_text_of_a_condition_breaks_the_form(text: str) -> None:
    part = replace(WHOLE.parts[0], text=text)
    odd = sealed(replace(WHOLE, parts=(part,), units=WHOLE.units[:2]))
    warnings: list[str] = []
    assert fromstring(xform.made_of(odd)) is not None
    convert(xlsform.workbook(odd), warnings=warnings, form_name="data")
    assert warnings == []


def test_serials_and_sites_may_have_any_code_for_a_name() -> None:
    units = tuple(replace(one, serial=f"A:{i}/b+c._-") for i, one in enumerate(WHOLE.units[:3]))
    sites = tuple(replace(one, reference=f"S:{i}/1+") for i, one in enumerate(WHOLE.sites))
    odd = sealed(replace(WHOLE, units=units, sites=sites))
    text = xform.made_of(odd).decode()
    assert "<name>A:0/b+c._-</name>" in text
    assert "'S:0/1+'" in text


@pytest.mark.parametrize("sites", [(), WHOLE.sites])
@pytest.mark.parametrize("units", [(), WHOLE.units])
@pytest.mark.parametrize("parts", [(), WHOLE.parts])
def test_a_checklist_that_lacks_something_is_a_form_too(
    parts: tuple[Part, ...], units: tuple[UnitToSight, ...], sites: tuple[SiteToVisit, ...]
) -> None:
    lacking = sealed(replace(WHOLE, parts=parts, units=units, sites=sites))
    warnings: list[str] = []
    made = convert(xlsform.workbook(lacking), warnings=warnings, form_name="data").xform
    assert warnings == []
    assert "<evidence" in made
    assert ("<site_1>" in made) is bool(sites and (parts or units))
    assert ("<unit>" in made) is bool(parts or units)


def test_the_same_version_is_made_once_however_many_ask() -> None:
    fresh = sealed(replace(WHOLE, revision=77))
    with ThreadPoolExecutor(4) as many:
        made = list(many.map(xform.form, [fresh] * 8))
    assert all(one is made[0] for one in made)
    changed = sealed(replace(WHOLE, revision=2))
    assert xform.form(changed) is not xform.form(WHOLE)
