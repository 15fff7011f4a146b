from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from starlette.testclient import TestClient

from app.access.rules import Role
from app.access.service import KeyUnknown
from app.cli import keys, people
from app.database import Sessions
from app.errors import Invalid
from app.people.invitations import SignInNameTaken
from app.people.keys import ScopeUnknown
from app.people.rules import LastAdministrator, PersonUnknown
from app.settings import Settings
from tests.conftest import Browser, Clock
from tests.doors.arrivals import accepted, registered, told

Out = pytest.CaptureFixture[str]
add = partial(
    people.print_invitation,
    role=Role.ADMINISTRATOR,
    name="Root",
    party=None,
    administers_party=False,
)


def test_the_first_administrator_is_made_on_the_command_line(
    settings: Settings, capsys: Out, time: Clock, browser: Callable[[], Browser], sessions: Sessions
) -> None:
    assert add(settings, sign_in="Root@Example.org", now=time()) == 0
    token = capsys.readouterr().out.strip()
    assert token.startswith("ewi_")
    people.print_all(settings, now=time())
    listed = capsys.readouterr().out
    assert "invited" in listed
    assert token not in listed

    one = browser()
    body = {"token": token, "password": "violet anchor teapot meadow"}
    assert one.post("/v1/invitations/acceptance", body).status_code == 200
    registered(one)
    me = one.get("/v1/account").json()["person"]
    assert (me["name"], me["role"], me["made_by"]) == ("Root", "administrator", "administrator:cli")
    assert one.get("/v1/people").status_code == 200
    with pytest.raises(SignInNameTaken):
        add(settings, sign_in="root@example.org", now=time())
    with pytest.raises(LastAdministrator):
        people.end(settings, "root@example.org", now=time())
    assert [entry["actor"] for entry in told(sessions, "person.invited")] == ["administrator:cli"]


def test_a_person_is_reset_and_ended_by_id_or_name(
    settings: Settings, capsys: Out, time: Clock, browser: Callable[[], Browser], client: TestClient
) -> None:
    add(settings, role=Role.EXPORTER, party="ACME", sign_in="eve@acme.example", now=time())
    one = browser()
    assert accepted(one, capsys.readouterr().out.strip()).status_code == 200
    me = one.get("/v1/account").json()["person"]["id"]

    people.reset(settings, "EVE@acme.example", now=time())
    token = capsys.readouterr().out.strip()
    again = {"token": token, "password": "copper lantern orchid voyage"}
    assert one.post("/v1/invitations/acceptance", again).json()["state"] == "signed_in"
    assert people.end(settings, me, now=time()) == 0
    assert one.get("/v1/account").status_code == 401
    people.print_all(settings, now=time())
    assert "ended" in capsys.readouterr().out
    with pytest.raises(PersonUnknown):
        people.reset(settings, "nobody", now=time())


def test_an_invitation_that_waits_is_revoked_by_its_name(
    settings: Settings, capsys: Out, time: Clock, browser: Callable[[], Browser]
) -> None:
    add(settings, sign_in="root@example.org", now=time())
    token = capsys.readouterr().out.strip()
    assert people.end(settings, "root@example.org", now=time()) == 0
    assert accepted(browser(), token).status_code == 409
    with pytest.raises(PersonUnknown):
        people.end(settings, "root@example.org", now=time())


def test_a_name_like_no_address_is_refused_in_words(settings: Settings) -> None:
    with pytest.raises(Invalid, match="sign_in"):
        add(settings, sign_in="root", now=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_key_is_narrowed_on_the_command_line(settings: Settings, capsys: Out) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = partial(
        keys.print_new, settings, Role.AUDITOR, party=None, label="", expires_days=3, now=now
    )
    assert made(scopes=["licenses:read"]) == 0
    capsys.readouterr()
    keys.print_all(settings, now=now + timedelta(days=1))
    assert "licenses:read" in capsys.readouterr().out
    with pytest.raises(ScopeUnknown, match="licenses:read"):
        made(scopes=["licences:read"])
    with pytest.raises(KeyUnknown):
        keys.end(settings, "nobody", now=now)
