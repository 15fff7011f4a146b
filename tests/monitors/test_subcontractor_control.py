from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, subcontractor_control
from monitors.subcontractor_control import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import judge, say

SITE = Subject("site", "BORDER-1")
TERMS = {"approved": ["HOSTCO", "FIXIT"]}
NOBODY: dict[str, Any] = {"approved": []}

parties = st.lists(st.sampled_from(["HOSTCO", "FIXIT", "ELSE", "Unknown"]), max_size=4)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(subcontractor_control, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_approved_subcontractors_are_kept() -> None:
    assert found(TERMS, say(SITE, subcontractors=["FIXIT", "HOSTCO", "FIXIT"])) == []


def test_none_at_all_are_kept() -> None:
    assert found(TERMS, say(SITE, subcontractors=[])) == []
    assert found(NOBODY, say(SITE, subcontractors=[])) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(SITE), say(gallery_size=5)) == []


@pytest.mark.parametrize("subject", [SITE, Subject("license", "BX-2026-00017")])
def test_a_subcontractor_that_is_not_approved_is_found(subject: Subject) -> None:
    statement = say(subject, subcontractors=["HOSTCO", "ELSE"])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "subcontractor_not_approved"
    assert finding.subject == subject
    assert finding.evidence == (statement.id,)
    assert finding.expected == "only FIXIT, HOSTCO"
    assert finding.observed == "ELSE working with it"


def test_any_subcontractor_is_found_when_none_is_approved() -> None:
    (finding,) = found(NOBODY, say(SITE, subcontractors=["HOSTCO"]))

    assert finding.reason == "subcontractor_not_approved"
    assert finding.expected == "no subcontractor"


def test_a_subcontractor_without_a_name_cannot_be_assessed() -> None:
    (finding,) = found(TERMS, say(SITE, subcontractors=["HOSTCO", "UNKNOWN"]))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("subcontractor_unnamed", ("subcontractors",))


def test_one_without_a_name_hides_no_other() -> None:
    said = say(SITE, subcontractors=["other", "ELSE"])

    assert reasons(found(TERMS, said)) == ["subcontractor_not_approved", "subcontractor_unnamed"]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(SITE, subcontractors=["ELSE"])

    assert reasons(found(TERMS, statement)) == ["subcontractor_not_approved"]
    assert found({"approved": ["ELSE"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(SITE, subcontractors=["ELSE"])

    assert amended(subcontractor_control, TERMS, {"approved": ["ELSE"]}, then, now) == [
        (then.id, "subcontractor_not_approved")
    ]


@pytest.mark.parametrize(
    "terms",
    [{}, {"approved": ["two words"]}, {"approved": ["unknown"]}, {"parties": ["HOSTCO"]}],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.none() | parties, max_size=5))
def test_statements_alone_or_together_give_the_same(stated: list[list[str] | None]) -> None:
    said = [say(SITE, subcontractors=those) for those in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    broken = reasons(alone).count("subcontractor_not_approved")
    assert broken == sum("ELSE" in (those or ()) for those in stated)
