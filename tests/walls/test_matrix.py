"""The authorization matrix: every route, every role, one's own, another's and nobody's.

It is made from the routes: one that has a body and is not in `BODIES`, or an address nobody knows how
to fill in, fails. What an exporter may not see is asked for three times: with all walls, with
row-level security alone, and with the queries' scope alone.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from app.access.router import May, calls
from app.access.rules import Actor, Role
from app.assessments import dockets
from app.cli.postgres import Postgres
from app.main import ROUTERS
from app.people.recognition import MayInPerson
from tests.conftest import Door
from tests.doors.filings import attestation, ndjson, reading, shipment
from tests.doors.test_custody import event as custody_event
from tests.doors.test_deliveries import delivery
from tests.doors.test_documents import decision as of_document
from tests.doors.test_documents import document
from tests.doors.test_plans import body as plan_of
from tests.doors.test_screenings import decision as of_hit
from tests.doors.test_screenings import screening
from tests.doors.test_transfers import YES, transfer
from tests.epcis.events import document as captured
from tests.epcis.events import event as epcis_event
from tests.evidence import good
from tests.signatures.signers import made, offer
from tests.walls.estate import NORDLICHT, SUEDLICHT, Estate, Holding, standing
from tests.world import license_body

Body = Callable[[Holding, Estate], dict[str, Any]]


def _json(make: Callable[[Holding, Estate], Any]) -> Body:
    return lambda held, estate: {"json": make(held, estate)}


def _report(held: Holding, estate: Estate) -> dict[str, Any]:
    statements = [{"subject": {"serial": f"{held.party[0]}R-1"}, "facts": {"gallery_size": 10}}]
    more = {"kind": "incident", "statements": statements}
    return attestation(held.number, estate.time(), reference="R-M", **more)


NOTHING = _json(lambda *_: {})
DAY = "2026-07-01"
ACTION = {"text": "Mend it.", "for_party": True}
WAIVER = {"ground": "a strike", "expires_on": "2026-09-15"}
AMENDMENT = {"ground": "fewer", "effective_from": f"{DAY}T00:00:00Z", "ends": ["gallery_cap"]}

# What is sent to each route that takes a body, and is good enough to reach the record it is about.
BODIES: dict[str, Body] = {
    "POST /v1/licenses/lint": _json(lambda *_: {"conditions": []}),
    "POST /v1/licenses": _json(lambda *_: license_body()),
    "POST /v1/licenses/{number}/state": _json(
        lambda *_: {"state": "suspended", "ground": "x", "effective_on": DAY}
    ),
    "POST /v1/licenses/{number}/amendments": _json(lambda *_: AMENDMENT),
    "POST /v1/licenses/{number}/amendments/{id}/approval": NOTHING,
    "POST /v1/shipments": _json(lambda held, _: shipment(held.number, reference="SHIP-M")),
    "POST /v1/deliveries": _json(lambda held, _: delivery(held.number, reference="DEL-M")),
    "POST /v1/licenses/{number}/custody": _json(
        lambda held, _: custody_event(reference="C-M", serials=[f"{held.party[0]}R-1"])
    ),
    "POST /epcis/capture": lambda held, _: {
        "json": captured(epcis_event(f"{held.party[0]}R-1")),
        "headers": {"Endwatch-License": held.number},
    },
    "POST /v1/aliases": _json(lambda *_: {"identifier": "gln:4012345000009", "site": "NBO-T1"}),
    "POST /v1/licenses/{number}/transfers": _json(
        lambda held, _: transfer(reference="TR-M", serials=[f"{held.party[0]}R-1b"])
    ),
    "POST /v1/licenses/{number}/transfers/{id}/decision": _json(lambda *_: YES),
    "POST /v1/licenses/{number}/transfers/{id}/acknowledgment": _json(
        lambda *_: {"acknowledged_on": "2026-06-01"}
    ),
    "POST /v1/licenses/{number}/documents": _json(lambda *_: document(reference="DOC-M")),
    "POST /v1/licenses/{number}/documents/{id}/decisions": _json(lambda *_: of_document("accept")),
    "PUT /v1/evidence": lambda *_: {"content": good.pdf("Of the matrix.")},
    "POST /v1/screenings": _json(lambda _, estate: screening(estate.time())),
    "POST /v1/screenings/{id}/hits/{hit}/decisions": _json(lambda *_: of_hit(confirmed=True)),
    "POST /v1/reports/preflight": _json(_report),
    "POST /v1/reports": _json(_report),
    "POST /v1/readings": lambda held, estate: {
        "content": ndjson([reading(held.number, estate.time(), f"{held.party[0]}R-1")]),
        "headers": {"Content-Type": "application/x-ndjson"},
    },
    "POST /v1/audits": _json(
        lambda held, _: {"license": held.number, "mode": "physical", "planned_for": DAY}
    ),
    "POST /v1/audits/{id}/assignment": _json(
        lambda _, estate: {"inspector": estate.staff[Role.INSPECTOR].actor.key}
    ),
    "POST /v1/audits/{id}/acceptance": NOTHING,
    "POST /v1/audits/{id}/handover": _json(
        lambda _, estate: {"inspector": estate.staff[Role.INSPECTOR].actor.key}
    ),
    "POST /v1/audits/{id}/notification": NOTHING,
    "POST /v1/audits/{id}/start": NOTHING,
    "POST /v1/audits/{id}/report": _json(lambda *_: {"reports": []}),
    "POST /v1/audits/{id}/refusal": _json(lambda *_: {"reason": "x"}),
    "POST /v1/audits/{id}/unable": _json(lambda *_: {"reason": "x"}),
    "POST /v1/audits/{id}/outcome": _json(lambda *_: {"outcome": "favorable", "ground": "x"}),
    "POST /v1/audits/{id}/closing": NOTHING,
    "POST /v1/audits/{id}/actions": _json(lambda *_: ACTION),
    "POST /v1/audits/{id}/actions/{number}/done": _json(lambda *_: {"note": "Mended."}),
    "POST /v1/audits/{id}/actions/{number}/waiver": _json(lambda *_: {"ground": "x"}),
    "POST /v1/audits/{id}/sample": _json(lambda *_: {"missing": 1, "probability": "0.5"}),
    "POST /v1/audits/{id}/sample/reveal": NOTHING,
    "POST /v1/audit-plans": _json(lambda *_: plan_of()),
    "POST /v1/audit-plans/{id}/repeat": NOTHING,
    "POST /v1/obligations/{id}/waiver": _json(lambda *_: WAIVER),
    "POST /v1/obligations/{id}/waiver/approval": NOTHING,
    "POST /v1/obligations/{id}/waiver/refusal": NOTHING,
    "POST /v1/calendars": _json(lambda *_: {"label": "Of the matrix"}),
    "POST /v1/calendars/{id}/revocation": NOTHING,
    "POST /openrosa/submission": lambda *_: {"files": {"xml_submission_file": b"<x/>"}},
    "POST /v1/signing-keys": _json(lambda held, _: offer(made(), held.party)),
    "POST /v1/signing-keys/{id}/revocation": _json(lambda *_: {"ground": "Lost."}),
    "POST /v1/people/invitations": _json(lambda *_: {"sign_in": "x@a.example", "role": "auditor"}),
    "POST /v1/people/invitations/{id}/revocation": NOTHING,
    "POST /v1/people/{id}/role": _json(lambda *_: {"role": "auditor"}),
    "POST /v1/people/{id}/end": NOTHING,
    "POST /v1/people/{id}/reset": NOTHING,
    "POST /v1/people/{id}/sessions/revocation": NOTHING,
    "POST /v1/keys": _json(lambda *_: {"role": "auditor", "expires_days": 7}),
    "POST /v1/keys/{id}/rotation": NOTHING,
    "POST /v1/keys/{id}/revocation": NOTHING,
}


ROUTES = [
    (method, route, call.roles)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for call in calls(route)
    if isinstance(call, May) and not isinstance(call, MayInPerson)
    for method in sorted(route.methods or ())
]
# These are for people who are signed in, about their own account: no key opens them.
IN_PERSON = [
    (method, route)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for call in calls(route)
    if isinstance(call, MayInPerson)
    for method in sorted(route.methods or ())
]
NAMES = [f"{method} {route.path}" for method, route, _ in ROUTES]
ADMINISTERING = ("/v1/people", "/v1/keys")
"""Of exporters, only their administrators in person; tests/doors/test_people.py asks as these."""
EXPORTERS = [
    one for one in ROUTES if Role.EXPORTER in one[2] and not one[1].path.startswith(ADMINISTERING)
]

# Routes of the authority alone, whose records are nobody's in particular, need none of mine.
ANYBODYS = {"{place:path}": "000", "/openrosa/": "BX-NONE"}


def _address(route: APIRoute, held: Holding) -> str:
    """Fill in the address of a route with what somebody has."""
    known = max((key for key in held.things if route.path.startswith(key)), key=len, default="")
    values = {"number": held.number} | held.things.get(known, {})
    filled = re.sub(r"{([a-z:]+)}", lambda match: values[match[1]], route.path)
    assert "{" not in filled, f"nobody knows how to fill in {route.path}"
    return filled


def _ask(door: Door, method: str, route: APIRoute, held: Holding, estate: Estate) -> Any:
    name = f"{method} {route.path}"
    sent = {} if method in {"GET", "HEAD"} else BODIES[name](held, estate)
    headers = door.headers | sent.pop("headers", {})
    return door.client.request(method, _address(route, held), headers=headers, **sent)


@pytest.fixture(scope="module")
def estate(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with standing(postgres, tmp_path_factory.mktemp("matrix")) as estate:
        yield estate


@pytest.fixture(autouse=True)
def forget() -> None:
    """Licenses are remembered by number; another test may have had a database that counts anew."""
    dockets.forget()


@pytest.fixture(params=["all walls", "row-level security alone", "scope alone"])
def walled(
    request: pytest.FixtureRequest, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Estate]:
    """The service with all its walls, or with one of the two inner ones taken away."""
    state, pools = estate.app.state, estate.app.state.pools
    if request.param == "row-level security alone":
        monkeypatch.setattr(Actor, "reads_only", None)
    if request.param == "scope alone":
        state.pools = dict.fromkeys(pools, estate.jobs)
    yield estate
    state.pools = pools


def test_every_route_with_a_body_is_in_the_table_and_none_besides() -> None:
    assert set(BODIES) == {name for name in NAMES if not name.startswith(("GET ", "HEAD "))}
    assert len(NAMES) > 80
    assert len(EXPORTERS) > 40


@pytest.mark.parametrize("name", NAMES)
def test_who_has_no_key_or_a_revoked_one_is_let_in_nowhere(name: str, estate: Estate) -> None:
    method, route, _ = ROUTES[NAMES.index(name)]
    revoked = estate.door(Role.SUPERVISOR)
    with estate.jobs() as session:
        session.execute(
            text("UPDATE keys SET revoked_at = now() WHERE id = :id"), {"id": revoked.actor.key}
        )
        session.commit()
    estate.app.state.keyring.forget()
    nobody = Door(revoked.client, "", revoked.actor)
    nobody.headers = {}
    for door in (nobody, revoked):
        assert _ask(door, method, route, estate.mine, estate).status_code == 401


@pytest.mark.parametrize("role", Role)
def test_each_role_reaches_its_own_and_is_kept_from_the_rest(role: Role, estate: Estate) -> None:
    held = estate.mine
    door = held.door if role is Role.EXPORTER else estate.staff[role]
    for method, route, roles in ROUTES:
        answer = _ask(door, method, route, held, estate)
        told = (method, route.path, answer.status_code, answer.text[:300])
        if role not in roles:
            assert answer.status_code == 403, told
        else:
            assert answer.status_code != 401, told
            assert answer.status_code != 403 or "role-not-allowed" not in answer.text, told
            assert answer.status_code < 500, told
            assert answer.status_code != 404 or route.path in NOT_THERE, told


# These are there for whoever is concerned in person, or when something has come about.
NOT_THERE = {
    "/v1/condition-types/{kind}/shadow",
    "/v1/calendars/{id}/revocation",
    "/v1/receipts/{id}",
    "/openrosa/forms/{number}",
    "/openrosa/forms/{number}/manifest",
    "/log/tile/entries/{place:path}",
    "/v1/evidence/{digest}",
    "/v1/evidence/{digest}/record",
    "/v1/people/{id}/role",
    "/v1/people/{id}/end",
    "/v1/people/{id}/reset",
    "/v1/people/{id}/sessions/revocation",
    "/v1/people/invitations/{id}/revocation",
    "/v1/keys/{id}/rotation",
    "/v1/keys/{id}/revocation",
}


@pytest.mark.parametrize("name", [f"{method} {route.path}" for method, route, _ in EXPORTERS])
def test_what_is_anothers_is_as_if_it_did_not_exist(name: str, walled: Estate) -> None:
    """With each wall alone: 404, byte for byte as for what nobody has; and in no list."""
    method, route, _ = ROUTES[NAMES.index(name)]
    theirs, mine = walled.theirs, walled.mine
    foreign = _ask(mine.door, method, route, theirs, walled)
    nobodys = _nobodys(theirs)
    missing = _ask(mine.door, method, route, nobodys, walled)
    assert foreign.status_code < 500, foreign.text
    for secret in (theirs.number, *_ids(theirs)):
        if secret not in str(foreign.request.url) and secret not in _sent(foreign):
            assert secret not in foreign.text, secret
    if "{" in route.path and route.path != "/v1/condition-types/{kind}/shadow":
        assert foreign.status_code == 404, foreign.text
    assert foreign.status_code == missing.status_code, (foreign.text, missing.text)
    if foreign.status_code == 404:
        assert _plain(foreign.text, theirs) == _plain(missing.text, nobodys)


def _nobodys(held: Holding) -> Holding:
    """Name what nobody has, in the form of what somebody has."""
    things = {
        place: {name: _other(value) for name, value in values.items()}
        for place, values in held.things.items()
    }
    return Holding(held.party, "BX-NOBODY", 0, held.door, things)


def _other(value: str) -> str:
    if value.isdigit():
        return str(int(value) + 900_000)
    if value.startswith("sha256:"):
        return f"sha256:{'0' * 64}"
    if re.fullmatch(r"[0-9a-f-]{36}", value):
        return f"00000000-0000-4000-8000-{value[24:]}"
    return f"{value}-NOBODY"


def _ids(held: Holding) -> list[str]:
    """List the names of things that are long enough to be no coincidence."""
    return [one for things in held.things.values() for one in things.values() if len(one) > 20]


def _sent(answer: Any) -> str:
    content: bytes = answer.request.content
    return content.decode(errors="replace") + str(answer.request.headers)


def _plain(told: str, held: Holding) -> str:
    """Leave out of an answer the names it was asked by."""
    for things in held.things.values():
        for name in sorted(things.values(), key=len, reverse=True):
            if len(name) > 3:
                told = told.replace(name, "…")
    return re.sub(r"\b\d+\b", "…", told.replace(held.number, "…"))


@pytest.mark.parametrize("role", Role)
def test_what_is_a_persons_own_no_key_opens(role: Role, estate: Estate) -> None:
    door = estate.mine.door if role is Role.EXPORTER else estate.staff[role]
    assert len(IN_PERSON) > 8
    for method, route in IN_PERSON:
        path = route.path.replace("{id}", "anything")
        sent: dict[str, Any] | None = None if method == "GET" else {}
        refused = door.client.request(method, path, headers=door.headers, json=sent)
        assert (refused.status_code, "person-needed" in refused.text) == (403, True), path
        assert door.client.request(method, path, json=sent).status_code == 401, path


def test_a_license_that_moves_to_another_exporter_is_gone_for_the_first(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with standing(postgres, tmp_path_factory.mktemp("moved")) as estate:
        path = f"/v1/licenses/{estate.mine.number}"
        assert estate.mine.door.get(path).status_code == 200
        with estate.owners() as session:
            session.execute(
                text("UPDATE licenses SET exporter = :to WHERE id = :id"),
                {"to": SUEDLICHT, "id": estate.mine.license_id},
            )
            session.commit()
        for method, route, _ in EXPORTERS:
            if "{number}" in route.path:
                answer = _ask(estate.mine.door, method, route, estate.mine, estate)
                assert answer.status_code == 404, (route.path, answer.text)
        assert estate.theirs.door.get(path).status_code == 200


def test_who_is_downgraded_may_no_longer_do_what_the_former_role_could(estate: Estate) -> None:
    """In the middle of what the key does; as soon as the journal has told it."""
    door = estate.door(Role.SUPERVISOR)
    path = f"/v1/audits/{estate.mine.things['/v1/audits/{id}']['id']}/actions"
    assert door.post(path, ACTION).status_code == 201
    with estate.jobs() as session:
        session.execute(
            text("UPDATE keys SET role = 'dashboard' WHERE id = :id"), {"id": door.actor.key}
        )
        session.commit()
    estate.app.state.keyring.forget()
    assert door.post(path, ACTION).status_code == 403
    for method, route, roles in ROUTES:
        answer = _ask(door, method, route, estate.mine, estate)
        assert (answer.status_code == 403) == (Role.DASHBOARD not in roles), route.path


def test_an_expired_key_opens_nothing(estate: Estate) -> None:
    door = estate.door(Role.AUDITOR)
    with estate.jobs() as session:
        session.execute(
            text("UPDATE keys SET expires_at = :now WHERE id = :id"),
            {"now": estate.time() - timedelta(seconds=1), "id": door.actor.key},
        )
        session.commit()
    estate.app.state.keyring.forget()
    assert door.get("/v1/licenses").status_code == 401
    assert estate.mine.party == NORDLICHT


def test_what_only_the_database_refuses_is_not_there_and_nothing_is_stored(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that forgot whose rows it wants, and a route that lets anybody in."""
    sneaky = estate.door(Role.DASHBOARD)
    path = f"/v1/licenses/{estate.mine.number}/documents"
    monkeypatch.setattr("app.access.rules.Actor.reads_only", None)
    with estate.jobs() as session:
        before = session.scalar(text("SELECT count(*) FROM documents"))
    for route in (one for _, one, _ in ROUTES if one.path == "/v1/licenses/{number}/documents"):
        for call in calls(route):
            if isinstance(call, May):
                monkeypatch.setattr(call, "roles", frozenset(Role))
    answer = sneaky.post(path, document(reference="DOC-WALL"))
    assert answer.status_code == 404, answer.text
    with estate.jobs() as session:
        assert session.scalar(text("SELECT count(*) FROM documents")) == before
