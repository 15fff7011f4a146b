"""The application: the only module that knows every router."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url
from starlette.types import ASGIApp

from app import clock, wire
from app.access.once import KeyUsedForOther, Replay
from app.access.quotas import Metered, Quotas, RequestsQuotaUsed
from app.access.router import (
    May,
    MayWithPassword,
    calls,
    password_scheme,
    scheme,
    scopes_of,
    undeclared,
)
from app.access.rules import KeyMissing, PasswordMissing, RoleNotAllowed
from app.access.service import Keyring
from app.alerts.freshness import Freshness
from app.alerts.router import router as alerts
from app.assessments.reconciliation_router import router as reconciliation
from app.assessments.router import router as assessments
from app.assessments.shadow_router import router as shadow
from app.audits import openrosa
from app.audits.checklist_router import router as checklists
from app.audits.openrosa_answers import XML, OpenRosa
from app.audits.openrosa_router import router as phones
from app.audits.planning_router import router as audit_plans
from app.audits.review_router import router as audit_reviews
from app.audits.router import router as audits
from app.audits.sampling_router import router as audit_samples
from app.audits.submission_router import router as audit_submissions
from app.database import as_role, connect, fall_together, sessions_of, takes_a_place
from app.deviations.router import router as deviations
from app.errors import StorageFull, Trouble
from app.evidence import arrivals
from app.evidence.room import room_of
from app.evidence.router import Uploads
from app.evidence.router import router as evidence
from app.journal.log_router import router as sealed_log
from app.journal.router import router as journal
from app.journal.watch import Watch
from app.lanes import LaneFull, Lanes, connections
from app.licenses.kinds import router as kinds
from app.licenses.linting import router as linting
from app.licenses.router import router as licenses
from app.obligations.calendar_router import router as calendars
from app.obligations.compliance import router as compliance
from app.obligations.coverage import router as coverage
from app.obligations.party_router import router as parties
from app.obligations.release import router as release
from app.obligations.router import router as obligations
from app.operation import Observed, Pulse
from app.operation import router as operation
from app.people.account_router import router as account
from app.people.keys import EndedKeys
from app.people.keys_router import router as keys
from app.people.oidc_router import router as oidc
from app.people.people_router import router as people
from app.people.reception import reception_of
from app.people.recognition import COOKIE, MayInPerson, Recognition
from app.people.rules import SessionMissing
from app.people.sign_in_router import router as sign_in
from app.reports.daily import Daily
from app.reports.documents import router as documents
from app.reports.preflight import router as preflight
from app.reports.router import router as reports
from app.reports.schemas import ReadingIn
from app.reports.signatures import desk_of
from app.reports.signing_key_router import router as signing_keys
from app.screening.router import router as screening
from app.settings import Settings
from app.shipments.epcis_router import router as epcis
from app.shipments.router import router as shipments
from app.shipments.transfer_router import router as transfers
from app.walls import DOOR, Part
from app.wire import reference
from app.wire.bodies import BodyLimit, BodyTooLarge
from app.wire.document import settle_schemas, tell_troubles
from app.wire.guarding import Guarded
from app.wire.problems import FieldsInvalid, MalformedJson

ROUTERS: tuple[APIRouter, ...] = (
    linting,
    licenses,
    kinds,
    shadow,
    shipments,
    epcis,
    transfers,
    reconciliation,
    documents,
    evidence,
    screening,
    preflight,
    reports,
    signing_keys,
    audits,
    audit_reviews,
    audit_samples,
    audit_plans,
    audit_submissions,
    checklists,
    phones,
    compliance,
    release,
    coverage,
    obligations,
    calendars,
    parties,
    assessments,
    deviations,
    alerts,
    journal,
    sealed_log,
    sign_in,
    account,
    people,
    keys,
    oidc,
    operation,
)

DESCRIPTION = """
Post-shipment end-use monitoring of export-controlled biometric technology: licenses with
machine-checkable conditions, reports and readings from the field, deviations for human review, and
alerts for dashboards that poll. Errors are RFC 9457 problem details.
"""


SESSION = APIKeyCookie(
    name=COOKIE, auto_error=False, description="Set by signing in as a person at `/v1/sign-in`"
)


class RouteUndeclared(RuntimeError):
    """A route does not say who may use it; the service does not start."""


class Endwatch(FastAPI):
    """The application with its OpenAPI document complete, and every answer guarded."""

    def build_middleware_stack(self) -> ASGIApp:
        """Guard also the answers of the outermost layer, which tells of faults."""
        settings: Settings = self.state.settings
        return Guarded(super().build_middleware_stack(), origins=settings.origins)

    def openapi(self) -> dict[str, Any]:
        """Document every status, every error as a problem, and who needs a key."""
        if self.openapi_schema is None:
            document = super().openapi()
            for router in ROUTERS:
                for route in router.routes:
                    if isinstance(route, APIRoute):
                        _document(document["paths"][route.path_format], route)
            settle_schemas(document, ReadingIn)
            document["components"]["securitySchemes"] = {
                name: one.model.model_dump(mode="json", by_alias=True, exclude_none=True)
                for name, one in (
                    ("key", scheme),
                    ("password", password_scheme),
                    ("session", SESSION),
                )
            }
        return self.openapi_schema or {}


def _document(path: dict[str, Any], route: APIRoute) -> None:
    """Add what any such route can answer to what it says of itself."""
    declared = next((call for call in calls(route) if isinstance(call, May)), None)
    needed = declared.roles if declared is not None else None
    by_password = isinstance(declared, MayWithPassword)
    kinds: list[type[Trouble]] = []
    in_person = isinstance(declared, MayInPerson)
    if needed is not None:
        missing = SessionMissing if in_person else KeyMissing
        kinds += [PasswordMissing if by_password else missing, Trouble, RequestsQuotaUsed]
    if needed is not None or takes_a_place(route.dependant):
        kinds += [LaneFull]
    if needed is not None:
        kinds += [RoleNotAllowed]
    if route.dependant.path_params or route.dependant.query_params:
        kinds += [FieldsInvalid]
    methods = route.methods or set()
    if "POST" in methods:
        kinds += [MalformedJson, KeyUsedForOther, BodyTooLarge, FieldsInvalid, StorageFull]
    if "PUT" in methods:
        kinds += [BodyTooLarge, FieldsInvalid, StorageFull]
    for method in methods:
        operation = path[method.lower()]
        if route.path.startswith(openrosa.PREFIX):
            tell_troubles(operation, kinds, XML)
        else:
            tell_troubles(operation, kinds)
        if needed is not None:
            operation["security"] = _ways(declared)
            operation["x-roles"] = sorted(map(str, needed))


def _ways(declared: May | None) -> list[dict[str, list[str]]]:
    """List the ways to say who one is at a route."""
    if isinstance(declared, MayInPerson):
        return [{"session": []}]
    ways: list[dict[str, list[str]]] = [{"key": []}, {"session": []}]
    return [*ways, {"password": []}] if isinstance(declared, MayWithPassword) else ways


def create_app(settings: Settings, now: Callable[[], datetime] = clock.now) -> FastAPI:
    """Make the application: connected when it starts, every route declared."""
    open_routes = undeclared(ROUTERS)
    if open_routes:
        raise RouteUndeclared(f"who may use these? {', '.join(open_routes)}")
    app = Endwatch(
        title="Endwatch",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=_lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send a key on to whatever address the Host header names
    )
    app.state.settings = settings
    app.state.clock = now
    _open(app, settings)
    door = app.state.pools["door"]
    app.state.keyring = Keyring(door, EndedKeys(door))
    app.state.scopes = scopes_of(ROUTERS)
    app.state.recognition = Recognition(door, settings)
    app.state.reception = reception_of(settings, door)
    app.state.daily = Daily(settings)
    app.state.quotas = Quotas(settings.requests_a_minute)
    app.state.room = room_of(settings)
    app.state.desk = desk_of(settings, app.state.room)
    app.state.uploads = Uploads(settings)
    app.state.watch = Watch(_conninfo(settings), app.state.keyring.forget)
    for router in ROUTERS:
        app.include_router(router)
    wire.install(app)
    reference.install(app)
    app.add_exception_handler(Replay, _replay)
    app.add_middleware(
        BodyLimit,
        limit=settings.json_limit_bytes,
        limits={
            "/v1/readings": settings.readings_limit_bytes,
            "/v1/evidence": settings.evidence_limit_bytes,
            "/v1/audit-plans": 16 * settings.json_limit_bytes,
            openrosa.SUBMISSION: openrosa.POST_LIMIT,
        },
    )
    app.add_middleware(Metered, state=app.state)
    app.add_middleware(OpenRosa)
    app.add_middleware(Freshness, state=app.state)
    app.add_middleware(Observed)
    return app


def _open(app: FastAPI, settings: Settings) -> None:
    """Make the lanes, an engine for each, and one that only says whether the database answers."""
    app.state.lanes = Lanes(settings)
    app.state.engine = connect(settings, Part.API, pool_size=1)
    app.state.pulse = Pulse(app.state.engine)
    app.state.engines = {
        name: connect(settings, Part.API, pool_size=size)
        for name, size in connections(settings).items()
    }
    fall_together([app.state.engine, *app.state.engines.values()])
    app.state.pools = {
        name: sessions_of(engine, DOOR if name == "door" else None)
        for name, engine in app.state.engines.items()
    }


def _conninfo(settings: Settings) -> str:
    """Write the database address as psycopg itself wants it, for a connection of the API."""
    url = make_url(settings.url).set(drivername="postgresql").render_as_string(False)
    return make_conninfo(url, options=as_role(Part.API))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Listen to the journal. Who has a place in a lane finds a thread, and another to end in."""
    places = sum(lane.places for lane in app.state.lanes)
    current_default_thread_limiter().total_tokens = places
    app.state.ending = CapacityLimiter(places)
    arrivals.sweep(app.state.room.arrivals, app.state.clock())
    app.state.watch.start()
    yield
    app.state.watch.stop()
    for engine in (app.state.engine, *app.state.engines.values()):
        engine.dispose()


def _replay(_: Request, error: Exception) -> Response:
    assert isinstance(error, Replay)
    return error.response()
