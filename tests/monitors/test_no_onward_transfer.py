import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import (
    Answer,
    Case,
    CustodyEvent,
    Finding,
    Grade,
    Need,
    Party,
    Severity,
    Source,
    Statement,
    Subject,
    Unit,
    no_onward_transfer,
)
from monitors.no_onward_transfer import MONITOR, Terms
from tests.monitors.heard import NOON, SERIAL, case, judge, say

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
UNIT = Subject("unit", SERIAL)
TERMS = {"exempt_parties": ["DEPOT-1"]}
BORDER = Party("KBP", "end_user", "Border Police", "KE")

parties = st.sampled_from([None, "", "KBP", "NORDLICHT", "DEPOT-1", "ACME", "Unknown"])
named_parties = st.sampled_from([None, "KBP", "NORDLICHT", "DEPOT-1", "ACME", "Unknown"])
dispositions = st.sampled_from([None, "in_use", "transferred", "returned"])
moments = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))
near = st.integers(-3, 3).map(lambda hours: NOON + timedelta(hours=hours))


def event(**overrides: Any) -> CustodyEvent:
    source = Source("custody", Grade.B, "CUSTOMS-KE")
    return replace(CustodyEvent("custody:1", SERIAL, NOON, NOON, source), **overrides)


def transfer(**overrides: Any) -> CustodyEvent:
    return event(**{"disposition": "transferred", **overrides})


def papers(*custody: CustodyEvent, **overrides: Any) -> Case:
    return case(**{"parties": (BORDER,), "custody": custody, **overrides})


def found(
    *said: Statement[Any] | CustodyEvent, terms: Any = TERMS, **overrides: Any
) -> list[Finding]:
    heard = [one for one in said if isinstance(one, Statement)]
    custody = [one for one in said if isinstance(one, CustodyEvent)]
    return judge(no_onward_transfer, terms, *heard, case=papers(*custody, **overrides))


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


@pytest.mark.parametrize("holder", ["KBP", "NORDLICHT", "DEPOT-1"])
def test_a_unit_with_a_party_on_the_license_the_exporter_or_an_exempt_one_is_kept(
    holder: str,
) -> None:
    assert found(say(possessor=holder, disposition="in_use")) == []
    assert found(event(to_party=holder)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found() == []
    assert found(say(), say(gallery_size=5), say(disposition="stored")) == []
    assert found(event(), event(to_party="", disposition="stored")) == []


def test_a_holder_that_nobody_examined_is_found() -> None:
    said = say(possessor="ACME", id="s1", grade=Grade.A)

    (finding,) = found(said)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "possessor_unlisted")
    assert (finding.subject, finding.at, finding.grade) == (UNIT, NOON, Grade.A)
    assert finding.expected == "held by a party on the license, or by DEPOT-1"
    assert finding.observed == "held by ACME"
    assert finding.evidence == ("s1",)
    assert found(said, terms={})[0].expected == "held by a party on the license"


def test_a_custody_event_tells_the_holder_too() -> None:
    (finding,) = found(event(to_party="ACME"))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "possessor_unlisted")
    assert (finding.subject, finding.at, finding.grade) == (UNIT, NOON, Grade.B)
    assert finding.evidence == ("custody:1",)


def test_an_authorized_transfer_does_not_put_a_party_on_the_license() -> None:
    assert reasons(found(transfer(to_party="ACME", authorized=True))) == ["possessor_unlisted"]


@pytest.mark.parametrize("nobody", ["other", "Unknown", "UNSPECIFIED"])
def test_a_holder_without_a_name_cannot_be_assessed(nobody: str) -> None:
    for said in (say(possessor=nobody, id="custody:1"), event(to_party=nobody)):
        (finding,) = found(said)

        assert finding.answer is Answer.NOT_ASSESSABLE
        assert (finding.reason, finding.missing) == ("possessor_unnamed", ("possessor",))
        assert (finding.subject, finding.evidence) == (UNIT, ("custody:1",))


@pytest.mark.parametrize("authorized", [None, False])
def test_a_transfer_that_nobody_authorized_is_found(authorized: bool | None) -> None:  # noqa: FBT001
    (finding,) = found(transfer(to_party="KBP", authorized=authorized))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "transfer_unauthorized")
    assert (finding.subject, finding.at, finding.grade) == (UNIT, NOON, Grade.B)
    assert finding.observed == "transferred to KBP without an authorization on file"
    assert (finding.evidence, finding.missing) == (("custody:1",), ("authorization",))


def test_a_report_of_a_transfer_is_found_whoever_received_the_unit() -> None:
    (silent,) = found(say(disposition="transferred"))
    unnamed = found(say(disposition="transferred", possessor="unknown"))
    unlisted = found(say(disposition="transferred", possessor="ACME"))

    assert (silent.reason, silent.answer) == ("transfer_unauthorized", Answer.BROKEN)
    assert silent.observed == "transferred without an authorization on file"
    assert reasons(unnamed) == ["possessor_unnamed", "transfer_unauthorized"]
    assert reasons(unlisted) == ["possessor_unlisted", "transfer_unauthorized"]


def test_a_transfer_to_an_exempt_party_needs_no_authorization() -> None:
    said = transfer(to_party="DEPOT-1", authorized=False)

    assert found(said) == []
    assert found(say(disposition="transferred", possessor="DEPOT-1")) == []
    assert reasons(found(said, terms={})) == ["possessor_unlisted", "transfer_unauthorized"]


def test_a_transfer_is_authorized_by_its_own_custody_event() -> None:
    assert found(transfer(to_party="KBP", authorized=True)) == []
    assert found(transfer(authorized=True)) == []


@pytest.mark.parametrize(
    ("given_to", "received_by", "kept"),
    [
        ("KBP", "KBP", True),
        ("KBP", None, True),
        (None, "KBP", True),
        ("unknown", "KBP", True),
        (None, None, True),
        ("NORDLICHT", "KBP", False),
    ],
)
def test_an_authorization_covers_the_party_it_names(
    given_to: str | None,
    received_by: str | None,
    kept: bool,  # noqa: FBT001
) -> None:
    before = event(id="custody:7", at=NOON - DAY, to_party=given_to, authorized=True)
    told = found(before, transfer(to_party=received_by))
    said = found(before, say(disposition="transferred", possessor=received_by))

    assert ("transfer_unauthorized" not in reasons(told)) is kept
    assert ("transfer_unauthorized" not in reasons(said)) is kept


def test_what_was_said_to_be_unauthorized_needs_an_authorization_by_name() -> None:
    general = event(id="custody:7", at=NOON - DAY, authorized=True)
    named = replace(general, to_party="KBP")

    for authorization, received_by, kept in (
        (general, "KBP", False),
        (general, None, False),
        (named, None, False),
        (named, "KBP", True),
    ):
        told = transfer(to_party=received_by, authorized=False)
        assert (found(authorization, told) == []) is kept


@pytest.mark.parametrize(
    ("given_at", "kept"), [(NOON - SECOND, True), (NOON, True), (NOON + SECOND, False)]
)
def test_an_authorization_counts_to_the_moment_and_not_afterwards(
    given_at: datetime,
    kept: bool,  # noqa: FBT001
) -> None:
    authorization = event(id="custody:7", at=given_at, to_party="KBP", authorized=True)

    assert (found(transfer(to_party="KBP"), authorization) == []) is kept
    assert (found(say(disposition="transferred", possessor="KBP"), authorization) == []) is kept


def test_an_authorization_of_another_unit_or_a_corrected_one_counts_for_nothing() -> None:
    other = event(id="custody:7", serial="FR-000999", authorized=True)
    wrong = event(id="custody:8", authorized=True, corrected=True)

    assert reasons(found(other, wrong, transfer())) == ["transfer_unauthorized"]


def test_a_corrected_custody_event_is_not_judged() -> None:
    assert found(transfer(to_party="ACME", corrected=True)) == []


def test_custody_before_the_condition_is_not_judged_and_still_authorizes() -> None:
    before = event(at=NOON - SECOND, to_party="ACME", authorized=True)
    after = transfer(id="custody:2")

    assert found(before, after, in_force_from=NOON) == []
    assert reasons(found(before, after)) == ["possessor_unlisted"]
    assert reasons(found(transfer(to_party="ACME"), in_force_from=NOON)) == [
        "possessor_unlisted",
        "transfer_unauthorized",
    ]


def test_only_units_on_the_lines_of_the_condition_are_judged() -> None:
    units = {"FR-1": Unit("FR-1", 1), "FR-2": Unit("FR-2", 2)}
    custody = [event(serial=serial, to_party="ACME") for serial in ("FR-1", "FR-2", "FR-3")]

    on_lines = found(*custody, units=units, lines=frozenset({2}))

    assert [finding.subject.reference for finding in on_lines] == ["FR-2"]
    assert len(found(*custody, units=units)) == 3
    assert Need.UNITS in MONITOR.needs


def test_a_statement_that_is_also_on_file_is_found_once_and_the_same_from_the_file() -> None:
    said = say(possessor="ACME", disposition="transferred", id="s1", kind="attestation")
    on_file = transfer(id="s1", to_party="ACME", source=said.source)

    at_once = found(said, on_file)

    assert reasons(at_once) == ["possessor_unlisted", "transfer_unauthorized"]
    assert found(on_file) == at_once == found(said)


def test_an_amendment_changes_what_is_found() -> None:
    first = say(possessor="ACME", id="s1")
    second = say(possessor="ACME", id="s2", at=NOON + DAY)

    assert reasons(found(first)) == ["possessor_unlisted"]
    assert found(second, terms={"exempt_parties": ["ACME"]}) == []


def test_the_license_may_come_to_name_the_holder() -> None:
    acme = Party("ACME", "end_user", "Acme", "KE")

    assert found(say(possessor="ACME"), parties=(BORDER, acme)) == []


@pytest.mark.parametrize(
    "terms",
    [
        {"exempt_parties": ["two words"]},
        {"exempt_parties": ["unknown"]},
        {"exempt_parties": [f"P{number}" for number in range(1001)]},
        {"parties": ["KBP"]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


def test_the_stored_terms_can_be_read() -> None:
    stored = json.loads((Path(__file__).parent / "terms" / "no_onward_transfer.json").read_text())

    assert stored.keys() == Terms.model_fields.keys()
    assert Terms.model_validate(stored).exempt_parties == ("REPAIR-DEPOT-1",)
    assert Terms().exempt_parties == ()
    assert MONITOR.severity is Severity.CRITICAL


custody_events = st.builds(
    CustodyEvent,
    id=st.integers(1, 9).map("custody:{}".format),
    serial=st.sampled_from([SERIAL, "FR-000124"]),
    at=near | moments,
    received_at=moments,
    source=st.builds(Source, st.just("custody"), st.sampled_from(Grade), st.just("X")),
    disposition=dispositions,
    from_party=parties,
    to_party=parties,
    authorized=st.none() | st.booleans(),
    corrected=st.booleans(),
)
statements = st.builds(
    lambda possessor, disposition, at: say(at=at, possessor=possessor, disposition=disposition),
    named_parties,
    dispositions,
    near,
)


def occurrences(findings: list[Finding]) -> set[tuple[Subject, str, str]]:
    return {(finding.subject, finding.reason, finding.evidence[0]) for finding in findings}


@given(
    st.lists(statements, max_size=4),
    st.lists(custody_events, max_size=5),
    st.none() | near | moments,
    st.booleans(),
)
def test_nothing_raises_and_alone_or_together_the_same_is_found(
    said: list[Statement[Any]],
    custody: list[CustodyEvent],
    since: datetime | None,
    one_line: bool,  # noqa: FBT001
) -> None:
    lines = frozenset({1}) if one_line else frozenset[int]()
    kept: dict[str, Any] = {
        "in_force_from": since,
        "lines": lines,
        "units": {SERIAL: Unit(SERIAL, 1)},
    }

    together = occurrences(found(*said, *custody, **kept))

    alone = [occurrences(found(one, *custody, **kept)) for one in said]
    assert together == set().union(occurrences(found(*custody, **kept)), *alone)


@given(st.lists(custody_events, max_size=5, unique_by=lambda one: one.id), st.randoms())
def test_the_order_on_file_makes_no_difference(custody: list[CustodyEvent], random: Any) -> None:
    shuffled = random.sample(custody, len(custody))

    assert occurrences(found(*shuffled)) == occurrences(found(*custody))
