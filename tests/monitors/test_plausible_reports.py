from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import (
    Answer,
    Finding,
    Grade,
    Position,
    Severity,
    Statement,
    Subject,
    plausible_reports,
)
from monitors._atlas import great_circle
from monitors.plausible_reports import Terms, hears
from tests.monitors.heard import NOON, SERIAL, case, judge, say

POLICY: dict[str, Any] = {}
WHOLE = Subject("license", case().license)
NAIROBI = Position(lat=-1.319, lon=36.928)
LONDON = Position(lat=51.47, lon=-0.4543)
AWAY_KM = great_circle(NAIROBI.lat, NAIROBI.lon, LONDON.lat, LONDON.lon)
COUNTS: dict[str, Any] = {"gallery_size": 4210, "watchlist_size": 12, "identify_calls": 7}


def found(
    *statements: Statement[Any], terms: dict[str, Any] = POLICY, earlier: tuple[Any, ...] = ()
) -> list[Finding]:
    return judge(plausible_reports, terms, *statements, case=case(earlier=earlier))


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def after(**span: float) -> datetime:
    return NOON + timedelta(**span)


def attest(subject: str | Subject = SERIAL, **said: Any) -> Statement[Any]:
    return say(subject, **{"kind": "attestation", "grade": Grade.E, **said})


def came(
    statement: Statement[Any], *, captured: timedelta = timedelta(0), received: timedelta
) -> Statement[Any]:
    """Have it written down and handed in so long after it was observed."""
    at = statement.observed_at
    return statement._replace(captured_at=at + captured, received_at=at + received)


def report(*numbers: dict[str, Any] | None, id: str = "report:7") -> list[Statement[Any]]:
    """Make a report about so many units, one statement each."""
    return [
        attest(f"FR-{n:03}", id=f"{id}#{n}", **(stated or {})) for n, stated in enumerate(numbers)
    ]


def test_an_ordinary_course_of_things_is_kept() -> None:
    said = [
        say(at=after(hours=n), gallery_size=4000 + n, watchlist_size=n, position=NAIROBI)
        for n in range(5)
    ]

    assert found() == found(say()) == found(*said) == []
    assert found(*said[1:], earlier=(said[0],)) == []


def test_a_unit_that_would_have_flown_is_found() -> None:
    before, now = say(position=NAIROBI), say(at=after(hours=2), position=LONDON)

    (finding,) = found(before, now)

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.severity) == ("impossible_movement", None)
    assert finding.evidence == (now.id, before.id)
    assert finding.observed == f"{AWAY_KM:,.0f} km or more away after 2:00:00"


@pytest.mark.parametrize(("slower", "expected"), [(0.001, []), (-0.001, ["impossible_movement"])])
def test_the_speed_counts_to_its_limit(slower: float, expected: list[str]) -> None:
    now = say(at=after(hours=AWAY_KM / 1000 + slower), position=LONDON)

    assert reasons(found(say(position=NAIROBI), now)) == expected


def test_what_is_not_known_of_a_position_is_let_pass() -> None:
    vague = LONDON.model_copy(update={"accuracy_m": 1_000_000})
    here, there = (
        Position(lat=0, lon=0, accuracy_m=500),
        Position(lat=0, lon=0.00899, accuracy_m=500),
    )
    farther = there.model_copy(update={"lon": 0.0091})

    assert reasons(found(say(position=NAIROBI), say(at=after(hours=2), position=vague))) != []
    assert found(say(position=NAIROBI), say(at=after(hours=6), position=vague)) == []
    assert found(say(position=here), attest(position=there)) == []
    assert reasons(found(say(position=here), attest(position=farther))) == ["impossible_movement"]


def test_two_places_at_the_same_moment_count_whoever_tells_of_them() -> None:
    reading, told = say(id="a", position=NAIROBI), attest(id="b", position=LONDON)

    (finding,) = found(reading, told)

    assert finding.evidence == ("b", "a")


def test_the_way_is_taken_from_the_latest_position_of_any_source() -> None:
    said = [
        attest(position=LONDON),
        say(at=after(hours=20), position=NAIROBI),
        say(at=after(hours=21), position=NAIROBI),
    ]

    assert found(*said) == []
    assert reasons(found(*said, attest(at=after(hours=22), position=LONDON))) == [
        "impossible_movement"
    ]


def test_a_short_way_east_across_the_date_line_is_short() -> None:
    said = [
        say(position=Position(lat=-17, lon=179.99)),
        say(at=after(hours=1), position=Position(lat=-17, lon=-179.99)),
    ]

    assert found(*said) == []


def test_units_do_not_move_into_one_another() -> None:
    assert found(say("A", position=NAIROBI), say("B", position=LONDON)) == []


@pytest.mark.parametrize(
    ("hours", "size", "expected"),
    [
        (1, 30_000, []),
        (1, 30_001, ["impossible_growth"]),
        (0.01, 30_000, []),  # less than an hour counts as one
        (0.01, 30_001, ["impossible_growth"]),
        (2.5, 60_000, []),
        (2.5, 60_001, ["impossible_growth"]),
        (1, 0, []),
    ],
)
@pytest.mark.parametrize("name", ["gallery_size", "watchlist_size"])
def test_growth_counts_to_its_limit(
    hours: float, size: int, expected: list[str], name: str
) -> None:
    then: dict[str, Any] = {name: 10_000}
    before, now = say(**then), say(at=after(hours=hours), **(then | {name: size}))

    assert reasons(found(before, now)) == reasons(found(now, earlier=(before,))) == expected


def test_growth_of_both_is_told_at_once() -> None:
    before = say(gallery_size=0, watchlist_size=5)

    (finding,) = found(before, say(at=after(hours=1), gallery_size=50_000, watchlist_size=50_000))

    assert finding.observed == "50,000 more enrolled and 49,995 more on the watchlist after 1:00:00"
    assert finding.expected == "at most 20,000 more an hour"


@pytest.mark.parametrize(
    "before",
    [
        say(),
        say(watchlist_size=1),
        attest(gallery_size=0),
        say(by="ACME", gallery_size=0),
        say("OTHER", gallery_size=0),
    ],
)
def test_growth_is_that_of_one_number_of_one_source(before: Statement[Any]) -> None:
    assert found(before, say(at=after(hours=1), gallery_size=900_000)) == []


def test_numbers_copied_from_the_last_report_are_found() -> None:
    before, now = attest(**COUNTS), attest(at=after(days=91), **COUNTS)

    (finding,) = found(before, now)

    assert (finding.reason, finding.severity) == ("copied_values", Severity.LOW)
    assert finding.evidence == (now.id, before.id)
    assert finding.observed == (
        "gallery_size, identify_calls, watchlist_size exactly as on 2026-07-01"
    )
    assert reasons(found(now, earlier=(before,))) == ["copied_values"]


@pytest.mark.parametrize(
    "now",
    [
        attest(at=after(days=91), **{**COUNTS, "gallery_size": 4211}),
        attest(at=after(days=91), gallery_size=4210, watchlist_size=12),  # too few
        attest(at=after(days=91), **COUNTS, search_calls=3),  # one that was not in the last
        attest(at=after(hours=23.9), **COUNTS),  # may be the same period
        attest(at=after(days=91), by="KE-BCA", **COUNTS),
        say(at=after(days=91), kind="check_in", **COUNTS),
        attest("OTHER", at=after(days=91), **COUNTS),
        say(at=after(days=91), **COUNTS),
    ],
)
def test_other_numbers_of_other_authors_are_no_copies(now: Statement[Any]) -> None:
    assert found(attest(**COUNTS), now) == []


def test_readings_may_repeat_themselves() -> None:
    assert found(say(**COUNTS), say(at=after(days=2), **COUNTS)) == []


@pytest.mark.parametrize(("largest", "expected"), [(100, []), (101, ["copied_values"])])
def test_small_numbers_repeat_by_chance(largest: int, expected: list[str]) -> None:
    numbers: dict[str, Any] = {**COUNTS, "gallery_size": largest}

    assert reasons(found(attest(**numbers), attest(at=after(days=1), **numbers))) == expected


def test_a_flag_is_no_number() -> None:
    stated: dict[str, Any] = {"gallery_size": 4210, "identify_calls": 7, "live_matching": True}

    assert found(attest(**stated), attest(at=after(days=91), **stated)) == []


def test_units_that_are_all_alike_are_found() -> None:
    alike = {"gallery_size": 4210, "identify_calls": 900}
    said = report(alike, alike, alike, alike, {"gallery_size": 5}, alike)

    (finding,) = found(*said)

    assert (finding.reason, finding.severity) == ("same_over_units", Severity.LOW)
    assert finding.subject == WHOLE
    assert finding.evidence == tuple(f"report:7#{n}" for n in (0, 1, 2, 3, 5))
    assert finding.observed == "gallery_size, identify_calls the same on 5 of 6 units"
    assert found(*reversed(said)) == [finding]


ALIKE: dict[str, Any] = {"gallery_size": 4210, "identify_calls": 900}


@pytest.mark.parametrize(
    "said",
    [
        report(*[ALIKE] * 4),  # too few units
        report(*[ALIKE] * 4, None, None),
        report(*[ALIKE] * 7, None, None),  # 77.8 %
        report(*[{"gallery_size": 4210}] * 9),
        report(*[{"gallery_size": 4210, "identify_calls": 100}] * 9),  # one large number alone
        report(*[ALIKE | {"watchlist_size": 900 + n} for n in range(9)]),
        [*report(*[ALIKE] * 3), *report(*[ALIKE] * 3, id="report:8")],
        [one._replace(id=f"s{n}") for n, one in enumerate(report(*[ALIKE] * 9))],
        [one._replace(subject=Subject("site", "S")) for one in report(*[ALIKE] * 9)],
        [attest(id=f"report:7#{n}", **ALIKE) for n in range(9)],  # one unit, nine times
        [one._replace(source=one.source._replace(kind="reading")) for one in report(*[ALIKE] * 9)],
    ],
)
def test_some_likeness_is_natural(said: list[Statement[Any]]) -> None:
    assert found(*said) == []


def test_exactly_the_share_of_the_units_is_enough() -> None:
    assert reasons(found(*report(*[ALIKE] * 8, None, None))) == ["same_over_units"]


@pytest.mark.parametrize("kind", ["reading", "attestation"])
@pytest.mark.parametrize(("minutes", "expected"), [(10, []), (10.01, ["future_observed"])])
def test_nothing_is_observed_in_the_future(kind: str, minutes: float, expected: list[str]) -> None:
    early = came(say(kind=kind), received=-timedelta(minutes=minutes))

    assert reasons(found(early)) == expected


def test_how_far_in_the_future_is_told() -> None:
    (finding,) = found(came(say(), received=-timedelta(hours=3)))

    assert finding.observed == "observed 3:00:00 after it reached us"


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(("hours", "expected"), [(24, []), (24.01, ["clock_drift"])])
def test_a_report_with_a_clock_far_off_cannot_be_placed(
    hours: float, direction: int, expected: list[str]
) -> None:
    captured = timedelta(days=9) + direction * timedelta(hours=hours)

    findings = found(came(attest(), captured=captured, received=timedelta(days=9)))

    assert reasons(findings) == expected
    for finding in findings:
        assert finding.answer is Answer.NOT_ASSESSABLE
        assert finding.missing == ("captured_at",)


def test_a_reading_may_come_late() -> None:
    assert found(came(say(), received=timedelta(days=30))) == []


def test_policy_may_change_between_two_statements() -> None:
    before, now = say(gallery_size=0), say(at=after(hours=1), gallery_size=20_001)

    assert reasons(found(before, now)) == ["impossible_growth"]
    assert found(before, now, terms={"max_growth_per_hour": 20_001}) == []


def test_what_comes_later_does_not_count_yet() -> None:
    later = say(at=after(hours=2), position=LONDON, gallery_size=0)

    assert found(say(position=NAIROBI, gallery_size=90_000), earlier=(later,)) == []


def test_it_stands_on_every_license_and_hears_each_source_apart() -> None:
    monitor, asked = plausible_reports.MONITOR, hears(Terms())

    assert monitor.standing
    assert monitor.any_fact
    assert (asked.latest, asked.apart, asked.window, asked.scope) == (True, True, None, "subject")


@pytest.mark.parametrize(
    "terms", [{"max_speed_kmh": 0}, {"same_percent": 101}, {"same_units": 1}, {"speed": 3}]
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


POSITIONS = st.builds(
    Position,
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    accuracy_m=st.floats(0, 1_000_000),
)
SIZES = st.none() | st.integers(0, 10**12)
SAID = st.builds(
    lambda serial, hours, kind, by, number, drift, facts: came(
        say(serial, at=after(hours=hours), kind=kind, by=by, id=f"report:{number}#1", **facts),
        captured=timedelta(hours=drift),
        received=timedelta(hours=-drift),
    ),
    st.sampled_from("AB"),
    st.integers(0, 100),
    st.sampled_from(["reading", "attestation", "check_in"]),
    st.sampled_from(["NORDLICHT", "KE-BCA"]),
    st.uuids(),
    st.integers(-30, 30),
    st.fixed_dictionaries(
        {
            "position": st.none() | POSITIONS,
            "gallery_size": SIZES,
            "watchlist_size": SIZES,
            "identify_calls": SIZES,
        }
    ),
)


@given(st.lists(SAID, max_size=10))
def test_one_at_a_time_or_all_at_once_gives_the_same(said: list[Statement[Any]]) -> None:
    said.sort(key=lambda one: (one.observed_at, one.id))

    alone = [
        finding
        for index, one in enumerate(said)
        for finding in found(one, earlier=heard_back(one, said[:index]))
    ]

    assert found(*said) == alone


def heard_back(one: Statement[Any], before: list[Statement[Any]]) -> tuple[Statement[Any], ...]:
    """Hear what the monitor asks for: the latest of each kind of source about the same subject."""
    same = [other for other in before if other.subject == one.subject]
    return tuple({other.source.kind: other for other in same}.values())


LONG = timedelta(days=365_000)
SPANS = st.timedeltas(-LONG, LONG)


@given(
    st.lists(st.builds(came, SAID, captured=SPANS, received=SPANS), max_size=6),
    st.permutations(range(3)),
)
def test_nothing_makes_it_raise(said: list[Statement[Any]], order: list[int]) -> None:
    earlier = tuple(said[index] for index in order if index < len(said))

    for finding in found(*said, earlier=earlier):
        assert finding.evidence


@given(POSITIONS, POSITIONS, st.integers(0, 72))
def test_the_quick_look_never_overlooks_a_movement(
    here: Position, there: Position, hours: int
) -> None:
    away = great_circle(here.lat, here.lon, there.lat, there.lon)
    surely = away - (here.accuracy_m + there.accuracy_m) / 1000

    moved = found(say(position=here), say(at=after(hours=hours), kind="check_in", position=there))

    assert bool(moved) is (surely > 1000 * hours)
