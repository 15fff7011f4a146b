from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, match_mode
from monitors.match_mode import MODES, Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

ONE_TO_ONE = {"allowed": ["verify_1_1"]}

modes = st.lists(st.sampled_from(MODES), max_size=3)
counts = st.none() | st.integers(0, 10**12)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(match_mode, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_an_allowed_mode_and_counters_of_zero_are_kept() -> None:
    said = say(match_modes=["verify_1_1"], identify_calls=0, search_calls=0)

    assert found(ONE_TO_ONE, said) == []


def test_calls_of_an_allowed_mode_are_kept() -> None:
    said = say(match_modes=["identify_1_n"], identify_calls=5, search_calls=7)

    assert found({"allowed": ["identify_1_n", "search_n_n"]}, said) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(ONE_TO_ONE) == []
    assert found(ONE_TO_ONE, say(), say(gallery_size=5)) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_is_not_allowed_is_found(mode: str) -> None:
    others = [other for other in MODES if other != mode]
    statement = say(match_modes=list(MODES))

    (finding,) = found({"allowed": others}, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == f"{mode}_used"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == f"only {' or '.join(others)}"
    assert finding.observed == f"{mode} in use"


@pytest.mark.parametrize(
    ("identify", "search", "mode"), [(1, None, "identify_1_n"), (0, 1, "search_n_n")]
)
def test_one_call_is_enough(identify: int, search: int | None, mode: str) -> None:
    said = say(match_modes=["verify_1_1"], identify_calls=identify, search_calls=search)

    (finding,) = found(ONE_TO_ONE, said)

    assert finding.reason == f"{mode}_used"
    assert finding.observed == f"1 calls of {mode}"


def test_a_mode_shown_by_two_facts_is_one_finding() -> None:
    said = say(match_modes=["identify_1_n"], identify_calls=1200)

    (finding,) = found(ONE_TO_ONE, said)

    assert finding.observed == "1,200 calls of identify_1_n"


def test_two_modes_are_two_findings() -> None:
    said = say(identify_calls=1, search_calls=1)

    assert reasons(found(ONE_TO_ONE, said)) == ["identify_1_n_used", "search_n_n_used"]


def test_an_empty_list_cannot_be_assessed_and_hides_no_counter() -> None:
    (unclear,) = found(ONE_TO_ONE, say(match_modes=[]))

    assert unclear.answer is Answer.NOT_ASSESSABLE
    assert (unclear.reason, unclear.missing) == ("no_mode_named", ("match_modes",))
    assert reasons(found(ONE_TO_ONE, say(match_modes=[], search_calls=2))) == [
        "search_n_n_used",
        "no_mode_named",
    ]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(match_modes=["verify_1_1", "identify_1_n"])

    assert reasons(found(ONE_TO_ONE, statement)) == ["identify_1_n_used"]
    assert found({"allowed": ["verify_1_1", "identify_1_n"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(match_modes=["identify_1_n"])

    assert amended(
        match_mode, ONE_TO_ONE, {"allowed": ["verify_1_1", "identify_1_n"]}, then, now
    ) == [(then.id, "identify_1_n_used")]


@pytest.mark.parametrize("terms", [{}, {"allowed": []}, {"allowed": ["live"]}, {"modes": MODES}])
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(
    st.lists(st.sampled_from(MODES), min_size=1, max_size=3),
    st.lists(st.tuples(st.none() | modes, counts, counts), max_size=4),
)
def test_statements_alone_or_together_give_the_same(
    allowed: list[str], stated: list[tuple[list[str] | None, int | None, int | None]]
) -> None:
    said = [
        say(match_modes=named, identify_calls=identify, search_calls=search)
        for named, identify, search in stated
    ]

    alone = [finding for one in said for finding in found({"allowed": allowed}, one)]

    assert found({"allowed": allowed}, *said) == alone
    used = [
        {*(named or ()), *(["identify_1_n"] if i else []), *(["search_n_n"] if s else [])}
        for named, i, s in stated
    ]
    broken = [finding for finding in alone if finding.answer is Answer.BROKEN]
    assert len(broken) == sum(len(each - set(allowed)) for each in used)
