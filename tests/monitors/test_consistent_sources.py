from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import (
    Answer,
    CustodyEvent,
    Finding,
    Grade,
    Need,
    Severity,
    Source,
    Statement,
    Subject,
    consistent_sources,
)
from monitors.consistent_sources import Terms, hears
from tests.monitors.heard import NOON, SERIAL, case, judge, say

POLICY: dict[str, Any] = {}
UNIT = Subject("unit", SERIAL)
NAIROBI = Subject("site", "NBO-T1")
CUSTODY = Source("custody", Grade.D, "NORDLICHT")

_numbers = count(1)


def found(
    *statements: Statement[Any],
    terms: dict[str, Any] = POLICY,
    earlier: tuple[Statement[Any], ...] = (),
    custody: tuple[CustodyEvent, ...] = (),
) -> list[Finding]:
    known = case(earlier=earlier, custody=custody)
    return judge(consistent_sources, terms, *statements, case=known)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def after(**span: float) -> datetime:
    return NOON + timedelta(**span)


def attest(subject: str | Subject = SERIAL, **said: Any) -> Statement[Any]:
    return say(subject, **{"kind": "attestation", "grade": Grade.E, **said})


def inspect(subject: str | Subject = SERIAL, **said: Any) -> Statement[Any]:
    return say(subject, **{"kind": "inspection", "grade": Grade.A, "by": "inspector", **said})


def event(**told: Any) -> CustodyEvent:
    id = f"custody:{next(_numbers)}"
    at = told.get("at", NOON)
    plain = {"id": id, "serial": SERIAL, "at": at, "received_at": at, "source": CUSTODY}
    return CustodyEvent(**{**plain, **told})


def test_sources_that_agree_are_kept() -> None:
    facts: dict[str, Any] = {
        "gallery_size": 4210,
        "watchlist_size": 3,
        "site": "NBO-T1",
        "country": "KE",
        "possessor": "KE-BCA",
        "disposition": "in_use",
        "software_version": "4.2.0",
        "match_modes": ["verify_1_1"],
    }

    assert found() == []
    assert found(say(**facts), attest(**facts), inspect(**facts)) == []


def test_a_contradiction_names_both_sides_with_their_grades() -> None:
    reading = say(gallery_size=9000)
    told = attest(at=after(hours=2), gallery_size=4210)

    (finding,) = found(reading, told)

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.severity) == (
        "sources_contradict_gallery_size",
        Severity.MODERATE,
    )
    assert finding.subject == UNIT
    assert finding.expected == "the same gallery size from every source, to 5 %"
    assert finding.observed == (
        "attestation by NORDLICHT (grade E, 2026-07-01 14:00 UTC) says 4,210; "
        "reading by NORDLICHT (grade D, 2026-07-01 12:00 UTC) says 9,000"
    )
    assert finding.evidence == (told.id, reading.id)
    assert finding.grade is Grade.D
    assert found(told, earlier=(reading,)) == [finding]


@pytest.mark.parametrize(
    ("name", "one", "other", "severity"),
    [
        ("watchlist_size", 100, 50, Severity.MODERATE),
        ("site", "NBO-T1", "MBA-1", Severity.HIGH),
        ("country", "KE", "UG", Severity.HIGH),
        ("possessor", "KE-BCA", "KE-POLICE", Severity.HIGH),
        ("disposition", "in_use", "stored", Severity.HIGH),
        ("software_version", "4.2.0", "4.3.0", Severity.MODERATE),
        ("software_version", "4.2.0", "blue", Severity.MODERATE),
        ("match_modes", ["verify_1_1"], ["verify_1_1", "identify_1_n"], Severity.MODERATE),
        ("match_modes", [], ["verify_1_1"], Severity.MODERATE),
    ],
)
def test_each_thing_is_compared(name: str, one: Any, other: Any, severity: Severity) -> None:
    first, second = {name: one}, {name: other}

    (finding,) = found(say(**first), inspect(at=after(hours=1), **second))
    (turned,) = found(say(**second), inspect(at=after(hours=1), **first))

    assert finding.reason == turned.reason == f"sources_contradict_{name}"
    assert finding.severity is turned.severity is severity


def test_the_same_in_other_words_is_the_same() -> None:
    reading = say(software_version="4.2", match_modes=["verify_1_1", "identify_1_n"])
    told = attest(software_version="4.2.0", match_modes=["identify_1_n", "verify_1_1"])

    assert found(reading, told) == []


def test_what_a_source_does_not_say_contradicts_nobody() -> None:
    assert found(say(gallery_size=5, site="NBO-T1"), attest(country="KE"), inspect()) == []


@pytest.mark.parametrize(("size", "expected"), [(9500, 0), (9499, 1), (10_526, 0), (10_527, 1)])
def test_counts_may_differ_to_the_last_of_the_tolerance(size: int, expected: int) -> None:
    assert len(found(say(gallery_size=10_000), attest(gallery_size=size))) == expected


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.decimals(0, 100, places=12))
def test_the_tolerance_is_exact(one: int, other: int, percent: Decimal) -> None:
    terms = {"tolerance_percent": percent}

    findings = found(say(gallery_size=one), attest(gallery_size=other), terms=terms)

    apart = Fraction(abs(one - other)) > Fraction(percent) / 100 * max(one, other)
    assert bool(findings) is apart


@given(st.integers(0, 10**6), st.decimals(0, 100, places=6))
def test_the_tolerance_is_exact_at_its_limit(size: int, percent: Decimal) -> None:
    least = size - int(size * Fraction(percent) / 100)
    terms = {"tolerance_percent": percent}

    assert found(say(gallery_size=size), attest(gallery_size=least), terms=terms) == []
    if least:
        less = attest(gallery_size=least - 1)
        assert len(found(say(gallery_size=size), less, terms=terms)) == 1


def test_statements_a_day_apart_are_compared_to_the_last_moment() -> None:
    reading = say(site="NBO-T1")
    tick = timedelta.resolution

    assert len(found(reading, attest(at=after(hours=24), site="MBA-1"))) == 1
    assert found(reading, attest(at=after(hours=24) + tick, site="MBA-1")) == []


def test_policy_may_change_between_two_statements() -> None:
    said = [say(gallery_size=100), attest(at=after(hours=2), gallery_size=90)]

    assert len(found(*said)) == 1
    assert found(*said, terms={"tolerance_percent": 10}) == []
    assert found(*said, terms={"within_hours": 1}) == []


def test_a_source_does_not_contradict_itself() -> None:
    said = [
        say(site="NBO-T1"),
        say(at=after(hours=1), site="MBA-1"),
        attest("OTHER", site="NBO-T1"),
        attest("OTHER", at=after(hours=1), site="MBA-1"),
    ]

    assert found(*said) == []
    assert found(said[0], said[0]._replace(id="again", facts=said[1].facts)) == []
    assert len(found(*said, attest(by="KE-BCA", at=after(hours=2), site="X"))) == 1


def test_only_the_latest_word_of_a_source_counts() -> None:
    said = [
        say(site="MBA-1"),
        say(at=after(hours=1), site="NBO-T1"),
        attest(at=after(hours=2), site="NBO-T1"),
    ]

    assert found(*said) == []


def test_against_several_the_weightiest_is_named() -> None:
    reading = say(at=after(hours=1), site="MBA-1")
    checked = inspect(site="MBA-1")
    told = attest(at=after(hours=2), site="NBO-T1")

    (finding,) = found(checked, reading, told)

    assert finding.evidence == (told.id, checked.id)
    assert finding.grade is Grade.A


def test_at_the_same_moment_ids_decide_who_comes_first() -> None:
    one, other = say(id="a", site="NBO-T1"), attest(id="b", site="MBA-1")

    assert [one.evidence for one in found(one, other)] == [("b", "a")]
    assert found(one, other) == found(other, one) == found(other, earlier=(one,))


def test_one_unit_is_not_another() -> None:
    assert found(say("A", site="NBO-T1"), attest("B", site="MBA-1")) == []


def test_what_comes_later_does_not_count_yet() -> None:
    later = attest(at=after(hours=1), site="MBA-1")

    assert found(say(site="NBO-T1"), earlier=(later,)) == []


def test_a_statement_must_agree_with_custody() -> None:
    told = event(site="NBO-T1", to_party="KE-BCA", disposition="in_use")
    reading = say(at=after(hours=3), site="MBA-1", possessor="ACME", disposition="stored")

    findings = found(reading, custody=(told,))

    assert sorted(reasons(findings)) == [
        "sources_contradict_disposition",
        "sources_contradict_possessor",
        "sources_contradict_site",
    ]
    assert {finding.evidence for finding in findings} == {(reading.id, told.id)}
    assert "custody by NORDLICHT (grade D, 2026-07-01 12:00 UTC) says NBO-T1" in " ".join(
        finding.observed for finding in findings
    )


@pytest.mark.parametrize(
    "told",
    [
        event(site="MBA-1"),
        event(site="NBO-T1", corrected=True),
        event(site="NBO-T1", serial="OTHER"),
        event(site="NBO-T1", at=after(hours=4)),
        event(site="NBO-T1", at=after(hours=-22)),
        event(id="report:1#0", site="NBO-T1", source=Source("attestation", Grade.E, "NORDLICHT")),
        event(),
    ],
)
def test_custody_that_does_not_touch_a_statement_is_no_contradiction(told: CustodyEvent) -> None:
    assert found(say(at=after(hours=3), site="MBA-1"), custody=(told,)) == []


def test_a_move_that_custody_tells_of_is_no_contradiction() -> None:
    before = say(site="NBO-T1", country="KE", possessor="KE-BCA", gallery_size=9000)
    moved = event(at=after(hours=1), site="KLA-1", to_party="UG-POLICE")
    told = attest(
        at=after(hours=2), site="KLA-1", country="UG", possessor="UG-POLICE", gallery_size=10
    )

    assert reasons(found(before, told, custody=(moved,))) == ["sources_contradict_gallery_size"]
    assert len(found(before, told)) == 4


def test_later_custody_counts_before_earlier() -> None:
    first, last = event(site="NBO-T1"), event(at=after(hours=1), site="MBA-1")

    assert found(say(at=after(hours=2), site="MBA-1"), custody=(first, last)) == []
    assert len(found(say(at=after(hours=2), site="NBO-T1"), custody=(last, first))) == 1


def test_custody_that_comes_in_afterwards_is_held_against_reports_on_file() -> None:
    told = event(to_party="KE-BCA")
    words = {"at": after(hours=1), "source": Source("attestation", Grade.E, "NORDLICHT")}
    filed = event(id="report:1#0", to_party="ACME", **words)
    corrected = event(id="report:2#0", to_party="ACME", corrected=True, **words)
    other = event(id="report:3#0", to_party="KE-BCA", **words)

    (finding,) = found(custody=(told, filed, corrected, other))

    assert (finding.reason, finding.evidence) == (
        "sources_contradict_possessor",
        ("report:1#0", told.id),
    )
    judged = attest(id="report:1#0", at=after(hours=1), possessor="ACME")
    assert found(judged, custody=(told, filed)) == [finding]
    assert found(custody=(filed, other)) == found(custody=(told,)) == []


def test_a_serial_sighted_elsewhere_contradicts_the_unit() -> None:
    inventory = inspect(NAIROBI, sighted_serials=[SERIAL, "OTHER"])
    reading = say(at=after(hours=1), site="MBA-1")

    (finding,) = found(inventory, reading)
    (turned,) = found(reading, inspect(NAIROBI, at=after(hours=2), sighted_serials=[SERIAL]))

    assert finding.subject == turned.subject == UNIT
    assert finding.reason == turned.reason == "sources_contradict_site"
    assert finding.evidence == (reading.id, inventory.id)
    assert "inspection by inspector (grade A, 2026-07-01 12:00 UTC) says NBO-T1" in finding.observed
    assert found(reading, earlier=(inventory,)) == [finding]
    assert found(inventory, say(at=after(hours=1), site="NBO-T1")) == []


def test_a_serial_sighted_elsewhere_contradicts_custody() -> None:
    inventory = inspect(NAIROBI, at=after(hours=1), sighted_serials=[SERIAL])

    (finding,) = found(inventory, say(), custody=(event(site="MBA-1"),))

    assert finding.evidence[0] == inventory.id


def test_it_stands_on_every_license_and_hears_each_source_apart() -> None:
    monitor, asked = consistent_sources.MONITOR, hears(Terms())

    assert monitor.standing
    assert monitor.needs == {Need.CUSTODY}
    assert (asked.latest, asked.apart, asked.scope) == (True, True, "subject")
    assert asked.window == timedelta(hours=24)


@pytest.mark.parametrize(
    "terms", [{"within_hours": 0}, {"tolerance_percent": 101}, {"tolerance": 5}]
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


SAID = st.builds(
    lambda serial, hours, kind, by, number, facts: say(
        serial, at=after(hours=hours), kind=kind, by=by, id=f"report:{number}#1", **facts
    ),
    st.sampled_from("AB"),
    st.integers(0, 60),
    st.sampled_from(["reading", "attestation", "inspection"]),
    st.sampled_from(["NORDLICHT", "KE-BCA"]),
    st.uuids(),
    st.fixed_dictionaries(
        {
            "gallery_size": st.none() | st.integers(0, 50),
            "site": st.sampled_from([None, "NBO-T1", "MBA-1"]),
            "possessor": st.sampled_from([None, "KE-BCA", "ACME"]),
            "disposition": st.sampled_from([None, "in_use", "lost"]),
            "match_modes": st.none() | st.lists(st.sampled_from(["verify_1_1", "search_n_n"])),
            "software_version": st.sampled_from([None, "4.2", "4.2.0", "blue"]),
        }
    ),
)
EVENTS = st.builds(
    event,
    serial=st.sampled_from("AB"),
    at=st.integers(0, 60).map(lambda hours: after(hours=hours)),
    site=st.sampled_from([None, "NBO-T1", "MBA-1"]),
    to_party=st.sampled_from([None, "KE-BCA", "ACME"]),
    disposition=st.sampled_from([None, "in_use", "lost"]),
    corrected=st.booleans(),
)


@given(st.lists(SAID, max_size=10), st.lists(EVENTS, max_size=3).map(tuple), st.randoms())
def test_one_at_a_time_or_all_at_once_in_any_order_gives_the_same(
    said: list[Statement[Any]], custody: tuple[CustodyEvent, ...], chance: Any
) -> None:
    said.sort(key=lambda one: (one.observed_at, one.id))

    alone = [
        finding
        for index, one in enumerate(said)
        for finding in found(one, earlier=heard_back(one, said[:index]), custody=custody)
    ]
    together = found(*said, custody=custody)
    chance.shuffle(said)

    assert together == (alone if said else found(custody=custody))
    assert found(*said, custody=custody) == together


def heard_back(one: Statement[Any], before: list[Statement[Any]]) -> tuple[Statement[Any], ...]:
    """Hear what the monitor asks for: the latest of each kind of source about the same subject."""
    same = [other for other in before if other.subject == one.subject]
    return tuple({other.source.kind: other for other in same}.values())


MOMENTS = st.datetimes(timezones=st.just(UTC))
WORDS = st.none() | st.text(max_size=5)


@given(
    st.lists(SAID.flatmap(lambda one: MOMENTS.map(lambda at: one._replace(observed_at=at)))),
    st.lists(
        st.builds(
            event,
            id=st.sampled_from(["custody:1", "report:1#1"]),
            at=MOMENTS,
            serial=st.sampled_from("AB"),
            site=WORDS,
            to_party=WORDS,
            disposition=WORDS,
        )
    ).map(tuple),
    st.lists(st.sampled_from("ABC")),
)
def test_nothing_makes_it_raise(
    said: list[Statement[Any]], custody: tuple[CustodyEvent, ...], sighted: list[str]
) -> None:
    inventory = inspect(NAIROBI, sighted_serials=sighted)

    for finding in found(inventory, *said, earlier=tuple(said[:2]), custody=custody):
        assert len(finding.evidence) == 2
    found(custody=custody)
