from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, audit_right
from monitors.audit_right import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import judge, say

SITE = Subject("site", "BORDER-1")
TERMS = {"notice_hours": 24, "max_per_year": 2}

flags = st.none() | st.booleans()
hours = st.none() | st.floats(0, 1e12)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(audit_right, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_access_within_the_notice_to_everything_is_kept() -> None:
    said = say(SITE, access_granted=True, access_delay_hours=24, scope_limited=False)

    assert found(TERMS, said) == []
    assert found(TERMS, say(SITE, access_granted=True)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_refused_access_is_found() -> None:
    statement = say(SITE, access_granted=False)

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "access_refused"
    assert finding.subject == SITE
    assert finding.evidence == (statement.id,)


def test_access_later_than_the_notice_is_found() -> None:
    (finding,) = found(TERMS, say(SITE, access_granted=True, access_delay_hours=24.5))

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "access_delayed"
    assert finding.expected == "access within 24 hours of the announcement"
    assert finding.observed == "a wait of 24.5 hours"


def test_a_limited_scope_is_found() -> None:
    (finding,) = found(TERMS, say(SITE, access_granted=True, scope_limited=True))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "scope_limited")


def test_everything_is_found_at_once() -> None:
    said = say(SITE, access_granted=False, access_delay_hours=48, scope_limited=True)

    assert reasons(found(TERMS, said)) == ["access_refused", "access_delayed", "scope_limited"]


@pytest.mark.parametrize("facts", [{"access_delay_hours": 24}, {"scope_limited": False}])
def test_a_visit_without_its_outcome_cannot_be_assessed(facts: dict[str, Any]) -> None:
    (finding,) = found(TERMS, say(SITE, **facts))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("access_unstated", ("access_granted",))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [({"access_delay_hours": 25}, "access_delayed"), ({"scope_limited": True}, "scope_limited")],
)
def test_what_is_found_needs_no_outcome(facts: dict[str, Any], reason: str) -> None:
    assert reasons(found(TERMS, say(SITE, **facts))) == [reason]


def test_the_visits_of_a_year_are_not_counted() -> None:
    said = [say(SITE, access_granted=True) for _ in range(5)]

    assert found(TERMS, *said) == []
    assert reasons(found(TERMS, *said, say(SITE, access_granted=False))) == ["access_refused"]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(SITE, access_granted=True, access_delay_hours=30)

    assert reasons(found(TERMS, statement)) == ["access_delayed"]
    assert found({"notice_hours": 48}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(SITE, access_granted=True, access_delay_hours=30)

    assert amended(audit_right, TERMS, {"notice_hours": 48}, then, now) == [
        (then.id, "access_delayed")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"notice_hours": -1},
        {"notice_hours": 24, "max_per_year": 0},
        {"notice_hours": 24, "visits": 2},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(flags, hours, flags), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[bool | None, float | None, bool | None]],
) -> None:
    said = [
        say(SITE, access_granted=granted, access_delay_hours=delay, scope_limited=limited)
        for granted, delay, limited in stated
    ]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    assert reasons(alone).count("access_refused") == sum(one[0] is False for one in stated)


@given(st.floats(0, 1e5), st.integers(0, 8784))
def test_a_delay_is_found_exactly_when_it_is_above(delay: float, notice: int) -> None:
    said = say(SITE, access_granted=True, access_delay_hours=delay)

    assert bool(found({"notice_hours": notice}, said)) is (delay > notice)
