"""What nobody types, and somebody sends: refused as a problem, never a fault of ours."""

from collections.abc import Callable

import pytest

from app.access.rules import Role
from tests.conftest import Browser, Door, OpenDoor
from tests.doors.arrivals import PASSWORD, Somebody, accepted, invited, joined, registered
from tests.doors.filings import problem

JSON = {"Content-Type": "application/json"}
STRANGE = [
    r"\ud800",
    r"\u0000",
    r"a\u0000@b",
    r"\ufeff",
    "x" * 10_000,
    "",
    "'; --",
    r"\u202eevil@x.example",
]


@pytest.fixture
def administrator(door: OpenDoor) -> Door:
    return door(Role.ADMINISTRATOR)


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/sign-in", '{"sign_in": "%s", "password": "wrong wrong wrong"}'),
        ("/v1/sign-in", '{"sign_in": "a@b", "password": "%s"}'),
        ("/v1/invitations/acceptance", '{"token": "%s", "password": "violet anchor teapot"}'),
        ("/v1/invitations/acceptance", '{"token": "ewi_", "password": "violet anchor %s"}'),
        ("/v1/sign-in/recovery-code", '{"code": "%s"}'),
        ("/v1/sign-in/passkey", '{"credential": {"rawId": "%s"}}'),
        ("/v1/sign-in/passkey", '{"credential": "%s"}'),
    ],
)
def test_what_nobody_types_is_refused(
    path: str, body: str, text: str, browser: Callable[[], Browser]
) -> None:
    answer = browser().post(path, content=body % text, headers=JSON)
    assert 400 <= answer.status_code < 500, answer.text
    problem(answer, answer.status_code)


@pytest.mark.parametrize("text", STRANGE)
def test_strange_names_are_refused_or_kept_as_they_are(
    text: str, administrator: Door, browser: Callable[[], Browser]
) -> None:
    token = invited(administrator, Role.EXPORTER, "eve@x.example", party="X")["token"]
    one = browser()
    body = f'{{"token": "{token}", "password": "{PASSWORD}", "name": "{text}"}}'
    answer = one.post("/v1/invitations/acceptance", content=body, headers=JSON)
    assert answer.status_code in {200, 422}, answer.text
    body = f'{{"role": "exporter", "party": "X", "sign_in": "{text}"}}'
    answer = administrator.post("/v1/people/invitations", content=body, headers=JSON)
    assert answer.status_code in {201, 422}, answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": ""},
        {"Host": "[::1"},
        {"Host": "localhost:x"},
        {"Origin": "http://[::1"},
        {"Cookie": "__Host-endwatch=\xff\xfe; __Host-endwatch-device=%00"},
        {"User-Agent": "\xff" * 5_000},
        {"Sec-Fetch-Site": ""},
    ],
)
def test_strange_headers_cause_no_fault(
    headers: dict[str, str], browser: Callable[[], Browser]
) -> None:
    given = {"sign_in": "nobody@x.example", "password": "wrong wrong wrong"}
    client = browser().client
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for path, body in (("/v1/sign-in", given), ("/v1/sign-in/passkey/options", None)):
        answer = client.post(path, json=body, headers=raw)  # type: ignore[arg-type]
        assert answer.status_code < 500, answer.text


def test_who_fails_too_often_waits_also_for_codes_passwords_and_invitations(
    administrator: Door, browser: Callable[[], Browser]
) -> None:
    ada = joined(administrator, browser(), Role.REVIEWER, "ada@example.org")
    other = browser()
    ada.enter(other)
    wrong = {"code": "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"}
    codes = [other.post("/v1/sign-in/recovery-code", wrong) for _ in range(7)]
    assert [one.status_code for one in codes] == [401] * 6 + [429]
    change = {"current_password": "wrong wrong wrong", "new_password": "copper lantern orchid"}
    changes = [ada.browser.post("/v1/account/password", change) for _ in range(7)]
    assert [one.status_code for one in changes] == [409] * 6 + [429]
    tries = [accepted(other, "ewi_" + "a" * 43) for _ in range(33)]
    assert [one.status_code for one in tries][-3:] == [404, 429, 429]


def test_an_invitation_without_a_name_asks_for_one(
    administrator: Door, browser: Callable[[], Browser]
) -> None:
    token = invited(administrator, Role.EXPORTER, "eve@x.example", party="X")["token"]
    body = {"token": token, "password": PASSWORD}
    answer = browser().post("/v1/invitations/acceptance", body)
    assert problem(answer, 422, "name-needed")["pointer"] == "/name"
    missing = administrator.post("/v1/people/invitations/none/revocation")
    problem(missing, 404, "invitation-unknown")


def test_a_cookie_that_died_does_not_stand_in_the_way_of_a_passkey(
    administrator: Door, browser: Callable[[], Browser]
) -> None:
    ada = joined(administrator, browser(), Role.REVIEWER, "ada@example.org")
    administrator.post(f"/v1/people/{ada.id}/sessions/revocation")
    options = ada.browser.post("/v1/sign-in/passkey/options").json()["options"]
    assert ada.finish(options).json()["state"] == "signed_in"


def test_lists_of_people_and_keys_have_pages(
    administrator: Door, browser: Callable[[], Browser]
) -> None:
    for number in range(3):
        joined(administrator, browser(), Role.EXPORTER, f"e{number}@x.example", party="X")
        administrator.post("/v1/keys", {"role": "auditor", "expires_days": 1})
    for path, expected in (("/v1/people", 3), ("/v1/keys", 4)):
        seen: list[str] = []
        after = ""
        while after is not None:
            page = administrator.get(f"{path}?limit=2{after and '&after=' + after}").json()
            seen += [one["id"] for one in page["items"]]
            after = page["next"]
        assert len(seen) == len(set(seen)) == expected


def test_an_account_shows_its_passkeys_only_when_it_is_signed_in(
    administrator: Door, browser: Callable[[], Browser]
) -> None:
    ada: Somebody = joined(administrator, browser(), Role.REVIEWER, "ada@example.org")
    registered(ada.browser, "phone")
    assert len(ada.browser.get("/v1/account").json()["passkeys"]) == 2
    other = browser()
    ada.enter(other)
    assert other.get("/v1/account").json()["passkeys"] == []
