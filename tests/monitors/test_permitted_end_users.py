from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, permitted_end_users
from monitors.permitted_end_users import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import judge, say

TERMS = {"parties": ["KE-IMMIGRATION", "KE-AIRPORTS"]}


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(permitted_end_users, terms, *statements)


def test_the_named_parties_may_operate_it() -> None:
    assert found(TERMS, say(operating_parties=["KE-AIRPORTS"])) == []
    assert found(TERMS, say(operating_parties=["KE-IMMIGRATION", "KE-AIRPORTS"])) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_another_party_is_found_and_named() -> None:
    statement = say(Subject("site", "NBO-1"), operating_parties=["KE-AIRPORTS", "KE-POLICE"])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "party_not_permitted"
    assert finding.subject == Subject("site", "NBO-1")
    assert finding.evidence == (statement.id,)
    assert finding.observed == "operated by KE-POLICE"
    assert finding.expected == "operated only by KE-AIRPORTS, KE-IMMIGRATION"


def test_a_long_list_is_cut_short_in_the_sentence() -> None:
    (finding,) = found(TERMS, say(operating_parties=[f"P-{n:04}" for n in range(1000)]))

    assert finding.observed.endswith("P-0009 and 990 more")


def test_an_empty_list_cannot_be_assessed() -> None:
    (finding,) = found(TERMS, say(operating_parties=[]))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert finding.reason == "no_party_named"
    assert finding.missing == ("operating_parties",)


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(operating_parties=["KE-POLICE"])

    assert len(found(TERMS, statement)) == 1
    assert found({"parties": ["KE-POLICE"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(operating_parties=["KE-POLICE"])

    assert amended(permitted_end_users, TERMS, {"parties": ["KE-POLICE"]}, then, now) == [
        (then.id, "party_not_permitted")
    ]


@pytest.mark.parametrize("terms", [{}, {"parties": []}, {"parties": ["A B"]}, {"party": ["A"]}])
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.none() | st.lists(st.sampled_from([*TERMS["parties"], "X", "Y"])), max_size=5))
def test_statements_alone_or_together_give_the_same(stated: list[list[str] | None]) -> None:
    said = [say(operating_parties=named) for named in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    assert len(alone) == sum(
        named is not None and not (named and set(named) <= set(TERMS["parties"]))
        for named in stated
    )
