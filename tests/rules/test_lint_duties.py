import pytest

from tests.rules.drafts import advice, one, told
from tests.world import condition


def test_a_cadence_binds_somebody() -> None:
    assert one("nobody_bound", condition("reporting_cadence", every="P3M")).severity == "warning"
    by = condition("reporting_cadence", every="P3M", by="exporter")
    binds = condition("reporting_cadence", every="P3M", _={"binds": ["exporter"]})
    assert not told("nobody_bound", by) + told("nobody_bound", binds)
    assert not told("nobody_bound", condition("heartbeat", every_hours=72))


def test_a_role_nobody_has_is_told() -> None:
    by = one("role_without_party", condition("reporting_cadence", every="P3M", by="purchaser"))
    assert (by.severity, by.pointer) == ("error", "/conditions/0/terms/by")
    cap = condition("gallery_cap", max_enrolled=5, _={"binds": ["end_user", "subcontractor"]})
    bound = one("role_without_party", cap)
    assert (bound.severity, bound.pointer) == ("warning", "/conditions/0/binds/1")


def test_a_report_is_owed_by_somebody_who_can_file_it() -> None:
    by = condition("reporting_cadence", every="P3M", by="end_user")
    assert one("bound_cannot_file", by).pointer == "/conditions/0/terms/by"
    binds = condition("reporting_cadence", every="P3M", _={"binds": ["end_user"]})
    assert one("bound_cannot_file", binds).pointer == "/conditions/0/binds"
    both = condition("reporting_cadence", every="P3M", _={"binds": ["end_user", "exporter"]})
    assert not told("bound_cannot_file", both)


@pytest.mark.parametrize(
    ("begins", "ends", "code", "severity"),
    [
        ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z", "never_in_force", "error"),
        ("2028-03-02T00:00:00Z", None, "never_in_force", "error"),
        (None, "2026-03-02T00:00:00Z", "never_in_force", "error"),
        ("2026-03-01T23:59:59Z", None, "in_force_before_grant", "warning"),
        (None, "2028-03-02T00:00:01Z", "in_force_after_expiry", "note"),
    ],
)
def test_a_condition_is_in_force_while_its_license_is(
    begins: str | None, ends: str | None, code: str, severity: str
) -> None:
    cap = condition("gallery_cap", max_enrolled=5000)
    cap |= {"effective_from": begins, "effective_to": ends}
    found = told(code, cap)
    assert [each.severity for each in found] == [severity]


def test_times_within_the_license_are_fine() -> None:
    cap = condition("gallery_cap", "At most 5,000.", max_enrolled=5000)
    cap |= {"effective_from": "2026-03-02T00:00:00Z", "effective_to": "2028-03-02T00:00:00Z"}
    assert {each.pointer for each in advice(cap)} == {"/conditions"}
    assert {each.pointer for each in advice(cap, expires_on=None)} == {"/conditions"}


def test_something_falls_due_before_the_license_expires() -> None:
    yearly = condition("reporting_cadence", every="P3Y", by="exporter")
    assert "2029-03-02" in one("expires_before_first_due", yearly).detail
    assert not told("expires_before_first_due", yearly, expires_on="2029-03-02")
    assert not told("expires_before_first_due", yearly, expires_on=None)
    late = condition("reporting_cadence", every="P1M", by="exporter", starts="9999-12-01")
    assert told("expires_before_first_due", late)
    last = condition("reporting_cadence", every="P10Y", by="exporter")
    last |= {"effective_from": "9999-12-31T23:59:59Z"}
    assert not told("expires_before_first_due", last, time_zone="Africa/Nairobi")
    first = last | {"effective_from": "0001-01-01T00:00:00Z"}
    assert told("expires_before_first_due", first, time_zone="America/Lima")


def test_no_period_begins_before_the_grant() -> None:
    early = condition("reporting_cadence", every="P1M", by="exporter", starts="2026-03-01")
    assert one("starts_before_grant", early).severity == "warning"
    on_the_day = condition("reporting_cadence", every="P1M", by="exporter", starts="2026-03-02")
    assert not told("starts_before_grant", on_the_day)
