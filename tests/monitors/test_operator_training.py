from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Severity, Statement, Subject, operator_training
from monitors.operator_training import MONITOR, Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import judge, say

EVERYBODY: dict[str, Any] = {}
MOST: dict[str, Any] = {"min_percent": "87.5", "courses": ["false_matches", "bias"]}
SITE = Subject("site", "NBO-T1")

counts = st.none() | st.integers(0, 20) | st.just(10**12)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(operator_training, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def staff(active: int | None, trained: int | None) -> Statement[Any]:
    return say(SITE, operators_active=active, operators_trained=trained)


def test_everybody_trained_or_a_share_at_the_minimum_is_kept() -> None:
    assert found(EVERYBODY, staff(12, 12)) == []
    assert found(MOST, staff(8, 7)) == []


def test_where_nobody_is_active_nobody_must_be_trained() -> None:
    assert found(EVERYBODY, staff(0, 0), staff(0, None)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(EVERYBODY) == []
    assert found(EVERYBODY, say(), say(SITE), say(gallery_size=5)) == []


def test_a_share_below_the_minimum_is_found() -> None:
    statement = staff(1600, 1399)

    (finding,) = found(MOST, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "too_few_trained")
    assert finding.subject == SITE
    assert finding.evidence == (statement.id,)
    assert finding.expected == (
        "at least 87.5 % of the active operators trained in bias, false_matches"
    )
    assert finding.observed == "1,399 of 1,600 active operators trained"
    assert MONITOR.severity is Severity.MODERATE


def test_by_default_one_untrained_operator_is_found() -> None:
    (finding,) = found(EVERYBODY, staff(12, 11))

    assert finding.reason == "too_few_trained"
    assert finding.expected == "at least 100 % of the active operators trained"


def test_more_trained_than_active_cannot_be_assessed() -> None:
    for statement in (staff(12, 13), staff(0, 1)):
        (finding,) = found(EVERYBODY, statement)
        assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "counts_contradict")
        assert finding.missing == ("operators_active", "operators_trained")


def test_one_number_without_the_other_cannot_be_assessed() -> None:
    (first,), (second,) = found(EVERYBODY, staff(12, None)), found(EVERYBODY, staff(None, 0))

    assert first.answer is second.answer is Answer.NOT_ASSESSABLE
    assert first.reason == second.reason == "count_missing"
    assert (first.missing, first.observed) == (("operators_trained",), "12 active operators")
    assert (second.missing, second.observed) == (
        ("operators_active",),
        "0 operators trained, of an unstated number",
    )


def test_an_amendment_changes_what_is_found() -> None:
    statement = staff(10, 9)

    assert reasons(found(EVERYBODY, statement)) == ["too_few_trained"]
    assert found({"min_percent": 90}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(SITE, operators_active=10, operators_trained=9)

    assert amended(operator_training, EVERYBODY, {"min_percent": 90}, then, now) == [
        (then.id, "too_few_trained")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {"min_percent": 0},
        {"min_percent": 101},
        {"min_percent": "NaN"},
        {"min_percent": "99.9999999999999"},
        {"courses": ["false matches"]},
        {"courses": ["c"] * 101},
        {"percent": 90},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(
    st.integers(1, 100 * 10**12).map(lambda share: Decimal(share).scaleb(-12)),
    st.integers(0, 10**12),
    st.integers(-2, 2),
)
def test_the_share_is_exact(percent: Decimal, active: int, off: int) -> None:
    least = Fraction(percent) * active / 100
    trained = min(active, max(0, int(least) + off))

    assert bool(found({"min_percent": percent}, staff(active, trained))) is (trained < least)


@given(st.lists(st.tuples(counts, counts), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[int | None, int | None]],
) -> None:
    said = [staff(active, trained) for active, trained in stated]

    alone = [finding for one in said for finding in found(MOST, one)]

    assert found(MOST, *said) == alone
