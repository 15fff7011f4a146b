from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Severity, Statement, Subject, subject_exclusion
from monitors.subject_exclusion import MONITOR, Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS = {"prohibited_attributes": ["ethnicity", "emotion"], "excluded_groups": ["children"]}

attributes = st.lists(st.sampled_from(["age", "Emotion", "ethnicity", "other"]), max_size=4)
groups = st.lists(st.sampled_from(["staff", "Children", "unknown"]), max_size=4)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(subject_exclusion, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_other_attributes_and_groups_and_none_at_all_are_kept() -> None:
    assert found(TERMS, say(inferred_attributes=["age"], enrolled_groups=["patients"])) == []
    assert found(TERMS, say(inferred_attributes=[], enrolled_groups=[])) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []
    assert found(TERMS, say(enrolled_groups=["patients"])) == []


def test_one_prohibited_attribute_is_found() -> None:
    statement = say(inferred_attributes=["age", "Emotion"])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "attribute_inferred"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "no inference of emotion, ethnicity"
    assert finding.observed == "emotion inferred"
    assert MONITOR.severity is Severity.CRITICAL


def test_one_excluded_group_is_found() -> None:
    terms = {"excluded_groups": ["children", "refugees"]}

    (finding,) = found(terms, say(enrolled_groups=["staff", "children"]))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "group_enrolled")
    assert finding.expected == "nobody enrolled of children, refugees"
    assert finding.observed == "children enrolled"


def test_a_word_that_names_nothing_cannot_be_assessed() -> None:
    findings = found(TERMS, say(inferred_attributes=["Unknown"], enrolled_groups=["other"]))

    assert {finding.answer for finding in findings} == {Answer.NOT_ASSESSABLE}
    assert reasons(findings) == ["attribute_unnamed", "group_unnamed"]
    assert [finding.missing for finding in findings] == [
        ("inferred_attributes",),
        ("enrolled_groups",),
    ]
    assert [finding.observed for finding in findings] == [
        "an attribute given as unknown",
        "a group given as other",
    ]


def test_a_word_that_names_nothing_hides_nothing() -> None:
    said = say(
        inferred_attributes=["other", "ethnicity"], enrolled_groups=["unspecified", "children"]
    )

    assert reasons(found(TERMS, said)) == [
        "attribute_inferred",
        "attribute_unnamed",
        "group_enrolled",
        "group_unnamed",
    ]


def test_a_list_left_empty_in_the_terms_sets_no_limit() -> None:
    said = say(
        inferred_attributes=["emotion", "unknown"], enrolled_groups=["children", "unspecified"]
    )

    assert {one.missing for one in found({"prohibited_attributes": ["age"]}, said)} == {
        ("inferred_attributes",)
    }
    assert reasons(found({"excluded_groups": ["children"]}, said)) == [
        "group_enrolled",
        "group_unnamed",
    ]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(inferred_attributes=["age"])

    assert found(TERMS, statement) == []
    assert reasons(found({"prohibited_attributes": ["AGE"]}, statement)) == ["attribute_inferred"]


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(inferred_attributes=["age"])

    assert amended(subject_exclusion, TERMS, {"prohibited_attributes": ["age"]}, then, now) == [
        (now.id, "attribute_inferred")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"prohibited_attributes": [], "excluded_groups": []},
        {"prohibited_attributes": ["Unknown"]},
        {"excluded_groups": ["young people"]},
        {"excluded_groups": ["g"] * 101},
        {"attributes": ["emotion"]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(st.none() | attributes, st.none() | groups), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[list[str] | None, list[str] | None]],
) -> None:
    said = [say(inferred_attributes=one, enrolled_groups=other) for one, other in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    assert reasons(alone).count("group_enrolled") == sum(
        "Children" in (other or ()) for _, other in stated
    )
