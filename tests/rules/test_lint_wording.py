from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.licenses import numbers
from tests.rules.drafts import NAIROBI, advice, circle, one, told
from tests.world import condition


@pytest.mark.parametrize(
    ("text", "kind", "terms"),
    [
        ("No more than 5,000 persons.", "gallery_cap", {"max_enrolled": 5000}),
        ("No more than 5 000 persons, with 2 percent more.", "gallery_cap",
         {"max_enrolled": 5000, "tolerance_percent": "2"}),
        ("At most 1.5 million.", "gallery_cap", {"max_enrolled": 1_500_000}),
        ("Probes go after 30 days.", "retention_limit", {"probe_days": 30}),
        ("Probes go after thirty (30) days.", "retention_limit", {"probe_days": 30}),
        ("Deleted within 48 hours.", "retention_limit", {"probe_days": 2}),
        ("Deleted after 2 days.", "retention_limit", {"non_match_hours": 48}),
        ("References go after 2 years.", "retention_limit", {"template_days": 730}),
        ("A 72-hour sign of life.", "heartbeat", {"every_hours": 72}),
        ("A report quarterly.", "reporting_cadence", {"every": "P3M"}),
        ("A report monthly.", "reporting_cadence", {"every": "P30D"}),
        ("A report every 12 months.", "reporting_cadence", {"every": "P1Y"}),
        ("A report every 4 weeks.", "reporting_cadence", {"every": "P28D"}),
        ("Within 1.5 km.", "permitted_sites", {"sites": [circle("NBO-T1", NAIROBI)]}),
        ("False matches at most 0,1 %.", "match_threshold", {"max_false_match_rate": "0.001"}),
        ("One false match at 1 in 1,000,000.", "match_threshold",
         {"max_false_match_rate": "0.000001"}),
        ("Releases from 4.2 up to 5.", "software_version", {"versions": ">=4.2,<5"}),
        ("At most 5 above.", "gallery_cap", {"max_enrolled": 0, "tolerance_percent": "5"}),
        ("TLS 1.2 or better.", "encryption", {"min_tls": "1.2"}),
        ("1500 m around 1.2 S, 36.9 E, and terminal 1 (1.319 S, 36.928 E).", "permitted_sites",
         {"sites": [circle("NBO-T1", {"lat": -1.2, "lon": 36.9})]}),
        ("All 40 gates, worth 480,000 EUR.", "capability_lock", {"seal_required": True}),
        ("By section 744.9(b) of 15 CFR 744, article 4 and 5, since 2024, ECCN 3A981, AES-256.",
         "capability_lock", {"seal_required": True}),
        ("From 1 March 2028 (2028-03-01), by 2021/821, 1:1 only; 2. see version 4.2.1.",
         "capability_lock", {"seal_required": True}),
    ],
)  # fmt: skip
def test_a_text_that_agrees_with_its_terms_is_fine(
    text: str, kind: str, terms: dict[str, Any]
) -> None:
    found = advice(condition(kind, text, **terms))
    assert [each for each in found if each.code.endswith(("in_terms", "in_text"))] == []


@pytest.mark.parametrize(
    ("text", "kind", "terms", "quoted"),
    [
        ("No more than 6,000 persons.", "gallery_cap", {"max_enrolled": 5000}, "“6,000”"),
        ("Probes go after 30 hours.", "retention_limit", {"probe_days": 30}, "“30 hours”"),
        ("A report quarterly.", "reporting_cadence", {"every": "P1M"}, "“quarterly”"),
        ("5 % more.", "gallery_cap", {"max_enrolled": 5}, "“5 %”"),
        ("Not above 2000 persons.", "gallery_cap", {"max_enrolled": 5000}, "“2000”"),
        ("TLS 1.3 or better.", "encryption", {"min_tls": "1.2"}, "“1.3”"),
        ("Sealed for 90 days and 3 km.", "capability_lock", {"seal_required": True},
         "“90 days” and “3 km”"),
    ],
)  # fmt: skip
def test_numbers_of_the_text_that_the_terms_do_not_hold_are_told(
    text: str, kind: str, terms: dict[str, Any], quoted: str
) -> None:
    found = one("text_number_not_in_terms", condition(kind, text, **terms))
    assert (found.severity, found.pointer) == ("warning", "/conditions/0/text")
    assert quoted in found.detail


def test_a_paragraph_divided_into_conditions_is_read_with_all_of_them() -> None:
    text = "Probes go after 7 days, and no more than 5,000 persons are enrolled."
    cap = condition("gallery_cap", text, max_enrolled=5000)
    limit = condition("retention_limit", text, probe_days=7)
    assert not told("text_number_not_in_terms", cap, limit)
    assert told("text_number_not_in_terms", cap)


def test_numbers_of_the_terms_that_the_text_does_not_say_are_noted() -> None:
    found = one("term_not_in_text", condition("heartbeat", "Often.", every_hours=72, grace_hours=6))
    assert found.severity == "note"
    assert "`every_hours` 72" in found.detail
    assert "`grace_hours` 6" in found.detail
    spelt = condition("heartbeat", "Heard every seventy-two hours.", every_hours=72)
    assert not told("term_not_in_text", spelt)
    unset = condition("heartbeat", "Heard every 72 hours.", every_hours=72)
    assert not told("term_not_in_text", unset)
    million = condition("gallery_cap", "At most a million.", max_enrolled=10**6)
    assert not told("term_not_in_text", million)
    odd = condition("gallery_cap", "No chance: 1 in 0.", max_enrolled=0)
    assert not told("term_not_in_text", odd)


@given(st.text(st.sampled_from("0123456789 ,.'()-:/%eE\nasCFRin1daysection§km"), max_size=60))
def test_no_text_makes_the_linter_fail(text: str) -> None:
    assert len(numbers.in_text(text)) <= numbers.MOST


@given(st.sampled_from(["1", "a-", "(1) ", "1,", "section 1, ", "1:", "a1", "1e", "twenty-", "§"]))
def test_no_text_makes_the_linter_slow(part: str) -> None:
    assert len(numbers.in_text(part * (20_000 // len(part)))) <= numbers.MOST
