from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, permitted_end_use
from monitors.permitted_end_use import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import judge, say

GATE = {"allowed": ["border_control", "access_control"], "denied": ["law_enforcement"]}

uses = st.sampled_from(["border_control", "access_control", "law_enforcement", "retail"])


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(permitted_end_use, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_an_allowed_use_is_kept() -> None:
    assert found(GATE, say(end_uses=["border_control"])) == []
    assert found(GATE, say(end_uses=["Access_Control", "BORDER_CONTROL"])) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(GATE) == []
    assert found(GATE, say(), say(gallery_size=5)) == []


def test_a_denied_use_is_found_with_its_evidence() -> None:
    statement = say(Subject("site", "NBO-1"), end_uses=["border_control", "law_enforcement"])

    (finding,) = found(GATE, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "end_use_denied"
    assert finding.subject == Subject("site", "NBO-1")
    assert finding.evidence == (statement.id,)
    assert finding.observed == "used for law_enforcement"
    assert finding.expected == (
        "used only for access_control, border_control; not used for law_enforcement"
    )


def test_a_use_nobody_named_is_found() -> None:
    (finding,) = found({"allowed": ["border_control"]}, say(end_uses=["retail", "prison"]))

    assert finding.reason == "end_use_not_allowed"
    assert finding.observed == "used for prison, retail"
    assert finding.expected == "used only for border_control"


def test_a_denied_and_an_unnamed_use_are_two_findings() -> None:
    assert reasons(found(GATE, say(end_uses=["law_enforcement", "retail"]))) == [
        "end_use_denied",
        "end_use_not_allowed",
    ]


def test_with_denied_uses_alone_every_other_is_let_pass() -> None:
    terms = {"denied": ["military"]}

    assert found(terms, say(end_uses=["retail"])) == []
    assert reasons(found(terms, say(end_uses=["retail", "MILITARY"]))) == ["end_use_denied"]


@pytest.mark.parametrize("terms", [GATE, {"denied": ["military"]}])
def test_an_empty_list_cannot_be_assessed(terms: dict[str, Any]) -> None:
    (finding,) = found(terms, say(end_uses=[]))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert finding.reason == "no_end_use_named"
    assert finding.missing == ("end_uses",)


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(end_uses=["retail"])

    assert reasons(found({"allowed": ["border_control"]}, statement)) == ["end_use_not_allowed"]
    assert found({"allowed": ["border_control", "retail"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(end_uses=["retail"])

    assert amended(
        permitted_end_use, {"denied": ["military"]}, {"denied": ["military", "retail"]}, then, now
    ) == [(now.id, "end_use_denied")]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"allowed": [], "denied": []},
        {"allowed": ["retail"], "denied": ["Retail"]},
        {"allowed": ["face of a person"]},
        {"allowed": [f"use_{n}" for n in range(101)]},
        {"permitted": ["retail"]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.none() | st.lists(uses), max_size=5))
def test_statements_alone_or_together_give_the_same(stated: list[list[str] | None]) -> None:
    said = [say(end_uses=named) for named in stated]

    alone = [finding for one in said for finding in found(GATE, one)]

    assert found(GATE, *said) == alone
    for one, named in zip(said, stated, strict=True):
        kept = named is None or (named and set(named) <= set(GATE["allowed"]))
        assert bool(found(GATE, one)) is not bool(kept)
