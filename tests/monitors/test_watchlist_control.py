from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, watchlist_control
from monitors.watchlist_control import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS: dict[str, Any] = {
    "max_entries": 1000,
    "denied_categories": ["journalists", "protesters"],
    "basis_required": True,
}
CAP = {"max_entries": 1000}
DENIED = {"denied_categories": ["journalists"]}

counts = st.none() | st.integers(0, 1200) | st.just(10**12)
categories = st.lists(st.sampled_from(["fugitives", "Journalists", "other"]), max_size=3)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(watchlist_control, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_a_watchlist_at_its_limit_with_agreed_entries_is_kept() -> None:
    said = say(watchlist_size=1000, watchlist_categories=["fugitives"], watchlist_without_basis=0)

    assert found(TERMS, said) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5000)) == []


def test_one_entry_more_is_found() -> None:
    statement = say(watchlist_size=1001)

    (finding,) = found(TERMS, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "too_many_entries")
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "at most 1,000 watchlist entries"
    assert finding.observed == "1,001 watchlist entries"


def test_a_denied_category_is_found() -> None:
    (finding,) = found(TERMS, say(watchlist_categories=["fugitives", "Protesters"]))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "category_denied")
    assert finding.expected == "nobody on the watchlist as journalists, protesters"
    assert finding.observed == "protesters on the watchlist"


def test_one_entry_without_a_legal_basis_is_found() -> None:
    (finding,) = found(TERMS, say(watchlist_without_basis=1))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "entries_without_basis")
    assert finding.observed == "1 without a legal basis"


def test_what_the_terms_leave_open_is_not_limited() -> None:
    said = say(
        watchlist_size=5000, watchlist_categories=["journalists"], watchlist_without_basis=9000
    )

    assert reasons(found(CAP, said)) == ["too_many_entries"]
    assert reasons(found(DENIED, said)) == ["category_denied"]
    assert reasons(found({"basis_required": True}, said)) == ["entries_without_basis"]


def test_an_empty_list_of_categories_is_kept_only_for_an_empty_watchlist() -> None:
    assert found(DENIED, say(watchlist_categories=[], watchlist_size=0)) == []
    assert found(CAP, say(watchlist_categories=[])) == []
    for said in (
        say(watchlist_categories=[]),
        say(watchlist_categories=[], watchlist_size=3),
        say(watchlist_categories=[], watchlist_size=0, watchlist_without_basis=3),
    ):
        (finding,) = found(DENIED, said)
        assert finding.answer is Answer.NOT_ASSESSABLE
        assert finding.reason == "no_category_named"
        assert finding.missing == ("watchlist_categories",)


def test_a_category_that_names_nothing_cannot_be_assessed_and_hides_nothing() -> None:
    (unclear,) = found(DENIED, say(watchlist_categories=["Other", "fugitives"]))

    assert (unclear.answer, unclear.reason) == (Answer.NOT_ASSESSABLE, "category_unnamed")
    assert unclear.observed == "a category given as other"
    assert reasons(found(DENIED, say(watchlist_categories=["other", "journalists"]))) == [
        "category_denied",
        "category_unnamed",
    ]


def test_a_size_that_other_counts_contradict_is_not_kept() -> None:
    assert found(CAP, say(watchlist_size=5, watchlist_without_basis=5)) == []

    (finding,) = found(CAP, say(watchlist_size=5, watchlist_without_basis=6))

    assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "counts_contradict")
    assert finding.observed == "5 watchlist entries, 6 of them without a legal basis"
    assert reasons(found(TERMS, say(watchlist_size=5, watchlist_without_basis=6))) == [
        "counts_contradict",
        "entries_without_basis",
    ]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(watchlist_size=1500)

    assert reasons(found(CAP, statement)) == ["too_many_entries"]
    assert found({"max_entries": 1500}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(watchlist_size=1500)

    assert amended(watchlist_control, CAP, {"max_entries": 1500}, then, now) == [
        (then.id, "too_many_entries")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"basis_required": False},
        {"max_entries": -1},
        {"denied_categories": ["unspecified"]},
        CAP | {"entries": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(
    st.sampled_from([TERMS, CAP, DENIED, {"basis_required": True}]),
    st.lists(st.tuples(counts, st.none() | categories, counts), max_size=5),
)
def test_statements_alone_or_together_give_the_same(
    terms: dict[str, Any], stated: list[tuple[int | None, list[str] | None, int | None]]
) -> None:
    said = [
        say(watchlist_size=size, watchlist_categories=named, watchlist_without_basis=without)
        for size, named, without in stated
    ]

    alone = [finding for one in said for finding in found(terms, one)]

    assert found(terms, *said) == alone
    if "max_entries" in terms:
        over = sum(size is not None and size > 1000 for size, _, _ in stated)
        assert reasons(alone).count("too_many_entries") == over
