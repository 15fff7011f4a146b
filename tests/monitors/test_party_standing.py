import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import (
    Answer,
    Awaited,
    Case,
    Finding,
    Need,
    Obligation,
    Party,
    Screening,
    ScreeningHit,
    Shipment,
    Subject,
    party_standing,
)
from monitors.party_standing import MONITOR, Facts, Terms, awaits
from tests.monitors.heard import case, judge, say

START = datetime(2026, 1, 15, tzinfo=UTC)
SHIPPED = datetime(2026, 3, 2, tzinfo=UTC)
LATER = datetime(2026, 5, 4, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TERMS = Terms(lists=("un", "entity_list"))
BOTH = frozenset({"UN", "Entity_List"})
POLICE = Subject("party", "POLICE")
HOLDERS = (
    Party("POLICE", "end_user", "Border Police", "KE"),
    Party("POLICE", "ultimate_consignee", "Border Police", "KE"),
    Party("FREIGHT", "intermediate_consignee", "Freight", "AE"),
)
SHIPMENT = Shipment("shipment:S-1", "S-1", 1, SHIPPED.date(), Decimal(2), SHIPPED)

days = st.dates()
moments = st.datetimes(timezones=st.just(UTC))
names = st.sampled_from(["POLICE", "FREIGHT", "NORDLICHT", "ELSEWHERE"])
lists = st.sampled_from(["un", "UN", "entity_list", "other"])
hits = st.builds(
    ScreeningHit,
    id=st.integers(1, 9).map(lambda number: f"hit:{number}"),
    party=names,
    list=lists,
    entry=st.text(max_size=5),
    listed_on=st.none() | days,
    screened_at=moments,
    owner=st.none() | st.text(max_size=5),
    confirmed=st.none() | st.booleans(),
)
shipments = st.builds(
    Shipment,
    id=st.just("shipment:S"),
    reference=st.just("S"),
    line=st.integers(1, 2),
    shipped_on=days,
    quantity=st.just(Decimal(1)),
    received_at=moments,
)
obligations = st.builds(
    Obligation,
    subject=names.map(lambda name: Subject("party", name)),
    slot=st.integers(1, 9),
    due_at=moments,
    grace_until=moments,
    met_at=st.none() | moments,
)
cases = st.builds(
    case,
    granted_on=days,
    in_force_from=st.none() | moments,
    exporter=st.sampled_from(["", "NORDLICHT"]),
    lines=st.frozensets(st.integers(1, 2)),
    parties=st.just(HOLDERS) | st.just(()),
    hits=st.lists(hits, max_size=4).map(tuple),
    screenings=st.lists(
        st.builds(
            Screening, party=names, lists=st.frozensets(lists, max_size=3), screened_at=moments
        ),
        max_size=4,
    ).map(tuple),
    shipments=st.lists(shipments, max_size=3).map(tuple),
    obligations=st.lists(obligations, max_size=3).map(tuple),
    time_zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"]),
)


def file(**overrides: Any) -> Case:
    return case(
        **{"parties": HOLDERS, "shipments": (SHIPMENT,), "in_force_from": START, **overrides}
    )


def hit(**overrides: Any) -> ScreeningHit:
    plain = {
        "id": "hit:1",
        "party": "POLICE",
        "list": "UN",
        "entry": "KEe.012",
        "listed_on": None,
        "screened_at": LATER,
        "confirmed": True,
    }
    return ScreeningHit(**{**plain, **overrides})


def found(file: Case, terms: Any = TERMS, at: datetime = LATER) -> list[Finding]:
    return judge(party_standing, terms, case=file, moment=at)


def reasons(file: Case, terms: Any = TERMS) -> list[str]:
    return [finding.reason for finding in found(file, terms)]


def due(file: Case, terms: Terms = TERMS) -> dict[str, datetime]:
    return {one.subject.reference: one.due_at for one in awaits(terms, file)}


def test_parties_without_a_match_keep_it() -> None:
    assert found(file()) == []
    assert found(file(hits=(hit(confirmed=False),))) == []


def test_nothing_is_judged_from_statements() -> None:
    assert judge(party_standing, TERMS, say(gallery_size=3), case=file()) == []
    assert Facts.model_fields == {}
    assert MONITOR.needs == {Need.PARTIES, Need.SCREENING, Need.OBLIGATIONS, Need.SHIPMENTS}
    assert MONITOR.awaits is awaits


def test_a_party_listed_after_shipment_is_found() -> None:
    (finding,) = found(file(hits=(hit(listed_on=date(2026, 4, 20)),)))

    assert finding.answer is Answer.BROKEN
    assert (finding.subject, finding.reason) == (POLICE, "party_listed")
    assert finding.at == datetime(2026, 4, 20, tzinfo=UTC)
    assert finding.expected == "on none of entity_list, un"
    assert finding.observed == "the party is on UN since 2026-04-20, entry KEe.012"
    assert finding.evidence == ("hit:1",)
    assert "goods it holds" in finding.clears


def test_an_owner_on_a_list_counts_as_the_party() -> None:
    (finding,) = found(file(hits=(hit(owner="HOLDING-9"),)))

    assert (finding.subject, finding.reason, finding.at) == (POLICE, "party_listed", LATER)
    assert finding.observed == "HOLDING-9, an owner of it, is on UN, entry KEe.012"


@pytest.mark.parametrize("party", ["POLICE", "FREIGHT", "NORDLICHT"])
def test_every_role_counts_and_the_exporter_too(party: str) -> None:
    assert reasons(file(hits=(hit(party=party),))) == ["party_listed"]


def test_a_match_before_anything_is_shipped_has_a_reason_of_its_own() -> None:
    (finding,) = found(file(hits=(hit(),), shipments=()))

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.at) == ("party_listed_before_shipment", LATER)
    assert "before anything is shipped" in finding.clears


def test_shipping_to_a_party_known_as_listed_does_not_cure_it() -> None:
    known = hit(listed_on=date(2020, 1, 1), screened_at=SHIPPED - timedelta(days=9))

    before, after = found(file(hits=(known,)))

    assert (before.reason, before.at) == ("party_listed_before_shipment", START)
    assert (after.reason, after.at) == ("party_listed", SHIPPED)


def test_a_match_found_as_the_day_of_shipment_begins_is_after_it() -> None:
    assert reasons(file(hits=(hit(screened_at=SHIPPED),))) == ["party_listed"]
    assert reasons(file(hits=(hit(screened_at=SHIPPED - SECOND),))) == [
        "party_listed_before_shipment",
        "party_listed",
    ]


def test_the_day_of_shipment_begins_where_the_license_counts() -> None:
    eve = datetime(2026, 3, 1, 15, tzinfo=UTC)
    tokyo = file(hits=(hit(screened_at=eve),), time_zone="Asia/Tokyo")

    assert reasons(tokyo) == ["party_listed"]
    assert found(tokyo)[0].at == eve


def test_the_first_shipment_of_the_lines_meant_counts() -> None:
    assert reasons(file(hits=(hit(),), lines=frozenset({2}))) == ["party_listed_before_shipment"]
    assert reasons(file(hits=(hit(),), lines=frozenset({1, 2}))) == ["party_listed"]


def test_the_first_of_several_shipments_counts() -> None:
    later = Shipment("shipment:S-2", "S-2", 1, date(2026, 9, 1), Decimal(2), LATER)

    (finding,) = found(file(hits=(hit(),), shipments=(later, SHIPMENT)))

    assert (finding.reason, finding.at) == ("party_listed", LATER)


def test_a_possible_match_cannot_be_assessed_until_somebody_decides() -> None:
    (finding,) = found(file(hits=(hit(confirmed=None, owner="HOLDING-9"),)))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.subject, finding.reason, finding.at) == (POLICE, "hit_unconfirmed", LATER)
    assert (finding.evidence, finding.missing) == (("hit:1",), ("decision",))
    assert "HOLDING-9, an owner of it," in finding.observed


@pytest.mark.parametrize("confirmed", [True, None])
def test_other_lists_and_other_parties_are_not_about_this_condition(confirmed: bool | None) -> None:  # noqa: FBT001
    elsewhere = (hit(list="ofac", confirmed=confirmed), hit(party="SOMEBODY", confirmed=confirmed))

    assert found(file(hits=elsewhere)) == []


def test_a_decision_changes_what_the_same_match_says() -> None:
    said = [reasons(file(hits=(hit(confirmed=decided),))) for decided in (None, True, False)]

    assert said == [["hit_unconfirmed"], ["party_listed"], []]


def test_an_amendment_changes_which_lists_count() -> None:
    listed = file(hits=(hit(list="ofac"),))

    assert reasons(listed, {"lists": ["un"]}) == []
    assert reasons(listed, {"lists": ["un", "OFAC"]}) == ["party_listed"]


def test_a_match_of_before_the_condition_is_found_from_its_first_day() -> None:
    old = hit(screened_at=START - timedelta(days=300), confirmed=None)

    assert [one.at for one in found(file(hits=(old,)))] == [START]


def test_a_party_never_compared_is_awaited_from_the_day_the_condition_took_effect() -> None:
    until = datetime(2026, 7, 15, tzinfo=UTC)

    assert list(awaits(TERMS, file())) == [
        Awaited(Subject("party", name), until, until, since=START)
        for name in ("FREIGHT", "NORDLICHT", "POLICE")
    ]


def test_the_next_comparison_is_counted_from_the_last_with_all_of_the_lists() -> None:
    screenings = (
        Screening("POLICE", BOTH, LATER),
        Screening("POLICE", frozenset({"un"}), LATER + timedelta(days=9)),
        Screening("FREIGHT", frozenset({"un", "ofac"}), LATER),
    )

    assert due(file(screenings=screenings)) == {
        "POLICE": datetime(2026, 11, 1, tzinfo=UTC),
        "FREIGHT": datetime(2026, 7, 15, tzinfo=UTC),
        "NORDLICHT": datetime(2026, 7, 15, tzinfo=UTC),
    }


def test_two_comparisons_may_cover_the_lists_together_and_the_older_counts() -> None:
    screenings = (
        Screening("POLICE", frozenset({"entity_list"}), LATER + timedelta(days=9)),
        Screening("POLICE", frozenset({"un"}), LATER),
        Screening("POLICE", frozenset({"un"}), START),
    )

    assert due(file(screenings=screenings))["POLICE"] == datetime(2026, 11, 1, tzinfo=UTC)


def test_a_comparison_of_before_the_condition_counts_from_its_first_day() -> None:
    early = Screening("POLICE", BOTH, START - timedelta(days=100))

    assert due(file(screenings=(early,)))["POLICE"] == datetime(2026, 7, 15, tzinfo=UTC)


def test_without_a_day_of_effect_the_day_of_the_grant_counts() -> None:
    assert due(file(in_force_from=None))["POLICE"] == datetime(2026, 7, 15, tzinfo=UTC)


def test_a_deadline_ends_with_the_day_where_the_license_counts() -> None:
    month_end = Screening("POLICE", BOTH, datetime(2028, 2, 29, 20, tzinfo=UTC))
    nairobi = file(screenings=(month_end,), time_zone="Africa/Nairobi")
    tokyo = file(screenings=(month_end,), time_zone="Asia/Tokyo")
    a_day = Terms(lists=("un",), rescreen_days=1)

    assert due(nairobi, a_day)["POLICE"] == datetime(2028, 3, 1, 21, tzinfo=UTC)
    assert due(tokyo, a_day)["POLICE"] == datetime(2028, 3, 2, 15, tzinfo=UTC)


def owed(met_at: datetime | None = None) -> Obligation:
    return Obligation(POLICE, 7, LATER, LATER, met_at=met_at)


def test_a_comparison_that_did_not_come_cannot_be_assessed() -> None:
    (finding,) = found(file(obligations=(owed(),)), at=LATER + SECOND)

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.subject, finding.reason, finding.at) == (POLICE, "screening_stale", LATER)
    assert finding.expected == "compared with entity_list, un every 180 days"
    assert finding.observed == "not compared again by 2026-05-04 09:00 UTC"
    assert (finding.evidence, finding.missing) == (("obligation:7",), ("screening",))
    assert finding.cleared_at is None


def test_a_comparison_in_time_is_kept_to_its_last_moment() -> None:
    assert found(file(obligations=(owed(),)), at=LATER) == []
    assert found(file(obligations=(owed(LATER),)), at=LATER + timedelta(days=9)) == []


def test_a_late_comparison_clears_it_and_the_miss_stays() -> None:
    back = LATER + SECOND

    (finding,) = found(file(obligations=(owed(back),)), at=back + timedelta(days=9))

    assert (finding.at, finding.cleared_at) == (LATER, back)


def test_terms_stored_once_stay_readable() -> None:
    stored = json.loads(Path("tests/monitors/terms/party_standing.json").read_text("utf-8"))

    assert stored.keys() == Terms.model_fields.keys()
    assert Terms.model_validate(stored).model_dump(mode="json") == stored
    assert Terms(lists=("un",)).rescreen_days == 180


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"lists": []},
        {"lists": ["two words"]},
        {"lists": ["other"]},
        {"lists": ["un"] * 101},
        {"lists": ["un"], "rescreen_days": 0},
        {"lists": ["un"], "rescreen_days": 40_000},
        {"lists": ["un"], "days": 1},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(cases, moments, st.integers(1, 36_525))
def test_no_file_whatever_makes_it_raise(file: Case, moment: datetime, rescreen: int) -> None:
    terms = Terms(lists=("un", "entity_list"), rescreen_days=rescreen)

    findings = found(file, terms, at=moment)

    awaited = [one.subject.reference for one in awaits(terms, file)]
    assert awaited == sorted({*(one.reference for one in file.parties), file.exporter} - {""})
    assert all(one.evidence for one in findings)


@given(cases, moments, moments)
def test_what_the_file_says_does_not_depend_on_the_time(
    file: Case, one: datetime, other: datetime
) -> None:
    of_file = [
        [each for each in found(file, at=moment) if each.reason != "screening_stale"]
        for moment in (one, other)
    ]

    assert of_file[0] == of_file[1]


@given(st.integers(1, 3000), st.integers(0, 5000))
def test_a_comparison_is_good_for_exactly_so_many_days(rescreen: int, passed: int) -> None:
    terms = Terms(lists=("un",), rescreen_days=rescreen)
    screened = file(screenings=(Screening("POLICE", BOTH, LATER),))

    assert (LATER + timedelta(days=passed) < due(screened, terms)["POLICE"]) is (passed <= rescreen)
