import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import TypeAdapter, ValidationError

from monitors import Catalogue, Monitor, catalogue
from monitors._catalogue import CatalogueBroken, discover
from monitors._facts import Position

MONITORS = Path(__file__).parents[2] / "monitors"
KINDS = sorted(file.stem for file in MONITORS.glob("[!_]*.py"))

KIND = '''"""Doors: no more open than the license allows."""

from typing import Annotated

from monitors._contract import FactsModel, Monitor, Severity, TermsModel
from monitors._facts import Count, SiteFact, fact


class Terms(TermsModel):
    most: int


class Facts(FactsModel):
    doors_open: Annotated[Count | None, fact("How many doors are open?", unit="doors")] = None
    site: SiteFact = None


MONITOR = Monitor(
    title="Doors",
    terms=Terms,
    facts=Facts,
    evaluate=lambda terms, heard, case, moment: iter(()),
    severity=Severity.LOW,
    how_to_check="Count the doors.",
    what_to_see="Few.",
)
'''

Drop = Callable[..., list[ModuleType]]


@pytest.fixture
def drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drop:
    """Write files into a package of their own, and import the kinds found there."""
    package = re.sub(r"\W", "_", f"dropped_{tmp_path.name}")
    (tmp_path / package).mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    def written(**files: str) -> list[ModuleType]:
        for name, text in {"__init__": "", **files}.items():
            (tmp_path / package / f"{name}.py").write_text(text, encoding="utf-8")
        return discover(package)

    return written


def test_every_kind_in_the_folder_is_in_the_catalogue() -> None:
    assert len(KINDS) >= 5
    assert list(catalogue().monitors) == KINDS
    assert all(kind in catalogue() and catalogue()[kind].kind == kind for kind in KINDS)
    assert "never_heard_of" not in catalogue()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_documented_tested_and_says_how_to_check_it(kind: str) -> None:
    monitor = catalogue()[kind]

    assert re.match(r"[A-Z].*[.:]", monitor.documentation)
    for section in ("What it means", "Broken", "Not assessable", "Source"):
        assert f"**{section}" in monitor.documentation
    assert all(len(text) > 3 for text in (monitor.title, monitor.how_to_check, monitor.what_to_see))
    assert (Path(__file__).parent / f"test_{kind}.py").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_every_term_and_fact_says_what_it_is(kind: str) -> None:
    monitor = catalogue()[kind]

    assert all(field.description for field in monitor.terms.model_fields.values())
    assert all(monitor.facts.model_fields[name].default is None for name in monitor.fact_names)
    assert monitor.terms.model_json_schema()["additionalProperties"] is False
    assert monitor.version >= 1


def test_the_vocabulary_is_the_union_of_what_the_kinds_read() -> None:
    named = {name for monitor in catalogue().monitors.values() for name in monitor.fact_names}

    assert len(named) >= 4
    assert set(catalogue().facts) == named
    assert set(catalogue().typed_facts.__annotations__) == named
    assert list(catalogue().facts) == sorted(named)


def test_every_fact_has_one_meaning_a_question_a_unit_and_its_readers() -> None:
    facts = catalogue().facts

    assert len({fact.question for fact in facts.values()}) == len(facts) >= 4
    for name, fact in facts.items():
        assert fact.name == name
        assert re.match(r"[A-Z].+\?$", fact.question)
        assert fact.unit
        assert fact.json_schema
        assert fact.scopes
        assert set(fact.scopes) <= {"unit", "site", "license"}
        readers = [kind for kind, m in catalogue().monitors.items() if name in m.fact_names]
        assert list(fact.read_by) == readers != []


def test_stated_facts_are_checked_and_what_was_not_stated_is_none() -> None:
    spoken = catalogue()

    checked = spoken.validate_facts({"gallery_size": 3, "position": {"lat": 1, "lon": 2}})
    stated = spoken.stated(checked)

    assert checked == {"gallery_size": 3, "position": Position(lat=1, lon=2)}
    assert checked == spoken.facts_of('{"gallery_size": 3, "position": {"lat": 1, "lon": 2}}')
    assert (stated.gallery_size, stated.country) == (3, None)


@pytest.mark.parametrize(
    "facts",
    [
        {"face_template": "AAAA"},
        {"gallery_size": "many"},
        {"gallery_size": -1},
        {"gallery_size": True},
        {"country": "Kenya"},
        {"position": {"lat": 91, "lon": 0}},
        {"position": {"lat": 1, "lon": 0, "photo": "AAAA"}},
        ["gallery_size"],
    ],
)
def test_an_unknown_fact_and_a_wrong_value_are_refused(facts: object) -> None:
    with pytest.raises(ValidationError):
        catalogue().validate_facts(facts)
    with pytest.raises(ValidationError):
        catalogue().facts_of(json.dumps(facts))


def test_terms_are_read_by_their_kind() -> None:
    terms = catalogue().terms("gallery_cap", {"max_enrolled": 5})

    assert terms.model_dump()["max_enrolled"] == 5
    with pytest.raises(ValidationError):
        catalogue().terms("gallery_cap", {"max_enroled": 5})
    with pytest.raises(KeyError):
        catalogue().terms("never_heard_of", {})


def test_a_file_dropped_into_the_folder_is_a_new_kind(drop: Drop) -> None:
    grown = Catalogue(drop(doors=KIND, _not_a_kind="raise RuntimeError"))

    assert list(grown.monitors) == ["doors"]
    assert isinstance(grown["doors"], Monitor)
    assert grown["doors"].documentation == "Doors: no more open than the license allows."
    assert list(grown.facts) == ["doors_open", "site"]
    assert grown.facts["doors_open"].question == "How many doors are open?"
    assert grown.validate_facts({"doors_open": 2}) == {"doors_open": 2}
    assert grown.stated({}).doors_open is None
    assert grown.terms("doors", {"most": 2}).model_dump() == {"most": 2}


def test_a_new_kind_stands_beside_the_others(drop: Drop) -> None:
    grown = Catalogue([*discover("monitors"), *drop(doors=KIND)])

    assert set(grown.monitors) == {*KINDS, "doors"}
    assert set(grown.facts) == {*catalogue().facts, "doors_open"}
    assert "doors" in grown.facts["site"].read_by


def test_two_kinds_may_read_the_same_fact(drop: Drop) -> None:
    both = Catalogue(drop(doors=KIND, gates=KIND))

    assert both.facts["doors_open"].read_by == ("doors", "gates")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Count | None, fact", "str | None, fact"),
        ("How many doors are open?", "How many doors are wide open?"),
        ('unit="doors"', 'unit="gates"'),
        ('unit="doors"', 'unit="doors", scopes=("site",)'),
    ],
)
def test_a_fact_that_means_two_things_is_refused(drop: Drop, old: str, new: str) -> None:
    assert old in KIND
    modules = drop(doors=KIND, gates=KIND.replace(old, new))

    with pytest.raises(CatalogueBroken, match="'doors_open' means one thing in doors"):
        Catalogue(modules)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ('"""No declaration."""', "declares no MONITOR"),
        (KIND.partition("\n\n")[2], "has no docstring"),
        (
            KIND.replace(
                'Annotated[Count | None, fact("How many doors are open?", unit="doors")]',
                "Count | None",
            ),
            "'doors_open' in doors is not declared with fact",
        ),
    ],
)
def test_a_file_that_does_not_keep_the_contract_is_refused(
    drop: Drop, text: str, refusal: str
) -> None:
    assert text != KIND
    modules = drop(doors=text)

    with pytest.raises(CatalogueBroken, match=refusal):
        Catalogue(modules)


SHADOW = """
from dataclasses import replace

SHADOW = replace(MONITOR, version=2, evaluate=lambda *_: iter(()))
"""


def test_a_file_may_declare_the_next_version_of_its_kind(drop: Drop) -> None:
    grown = Catalogue(drop(doors=KIND + SHADOW))

    assert grown["doors"].version == 1
    assert grown.shadows["doors"].version == 2
    assert grown.shadows["doors"].kind == "doors"


@pytest.mark.parametrize("slip", ["version=1", "version=2, any_fact=True"])
def test_the_next_version_is_a_later_one_that_hears_the_same(drop: Drop, slip: str) -> None:
    modules = drop(doors=KIND + SHADOW.replace("version=2", slip))

    with pytest.raises(CatalogueBroken, match=r"doors.py: SHADOW must be made with replace"):
        Catalogue(modules)


def test_facts_that_were_checked_are_recalled_as_they_were_stated() -> None:
    facts = {"gallery_size": 5, "position": {"lat": 1.0, "lon": 2.0, "accuracy_m": 3.0}}
    stored = json.loads(json.dumps(facts))

    recalled = catalogue().recall(stored)

    assert vars(recalled) == catalogue().validate_facts(facts)
    assert recalled.country is None


def test_findings_that_are_for_the_authority_alone_are_named() -> None:
    assert catalogue().confidential == [
        kind for kind, monitor in catalogue().monitors.items() if monitor.confidential
    ]
    assert "party_standing" in catalogue().confidential


def test_the_schema_of_what_may_be_stated_says_what_is_asked() -> None:
    stated = TypeAdapter(catalogue().typed_facts).json_schema()["properties"]

    for name, fact in catalogue().facts.items():
        assert stated[name]["description"] == fact.question
        assert (stated[name]["unit"], tuple(stated[name]["scopes"])) == (fact.unit, fact.scopes)
