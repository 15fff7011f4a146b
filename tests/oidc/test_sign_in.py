"""Signing in by the identity provider, through the doors: who comes in, as what, and who does not."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, text

from app.access.rules import Role
from app.database import Sessions
from app.journal.models import PendingEntry
from app.main import create_app
from app.people import oidc_rules, passwords
from app.people.models import Challenge, Person, PersonIdentity, PersonSession
from app.people.oidc_router import BEGUN
from app.people.reception import AT_ONCE, IN_LINE, Refusals
from app.people.recognition import COOKIE
from app.settings import Settings
from tests.conftest import Browser, Clock, MakePerson, SignedIn, settings_for
from tests.doors.filings import problem
from tests.oidc.hostile import Hostile, provider

BEGIN = "/v1/sign-in/oidc"
CALLBACK = "/v1/sign-in/oidc/callback"
NewBrowser = Callable[[], Browser]


@pytest.fixture
def hostile(time: Clock) -> Iterator[Hostile]:
    with provider(time) as one:
        yield one


@pytest.fixture
def settings(database_url: str, tmp_path: Path, hostile: Hostile) -> Settings:
    return settings_for(database_url, data_dir=tmp_path / "data", **hostile.settings())


def begin(one: Browser, **query: str) -> Any:
    return one.get(BEGIN, params=query, follow_redirects=False)


def finish(one: Browser, query: dict[str, str]) -> Any:
    return one.get(CALLBACK, params=query, follow_redirects=False)


def sign_in(one: Browser, hostile: Hostile, **query: str) -> Any:
    """Go to the provider, agree, and come back."""
    sent = begin(one, **query)
    assert sent.status_code == 303, sent.text
    return finish(one, hostile.consent(sent.headers["Location"]).query)


def people(sessions: Sessions) -> list[Person]:
    with sessions() as session:
        return list(session.scalars(select(Person).order_by(Person.made_at)))


def told(sessions: Sessions) -> list[PendingEntry]:
    with sessions() as session:
        return list(session.scalars(select(PendingEntry).order_by(PendingEntry.id)))


def refusals(sessions: Sessions) -> list[dict[str, Any]]:
    return [one.body for one in told(sessions) if one.action == "person.sign_in_refused"]


def test_somebody_new_comes_in_with_the_role_of_the_group(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    ada = browser()
    answer = sign_in(ada, hostile, return_to="/v1/licenses?limit=1")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/v1/licenses?limit=1")
    assert ada.get("/v1/licenses").status_code == 200
    (person,) = people(sessions)
    assert (person.name, person.sign_in) == ("Ada Example", "ada@example.org")
    assert (person.role, person.party, person.password) == (Role.AUDITOR, None, None)
    assert [one.action for one in told(sessions)] == [
        "person.joined",
        "person.identity_joined",
        "person.signed_in",
    ]
    assert {one.actor for one in told(sessions)} == {"provider:oidc", f"auditor:{person.id}"}
    assert "Ada" not in json.dumps([one.body for one in told(sessions)])


def test_the_cookies_are_for_this_host_alone_and_the_answer_is_not_kept(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    one = browser()
    sent = begin(one)
    cookie = sent.headers["Set-Cookie"]
    assert cookie.startswith(f"{BEGUN}=")
    for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age=600"):
        assert part in cookie
    assert "Domain" not in cookie
    answer = finish(one, hostile.consent(sent.headers["Location"]).query)
    for given in (sent, answer):
        assert given.headers["Cache-Control"] == "no-store"
        assert given.headers["Referrer-Policy"] == "no-referrer"
    session, gone = answer.headers.get_list("Set-Cookie")
    assert session.startswith(f"{COOKIE}=")
    assert gone.startswith(f'{BEGUN}=""')
    with sessions() as database:
        stored = repr(database.execute(text("SELECT * FROM challenges")).all())
    assert one.cookie
    assert one.cookie not in stored
    assert cookie.partition("=")[2].partition(".")[0] not in stored


def test_the_same_subject_is_the_same_person_whatever_the_name(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    sign_in(browser(), hostile)
    hostile.user = {"name": "Ada Married", "email": "other@example.org"}
    sign_in(browser(), hostile)
    (person,) = people(sessions)
    assert (person.name, person.sign_in) == ("Ada Married", "ada@example.org")

    hostile.user = {"sub": "another", "email": None}
    sign_in(browser(), hostile)
    assert people(sessions)[1].sign_in == f"another@127.0.0.1:{hostile.port}"
    with sessions() as session:
        assert len(session.scalars(select(PersonIdentity)).all()) == 2


def test_a_role_changed_at_the_provider_holds_at_once_everywhere(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    before, after = browser(), browser()
    hostile.user = {"groups": ["eum-inspectors"]}
    sign_in(before, hostile)
    hostile.user = {"groups": ["auditors"]}
    sign_in(after, hostile)

    problem(before.get("/v1/licenses"), 401, "session-missing")
    assert after.get("/v1/licenses").status_code == 200
    (person,) = people(sessions)
    assert person.role == Role.AUDITOR
    (change,) = [one for one in told(sessions) if one.action == "person.role_changed"]
    assert change.actor == "provider:oidc"
    assert (change.body["role_before"], change.body["role"]) == ("inspector", "auditor")


def test_who_has_no_group_any_more_is_refused_and_put_out(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    inside = browser()
    sign_in(inside, hostile)
    hostile.user = {"groups": ["staff"]}
    problem(sign_in(browser(), hostile), 403, "no-role-for-you")
    problem(inside.get("/v1/licenses"), 401, "session-missing")
    hostile.user = {"sub": "new", "groups": []}
    problem(sign_in(browser(), hostile), 403, "no-role-for-you")
    assert len(people(sessions)) == 1
    assert refusals(sessions) == [{"problem": "no-role-for-you", "times": 1}]


def test_a_person_who_has_ended_here_stays_out(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions, time: Clock
) -> None:
    sign_in(browser(), hostile)
    with sessions.begin() as session:
        person = session.scalars(select(Person)).one()
        person.state, person.ended_at = "ended", time()
    hostile.user = {"groups": ["admins"]}
    problem(sign_in(browser(), hostile), 409, "person-has-ended")
    assert people(sessions)[0].role == Role.AUDITOR


def test_an_account_that_was_ended_here_is_not_joined_either(
    browser: NewBrowser, hostile: Hostile, make_person: MakePerson, time: Clock
) -> None:
    make_person(Role.AUDITOR, sign_in="ada@example.org", state="ended", ended_at=time())
    problem(sign_in(browser(), hostile), 409, "person-has-ended")


def test_an_address_that_went_to_somebody_else_makes_another_person(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    sign_in(browser(), hostile)
    hostile.user = {"sub": "Another-Ada"}
    assert sign_in(browser(), hostile).status_code == 303
    assert sign_in(browser(), hostile).status_code == 303
    first, second = people(sessions)
    assert first.sign_in == "ada@example.org"
    assert second.sign_in == f"another-ada@127.0.0.1:{hostile.port}"


def test_nobody_becomes_a_person_on_file_by_the_address_alone(
    browser: NewBrowser,
    hostile: Hostile,
    sessions: Sessions,
    make_person: MakePerson,
    signed_in: SignedIn,
) -> None:
    known = make_person(Role.SUPERVISOR, sign_in="ada@example.org")
    problem(sign_in(browser(), hostile), 409, "account-not-joined")
    problem(sign_in(signed_in(Role.AUDITOR), hostile), 409, "account-not-joined")

    hers = signed_in(known)
    assert sign_in(hers, hostile).status_code == 303
    with sessions() as session:
        assert session.scalars(select(PersonIdentity.person_id)).one() == known.id
        assert session.get_one(Person, known.id).role == Role.AUDITOR
    assert sign_in(browser(), hostile).status_code == 303


def test_whom_the_provider_knows_comes_in_by_the_provider_alone(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions, signed_in: SignedIn
) -> None:
    ada = browser()
    sign_in(ada, hostile)
    (person,) = people(sessions)
    administrator = signed_in(Role.ADMINISTRATOR)
    reset = administrator.post(f"/v1/people/{person.id}/reset")
    assert reset.status_code == 201, reset.text

    given = {"token": reset.json()["token"], "password": "a long and quite unusual sentence"}
    problem(browser().post("/v1/invitations/acceptance", given), 403, "provider-needed")
    assert people(sessions)[0].password is None
    assert ada.get("/v1/account").json()["person"]["sign_in"] == "ada@example.org"

    with sessions.begin() as session:
        session.get_one(Person, person.id).password = passwords.hashed(given["password"])
    tried = {"sign_in": "ada@example.org", "password": given["password"]}
    problem(browser().post("/v1/sign-in", tried), 403, "provider-needed")


def test_an_exporters_account_is_never_joined(
    hostile: Hostile, make_person: MakePerson, signed_in: SignedIn
) -> None:
    known = make_person(Role.EXPORTER, "NORDLICHT", sign_in="ada@example.org")
    problem(sign_in(signed_in(known), hostile), 409, "account-not-joined")


def test_a_new_session_ends_the_one_before_in_the_same_browser(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    one = browser()
    sign_in(one, hostile)
    first = one.cookie
    sign_in(one, hostile)
    assert one.cookie != first
    with sessions() as session:
        rows = session.scalars(select(PersonSession).order_by(PersonSession.ended_at)).all()
    assert [row.end_reason for row in rows] == ["you signed in again", None]


def test_a_stale_cookie_does_not_stand_in_the_way(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    one = browser()
    one.client.cookies.set(COOKIE, "stale", domain="localhost.local", path="/")
    assert sign_in(one, hostile).status_code == 303


def test_how_recent_the_sign_in_is_the_provider_says(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions, time: Clock
) -> None:
    hostile.user = {"auth_time": int(time().timestamp()) - 7200}
    sent = begin(browser(), again="true")
    query = parse_qs(urlsplit(sent.headers["Location"]).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    sign_in(browser(), hostile)
    with sessions() as session:
        row = session.scalars(select(PersonSession)).one()
    assert row.method == "oidc"
    assert time() - row.authenticated_at >= timedelta(hours=2)


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\/evil.example",
        "/a\\b",
        "javascript:alert(1)",
        "",
        "v1/account",
        "/\t/evil.example",
        "/a\r\nSet-Cookie: x=y",
        "/\u2028",
        f"/{'a' * 500}",
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(
    browser: NewBrowser, path: str, sessions: Sessions
) -> None:
    answer = begin(browser(), return_to=path)
    assert answer.status_code == 422, answer.text
    assert answer.json()["pointer"] == "/return_to"
    assert told(sessions) == []


def test_a_tampered_cookie_leads_nowhere(browser: NewBrowser, hostile: Hostile) -> None:
    one = browser()
    sent = begin(one)
    query = hostile.consent(sent.headers["Location"]).query
    secret = one.client.cookies[BEGUN].partition(".")[0]
    for value in (
        oidc_rules.cookie(secret, "//evil.example/"),
        oidc_rules.cookie(secret, "/other"),
        secret,
        "",
        f"{secret}.%%%",
        f"{secret}.AA",
    ):
        one.client.cookies.clear()
        one.client.cookies.set(BEGUN, value, domain="localhost.local", path="/")
        problem(finish(one, query), 400, "sign-in-not-begun")
    assert "/token" not in hostile.asked


def test_an_answer_belongs_to_the_browser_that_began(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    victim, attacker = browser(), browser()
    theirs = hostile.consent(begin(attacker).headers["Location"]).query
    problem(finish(victim, theirs), 400, "sign-in-not-begun")
    begin(victim)
    problem(finish(victim, theirs), 400, "state-mismatch")
    problem(finish(victim, {"code": theirs["code"]}), 400, "state-mismatch")
    problem(finish(victim, theirs | {"state": "\u00e9"}), 400, "state-mismatch")
    assert "/token" not in hostile.asked
    assert [one["problem"] for one in refusals(sessions)] == ["sign-in-not-begun", "state-mismatch"]


def test_a_code_of_somebody_elses_sign_in_does_not_fit_the_verifier(
    browser: NewBrowser, hostile: Hostile
) -> None:
    victim, attacker = browser(), browser()
    stolen = hostile.consent(begin(victim).headers["Location"])
    mine = hostile.consent(begin(attacker).headers["Location"])
    problem(finish(attacker, mine.query | {"code": stolen.code}), 401, "provider-declined")


def test_an_answer_counts_once(browser: NewBrowser, hostile: Hostile, sessions: Sessions) -> None:
    one = browser()
    query = hostile.consent(begin(one).headers["Location"]).query
    kept = one.client.cookies[BEGUN]
    assert finish(one, query).status_code == 303
    problem(finish(one, query), 400, "sign-in-not-begun")
    one.client.cookies.set(BEGUN, kept, domain="localhost.local", path="/")
    problem(finish(one, query), 400, "sign-in-replayed")
    assert hostile.asked.count("/token") == 1
    assert {one["problem"] for one in refusals(sessions)} == {
        "sign-in-not-begun",
        "sign-in-replayed",
    }


def test_an_answer_that_failed_is_not_tried_again(browser: NewBrowser, hostile: Hostile) -> None:
    one = browser()
    query = hostile.consent(begin(one).headers["Location"]).query
    hostile.answers["/token"] = (503, {}, b"")
    answer = finish(one, query)
    problem(answer, 503, "provider-unreachable")
    assert answer.headers["Retry-After"] == "30"
    del hostile.answers["/token"]
    problem(finish(one, query), 400, "sign-in-replayed")


def test_a_sign_in_waits_ten_minutes_for_its_answer(
    browser: NewBrowser, hostile: Hostile, time: Clock
) -> None:
    one = browser()
    query = hostile.consent(begin(one).headers["Location"]).query
    kept = one.client.cookies[BEGUN]
    time.forward(minutes=10)
    one.client.cookies.set(BEGUN, kept, domain="localhost.local", path="/")
    problem(finish(one, query), 400, "sign-in-not-begun")


@pytest.mark.parametrize(
    ("said", "shown"), [("access_denied", "access_denied"), ("<script>", ""), ("", "")]
)
def test_a_person_who_declines_is_told_so(
    browser: NewBrowser, hostile: Hostile, said: str, shown: str
) -> None:
    one = browser()
    query = hostile.consent(begin(one).headers["Location"]).query
    answer = finish(one, {"state": query["state"], "error": said})
    detail = problem(answer, 401, "provider-declined")["detail"]
    assert shown in detail
    assert "<" not in detail


@pytest.mark.parametrize(
    ("claims", "slug"),
    [
        ({"aud": "another"}, "wrong-audience"),
        ({"iss": "https://idp.example"}, "wrong-issuer"),
        ({"nonce": "another"}, "nonce-mismatch"),
        ({"exp": 1}, "identity-expired"),
        ({"iat": 9_999_999_999}, "clock-skew"),
        ({"sub": ""}, "identity-unsigned"),
    ],
)
def test_what_the_provider_says_wrongly_opens_no_session_and_is_journaled(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions, claims: dict[str, Any], slug: str
) -> None:
    hostile.claims = claims
    one = browser()
    problem(sign_in(one, hostile), 401, slug)
    assert one.cookie is None
    assert people(sessions) == []
    assert refusals(sessions) == [{"problem": slug, "times": 1}]


def test_the_answer_of_another_provider_is_refused(browser: NewBrowser, hostile: Hostile) -> None:
    one = browser()
    query = hostile.consent(begin(one).headers["Location"]).query
    problem(finish(one, query | {"iss": "https://idp.example"}), 401, "wrong-issuer")


def test_a_flood_of_refusals_leaves_a_trace_and_no_flood(
    browser: NewBrowser, sessions: Sessions, time: Clock
) -> None:
    one = browser()
    for _ in range(20):
        problem(finish(one, {"code": "x", "state": "y"}), 400, "sign-in-not-begun")
    time.forward(minutes=1)
    finish(one, {"code": "x", "state": "y"})
    assert [entry["times"] for entry in refusals(sessions)] == [1, 20]


def test_refusals_are_counted_by_kind(time: Clock) -> None:
    counted = Refusals()
    assert [counted.count("a", time()) for _ in range(3)] == [1, 0, 0]
    assert counted.count("b", time()) == 1
    assert counted.count("a", time.forward(minutes=1)) == 3


def test_while_the_provider_is_away_the_service_goes_on(
    browser: NewBrowser, hostile: Hostile, sessions: Sessions
) -> None:
    hostile.answers["/.well-known/openid-configuration"] = (302, {"Location": "http://x/"}, b"")
    one = browser()
    answer = begin(one)
    problem(answer, 503, "provider-unreachable")
    assert answer.headers["Retry-After"] == "30"
    assert BEGUN not in one.client.cookies
    assert one.get("/livez").status_code == 200
    with sessions() as session:
        assert session.scalars(select(Challenge)).all() == []


def test_when_many_wait_for_the_provider_the_next_are_told_to_come_again(
    browser: NewBrowser, hostile: Hostile
) -> None:
    told = Event()

    def silent() -> tuple[int, dict[str, str], bytes]:
        told.wait(30)
        return 503, {}, b""

    hostile.answers["/.well-known/openid-configuration"] = silent
    crowd, too_many = [browser() for _ in range(AT_ONCE + IN_LINE + 5)], 5
    with ThreadPoolExecutor(len(crowd)) as pool:
        asked = [pool.submit(begin, one) for one in crowd]
        turned_away = [one.result() for one in islice(as_completed(asked), too_many)]
        assert browser().get("/livez").status_code == 200
        told.set()
        answers = [one.result() for one in asked]

    assert all("Many people" in answer.json()["detail"] for answer in turned_away)
    assert {answer.status_code for answer in answers} == {503}
    assert len(hostile.asked) == 1


def test_the_browser_comes_back_to_the_origin_it_left(
    database_url: str, tmp_path: Path, hostile: Hostile, time: Clock
) -> None:
    more = hostile.settings(origins="https://eum.example https://localhost:8443")
    app = create_app(settings_for(database_url, data_dir=tmp_path / "data", **more), time)
    redirect = app.state.reception._redirect  # noqa: SLF001 it is in the address, encoded
    assert redirect("localhost:8443") == f"https://localhost:8443{CALLBACK}"
    assert redirect("evil.example") == f"https://eum.example{CALLBACK}"


@pytest.mark.parametrize("missing", ["oidc_client_id", "oidc_roles", "origins"])
def test_half_an_identity_provider_stops_the_start(hostile: Hostile, missing: str) -> None:
    values = hostile.settings()
    del values[missing]
    with pytest.raises(ValueError, match="ENDWATCH_OIDC_ISSUER needs"):
        Settings(**values)
