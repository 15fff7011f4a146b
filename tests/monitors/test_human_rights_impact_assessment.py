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
    Document,
    Finding,
    Grade,
    Need,
    Obligation,
    Shipment,
    Statement,
    StateSpan,
    Subject,
    human_rights_impact_assessment,
)
from monitors.human_rights_impact_assessment import MONITOR, Facts, Terms, awaits
from tests.monitors.heard import NOON, case, judge, say

START = datetime(2026, 1, 15, tzinfo=UTC)
LICENSE = Subject("license", "BX-2026-00017")
SITE = Subject("site", "BORDER-1")
SECOND = timedelta(seconds=1)
ALL = ("ownership", "site", "unit", "use", "suspension")
TERMS = Terms(triggers=ALL)
ISSUED = date(2026, 1, 10)
ENDS = datetime(2027, 1, 11, tzinfo=UTC)
NEW_OWNER = {"subject": "ownership", "effective_on": "2026-06-01"}

days = st.dates()
moments = st.datetimes(timezones=st.just(UTC))
subjects = st.sampled_from([LICENSE, SITE])
documents = st.builds(
    Document,
    id=st.integers(1, 9).map(lambda number: f"document:{number}"),
    kind=st.sampled_from(["human_rights_impact_assessment", "certificate"]),
    subject=subjects,
    issued_on=days,
    received_at=moments,
    valid_until=st.none() | days,
    accepted=st.none() | st.booleans(),
    revoked_on=st.none() | days,
)
shipments = st.builds(
    Shipment,
    id=st.integers(1, 9).map(lambda number: f"shipment:{number}"),
    reference=st.just("S"),
    line=st.integers(1, 2),
    shipped_on=days,
    quantity=st.just(Decimal(1)),
    received_at=moments,
)
obligations = st.builds(
    Obligation,
    subject=subjects,
    slot=st.integers(1, 9),
    due_at=moments,
    grace_until=moments,
    met_at=st.none() | moments,
)
cases = st.builds(
    case,
    granted_on=days,
    in_force_from=st.none() | moments,
    lines=st.frozensets(st.integers(1, 2)),
    documents=st.lists(documents, max_size=4).map(tuple),
    shipments=st.lists(shipments, max_size=3).map(tuple),
    obligations=st.lists(obligations, max_size=3).map(tuple),
    states=st.lists(
        st.builds(StateSpan, st.sampled_from(["issued", "suspended"]), moments), max_size=3
    ).map(tuple),
    time_zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"]),
)
told = st.none() | st.lists(
    st.fixed_dictionaries({"subject": st.sampled_from(ALL[:4]), "effective_on": days}), max_size=3
)


def file(*on_file: Document, **overrides: Any) -> Case:
    return case(**{"documents": on_file, "in_force_from": START, **overrides})


def assessment(issued_on: date = ISSUED, number: int = 1, **overrides: Any) -> Document:
    plain = {
        "id": f"document:{number}",
        "kind": "human_rights_impact_assessment",
        "subject": LICENSE,
        "issued_on": issued_on,
        "received_at": datetime.combine(issued_on + timedelta(days=3), NOON.timetz()),
        "accepted": True,
    }
    return Document(**{**plain, **overrides})


def shipped(day: date, **overrides: Any) -> Shipment:
    plain = {"id": "shipment:S-1", "reference": "S-1", "line": 1, "quantity": Decimal(2)}
    return Shipment(**{**plain, "shipped_on": day, "received_at": NOON, **overrides})


def owed(due_at: datetime = START, met_at: datetime | None = None) -> Obligation:
    return Obligation(LICENSE, 7, due_at, due_at, met_at=met_at)


def found(
    file: Case, *said: Statement[Any], terms: Any = TERMS, at: datetime = NOON
) -> list[Finding]:
    return judge(human_rights_impact_assessment, terms, *said, case=file, moment=at)


def reasons(file: Case, *said: Statement[Any], terms: Any = TERMS) -> list[str]:
    return [finding.reason for finding in found(file, *said, terms=terms)]


def due(file: Case, terms: Terms = TERMS) -> datetime:
    (one,) = awaits(terms, file)
    return one.due_at


def test_a_shipment_under_an_accepted_assessment_is_kept() -> None:
    assert found(file(assessment(), shipments=(shipped(date(2026, 3, 2)),))) == []


def test_it_declares_what_it_needs_and_blocks_release() -> None:
    needed = {Need.DOCUMENTS, Need.SHIPMENTS, Need.STATES, Need.OBLIGATIONS}

    assert MONITOR.needs == needed
    assert MONITOR.blocks_release
    assert MONITOR.awaits is awaits
    assert set(Facts.model_fields) == {"changes"}


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(file(assessment()), say(), say(gallery_size=3), say(SITE, changes=[])) == []
    assert found(file()) == []


def test_one_is_awaited_at_once_while_none_is_accepted() -> None:
    for on_file in (
        (),
        (assessment(accepted=None), assessment(accepted=False)),
        (assessment(kind="certificate"), assessment(subject=SITE)),
        (assessment(revoked_on=ISSUED), assessment(valid_until=ISSUED - timedelta(days=1))),
    ):
        assert list(awaits(TERMS, file(*on_file))) == [Awaited(LICENSE, START, START)]


def test_the_next_is_awaited_when_the_last_accepted_one_ends() -> None:
    newer = assessment(date(2026, 7, 1), number=2)

    assert due(file(assessment())) == ENDS
    assert due(file(newer, assessment())) == datetime(2027, 7, 2, tzinfo=UTC)
    assert due(file(newer, assessment(), assessment(date(2026, 9, 1), accepted=None))) == (
        datetime(2027, 7, 2, tzinfo=UTC)
    )


def test_a_shorter_validity_or_a_revocation_ends_it_sooner() -> None:
    until = assessment(valid_until=date(2026, 2, 28))
    revoked = assessment(revoked_on=date(2026, 3, 1))

    assert due(file(until)) == due(file(revoked)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert due(file(assessment(valid_until=date(2030, 1, 1)))) == ENDS


def test_one_that_ended_before_the_condition_took_effect_is_awaited_from_then() -> None:
    assert due(file(assessment(date(2020, 1, 1)))) == START
    assert due(file(in_force_from=None)) == START


def test_one_that_is_good_for_a_single_day_counts_on_it() -> None:
    a_day = assessment(START.date(), valid_until=START.date())

    assert due(file(a_day)) == START + timedelta(days=1)
    assert found(file(a_day, shipments=(shipped(START.date()),))) == []


def test_one_revoked_on_its_last_day_was_revoked() -> None:
    cut = assessment(valid_until=date(2026, 2, 28), revoked_on=date(2026, 2, 28))

    (finding,) = found(file(cut, obligations=(owed(due(file(cut))),)))

    assert (finding.reason, finding.at) == ("none_accepted", datetime(2026, 2, 28, tzinfo=UTC))


def test_a_deadline_ends_with_the_day_where_the_license_counts() -> None:
    month = Terms(max_age_days=31)
    leap = assessment(date(2028, 1, 29))

    assert due(file(leap, time_zone="Africa/Nairobi"), month) == datetime(
        2028, 2, 29, 21, tzinfo=UTC
    )


def test_none_accepted_is_found_from_the_day_the_condition_took_effect() -> None:
    (finding,) = found(file(obligations=(owed(),)), at=START + SECOND)

    assert finding.answer is Answer.BROKEN
    assert (finding.subject, finding.reason, finding.at) == (LICENSE, "none_accepted", START)
    assert finding.expected == "an accepted assessment 365 days old at most"
    assert finding.observed == "none was accepted"
    assert (finding.evidence, finding.missing) == (("obligation:7",), ("assessment",))
    assert found(file(obligations=(owed(),)), at=START) == []


def test_one_accepted_late_clears_it_and_the_miss_stays() -> None:
    back = START + timedelta(days=9)

    (finding,) = found(file(assessment(), obligations=(owed(met_at=back),)))

    assert (finding.reason, finding.cleared_at) == ("none_accepted", back)
    assert found(file(obligations=(owed(met_at=START),))) == []


def test_one_that_ran_out_is_found_a_moment_after_its_last_day() -> None:
    old, same_day = assessment(), assessment(ISSUED - timedelta(days=9), valid_until=ENDS.date())
    on_file = file(same_day, old, old, obligations=(owed(ENDS),))

    (finding,) = found(on_file, at=ENDS + SECOND)

    assert (finding.reason, finding.at) == ("expired", ENDS)
    assert finding.observed == "the last accepted one, issued on 2026-01-10, ran out on 2027-01-10"
    assert found(on_file, at=ENDS) == []


def test_a_newer_one_changes_nothing_in_why_the_last_was_overdue() -> None:
    late = assessment(ENDS.date(), number=2)
    met = owed(ENDS, met_at=ENDS + timedelta(days=9))

    (finding,) = found(file(assessment(), late, obligations=(met,)))

    assert (finding.reason, finding.cleared_at) == ("expired", met.met_at)
    assert "2026-01-10" in finding.observed


def test_a_revoked_one_counts_as_none() -> None:
    revoked = assessment(revoked_on=date(2026, 3, 1))

    (finding,) = found(file(revoked, obligations=(owed(due(file(revoked))),)))

    assert finding.reason == "none_accepted"
    assert finding.observed == (
        "the last accepted one, issued on 2026-01-10, was revoked on 2026-03-01"
    )


def test_one_revoked_after_it_had_run_out_has_run_out() -> None:
    moot = assessment(valid_until=date(2026, 2, 28), revoked_on=date(2026, 3, 1))

    assert [one.reason for one in found(file(moot, obligations=(owed(due(file(moot))),)))] == [
        "expired"
    ]


@pytest.mark.parametrize(
    ("day", "covered"),
    [
        (date(2026, 1, 19), False),
        (date(2026, 1, 20), True),
        (date(2026, 2, 28), True),
        (date(2026, 3, 1), False),
    ],
)
def test_a_shipment_is_covered_from_the_first_day_to_the_last(day: date, covered: bool) -> None:  # noqa: FBT001
    issued_on = date(2026, 1, 20)
    endings: list[dict[str, Any]] = [
        {"valid_until": date(2026, 2, 28)},
        {"revoked_on": date(2026, 3, 1)},
    ]
    for ended in endings:
        on_file = file(assessment(issued_on, **ended), shipments=(shipped(day),))
        assert reasons(on_file) == ([] if covered else ["shipped_without"])


def test_each_shipment_without_one_is_found() -> None:
    one, other = shipped(date(2026, 3, 2)), shipped(date(2026, 3, 3), id="shipment:S-2")

    first, second = found(file(shipments=(one, other)))

    assert first.answer is Answer.BROKEN
    assert (first.subject, first.reason) == (LICENSE, "shipped_without")
    assert (first.evidence, second.evidence) == (("shipment:S-1",), ("shipment:S-2",))
    assert first.at == datetime(2026, 3, 2, tzinfo=UTC)
    assert first.observed == "shipped on 2026-03-02 without one"


def test_a_shipment_of_before_the_condition_or_of_another_line_is_not_about_it() -> None:
    before, on_the_day = shipped(date(2026, 1, 14)), shipped(date(2026, 1, 15))

    assert found(file(shipments=(before,))) == []
    assert reasons(file(shipments=(on_the_day,))) == ["shipped_without"]
    assert found(file(shipments=(on_the_day,), lines=frozenset({2}))) == []
    assert reasons(file(shipments=(on_the_day,), lines=frozenset({1, 2}))) == ["shipped_without"]


def test_a_shipment_of_the_first_day_is_found_from_when_the_condition_took_effect() -> None:
    noon = START + timedelta(hours=12)

    (finding,) = found(file(shipments=(shipped(START.date()),), in_force_from=noon))

    assert finding.at == noon


def test_one_on_file_that_nobody_decided_about_cannot_be_assessed() -> None:
    waiting = assessment(accepted=None, grade=Grade.D)

    (finding,) = found(file(waiting))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.subject, finding.reason) == (LICENSE, "not_decided")
    assert (finding.evidence, finding.missing) == (("document:1",), ("decision",))
    assert (finding.at, finding.grade) == (START, Grade.D)
    assert finding.observed == "one issued on 2026-01-10 that nobody has decided about"


def test_a_renewal_waits_for_its_decision_while_an_accepted_one_covers_its_arrival() -> None:
    def waiting(received_at: datetime) -> Document:
        issued = {"issued_on": date(2026, 12, 1), "received_at": received_at}
        return assessment(number=2, accepted=None, **issued)

    assert found(file(assessment(), waiting(ENDS - SECOND))) == []
    assert reasons(file(assessment(), waiting(ENDS))) == ["not_decided"]


def test_one_overtaken_by_a_newer_accepted_one_needs_no_decision() -> None:
    waiting = assessment(accepted=None)
    newer = assessment(date(2026, 3, 1), number=2)
    withdrawn = assessment(date(2026, 3, 1), number=2, revoked_on=date(2026, 4, 1))

    assert found(file(waiting, newer)) == []
    assert reasons(file(waiting, withdrawn)) == ["not_decided"]


@pytest.mark.parametrize(
    "settled",
    [{"accepted": False}, {"revoked_on": ISSUED}, {"kind": "certificate"}, {"subject": SITE}],
)
def test_what_needs_no_decision_is_not_waited_for(settled: dict[str, Any]) -> None:
    assert found(file(assessment(**{"accepted": None, **settled}))) == []


def test_a_change_after_the_assessment_is_found() -> None:
    said = say(SITE, changes=[NEW_OWNER, {"subject": "use", "effective_on": "2026-02-03"}])

    (finding,) = found(file(assessment()), said)

    assert finding.answer is Answer.BROKEN
    assert (finding.subject, finding.reason) == (LICENSE, "trigger_since")
    assert (finding.at, finding.evidence) == (NOON, (said.id,))
    assert finding.observed == (
        "ownership changed as of 2026-06-01, use changed as of 2026-02-03; assessed on 2026-01-10"
    )
    assert (finding.cleared_at, finding.grade) == (None, Grade.D)


def test_a_trigger_names_the_last_assessment_before_it() -> None:
    older = assessment(date(2025, 6, 1), number=2)

    for on_file in (file(older, assessment()), file(assessment(), older)):
        (finding,) = found(on_file, say(SITE, changes=[NEW_OWNER]))
        assert finding.observed.endswith("assessed on 2026-01-10")


def test_only_the_changes_in_the_terms_are_triggers() -> None:
    said = say(SITE, changes=[NEW_OWNER])

    assert reasons(file(assessment()), said, terms={"triggers": ["ownership"]}) == ["trigger_since"]
    assert reasons(file(assessment()), said, terms={"triggers": ["use"]}) == []
    assert reasons(file(assessment()), said, terms={}) == []


def test_an_assessment_of_the_day_a_change_was_told_can_take_it_into_account() -> None:
    assert found(file(assessment(NOON.date())), say(SITE, changes=[NEW_OWNER])) == []
    assert reasons(
        file(assessment(NOON.date() - timedelta(days=1))), say(SITE, changes=[NEW_OWNER])
    ) == ["trigger_since"]


def test_a_change_told_before_it_takes_effect_is_covered_by_one_made_between() -> None:
    said = say(SITE, changes=[{"subject": "use", "effective_on": "2027-06-01"}])
    between = assessment(date(2026, 8, 1), number=2)

    (finding,) = found(file(assessment(), between), said)

    assert finding.cleared_at == between.received_at


def test_a_newer_accepted_assessment_clears_a_trigger_and_the_trigger_stays() -> None:
    said = say(SITE, changes=[NEW_OWNER])
    newer, newest = assessment(date(2026, 8, 1), 2), assessment(date(2026, 9, 1), 3)

    def cleared(*on_file: Document) -> list[datetime | None]:
        return [one.cleared_at for one in found(file(assessment(), *on_file), said)]

    assert cleared(newest, newer) == [newer.received_at]
    assert cleared(assessment(date(2026, 8, 1), 2, accepted=None)) == [None]
    assert cleared(assessment(date(2026, 8, 1), 2, revoked_on=date(2026, 8, 9))) == [None]


def test_a_trigger_is_not_cleared_before_it_came() -> None:
    morning = assessment(NOON.date(), 2, received_at=NOON - timedelta(hours=3))

    (finding,) = found(file(assessment(), morning), say(SITE, changes=[NEW_OWNER]))

    assert finding.cleared_at == NOON


def test_without_an_accepted_assessment_there_is_nothing_a_trigger_overtakes() -> None:
    assert found(file(), say(SITE, changes=[NEW_OWNER])) == []
    assert found(file(assessment(accepted=False)), say(SITE, changes=[NEW_OWNER])) == []


def test_a_suspension_after_the_assessment_is_found() -> None:
    spans = (
        StateSpan("issued", START),
        StateSpan("suspended", NOON),
        StateSpan("reinstated", NOON),
    )

    (finding,) = found(file(assessment(), states=spans))

    assert (finding.subject, finding.reason, finding.at) == (LICENSE, "trigger_since", NOON)
    assert finding.evidence == ("state:2026-07-01T12:00:00+00:00",)
    assert finding.observed == "suspended on 2026-07-01; assessed on 2026-01-10"
    assert finding.cleared_at is None
    assert found(file(assessment(), states=spans), terms={"triggers": ["use"]}) == []


def test_a_suspension_is_cleared_or_covered_as_a_change_is() -> None:
    newer = assessment(date(2026, 8, 1), 2)
    suspended = {"states": (StateSpan("suspended", NOON),)}

    (finding,) = found(file(assessment(), newer, **suspended))

    assert finding.cleared_at == newer.received_at
    assert found(file(newer, **suspended)) == []


def test_a_suspension_of_before_the_condition_is_not_about_it() -> None:
    old = assessment(date(2025, 12, 1))

    assert found(file(old, states=(StateSpan("suspended", START - SECOND),))) == []
    assert reasons(file(old, states=(StateSpan("suspended", START),))) == ["trigger_since"]


def test_an_amendment_changes_how_long_one_is_good_for() -> None:
    on_file = file(assessment(), shipments=(shipped(date(2026, 3, 2)),))

    assert reasons(on_file) == []
    assert reasons(on_file, terms={"max_age_days": 30}) == ["shipped_without"]


def test_terms_stored_once_stay_readable() -> None:
    path = Path("tests/monitors/terms/human_rights_impact_assessment.json")
    stored = json.loads(path.read_text("utf-8"))

    assert stored.keys() == Terms.model_fields.keys()
    assert Terms.model_validate(stored).model_dump(mode="json") == stored
    assert Terms() == Terms(max_age_days=365, triggers=())


@pytest.mark.parametrize(
    "terms",
    [
        {"max_age_days": 0},
        {"max_age_days": 40_000},
        {"triggers": ["weather"]},
        {"triggers": ["use"] * 6},
        {"days": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(cases, st.lists(st.tuples(subjects, told, moments), max_size=3), moments)
def test_no_file_whatever_makes_it_raise_and_alone_or_together_is_the_same(
    file: Case, stated: list[tuple[Subject, Any, datetime]], moment: datetime
) -> None:
    said = [say(subject, at=at, changes=changes) for subject, changes, at in stated]

    of_file = found(file, at=moment)
    together = found(file, *said, at=moment)
    alone = [one for each in said for one in found(file, each, at=moment) if one not in of_file]

    assert [one for one in together if one not in of_file] == alone
    assert len(list(awaits(TERMS, file))) == 1


@given(cases, moments, moments)
def test_what_the_file_says_does_not_depend_on_the_time(
    file: Case, one: datetime, other: datetime
) -> None:
    of_file = [
        [each for each in found(file, at=moment) if not each.evidence[0].startswith("obligation")]
        for moment in (one, other)
    ]

    assert of_file[0] == of_file[1]


@given(st.integers(0, 2000), st.integers(1, 1500))
def test_a_shipment_is_covered_for_exactly_so_many_days(age: int, limit: int) -> None:
    issued_on = START.date()
    on_file = file(assessment(issued_on), shipments=(shipped(issued_on + timedelta(days=age)),))

    assert bool(reasons(on_file, terms={"max_age_days": limit})) is (age > limit)
