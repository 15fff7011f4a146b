from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, Unit, retention_limit
from monitors.retention_limit import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import NOON, SERIAL, case, judge, say

TERMS = {"probe_days": 30, "non_match_hours": 24, "template_days": 365, "log_days": 180}
LOGS = {"log_days": 180}

ages = st.none() | st.floats(0, 1e12)


def found(
    terms: dict[str, Any], *statements: Statement[Any], shipped: date | None = None
) -> list[Finding]:
    units = {SERIAL: Unit(SERIAL, line=1, shipped_on=shipped)}
    return judge(retention_limit, terms, *statements, case=case(units=units))


def days_ago(days: int) -> date:
    return NOON.date() - timedelta(days=days)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_ages_up_to_the_limit_are_kept() -> None:
    said = say(
        oldest_probe_days=30,
        oldest_non_match_hours=24.0,
        oldest_template_days=12,
        oldest_log_days=180,
    )

    assert found(TERMS, said) == []


def test_what_is_not_limited_or_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []
    assert found(LOGS, say(oldest_probe_days=999, oldest_non_match_hours=999)) == []
    assert found({"probe_days": 1}, say(oldest_template_days=999, oldest_log_days=0)) == []


@pytest.mark.parametrize(
    ("said", "reason", "expected", "observed"),
    [
        (
            say(oldest_probe_days=30.5, id="s1"),
            "probes_too_old",
            "probes kept 30 days at most",
            "the oldest is 30.5 days old",
        ),
        (
            say(oldest_non_match_hours=24.1, id="s1"),
            "non_matches_too_old",
            "non-matches kept 24 hours at most",
            "the oldest is 24.1 hours old",
        ),
        (
            say(oldest_template_days=366, id="s1"),
            "templates_too_old",
            "templates kept 365 days at most",
            "the oldest is 366 days old",
        ),
    ],
)
def test_an_age_above_its_limit_is_found(
    said: Statement[Any], reason: str, expected: str, observed: str
) -> None:
    (finding,) = found(TERMS, said)

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.expected, finding.observed) == (reason, expected, observed)
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == ("s1",)


def test_nothing_may_be_kept_when_the_limit_is_zero() -> None:
    assert found({"probe_days": 0}, say(oldest_probe_days=0)) == []
    assert reasons(found({"probe_days": 0}, say(oldest_probe_days=0.01))) == ["probes_too_old"]


def test_young_logs_of_a_unit_long_in_use_are_found() -> None:
    (finding,) = found(LOGS, say(oldest_log_days=20), shipped=days_ago(181))

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "logs_too_young"
    assert finding.expected == "logs kept 180 days"
    assert finding.observed == "the oldest is 20 days old; the unit was shipped on 2026-01-01"


@pytest.mark.parametrize("days", [180, 100, 21, -3])
def test_young_logs_of_a_young_unit_cannot_be_assessed(days: int) -> None:
    (finding,) = found(LOGS, say(oldest_log_days=20), shipped=days_ago(days))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert finding.reason == "unit_too_new"
    assert finding.missing == ("oldest_log_days",)


def test_logs_that_reach_back_to_the_shipment_are_kept() -> None:
    assert found(LOGS, say(oldest_log_days=20), shipped=days_ago(20)) == []


def test_young_logs_cannot_be_assessed_when_the_shipment_is_not_known() -> None:
    for findings in (
        found(LOGS, say(oldest_log_days=20)),
        found(LOGS, say("FR-OTHER", oldest_log_days=20), shipped=days_ago(999)),
    ):
        (finding,) = findings
        assert finding.answer is Answer.NOT_ASSESSABLE
        assert (finding.reason, finding.missing) == ("shipment_unknown", ("shipped_on",))


def test_everything_too_old_or_too_young_is_found_at_once() -> None:
    said = say(
        oldest_probe_days=31, oldest_non_match_hours=25, oldest_template_days=366, oldest_log_days=1
    )

    assert reasons(found(TERMS, said, shipped=days_ago(400))) == [
        "probes_too_old",
        "non_matches_too_old",
        "templates_too_old",
        "logs_too_young",
    ]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(oldest_probe_days=40)

    assert reasons(found({"probe_days": 30}, statement)) == ["probes_too_old"]
    assert found({"probe_days": 60}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(oldest_probe_days=40)

    assert amended(retention_limit, {"probe_days": 30}, {"probe_days": 60}, then, now) == [
        (then.id, "probes_too_old")
    ]


@pytest.mark.parametrize(
    "terms",
    [{}, {"probe_days": None}, {"probe_days": -1}, {"log_days": 0}, {"days": 3}],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(
    st.lists(st.tuples(ages, ages, ages, ages), max_size=4), st.none() | st.integers(-4000, 40_000)
)
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[float | None, ...]], shipped: int | None
) -> None:
    day = None if shipped is None else days_ago(shipped)
    said = [
        say(
            oldest_probe_days=probe,
            oldest_non_match_hours=non_match,
            oldest_template_days=template,
            oldest_log_days=log,
        )
        for probe, non_match, template, log in stated
    ]

    alone = [finding for one in said for finding in found(TERMS, one, shipped=day)]

    assert found(TERMS, *said, shipped=day) == alone


@given(st.floats(0, 1e5), st.integers(0, 36_525))
def test_an_age_is_found_exactly_when_it_is_above(age: float, limit: int) -> None:
    findings = found({"template_days": limit}, say(oldest_template_days=age))

    assert bool(findings) is (age > limit)
