from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, legal_basis
from monitors.legal_basis import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS: dict[str, Any] = {"sample_size": 50, "max_without_basis_percent": "2.5"}
NONE_AT_ALL: dict[str, Any] = {"sample_size": 50}

counts = st.none() | st.integers(0, 120) | st.just(10**12)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(legal_basis, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def sampled(number: int | None, without: int | None, **more: Any) -> Statement[Any]:
    return say(enrolments_sampled=number, enrolments_without_basis=without, **more)


def test_a_share_at_the_limit_and_a_sample_just_large_enough_are_kept() -> None:
    assert found(TERMS, sampled(200, 5)) == []
    assert found(TERMS, sampled(50, 1)) == []
    assert found(NONE_AT_ALL, sampled(50, 0)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_a_share_above_the_limit_is_found() -> None:
    statement = sampled(2000, 51)

    (finding,) = found(TERMS, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "share_above_limit")
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "at most 2.5 % without a legal basis, in a sample of 50 or more"
    assert finding.observed == "51 of 2,000 enrolments looked at without a legal basis"


def test_without_a_tolerance_one_is_enough() -> None:
    site = Subject("site", "NBO-T1")
    statement = say(site, enrolments_sampled=10**9, enrolments_without_basis=1)

    (finding,) = found(NONE_AT_ALL, statement)

    assert (finding.reason, finding.subject) == ("share_above_limit", site)
    assert finding.expected.startswith("at most 0 %")


@pytest.mark.parametrize("without", [0, 1, 49])
def test_a_sample_that_is_too_small_cannot_be_assessed(without: int) -> None:
    (finding,) = found(TERMS, sampled(49, without))

    assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "sample_too_small")
    assert finding.missing == ("enrolments_sampled",)


def test_a_sample_of_nothing_is_too_small() -> None:
    assert reasons(found({"sample_size": 1}, sampled(0, 0))) == ["sample_too_small"]


def test_more_without_a_basis_than_looked_at_cannot_be_assessed() -> None:
    findings = found(TERMS, sampled(100, 101), sampled(10, 11))

    assert {finding.answer for finding in findings} == {Answer.NOT_ASSESSABLE}
    assert reasons(findings) == ["counts_contradict", "counts_contradict"]
    assert findings[0].missing == ("enrolments_sampled", "enrolments_without_basis")
    assert reasons(found(TERMS, sampled(100, 100))) == ["share_above_limit"]


def test_one_number_without_the_other_cannot_be_assessed() -> None:
    (first,), (second,) = found(TERMS, sampled(1000, None)), found(TERMS, sampled(None, 0))

    assert first.answer is second.answer is Answer.NOT_ASSESSABLE
    assert first.reason == second.reason == "count_missing"
    assert (first.missing, first.observed) == (
        ("enrolments_without_basis",),
        "1,000 enrolments looked at",
    )
    assert (second.missing, second.observed) == (
        ("enrolments_sampled",),
        "0 without a legal basis, of an unstated number",
    )


def test_an_amendment_changes_what_is_found() -> None:
    statement = sampled(100, 3)

    assert reasons(found(TERMS, statement)) == ["share_above_limit"]
    assert found(TERMS | {"max_without_basis_percent": 3}, statement) == []
    assert reasons(found(TERMS | {"sample_size": 101}, statement)) == ["sample_too_small"]


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(enrolments_sampled=100, enrolments_without_basis=3)

    assert amended(legal_basis, TERMS, TERMS | {"max_without_basis_percent": 3}, then, now) == [
        (then.id, "share_above_limit")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"sample_size": 0},
        TERMS | {"max_without_basis_percent": "100.1"},
        TERMS | {"max_without_basis_percent": "-1"},
        TERMS | {"max_without_basis_percent": "NaN"},
        TERMS | {"max_without_basis_percent": "1E-999999"},
        TERMS | {"size": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(
    st.integers(0, 100 * 10**12).map(lambda share: Decimal(share).scaleb(-12)),
    st.integers(1, 10**12),
    st.integers(-2, 2),
)
def test_the_share_is_exact(percent: Decimal, size: int, off: int) -> None:
    limit = Fraction(percent) * size / 100
    without = min(size, max(0, int(limit) + off))
    terms = {"sample_size": 1, "max_without_basis_percent": percent}

    assert bool(found(terms, sampled(size, without))) is (without > limit)


@given(st.lists(st.tuples(counts, counts), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[int | None, int | None]],
) -> None:
    said = [sampled(number, without) for number, without in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
