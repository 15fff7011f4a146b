from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import (
    Answer,
    Filing,
    Finding,
    Grade,
    Need,
    Obligation,
    Source,
    Subject,
    reporting_cadence,
)
from monitors.reporting_cadence import MONITOR, Facts, Terms, owes
from tests.monitors.heard import case, judge, say

QUARTER = (date(2026, 1, 1), date(2026, 3, 31))
DUE = datetime(2026, 3, 31, 22, tzinfo=UTC)
UNTIL = DUE + timedelta(days=15)
SECOND = timedelta(seconds=1)
LATER = UNTIL + timedelta(days=90)
TERMS = Terms(every="P3M", by="exporter", required_facts=("gallery_size", "site"))


def owed(
    met_at: datetime | None = None,
    period: tuple[date, date] | None = QUARTER,
    slot: int = 1,
) -> Obligation:
    return Obligation(Subject("license", "L"), slot, DUE, UNTIL, met_at=met_at, period=period)


def filed(
    *facts: str,
    kind: str = "attestation",
    by: frozenset[str] = frozenset({"exporter"}),
    source: Source | None = None,
    period: tuple[date, date] | None = QUARTER,
) -> Filing:
    return Filing("r1", kind, by, frozenset(facts), DUE, DUE, period=period, source=source)


def missing(*obligations: Obligation, at: datetime = LATER) -> list[Finding]:
    return judge(reporting_cadence, TERMS, case=case(obligations=obligations), moment=at)


def lacking(*filings: Filing, terms: Terms = TERMS, binds: tuple[str, ...] = ()) -> list[Finding]:
    return judge(reporting_cadence, terms, case=case(filings=filings, binds=binds), moment=LATER)


def test_a_report_within_the_period_or_the_grace_is_kept() -> None:
    for met_at in (DUE - timedelta(days=40), DUE, DUE + SECOND, UNTIL):
        assert missing(owed(met_at)) == []


def test_a_report_is_missing_a_moment_after_the_grace_and_not_at_its_end() -> None:
    assert missing(owed(), at=UNTIL) == []
    assert len(missing(owed(), at=UNTIL + SECOND)) == 1


def test_a_missing_report_names_license_and_period() -> None:
    (finding,) = missing(owed())

    assert finding.answer is Answer.BROKEN
    assert finding.subject == Subject("license", case().license)
    assert (finding.reason, finding.at, finding.cleared_at) == ("report_missing", UNTIL, None)
    assert finding.expected == "a report by the exporter every P3M, with 15 days grace"
    assert finding.observed == ("no report for 2026-01-01 to 2026-03-31 until 2026-04-15 22:00 UTC")
    assert (finding.evidence, finding.missing) == (("obligation:1",), ("report",))


def test_the_finding_does_not_change_as_time_goes_on() -> None:
    assert missing(owed(), at=UNTIL + SECOND) == missing(owed(), at=LATER) != []


def test_a_period_that_nobody_named_is_left_out_of_the_sentence() -> None:
    (finding,) = missing(owed(period=None))

    assert finding.observed == "no report until 2026-04-15 22:00 UTC"


def test_a_late_report_clears_the_state_and_the_miss_stays() -> None:
    late = UNTIL + timedelta(days=2)

    (finding,) = missing(owed(late))

    assert (finding.reason, finding.at, finding.cleared_at) == ("report_missing", UNTIL, late)


def test_several_missed_periods_are_occurrences_of_one_deviation() -> None:
    found = missing(owed(slot=1), owed(slot=2), owed(DUE, slot=3))

    assert len(found) == 2
    assert len({(finding.subject, finding.reason) for finding in found}) == 1
    assert {finding.evidence for finding in found} == {("obligation:1",), ("obligation:2",)}


@pytest.mark.parametrize("kind", ["attestation", "check_in"])
def test_a_report_that_leaves_out_a_required_fact_is_found(kind: str) -> None:
    source = Source("attestation", Grade.D, "NORDLICHT")

    (finding,) = lacking(filed("site", kind=kind, source=source))

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "required_fact_absent"
    assert (finding.at, finding.grade) == (DUE, Grade.D)
    assert finding.expected == "a report by the exporter that states gallery_size, site"
    assert finding.observed == (
        "the report for 2026-01-01 to 2026-03-31 does not state gallery_size"
    )
    assert (finding.evidence, finding.missing) == (("r1",), ("gallery_size",))


def test_a_report_that_states_nothing_lacks_everything() -> None:
    (finding,) = lacking(filed(period=None))

    assert finding.missing == ("gallery_size", "site")
    assert finding.observed == "the report does not state gallery_size, site"
    assert finding.grade is None


def test_a_report_with_all_required_facts_is_kept() -> None:
    assert lacking(filed("gallery_size", "site", "country")) == []
    assert lacking(filed(), terms=Terms(every="P3M")) == []


def test_another_kind_of_report_and_another_partys_are_not_the_report_owed() -> None:
    assert lacking(filed(kind="inspection")) == []
    assert lacking(filed(by=frozenset({"end_user"}))) == []
    assert lacking(filed(by=frozenset())) == []
    assert len(lacking(filed(by=frozenset({"end_user", "exporter"})))) == 1


def test_without_a_role_the_report_of_whoever_is_bound_counts() -> None:
    anyone = Terms(every="P3M", required_facts=("site",))

    assert lacking(filed(), terms=anyone, binds=("end_user",)) == []
    (bound,) = lacking(filed(), terms=anyone, binds=("end_user", "exporter"))
    (unbound,) = lacking(filed(), terms=anyone)
    assert bound == unbound
    assert bound.expected == "a report that states site"


def test_terms_that_change_between_two_reports_judge_each_by_its_own() -> None:
    first, second = filed(), replace(filed("gallery_size"), id="r2", observed_at=LATER)
    before, after = Terms(every="P3M", by="exporter"), TERMS

    assert lacking(first, terms=before) == []
    (finding,) = lacking(second, terms=after)
    assert (finding.evidence, finding.missing, finding.at) == (("r2",), ("site",), LATER)


def test_nothing_owed_and_nothing_filed_is_nothing_found() -> None:
    assert missing() == lacking() == judge(reporting_cadence, TERMS, say(gallery_size=3)) == []


def test_one_report_is_owed_for_each_period() -> None:
    duty = owes(Terms(every="P1M", grace_days=10, by="end_user", starts=date(2026, 1, 1)))

    assert (duty.what, duty.per, duty.by) == ("report", "license", "end_user")
    assert (duty.grace, duty.starts) == (timedelta(days=10), date(2026, 1, 1))
    assert date(2026, 1, 31) + duty.every == date(2026, 2, 28)
    assert MONITOR.owes is owes
    assert MONITOR.needs == {Need.OBLIGATIONS, Need.FILINGS}
    assert Facts.model_fields == {}


@pytest.mark.parametrize("every", ["P1D", "P1W", "P3M", "P1Y6M", "P1Y2M3D", "P10Y", "P120M"])
def test_a_period_of_a_day_to_ten_years_is_accepted_and_kept_as_written(every: str) -> None:
    assert Terms(every=every).every == every
    assert date(2026, 1, 1) + Terms(every=every).length > date(2026, 1, 1)


@pytest.mark.parametrize(
    "every",
    [
        "",
        "P",
        "P0D",
        "P0M",
        "-P3M",
        "P-3M",
        "P121M",
        "P10Y1D",
        "P1.5M",
        "PT72H",
        "P1DT1H",
        "P1M2W",
        "3M",
        "P3m",
        "quarterly",
        "P0001-00-00",
    ],
)
def test_another_period_is_refused(every: str) -> None:
    with pytest.raises(ValidationError):
        Terms(every=every)


@given(st.text(alphabet="PYMWDTHS0123456789.,-+/ ", max_size=12))
def test_whatever_is_written_as_a_period_is_refused_or_has_a_length(every: str) -> None:
    try:
        terms = Terms(every=every)
    except ValidationError:
        return
    assert date(2000, 1, 2) <= date(2000, 1, 1) + terms.length <= date(2010, 1, 1)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"every": "P3M", "grace_days": -1},
        {"every": "P3M", "by": "neighbour"},
        {"every": "P3M", "required_facts": ["Gallery Size"]},
        {"every": "P3M", "required_facts": ["a"] * 101},
        {"every": "P3M", "until": "2027-01-01"},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)
