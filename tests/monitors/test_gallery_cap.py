from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Case, Finding, Severity, Statement, Subject, Unit, gallery_cap
from monitors.gallery_cap import LOOKED_AHEAD, LOOKED_BACK, Terms, hears
from tests.monitors.amended import amended, twice
from tests.monitors.heard import NOON, SERIAL, case, judge, say

CAP: dict[str, Any] = {"max_enrolled": 100}
PER_SITE = CAP | {"per": "site"}
PER_LICENSE = CAP | {"per": "license"}
WHOLE = Subject("license", case().license)
NAIROBI = Subject("site", "NBO-1")


def found(
    terms: dict[str, Any], *statements: Statement[Any], case: Case | None = None
) -> list[Finding]:
    return judge(gallery_cap, terms, *statements, case=case)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def days(number: float) -> datetime:
    return NOON + timedelta(days=number)


def units(*known: Unit) -> dict[str, Unit]:
    return {unit.serial: unit for unit in known}


def unit(serial: str, site: str | None = "NBO-1", line: int = 1, *, shipped: bool = True) -> Unit:
    return Unit(serial, line, shipped_on=days(-90).date() if shipped else None, site=site)


def test_a_size_up_to_the_cap_is_kept() -> None:
    assert found(CAP, say(gallery_size=0), say(gallery_size=100)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    for terms in (CAP, PER_SITE, PER_LICENSE):
        assert found(terms) == []
        assert found(terms, say(), say(site="NBO-1")) == []


def test_one_more_is_found() -> None:
    statement = say(gallery_size=1101)

    (finding,) = found({"max_enrolled": 1100}, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "over_cap"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.severity is None
    assert finding.expected == "at most 1,100 enrolled per unit"
    assert finding.observed == "1,101 enrolled"


def test_the_tolerance_is_let_pass_to_its_last_person() -> None:
    terms = CAP | {"tolerance_percent": "2.5"}

    (finding,) = found(terms, say(gallery_size=102), say(gallery_size=103))

    assert finding.expected == "at most 100 enrolled per unit (with 2.5 % tolerance)"
    assert finding.observed == "103 enrolled"


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(gallery_size=150)

    assert reasons(found(CAP, statement)) == ["over_cap"]
    assert found({"max_enrolled": 150}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(gallery_size=150)

    assert amended(gallery_cap, CAP, {"max_enrolled": 150}, then, now) == [(then.id, "over_cap")]


def test_a_size_said_under_the_old_terms_counts_in_the_sum_of_the_new() -> None:
    first, second = say("A", at=days(-1), gallery_size=60), say("B", at=days(0), gallery_size=60)
    tighter = {"max_enrolled": 110, "per": "license"}

    assert amended(gallery_cap, PER_LICENSE, tighter, first, second) == [(second.id, "over_cap")]
    assert amended(gallery_cap, PER_LICENSE, tighter | {"max_enrolled": 120}, first, second) == []


def test_growth_that_reaches_the_cap_within_30_days_is_warned_of() -> None:
    before, now = say(at=days(-10), gallery_size=50), say(gallery_size=80)

    (finding,) = found(CAP, now, case=case(earlier=[before]))

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.severity) == ("approaching_cap", Severity.LOW)
    assert finding.observed == "80 enrolled, growing by 3 a day"
    assert finding.evidence == (now.id, before.id)
    assert finding.at == NOON


@pytest.mark.parametrize(
    ("ago", "then", "now", "expected"),
    [
        (7, 60, 67, []),  # 1 a day: 97 in 30 days
        (7, 63, 70, []),  # exactly 100 in 30 days
        (7, 64, 71, ["approaching_cap"]),
        (6.99, 40, 71, []),  # not yet a week
        (30, 40, 71, ["approaching_cap"]),
        (30.01, 0, 99, []),  # too long ago to tell
        (10, 99, 99, []),
        (10, 99, 90, []),
        (10, 99, 100, ["approaching_cap"]),
    ],
)
def test_growth_counts_from_a_week_to_a_month_ago(
    ago: float, then: int, now: int, expected: list[str]
) -> None:
    before, statement = say(at=days(-ago), gallery_size=then), say(gallery_size=now)

    assert reasons(found(CAP, statement, case=case(earlier=[before]))) == expected
    assert reasons(found(CAP, before, statement)) == expected


def test_growth_is_that_of_the_same_unit_alone() -> None:
    other = say("FR-OTHER", at=days(-10), gallery_size=0)

    assert found(CAP, say(gallery_size=90), case=case(earlier=[other])) == []


def test_growth_starts_at_the_latest_size_a_week_old_whatever_the_order() -> None:
    earlier = [say(at=days(-9), gallery_size=90), say(at=days(-20), gallery_size=0)]

    assert found(CAP, say(gallery_size=91), case=case(earlier=earlier)) == []


def test_sizes_are_summed_over_the_license() -> None:
    earlier = [say("A", at=days(-3), gallery_size=60), say("B", at=days(-2), gallery_size=30)]

    assert found(PER_LICENSE, say("C", gallery_size=10), case=case(earlier=earlier)) == []
    (finding,) = found(PER_LICENSE, say("C", gallery_size=11), case=case(earlier=earlier))
    assert (finding.reason, finding.subject) == ("over_cap", WHOLE)
    assert finding.observed == "101 enrolled"
    assert finding.expected == "at most 100 enrolled per license"


def test_only_the_latest_size_of_each_unit_counts() -> None:
    said = [say("A", at=days(n), gallery_size=90 - n) for n in range(5)]

    assert found(PER_LICENSE, *said, say("B", at=days(5), gallery_size=14)) == []
    assert reasons(found(PER_LICENSE, *said, say("B", at=days(5), gallery_size=15))) == ["over_cap"]


def test_sizes_are_summed_over_a_site_by_what_is_stated_or_by_papers() -> None:
    known = case(units=units(unit("A"), unit("B", site="MBA-1"), unit("C", site=None)))
    said = [
        say("A", gallery_size=60),
        say("B", gallery_size=60),
        say("C", gallery_size=60, site="NBO-1"),
    ]

    (finding,) = found(PER_SITE, *said, case=known)

    assert (finding.reason, finding.subject) == ("over_cap", NAIROBI)
    assert finding.observed == "120 enrolled"
    assert finding.evidence == (said[2].id,)


def test_a_unit_that_moves_takes_its_gallery_along() -> None:
    said = [
        say("A", gallery_size=60, site="NBO-1"),
        say("A", gallery_size=60, site="MBA-1"),
        say("B", gallery_size=60, site="NBO-1"),
        say("C", gallery_size=60, site="MBA-1"),
    ]

    (finding,) = found(PER_SITE, *said)

    assert finding.subject == Subject("site", "MBA-1")


def test_without_a_site_a_sum_per_site_cannot_be_assessed() -> None:
    (finding,) = found(PER_SITE, say(gallery_size=500))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("site_unknown", ("site",))
    assert finding.observed == "500 enrolled on a unit at an unstated site"


def test_a_sum_without_all_its_units_is_not_kept() -> None:
    known = case(
        units=units(unit("A"), unit("B"), unit("C", site="MBA-1"), unit("D", shipped=False))
    )

    (site,) = found(PER_SITE, say("A", gallery_size=10), case=known)
    (whole,) = found(PER_LICENSE, say("A", gallery_size=10), case=known)

    assert site.answer is whole.answer is Answer.NOT_ASSESSABLE
    assert site.reason == whole.reason == "sizes_missing"
    assert (site.subject, site.observed) == (NAIROBI, "10 enrolled, without B")
    assert (whole.subject, whole.observed) == (WHOLE, "10 enrolled, without B, C")
    assert reasons(found(PER_LICENSE, say("A", gallery_size=101), case=known)) == ["over_cap"]


def test_a_sum_is_kept_once_every_shipped_unit_has_said_its_size() -> None:
    known = case(
        units=units(unit("A"), unit("B")), earlier=[say("B", at=days(-70), gallery_size=5)]
    )

    assert found(PER_LICENSE, say("A", gallery_size=10), case=known) == []
    assert found(PER_LICENSE, say("A", at=days(-91), gallery_size=10), case=known) == []


def test_a_silent_unit_still_counts() -> None:
    assert hears(Terms.model_validate(PER_LICENSE)).window is None
    earlier = [say("B", at=days(-400), gallery_size=95)]

    assert reasons(found(PER_LICENSE, say("A", gallery_size=6), case=case(earlier=earlier))) == [
        "over_cap"
    ]


def test_only_units_on_the_lines_of_the_condition_count() -> None:
    known = case(
        lines=frozenset({1}),
        units=units(unit("A"), unit("B", line=2), unit("C", line=2)),
        earlier=[
            say("B", at=days(-1), gallery_size=95),
            say("STRAY", at=days(-1), gallery_size=95),
        ],
    )

    assert found(PER_LICENSE, say("A", gallery_size=90), case=known) == []
    assert found(PER_LICENSE, say("B", gallery_size=900), case=known) == []
    assert reasons(found(PER_LICENSE, say("A", gallery_size=101), case=known)) == ["over_cap"]


def test_what_was_said_later_does_not_count_yet() -> None:
    later = say("B", at=days(1), gallery_size=95)
    first, last = say("A", gallery_size=50), say("A", at=days(2), gallery_size=50)

    (finding,) = found(PER_LICENSE, first, last, case=case(earlier=[later]))

    assert finding.at == last.observed_at


def test_the_growth_of_one_unit_may_carry_a_sum_to_the_cap() -> None:
    earlier = [say("A", at=days(-10), gallery_size=10), say("B", at=days(-1), gallery_size=51)]

    (finding,) = found(PER_LICENSE, say("A", gallery_size=20), case=case(earlier=earlier))

    assert (finding.reason, finding.subject) == ("approaching_cap", WHOLE)
    assert finding.observed == "71 enrolled, growing by 1 a day"


def test_statements_about_anything_but_a_unit_are_no_part_of_a_sum() -> None:
    assert found(PER_LICENSE, say(NAIROBI, gallery_size=500)) == []


def test_it_hears_back_what_its_scope_needs() -> None:
    alone, whole = hears(Terms.model_validate(CAP)), hears(Terms.model_validate(PER_SITE))

    assert (alone.latest, alone.scope, alone.window) == (False, "subject", LOOKED_AHEAD)
    assert (whole.latest, whole.scope, whole.lag) == (True, "license", LOOKED_BACK)
    assert alone.stating == whole.stating == "gallery_size"


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"max_enrolled": -1},
        CAP | {"tolerance_percent": 101},
        CAP | {"per": "country"},
        CAP | {"maximum": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.integers(0, 10**10), st.decimals(0, 100, places=30), st.integers(-2, 2))
def test_the_tolerance_is_exact(cap: int, percent: Decimal, off: int) -> None:
    terms = Terms(max_enrolled=cap, tolerance_percent=percent)
    size = max(0, terms.ceiling + off)

    over = found({"max_enrolled": cap, "tolerance_percent": percent}, say(gallery_size=size))

    assert bool(over) is (size > cap * (1 + Fraction(percent) / 100))


SAID = st.tuples(
    st.sampled_from("ABC"),
    st.integers(0, 900),
    st.none() | st.integers(0, 120),
    st.none() | st.sampled_from(["NBO-1", "MBA-1"]),
)


@given(
    st.lists(SAID, max_size=12, unique_by=lambda said: said[1]),
    st.sampled_from([CAP, PER_SITE, PER_LICENSE]),
    st.sampled_from([frozenset[int](), frozenset({1})]),
)
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[str, int, int | None, str | None]],
    terms: dict[str, Any],
    lines: frozenset[int],
) -> None:
    known = units(unit("A"), unit("B", line=2), unit("C", site=None))
    said = [
        say(serial, at=NOON + timedelta(hours=hour), gallery_size=size, site=site)
        for serial, hour, size, site in sorted(stated, key=lambda one: one[1])
    ]

    alone = [
        finding
        for index, one in enumerate(said)
        for finding in found(
            terms,
            one,
            case=case(units=known, lines=lines, earlier=heard_back(terms, one, said[:index])),
        )
    ]

    assert found(terms, *said, case=case(units=known, lines=lines)) == alone


def heard_back(
    terms: dict[str, Any], one: Statement[Any], before: list[Statement[Any]]
) -> list[Statement[Any]]:
    """Hear what the monitor asks for, as the product does: one statement for each question."""
    asked = hears(Terms.model_validate(terms))
    sized = [other for other in before if other.facts.gallery_size is not None]
    if asked.window:
        sized = [other for other in sized if other.observed_at >= one.observed_at - asked.window]
    heard: dict[str, Statement[Any]] = {}
    if asked.latest:
        latest = {other.subject: other for other in sized}
        heard |= {other.id: other for other in latest.values()}
    old = [
        other
        for other in sized
        if other.subject == one.subject and other.observed_at <= one.observed_at - LOOKED_BACK
    ]
    heard |= {other.id: other for other in old[-1:]}
    return sorted(heard.values(), key=lambda other: other.observed_at)
