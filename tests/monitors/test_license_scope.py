from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.access.rules import OF_THE_AUTHORITY
from monitors import (
    Answer,
    Case,
    Finding,
    Grade,
    Need,
    Party,
    Severity,
    Shipment,
    Statement,
    StateSpan,
    Subject,
    Unit,
    license_scope,
)
from monitors.license_scope import Terms
from tests.monitors.heard import NOON, SERIAL, case, judge, say

SITE = Subject("site", "NBO-T1")
WHOLE = Subject("license", case().license)
ISSUED = StateSpan("issued", NOON - timedelta(days=90))
USES = [
    {"identify_calls": 1},
    {"search_calls": 1},
    {"bulk_exports": 1},
    {"concurrent_streams": 1},
    {"live_matching": True},
]


def scope(*states: StateSpan, **parts: Any) -> Case:
    """Make a license with one unit, one site and two parties."""
    known: dict[str, Any] = {
        "units": {SERIAL: Unit(SERIAL, 1, site="NBO-T1")},
        "sites": frozenset({"NBO-T1"}),
        "parties": (Party("KE-BCA", "end_user", "Border Control Agency", "KE"),),
        "states": (ISSUED, *states),
    }
    return case(**{**known, **parts})


def since(state: str, days: float = 0) -> StateSpan:
    return StateSpan(state, NOON + timedelta(days=days))


def shipped(on: date, reference: str = "EX-7") -> Shipment:
    return Shipment(f"shipment:{reference}", reference, 1, on, Decimal(2), NOON)


def found(*statements: Statement[Any], on: Case | None = None) -> list[Finding]:
    return judge(license_scope, {}, *statements, case=on or scope())


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_what_the_license_names_is_kept() -> None:
    assert found() == []
    assert found(say(site="NBO-T1", identify_calls=50, live_matching=True)) == []
    assert found(say(SITE), say(WHOLE), say(kind="attestation", by="KE-BCA")) == []


def test_a_unit_that_is_not_on_the_license_is_found() -> None:
    statement = say("FR-STRAY")

    (finding,) = found(statement)

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.severity) == ("unit_unknown", Severity.HIGH)
    assert finding.subject == Subject("unit", "FR-STRAY")
    assert finding.evidence == (statement.id,)
    assert "FR-STRAY" in finding.observed


def test_a_site_that_is_not_on_the_license_is_found() -> None:
    (finding,) = found(say(Subject("site", "MBA-1")))

    assert finding.reason == "site_unknown"
    assert finding.subject == Subject("site", "MBA-1")
    assert finding.expected == "one of the sites of the license: NBO-T1"


def test_where_a_unit_stands_is_asked_by_permitted_sites() -> None:
    assert found(say(site="MBA-1")) == []


def test_a_license_without_sites_knows_none() -> None:
    (finding,) = found(say(SITE), on=scope(sites=frozenset()))
    assert finding.expected == "one of the sites of the license: there are none"


def test_a_report_by_a_party_that_is_not_on_the_license_is_found() -> None:
    first = say(kind="attestation", by="ACME")

    findings = found(first, first._replace(id="another"))

    assert reasons(findings) == ["party_unknown", "party_unknown"]
    assert findings[0].severity is Severity.LOW
    assert findings[0].observed == "a report by ACME, which is not a party on the license"


@pytest.mark.parametrize("kind", ["reading", "inspection", "third_party"])
def test_what_comes_from_outside_the_license_is_welcome(kind: str) -> None:
    assert found(say(kind=kind, by="HRW")) == []


def test_the_exporter_and_every_role_of_the_authority_may_report() -> None:
    assert set(OF_THE_AUTHORITY) == license_scope.OF_THE_AUTHORITY
    for by in ("NORDLICHT", *OF_THE_AUTHORITY):
        assert found(say(kind="incident", by=by)) == []


@pytest.mark.parametrize("state", ["suspended", "revoked", "cancelled"])
@pytest.mark.parametrize("use", USES)
def test_use_while_the_license_is_withdrawn_is_found(state: str, use: dict[str, Any]) -> None:
    statement = say(**use)

    (finding,) = found(statement, on=scope(since(state)))

    assert finding.answer is Answer.BROKEN
    assert finding.reason == f"active_while_{state}"
    assert (finding.severity, finding.evidence) == (Severity.HIGH, (statement.id,))
    assert f"the license was {state} on 2026-07-01 12:00 UTC" in finding.observed


def test_all_uses_are_told_in_one_finding() -> None:
    (finding,) = found(say(identify_calls=1200, live_matching=True), on=scope(since("revoked", -1)))

    assert finding.observed.startswith("1,200 identifications, live matching on;")


def test_a_state_holds_from_its_first_moment_until_the_next_begins() -> None:
    paused = scope(since("reinstated", 2), since("suspended"))
    times = [NOON - timedelta.resolution, NOON, NOON + timedelta(days=2), NOON + timedelta(days=3)]

    findings = found(*[say(at=at, identify_calls=1) for at in times], on=paused)

    assert [(one.reason, one.at) for one in findings] == [("active_while_suspended", NOON)]


@pytest.mark.parametrize("state", ["issued", "reinstated", "exhausted", "expired", "surrendered"])
def test_what_was_lawfully_shipped_may_be_used(state: str) -> None:
    assert found(say(identify_calls=1), on=scope(since(state))) == []


def test_signs_of_life_are_no_use() -> None:
    idle = say(gallery_size=4210, identify_calls=0, concurrent_streams=0, live_matching=False)

    assert found(idle, say(), on=scope(since("revoked"))) == []


@pytest.mark.parametrize("state", ["suspended", "revoked", "surrendered", "cancelled"])
def test_a_shipment_on_or_after_the_day_is_found(state: str) -> None:
    day = NOON.date()
    sent = (shipped(day - timedelta(days=1), "EX-1"), shipped(day, "EX-2"))

    (finding,) = found(on=scope(since(state), shipments=sent))

    assert finding.reason == f"shipped_while_{state}"
    assert (finding.subject, finding.evidence) == (WHOLE, ("shipment:EX-2",))
    assert (finding.grade, finding.severity) == (Grade.D, Severity.HIGH)
    assert finding.at == datetime(2026, 7, 1, tzinfo=UTC)
    assert finding.observed == "EX-2 shipped on 2026-07-01"


def test_the_last_day_of_validity_is_one_of_validity() -> None:
    day = NOON.date()
    sent = (shipped(day, "EX-1"), shipped(day + timedelta(days=1), "EX-2"))

    (finding,) = found(on=scope(since("expired"), shipments=sent))

    assert (finding.reason, finding.evidence) == ("shipped_while_expired", ("shipment:EX-2",))


def test_shipping_goes_on_from_the_day_the_license_is_reinstated() -> None:
    day = NOON.date()
    sent = tuple(shipped(day + timedelta(days=n), f"EX-{n}") for n in range(4))

    findings = found(on=scope(since("suspended"), since("reinstated", 2), shipments=sent))

    assert [one.evidence for one in findings] == [("shipment:EX-0",), ("shipment:EX-1",)]


def test_days_begin_where_the_license_counts() -> None:
    midnight = StateSpan("suspended", datetime(2026, 7, 1, 21, tzinfo=UTC))
    sent = (shipped(date(2026, 7, 1), "EX-1"), shipped(date(2026, 7, 2), "EX-2"))

    (finding,) = found(on=scope(midnight, shipments=sent, time_zone="Africa/Nairobi"))

    assert finding.evidence == ("shipment:EX-2",)
    assert finding.at == midnight.since


def test_an_amendment_that_names_the_unit_ends_it() -> None:
    statement = say("FR-NEW")

    assert reasons(found(statement)) == ["unit_unknown"]
    assert found(statement, on=scope(units={"FR-NEW": Unit("FR-NEW", 1)})) == []


def test_it_stands_on_every_license_and_hears_everything() -> None:
    monitor = license_scope.MONITOR

    assert monitor.standing
    assert monitor.any_fact
    assert monitor.hears(Terms()).nothing
    assert monitor.needs == {Need.UNITS, Need.STATES, Need.SHIPMENTS, Need.PARTIES}


def test_it_has_no_terms() -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate({"strict": True})


MOMENTS = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - placed in UTC
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
STATES = st.sampled_from(
    [
        "draft",
        "issued",
        "suspended",
        "reinstated",
        "revoked",
        "surrendered",
        "exhausted",
        "expired",
        "cancelled",
    ]
)
SUBJECTS = st.builds(
    Subject,
    st.sampled_from(["unit", "site", "license", "party"]),
    st.sampled_from([SERIAL, "NBO-T1", "X"]),
)
SAID = st.tuples(
    SUBJECTS,
    MOMENTS,
    st.none() | st.integers(0, 10**12),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(["NBO-T1", "MBA-1"]),
    st.sampled_from(["reading", "attestation", "check_in", "third_party"]),
    st.sampled_from(["NORDLICHT", "KE-BCA", "ACME"]),
)
CASES = st.builds(
    scope,
    shipments=st.lists(st.builds(shipped, st.dates()), max_size=3).map(tuple),
    states=st.lists(st.builds(StateSpan, STATES, MOMENTS), max_size=5).map(tuple),
    sites=st.sampled_from([frozenset[str](), frozenset({"NBO-T1"})]),
    units=st.sampled_from([{}, {SERIAL: Unit(SERIAL, 1)}]),
    time_zone=st.sampled_from(["UTC", "Pacific/Kiritimati", "America/New_York"]),
)


@given(st.lists(SAID, max_size=6), CASES)
def test_one_at_a_time_or_all_at_once_gives_the_same_and_nothing_raises(
    stated: list[tuple[Any, ...]], known: Case
) -> None:
    said = [
        say(
            subject,
            at=at,
            kind=kind,
            by=by,
            identify_calls=calls,
            live_matching=live,
            site=site,
        )
        for subject, at, calls, live, site, kind, by in stated
    ]

    together = found(*said, on=known)

    of_the_file = found(on=known)
    alone = [finding for one in said for finding in found(one, on=known)]
    assert set(together) == {*alone, *of_the_file}
