import json
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
    Document,
    Finding,
    Grade,
    Need,
    Obligation,
    Party,
    Subject,
    certification,
)
from monitors.certification import MONITOR, Facts, Terms, awaits
from tests.monitors.heard import NOON, case, judge, say

START = datetime(2026, 1, 15, tzinfo=UTC)
LICENSE = Subject("license", "BX-2026-00017")
SITES = (Subject("site", "BORDER-1"), Subject("site", "BORDER-2"))
SECOND = timedelta(seconds=1)
TERMS = Terms(schemes=("pad", "iso-27001"), recognized_issuers=("lsti", "bsi"))
PAD = Terms(schemes=("pad",), recognized_issuers=("lsti",))
ENDS = datetime(2027, 1, 1, tzinfo=UTC)
PARTIES = (
    Party("POLICE", "end_user", "Border Police", "KE"),
    Party("POLICE", "ultimate_consignee", "Border Police", "KE"),
    Party("DEPOT", "ultimate_consignee", "Depot", "KE"),
    Party("FREIGHT", "intermediate_consignee", "Freight", "AE"),
)

days = st.dates()
moments = st.datetimes(timezones=st.just(UTC))
subjects = st.sampled_from([LICENSE, *SITES, Subject("party", "POLICE")])
documents = st.builds(
    Document,
    id=st.integers(1, 9).map(lambda number: f"document:{number}"),
    kind=st.sampled_from(["certificate", "human_rights_impact_assessment"]),
    subject=subjects,
    issued_on=days,
    received_at=moments,
    valid_until=st.none() | days,
    issuer=st.sampled_from([None, "LSTI", "bsi", "somebody"]),
    about=st.sampled_from([None, "PAD", "iso-27001", "else"]),
    accepted=st.none() | st.booleans(),
    revoked_on=st.none() | days,
)
obligations = st.builds(
    Obligation,
    subject=subjects,
    slot=st.integers(1, 9),
    due_at=moments,
    grace_until=moments,
    met_at=st.none() | moments,
    item=st.sampled_from(["", "pad", "else"]),
)
cases = st.builds(
    case,
    granted_on=days,
    in_force_from=st.none() | moments,
    sites=st.sampled_from([frozenset[str](), frozenset({"BORDER-1", "BORDER-2"})]),
    parties=st.just(PARTIES) | st.just(()),
    documents=st.lists(documents, max_size=5).map(tuple),
    obligations=st.lists(obligations, max_size=3).map(tuple),
    time_zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"]),
)
kinds_of_terms = st.builds(
    Terms,
    schemes=st.just(("pad", "iso-27001")),
    recognized_issuers=st.sampled_from([(), ("lsti",)]),
    of=st.sampled_from(["site", "product", "party"]),
)


def file(*on_file: Document, **overrides: Any) -> Case:
    sites = frozenset(site.reference for site in SITES)
    plain = {"documents": on_file, "in_force_from": START, "sites": sites, "parties": PARTIES}
    return case(**{**plain, **overrides})


def certificate(number: int = 1, **overrides: Any) -> Document:
    plain = {
        "id": f"document:{number}",
        "kind": "certificate",
        "subject": LICENSE,
        "issued_on": date(2026, 1, 1),
        "received_at": datetime(2026, 2, 1, 9, tzinfo=UTC),
        "valid_until": date(2026, 12, 31),
        "issuer": "LSTI",
        "about": "PAD",
        "accepted": True,
        "grade": Grade.B,
    }
    return Document(**{**plain, **overrides})


def found(file: Case, terms: Any = PAD, at: datetime = NOON) -> list[Finding]:
    return judge(certification, terms, case=file, moment=at)


def reasons(file: Case, terms: Any = PAD) -> list[str]:
    return [finding.reason for finding in found(file, terms)]


def due(file: Case, terms: Terms = PAD) -> list[datetime]:
    return [one.due_at for one in awaits(terms, file)]


def test_a_valid_certificate_is_kept() -> None:
    assert found(file(certificate())) == []
    assert found(file(certificate(issuer=None)), {"schemes": ["pad"]}) == []


def test_nothing_is_judged_from_statements() -> None:
    assert judge(certification, PAD, say(gallery_size=3), case=file(certificate())) == []
    assert Facts.model_fields == {}
    assert MONITOR.needs == {Need.DOCUMENTS, Need.PARTIES, Need.OBLIGATIONS}
    assert MONITOR.awaits is awaits


def test_one_of_each_scheme_is_awaited_at_once() -> None:
    assert list(awaits(TERMS, file())) == [
        Awaited(LICENSE, START, START, item="pad"),
        Awaited(LICENSE, START, START, item="iso-27001"),
    ]
    assert due(file(in_force_from=None)) == [START]


@pytest.mark.parametrize(
    ("of", "subjects"),
    [
        ("product", [LICENSE]),
        ("site", list(SITES)),
        ("party", [Subject("party", "DEPOT"), Subject("party", "POLICE")]),
    ],
)
def test_one_is_awaited_of_everything_that_is_to_be_certified(
    of: str, subjects: list[Subject]
) -> None:
    terms = Terms.model_validate({"schemes": ["pad"], "of": of})

    assert [one.subject for one in awaits(terms, file())] == subjects
    first, *others = subjects
    kept = file(certificate(subject=first))
    assert [one.subject for one in awaits(terms, kept) if one.due_at == START] == others


def test_the_next_is_awaited_when_the_last_valid_one_ends() -> None:
    longer = certificate(2, valid_until=date(2028, 2, 29))

    assert due(file(certificate())) == [ENDS]
    assert due(file(longer, certificate())) == [datetime(2028, 3, 1, tzinfo=UTC)]


def test_one_without_a_last_day_runs_until_it_is_revoked() -> None:
    endless = certificate(valid_until=None)
    revoked = certificate(valid_until=None, revoked_on=date(2026, 6, 1))

    assert due(file(endless)) == []
    assert due(file(revoked)) == [datetime(2026, 6, 1, tzinfo=UTC)]
    assert due(file(revoked, endless)) == []


@pytest.mark.parametrize(
    "other",
    [
        {"accepted": None},
        {"accepted": False},
        {"issuer": "somebody"},
        {"issuer": None},
        {"about": "iso-27001"},
        {"about": None},
        {"kind": "delivery_proof"},
        {"subject": SITES[0]},
        {"valid_until": date(2025, 12, 31)},
        {"revoked_on": date(2026, 1, 1)},
    ],
)
def test_what_is_no_valid_certificate_is_not_what_was_awaited(other: dict[str, Any]) -> None:
    assert due(file(certificate(**other))) == [START]


def test_one_that_ended_before_the_condition_took_effect_is_awaited_from_then() -> None:
    old = certificate(issued_on=date(2020, 1, 1), valid_until=date(2021, 1, 1))

    assert due(file(old)) == [START]


def test_one_that_is_good_for_a_single_day_is_valid_on_it() -> None:
    a_day = certificate(issued_on=START.date(), valid_until=START.date())

    assert due(file(a_day)) == [START + timedelta(days=1)]


def test_a_deadline_ends_with_the_day_where_the_license_counts() -> None:
    leap = certificate(valid_until=date(2028, 2, 29))

    assert due(file(leap, time_zone="Asia/Tokyo")) == [datetime(2028, 2, 29, 15, tzinfo=UTC)]


def owed(item: str = "pad", met_at: datetime | None = None) -> Obligation:
    return Obligation(LICENSE, 7, ENDS, ENDS, met_at=met_at, item=item)


def test_no_valid_certificate_is_found_a_moment_after_the_last_day() -> None:
    on_file = file(certificate(), obligations=(owed(),))

    (finding,) = found(on_file, at=ENDS + SECOND)

    assert finding.answer is Answer.BROKEN
    assert (finding.subject, finding.reason, finding.at) == (LICENSE, "none_valid", ENDS)
    assert finding.expected == "a valid certificate of pad"
    assert finding.observed == "none valid from 2027-01-01 00:00 UTC on"
    assert (finding.evidence, finding.missing) == (("obligation:7",), ("certificate",))
    assert finding.cleared_at is None
    assert found(on_file, at=ENDS) == []


def test_one_that_comes_late_clears_it_and_the_miss_stays() -> None:
    back = ENDS + timedelta(days=9)

    (finding,) = found(file(certificate(), obligations=(owed(met_at=back),)))

    assert (finding.reason, finding.cleared_at) == ("none_valid", back)
    assert found(file(certificate(), obligations=(owed(met_at=ENDS),)), at=back) == []


@pytest.mark.parametrize(
    ("of", "none", "what"),
    [
        ("site", {"sites": frozenset()}, "site"),
        ("party", {"parties": PARTIES[3:]}, "end user or ultimate consignee"),
    ],
)
def test_nothing_to_certify_is_not_the_same_as_certified(
    of: str, none: dict[str, Any], what: str
) -> None:
    terms = Terms.model_validate({"schemes": ["pad", "iso-27001"], "of": of})

    assert list(awaits(terms, file(**none))) == [Awaited(LICENSE, START, START)]

    (finding,) = found(file(obligations=(owed(""),), **none), terms, at=ENDS + SECOND)

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.subject, finding.reason) == (LICENSE, "nothing_to_certify")
    assert finding.expected == f"a valid certificate of iso-27001, pad for each {what}"
    assert finding.observed == f"the license names no {what}"
    assert finding.missing == (of,)


def test_a_revoked_certificate_is_found() -> None:
    (finding,) = found(file(certificate(revoked_on=date(2026, 6, 1))))

    assert finding.answer is Answer.BROKEN
    assert (finding.subject, finding.reason) == (LICENSE, "revoked")
    assert (finding.evidence, finding.grade) == (("document:1",), Grade.B)
    assert finding.at == datetime(2026, 6, 1, tzinfo=UTC)
    assert finding.observed == "the one issued on 2026-01-01 was revoked on 2026-06-01"


def test_a_revocation_of_before_the_condition_is_found_from_its_first_day() -> None:
    old = certificate(issued_on=date(2025, 1, 1), revoked_on=date(2025, 6, 1))

    assert [one.at for one in found(file(old))] == [START]


def test_a_revocation_does_not_matter_where_another_valid_one_stands() -> None:
    revoked = certificate(revoked_on=date(2026, 6, 1))

    def beside(**other: Any) -> list[str]:
        return reasons(file(revoked, certificate(2, **other)))

    assert beside() == beside(valid_until=date(2026, 6, 1)) == beside(valid_until=None) == []
    assert beside(valid_until=date(2026, 5, 31)) == ["revoked"]
    assert beside(about="iso-27001") == beside(subject=SITES[0]) == ["revoked"]
    assert beside(accepted=False) == ["revoked"]


def test_revoking_one_that_never_counted_or_had_run_out_takes_nothing_away() -> None:
    for never in ({"accepted": False}, {"accepted": None}, {"valid_until": date(2026, 5, 31)}):
        assert found(file(certificate(revoked_on=date(2026, 6, 1), **never))) == []
    last_day = certificate(revoked_on=date(2026, 6, 1), valid_until=date(2026, 6, 1))
    assert reasons(file(last_day)) == ["revoked"]


@pytest.mark.parametrize("accepted", [True, None])
def test_an_issuer_that_is_not_recognized_is_found(accepted: bool | None) -> None:  # noqa: FBT001
    (finding,) = found(file(certificate(issuer="SOMEBODY", accepted=accepted)))

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.missing) == ("issuer_not_recognized", ())
    assert finding.at == datetime(2026, 2, 1, 9, tzinfo=UTC)
    assert finding.expected == "a certificate of pad issued by lsti"
    assert finding.observed == "one issued on 2026-01-01 by SOMEBODY"


def test_an_issuer_that_is_not_named_cannot_be_assessed() -> None:
    (finding,) = found(file(certificate(issuer=None)))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("issuer_unknown", ("issuer",))


def test_a_certificate_that_nobody_decided_about_cannot_be_assessed() -> None:
    (finding,) = found(file(certificate(accepted=None)))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.subject, finding.reason) == (LICENSE, "not_decided")
    assert (finding.evidence, finding.missing) == (("document:1",), ("decision",))
    assert found(file(certificate(accepted=False))) == []


@pytest.mark.parametrize("doubt", [{"accepted": None}, {"issuer": "somebody"}, {"issuer": None}])
def test_a_doubt_does_not_matter_where_a_valid_one_outlasts_its_arrival(
    doubt: dict[str, Any],
) -> None:
    last_moment = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)

    assert found(file(certificate(), certificate(2, received_at=last_moment, **doubt))) == []
    late = file(certificate(), certificate(2, received_at=ENDS, **doubt))
    assert [one.evidence for one in found(late)] == [("document:2",)]


def test_an_amendment_changes_whose_word_counts() -> None:
    on_file = file(certificate(issuer="bsi"))

    assert reasons(on_file) == ["issuer_not_recognized"]
    assert reasons(on_file, {"schemes": ["pad"], "recognized_issuers": ["BSI"]}) == []
    assert due(on_file, Terms(schemes=("pad", "iso-27001"))) == [ENDS, START]


def test_terms_stored_once_stay_readable() -> None:
    stored = json.loads(Path("tests/monitors/terms/certification.json").read_text("utf-8"))

    assert stored.keys() == Terms.model_fields.keys()
    assert Terms.model_validate(stored).model_dump(mode="json") == stored
    assert Terms(schemes=("pad",)) == Terms(schemes=("PAD",), recognized_issuers=(), of="product")


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"schemes": []},
        {"schemes": ["two words"]},
        {"schemes": ["other"]},
        {"schemes": ["pad"], "recognized_issuers": ["unknown"]},
        {"schemes": ["pad"], "of": "unit"},
        {"schemes": ["pad"], "days": 1},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(cases, kinds_of_terms, moments)
def test_no_file_whatever_makes_it_raise(file: Case, terms: Terms, moment: datetime) -> None:
    findings = found(file, terms, at=moment)

    awaited = [(one.subject, one.item) for one in awaits(terms, file)]
    assert len(awaited) == len(set(awaited))
    assert all(one.evidence for one in findings)


@given(cases, kinds_of_terms, moments, moments)
def test_what_the_file_says_does_not_depend_on_the_time(
    file: Case, terms: Terms, one: datetime, other: datetime
) -> None:
    of_file = [
        [
            each
            for each in found(file, terms, at=moment)
            if not each.evidence[0].startswith("obligation")
        ]
        for moment in (one, other)
    ]

    assert of_file[0] == of_file[1]


@given(cases, kinds_of_terms)
def test_the_order_of_documents_does_not_matter(file: Case, terms: Terms) -> None:
    turned = case(
        granted_on=file.granted_on,
        in_force_from=file.in_force_from,
        sites=file.sites,
        parties=file.parties,
        documents=file.documents[::-1],
        time_zone=file.time_zone,
    )

    plain = [one for one in found(file, terms) if not one.evidence[0].startswith("obligation")]

    assert sorted(map(str, found(turned, terms))) == sorted(map(str, plain))
    assert list(awaits(terms, turned)) == list(awaits(terms, file))
