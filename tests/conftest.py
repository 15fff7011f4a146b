"""A real PostgreSQL for the whole run, and a fresh database for every test that asks for one."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Engine, make_url, text
from starlette.testclient import TestClient

from app import clock
from app.access import service as access
from app.access.rules import Actor, Role
from app.assessments import dockets
from app.cli.migrations import migrate
from app.cli.postgres import Postgres
from app.database import Sessions, connect, sessions_of
from app.journal.notes import Signer
from app.journal.sequencer import Sequencer
from app.main import create_app
from app.people import sessions as people_sessions
from app.people.models import Person
from app.people.recognition import COOKIE
from app.people.rules import Level, mint_id
from app.settings import Settings
from tests.world import license_body

structlog.configure(  # quiet, so that what a command prints can be read
    wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
)

TEMPLATE = "template_endwatch"
_numbers = count(1)

MakeLicense = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server. Its folder is not under pytest's own, which is closed to other users.

    It does not wait for the disk: a thousand databases come and go, each drop would write them all
    out (1.7 s instead of 0.05). What must survive a crash is tested with servers of its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="endwatch-tests-"))
    server = Postgres(folder)
    url = server.start()
    with _admin(url) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    migrate(settings_for(make_url(url).set(database=TEMPLATE).render_as_string(False)))
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _admin(url: str) -> psycopg.Connection[Any]:
    conninfo = make_url(url).set(drivername="postgresql", database="postgres")
    return psycopg.connect(conninfo.render_as_string(False), autocommit=True)


def settings_for(url: str, **more: Any) -> Settings:
    return Settings(database_url=SecretStr(url), **more)


@contextmanager
def fresh_database(postgres: Postgres) -> Iterator[str]:
    """A fresh, migrated database."""
    name = f"test_{next(_numbers)}"
    with _admin(postgres.url) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    dockets.forget()
    yield make_url(postgres.url).set(database=name).render_as_string(False)
    with _admin(postgres.url) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return settings_for(database_url, data_dir=tmp_path / "data")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The database as the scheduler and the operator's commands have it."""
    engine = connect(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def owner(settings: Settings) -> Iterator[Engine]:
    """The database as its owner has it, for migrating, clearing and harming it."""
    engine = connect(settings, None)
    yield engine
    engine.dispose()


@pytest.fixture
def owners(owner: Engine) -> Sessions:
    return sessions_of(owner)


Harm = Callable[[str], int]


@pytest.fixture
def harm(owner: Engine) -> Harm:
    """Changes something as only a superuser can, past every trigger; answers how many rows."""

    def change(statement: str) -> int:
        with owner.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            return connection.execute(text(statement)).rowcount

    return change


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    return sessions_of(engine)


@pytest.fixture(scope="session")
def log_key() -> Signer:
    """The key that signs for the journal of every test."""
    return Signer.make("tests.endwatch.example/log")


@pytest.fixture
def sequencer(engine: Engine, log_key: Signer) -> Iterator[Sequencer]:
    """A sequencer that is told when to tick, and signs."""
    sequencer = Sequencer(engine, lambda _: log_key)
    yield sequencer
    sequencer.close()


class Clock:
    """The time as the service under test is told it; it moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = clock.now()

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture
def app(settings: Settings, time: Clock) -> FastAPI:
    return create_app(settings, time)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """The whole application, in this process, without a key."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


class Door:
    """The application as seen with one key."""

    def __init__(self, client: TestClient, token: str, actor: Actor) -> None:
        self.client = client
        self.token = token
        self.actor = actor
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, headers=self.headers | more.pop("headers", {}), **more)

    def post(self, path: str, json: Any = None, **more: Any) -> Any:
        headers = self.headers | more.pop("headers", {})
        return self.client.post(path, json=json, headers=headers, **more)

    def put(self, path: str, content: Any, **more: Any) -> Any:
        headers = self.headers | more.pop("headers", {})
        return self.client.put(path, content=content, headers=headers, **more)


OpenDoor = Callable[..., Door]


@pytest.fixture
def door(client: TestClient, sessions: Sessions, time: Clock) -> OpenDoor:
    """Makes a key of a role and gives the door it opens."""

    def open_door(role: Role | str, party: str | None = None) -> Door:
        with sessions() as session:
            key, token = access.issue(session, Role(role), party=party, label="test", now=time())
            actor = Actor(key.id, Role(role), party)
            session.commit()
        return Door(client, token, actor)

    return open_door


class Browser:
    """The application as a person sees it: cookies are kept, changes come from its own pages."""

    ADDRESS = "https://localhost"

    def __init__(self, app: FastAPI, client: TestClient) -> None:
        self.client = TestClient(app, self.ADDRESS, raise_server_exceptions=False)
        self.client.portal = client.portal
        self.headers = {
            "Origin": self.ADDRESS,
            "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/150",
        }

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, headers=self.headers | more.pop("headers", {}), **more)

    def post(self, path: str, json: Any = None, **more: Any) -> Any:
        headers = self.headers | more.pop("headers", {})
        return self.client.post(path, json=json, headers=headers, **more)

    @property
    def cookie(self) -> str | None:
        return self.client.cookies.get(COOKIE)


MakePerson = Callable[..., Person]
SignedIn = Callable[..., Browser]


@pytest.fixture
def browser(app: FastAPI, client: TestClient) -> Callable[[], Browser]:
    """Makes browsers in which nobody is signed in yet."""
    return lambda: Browser(app, client)


@pytest.fixture
def make_person(sessions: Sessions, time: Clock) -> MakePerson:
    """Puts a person on file, who has no password yet."""

    def make(role: Role | str, party: str | None = None, **more: Any) -> Person:
        values = {
            "sign_in": f"{mint_id()}@example.org",
            "name": "Someone",
            "administers_party": False,
            "state": "active",
        }
        with sessions.begin() as session:
            person = Person(
                id=mint_id(),
                role=role,
                party=party,
                made_at=time(),
                made_by="test",
                **(values | more),
            )
            session.add(person)
        return person

    return make


@pytest.fixture
def signed_in(
    browser: Callable[[], Browser],
    make_person: MakePerson,
    sessions: Sessions,
    settings: Settings,
    time: Clock,
) -> SignedIn:
    """Gives a browser in which a new person of a role is signed in, or the person given."""

    def sign_in(
        role: Role | str | Person, party: str | None = None, level: Level = Level.FULL, **more: Any
    ) -> Browser:
        person = role if isinstance(role, Person) else make_person(role, party, **more)
        with sessions.begin() as session:
            _, token = people_sessions.open(
                session,
                person,
                settings,
                level=level,
                method="test",
                user_agent="Mozilla/5.0 (X11; Linux) Firefox/150",
                now=time(),
            )
        one = browser()
        one.client.cookies.set(COOKIE, token, domain="localhost.local", path="/")
        return one

    return sign_in


@pytest.fixture
def officer(door: OpenDoor) -> Door:
    return door(Role.LICENSING_OFFICER)


@pytest.fixture
def exporter(door: OpenDoor) -> Door:
    return door(Role.EXPORTER, "NORDLICHT")


@pytest.fixture
def dashboard(door: OpenDoor) -> Door:
    return door(Role.DASHBOARD)


@pytest.fixture
def make_license(officer: Door, exporter: Door) -> MakeLicense:
    """Registers a license with the given conditions and ships the given serials under it."""

    def make(*conditions: dict[str, Any], serials: tuple[str, ...] = (), **more: Any) -> Any:
        body = license_body(*conditions, **more)
        answer = officer.post("/v1/licenses", body)
        assert answer.status_code == 201, answer.text
        if serials:
            shipment = {
                "license": body["number"],
                "reference": "SHIP-1",
                "line": 1,
                "date": body["granted_on"],
                "quantity": len(serials),
                "serials": list(serials),
            }
            shipped = exporter.post("/v1/shipments", shipment)
            assert shipped.status_code == 201, shipped.text
        return answer.json()

    return make
