import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
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
    CustodyEvent,
    Document,
    Finding,
    Grade,
    Hears,
    Need,
    Obligation,
    Source,
    Statement,
    Subject,
    Unit,
    disposal,
)
from monitors.disposal import MONITOR, Terms, awaits, hears
from tests.monitors.heard import NOON, SERIAL, case, judge, say

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
UNIT = Subject("unit", SERIAL)
TERMS = {"methods": ["shredding", "Incineration"]}
WITNESSED = {**TERMS, "witness_required": True}
UNTIL = datetime(2026, 8, 1, tzinfo=UTC)  # the end of 30 days after NOON's day

moments = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))
near = st.integers(-50, 50).map(lambda hours: NOON + timedelta(hours=hours))
zones = st.sampled_from(["UTC", "Africa/Nairobi", "America/New_York", "Pacific/Kiritimati"])


TOLD = Source("inspection", Grade.A, "inspector")


def event(**overrides: Any) -> CustodyEvent:
    source = Source("custody", Grade.B, "CUSTOMS-KE")
    plain = CustodyEvent("custody:1", SERIAL, NOON, NOON, source, disposition="disposed")
    return replace(plain, **overrides)


def certificate(**overrides: Any) -> Document:
    issued = date(2026, 7, 10)
    received = datetime(2026, 7, 11, 9, tzinfo=UTC)
    plain = Document("document:1", "disposal_certificate", UNIT, issued, received)
    return replace(plain, **{"accepted": True, "issuer": "SHREDCO", **overrides})


def found(
    *said: Statement[Any] | CustodyEvent | Document, terms: Any = TERMS, **overrides: Any
) -> list[Finding]:
    heard = [one for one in said if isinstance(one, Statement)]
    return judge(disposal, terms, *heard, case=papers(*said, **overrides))


def papers(*said: Any, **overrides: Any) -> Case:
    custody = tuple(one for one in said if isinstance(one, CustodyEvent))
    documents = tuple(one for one in said if isinstance(one, Document))
    return case(**{"custody": custody, "documents": documents, **overrides})


def awaited(
    *said: CustodyEvent | Document, terms: dict[str, Any] = TERMS, **overrides: Any
) -> list[Awaited]:
    return list(awaits(Terms.model_validate(terms), papers(*said, **overrides)))


def due(*said: CustodyEvent | Document, **overrides: Any) -> datetime:
    (one,) = awaited(*said, **overrides)
    return one.due_at


def owed(met_at: datetime | None = None) -> Obligation:
    return Obligation(UNIT, 7, UNTIL, UNTIL, met_at=met_at, item="disposal_certificate")


def overdue(*obligations: Obligation, at: datetime, terms: Any = TERMS) -> list[Finding]:
    return judge(disposal, terms, case=case(obligations=obligations), moment=at)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


@pytest.mark.parametrize("word", ["disposed", "destroyed"])
def test_a_method_of_the_license_is_kept(word: str) -> None:
    assert found(say(disposition=word, disposal_method="Shredding")) == []
    assert found(say(disposal_method="incineration")) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found() == []
    assert found(say(), say(gallery_size=5), say(disposition="stored")) == []
    assert found(event(disposition="stolen"), event(disposition=None)) == []


@pytest.mark.parametrize("word", ["disposed", "destroyed", None])
def test_another_method_is_found(word: str | None) -> None:
    said = say(disposition=word, disposal_method="Landfill", id="s1", grade=Grade.A)

    (finding,) = found(said)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "method_not_allowed")
    assert (finding.subject, finding.at, finding.grade) == (UNIT, NOON, Grade.A)
    assert finding.expected == "disposed of by incineration, shredding"
    assert finding.observed == "disposed of by landfill"
    assert finding.evidence == ("s1",)


def test_a_method_planned_for_a_unit_that_is_still_there_is_not_judged() -> None:
    assert found(say(disposition="stored", disposal_method="landfill")) == []


@pytest.mark.parametrize("method", [None, "other", "Unknown", "unspecified"])
def test_a_disposal_without_its_method_cannot_be_assessed(method: str | None) -> None:
    (finding,) = found(say(disposition="destroyed", disposal_method=method, id="s1"))

    assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "method_unknown")
    assert (finding.evidence, finding.missing) == (("s1",), ("disposal_method",))
    assert finding.observed == "disposed of, and no method told"


def test_a_method_once_told_holds_for_the_reports_that_follow() -> None:
    told = say(disposition="disposed", disposal_method="shredding", at=NOON - DAY)
    again = say(disposition="disposed")
    other = say("FR-000124", disposition="disposed")

    assert found(told, again) == []
    assert found(again, earlier=(told,)) == []
    assert reasons(found(told, other)) == ["method_unknown"]
    assert hears(Terms.model_validate(TERMS)) == Hears(latest=True, stating="disposal_method")


@pytest.mark.parametrize(
    "before",
    [
        {"disposition": "disposed"},
        {"disposition": "disposed", "disposal_method": "other"},
        {"disposition": "stored", "disposal_method": "shredding"},
    ],
)
def test_what_was_said_before_tells_no_method_unless_it_names_that_of_the_disposal(
    before: dict[str, Any],
) -> None:
    said = say(at=NOON - DAY, **before)
    again = say(disposition="disposed", id="s2")

    assert found(again, earlier=(said,))[0].evidence == ("s2",)
    assert found(said, again)[-1].evidence == ("s2",)


def test_a_disposal_told_by_a_custody_event_alone_cannot_be_assessed() -> None:
    (finding,) = found(event())

    assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "method_unknown")
    assert (finding.subject, finding.at, finding.grade) == (UNIT, NOON, Grade.B)
    assert (finding.evidence, finding.missing) == (("custody:1",), ("disposal_method",))


def test_a_report_of_the_disposal_speaks_for_the_custody_event() -> None:
    reported = event(id="s1", disposition="destroyed", source=TOLD)
    of_another = event(id="s2", serial="FR-000124", source=TOLD)

    assert found(event(), reported) == []
    assert reasons(found(event(), of_another)) == ["method_unknown"]
    assert reasons(found(event(), replace(reported, corrected=True))) == ["method_unknown"]


def test_custody_before_the_condition_or_corrected_is_not_judged() -> None:
    assert found(event(at=NOON - SECOND), in_force_from=NOON) == []
    assert found(event(corrected=True)) == []
    assert reasons(found(event(), in_force_from=NOON)) == ["method_unknown"]


def test_a_certificate_is_awaited_to_the_end_of_the_last_day() -> None:
    assert awaited(event()) == [
        Awaited(UNIT, UNTIL, UNTIL, item="disposal_certificate", since=NOON)
    ]
    assert awaited(event(disposition="destroyed")) == awaited(event())
    assert awaited(event(disposition="transferred")) == []
    assert awaited() == []


@pytest.mark.parametrize(
    ("at", "zone", "days", "until"),
    [
        (NOON, "Africa/Nairobi", 30, datetime(2026, 7, 31, 21, tzinfo=UTC)),
        (NOON.replace(hour=22), "Africa/Nairobi", 30, datetime(2026, 8, 1, 21, tzinfo=UTC)),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "UTC", 28, datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2028, 1, 31, 12, tzinfo=UTC), "UTC", 29, datetime(2028, 3, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "Europe/Berlin", 30,
         datetime(2026, 3, 31, 22, tzinfo=UTC)),
        (NOON, "UTC", 0, datetime(2026, 7, 2, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_days_are_those_of_the_license(at: datetime, zone: str, days: int, until: datetime) -> None:
    terms = {**TERMS, "certificate_within_days": days}

    assert due(event(at=at), terms=terms, time_zone=zone) == until


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
def test_the_ends_of_the_calendar_have_days_too(zone: str) -> None:
    begin, end = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    in_force: dict[str, Any] = {"terms": WITNESSED, "time_zone": zone}

    assert due(event(at=begin), time_zone=zone).year == 2
    assert due(event(at=end), time_zone=zone).year == 9999
    assert reasons(found(certificate(), in_force_from=begin, **in_force)) == ["witness_missing"]
    assert found(certificate(), in_force_from=end, **in_force) == []


def test_a_disposal_told_twice_counts_from_the_first() -> None:
    told = event(id="s1", at=NOON + 5 * DAY)
    wrong = event(id="custody:2", at=NOON - 5 * DAY, corrected=True)

    for order in ((event(), told, wrong), (wrong, told, event())):
        assert due(*order) == UNTIL


def test_nothing_is_awaited_before_the_condition_is_in_force() -> None:
    (one,) = awaited(event(at=NOON - 100 * DAY), in_force_from=NOON)

    assert (one.due_at, one.since) == (UNTIL, NOON)
    assert due(event(), in_force_from=NOON - 100 * DAY) == UNTIL


@pytest.mark.parametrize(
    "paper",
    [
        certificate(),
        certificate(subject=Subject("site", "BORDER-1"), about=SERIAL),
        certificate(subject=Subject("license", "BX-2026-00017"), about=SERIAL),
    ],
)
def test_an_accepted_certificate_of_the_unit_ends_the_waiting(paper: Document) -> None:
    assert awaited(event(), paper) == []
    assert awaited(event(), certificate(id="document:2", accepted=False), paper) == []


@pytest.mark.parametrize(
    "paper",
    [
        certificate(accepted=None),
        certificate(accepted=False),
        certificate(kind="delivery_proof"),
        certificate(subject=Subject("unit", "FR-000124")),
        certificate(subject=Subject("site", "BORDER-1")),
        certificate(subject=Subject("site", "BORDER-1"), about="FR-000124"),
        certificate(subject=Subject("party", "SHREDCO"), about=SERIAL),
    ],
)
def test_what_is_no_accepted_certificate_of_the_unit_leaves_it_awaited(paper: Document) -> None:
    assert awaited(event(), paper) == awaited(event())


def test_after_a_revocation_another_certificate_is_awaited_for_a_later_day() -> None:
    revoked = certificate(revoked_on=date(2026, 9, 10))

    assert due(event(), revoked) == datetime(2026, 10, 11, tzinfo=UTC)
    assert due(event(), certificate(revoked_on=date(2026, 6, 1))) == UNTIL
    assert awaited(event(), revoked, certificate(id="document:2")) == []


def test_a_unit_that_turns_up_elsewhere_still_owes_its_certificate() -> None:
    later = event(id="s2", at=NOON + DAY, disposition="in_use")

    assert due(event(), later) == UNTIL


def test_no_certificate_is_found_a_moment_after_the_end_and_not_at_it() -> None:
    assert overdue(owed(), at=UNTIL) == []
    assert overdue(owed(met_at=UNTIL), at=UNTIL + DAY) == []

    (finding,) = overdue(owed(), at=UNTIL + SECOND)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "certificate_missing")
    assert (finding.subject, finding.at, finding.cleared_at) == (UNIT, UNTIL, None)
    assert finding.expected == "a certificate of disposal within 30 days, accepted"
    assert finding.observed == "no accepted certificate until 2026-08-01 00:00 UTC"
    assert finding.evidence == ("obligation:7",)
    assert finding.missing == ("disposal_certificate",)


def test_a_late_certificate_clears_and_the_miss_stays_as_it_was() -> None:
    back = UNTIL + 3 * DAY
    (miss,) = overdue(owed(), at=UNTIL + SECOND)

    (finding,) = overdue(owed(met_at=back), at=UNTIL + 90 * DAY)

    assert finding == replace(miss, cleared_at=back)


def test_time_alone_finds_nothing_on_file() -> None:
    file = papers(event(id="s1", source=TOLD), certificate(accepted=None))

    assert judge(disposal, WITNESSED, case=file, moment=UNTIL + 900 * DAY) == []


@pytest.mark.parametrize("witness", [None, "", " ", "Unknown", "SHREDCO", "shredco "])
def test_a_certificate_without_a_witness_is_found_where_one_is_required(
    witness: str | None,
) -> None:
    paper = certificate(witnessed_by=witness, grade=Grade.D)

    (finding,) = found(paper, terms=WITNESSED)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "witness_missing")
    assert (finding.subject, finding.at, finding.grade) == (UNIT, paper.received_at, Grade.D)
    assert finding.observed == "the certificate of 2026-07-10 names none"
    assert (finding.evidence, finding.missing) == (("document:1",), ("witness",))
    assert found(paper) == []


@pytest.mark.parametrize("issuer", ["SHREDCO", None])
def test_a_witness_other_than_the_issuer_is_kept(issuer: str | None) -> None:
    seen = certificate(id="document:2", witnessed_by="KBP", issuer=issuer)

    assert found(seen, terms=WITNESSED) == []
    assert found(certificate(), seen, terms=WITNESSED) == []


@pytest.mark.parametrize(
    "change", [{"accepted": None}, {"accepted": False}, {"revoked_on": date(2026, 7, 12)}]
)
def test_a_certificate_that_is_none_needs_no_witness_and_gives_none(change: dict[str, Any]) -> None:
    none = certificate(id="document:2", witnessed_by="KBP", **change)

    assert found(replace(none, witnessed_by=None), terms=WITNESSED) == []
    assert found(certificate(), none, terms=WITNESSED)[0].evidence == ("document:1",)


def test_a_certificate_from_before_the_condition_needs_no_witness() -> None:
    in_force = datetime(2026, 7, 10, 22, tzinfo=UTC)  # the 11th in Nairobi

    assert reasons(found(certificate(), terms=WITNESSED, in_force_from=in_force)) == [
        "witness_missing"
    ]
    assert (
        found(certificate(), terms=WITNESSED, in_force_from=in_force, time_zone="Africa/Nairobi")
        == []
    )


def test_only_units_on_the_lines_of_the_condition_are_judged_and_awaited() -> None:
    serials = ("FR-1", "FR-2", "FR-3")
    units = {"FR-1": Unit("FR-1", 1), "FR-2": Unit("FR-2", 2)}
    file = [event(serial=serial) for serial in serials]
    unseen = [certificate(subject=Subject("unit", serial)) for serial in serials]
    chosen: dict[str, Any] = {"units": units, "lines": frozenset({2})}

    both = found(*file, *unseen, terms=WITNESSED, **chosen)

    assert [(one.subject.reference, one.reason) for one in both] == [
        ("FR-2", "method_unknown"),
        ("FR-2", "witness_missing"),
    ]
    assert [one.subject.reference for one in awaited(*file, **chosen)] == ["FR-2"]
    assert len(awaited(*file, units=units)) == 3


def test_the_file_gives_the_same_whichever_way_it_is_asked() -> None:
    file: dict[str, Any] = {"custody": (event(),), "documents": (certificate(),)}
    on_file = judge(disposal, WITNESSED, case=case(**file))
    said = say("FR-000124", disposition="disposed", disposal_method="landfill")

    with_statement = judge(disposal, WITNESSED, said, case=case(**file))
    with_deadline = judge(
        disposal, WITNESSED, case=case(**file, obligations=(owed(),)), moment=UNTIL + DAY
    )

    assert reasons(on_file) == ["method_unknown", "witness_missing"]
    assert reasons(with_statement) == ["method_not_allowed", *reasons(on_file)]
    assert with_deadline[:-1] == on_file
    assert with_deadline[-1].reason == "certificate_missing"


def test_an_amendment_changes_what_is_found() -> None:
    first = say(disposition="disposed", disposal_method="landfill")
    second = say(disposition="disposed", disposal_method="landfill", at=NOON + DAY)
    amended = {"methods": ["landfill"], "certificate_within_days": 60}

    assert reasons(found(first)) == ["method_not_allowed"]
    assert found(second, terms=amended) == []
    assert due(event(), terms=amended) == UNTIL + 30 * DAY


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"methods": []},
        {"methods": ["two words"]},
        {"methods": ["other"]},
        {"methods": ["shredding"], "certificate_within_days": -1},
        {"methods": ["shredding"], "certificate_within_days": 40_000},
        {"methods": ["shredding"], "days": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


def test_the_stored_terms_can_be_read() -> None:
    stored = json.loads((Path(__file__).parent / "terms" / "disposal.json").read_text())

    terms = Terms.model_validate(stored)

    assert stored.keys() == Terms.model_fields.keys()
    assert terms.methods == ("shredding", "incineration", "return_to_manufacturer")
    assert (terms.certificate_within_days, terms.witness_required) == (30, True)
    assert Terms.model_validate(TERMS).certificate_within_days == 30
    assert MONITOR.awaits is awaits
    assert {Need.CUSTODY, Need.DOCUMENTS, Need.OBLIGATIONS} < MONITOR.needs


serials = st.sampled_from([SERIAL, "FR-000124"])
words = st.sampled_from([None, "disposed", "destroyed", "stored"])
custody_events = st.builds(
    CustodyEvent,
    id=st.sampled_from(["custody:1", "custody:2", "s1", "s2", ""]),
    serial=serials,
    at=near | moments,
    received_at=moments,
    source=st.builds(Source, st.just("custody"), st.sampled_from(Grade), st.just("X")),
    disposition=words,
    corrected=st.booleans(),
)
subjects = st.sampled_from([UNIT, *(Subject(kind, "X") for kind in ("site", "license", "party"))])
documents = st.builds(
    Document,
    id=st.integers(1, 5).map("document:{}".format),
    kind=st.sampled_from(["disposal_certificate", "assessment"]),
    subject=subjects,
    issued_on=st.dates(),
    received_at=moments,
    issuer=st.none() | st.text(max_size=3),
    about=st.none() | serials | st.just(""),
    accepted=st.none() | st.booleans(),
    revoked_on=st.none() | st.dates(),
    witnessed_by=st.none() | st.text(max_size=3),
)
obligations = st.builds(
    Obligation,
    subject=subjects,
    slot=st.integers(1, 5),
    due_at=moments,
    grace_until=moments,
    met_at=st.none() | moments,
)
cases = st.builds(
    case,
    custody=st.lists(custody_events, max_size=5).map(tuple),
    documents=st.lists(documents, max_size=4).map(tuple),
    obligations=st.lists(obligations, max_size=2).map(tuple),
    in_force_from=st.none() | near | moments,
    lines=st.sampled_from([frozenset[int](), frozenset({1})]),
    units=st.just({SERIAL: Unit(SERIAL, 1)}),
    time_zone=zones,
)
all_terms = st.builds(
    Terms,
    methods=st.just(("shredding",)),
    certificate_within_days=st.integers(0, 36_525),
    witness_required=st.booleans(),
)
statements = st.builds(
    lambda serial, at, word, method: say(serial, at=at, disposition=word, disposal_method=method),
    serials,
    near,
    words,
    st.sampled_from([None, "shredding", "landfill", "other"]),
)


def occurrences(findings: list[Finding]) -> set[tuple[Subject, str, str]]:
    return {(finding.subject, finding.reason, finding.evidence[0]) for finding in findings}


@given(all_terms, st.lists(statements, max_size=5), cases, moments)
def test_nothing_raises_and_alone_or_together_the_same_is_found(
    terms: Terms, said: list[Statement[Any]], file: Case, moment: datetime
) -> None:
    alone = occurrences(judge(disposal, terms, case=file, moment=moment))
    for index, one in enumerate(said):
        since = replace(file, earlier=tuple(said[:index]))
        alone |= occurrences(judge(disposal, terms, one, case=since, moment=moment))

    assert occurrences(judge(disposal, terms, *said, case=file, moment=moment)) == alone


@given(all_terms, cases)
def test_each_unit_is_awaited_once_and_not_before_it_is_due(terms: Terms, file: Case) -> None:
    waiting = list(awaits(terms, file))

    assert len({one.subject for one in waiting}) == len(waiting)
    for one in waiting:
        assert one.since is not None
        assert file.in_force_from is None or one.since >= file.in_force_from
        assert one.grace_until == one.due_at
        assert one.due_at >= min(one.since, datetime(9998, 1, 1, tzinfo=UTC))


@given(all_terms, st.integers(0, 9), zones, near)
def test_an_accepted_certificate_is_never_awaited_and_a_revoked_one_is_awaited_again(
    terms: Terms, after: int, zone: str, at: datetime
) -> None:
    first = list(awaits(terms, papers(event(at=at), time_zone=zone)))
    revoked = certificate(revoked_on=first[0].due_at.date() + timedelta(days=after))
    again = list(awaits(terms, papers(event(at=at), revoked, time_zone=zone)))

    assert list(awaits(terms, papers(event(at=at), certificate(), time_zone=zone))) == []
    assert [one.subject for one in again] == [UNIT]
    assert again[0].due_at >= first[0].due_at
