import json
import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.access.router import May, calls
from app.access.rules import Role
from app.database import takes_a_place
from app.main import ROUTERS, create_app
from app.people.recognition import MayInPerson
from app.settings import Settings
from tests.conftest import Door, settings_for

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
PHONES = "/openrosa/"
OPENROSA = {"text/xml": {"schema": {"type": "string"}}}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document; writing it takes no database."""
    return create_app(settings_for("postgresql://nowhere/nothing")).openapi()


def _operation(document: dict[str, Any], route: APIRoute) -> dict[str, Any]:
    (method,) = sorted(route.methods or ())
    operation: dict[str, Any] = document["paths"][route.path_format][method.lower()]
    return operation


def _expected(route: APIRoute) -> set[str]:
    """The statuses such a route can give, whatever it does."""
    roles = next((call.roles for call in calls(route) if isinstance(call, May)), None)
    expected = {str(route.status_code or 200)}
    if roles is not None:
        expected |= {"401", "403", "429", "500", "503"}
    elif takes_a_place(route.dependant):
        expected |= {"503"}
    if "POST" in (route.methods or ()):
        expected |= {"400", "409", "413", "422", "507"}
    if route.dependant.query_params or route.dependant.path_params:
        expected |= {"422"}
    if "{" in route.path:
        expected |= {"404"}
    return expected


def test_every_status_a_route_can_give_is_documented(document: dict[str, Any]) -> None:
    assert ROUTES
    for route in ROUTES:
        documented = set(_operation(document, route)["responses"])
        assert _expected(route) <= documented, (route.path, _expected(route) - documented)


def test_whoever_is_to_come_again_is_told_when(document: dict[str, Any]) -> None:
    seen = 0
    for route in ROUTES:
        for status, response in _operation(document, route)["responses"].items():
            if status in {"429", "503", "507"}:
                assert "Retry-After" in response["headers"], (route.path, status)
                seen += 1
    assert seen > 2 * len(ROUTES) * 0.8


def test_every_error_is_documented_as_a_problem_that_says_something(
    document: dict[str, Any],
) -> None:
    seen = 0
    for route in ROUTES:
        for status, response in _operation(document, route)["responses"].items():
            if status >= "400":
                shown = OPENROSA if route.path.startswith(PHONES) else PROBLEM
                assert response["content"] == shown, (route.path, status)
                assert response["description"], (route.path, status)
                seen += 1
    assert seen > 100


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert "#/components/schemas/ReadingIn" in references
    for reference in references:
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]
    named = {reference.rpartition("/")[2] for reference in references}
    assert set(document["components"]["schemas"]) == named


def test_a_protected_route_says_that_it_wants_a_key(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {name: one.get("scheme", one.get("in")) for name, one in schemes.items()} == {
        "key": "bearer",
        "password": "basic",
        "session": "cookie",
    }
    for route in ROUTES:
        protected = any(isinstance(call, May) for call in calls(route))
        in_person = any(isinstance(call, MayInPerson) for call in calls(route))
        security = _operation(document, route).get("security")
        ways: list[dict[str, list[str]]] = [{"session": []}]
        if not in_person:
            ways.insert(0, {"key": []})
        if route.path.startswith(PHONES):
            ways.append({"password": []})
        assert security == (ways if protected else None), route.path


def test_a_protected_route_says_which_roles_may_use_it(document: dict[str, Any]) -> None:
    told = {
        (path, method): operation.get("x-roles")
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert told["/v1/licenses/{number}/amendments", "post"] == ["licensing_officer"]
    assert told["/livez", "get"] is None
    assert all(roles is None or set(roles) <= set(Role) for roles in told.values())


def test_every_operation_has_a_name_of_its_own_and_a_sentence(document: dict[str, Any]) -> None:
    operations = [_operation(document, route) for route in ROUTES]
    assert all(operation["description"] for operation in operations)
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)


def test_every_kind_and_every_fact_is_in_the_document(
    document: dict[str, Any], officer: Door
) -> None:
    schemas = json.dumps(document["components"]["schemas"])
    told = officer.client.get("/v1/condition-types").json()
    kinds = [one["kind"] for one in told if not one["standing"]]
    assert len(told) - len(kinds) == 4
    facts = [one["name"] for one in officer.client.get("/v1/facts").json()]
    assert len(kinds) >= 37
    for kind in kinds:
        assert f'"const": "{kind}"' in schemas
    for fact in facts:
        assert f'"{fact}"' in schemas


def test_the_document_is_served_and_holds_no_secret(
    document: dict[str, Any], officer: Door, settings: Settings
) -> None:
    served = officer.client.get("/openapi.json")
    assert served.json() == json.loads(json.dumps(document))
    assert settings.url not in served.text
    assert officer.client.get("/docs").status_code == 200
