from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors._contract import (
    Answer,
    Case,
    FactsModel,
    Finding,
    Grade,
    Hears,
    Monitor,
    Severity,
    Source,
    Statement,
    Subject,
    TermsModel,
    broken,
    by_subject,
    not_assessable,
)
from monitors._facts import Count, SiteFact

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
GATE = Subject("unit", "FR-000123")


class Facts(FactsModel):
    gallery_size: Count | None = None
    site: SiteFact = None


def statement(
    id: str = "s1", grade: Grade = Grade.D, subject: Subject = GATE, hours: int = 0
) -> Statement[Facts]:
    at = NOON + timedelta(hours=hours)
    source = Source("reading", grade, "NORDLICHT")
    return Statement(id, subject, Facts(), at, at, at, source)


def found(*statements: Statement[Facts]) -> Finding:
    first, *others = statements
    return broken(
        first, reason="over", expected="at most 5", observed="6", clears="fewer", also=others
    )


def test_a_finding_takes_subject_time_evidence_and_grade_from_its_statement() -> None:
    finding = found(statement(grade=Grade.C))

    assert finding.answer is Answer.BROKEN
    assert (finding.subject, finding.at) == (GATE, NOON)
    assert (finding.evidence, finding.grade) == (("s1",), Grade.C)
    assert finding.missing == ()
    assert finding.severity is None
    assert finding.cleared_at is None


@given(st.lists(st.sampled_from(Grade), min_size=1, max_size=5))
def test_the_best_grade_of_the_evidence_is_the_grade_of_the_finding(grades: list[Grade]) -> None:
    used = [statement(f"s{n}", grade) for n, grade in enumerate(grades)]

    finding = found(*used)

    assert finding.grade == min(grades)
    assert finding.evidence == tuple(each.id for each in used)


def test_a_finding_may_be_about_another_subject_and_graver_than_usual() -> None:
    whole = Subject("license", "BX-2026-00017")

    finding = broken(
        statement(),
        reason="over",
        expected="at most 5",
        observed="6",
        clears="fewer",
        subject=whole,
        severity=Severity.CRITICAL,
    )

    assert (finding.subject, finding.severity) == (whole, Severity.CRITICAL)


@pytest.mark.parametrize("subject", [None, Subject("site", "NBO-T1")])
def test_not_assessable_names_what_is_missing(subject: Subject | None) -> None:
    finding = not_assessable(
        statement(grade=Grade.F),
        reason="site_unknown",
        expected="at most 5 per site",
        observed="3 somewhere",
        missing=["site"],
        clears="a report that names the site",
        subject=subject,
    )

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert finding.subject == (subject or GATE)
    assert (finding.missing, finding.evidence, finding.grade) == (("site",), ("s1",), Grade.F)


def test_grades_are_ordered_best_first() -> None:
    assert [grade.value for grade in sorted(Grade)] == ["A", "B", "C", "D", "E", "F"]


def test_statements_are_grouped_by_subject_in_their_order() -> None:
    other = Subject("unit", "FR-000124")
    heard = [statement("a"), statement("b", subject=other), statement("c", hours=1)]

    groups = by_subject(heard)

    assert {key: [each.id for each in group] for key, group in groups.items()} == {
        GATE: ["a", "c"],
        other: ["b"],
    }
    assert list(groups) == [GATE, other]


def test_nobody_heard_makes_no_group() -> None:
    assert by_subject([]) == {}


@pytest.mark.parametrize(
    ("hears", "nothing"),
    [
        (Hears(), True),
        (Hears(scope="license"), True),
        (Hears(latest=True), False),
        (Hears(lag=timedelta(days=7)), False),
        (Hears(window=timedelta(days=30), stating="gallery_size"), True),
    ],
)
def test_a_monitor_hears_nothing_beside_the_statement_unless_it_asks(
    hears: Hears,
    nothing: bool,  # noqa: FBT001
) -> None:
    assert hears.nothing is nothing


def test_a_monitor_that_does_not_say_so_hears_and_owes_nothing() -> None:
    monitor = Monitor(
        title="Anything",
        terms=TermsModel,
        facts=Facts,
        evaluate=lambda *_: iter(()),
        severity=Severity.LOW,
        how_to_check="Look.",
        what_to_see="It.",
    )

    assert monitor.hears(TermsModel()).nothing
    assert monitor.owes is None
    assert monitor.needs == frozenset()
    assert monitor.fact_names == {"gallery_size", "site"}


def test_terms_and_facts_refuse_what_they_do_not_know_and_do_not_change() -> None:
    with pytest.raises(ValidationError, match="face_template"):
        Facts.model_validate({"face_template": "AAAA"})
    with pytest.raises(ValidationError, match="colour"):
        TermsModel.model_validate({"colour": "red"})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Facts(gallery_size=1), "gallery_size", 2)  # noqa: B010 - mypy knows it is frozen


def test_a_case_is_frozen_and_empty_where_nothing_was_asked_for() -> None:
    case = Case("BX-2026-00017", "issued", NOON.date(), None, None)

    assert not any((case.ledger, case.units, case.parties, case.obligations, case.filings))
    assert not any((case.documents, case.hits, case.custody, case.earlier, case.lines))
    with pytest.raises(FrozenInstanceError):
        setattr(case, "state", "revoked")  # noqa: B010 - mypy knows it is frozen
