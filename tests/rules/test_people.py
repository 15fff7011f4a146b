from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.rules import (
    OF_THE_AUTHORITY,
    Actor,
    Role,
    ScopeNotAllowed,
    check_scope,
    id_of,
    same_person,
    scope_of,
)
from app.people import patience, rules
from app.people.patience import (
    LONGEST_WAIT,
    OF_A_DEVICE,
    OF_A_NAME,
    OF_AN_ADDRESS,
    Allowance,
)
from app.people.rules import (
    ForeignOrigin,
    Level,
    PartyAdministratorNeeded,
    Presence,
    RoleUnfit,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ALLOWANCES = st.sampled_from([OF_A_NAME, OF_A_DEVICE, OF_AN_ADDRESS])


@given(count=st.integers(0, 10_000), allowance=ALLOWANCES, ago=st.timedeltas(timedelta(0)))
def test_a_failure_never_shuts_anybody_out_for_longer_than_the_longest_wait(
    count: int, allowance: Allowance, ago: timedelta
) -> None:
    last = NOW - min(ago, timedelta(days=3650))
    found = patience.failed(count, last, allowance, NOW)
    assert 1 <= found.count <= count + 1
    assert found.wait_until is None or NOW < found.wait_until <= NOW + LONGEST_WAIT
    assert (found.wait_until is not None) == (found.count > allowance.free)


@given(allowance=ALLOWANCES, times=st.integers(1, 60))
def test_whoever_waits_as_told_is_told_of_twice_however_often_it_fails(
    allowance: Allowance, times: int
) -> None:
    count, last, told = 0, None, 0
    for _ in range(times):
        found = patience.failed(count, last, allowance, NOW)
        count, last, told = found.count, NOW, told + found.to_be_told
    assert told == (1 if times <= allowance.free else 2)


def test_a_clock_that_went_back_forgives_nothing() -> None:
    assert patience.failed(3, NOW + timedelta(days=1), OF_A_NAME, NOW).count == 4


def test_who_guesses_at_one_name_for_a_year_tries_less_than_40000_times() -> None:
    at, count, last, tries = NOW, 0, None, 0
    while at < NOW + timedelta(days=365):
        found = patience.failed(count, last, OF_A_NAME, at)
        count, last, tries = found.count, at, tries + 1
        at = found.wait_until or at
    assert tries < 40_000


@pytest.mark.parametrize(
    ("host", "block"),
    [
        (None, "unknown"),
        ("testclient", "unknown"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_address_counts_as_one_household(host: str | None, block: str) -> None:
    assert patience.address_block(host) == block


@pytest.mark.parametrize("role", Role)
def test_a_password_brings_one_as_far_as_role_and_passkeys_say(role: Role) -> None:
    assert rules.level_of(role, passkeys=True, required=False) is Level.SECOND_FACTOR
    assert rules.level_of(role, passkeys=True, required=True) is Level.SECOND_FACTOR
    assert rules.level_of(role, passkeys=False, required=False) is Level.FULL
    needed = Level.ENROLMENT if role in OF_THE_AUTHORITY else Level.FULL
    assert rules.level_of(role, passkeys=False, required=True) is needed


@pytest.mark.parametrize("role", Role)
def test_role_party_and_administration_fit_together(role: Role) -> None:
    party = "X" if role is Role.EXPORTER else None
    rules.check_role(role, party, administers_party=False)
    with pytest.raises(RoleUnfit):
        rules.check_role(role, None if party else "X", administers_party=False)
    if party:
        rules.check_role(role, party, administers_party=True)
    else:
        with pytest.raises(RoleUnfit):
            rules.check_role(role, party, administers_party=True)


@pytest.mark.parametrize("role", Role)
def test_nobody_but_administrators_administers(role: Role) -> None:
    actor = Actor("k", role, "X" if role is Role.EXPORTER else None)
    assert rules.administers(actor) == (role is Role.ADMINISTRATOR)
    if role is not Role.ADMINISTRATOR:
        with pytest.raises(PartyAdministratorNeeded):
            rules.check_administers(actor, Role.EXPORTER, "X")


def test_an_exporters_administrator_administers_its_own_party_alone() -> None:
    chief = Presence("p", Role.EXPORTER, "X", administers_party=True)
    rules.check_administers(chief, Role.EXPORTER, "X")
    for role, party in ((Role.EXPORTER, "Y"), (Role.DASHBOARD, None), (Role.ADMINISTRATOR, None)):
        with pytest.raises(PartyAdministratorNeeded):
            rules.check_administers(chief, role, party)


OWN = frozenset({"https://endwatch.example"})


@pytest.mark.parametrize(
    ("origin", "host", "origins", "own"),
    [
        ("https://endwatch.example", "inner:8000", OWN, True),
        ("https://inner:8000", "inner:8000", OWN, False),
        ("http://endwatch.example", "endwatch.example", OWN, False),
        ("http://localhost:8000", "localhost:8000", frozenset(), True),
        ("https://localhost:8000", "localhost:8000", frozenset(), True),
        ("https://localhost", "localhost:8000", frozenset(), False),
        ("ftp://localhost:8000", "localhost:8000", frozenset(), False),
        ("null", "localhost:8000", frozenset(), False),
        ("https://", "", frozenset(), False),
        ("https://evil.example@localhost", "localhost", frozenset(), False),
        ("http://[::1", "localhost:8000", frozenset(), False),
    ],
)
def test_an_origin_is_our_own_by_setting_or_else_by_host(
    origin: str, host: str, origins: frozenset[str], own: object
) -> None:
    headers = {"origin": origin, "host": host}
    if own:
        rules.check_origin(headers, origins, strictly=True)
    else:
        with pytest.raises(ForeignOrigin):
            rules.check_origin(headers, origins, strictly=False)


def test_a_session_goes_on_until_one_of_its_limits() -> None:
    idle, day = timedelta(minutes=30), timedelta(days=1)
    assert rules.lasts(NOW - idle + timedelta(seconds=1), NOW + day, None, idle, NOW)
    assert not rules.lasts(NOW - idle, NOW + day, None, idle, NOW)
    assert not rules.lasts(NOW, NOW, None, idle, NOW)
    assert not rules.lasts(NOW, NOW + day, NOW - day, idle, NOW)


def test_a_person_is_the_same_in_whatever_role() -> None:
    assert id_of("reviewer:abc") == id_of("abc") == "abc"
    assert same_person("reviewer:abc", "supervisor:abc")
    assert same_person("abc", "licensing_officer:abc")
    assert not same_person("reviewer:abc", "reviewer:abd")


@pytest.mark.parametrize(
    ("path", "method", "scope"),
    [
        ("/v1/licenses", "GET", "licenses:read"),
        ("/v1/licenses/{number}/amendments", "POST", "licenses:write"),
        ("/v1/evidence", "PUT", "evidence:write"),
        ("/v1/evidence/{digest}", "HEAD", "evidence:read"),
        ("/v1/calendars", "DELETE", "calendars:write"),
        ("/epcis/capture", "POST", "epcis:write"),
        ("/openrosa/formList", "GET", "openrosa:read"),
        ("/", "GET", ":read"),
    ],
)
def test_a_scope_is_a_resource_and_how_it_is_used(path: str, method: str, scope: str) -> None:
    assert scope_of(path, method) == scope


def test_a_person_is_never_taken_for_a_key() -> None:
    assert {len(rules.mint_id()) for _ in range(20)} == {12}
    assert len({rules.mint_id() for _ in range(200)}) == 200


NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_key_with_scopes_opens_these_and_no_other() -> None:
    reader = Actor("k", Role.DASHBOARD, scopes=frozenset({"alerts:read"}))
    check_scope(Actor("k", Role.DASHBOARD), "/v1/licenses", "GET")
    check_scope(reader, "/v1/alerts/current", "GET")
    with pytest.raises(ScopeNotAllowed, match="scope alerts:write"):
        check_scope(reader, "/v1/alerts", "POST")


def test_a_sign_in_name_is_compared_without_case_or_space() -> None:
    assert rules.folded("  Ada@Example.ORG ") == "ada@example.org"


def test_only_a_person_is_asked_for_a_recent_sign_in() -> None:
    rules.check_fresh(Actor("k", Role.ADMINISTRATOR), NOON)
    fresh = Presence("p", Role.ADMINISTRATOR, authenticated_at=NOON - rules.RECENT)
    rules.check_fresh(fresh, NOON)
    for stale in (None, NOON - rules.RECENT - timedelta(seconds=1)):
        with pytest.raises(rules.SignInTooOld):
            rules.check_fresh(Presence("p", Role.ADMINISTRATOR, authenticated_at=stale), NOON)


@pytest.mark.parametrize(
    ("headers", "strictly", "foreign"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"origin": "https://own.example"}, True, False),
        ({"origin": "https://other.example"}, False, True),
        ({"origin": "https://own.example", "sec-fetch-site": "cross-site"}, True, True),
        ({"origin": "https://own.example", "sec-fetch-site": "same-origin"}, True, False),
        ({"sec-fetch-site": "none"}, False, False),
    ],
)
def test_a_change_that_another_site_asks_for_is_refused(
    headers: dict[str, str],
    strictly: bool,  # noqa: FBT001 a table
    foreign: bool,  # noqa: FBT001 a table
) -> None:
    own = frozenset({"https://own.example"})
    if not foreign:
        rules.check_origin(headers, own, strictly=strictly)
        return
    with pytest.raises(rules.ForeignOrigin):
        rules.check_origin(headers, own, strictly=strictly)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (None, "another program"),
        ("curl/8.5", "curl"),
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) Version/17 Safari/605", "Safari on macOS"),
    ],
)
def test_a_browser_is_named_so_coarsely_that_it_names_nobody(told: str | None, shown: str) -> None:
    assert rules.browser(told) == shown


def test_an_administrator_administers_everybody() -> None:
    for role in Role:
        rules.check_administers(Actor("k", Role.ADMINISTRATOR), role, None)
