import json
from pathlib import Path

from app.licenses import expectations
from app.licenses.lint import ConditionAlone, lint, lint_condition
from app.licenses.schemas import LicenseIn
from tests.rules.drafts import NAIROBI, advice, circle, told
from tests.world import condition

ROOT = Path(__file__).parents[2]


def test_a_license_with_all_that_is_expected_gets_no_advice() -> None:
    conditions = [
        condition("permitted_countries", countries=["KE"]),
        condition("permitted_sites", sites=[circle("NBO-T1", NAIROBI)], text="Within 1,500 m."),
        condition("match_mode", allowed=["verify_1_1"]),
        condition("permitted_end_users", parties=["KE-BCA"]),
        condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000),
        condition("retention_limit", "Probes go after 7 days.", probe_days=7),
        condition("reporting_cadence", "Quarterly.", every="P3M", _={"binds": ["exporter"]}),
    ]
    assert advice(*conditions) == []


def test_what_is_gravest_comes_first_and_all_of_it_says_what_to_do() -> None:
    found = advice(
        condition("gallery_cap", "At most 6,000.", max_enrolled=5000),
        condition("permitted_countries", countries=["UG"]),
    )
    weights = [each.severity for each in found]
    assert weights == sorted(weights, key=["error", "warning", "note"].index)
    assert set(weights) == {"error", "warning", "note"}
    for each in found:
        assert each.detail.endswith(".")
        assert each.advice.endswith(".")
        assert each.pointer.startswith("/")


def test_a_tier_expects_conditions_and_says_why() -> None:
    first = told(
        "expected_condition_missing",
        condition("match_mode", allowed=["verify_1_1"]),
        end_use="access_control",
    )
    assert len(first) == 2
    assert all("tier 1" in each.detail for each in first)
    third = told("expected_condition_missing", condition("match_mode", allowed=["identify_1_n"]))
    assert any("audit right" in each.detail for each in third)
    assert all(each.severity == "warning" for each in third)


def test_every_expectation_has_a_reason_and_a_tier() -> None:
    assert {each.tier for each in expectations.EXPECTATIONS} == {1, 2, 3}
    assert all(each.reason and each.kinds for each in expectations.EXPECTATIONS)


def test_a_condition_by_itself_is_looked_at_without_a_license() -> None:
    sent = {"condition": condition("reporting_cadence", "Every 90 days.", every="P1M")}
    found = lint_condition(ConditionAlone.model_validate(sent).condition)
    assert [(each.code, each.pointer) for each in found] == [
        ("nobody_bound", "/condition/binds"),
        ("text_number_not_in_terms", "/condition/text"),
        ("term_not_in_text", "/condition/terms"),
    ]


def test_the_samples_have_no_errors_and_their_texts_agree_with_their_terms() -> None:
    samples = json.loads((ROOT / "samples" / "licenses.json").read_text())
    assert len(samples) >= 12
    for sample in samples:
        found = lint(LicenseIn.model_validate(sample))
        assert {each.code for each in found if each.severity != "note"} <= {
            "expected_condition_missing"
        }
