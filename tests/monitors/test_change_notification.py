import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import (
    Answer,
    Case,
    Finding,
    Hears,
    Need,
    Party,
    Statement,
    Subject,
    change_notification,
)
from monitors._facts import Change
from monitors.change_notification import MONITOR, Terms, hears
from tests.monitors.heard import NOON, case, judge, say

DAY = timedelta(days=1)
SITE = Subject("site", "BORDER-1")
LICENSE = Subject("license", "BX-2026-00017")
TERMS: dict[str, Any] = {"days_before": 30}
POLICE = Party("KBP", "end_user", "Border Police", "KE")
TODAY = NOON.date()

subjects = st.sampled_from(["ownership", "site", "unit", "use"])
days = st.integers(-40, 70)
kinds = st.sampled_from(["attestation", "check_in", "incident", "inspection", "third_party"])
authors = st.sampled_from(["NORDLICHT", "KBP", "inspector", ""])
moments = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))


def change(of: Any, in_days: int, since: date = TODAY) -> Change:
    """Name a change so many days after that day."""
    return Change(subject=of, effective_on=since + timedelta(days=in_days))


def tell(
    *changes: Change,
    subject: Subject = SITE,
    at: datetime = NOON,
    received_at: datetime | None = None,
    **by: Any,
) -> Statement[Any]:
    said = say(subject, at=at, changes=list(changes), **{"kind": "attestation", **by})
    return said._replace(received_at=received_at or at)


def see(*changes: Change, **by: Any) -> Statement[Any]:
    return tell(*changes, **{"kind": "inspection", "by": "inspector", **by})


def found(*said: Statement[Any], terms: Any = TERMS, **overrides: Any) -> list[Finding]:
    file = case(**{"parties": (POLICE,), **overrides})
    return judge(change_notification, terms, *said, case=file)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_a_change_told_with_days_enough_is_kept_and_a_day_less_is_late() -> None:
    assert found(tell(change("ownership", 60))) == []
    assert found(tell(change("ownership", 30))) == []
    assert reasons(found(tell(change("ownership", 29)))) == ["told_late"]


def test_what_is_not_stated_is_not_judged() -> None:
    assert found() == []
    assert found(say(SITE), say(gallery_size=5), tell(), see()) == []


def test_a_late_telling_names_every_late_change_once() -> None:
    said = tell(change("use", 3), change("site", 40), change("ownership", -1))

    (finding,) = found(said)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "told_late")
    assert (finding.subject, finding.at, finding.evidence) == (SITE, NOON, (said.id,))
    assert finding.expected == "a change of ownership, site, unit, use told 30 days before"
    assert finding.observed == (
        "change of ownership from 2026-06-30, use from 2026-07-04, told on 2026-07-01"
    )


def test_only_changes_of_the_subjects_named_are_judged() -> None:
    said = tell(change("unit", 1), change("ownership", 1))

    (finding,) = found(said, terms={"subjects": ["ownership"], "days_before": 2})

    assert finding.observed == "change of ownership from 2026-07-02, told on 2026-07-01"
    assert found(said, terms={"subjects": ["site", "use"]}) == []


def test_an_amendment_changes_what_is_found() -> None:
    said = tell(change("site", 10))

    assert [reasons(found(said, terms={"days_before": days})) for days in (10, 11)] == [
        [],
        ["told_late"],
    ]


def test_with_no_days_before_a_change_is_told_by_its_day() -> None:
    assert found(tell(change("use", 0)), terms={"days_before": 0}) == []
    assert reasons(found(tell(change("use", -1)), terms={"days_before": 0})) == ["told_late"]


@pytest.mark.parametrize(("zone", "late"), [("UTC", False), ("Asia/Tokyo", True)])
def test_the_day_it_came_is_that_of_the_license(zone: str, late: bool) -> None:  # noqa: FBT001
    evening = NOON.replace(hour=20)
    said = tell(change("site", 30), received_at=evening)

    assert bool(found(said, time_zone=zone)) is late


def test_what_counts_is_when_it_reached_us() -> None:
    assert reasons(found(tell(change("site", 30), received_at=NOON + DAY))) == ["told_late"]


def test_a_party_on_the_license_tells_as_well_as_the_exporter() -> None:
    assert reasons(found(tell(change("use", 0), by="KBP"))) == ["told_late"]


@pytest.mark.parametrize(
    "by",
    [
        {"kind": "inspection", "by": "inspector"},
        {"kind": "third_party", "by": "reviewer"},
        {"kind": "third_party", "by": "KBP"},
        {"kind": "incident", "by": "inspector"},
    ],
)
def test_a_change_others_see_that_nobody_told_is_found(by: dict[str, str]) -> None:
    said = see(change("ownership", -90), change("site", -5), **by)

    (finding,) = found(said)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "never_told")
    assert (finding.subject, finding.evidence) == (SITE, (said.id,))
    assert finding.observed == (
        "change of ownership from 2026-04-02, site from 2026-06-26, not told by 2026-07-01"
    )


def test_a_change_seen_coming_while_there_is_time_to_tell_is_kept() -> None:
    assert found(see(change("site", 30))) == []
    assert reasons(found(see(change("site", 29)))) == ["never_told"]


@pytest.mark.parametrize(("apart", "told"), [(0, True), (31, True), (-31, True), (32, False)])
def test_a_telling_of_about_the_day_covers_what_is_seen(apart: int, told: bool) -> None:  # noqa: FBT001
    before = tell(change("site", -5 + apart), at=NOON - 90 * DAY)

    assert bool(found(before, see(change("site", -5)))) is not told


def test_a_telling_of_something_else_does_not_cover_what_is_seen() -> None:
    seen = see(change("site", -5))

    for other in (
        tell(change("use", -5), at=NOON - 90 * DAY),
        tell(change("site", -5), at=NOON - 90 * DAY, subject=LICENSE),
        tell(change("site", -5), at=NOON - 90 * DAY, kind="third_party"),
    ):
        assert (seen.id,) in [finding.evidence for finding in found(other, seen)]


def test_a_late_telling_of_a_later_day_covers_what_is_seen() -> None:
    told = tell(change("site", 5))
    seen = see(change("site", 3), at=NOON + 4 * DAY)

    assert reasons(found(told, seen)) == ["told_late"]


def test_nobody_without_a_name_tells() -> None:
    assert reasons(found(tell(change("site", 3), by=""), exporter="")) == ["never_told"]


def test_what_reached_us_after_the_inspector_looked_was_found_all_the_same() -> None:
    told = tell(change("site", -5), at=NOON - 90 * DAY, received_at=NOON)
    late = told._replace(received_at=NOON + timedelta(seconds=1))
    seen = see(change("site", -5), received_at=NOON + 9 * DAY)

    assert reasons(found(told, seen)) == ["told_late"]
    assert reasons(found(late, seen)) == ["told_late", "never_told"]


def test_the_word_of_others_counts_from_when_it_came() -> None:
    told = tell(change("site", 60), at=NOON - DAY, received_at=NOON + DAY)
    seen = see(change("site", 60), kind="third_party", received_at=NOON + 90 * DAY)

    assert found(told, seen) == []
    assert reasons(found(seen)) == ["never_told"]


def test_to_tell_again_what_was_told_in_time_is_not_late() -> None:
    first = tell(change("ownership", 60))
    again = tell(change("ownership", 0, since=TODAY + 60 * DAY), at=NOON + 55 * DAY)

    assert found(first, again) == []
    assert reasons(found(again)) == ["told_late"]


def test_a_late_change_is_found_once_and_put_off_it_is_no_news() -> None:
    first, again = tell(change("use", 5)), tell(change("use", 5), at=NOON + DAY)
    put_off = tell(change("use", 25), at=NOON + 2 * DAY)

    assert [finding.evidence for finding in found(first, again, put_off)] == [(first.id,)]


@pytest.mark.parametrize(("in_days", "late"), [(30, False), (29, True)])
def test_a_change_brought_forward_is_measured_by_its_new_day(in_days: int, late: bool) -> None:  # noqa: FBT001
    first = tell(change("site", 45))
    forward = tell(change("site", in_days), at=NOON + 5 * DAY)

    assert bool(found(first, forward)) is late


def test_a_later_report_that_is_silent_does_not_untell_a_change() -> None:
    told = tell(change("site", 60))
    silent, beside = tell(at=NOON + DAY), tell(at=NOON + DAY, kind="check_in")
    seen = see(change("site", 60), at=NOON + 90 * DAY)

    assert found(told, silent, seen) == []
    assert found(told, beside, seen) == []
    assert found(told, tell(at=NOON + DAY, by="KBP"), seen) == []
    assert hears(Terms()) == Hears(every=True, stating="changes")


def test_what_was_heard_before_counts_as_what_is_heard_now() -> None:
    told = tell(change("site", 60))
    seen = see(change("site", 60), at=NOON + 90 * DAY)

    assert found(seen, earlier=(say(SITE), told)) == []
    assert reasons(found(seen, earlier=(say(SITE),))) == ["never_told"]


@pytest.mark.parametrize(("days", "reason"), [(30, "told_late"), (29, "due_before_terms")])
def test_what_was_due_before_the_terms_cannot_be_assessed(days: int, reason: str) -> None:
    said = tell(change("site", days), at=NOON + DAY)

    assert reasons(found(said, in_force_from=NOON)) == [reason]


def test_old_and_new_changes_are_told_apart() -> None:
    said = see(change("site", 29), change("use", 30), at=NOON + 40 * DAY)

    new, old = found(said, in_force_from=NOON)

    assert (new.answer, new.reason) == (Answer.BROKEN, "never_told")
    assert new.observed == "change of use from 2026-07-31, not told by 2026-08-10"
    assert (old.answer, old.reason) == (Answer.NOT_ASSESSABLE, "due_before_terms")
    assert old.missing == ("changes",)
    assert old.observed == (
        "change of site from 2026-07-30, known on 2026-08-10, due to be told before these terms"
    )


def test_nothing_is_found_in_the_file_or_about_what_is_owed() -> None:
    assert judge(change_notification, TERMS, case=case(parties=(POLICE,)), moment=NOON) == []
    assert MONITOR.needs == {Need.PARTIES}
    assert MONITOR.awaits is None


def test_the_terms_stand_in_for_themselves() -> None:
    stored = Path(__file__).parent / "terms" / "change_notification.json"

    assert Terms.model_validate(json.loads(stored.read_text())) == Terms()
    assert Terms().days_before == 30


@pytest.mark.parametrize(
    "terms",
    [
        {"subjects": []},
        {"subjects": ["colour"]},
        {"subjects": ["use"] * 5},
        {"days_before": -1},
        {"days_before": 3661},
        {"days": 30},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(days, st.integers(0, 60))
def test_a_first_telling_is_late_exactly_when_days_are_missing(left: int, wanted: int) -> None:
    said = tell(change("unit", left))

    assert bool(found(said, terms={"days_before": wanted})) is (left < wanted)


@st.composite
def told_or_seen(draw: st.DrawFn) -> Statement[Any]:
    changes = draw(st.lists(st.builds(change, subjects, days), max_size=3))
    at = NOON + draw(st.integers(0, 60)) * DAY
    return tell(
        *changes,
        subject=draw(st.sampled_from([SITE, LICENSE])),
        at=at,
        received_at=at + draw(st.integers(0, 30)) * DAY,
        kind=draw(kinds),
        by=draw(authors),
    )


@given(st.lists(told_or_seen(), max_size=6), st.none() | st.just(NOON))
def test_statements_alone_or_together_give_the_same(
    said: list[Statement[Any]], since: datetime | None
) -> None:
    said.sort(key=lambda one: (one.observed_at, one.subject.reference, one.id))

    alone = [
        finding
        for index, one in enumerate(said)
        for finding in found(one, earlier=said[:index], in_force_from=since)
    ]

    assert found(*said, in_force_from=since) == alone


@given(
    st.lists(st.tuples(moments, moments, st.dates(), kinds, authors), max_size=4),
    st.none() | moments,
    st.sampled_from(["UTC", "Pacific/Kiritimati", "America/Los_Angeles"]),
    st.sampled_from(["NORDLICHT", ""]),
)
def test_nothing_whatever_makes_it_raise(
    told: list[tuple[datetime, datetime, date, str, str]],
    since: datetime | None,
    zone: str,
    exporter: str,
) -> None:
    said = [
        tell(change("use", 0, since=day), at=at, received_at=came, kind=kind, by=by)
        for at, came, day, kind, by in told
    ]
    file: Case = case(in_force_from=since, time_zone=zone, exporter=exporter, earlier=said[:1])

    findings = judge(change_notification, TERMS, *said, case=file)

    assert {finding.evidence for finding in findings} <= {(one.id,) for one in said}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_ends_of_time_are_days_too(day: date, zone: str) -> None:
    for end in (time.min, time.max):
        said = tell(change("use", 0, since=day), received_at=datetime.combine(day, end, UTC))

        assert found(said, terms={"days_before": 2}, time_zone=zone) != []
