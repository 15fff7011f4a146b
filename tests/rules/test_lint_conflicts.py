from typing import Any

import pytest

from tests.rules.drafts import KISUMU, NAIROBI, advice, circle, line, one, told
from tests.world import condition, license_body


def test_permitted_sites_lie_in_permitted_countries_by_real_borders() -> None:
    countries = condition("permitted_countries", countries=["KE"])
    there = condition("permitted_sites", sites=[circle("NBO-T1", {"lat": 51.1, "lon": 71.4})])
    outside, beyond = told(
        "site_outside_countries", countries, there, destination_countries=["KE", "UG"]
    )
    assert outside.pointer == beyond.pointer == "/conditions/1/terms/sites/0/position"
    assert "in KZ" in outside.detail
    assert "/conditions/0" in outside.detail
    assert "destinations" in beyond.detail
    here = condition("permitted_sites", sites=[circle("NBO-T1", NAIROBI)])
    assert not told("site_outside_countries", countries, here)
    assert len(told("site_outside_countries", countries, there)) == 1
    other_line = countries | {"lines": [1]}, there | {"lines": [2]}
    assert len(told("site_outside_countries", *other_line, lines=[line(1), line(2)])) == 1
    at_sea = condition("permitted_sites", sites=[circle("NBO-T1", {"lat": -30, "lon": 75})])
    assert "at sea" in one("site_outside_countries", at_sea).detail


def test_a_site_at_a_border_is_noted() -> None:
    countries = condition("permitted_countries", countries=["KE"])
    busia = condition("permitted_sites", sites=[circle("BUSIA", {"lat": 0.464, "lon": 34.1})])
    assert one("site_at_border", countries, busia).severity == "note"
    assert not told("site_at_border", busia)


def test_sites_of_a_license_lie_where_they_are_said_to() -> None:
    site = license_body()["sites"][0]
    swapped = site | {"position": {"lat": 36.928, "lon": -1.319}}
    found = one("site_outside_its_country", sites=[swapped])
    assert (found.severity, found.pointer) == ("error", "/sites/0/position")
    somewhere = [site | {"position": None}]
    assert not told("site_outside_its_country", condition("operator_training"), sites=somewhere)
    abroad = one("site_outside_destinations", sites=[site | {"country": "UG", "position": None}])
    assert abroad.pointer == "/sites/0/country"


def test_a_destination_that_is_not_permitted_is_an_error() -> None:
    found = one("destination_not_permitted", condition("permitted_countries", countries=["UG"]))
    assert "KE is a destination" in found.detail
    both = condition("permitted_countries", countries=["KE", "UG"])
    assert not told("destination_not_permitted", both)
    assert "UG" in one("country_beyond_destinations", both).detail
    part = condition("permitted_countries", countries=["UG"], _={"lines": [1]})
    assert not told("destination_not_permitted", part)


def test_sites_of_terms_are_sites_of_the_license() -> None:
    sites = condition("permitted_sites", sites=[circle("KIS", KISUMU), circle("NBO-T1", NAIROBI)])
    assert "name KIS," in one("site_unknown", sites).detail


@pytest.mark.parametrize("limit", ["probe_days", "non_match_hours", "template_days"])
def test_nothing_kept_and_logs_demanded_cannot_both_hold(limit: str) -> None:
    none: dict[str, Any] = {limit: 0}
    found = one("nothing_kept_but_logs", condition("retention_limit", log_days=180, **none))
    assert (found.severity, found.pointer) == ("error", f"/conditions/0/terms/{limit}")
    assert not told("nothing_kept_but_logs", condition("retention_limit", **none))


def test_logs_that_outlive_probes_are_noted() -> None:
    assert told("logs_outlive_probes", condition("retention_limit", log_days=180, probe_days=7))
    assert not told("logs_outlive_probes", condition("retention_limit", log_days=7, probe_days=7))


@pytest.mark.parametrize(
    ("demanding", "warned"),
    [
        (condition("audit_log_integrity", max_gap_hours=24), True),
        (condition("remote_access", countries=["KE"], log_days=30), True),
        (condition("remote_access", countries=["KE"]), False),
    ],
)
def test_logs_demanded_elsewhere_are_heard_too(demanding: dict[str, Any], *, warned: bool) -> None:
    none_kept = condition("retention_limit", probe_days=0)
    assert bool(told("nothing_kept_but_logs", none_kept, demanding)) is warned


@pytest.mark.parametrize(
    ("kind", "terms", "warned"),
    [
        ("watchlist_control", {"max_entries": 100}, True),
        ("watchlist_control", {"basis_required": True}, True),
        ("watchlist_control", {"max_entries": 0}, False),
        ("live_stream_cap", {"max_streams": 8}, True),
        ("live_stream_cap", {"max_streams": 0}, False),
        ("live_stream_cap", {"retrospective_only": True}, False),
    ],
)
def test_watchlists_and_live_video_need_identification(
    kind: str, terms: dict[str, Any], *, warned: bool
) -> None:
    verify = condition("match_mode", allowed=["verify_1_1"])
    identify = condition("match_mode", allowed=["identify_1_n"])
    assert bool(told("identification_ruled_out", verify, condition(kind, **terms))) is warned
    assert not told("identification_ruled_out", identify, condition(kind, **terms))


def test_nobody_is_found_in_an_empty_gallery() -> None:
    identify = condition("match_mode", allowed=["identify_1_n"])
    empty = condition("gallery_cap", max_enrolled=0)
    found = one("gallery_zero_with_identification", identify, empty)
    assert found.pointer == "/conditions/1/terms/max_enrolled"
    full = condition("gallery_cap", max_enrolled=1)
    assert not told("gallery_zero_with_identification", identify, full)
    gone = condition("retention_limit", template_days=0)
    assert one("gallery_without_references", gone, full).severity == "error"
    assert not told("gallery_without_references", gone, empty)


def test_what_one_condition_allows_another_does_not_deny_for_the_same_goods() -> None:
    allow = condition("permitted_end_use", allowed=["border_control"])
    deny = condition("permitted_end_use", denied=["border_control"], _={"lines": [1]})
    found = one("allowed_and_denied", allow, deny)
    assert found.pointer == "/conditions/1/terms/denied"
    assert one("allowed_and_denied", deny, allow).pointer == "/conditions/0/terms/denied"
    lines = [line(1), line(2)]
    assert not told("allowed_and_denied", allow | {"lines": [2]}, deny, lines=lines)


def test_the_end_use_of_the_license_is_permitted() -> None:
    denied = condition("permitted_end_use", denied=["border_control"])
    other = condition("permitted_end_use", allowed=["banking_kyc"])
    assert one("end_use_not_permitted", denied).severity == "error"
    assert one("end_use_not_permitted", other).severity == "error"
    assert not told("end_use_not_permitted", condition("permitted_end_use", denied=["military"]))


def test_parties_of_terms_are_parties_of_the_license() -> None:
    found = advice(condition("permitted_end_users", parties=["KE-XYZ"]))
    codes = {each.code: each for each in found}
    assert "KE-XYZ" in codes["party_unknown"].detail
    assert "KE-BCA" in codes["end_user_not_permitted"].detail
    own = condition("permitted_end_users", parties=["KE-BCA", "NORDLICHT"])
    assert not told("party_unknown", own) + told("end_user_not_permitted", own)
    none = condition("subcontractor_control", approved=[])
    assert not told("end_user_not_permitted", none)


def test_units_are_heard_in_every_reporting_period() -> None:
    heart = condition("heartbeat", every_hours=800)
    cadence = condition("reporting_cadence", every="P1M")
    assert "744 hours" in one("heartbeat_slower_than_reports", heart, cadence).detail
    assert not told(
        "heartbeat_slower_than_reports", condition("heartbeat", every_hours=744), cadence
    )
