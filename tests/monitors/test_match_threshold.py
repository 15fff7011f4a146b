from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, match_threshold
from monitors.match_threshold import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS: dict[str, Any] = {"max_false_match_rate": "0.0001", "human_confirmation": True}

rates = st.decimals("1e-15", 1, places=15)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(match_threshold, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_a_rate_at_the_ceiling_and_no_action_without_a_person_are_kept() -> None:
    assert found(TERMS, say(false_match_rate=0.0001, unconfirmed_actions=0)) == []
    assert found(TERMS, say(false_match_rate=0.00009)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_a_rate_above_the_ceiling_is_found_and_told_in_full() -> None:
    statement = say(false_match_rate=0.00010001)

    (finding,) = found(TERMS, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "rate_above_ceiling")
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "a false match rate of at most 0.0001"
    assert finding.observed == "set for a false match rate of 0.00010001"
    (small,) = found({"max_false_match_rate": "1E-7"}, say(false_match_rate=0.00002))
    assert small.expected == "a false match rate of at most 0.0000001"
    assert small.observed == "set for a false match rate of 0.00002"


def test_one_action_without_a_person_is_found() -> None:
    (finding,) = found(TERMS, say(unconfirmed_actions=1))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "unconfirmed_action")
    assert finding.observed == "1 taken without a person"


def test_both_are_found() -> None:
    said = say(false_match_rate=1.0, unconfirmed_actions=3)

    assert reasons(found(TERMS, said)) == ["rate_above_ceiling", "unconfirmed_action"]


def test_a_rate_of_zero_cannot_be_assessed() -> None:
    (finding,) = found(TERMS, say(false_match_rate=0.0))

    assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "rate_of_zero")
    assert finding.missing == ("false_match_rate",)


def test_what_the_terms_leave_open_is_not_limited() -> None:
    said = [say(false_match_rate=1.0, unconfirmed_actions=3), say(false_match_rate=0.0)]

    assert reasons(found({"human_confirmation": True}, *said)) == ["unconfirmed_action"]
    assert reasons(found({"max_false_match_rate": 0.5}, *said)) == [
        "rate_above_ceiling",
        "rate_of_zero",
    ]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(false_match_rate=0.001)

    assert reasons(found(TERMS, statement)) == ["rate_above_ceiling"]
    assert found({"max_false_match_rate": "0.001"}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(false_match_rate=0.001)

    assert amended(match_threshold, TERMS, {"max_false_match_rate": "0.001"}, then, now) == [
        (then.id, "rate_above_ceiling")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"human_confirmation": False},
        {"max_false_match_rate": 0},
        {"max_false_match_rate": "1.1"},
        {"max_false_match_rate": "NaN"},
        {"max_false_match_rate": "1E-16"},
        TERMS | {"threshold": 0.7},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@pytest.mark.parametrize("rate", [1.5, -0.1, float("nan"), "0.1", True])
def test_a_rate_that_is_no_share_is_refused(rate: Any) -> None:
    with pytest.raises(ValidationError):
        found(TERMS, say(false_match_rate=rate))


@given(rates, rates)
def test_the_ceiling_is_exact(ceiling: Decimal, rate: Decimal) -> None:
    terms = {"max_false_match_rate": ceiling}

    assert bool(found(terms, say(false_match_rate=float(rate)))) is (rate > ceiling)
    assert found(terms, say(false_match_rate=float(ceiling))) == []


@given(
    st.lists(st.tuples(st.none() | st.floats(0, 1), st.none() | st.integers(0, 10**12)), max_size=5)
)
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[float | None, int | None]],
) -> None:
    said = [say(false_match_rate=rate, unconfirmed_actions=actions) for rate, actions in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
