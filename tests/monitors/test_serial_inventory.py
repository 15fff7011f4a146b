from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import (
    Answer,
    Awaited,
    Case,
    CustodyEvent,
    Delivery,
    Finding,
    Grade,
    Hears,
    Need,
    Obligation,
    Shipment,
    Source,
    Statement,
    Subject,
    Unit,
    serial_inventory,
)
from monitors.serial_inventory import MONITOR, Terms, awaits, hears
from tests.monitors.heard import NOON, case, judge, say

NBO, MBA = Subject("site", "NBO-T1"), Subject("site", "MBA-1")
SHIPPED = date(2026, 3, 2)
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
TERMS = Terms()
DUE = datetime(2026, 6, 1, tzinfo=UTC)  # 2 March and 90 days: the end of 31 May


def counted(*serials: str, site: Subject = NBO, **overrides: Any) -> Statement[Any]:
    return say(site, sighted_serials=list(serials), kind="inspection", **overrides)


def unit(serial: str, site: str | None = "NBO-T1", **overrides: Any) -> Unit:
    return replace(Unit(serial, 1, shipped_on=SHIPPED, site=site), **overrides)


def moved(serial: str, days: float, **told: Any) -> CustodyEvent:
    """Tell of a unit so many days after noon of the inventory."""
    at = NOON + timedelta(days=days)
    source = Source("custody", Grade.D, "NORDLICHT")
    return CustodyEvent(f"custody:{serial}@{days}", serial, at, at, source, **told)


def filed(*units: Unit, sites: Sequence[str] = ("NBO-T1", "MBA-1"), **parts: Any) -> Case:
    known = {one.serial: one for one in units}
    return case(units=known, sites=frozenset(sites), **parts)


def found(file: Case, *said: Statement[Any], terms: Terms = TERMS) -> list[Finding]:
    return judge(serial_inventory, terms, *said, case=file)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


AB = filed(unit("A"), unit("B"))


def test_an_inventory_that_shows_every_unit_expected_is_kept() -> None:
    assert found(AB, counted("A", "B")) == []
    assert found(AB, counted("B", "A", "A")) == []


def test_units_not_seen_are_named() -> None:
    (finding,) = found(AB, counted("A", "A", id="s1", grade=Grade.A))

    assert (finding.answer, finding.subject) == (Answer.BROKEN, NBO)
    assert (finding.reason, finding.at, finding.evidence) == ("unaccounted", NOON, ("s1",))
    assert finding.expected == "100 % of the units expected at the site seen"
    assert finding.observed == "1 of 2 seen, without B"
    assert finding.grade is Grade.A


def test_an_inventory_that_shows_nothing_accounts_for_nothing() -> None:
    (finding,) = found(AB, counted())

    assert finding.observed == "0 of 2 seen, without A, B"


@pytest.mark.parametrize(
    ("percent", "kept"),
    [("66.666666666666", True), ("66.666666666667", False), ("66", True), ("67", False)],
)
def test_the_share_is_exact_and_at_the_limit_it_is_kept(percent: str, kept: bool) -> None:  # noqa: FBT001
    file, terms = filed(unit("A"), unit("B"), unit("C")), Terms(coverage_percent=Decimal(percent))

    assert (found(file, counted("A", "B"), terms=terms) == []) is kept


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 10_000))
def test_coverage_is_counted_in_whole_numbers(units: int, seen: int, hundredths: int) -> None:
    serials = [f"U{number}" for number in range(units)]
    file = filed(*map(unit, serials))
    terms = Terms(coverage_percent=Decimal(hundredths).scaleb(-2))

    findings = found(file, counted(*serials[:seen]), terms=terms)

    assert (findings != []) is (min(seen, units) * 10_000 < hundredths * units)


def test_terms_may_change_between_two_inventories() -> None:
    half = Terms(coverage_percent=Decimal(50))

    assert found(AB, counted("A"), terms=half) == []
    assert reasons(found(AB, counted("A", at=NOON + DAY))) == ["unaccounted"]


def test_a_serial_on_no_line_of_the_license_is_named() -> None:
    (finding,) = found(AB, counted("A", "B", "X", "W", id="s1"))

    assert (finding.answer, finding.subject) == (Answer.BROKEN, NBO)
    assert (finding.reason, finding.evidence) == ("serial_not_licensed", ("s1",))
    assert finding.observed == "W, X seen, on no line of the license"


def test_units_of_other_lines_are_on_the_license_and_not_expected() -> None:
    file = filed(unit("A"), unit("B", line=2), lines=frozenset({1}))

    assert found(file, counted("A", "B")) == []
    assert found(file, counted("A")) == []
    assert reasons(found(file, counted("B"))) == ["unaccounted"]


def test_a_unit_of_another_site_is_not_expected_here() -> None:
    file = filed(unit("A"), unit("B", "MBA-1"))

    assert found(file, counted("A")) == []
    assert found(file, counted("A", "B")) == []


def test_a_unit_without_a_site_is_expected_at_the_only_one() -> None:
    nowhere = unit("B", None)

    assert reasons(found(filed(unit("A"), nowhere, sites=["NBO-T1"]), counted("A"))) == [
        "unaccounted"
    ]
    assert found(filed(unit("A"), nowhere), counted("A")) == []


def test_a_site_at_which_nothing_is_known_to_be_is_not_assessable() -> None:
    file = filed(unit("A"), unit("B", None))

    (finding,) = found(file, counted("B", site=MBA, id="s1"))

    assert (finding.answer, finding.subject) == (Answer.NOT_ASSESSABLE, MBA)
    assert (finding.reason, finding.evidence) == ("nothing_expected", ("s1",))
    assert finding.observed == "1 seen, and no unit is known to be expected there"
    assert finding.missing == ("site",)
    assert reasons(found(filed(), counted("A"))) == ["serial_not_licensed", "nothing_expected"]


def test_what_is_not_said_of_a_site_has_no_units_to_expect() -> None:
    unit_of_that_name = Subject("unit", "NBO-T1")

    assert reasons(found(AB, counted("A", site=unit_of_that_name))) == ["nothing_expected"]


def test_a_unit_is_expected_from_the_day_it_was_shipped() -> None:
    on_that_day = filed(unit("A"), unit("B", shipped_on=NOON.date()))
    the_day_after = filed(unit("A"), unit("B", shipped_on=NOON.date() + DAY))

    assert reasons(found(on_that_day, counted("A"))) == ["unaccounted"]
    assert found(the_day_after, counted("A")) == []
    assert reasons(found(filed(unit("A"), unit("B", shipped_on=None)), counted("A"))) == [
        "unaccounted"
    ]


def test_the_day_is_that_of_the_license() -> None:
    file = filed(unit("A"), unit("B", shipped_on=NOON.date() + DAY))
    evening = counted("A", at=NOON + 10 * HOUR)

    assert found(file, evening) == []
    assert reasons(found(replace(file, time_zone="Africa/Nairobi"), evening)) == ["unaccounted"]


def told(*deliveries: tuple[date, tuple[str, ...]]) -> Shipment:
    several = tuple(
        Delivery(f"delivery:{i}", day, NOON, serials=serials)
        for i, (day, serials) in enumerate(deliveries)
    )
    return Shipment(
        "shipment:S",
        "S",
        1,
        SHIPPED,
        Decimal(2),
        NOON,
        serials=("A", "B"),
        deliveries=several,
    )


def test_a_unit_told_to_have_arrived_is_expected_from_then() -> None:
    today, tomorrow = NOON.date(), NOON.date() + DAY

    def missing(*deliveries: tuple[date, tuple[str, ...]]) -> list[str]:
        return reasons(found(replace(AB, shipments=(told(*deliveries),)), counted("A")))

    assert missing((today, ("A", "B"))) == ["unaccounted"]
    assert missing((today, ("A",)), (tomorrow, ("B",))) == []
    assert missing((tomorrow, ("B",)), (today, ("B",))) == ["unaccounted"]
    assert missing((tomorrow, ())) == ["nothing_expected"]
    assert missing((today, ())) == ["unaccounted"]


@pytest.mark.parametrize(
    "became", ["lost", "stolen", "destroyed", "transferred", "returned", "disposed"]
)
def test_a_unit_that_is_gone_is_not_expected(became: str) -> None:
    gone = moved("B", -1, disposition=became)

    assert found(replace(AB, custody=(gone,)), counted("A")) == []
    assert reasons(found(replace(AB, custody=(replace(gone, corrected=True),)), counted("A"))) == [
        "unaccounted"
    ]


def test_the_last_word_on_a_unit_by_then_counts() -> None:
    lost, back = moved("B", -2, disposition="lost"), moved("B", -1, disposition="in_use")
    handed_over, other = moved("B", -1, to_party="POLICE"), moved("X", -1, disposition="lost")

    def missing(*events: CustodyEvent) -> list[str]:
        return reasons(found(replace(AB, custody=events), counted("A")))

    assert missing(lost, back) == missing(back, lost) == ["unaccounted"]
    assert missing(lost, handed_over) == []
    assert missing(moved("B", 0, disposition="lost")) == []
    assert missing(moved("B", 0.01, disposition="lost"), other) == ["unaccounted"]


def test_everything_known_to_be_gone_leaves_nothing_to_see() -> None:
    custody = (moved("A", -1, disposition="returned"), moved("B", -1, disposition="returned"))

    assert found(replace(AB, custody=custody), counted()) == []


def test_a_unit_moved_to_another_site_of_the_license_is_expected_there() -> None:
    away = replace(AB, custody=(moved("B", -1, site="MBA-1"),))
    outside = replace(AB, custody=(moved("B", -1, site="ELSEWHERE"),))
    back = replace(away, custody=(*away.custody, moved("B", -0.5, site="NBO-T1")))

    assert found(away, counted("A")) == []
    assert reasons(found(away, counted(site=MBA))) == ["unaccounted"]
    assert reasons(found(outside, counted("A"))) == ["unaccounted"]
    assert reasons(found(back, counted("A"))) == ["unaccounted"]
    assert reasons(found(back, counted(site=MBA))) == ["nothing_expected"]


BOTH = filed(unit("A"), unit("B"), unit("C", "MBA-1"))
FIRST = counted("A", "B", id="s1")
SECOND_SITE = counted("B", "C", site=MBA, id="s2", at=NOON + 2 * HOUR, grade=Grade.A)


def test_a_unit_seen_at_two_sites_at_once_names_both() -> None:
    (finding,) = found(BOTH, FIRST, SECOND_SITE)

    assert (finding.answer, finding.subject) == (Answer.BROKEN, Subject("unit", "B"))
    assert (finding.reason, finding.at) == ("two_places", NOON + 2 * HOUR)
    assert finding.evidence == ("s2", "s1")
    assert finding.observed == (
        "seen at NBO-T1 on 2026-07-01 12:00 UTC and at MBA-1 on 2026-07-01 14:00 UTC"
    )


def test_it_comes_out_the_same_whichever_inventory_is_heard_first() -> None:
    together = found(BOTH, FIRST, SECOND_SITE)

    assert found(replace(BOTH, earlier=[FIRST]), SECOND_SITE) == together
    assert found(replace(BOTH, earlier=[SECOND_SITE]), FIRST) == together
    assert found(replace(BOTH, earlier=[FIRST, SECOND_SITE]), FIRST, SECOND_SITE) == together


def test_at_the_same_moment_the_ids_decide_which_is_named_first() -> None:
    other = SECOND_SITE._replace(observed_at=NOON)

    for said in permutations([FIRST, other]):
        (finding,) = found(BOTH, *said)
        assert finding.evidence == ("s2", "s1")


def test_a_day_apart_is_not_at_once() -> None:
    def at(later: timedelta) -> list[str]:
        return reasons(found(BOTH, FIRST, SECOND_SITE._replace(observed_at=NOON + later)))

    assert at(DAY) == []
    assert at(DAY - SECOND) == ["two_places"]


def test_two_inventories_of_one_site_may_show_the_same_unit() -> None:
    assert found(BOTH, FIRST, counted("A", "B", at=NOON + HOUR)) == []


def test_of_another_site_only_the_latest_inventory_before_is_compared() -> None:
    without = counted("A", id="s15", at=NOON + HOUR)
    later = counted("A", "B", id="s3", at=NOON + 3 * HOUR)

    assert reasons(found(BOTH, FIRST, without, SECOND_SITE)) == ["unaccounted"]
    (finding,) = found(BOTH, SECOND_SITE, later)
    assert finding.evidence == ("s3", "s2")


def test_a_unit_at_three_sites_is_one_finding_for_each_later_inventory() -> None:
    file = filed(unit("A"), unit("B"), unit("C", "MBA-1"), unit("D", "KSM-1"))
    third = counted("B", "D", site=Subject("site", "KSM-1"), id="s3", at=NOON + 3 * HOUR)

    findings = found(file, FIRST, SECOND_SITE, third)

    assert [finding.evidence for finding in findings] == [("s2", "s1"), ("s3", "s1", "s2")]


def test_what_was_compared_before_is_not_told_again() -> None:
    third = counted("A", "B", id="s3", at=NOON + 3 * HOUR)
    far = counted("A", "B", id="s4", at=NOON + 9 * DAY)
    apart = counted("C", site=MBA, id="s5", at=NOON + 3 * HOUR + SECOND)
    before = replace(BOTH, earlier=[FIRST, SECOND_SITE])

    assert [one.evidence for one in found(before, third)] == [("s3", "s2")]
    assert found(before, far) == []
    assert found(replace(BOTH, earlier=[SECOND_SITE, third]), apart) == []


def test_only_pairs_with_something_new_are_told() -> None:
    file = filed(unit("A"), unit("C", "MBA-1"), unit("D", "KSM-1"))
    old = counted("A", id="s1")
    third = counted("A", "D", site=Subject("site", "KSM-1"), id="s3", at=NOON + 3 * HOUR)
    late = counted("C", site=MBA, id="s2", at=NOON + HOUR)

    assert found(replace(file, earlier=[old, third]), late) == []


def test_only_units_of_the_condition_can_be_at_two_places() -> None:
    first, second = counted("A", "X"), counted("C", "X", site=MBA)
    file = filed(unit("A"), unit("C", "MBA-1"), unit("X", line=2), lines=frozenset({1}))

    assert found(file, first, second) == []
    assert reasons(found(filed(unit("A"), unit("C", "MBA-1")), first, second)) == [
        "serial_not_licensed",
        "serial_not_licensed",
    ]


serials = st.lists(st.sampled_from("ABCX"), max_size=4)
inventories = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([NBO, MBA, Subject("site", "KSM-1")]), serials),
    max_size=6,
)


@given(inventories, st.data())
def test_one_by_one_or_all_at_once_finds_the_same(
    drawn: list[tuple[int, Subject, list[str]]], data: st.DataObject
) -> None:
    ids = data.draw(st.permutations(range(len(drawn))))
    said = [
        counted(*seen, site=site, id=f"s{id}", at=NOON + hours * HOUR)
        for id, (hours, site, seen) in zip(ids, sorted(drawn, key=lambda one: one[:2]), strict=True)
    ]

    one_by_one = [
        finding
        for index, one in enumerate(said)
        for finding in found(replace(BOTH, earlier=said[:index]), one)
    ]

    assert _told(one_by_one) == _told(found(BOTH, *said))


def _told(findings: list[Finding]) -> set[tuple[object, ...]]:
    return {(one.subject, one.reason, one.evidence[0]) for one in findings}


def test_what_states_no_serials_is_not_about_this_condition() -> None:
    assert found(AB, say("A", site="NBO-T1"), say("B", gallery_size=3)) == []
    assert found(AB) == []


def overdue(at: datetime, met_at: datetime | None = None, terms: Terms = TERMS) -> list[Finding]:
    owed = (Obligation(NBO, 5, DUE, DUE, met_at=met_at),)
    return judge(serial_inventory, terms, case=replace(AB, obligations=owed), moment=at)


def test_an_inventory_is_overdue_after_its_last_day_and_not_at_its_end() -> None:
    assert overdue(DUE) == []
    (finding,) = overdue(DUE + SECOND)

    assert (finding.answer, finding.subject) == (Answer.BROKEN, NBO)
    assert (finding.reason, finding.at) == ("inventory_overdue", DUE)
    assert (finding.evidence, finding.missing) == (("obligation:5",), ("sighted_serials",))
    assert finding.expected == (
        "an inventory within 90 days of the first shipment, then every 365 days"
    )
    assert finding.observed == "no inventory by 2026-06-01 00:00 UTC"


def test_the_finding_stays_as_it_is_and_a_late_inventory_ends_it() -> None:
    late = DUE + 3 * DAY

    (once,), (again,) = overdue(DUE + SECOND), overdue(late)

    assert once == again
    assert overdue(late + SECOND, met_at=late) == [replace(once, cleared_at=late)]
    assert overdue(late, met_at=DUE) == []
    assert "then every 30 days" in overdue(late, terms=Terms(every_days=30))[0].expected


def awaited(file: Case, *earlier: Statement[Any], terms: Terms = TERMS) -> list[Awaited]:
    return list(awaits(terms, replace(file, earlier=earlier)))


def due(file: Case, *earlier: Statement[Any], terms: Terms = TERMS) -> dict[str, datetime]:
    return {one.subject.reference: one.due_at for one in awaited(file, *earlier, terms=terms)}


def test_the_first_inventory_is_awaited_after_the_first_shipment_to_the_site() -> None:
    file = filed(unit("A"), unit("B", shipped_on=SHIPPED + DAY), unit("C", shipped_on=None))

    assert awaited(file) == [Awaited(NBO, DUE, DUE)]


def test_each_site_is_awaited_for_itself_and_one_nothing_went_to_is_not() -> None:
    file = filed(unit("A"), unit("B", "MBA-1", shipped_on=SHIPPED + DAY), sites=["NBO-T1", "MBA-1"])

    assert due(file) == {"NBO-T1": DUE, "MBA-1": DUE + DAY}
    assert due(filed(unit("A", "ELSEWHERE"))) == {}
    assert due(filed(unit("A"), sites=[])) == {}
    assert due(filed()) == {}


def test_a_unit_without_a_site_may_be_at_any() -> None:
    assert due(filed(unit("A", None))) == {"NBO-T1": DUE, "MBA-1": DUE}
    assert due(filed(unit("A", shipped_on=SHIPPED + DAY), unit("B", None))) == {
        "NBO-T1": DUE,
        "MBA-1": DUE,
    }


def test_only_units_on_the_lines_of_the_condition_are_awaited() -> None:
    file = filed(unit("A", line=2), unit("B", "MBA-1"), lines=frozenset({1}))

    assert due(file) == {"MBA-1": DUE}


def test_an_inventory_is_followed_by_the_next() -> None:
    one, two = counted("A", at=NOON - 20 * DAY), counted("A", at=NOON)
    of_another, of_none = counted("A", site=MBA, at=NOON + DAY), say(NBO, at=NOON + DAY)

    (owed,) = awaited(AB, two, one, of_another, of_none)

    assert owed.due_at == owed.grace_until == datetime(2027, 7, 2, tzinfo=UTC)
    assert owed.since == NOON
    assert due(AB, one) == {"NBO-T1": datetime(2027, 6, 12, tzinfo=UTC)}


def test_an_inventory_before_the_first_shipment_is_not_the_first() -> None:
    the_day_before = counted(at=datetime(2026, 3, 1, 23, tzinfo=UTC))
    that_day = counted(at=datetime(2026, 3, 2, 0, tzinfo=UTC))

    assert due(AB, the_day_before) == {"NBO-T1": DUE}
    assert due(AB, that_day) == {"NBO-T1": datetime(2027, 3, 3, tzinfo=UTC)}
    assert due(replace(AB, time_zone="Africa/Nairobi"), the_day_before) == {
        "NBO-T1": datetime(2027, 3, 2, 21, tzinfo=UTC)
    }


def test_nothing_is_awaited_before_the_condition_is_in_force() -> None:
    force = datetime(2026, 8, 1, 22, tzinfo=UTC)
    file = replace(AB, in_force_from=force)

    assert due(file) == {"NBO-T1": datetime(2026, 10, 31, tzinfo=UTC)}
    assert due(file, counted(at=NOON)) == {"NBO-T1": datetime(2027, 8, 2, tzinfo=UTC)}
    assert due(replace(AB, in_force_from=datetime(2026, 1, 1, tzinfo=UTC))) == {"NBO-T1": DUE}


def test_days_end_where_the_license_counts_and_with_the_calendar() -> None:
    leap = filed(unit("A", shipped_on=date(2028, 2, 28)), time_zone="America/St_Johns")
    terms = Terms(initial_within_days=1)

    assert due(leap, terms=terms) == {"NBO-T1": datetime(2028, 3, 1, 3, 30, tzinfo=UTC)}
    assert due(filed(unit("A", shipped_on=date.max))) == {
        "NBO-T1": datetime.max.replace(tzinfo=UTC)
    }
    for far in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        file = replace(AB, in_force_from=far, time_zone="Pacific/Kiritimati")
        assert len(due(file, counted(at=far))) == 1


def test_a_site_with_nothing_left_to_count_owes_no_inventory() -> None:
    gone = [moved(serial, 0, disposition="disposed") for serial in "AB"]

    assert due(replace(AB, custody=tuple(gone))) == {}
    assert due(replace(AB, custody=tuple(gone[:1]))) == {"NBO-T1": DUE}


def test_a_site_that_units_were_moved_to_owes_one_from_then() -> None:
    both = replace(AB, custody=(moved("A", 0, site="MBA-1"), moved("A", 5, site="MBA-1")))
    everything = replace(both, custody=(*both.custody, moved("B", 1, site="MBA-1")))

    there = datetime(2026, 9, 30, tzinfo=UTC)  # 1 July and 90 days: the end of 29 September
    assert due(both) == {"NBO-T1": DUE, "MBA-1": there}
    assert due(everything) == {"MBA-1": there}


@given(st.dates(date(2, 1, 1), date(9000, 1, 1)), st.integers(1, 3_000), st.integers(1, 3_000))
def test_an_inventory_in_time_is_always_followed_by_a_later_deadline(
    shipped: date, initial: int, every: int
) -> None:
    terms = Terms(initial_within_days=initial, every_days=every)
    file = filed(unit("A", shipped_on=shipped))
    first = due(file, terms=terms)["NBO-T1"]
    inventory = counted("A", at=first - SECOND)

    following = due(file, inventory, terms=terms)["NBO-T1"]

    assert first - datetime(shipped.year, shipped.month, shipped.day, tzinfo=UTC) == (
        timedelta(days=initial + 1)
    )
    assert following - first == timedelta(days=every)


def test_it_hears_the_latest_inventory_of_every_site() -> None:
    assert MONITOR.awaits is awaits
    assert MONITOR.hears is hears
    assert hears(TERMS) == Hears(latest=True, stating="sighted_serials", scope="license")
    assert MONITOR.needs == {Need.UNITS, Need.CUSTODY, Need.SHIPMENTS, Need.OBLIGATIONS}


@pytest.mark.parametrize(
    "terms",
    [
        {"initial_within_days": 0},
        {"every_days": 0},
        {"every_days": 40_000},
        {"every_days": 1.5},
        {"coverage_percent": 0},
        {"coverage_percent": "100.1"},
        {"coverage": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)
