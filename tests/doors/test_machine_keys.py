from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.access import service as access
from app.access.router import May, calls, scopes_of
from app.access.rules import Role, scope_of
from app.database import Sessions
from app.main import ROUTERS
from tests.conftest import Browser, Clock, Door, OpenDoor, SignedIn
from tests.doors.arrivals import told
from tests.doors.filings import problem
from tests.world import license_body

NewBrowser = Callable[[], Browser]


@pytest.fixture
def administrator(door: OpenDoor) -> Door:
    return door(Role.ADMINISTRATOR)


def made(by: Browser | Door, role: Role, **more: Any) -> dict[str, Any]:
    answer = by.post("/v1/keys", {"role": role, "expires_days": 30} | more)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_an_administrator_makes_keys_of_any_role(
    signed_in: SignedIn, officer: Door, sessions: Sessions
) -> None:
    root = signed_in(Role.ADMINISTRATOR)
    key = made(root, Role.AUDITOR, label="for the court")
    answer = officer.client.get("/v1/licenses", headers=bearing(key["token"]))
    assert answer.status_code == 200
    (entry,) = told(sessions, "key.issued")
    me = root.get("/v1/account").json()["person"]["id"]
    assert entry["actor"] == f"administrator:{me}"
    assert key["made_by"] == me
    assert entry["topic"] == "access"
    assert entry["body"]["label"]["commitment"]
    problem(root.post("/v1/keys", {"role": "exporter", "expires_days": 1}), 422, "role-unfit")


def test_an_exporters_administrator_makes_keys_of_its_party_alone(signed_in: SignedIn) -> None:
    chief = signed_in(Role.EXPORTER, "NORDLICHT", administers_party=True)
    made(chief, Role.EXPORTER, party="NORDLICHT")
    for body in (
        {"role": "exporter", "party": "OTHER"},
        {"role": "dashboard"},
        {"role": "administrator"},
    ):
        answer = chief.post("/v1/keys", {"expires_days": 1, **body})
        problem(answer, 403, "party-administrator-needed")
    plain = signed_in(Role.EXPORTER, "NORDLICHT")
    own = {"role": "exporter", "party": "NORDLICHT", "expires_days": 1}
    problem(plain.post("/v1/keys", own), 403, "party-administrator-needed")


@pytest.mark.parametrize("days", [None, 0, 401])
def test_a_key_made_by_the_api_expires(days: int | None, administrator: Door) -> None:
    body: dict[str, Any] = {"role": "auditor"}
    if days is not None:
        body["expires_days"] = days
    problem(administrator.post("/v1/keys", body), 422, "fields-invalid")


def test_a_key_ends_on_its_day(administrator: Door, time: Clock) -> None:
    key = made(administrator, Role.AUDITOR, expires_days=400)
    headers = bearing(key["token"])
    time.forward(days=399)
    assert administrator.client.get("/v1/licenses", headers=headers).status_code == 200
    time.forward(days=1)
    problem(administrator.client.get("/v1/licenses", headers=headers), 401, "key-missing")


def test_everybody_sees_the_keys_of_their_own_scope(
    administrator: Door, signed_in: SignedIn, officer: Door, exporter: Door
) -> None:
    chief = signed_in(Role.EXPORTER, "NORDLICHT", administers_party=True)
    key = made(chief, Role.EXPORTER, party="NORDLICHT")
    other = made(administrator, Role.EXPORTER, party="OTHER")

    def seen(one: Browser | Door) -> set[str]:
        listed = one.get("/v1/keys").json()["items"]
        assert not any("token" in row or "digest" in row for row in listed)
        return {row["id"] for row in listed}

    assert seen(chief) == {key["id"], exporter.actor.key}
    assert {key["id"], other["id"], officer.actor.key} <= seen(administrator)
    assert seen(officer) == {officer.actor.key}
    assert seen(exporter) == {exporter.actor.key}
    for path in ("rotation", "revocation"):
        answer = chief.post(f"/v1/keys/{other['id']}/{path}", {"grace_hours": 0})
        problem(answer, 404, "key-unknown")
        answer = officer.post(f"/v1/keys/{other['id']}/{path}", {"grace_hours": 0})
        problem(answer, 404, "key-unknown")


def test_a_key_is_narrowed_by_scopes(administrator: Door) -> None:
    key = made(administrator, Role.LICENSING_OFFICER, scopes=["licenses:read", "reports:write"])
    client, headers = administrator.client, bearing(key["token"])
    assert client.get("/v1/licenses", headers=headers).status_code == 200
    assert client.get("/v1/licenses/BX-1", headers=headers).status_code == 404
    for answer in (
        client.post("/v1/licenses", json=license_body(), headers=headers),
        client.get("/v1/deviations", headers=headers),
        client.get("/v1/keys", headers=headers),
        client.post("/epcis/capture", json={}, headers=headers),
    ):
        problem(answer, 403, "scope-not-allowed")
    wide = made(administrator, Role.LICENSING_OFFICER)
    assert client.get("/v1/deviations", headers=bearing(wide["token"])).status_code == 200
    assert wide["scopes"] is None


def test_a_scope_nobody_knows_is_refused_with_those_there_are(administrator: Door) -> None:
    body = {"role": "auditor", "expires_days": 1, "scopes": ["licences:read"]}
    refused = problem(administrator.post("/v1/keys", body), 422, "scope-unknown")
    assert refused["pointer"] == "/scopes"
    assert {"licenses:read", "readings:write", "epcis:write"} <= set(refused["scopes"])
    assert not any(one.startswith(("account:", "sign-in", "livez")) for one in refused["scopes"])
    empty = body | {"scopes": []}
    problem(administrator.post("/v1/keys", empty), 422, "fields-invalid")


def test_scopes_are_those_of_the_routes(app: FastAPI) -> None:
    keyed = [
        route
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and any(isinstance(call, May) for call in calls(route))
    ]
    assert len(keyed) > 50
    assert app.state.scopes == scopes_of(ROUTERS)
    named = {scope_of(route.path, method) for route in keyed for method in route.methods or ()}
    assert {one for one in named if not one.startswith(("account", "sign-out"))} == app.state.scopes


def test_a_narrowed_key_gets_at_no_wider_one(administrator: Door, door: OpenDoor) -> None:
    narrow = made(administrator, Role.ADMINISTRATOR, scopes=["keys:write", "keys:read"])
    wide = made(administrator, Role.REVIEWER)
    client, headers = administrator.client, bearing(narrow["token"])
    for body in ({}, {"scopes": ["licenses:read"]}):
        given = {"role": "reviewer", "expires_days": 1} | body
        answer = client.post("/v1/keys", json=given, headers=headers)
        problem(answer, 403, "scope-too-wide")
    path = f"/v1/keys/{wide['id']}/rotation"
    problem(client.post(path, json={}, headers=headers), 403, "scope-too-wide")
    given = {"role": "reviewer", "expires_days": 1, "scopes": ["keys:read"]}
    assert client.post("/v1/keys", json=given, headers=headers).status_code == 201
    own = client.post(f"/v1/keys/{narrow['id']}/rotation", json={}, headers=headers)
    assert own.status_code == 200


def test_after_a_rotation_the_old_secret_works_for_its_grace(
    administrator: Door, time: Clock, app: FastAPI, sessions: Sessions
) -> None:
    key = made(administrator, Role.AUDITOR)
    path = f"/v1/keys/{key['id']}/rotation"
    problem(administrator.post(path, {"grace_hours": 169}), 422, "fields-invalid")
    fresh = administrator.post(path, {"grace_hours": 168}).json()
    assert fresh["id"] == key["id"]
    assert fresh["token"] != key["token"]
    app.state.keyring.forget()
    client = administrator.client

    def statuses() -> list[int]:
        return [
            client.get("/v1/licenses", headers=bearing(token)).status_code
            for token in (key["token"], fresh["token"])
        ]

    assert statuses() == [200, 200]
    time.forward(hours=168)
    assert statuses() == [401, 200]
    again = administrator.post(path, {"grace_hours": 0}).json()
    app.state.keyring.forget()
    assert statuses() == [401, 401]
    headers = bearing(again["token"])
    assert client.get("/v1/licenses", headers=headers).status_code == 200
    assert len(told(sessions, "key.rotated")) == 2


def test_a_revoked_key_opens_nothing_also_by_its_secret_before(
    administrator: Door, app: FastAPI
) -> None:
    key = made(administrator, Role.AUDITOR)
    fresh = administrator.post(f"/v1/keys/{key['id']}/rotation", {}).json()
    gone = administrator.post(f"/v1/keys/{key['id']}/revocation")
    assert gone.json()["revoked_at"]
    app.state.keyring.forget()
    for token in (key["token"], fresh["token"]):
        answer = administrator.client.get("/v1/licenses", headers=bearing(token))
        problem(answer, 401, "key-missing")
    problem(administrator.post(f"/v1/keys/{key['id']}/rotation", {}), 409, "key-ended")


def test_a_key_that_ended_and_is_still_used_is_told_once_a_day(
    administrator: Door, officer: Door, app: FastAPI, sessions: Sessions, time: Clock
) -> None:
    administrator.post(f"/v1/keys/{officer.actor.key}/revocation")
    app.state.keyring.forget()
    for _ in range(3):
        problem(officer.get("/v1/licenses"), 401, "key-missing")
    wrong = bearing(f"{officer.token[:-1]}{'A' if officer.token[-1] != 'A' else 'B'}")
    problem(officer.client.get("/v1/licenses", headers=wrong), 401, "key-missing")
    (entry,) = told(sessions, "key.refused")
    assert entry["subject"] == f"key:{officer.actor.key}"
    assert entry["body"] == {"because": "revoked"}
    time.forward(days=1)
    officer.get("/v1/licenses")
    assert len(told(sessions, "key.refused")) == 2


def test_a_key_ends_itself(officer: Door, app: FastAPI) -> None:
    assert officer.post(f"/v1/keys/{officer.actor.key}/revocation").status_code == 200
    app.state.keyring.forget()
    problem(officer.get("/v1/licenses"), 401, "key-missing")


def test_the_same_request_for_a_key_makes_one_and_shows_no_secret_twice(
    administrator: Door,
) -> None:
    body = {"role": "auditor", "expires_days": 1}
    headers = {"Idempotency-Key": "one"}
    first = administrator.post("/v1/keys", body, headers=headers).json()
    again = administrator.post("/v1/keys", body, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first["id"]
    assert "token" not in again.json()


def test_keys_stand_for_who_made_them_where_two_persons_are_needed(
    signed_in: SignedIn, officer: Door, sessions: Sessions
) -> None:
    root = signed_in(Role.ADMINISTRATOR)
    mine = root.get("/v1/account").json()["person"]["id"]
    one, other = made(root, Role.LICENSING_OFFICER), made(root, Role.LICENSING_OFFICER)
    with sessions() as session:
        first = access.Keyring(sessions).recognize(one["token"], Clock()())
        second = access.Keyring(sessions).recognize(other["token"], Clock()())
        assert first.made_by == second.made_by == mine
        assert access.is_same_person(session, first.key, second)
        assert access.is_same_person(session, first.name, second)
        assert access.is_same_person(session, f"supervisor:{mine}", second)
        assert not access.is_same_person(session, officer.actor.name, second)
        assert not access.is_same_person(session, first.name, officer.actor)
        assert access.is_same_person(session, officer.actor.key, officer.actor)


def test_two_keys_of_one_maker_amend_no_license(signed_in: SignedIn, officer: Door) -> None:
    root = signed_in(Role.ADMINISTRATOR)
    client = officer.client
    one, other = (bearing(made(root, Role.LICENSING_OFFICER)["token"]) for _ in range(2))
    registered = client.post("/v1/licenses", json=license_body(), headers=one)
    assert registered.status_code == 201, registered.text
    number = registered.json()["number"]
    amendment = {
        "effective_from": "2026-06-01T00:00:00Z",
        "ground": "Delivered is what has passed customs.",
        "delivered_when": "customs_cleared",
    }
    proposed = client.post(f"/v1/licenses/{number}/amendments", json=amendment, headers=one)
    assert proposed.status_code == 201, proposed.text
    path = f"/v1/licenses/{number}/amendments/{proposed.json()['id']}/approval"
    problem(client.post(path, headers=other), 409, "second-person-needed")
    assert client.post(path, headers=officer.headers).status_code == 200
