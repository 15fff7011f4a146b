import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from app import main
from app.access.router import May, Public, calls, public, undeclared
from app.access.rules import Role
from app.database import takes_a_place
from app.main import ROUTERS, RouteUndeclared, create_app
from app.settings import Settings

ROUTES = [route for router in ROUTERS for route in router.routes]


def test_every_route_says_who_may_use_it() -> None:
    assert len(ROUTES) > 20
    for route in ROUTES:
        assert isinstance(route, APIRoute)
        declared = [call for call in calls(route) if isinstance(call, May) or call is public]
        assert len(declared) == 1, route.path
    assert undeclared(ROUTERS) == []


def test_every_route_is_of_one_method_and_has_an_address_of_its_own() -> None:
    addresses = [
        (method, route.path)
        for route in ROUTES
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    assert len(addresses) == len(ROUTES) == len(set(addresses))


def test_every_role_is_let_in_somewhere_or_has_nothing_yet() -> None:
    let_in = {
        role
        for route in ROUTES
        if isinstance(route, APIRoute)
        for call in calls(route)
        if isinstance(call, May)
        for role in call.roles
    }
    assert set(Role) - let_in <= {Role.ADMINISTRATOR, Role.GRIEVANCE_OFFICER}


def test_a_place_is_taken_only_once_the_sender_is_known() -> None:
    """He would pass for a stranger; and batches are held in a lane of their own before."""
    seen = 0
    for route in ROUTES:
        assert isinstance(route, APIRoute)
        places = [takes_a_place(one) for one in route.dependant.dependencies]
        if True not in places:
            continue
        seen += 1
        for later in route.dependant.dependencies[places.index(True) :]:
            assert not isinstance(later.call, May), route.path
            assert getattr(later.call, "__name__", "") != "_raw", route.path
    assert seen > 80


def test_a_service_with_an_undeclared_route_does_not_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = APIRouter()
    router.add_api_route("/v1/open", lambda: None, dependencies=[Public])
    router.add_api_route("/v1/secrets", lambda: None)
    monkeypatch.setattr(main, "ROUTERS", (*ROUTERS, router))
    with pytest.raises(RouteUndeclared, match="/v1/secrets"):
        create_app(settings)


def test_looking_at_no_routes_is_no_proof() -> None:
    with pytest.raises(AssertionError, match="no routes"):
        undeclared([])
