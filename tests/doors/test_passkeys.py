from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.access import service as access
from app.access.rules import Role
from app.database import Sessions
from app.main import create_app
from app.people.ceremonies import PasskeyDomainDiffers, Place
from app.people.models import Passkey, RecoveryCode
from app.settings import Settings
from tests.conftest import Browser, Clock, Door, OpenDoor, SignedIn
from tests.doors.arrivals import (
    Somebody,
    accepted,
    invited,
    joined,
    registered,
    told,
)
from tests.doors.authenticators import PRESENT, VERIFIED, Authenticator
from tests.doors.filings import problem

NewBrowser = Callable[[], Browser]


@pytest.fixture
def administrator(door: OpenDoor) -> Door:
    return door(Role.ADMINISTRATOR)


@pytest.fixture
def ada(administrator: Door, browser: NewBrowser) -> Somebody:
    return joined(administrator, browser(), Role.REVIEWER, "ada@example.org")


def test_people_of_the_authority_need_a_passkey_before_anything_else(
    administrator: Door, browser: NewBrowser
) -> None:
    one = browser()
    token = invited(administrator, Role.REVIEWER, "ada@example.org")["token"]
    half = accepted(one, token)

    assert half.json() == {"state": "passkey_registration_needed", "options": None}
    problem(one.get("/v1/licenses"), 403, "sign-in-unfinished")
    assert one.get("/v1/account").json()["state"] == "passkey_registration_needed"
    before = one.cookie
    _, made = registered(one)
    assert made["state"] == "signed_in"
    assert one.cookie != before
    assert one.get("/v1/licenses").status_code == 200
    account = one.get("/v1/account").json()
    assert (account["state"], account["recovery_codes_left"]) == ("signed_in", 10)
    assert account["passkey_required"] is True


def test_the_passkey_is_asked_for_after_the_password(ada: Somebody, browser: NewBrowser) -> None:
    other = browser()
    asked = ada.enter(other)

    assert asked.json()["state"] == "passkey_needed"
    problem(other.get("/v1/licenses"), 403, "sign-in-unfinished")
    problem(other.post("/v1/account/passkeys/options"), 403, "sign-in-unfinished")
    before = other.cookie
    assert ada.finish(asked.json()["options"], other).json()["state"] == "signed_in"
    assert other.cookie != before
    assert other.get("/v1/licenses").status_code == 200
    dead = {"Cookie": f"__Host-endwatch={before}"}
    other.client.cookies.clear()
    problem(other.client.get("/v1/licenses", headers=dead), 401, "session-missing")


def test_a_passkey_alone_signs_in(ada: Somebody, browser: NewBrowser) -> None:
    other = browser()
    options = other.post("/v1/sign-in/passkey/options").json()["options"]

    assert options["rpId"] == "localhost"
    assert options["userVerification"] == "required"
    assert options.get("allowCredentials", []) == []
    assert ada.finish(options, other).json()["state"] == "signed_in"
    assert other.get("/v1/account").json()["session"]["method"] == "passkey"


def test_a_passkey_alone_must_have_verified_its_person(ada: Somebody, browser: NewBrowser) -> None:
    assert ada.passkey
    ada.passkey.flags = PRESENT
    other = browser()
    options = other.post("/v1/sign-in/passkey/options").json()["options"]
    problem(ada.finish(options, other), 401, "passkey-refused")
    asked = ada.enter(other).json()
    assert ada.finish(asked["options"], other).status_code == 200


WRONG: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://evil.example"},
    "another port": {"origin": "https://localhost:8443"},
    "another domain": {"domain": "evil.example"},
    "another ceremony": {"type": "webauthn.create"},
    "another challenge": {"challenge": "AAAA"},
    "another key": {"key": ec.generate_private_key(ec.SECP256R1())},
    "another person": {"user": b"somebodyelse"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_passkeys_answer_must_fit_what_it_was_asked(
    wrong: dict[str, Any], ada: Somebody, browser: NewBrowser
) -> None:
    assert ada.passkey
    other = browser()
    options = other.post("/v1/sign-in/passkey/options").json()["options"]
    answer = other.post("/v1/sign-in/passkey", {"credential": ada.passkey.sign(options, **wrong)})
    problem(answer, 401, "passkey-refused")
    assert other.cookie is None


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"response": {}},
        {"response": {"clientDataJSON": "????"}},
        {"response": {"clientDataJSON": "e30"}},
        {"response": {"clientDataJSON": 7}},
        {"rawId": [], "response": "x"},
    ],
)
def test_what_is_no_passkeys_answer_is_named_so(
    credential: dict[str, Any], browser: NewBrowser
) -> None:
    answer = browser().post("/v1/sign-in/passkey", {"credential": credential})
    assert problem(answer, 400, "passkey-unreadable")["pointer"] == "/credential"


def test_a_refused_passkey_is_told_to_the_journal(
    ada: Somebody, browser: NewBrowser, sessions: Sessions
) -> None:
    assert ada.passkey
    other = browser()
    for _ in range(3):
        options = other.post("/v1/sign-in/passkey/options").json()["options"]
        credential = ada.passkey.sign(options, origin="https://evil.example")
        other.post("/v1/sign-in/passkey", {"credential": credential})
    (entry,) = told(sessions, "person.sign_in_refused")
    assert entry["body"]["problem"] == "passkey-refused"


def test_an_answer_counts_once_and_for_minutes(
    ada: Somebody, browser: NewBrowser, time: Clock
) -> None:
    assert ada.passkey
    other = browser()
    options = other.post("/v1/sign-in/passkey/options").json()["options"]
    credential = ada.passkey.sign(options)
    assert other.post("/v1/sign-in/passkey", {"credential": credential}).status_code == 200
    replayed = browser().post("/v1/sign-in/passkey", {"credential": credential})
    problem(replayed, 401, "passkey-refused")
    late = browser().post("/v1/sign-in/passkey/options").json()["options"]
    time.forward(minutes=5)
    problem(ada.finish(late, browser()), 401, "passkey-refused")


def test_a_second_factor_counts_in_its_own_sign_in_alone(
    ada: Somebody, administrator: Door, browser: NewBrowser
) -> None:
    bob = joined(administrator, browser(), Role.REVIEWER, "bob@example.org")
    mine, theirs = browser(), browser()
    asked = ada.enter(mine).json()["options"]
    problem(ada.finish(asked, theirs), 401, "passkey-refused")
    problem(ada.finish(asked, mine), 401, "passkey-refused")  # answered once, right or wrong
    bob.enter(theirs)
    asked = ada.enter(mine).json()["options"]
    problem(ada.finish(asked, theirs), 401, "passkey-refused")
    asked = ada.enter(mine).json()["options"]
    assert bob.passkey
    foreign = {"credential": bob.passkey.sign(asked)}
    problem(mine.post("/v1/sign-in/passkey", foreign), 401, "passkey-refused")
    asked = ada.enter(mine).json()["options"]
    assert ada.finish(asked, mine).status_code == 200


def test_a_passkey_that_counts_backwards_is_refused_and_told(
    ada: Somebody, browser: NewBrowser, sessions: Sessions
) -> None:
    assert ada.passkey
    ada.finish(ada.enter().json()["options"])
    ada.passkey.count = 0  # a copy, made before
    other = browser()
    asked = ada.enter(other).json()["options"]
    problem(ada.finish(asked, other), 401, "passkey-copied")
    problem(other.get("/v1/licenses"), 403, "sign-in-unfinished")
    (entry,) = told(sessions, "person.passkey_copied")
    assert entry["subject"] == f"person:{ada.id}"
    assert entry["body"]["address"]["commitment"].startswith("sha256:")
    ada.passkey.count = 10
    assert ada.finish(ada.enter(other).json()["options"], other).status_code == 200


def test_a_passkey_that_never_counts_is_no_copy(ada: Somebody) -> None:
    assert ada.passkey
    ada.passkey.count = ada.passkey.step = 0
    for _ in range(2):
        assert ada.finish(ada.enter().json()["options"]).status_code == 200


def test_recovery_codes_stand_in_for_a_lost_passkey_once_each(
    ada: Somebody, browser: NewBrowser, sessions: Sessions
) -> None:
    assert len(set(ada.codes)) == 10
    one, two = ada.codes[:2]
    other = browser()
    problem(other.post("/v1/sign-in/recovery-code", {"code": one}), 401, "session-missing")
    ada.enter(other)
    typed = one.upper().replace("-", " ")
    assert other.post("/v1/sign-in/recovery-code", {"code": typed}).json()["state"] == "signed_in"
    assert other.get("/v1/account").json()["recovery_codes_left"] == 9
    ada.enter(other)
    used = other.post("/v1/sign-in/recovery-code", {"code": one})
    problem(used, 401, "recovery-code-refused")
    assert other.post("/v1/sign-in/recovery-code", {"code": two}).status_code == 200
    fresh = other.post("/v1/account/recovery-codes").json()["recovery_codes"]
    ada.enter(other)
    old = other.post("/v1/sign-in/recovery-code", {"code": ada.codes[2]})
    problem(old, 401, "recovery-code-refused")
    assert other.post("/v1/sign-in/recovery-code", {"code": fresh[0]}).status_code == 200
    with sessions() as session:
        assert all(len(row.digest) == 32 for row in session.query(RecoveryCode))
    assert len(told(sessions, "person.recovery_code_used")) == 3


def test_passkeys_are_listed_named_and_removed_but_for_the_last(
    ada: Somebody, sessions: Sessions
) -> None:
    (first,) = ada.browser.get("/v1/account/passkeys").json()
    removal = f"/v1/account/passkeys/{first['id']}/removal"
    problem(ada.browser.post(removal), 409, "last-second-factor")
    _, made = registered(ada.browser, "phone")
    assert made["recovery_codes"] is None
    named = ada.browser.post(f"/v1/account/passkeys/{first['id']}/name", {"name": "drawer"})
    assert named.json()["name"] == "drawer"
    assert ada.browser.post(removal).status_code == 200
    listed = ada.browser.get("/v1/account/passkeys").json()
    assert [one["name"] for one in listed] == ["phone"]
    problem(ada.browser.post(removal), 404, "passkey-unknown")
    problem(ada.finish(ada.enter().json()["options"]), 401, "passkey-refused")
    assert len(told(sessions, "person.passkey_removed")) == 1
    with sessions() as session:
        assert session.query(Passkey).count() == 2


def test_nobody_touches_the_passkeys_of_others(
    ada: Somebody, administrator: Door, browser: NewBrowser
) -> None:
    bob = joined(administrator, browser(), Role.REVIEWER, "bob@example.org")
    (theirs,) = ada.browser.get("/v1/account/passkeys").json()
    for what, body in (("name", {"name": "mine"}), ("removal", None)):
        path = f"/v1/account/passkeys/{theirs['id']}/{what}"
        problem(bob.browser.post(path, body), 404, "passkey-unknown")


def test_a_passkey_is_registered_once(ada: Somebody) -> None:
    assert ada.passkey
    asked = ada.browser.post("/v1/account/passkeys/options").json()["options"]
    assert [one["id"] for one in asked["excludeCredentials"]]
    given = {"name": "again", "credential": ada.passkey.register(asked)}
    problem(ada.browser.post("/v1/account/passkeys", given), 409, "passkey-known")


@pytest.mark.parametrize("what", ["another origin", "another domain", "another challenge"])
def test_a_registration_must_fit_what_was_asked(what: str, ada: Somebody) -> None:
    asked = ada.browser.post("/v1/account/passkeys/options").json()["options"]
    credential = Authenticator().register(asked, **WRONG[what])
    given = {"name": "wrong", "credential": credential}
    problem(ada.browser.post("/v1/account/passkeys", given), 401, "passkey-refused")


def test_what_was_asked_in_one_session_is_not_answered_in_another(
    ada: Somebody, signed_in: SignedIn
) -> None:
    asked = ada.browser.post("/v1/account/passkeys/options").json()["options"]
    other = signed_in(Role.AUDITOR)
    given = {"name": "swapped", "credential": Authenticator().register(asked)}
    problem(other.post("/v1/account/passkeys", given), 401, "passkey-refused")


def test_passkeys_belong_to_one_name_of_the_service(ada: Somebody, app: FastAPI) -> None:
    away = TestClient(app, "https://elsewhere.example", raise_server_exceptions=False)
    away.portal = ada.browser.client.portal
    problem(away.post("/v1/sign-in/passkey/options"), 409, "passkey-domain-differs")


def test_where_addresses_are_set_the_host_header_does_not_matter() -> None:
    origins = frozenset({"https://endwatch.example", "https://eu.endwatch.example"})
    place = Place.of("endwatch.example", origins, "inner:8000")
    assert place.origins == tuple(sorted(origins))
    own = Place.of("endwatch.example", frozenset(), "eu.endwatch.example:8443")
    assert own.origins[0] == "https://eu.endwatch.example:8443"
    for host in ("", "endwatch.example.evil.example", "notendwatch.example", "localhost"):
        with pytest.raises(PasskeyDomainDiffers):
            Place.of("endwatch.example", frozenset(), host)


def test_where_passkeys_are_optional_a_password_is_enough(
    settings: Settings, sessions: Sessions, time: Clock
) -> None:
    loose = settings.model_copy(update={"passkeys": "optional"})
    app = create_app(loose, time)
    with TestClient(app) as client:
        administrator = Browser(app, client)
        with sessions.begin() as session:
            _, token = access.issue(session, Role.ADMINISTRATOR, party=None, label="", now=time())
        administrator.headers = {"Authorization": f"Bearer {token}"}
        ada = joined(administrator, Browser(app, client), Role.REVIEWER, "ada@example.org")
        assert ada.passkey is None
        assert ada.browser.get("/v1/licenses").status_code == 200
        ada.passkey, _ = registered(ada.browser)
        assert ada.enter().json()["state"] == "passkey_needed"
        assert ada.passkey.flags == PRESENT | VERIFIED
        assert ada.finish(ada.enter().json()["options"]).status_code == 200
        (one,) = ada.browser.get("/v1/account/passkeys").json()
        gone = ada.browser.post(f"/v1/account/passkeys/{one['id']}/removal")
        assert gone.status_code == 200
