from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from app.access.rules import Role
from app.database import Sessions
from app.people import passwords, tidying
from app.people.models import Invitation, Person
from tests.conftest import Browser, Clock, Door, OpenDoor, SignedIn
from tests.doors.arrivals import PASSWORD, Somebody, accepted, invited, joined, registered, told
from tests.doors.filings import problem

NewBrowser = Callable[[], Browser]


@pytest.fixture
def administrator(door: OpenDoor) -> Door:
    return door(Role.ADMINISTRATOR)


@pytest.fixture
def eve(administrator: Door, browser: NewBrowser) -> Somebody:
    """An exporter's person, who needs no passkey."""
    return joined(
        administrator, browser(), Role.EXPORTER, "eve@nordlicht.example", party="NORDLICHT"
    )


@pytest.fixture
def chief(administrator: Door, browser: NewBrowser) -> Somebody:
    """An exporter's own administrator."""
    more = {"party": "NORDLICHT", "administers_party": True}
    return joined(administrator, browser(), Role.EXPORTER, "chief@nordlicht.example", **more)


def test_an_invitation_makes_a_person_of_its_role(
    administrator: Door, browser: NewBrowser, sessions: Sessions
) -> None:
    one = browser()
    made = invited(administrator, Role.EXPORTER, " Eve@Nordlicht.EXAMPLE ", party="NORDLICHT")
    assert made["sign_in"] == "eve@nordlicht.example"
    assert accepted(one, made["token"], name="Eve").json()["state"] == "signed_in"

    account = one.get("/v1/account").json()["person"]
    assert (account["name"], account["role"], account["party"]) == ("Eve", "exporter", "NORDLICHT")
    assert one.get("/v1/licenses").json()["items"] == []
    (entry,) = told(sessions, "person.joined")
    assert entry["body"]["name"]["commitment"]
    assert entry["body"]["sign_in"]["commitment"]
    with sessions() as session:
        entries = str(session.execute(text("SELECT body FROM journal_pending")).all())
    assert "Eve" not in entries
    assert "eve@" not in entries


def test_an_invitation_works_once_for_seven_days(
    administrator: Door, browser: NewBrowser, time: Clock, sessions: Sessions
) -> None:
    made = invited(administrator, Role.EXPORTER, "a@x.example", party="X")
    accepted(browser(), made["token"])
    problem(accepted(browser(), made["token"]), 409, "invitation-used")
    path = f"/v1/people/invitations/{made['id']}/revocation"
    problem(administrator.post(path), 409, "invitation-used")

    ended = invited(administrator, Role.EXPORTER, "b@x.example", party="X")
    gone = administrator.post(f"/v1/people/invitations/{ended['id']}/revocation")
    assert gone.json()["revoked_at"]
    problem(accepted(browser(), ended["token"]), 409, "invitation-revoked")

    late = invited(administrator, Role.EXPORTER, "c@x.example", party="X")
    time.forward(days=7)
    problem(accepted(browser(), late["token"]), 409, "invitation-expired")
    for wrong in ("", "ewi_", f"{late['token']}x", late["token"][:-1], "ewi_" + "a" * 43):
        problem(accepted(browser(), wrong), 404, "invitation-unknown")
    assert told(sessions, "person.sign_in_refused")


def test_only_a_hash_of_tokens_and_passwords_is_stored(
    eve: Somebody, administrator: Door, sessions: Sessions
) -> None:
    token = invited(administrator, Role.EXPORTER, "b@x.example", party="X")["token"]
    with sessions() as session:
        stored = str(
            session.execute(
                text(
                    "SELECT p::text, i::text, s::text FROM people p, invitations i, person_sessions s"
                )
            ).all()
        )
        person = session.get_one(Person, eve.id)
        assert (person.password or "").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "eve@nordlicht.example" in stored
    for secret in (token, PASSWORD, eve.browser.cookie):
        assert str(secret) not in stored


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "aaaaaaaaaaaaaaaaaaaa",
        "123456789012345",
        "qwertyuiopasdfgh",
        "endwatch endwatch",
        "eve@nordlicht.example",
    ],
)
def test_a_password_that_is_soon_guessed_is_refused(
    password: str, administrator: Door, browser: NewBrowser, sessions: Sessions
) -> None:
    made = invited(administrator, Role.EXPORTER, "eve@nordlicht.example", party="NORDLICHT")
    answer = accepted(browser(), made["token"], password=password)
    assert problem(answer, 422, "password-too-common")["pointer"] == "/password"
    assert accepted(browser(), made["token"]).status_code == 200


@pytest.mark.parametrize("length", [0, 14, 201])
def test_a_password_has_15_to_200_characters(
    length: int, administrator: Door, browser: NewBrowser
) -> None:
    made = invited(administrator, Role.EXPORTER, "eve@x.example", party="X")
    answer = accepted(browser(), made["token"], password="kleiner fuchs " * 20)
    problem(answer, 422, "fields-invalid")
    short = accepted(browser(), made["token"], password=("Zq7#" * 60)[:length])
    assert "Zq7#" not in problem(short, 422, "fields-invalid")["detail"]


@pytest.mark.parametrize(
    "password",
    [
        " kaputte lampe im gang ",
        "лампа в тёмном коридоре",
        "🦊🌋 vulkan fuchs 🌋🦊",
        "tab\tand\x00nul and\nnewline here",
        "Zf4!" + "vulkan laterne teppich orgel " * 6 + "x",
    ],
)
def test_a_password_may_hold_anything_and_is_taken_whole(
    password: str, administrator: Door, browser: NewBrowser
) -> None:
    one = joined_with(password, administrator, browser())
    for wrong in (password[:-1], password + "x", password.strip(), password.upper()):
        if wrong != password:
            answer = browser().post("/v1/sign-in", {"sign_in": one, "password": wrong})
            assert answer.status_code in {401, 422}
    given = {"sign_in": one.upper(), "password": password}
    assert browser().post("/v1/sign-in", given).json()["state"] == "signed_in"


def joined_with(password: str, administrator: Door, browser: Browser) -> str:
    made = invited(administrator, Role.EXPORTER, "eve@x.example", party="X")
    assert accepted(browser, made["token"], password=password).status_code == 200
    return "eve@x.example"


def test_a_wrong_password_and_an_unknown_name_look_the_same(
    eve: Somebody, browser: NewBrowser, sessions: Sessions
) -> None:
    answers = [
        browser().post("/v1/sign-in", {"sign_in": name, "password": "wrong wrong wrong"})
        for name in (eve.sign_in, "nobody@x.example")
    ]
    for answer in answers:
        problem(answer, 401, "sign-in-refused")
        assert "set-cookie" not in answer.headers
    assert answers[0].content == answers[1].content
    assert [one["subject"] for one in told(sessions, "person.sign_in_refused")] == [
        f"person:{eve.id}",
        "sign-in",
    ]


def test_an_unknown_name_costs_as_much_effort_as_a_wrong_password(
    eve: Somebody, browser: NewBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    whole = PasswordHasher.verify

    def counting(self: PasswordHasher, hash: str | bytes, password: str | bytes) -> bool:
        verified.append(str(hash))
        return whole(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    for name in (eve.sign_in, "nobody@x.example"):
        browser().post("/v1/sign-in", {"sign_in": name, "password": "wrong wrong wrong"})
    one, other = verified
    assert one.rpartition("$")[0].rpartition("$")[0] == other.rpartition("$")[0].rpartition("$")[0]


def test_a_hash_of_smaller_parameters_is_renewed_at_the_next_sign_in(
    eve: Somebody, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
        session.get_one(Person, eve.id).password = weak.hash(PASSWORD)
    assert eve.enter().status_code == 200
    with sessions() as session:
        stored = session.get_one(Person, eve.id).password
    assert stored is not None
    assert not passwords.outgrown(stored)
    assert eve.enter().status_code == 200


def test_a_sign_in_has_a_token_of_its_own_and_ends_the_one_before(eve: Somebody) -> None:
    before = eve.browser.cookie
    assert eve.enter().status_code == 200
    assert eve.browser.cookie != before
    cookie = {"Cookie": f"__Host-endwatch={before}"}
    eve.browser.client.cookies.clear()
    problem(eve.browser.client.get("/v1/licenses", headers=cookie), 401, "session-missing")


def test_the_cookie_is_for_this_host_alone_and_for_no_script(eve: Somebody) -> None:
    cookies = [one.lower() for one in eve.enter().headers.get_list("set-cookie")]
    assert cookies
    for cookie in cookies:
        assert cookie.startswith("__host-endwatch")
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= set(cookie.split("; "))
        assert "domain" not in cookie


def test_signing_out_ends_the_session(eve: Somebody, browser: NewBrowser) -> None:
    token = eve.browser.cookie
    done = eve.browser.post("/v1/sign-out")
    assert done.status_code == 204
    assert done.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert eve.browser.cookie is None
    cookie = {"Cookie": f"__Host-endwatch={token}"}
    problem(browser().client.get("/v1/licenses", headers=cookie), 401, "session-missing")
    problem(eve.browser.post("/v1/sign-out"), 401, "session-missing")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_cannot_sign_anybody_in(
    headers: dict[str, str], eve: Somebody, browser: NewBrowser
) -> None:
    given = {"sign_in": eve.sign_in, "password": PASSWORD}
    one = browser().client
    problem(one.post("/v1/sign-in", json=given, headers=headers), 403, "foreign-origin")
    assert one.post("/v1/sign-in", json=given).status_code == 200  # a program without a browser


def test_sessions_are_listed_and_ended_one_by_one_or_all_others(
    eve: Somebody, browser: NewBrowser, time: Clock
) -> None:
    phone, tablet = browser(), browser()
    time.forward(minutes=2)
    for other in (phone, tablet):
        eve.enter(other)
    listed = eve.browser.get("/v1/account/sessions").json()
    assert [one["own"] for one in listed].count(True) == 1
    assert {one["browser"] for one in listed} == {"Firefox on Linux"}
    mine = phone.get("/v1/account").json()["session"]["id"]
    ended = eve.browser.post(f"/v1/account/sessions/{mine}/revocation").json()["ended"]
    assert ended == [mine]
    problem(phone.get("/v1/licenses"), 401, "session-missing")
    assert tablet.get("/v1/licenses").status_code == 200
    assert len(eve.browser.post("/v1/account/sessions/revocation").json()["ended"]) == 1
    problem(tablet.get("/v1/licenses"), 401, "session-missing")
    assert eve.browser.get("/v1/licenses").status_code == 200


def test_nobody_ends_the_sessions_of_others_but_their_administrator(
    eve: Somebody, chief: Somebody, administrator: Door, signed_in: SignedIn
) -> None:
    theirs = eve.browser.get("/v1/account").json()["session"]["id"]
    path = f"/v1/account/sessions/{theirs}/revocation"
    problem(signed_in(Role.AUDITOR).post(path), 404, "session-unknown")
    problem(chief.browser.post(path), 404, "session-unknown")
    done = administrator.post(f"/v1/people/{eve.id}/sessions/revocation")
    assert done.json()["ended"] == [theirs]
    problem(eve.browser.get("/v1/licenses"), 401, "session-missing")
    eve.enter()
    done = chief.browser.post(f"/v1/people/{eve.id}/sessions/revocation")
    assert len(done.json()["ended"]) == 1


def test_a_password_is_changed_by_who_knows_it(
    eve: Somebody, browser: NewBrowser, sessions: Sessions
) -> None:
    other = browser()
    eve.enter(other)
    new = "copper lantern orchid voyage"
    wrong = {"current_password": "wrong wrong wrong", "new_password": new}
    problem(eve.browser.post("/v1/account/password", wrong), 409, "password-wrong")
    common = {"current_password": PASSWORD, "new_password": "passwordpassword"}
    answer = eve.browser.post("/v1/account/password", common)
    assert problem(answer, 422, "password-too-common")["pointer"] == "/new_password"
    before = eve.browser.cookie
    given = {"current_password": PASSWORD, "new_password": new}
    assert eve.browser.post("/v1/account/password", given).status_code == 200
    assert eve.browser.cookie != before
    assert eve.browser.get("/v1/account").status_code == 200
    problem(other.get("/v1/licenses"), 401, "session-missing")
    problem(eve.enter(other), 401, "sign-in-refused")
    eve.password = new
    assert eve.enter(other).status_code == 200
    assert len(told(sessions, "person.password_changed")) == 1


def test_credentials_are_changed_by_who_signed_in_lately(
    chief: Somebody, eve: Somebody, time: Clock
) -> None:
    one = chief.browser
    time.forward(minutes=16)
    assert one.get("/v1/account").status_code == 200
    password = {"current_password": PASSWORD, "new_password": "copper lantern orchid"}
    key = {"role": "exporter", "party": "NORDLICHT", "expires_days": 30}
    invitation = {"role": "exporter", "party": "NORDLICHT", "sign_in": "x@nordlicht.example"}
    for path, body in {
        "/v1/account/password": password,
        "/v1/account/passkeys/options": None,
        "/v1/account/recovery-codes": None,
        "/v1/account/passkeys/x/removal": None,
        "/v1/keys": key,
        "/v1/people/invitations": invitation,
        f"/v1/people/{eve.id}/role": {"role": "exporter", "party": "NORDLICHT"},
        f"/v1/people/{eve.id}/reset": None,
    }.items():
        problem(one.post(path, body), 403, "sign-in-too-old")
    chief.enter()
    assert one.post("/v1/keys", key).status_code == 201


def test_an_exporters_administrator_invites_its_own_people_alone(
    chief: Somebody, administrator: Door, browser: NewBrowser, eve: Somebody
) -> None:
    invited(chief.browser, Role.EXPORTER, "new@nordlicht.example", party="NORDLICHT")
    for body in (
        {"role": "exporter", "party": "OTHER"},
        {"role": "reviewer"},
        {"role": "administrator"},
    ):
        answer = chief.browser.post("/v1/people/invitations", {"sign_in": "b@x.example"} | body)
        problem(answer, 403, "party-administrator-needed")
    plain = {"sign_in": "b@x.example", "role": "exporter", "party": "NORDLICHT"}
    problem(eve.browser.post("/v1/people/invitations", plain), 403, "party-administrator-needed")
    stranger = joined(administrator, browser(), Role.EXPORTER, "s@other.example", party="OTHER")
    seen = {one["id"] for one in chief.browser.get("/v1/people").json()["items"]}
    assert seen == {chief.id, eve.id}
    for what, given in (("end", None), ("reset", None), ("sessions/revocation", None)):
        path = f"/v1/people/{stranger.id}/{what}"
        problem(chief.browser.post(path, given), 404, "person-unknown")
    role = {"role": "exporter", "party": "NORDLICHT"}
    problem(chief.browser.post(f"/v1/people/{stranger.id}/role", role), 404, "person-unknown")
    up = {"role": "reviewer"}
    problem(chief.browser.post(f"/v1/people/{eve.id}/role", up), 403, "party-administrator-needed")
    listed = chief.browser.get("/v1/people/invitations").json()
    assert {one["party"] for one in listed} == {"NORDLICHT"}
    assert not any("token" in one for one in listed)


def test_whether_another_partys_person_has_a_name_is_not_told(
    chief: Somebody, administrator: Door, browser: NewBrowser, eve: Somebody
) -> None:
    joined(administrator, browser(), Role.EXPORTER, "s@other.example", party="OTHER")
    body = {"role": "exporter", "party": "NORDLICHT"}
    mine = chief.browser.post("/v1/people/invitations", body | {"sign_in": eve.sign_in})
    problem(mine, 409, "sign-in-name-taken")
    made = invited(chief.browser, Role.EXPORTER, "s@other.example", party="NORDLICHT")
    problem(accepted(browser(), made["token"]), 409, "sign-in-name-taken")


def test_a_role_changes_by_another_administrator_and_asks_for_a_new_sign_in(
    administrator: Door, browser: NewBrowser, sessions: Sessions
) -> None:
    root = joined(administrator, browser(), Role.ADMINISTRATOR, "root@example.org")
    ada = joined(administrator, browser(), Role.REVIEWER, "ada@example.org")
    problem(root.browser.post(f"/v1/people/{root.id}/role", {"role": "reviewer"}), 403, "own-role")
    problem(ada.browser.get("/v1/people"), 403, "role-not-allowed")
    done = root.browser.post(f"/v1/people/{ada.id}/role", {"role": "auditor"})
    assert done.json()["role"] == "auditor"
    told_why = problem(ada.browser.get("/v1/licenses"), 401, "session-missing")
    assert "role was changed" in told_why["detail"]
    ada.finish(ada.enter().json()["options"])
    assert ada.browser.get("/v1/account").json()["person"]["role"] == "auditor"
    (entry,) = told(sessions, "person.role_changed")
    assert entry["actor"] == f"administrator:{root.id}"
    assert entry["body"]["before"]["role"] == "reviewer"
    for wrong in (
        {"role": "exporter"},
        {"role": "reviewer", "party": "X"},
        {"role": "reviewer", "administers_party": True},
    ):
        answer = root.browser.post(f"/v1/people/{ada.id}/role", wrong)
        problem(answer, 422, "role-unfit")


def test_who_may_invite_no_more_has_invited_nobody(
    chief: Somebody, administrator: Door, browser: NewBrowser
) -> None:
    for number, (what, body) in enumerate(
        (("role", {"role": "exporter", "party": "NORDLICHT"}), ("end", None))
    ):
        role = {"role": "exporter", "party": "NORDLICHT", "administers_party": True}
        administrator.post(f"/v1/people/{chief.id}/role", role)
        chief.enter()
        name = f"late{number}@nordlicht.example"
        made = invited(chief.browser, Role.EXPORTER, name, party="NORDLICHT")
        assert administrator.post(f"/v1/people/{chief.id}/{what}", body).status_code == 200
        problem(accepted(browser(), made["token"]), 409, "invitation-revoked")


def test_a_calendar_ends_with_the_account_that_made_it(eve: Somebody, administrator: Door) -> None:
    path = eve.browser.post("/v1/calendars", {"label": "duties"}).json()["path"]
    assert eve.browser.client.get(path).status_code == 200
    administrator.post(f"/v1/people/{eve.id}/end")
    problem(eve.browser.client.get(path), 404, "calendar-unknown")


def test_an_account_that_ended_opens_nothing_and_never_again(
    eve: Somebody, administrator: Door, browser: NewBrowser
) -> None:
    done = administrator.post(f"/v1/people/{eve.id}/end")
    assert done.json()["person"]["state"] == "ended"
    problem(eve.browser.get("/v1/licenses"), 401, "session-missing")
    problem(eve.enter(), 401, "sign-in-refused")
    role = {"role": "exporter", "party": "NORDLICHT"}
    problem(administrator.post(f"/v1/people/{eve.id}/role", role), 409, "person-has-ended")
    problem(administrator.post(f"/v1/people/{eve.id}/reset"), 409, "person-has-ended")
    assert administrator.post(f"/v1/people/{eve.id}/end").status_code == 200


def test_the_last_administrator_stays(administrator: Door, browser: NewBrowser) -> None:
    root = joined(administrator, browser(), Role.ADMINISTRATOR, "root@example.org")
    path = f"/v1/people/{root.id}"
    problem(administrator.post(f"{path}/end"), 409, "last-administrator")
    problem(administrator.post(f"{path}/role", {"role": "reviewer"}), 409, "last-administrator")
    joined(administrator, browser(), Role.ADMINISTRATOR, "other@example.org")
    assert root.browser.post(f"{path}/end").status_code == 200


def test_a_reset_begins_anew_and_ends_all_that_was(
    administrator: Door, browser: NewBrowser, sessions: Sessions
) -> None:
    ada = joined(administrator, browser(), Role.REVIEWER, "ada@example.org")
    made = administrator.post(f"/v1/people/{ada.id}/reset").json()
    assert ada.browser.get("/v1/licenses").status_code == 200  # until it is used
    other = browser()
    new = "copper lantern orchid voyage"
    body = {"token": made["token"], "password": new}
    begun = other.post("/v1/invitations/acceptance", body)
    assert begun.json()["state"] == "passkey_registration_needed"
    problem(ada.browser.get("/v1/licenses"), 401, "session-missing")
    problem(ada.enter(), 401, "sign-in-refused")
    registered(other)
    assert other.get("/v1/account").json()["person"]["id"] == ada.id
    ada.password = new
    asked = ada.enter(ada.browser).json()["options"]
    problem(ada.finish(asked), 401, "passkey-refused")
    code = {"code": ada.codes[0]}
    problem(ada.browser.post("/v1/sign-in/recovery-code", code), 401, "recovery-code-refused")
    assert len(told(sessions, "person.reset")) == 1


def test_what_is_written_for_the_journal_names_nobody(
    eve: Somebody, chief: Somebody, sessions: Sessions
) -> None:
    eve.browser.post("/v1/sign-in", {"sign_in": eve.sign_in, "password": "wrong wrong wrong"})
    with sessions() as session:
        entries = str(session.execute(text("SELECT subject, body FROM journal_pending")).all())
        assert session.query(Invitation).count() == 2
    for personal in ("eve@", "chief@", "Ada Example", "testclient", PASSWORD):
        assert personal not in entries


def guess(browser: Browser, name: str, times: int) -> list[Any]:
    given = {"sign_in": name, "password": "wrong wrong wrong"}
    return [browser.post("/v1/sign-in", given) for _ in range(times)]


def test_guessing_is_slowed_down_but_not_for_the_owner(
    eve: Somebody, browser: NewBrowser, time: Clock, sessions: Sessions
) -> None:
    stranger = browser()
    statuses = [one.status_code for one in guess(stranger, eve.sign_in, 8)]
    assert statuses == [401] * 6 + [429] * 2
    refused = eve.enter(stranger)
    problem(refused, 429, "sign-in-throttled")
    assert 1 <= int(refused.headers["Retry-After"]) <= 3
    assert eve.enter().status_code == 200  # the browser she signed in with before
    told_of = told(sessions, "person.sign_in_refused")
    assert len(told_of) == 2
    time.forward(seconds=3)
    assert eve.enter(stranger).status_code == 200
    assert guess(stranger, eve.sign_in, 1)[0].status_code == 401


def test_each_failure_beyond_the_free_ones_doubles_the_wait_up_to_15_minutes(
    eve: Somebody, browser: NewBrowser, time: Clock
) -> None:
    stranger = browser()
    guess(stranger, eve.sign_in, 5)
    waits = []
    for _ in range(12):
        assert guess(stranger, eve.sign_in, 1)[0].status_code == 401
        told_wait = int(eve.enter(stranger).headers["Retry-After"])
        waits.append(told_wait - 1)
        time.forward(seconds=told_wait)
    assert waits[:4] == [2, 4, 8, 16]
    assert max(waits) == 900


def test_unknown_names_are_slowed_down_alike(browser: NewBrowser) -> None:
    statuses = [one.status_code for one in guess(browser(), "nobody@x.example", 8)]
    assert statuses == [401] * 6 + [429] * 2


def test_an_address_that_tries_many_names_is_slowed_down(
    browser: NewBrowser, sessions: Sessions
) -> None:
    one = browser()
    statuses = [guess(one, f"name{number}@x.example", 1)[0].status_code for number in range(34)]
    assert statuses == [401] * 31 + [429] * 3


def test_a_known_browser_is_counted_by_itself(
    eve: Somebody, browser: NewBrowser, administrator: Door
) -> None:
    statuses = [one.status_code for one in guess(eve.browser, eve.sign_in, 13)]
    assert statuses == [401] * 11 + [429] * 2
    assert eve.enter(browser()).status_code == 200
    bob = joined(administrator, browser(), Role.EXPORTER, "bob@x.example", party="X")
    assert bob.enter(eve.browser).status_code == 200


def test_an_administrator_needs_no_party_and_reads_no_filings(
    administrator: Door, browser: NewBrowser
) -> None:
    root = joined(administrator, browser(), Role.ADMINISTRATOR, "root@example.org")
    assert root.browser.get("/v1/people").status_code == 200
    for path in ("/v1/licenses", "/v1/journal", "/v1/alerts", "/v1/obligations"):
        problem(root.browser.get(path), 403, "role-not-allowed")


def test_what_served_a_sign_in_is_forgotten_and_what_people_are_is_not(
    eve: Somebody, browser: NewBrowser, sessions: Sessions, time: Clock
) -> None:
    other = browser()
    guess(other, "nobody@x.example", 1)
    other.post("/v1/sign-in/passkey/options")
    assert tidying.tidy(sessions, now=time()) == 0
    time.forward(hours=2)
    assert tidying.tidy(sessions, now=time()) == 1
    time.forward(days=3)
    assert tidying.tidy(sessions, now=time()) == 2  # by name and by address
    assert eve.enter().status_code == 200
    time.forward(days=91)
    assert tidying.tidy(sessions, now=time()) == 2  # both sessions
    time.forward(days=365)
    assert tidying.tidy(sessions, now=time()) == 1
    assert eve.enter(other).status_code == 200
