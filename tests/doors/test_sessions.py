from datetime import timedelta

import pytest
from sqlalchemy import text, update

from app.access.rules import Role
from app.database import Sessions
from app.people.models import Person, PersonSession
from app.people.rules import Level, browser
from app.settings import Settings
from tests.conftest import Browser, Clock, Door, MakePerson, SignedIn
from tests.doors.filings import problem
from tests.world import license_body


def test_a_person_who_is_signed_in_does_what_the_role_may(signed_in: SignedIn) -> None:
    officer = signed_in(Role.LICENSING_OFFICER)

    registered = officer.post("/v1/licenses", license_body(number="BX-1"))

    assert registered.status_code == 201, registered.text
    assert officer.get("/v1/licenses/BX-1").json()["number"] == "BX-1"
    auditor = signed_in(Role.AUDITOR)
    problem(auditor.post("/v1/licenses", license_body()), 403, "role-not-allowed")


def test_the_journal_names_the_person(
    signed_in: SignedIn, make_person: MakePerson, sessions: Sessions
) -> None:
    person = make_person(Role.LICENSING_OFFICER)
    signed_in(person).post("/v1/licenses", license_body())

    with sessions() as session:
        told = session.execute(text("SELECT actor, action FROM journal_pending ORDER BY id")).all()

    actor = f"licensing_officer:{person.id}"
    assert (actor, "person.signed_in") in [tuple(row) for row in told]
    assert (actor, "license.registered") in [tuple(row) for row in told]


def test_an_exporters_person_sees_the_own_party_alone(signed_in: SignedIn, officer: Door) -> None:
    officer.post("/v1/licenses", license_body(number="BX-1"))

    assert signed_in(Role.EXPORTER, "NORDLICHT").get("/v1/licenses/BX-1").status_code == 200
    problem(signed_in(Role.EXPORTER, "OTHER").get("/v1/licenses/BX-1"), 404, "license-unknown")


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.GRIEVANCE_OFFICER])
def test_administrators_and_grievance_officers_read_no_filings(
    role: Role, signed_in: SignedIn
) -> None:
    one = signed_in(role)
    for path in ("/v1/licenses", "/v1/deviations", "/v1/alerts", "/v1/journal", "/v1/coverage"):
        problem(one.get(path), 403, "role-not-allowed")


def test_a_session_ends_when_it_is_not_used(signed_in: SignedIn, time: Clock) -> None:
    officer = signed_in(Role.LICENSING_OFFICER)
    for _ in range(3):
        time.forward(minutes=29)
        assert officer.get("/v1/licenses").status_code == 200
    time.forward(minutes=30)
    problem(officer.get("/v1/licenses"), 401, "session-missing")


def test_a_session_ends_in_the_end_however_much_it_is_used(
    signed_in: SignedIn, time: Clock, settings: Settings
) -> None:
    officer = signed_in(Role.LICENSING_OFFICER)
    begun = time()
    while time() - begun < timedelta(hours=settings.session_hours, minutes=-20):
        time.forward(minutes=20)
        assert officer.get("/v1/licenses").status_code == 200
    time.now = begun + timedelta(hours=settings.session_hours)
    problem(officer.get("/v1/licenses"), 401, "session-missing")


def test_when_a_person_was_seen_is_written_once_a_minute(
    signed_in: SignedIn, time: Clock, sessions: Sessions
) -> None:
    officer, begun = signed_in(Role.LICENSING_OFFICER), time()

    def seen() -> object:
        with sessions() as session:
            return session.query(PersonSession.seen_at).scalar()

    time.forward(seconds=59)
    officer.get("/v1/licenses")
    assert seen() == begun
    later = time.forward(seconds=1)
    officer.get("/v1/licenses")
    assert seen() == later


def test_a_role_that_changes_holds_from_the_next_request_on(
    signed_in: SignedIn, make_person: MakePerson, sessions: Sessions
) -> None:
    person = make_person(Role.LICENSING_OFFICER)
    one = signed_in(person)
    assert one.post("/v1/licenses/lint", license_body()).status_code == 200
    with sessions.begin() as session:
        session.execute(update(Person).values(role=Role.AUDITOR))
    problem(one.post("/v1/licenses", license_body()), 403, "role-not-allowed")
    with sessions.begin() as session:
        session.execute(update(Person).values(state="ended", ended_at=person.made_at))
    problem(one.get("/v1/licenses"), 401, "session-missing")


@pytest.mark.parametrize("level", [Level.SECOND_FACTOR, Level.ENROLMENT])
def test_a_sign_in_that_is_half_way_opens_nothing(level: Level, signed_in: SignedIn) -> None:
    one = signed_in(Role.LICENSING_OFFICER, level=level)
    problem(one.get("/v1/licenses"), 403, "sign-in-unfinished")


def test_a_cookie_nobody_was_given_opens_nothing(signed_in: SignedIn) -> None:
    one = signed_in(Role.AUDITOR)
    for wrong in ("x", "a" * 43, f"{one.cookie}x", (one.cookie or "")[:-1]):
        headers = {"Cookie": f"__Host-endwatch={wrong}"}
        answer = one.client.get("/v1/licenses", headers=headers)
        assert answer.status_code in {200, 401}
        one.client.cookies.clear()
        problem(one.client.get("/v1/licenses", headers=headers), 401, "session-missing")


def test_only_a_hash_of_the_cookie_is_stored(signed_in: SignedIn, sessions: Sessions) -> None:
    token = signed_in(Role.AUDITOR).cookie
    assert token
    with sessions() as session:
        row = session.query(PersonSession).one()
        stored = session.execute(text("SELECT person_sessions::text FROM person_sessions"))
        assert len(row.digest) == 32
        assert token not in str(stored.all())


OWN = Browser.ADDRESS


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": OWN}, 201),
        ({"Origin": OWN, "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": OWN, "Sec-Fetch-Site": "none"}, 201),
        ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": f"{OWN}.evil.example"}, 403),
        ({"Origin": f"{OWN}:8443"}, 403),
        ({"Origin": OWN, "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": OWN, "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_another_site_cannot_use_the_cookie(
    headers: dict[str, str], status: int, signed_in: SignedIn
) -> None:
    one = signed_in(Role.LICENSING_OFFICER)
    answer = one.client.post("/v1/licenses", json=license_body(), headers=headers)
    assert answer.status_code == status
    if status == 403:
        problem(answer, 403, "foreign-origin")
    assert one.client.get("/v1/licenses", headers=headers).status_code == 200


def test_a_key_beside_a_cookie_wins_and_needs_no_origin(signed_in: SignedIn, officer: Door) -> None:
    one = signed_in(Role.AUDITOR)
    answer = one.client.post("/v1/licenses", json=license_body(), headers=officer.headers)
    assert answer.status_code == 201
    wrong = {"Authorization": "Bearer ew_nobody"}
    problem(one.client.get("/v1/licenses", headers=wrong), 401, "key-missing")


@pytest.mark.parametrize(
    ("told", "named"),
    [
        (None, "another program"),
        ("curl/8.5.0", "curl"),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Safari/604.1",
            "Safari on iPhone",
        ),
    ],
)
def test_a_session_tells_which_kind_of_browser_it_is_in(told: str | None, named: str) -> None:
    assert browser(told) == named
