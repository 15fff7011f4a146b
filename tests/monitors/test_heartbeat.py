from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Duty, Finding, Need, Obligation, Subject, heartbeat
from monitors.heartbeat import MONITOR, Facts, Terms, owes
from tests.monitors.heard import case, judge, say

LAST = datetime(2026, 3, 2, 10, tzinfo=UTC)
DUE = LAST + timedelta(hours=72)
UNTIL = DUE + timedelta(hours=3)
SECOND = timedelta(seconds=1)
GATE = Subject("unit", "FR-000123")
TERMS = Terms(every_hours=72)

moments = st.integers(-10_000, 100_000).map(lambda minutes: UNTIL + timedelta(minutes=minutes))


def owed(
    met_at: datetime | None = None, last: datetime | None = LAST, subject: Subject = GATE
) -> Obligation:
    return Obligation(subject, 7, DUE, UNTIL, met_at=met_at, last_heard_at=last)


def silences(*obligations: Obligation, at: datetime, terms: Terms = TERMS) -> list[Finding]:
    return judge(heartbeat, terms, case=case(obligations=obligations), moment=at)


def test_a_reading_within_the_time_or_the_grace_is_kept() -> None:
    long_after = UNTIL + timedelta(days=30)

    for met_at in (LAST + SECOND, DUE, DUE + SECOND, UNTIL - SECOND, UNTIL):
        assert silences(owed(met_at), at=long_after) == []


def test_silence_is_found_a_moment_after_the_grace_and_not_at_its_end() -> None:
    assert silences(owed(), at=DUE + SECOND) == []
    assert silences(owed(), at=UNTIL) == []
    assert len(silences(owed(), at=UNTIL + SECOND)) == 1


def test_silence_names_the_unit_since_when_and_what_would_end_it() -> None:
    (finding,) = silences(owed(), at=UNTIL + SECOND)

    assert finding.answer is Answer.BROKEN
    assert (finding.subject, finding.reason, finding.at) == (GATE, "silent", UNTIL)
    assert finding.expected == "a reading every 72 hours, with 3 hours grace"
    assert finding.observed == "nothing heard since 2026-03-02 10:00 UTC"
    assert (finding.evidence, finding.missing) == (("obligation:7",), ("reading",))
    assert finding.cleared_at is None


def test_a_unit_that_was_never_heard_is_silent_too() -> None:
    (finding,) = silences(owed(last=None), at=UNTIL + SECOND)

    assert finding.observed == "nothing heard yet"


@given(moments, moments)
def test_the_finding_does_not_change_as_the_silence_goes_on(one: datetime, other: datetime) -> None:
    found = [silences(owed(), at=moment) for moment in (one, other) if moment > UNTIL]

    assert all(each == found[0] != [] for each in found)


@given(moments)
def test_a_late_reading_clears_the_silence_and_the_miss_stays(moment: datetime) -> None:
    back = UNTIL + SECOND

    (finding,) = silences(owed(back), at=moment)

    assert (finding.reason, finding.at, finding.cleared_at) == ("silent", UNTIL, back)


def test_each_unit_is_silent_for_itself() -> None:
    other = Subject("unit", "FR-000124")

    found = silences(owed(), owed(DUE, subject=other), owed(subject=other), at=UNTIL + SECOND)

    assert [finding.subject for finding in found] == [GATE, other]


def test_the_text_follows_the_terms_in_force() -> None:
    expected = [
        finding.expected
        for terms in (TERMS, Terms(every_hours=24, grace_hours=0))
        for finding in silences(owed(), at=UNTIL + SECOND, terms=terms)
    ]

    assert expected == [
        "a reading every 72 hours, with 3 hours grace",
        "a reading every 24 hours, with 0 hours grace",
    ]


def test_nothing_owed_is_nothing_found() -> None:
    assert silences(at=UNTIL) == []
    assert judge(heartbeat, TERMS, say(gallery_size=3), moment=UNTIL + SECOND) == []


def test_every_unit_owes_a_reading() -> None:
    duty = owes(Terms(every_hours=24, grace_hours=1))

    assert duty == Duty("reading", "unit", timedelta(hours=24), timedelta(hours=1))
    assert MONITOR.owes is owes
    assert MONITOR.needs == {Need.OBLIGATIONS}
    assert Facts.model_fields == {}


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"every_hours": 0},
        {"every_hours": 1.5},
        {"every_hours": 10_000},
        {"every_hours": 72, "grace_hours": -1},
        {"every_hours": 72, "minutes": 1},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)
