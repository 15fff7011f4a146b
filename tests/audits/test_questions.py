"""The rules by which a condition becomes questions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audits.questions import (
    REMARKS,
    SEEN,
    Asked,
    Checklist,
    Ground,
    Part,
    asked,
    part_of,
    scope_of,
    sealed,
)
from app.audits.shapes import Input, Shape, own_words, shape_of, with_words
from benchmarks.checklists import checklist
from monitors import Fact, catalogue

WORDS = catalogue().facts
GROUND = Ground(sites=("NBO-T1",), parties=("KE-BCA",), countries=("KE",))


def part(kind: str, ground: Ground = GROUND, **terms: object) -> Part:
    monitor = catalogue()[kind]
    read = catalogue().terms(kind, terms)
    return part_of(
        monitor,
        key=kind,
        version=1,
        text="As the license says.",
        terms=read.model_dump(mode="json"),
        lines=(2, 1),
        facts=[WORDS[name] for name in monitor.facts_read(read)],
        ground=ground,
    )


def answers(made: Part) -> dict[str, Shape]:
    return {one.name: one.answer for one in made.questions}


@pytest.mark.parametrize("name", sorted(WORDS))
def test_every_fact_of_the_vocabulary_can_be_asked(name: str) -> None:
    shape = shape_of(WORDS[name].json_schema, unit=WORDS[name].unit)
    assert shape.input in Input
    assert (shape.input is Input.RECORDS) == bool(shape.columns)
    assert shape.choices or shape.input not in {Input.ONE_OF, Input.SEVERAL_OF}


@pytest.mark.parametrize(
    ("fact", "input"),
    [
        ("gallery_size", Input.INTEGER),
        ("false_match_rate", Input.NUMBER),
        ("seal_intact", Input.YES_NO),
        ("disposition", Input.ONE_OF),
        ("match_modes", Input.SEVERAL_OF),
        ("software_version", Input.CODE),
        ("integrations", Input.CODES),
        ("certified_on", Input.DATE),
        ("incident_known_at", Input.TIME),
        ("position", Input.POSITION),
        ("remote_sessions", Input.RECORDS),
        ("sighted_serials", Input.SERIALS),
    ],
)
def test_the_type_of_a_fact_decides_how_it_is_answered(fact: str, input: Input) -> None:
    assert shape_of(WORDS[fact].json_schema, unit=WORDS[fact].unit).input is input


def test_limits_of_a_fact_are_limits_of_its_answer() -> None:
    rate = shape_of(WORDS["false_match_rate"].json_schema)
    assert (rate.minimum, rate.maximum) == (0, 1)
    version = shape_of(WORDS["software_version"].json_schema)
    assert version.longest == 64
    assert version.pattern


def test_a_record_is_asked_column_by_column() -> None:
    changes = shape_of(WORDS["changes"].json_schema)
    assert [column.name for column in changes.columns] == ["subject", "effective_on"]
    assert changes.columns[0].answer.choices == ("ownership", "site", "unit", "use")
    assert changes.most == 100


def test_words_the_license_uses_need_not_be_typed() -> None:
    lock = answers(part("capability_lock", locked_modules=["gait"]))
    assert lock["enabled_modules"].choices == ("gait",)
    security = answers(part("physical_security", checklist=["locked_rack"]))
    assert security["security_failures"].choices == ("locked_rack",)
    stored = answers(part("data_localization", storage_countries=["UG"], processing_countries=[]))
    assert stored["storage_countries"].choices == ("UG", "KE")
    assert stored["processing_countries"].choices == ("KE",)
    users = answers(part("permitted_end_users", parties=["UG-DCIC"]))
    assert users["operating_parties"].choices == ("UG-DCIC", "KE-BCA")


def test_words_of_terms_do_not_go_to_a_fact_they_are_not_about() -> None:
    shapes = {"a_codes": Shape(Input.CODES), "b_words": Shape(Input.CODES)}
    assert own_words("a_codes", {"listed": ["x"]}, shapes) == ()
    assert own_words("a_codes", {"listed": ["x"], "number": 3}, {"a_codes": shapes["a_codes"]}) == (
        "x",
    )


def test_a_closed_set_stays_closed() -> None:
    closed = Shape(Input.ONE_OF, choices=("a",))
    assert with_words(closed, ["b"]) is closed


def test_a_condition_that_reads_no_facts_is_asked_by_codes_alone() -> None:
    seen, remark = part("heartbeat", every_hours=72).questions
    assert (seen.name, seen.fact, seen.answer.choices) == ("seen_heartbeat", None, SEEN)
    assert (remark.name, remark.fact, remark.answer.choices) == ("remark_heartbeat", None, REMARKS)
    assert {seen.answer.input, remark.answer.input} == {Input.ONE_OF, Input.SEVERAL_OF}


def _fact(name: str, *scopes: str) -> Fact:
    return replace(WORDS["gallery_size"], name=name, scopes=scopes)


@pytest.mark.parametrize(
    ("scopes", "beside", "has_sites", "expected"),
    [
        (("unit",), (), True, "unit"),
        (("unit", "site"), (), True, "site"),
        (("unit", "site"), (), False, "unit"),
        (("unit", "site"), ("unit",), True, "unit"),
        (("site", "license"), ("unit",), True, "site"),
        (("site", "license"), (), False, "license"),
    ],
)
def test_a_fact_of_several_scopes_is_asked_where_it_costs_least(
    scopes: tuple[str, ...], beside: tuple[str, ...], *, has_sites: bool, expected: str
) -> None:
    fact = _fact("a", *scopes)
    others = [_fact("b", *beside)] if beside else []
    assert scope_of(fact, [fact, *others], has_sites=has_sites) == expected


def test_a_fact_that_several_conditions_read_is_asked_once() -> None:
    listed = checklist(1)
    found = asked(listed, "unit")
    names = [one.question.name for one in found]
    assert len(names) == len(set(names))
    gallery = next(one for one in found if one.question.name == "gallery_size")
    assert {one.kind for one in gallery.parts} == {"gallery_cap", "expression"}
    everything = {q.name for p in listed.parts for q in p.questions}
    assert everything == {
        one.question.name for scope in ("unit", "site", "license") for one in asked(listed, scope)
    }


def test_words_offered_by_several_conditions_are_offered_together() -> None:
    question = part("capability_lock", locked_modules=["gait"]).questions[0]
    other = replace(question, answer=replace(question.answer, choices=("crowd",)))
    first = part("capability_lock", locked_modules=["gait"])
    second = replace(first, key="capability_lock:2", questions=(other,))
    (merged, *_) = asked(_of(first, second), "unit")
    assert merged.question.answer.choices == ("gait", "crowd")


def _of(*parts: Part) -> Checklist:
    return sealed(replace(checklist(1), parts=parts))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [([(1,), (3, 2)], (1, 2, 3)), ([(1,), ()], ()), ([()], ())],
)
def test_a_question_is_about_the_lines_of_all_conditions_that_ask_it(
    lines: list[tuple[int, ...]], expected: tuple[int, ...]
) -> None:
    made = part("gallery_cap", max_enrolled=1)
    parts = tuple(replace(made, lines=one) for one in lines)
    assert Asked(made.questions[0], parts).lines == expected


def test_the_digest_tells_content_apart_and_not_the_time_it_was_asked_for() -> None:
    one = checklist(2)
    later = sealed(replace(one, as_of=one.as_of.replace(year=2027)))
    assert later.digest == one.digest
    assert sealed(replace(one, units=one.units[:1])).digest != one.digest
    assert one.version == f"1-{one.digest[:12]}"
    assert one.form_id == "endwatch_BX-2026-00500"


@given(words=st.lists(st.sampled_from(["a", "b", "c"])))
def test_each_word_is_offered_once(words: list[str]) -> None:
    offered = with_words(Shape(Input.CODES, choices=("a",)), words).choices
    assert sorted(offered) == sorted({"a", *words})
