from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.access import service as access
from app.access.router import May, calls
from app.access.rules import Role
from app.database import Sessions
from app.main import ROUTERS
from app.people.recognition import MayAdminister, MayInPerson
from tests.conftest import Clock, Door, OpenDoor
from tests.doors.filings import problem
from tests.doors.phones import refused

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
NEEDS = [
    (route, call.roles - ({Role.EXPORTER} if isinstance(call, MayAdminister) else set()))
    for route in ROUTES
    for call in calls(route)
    if isinstance(call, May) and not isinstance(call, MayInPerson)
]
IN_PERSON = [
    route for route in ROUTES if any(isinstance(call, MayInPerson) for call in calls(route))
]


SIGN_IN = {
    "/v1/sign-in",
    "/v1/sign-in/passkey",
    "/v1/sign-in/passkey/options",
    "/v1/sign-in/recovery-code",
    "/v1/invitations/acceptance",
}
PHONES = "/openrosa/"  # what is said there is said in another way


def _ask(door: Door, route: APIRoute, headers: dict[str, str] | None = None) -> Any:
    (method,) = sorted(route.methods or ())
    path = route.path.replace("{number}", "BX-NONE").replace("{id}", "17")
    return door.client.request(
        method,
        path,
        headers=door.headers if headers is None else headers,
        json={} if method == "POST" else None,
    )


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_its_routes_declare_and_no_more(role: Role, door: OpenDoor) -> None:
    one = door(role, "NORDLICHT" if role is Role.EXPORTER else None)
    assert len(NEEDS) > 15
    for route, roles in NEEDS:
        answer = _ask(one, route)
        if role in roles:
            assert answer.status_code not in {401, 403}, (route.path, answer.text)
            assert answer.status_code < 500, (route.path, answer.text)
        elif route.methods == {"HEAD"}:
            assert answer.status_code == 403
        elif role is Role.EXPORTER and roles == frozenset({Role.ADMINISTRATOR}):
            problem(answer, 403, "party-administrator-needed")
        else:
            told = (
                refused(answer, 403)
                if route.path.startswith(PHONES)
                else problem(answer, 403, "role-not-allowed")["detail"]
            )
            assert role in told
            assert all(needed in told for needed in roles)


def test_without_a_key_only_public_routes_answer(officer: Door) -> None:
    keyed = [route for route, _ in NEEDS]
    public = [route for route in ROUTES if route not in [*keyed, *IN_PERSON]]
    assert {route.path for route in public} == {
        "/v1/condition-types",
        "/v1/facts",
        "/v1/calendar/{token}.ics",  # the address is the secret
        "/v1/sign-in/oidc",  # who comes there is not known yet
        "/v1/sign-in/oidc/callback",
        "/livez",
        "/readyz",
        "/metrics",
        "/log/key",
        "/log/checkpoint",
        "/log/cosigned-checkpoint",
        "/log/tile/{level}/{place:path}",
        "/log/cosignatures",  # the signatures of witnesses speak for themselves
        *SIGN_IN,
    }
    for route in public:
        if route.path in SIGN_IN:
            continue  # what they answer is told in test_people.py
        nothing_yet = any(part in route.path for part in ("token", "/log/", "/oidc"))
        answered = {404, 422} if nothing_yet else {200, 503}
        assert _ask(officer, route, headers={}).status_code in answered
    for route in keyed:
        answer = _ask(officer, route, headers={})
        if route.path.startswith(PHONES):
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        else:
            problem(answer, 401, "key-missing")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_what_is_for_people_alone_opens_to_no_key(officer: Door) -> None:
    assert len(IN_PERSON) >= 12
    for route in IN_PERSON:
        problem(_ask(officer, route), 403, "person-needed")
        problem(_ask(officer, route, headers={}), 401, "session-missing")


def test_what_is_no_key_opens_nothing(officer: Door, subtests: pytest.Subtests) -> None:
    token = officer.token
    secret = token.rpartition("_")[2]
    for what, header in {
        "nothing": "",
        "a scheme alone": "Bearer",
        "another scheme": f"Basic {token}",
        "no scheme": token,
        "words": "Bearer let me in",
        "a key with another end": f"Bearer {token[:-1]}{'A' if token[-1] != 'A' else 'B'}",
        "a key cut short": f"Bearer {token[:-1]}",
        "a key with more": f"Bearer {token}x",
        "a key nobody has": f"Bearer ew_aaaaaaaaaa_{secret}",
        "a quote": "Bearer ew_aaaaaaaa'--_x",
    }.items():
        with subtests.test(what):
            answer = officer.client.get("/v1/licenses", headers={"Authorization": header})
            problem(answer, 401, "key-missing")
    assert officer.get("/v1/licenses").status_code == 200
    lower = {"Authorization": f"bearer  {token} "}
    assert officer.client.get("/v1/licenses", headers=lower).status_code == 200


def test_a_key_ends_when_it_expires(officer: Door, sessions: Sessions, time: Clock) -> None:
    with sessions.begin() as session:
        ends = time() + timedelta(hours=1)
        _, token = access.issue(
            session, Role.AUDITOR, party=None, label="for a visit", now=time(), expires_at=ends
        )
    headers = {"Authorization": f"Bearer {token}"}
    assert officer.client.get("/v1/licenses", headers=headers).status_code == 200
    time.now = ends
    problem(officer.client.get("/v1/licenses", headers=headers), 401, "key-missing")


def test_a_revoked_key_opens_nothing_once_that_is_heard(
    app: FastAPI, officer: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    first = dashboard.get("/v1/alerts")
    with sessions.begin() as session:
        access.revoke(session, dashboard.actor.key, now=time())
    app.state.keyring.forget()
    problem(dashboard.get("/v1/alerts"), 401, "key-missing")
    tag = {"If-None-Match": first.headers.get("ETag", '"any"')}
    problem(dashboard.get("/v1/alerts", headers=tag), 401, "key-missing")
    assert officer.get("/v1/licenses").status_code == 200


def test_an_exporters_key_belongs_to_a_party_and_no_other_does(sessions: Sessions) -> None:
    now = Clock()()
    with sessions() as session:
        for role, party in ((Role.EXPORTER, None), (Role.AUDITOR, "NORDLICHT")):
            with pytest.raises(access.PartyNeeded):
                access.issue(session, role, party=party, label="", now=now)
        with pytest.raises(access.KeyUnknown):
            access.revoke(session, "nobody", now=now)
