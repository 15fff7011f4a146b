from datetime import UTC, datetime, timedelta

import pytest

from app.access.rules import Role
from app.reports import rules
from monitors import Grade

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("role", "kind", "mode", "grade"),
    [
        (Role.INSPECTOR, "inspection", "physical", Grade.A),
        (Role.INSPECTOR, "check_in", "physical", Grade.A),
        (Role.INSPECTOR, "inspection", "documentary", Grade.E),
        (Role.INSPECTOR, "inspection", "remote_video", Grade.E),
        (Role.INSPECTOR, "incident", "physical", Grade.E),
        (Role.INSPECTOR, "third_party", "documentary", Grade.B),
        (Role.SUPERVISOR, "third_party", "remote_video", Grade.E),
        (Role.EXPORTER, "attestation", "documentary", Grade.E),
        (Role.EXPORTER, "check_in", "physical", Grade.E),
    ],
)
def test_a_report_is_worth_what_its_author_saw(
    role: Role, kind: str, mode: str, grade: Grade
) -> None:
    assert rules.grade_of(role, kind, mode) is grade


def test_nobody_but_an_inspector_on_site_makes_the_best_evidence() -> None:
    for role, kinds in rules.MAY_REPORT.items():
        for kind in kinds:
            if rules.grade_of(role, kind, "physical") is Grade.A:
                assert role is Role.INSPECTOR


@pytest.mark.parametrize(("role", "kinds"), rules.MAY_REPORT.items())
def test_a_role_files_its_own_kinds_and_no_others(role: Role, kinds: frozenset[str]) -> None:
    for kind in kinds:
        rules.check_kind(role, kind)
    with pytest.raises(rules.KindNotYours, match=f"role {role} files .*, not rumor"):
        rules.check_kind(role, "rumor")


def test_a_role_that_files_nothing_is_told_so() -> None:
    with pytest.raises(rules.KindNotYours, match="files no reports, not attestation"):
        rules.check_kind(Role.DASHBOARD, "attestation")


def test_clocks_may_differ_by_ten_minutes_and_not_by_more() -> None:
    limit = NOON + timedelta(minutes=10)
    rules.check_time(limit, NOON, "/observed_at")
    with pytest.raises(rules.InFuture, match="has not come yet") as refused:
        rules.check_time(limit + timedelta(microseconds=1), NOON, "/observed_at")
    assert refused.value.pointer == "/observed_at"


@pytest.mark.parametrize("fact", ["face_template", "passport_no", "IrisImage", "birth_date"])
def test_data_about_persons_is_refused_with_the_reason(fact: str) -> None:
    assert "Biometric data and data about persons" in rules.refusal_of(fact)


def test_an_unknown_fact_is_refused_with_where_the_vocabulary_stands() -> None:
    assert rules.refusal_of("wheel_count") == (
        "'wheel_count' is not a fact of the vocabulary; see GET /v1/facts."
    )
    assert len(rules.refusal_of("x" * 10_000)) < 200
