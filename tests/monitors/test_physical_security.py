import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, catalogue, physical_security
from monitors.physical_security import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import NOON, case, judge, say

SITE = Subject("site", "BORDER-1")
TERMS = {"checklist": ["door_lock", "rack_camera"], "recertify_days": 365}

items = st.lists(st.sampled_from(["Door_Lock", "guard", "unknown"]), max_size=3)


def days_ago(days: int) -> date:
    return NOON.date() - timedelta(days=days)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(physical_security, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_a_passed_checklist_and_a_fresh_certificate_are_kept() -> None:
    assert found(TERMS, say(SITE, security_failures=[], certified_on=days_ago(30))) == []
    assert found(TERMS, say(SITE, security_failures=["guard"])) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_an_item_that_failed_is_found() -> None:
    statement = say(SITE, security_failures=["guard", "Rack_Camera", "unknown", "door_lock"])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "item_failed"
    assert finding.subject == SITE
    assert finding.evidence == (statement.id,)
    assert finding.observed == "door_lock, rack_camera failed"


def test_any_item_counts_when_none_is_listed() -> None:
    (finding,) = found({}, say(SITE, security_failures=["guard", "other"]))

    assert (finding.reason, finding.observed) == ("item_failed", "guard, other failed")


def test_an_item_without_a_name_cannot_be_assessed() -> None:
    (finding,) = found(TERMS, say(SITE, security_failures=["guard", "Other"]))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("item_unnamed", ("security_failures",))


def test_a_certificate_is_found_a_day_after_the_limit_and_not_on_it() -> None:
    (finding,) = found(TERMS, say(SITE, certified_on=days_ago(366)))

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "certificate_too_old"
    assert finding.expected == "a certificate 365 days old at most"
    assert finding.observed == "certified on 2025-06-30, 366 days before"
    assert found(TERMS, say(SITE, certified_on=days_ago(365))) == []
    assert found(TERMS, say(SITE, certified_on=days_ago(0))) == []


def test_a_certificate_of_the_future_cannot_be_assessed() -> None:
    (finding,) = found(TERMS, say(SITE, certified_on=days_ago(-2)))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("certificate_in_future", ("certified_on",))
    assert finding.observed == "certified on 2026-07-03, after it was seen on 2026-07-01"


@pytest.mark.parametrize(("hour", "future"), [(9, True), (10, False), (23, False)])
def test_a_day_that_has_begun_in_the_far_east_is_not_the_future(hour: int, future: bool) -> None:  # noqa: FBT001
    said = say(SITE, at=NOON.replace(hour=hour, minute=59), certified_on=days_ago(-1))

    assert bool(found(TERMS, said)) is future


def test_a_certificate_is_not_judged_when_no_age_is_given() -> None:
    assert found({"checklist": ["guard"]}, say(SITE, certified_on=date(1, 1, 1))) == []


def test_the_next_certificate_is_awaited_before_the_one_told_last_is_too_old() -> None:
    terms = Terms.model_validate({"recertify_days": 365})
    told = [
        say(SITE, at=NOON - timedelta(days=age), certified_on=days_ago(age + 10))
        for age in (5, 100)
    ]
    told.append(say(at=NOON, certified_on=days_ago(1)))
    beside = case(sites=frozenset({"BORDER-1", "BORDER-2"}), earlier=tuple(told))

    first, second = physical_security.MONITOR.awaits(terms, beside)  # type: ignore[misc]

    assert [first.subject, second.subject] == [SITE, Subject("site", "BORDER-2")]
    last_day = [days_ago(15) + timedelta(days=365), beside.granted_on + timedelta(days=365)]
    over = [day + timedelta(days=1) for day in last_day]
    assert [first.due_at, second.due_at] == [
        datetime(*day.timetuple()[:3], tzinfo=UTC) for day in over
    ]
    assert (first.item, second.item) == ("certificate", "first_certificate")
    assert list(physical_security.MONITOR.awaits(Terms(), beside)) == []  # type: ignore[misc]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(SITE, security_failures=["door_lock"], certified_on=days_ago(400))

    assert reasons(found(TERMS, statement)) == ["item_failed", "certificate_too_old"]
    assert found({"checklist": ["guard"], "recertify_days": 400}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(SITE, certified_on=days_ago(390))

    assert amended(physical_security, TERMS, TERMS | {"recertify_days": 400}, then, now) == [
        (then.id, "certificate_too_old")
    ]


def test_a_day_is_read_from_json_as_from_python() -> None:
    day = {"certified_on": date(2026, 2, 28)}

    assert catalogue().facts_of('{"certified_on": "2026-02-28"}') == day
    assert catalogue().validate_facts({"certified_on": "2026-02-28"}) == day
    assert catalogue().validate_facts(day) == day


@pytest.mark.parametrize("stated", ["2026-02-29", "20260228", "2026-02-28T00:00:00", 1, True, "x"])
def test_what_is_no_day_is_refused(stated: Any) -> None:
    with pytest.raises(ValidationError):
        catalogue().validate_facts({"certified_on": stated})
    with pytest.raises(ValidationError):
        catalogue().facts_of(json.dumps({"certified_on": stated}))


@pytest.mark.parametrize(
    "terms",
    [
        {"checklist": ["two words"]},
        {"checklist": ["other"]},
        {"recertify_days": 0},
        {"items": ["door_lock"]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(st.none() | items, st.none() | st.dates()), max_size=5), st.datetimes())
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[list[str] | None, date | None]], moment: datetime
) -> None:
    at = moment.replace(tzinfo=UTC)
    said = [say(SITE, at=at, security_failures=f, certified_on=day) for f, day in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    assert reasons(alone).count("item_failed") == sum("Door_Lock" in (f or ()) for f, _ in stated)


@given(st.integers(0, 40_000), st.integers(1, 36_525))
def test_an_age_is_found_exactly_when_it_is_above(age: int, limit: int) -> None:
    findings = found({"recertify_days": limit}, say(SITE, certified_on=days_ago(age)))

    assert bool(findings) is (age > limit)
