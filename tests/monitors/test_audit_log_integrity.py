from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, audit_log_integrity
from monitors.audit_log_integrity import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS = {"max_gap_hours": 6}

flags = st.none() | st.booleans()
hours = st.none() | st.floats(0, 1e12)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(audit_log_integrity, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_gaps_up_to_the_limit_and_an_unbroken_chain_are_kept() -> None:
    assert found(TERMS, say(log_gap_hours=6, log_chain_intact=True)) == []
    assert found(TERMS, say(log_gap_hours=0)) == []


def test_what_is_not_stated_is_not_judged_and_never_unclear() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []
    assert found(TERMS, say(log_chain_intact=True)) == []


def test_a_gap_above_the_limit_is_found() -> None:
    statement = say(log_gap_hours=6.5)

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "gap_too_long"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "gaps of 6 hours at most"
    assert finding.observed == "a gap of 6.5 hours"


def test_a_broken_chain_is_found() -> None:
    (finding,) = found(TERMS, say(log_chain_intact=False, log_gap_hours=1))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "chain_broken")


def test_both_are_found_at_once() -> None:
    said = say(log_chain_intact=False, log_gap_hours=1e12)

    assert reasons(found(TERMS, said)) == ["gap_too_long", "chain_broken"]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(log_gap_hours=8)

    assert reasons(found(TERMS, statement)) == ["gap_too_long"]
    assert found({"max_gap_hours": 8}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(log_gap_hours=8)

    assert amended(audit_log_integrity, TERMS, {"max_gap_hours": 8}, then, now) == [
        (then.id, "gap_too_long")
    ]


@pytest.mark.parametrize(
    "terms",
    [{}, {"max_gap_hours": 0}, {"max_gap_hours": 9999}, {"max_gap_hours": 1, "days": 3}],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(hours, flags), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[float | None, bool | None]],
) -> None:
    said = [say(log_gap_hours=gap, log_chain_intact=chain) for gap, chain in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    assert reasons(alone).count("chain_broken") == sum(chain is False for _, chain in stated)


@given(st.floats(0, 1e5), st.integers(1, 8784))
def test_a_gap_is_found_exactly_when_it_is_above(gap: float, most: int) -> None:
    assert bool(found({"max_gap_hours": most}, say(log_gap_hours=gap))) is (gap > most)
