"""A PostgreSQL of one's own, whose owner is no superuser, and an API that is not told the owner's."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.exc import DatabaseError, ProgrammingError
from starlette.testclient import TestClient

from app import clock
from app.access import service as access
from app.access.rules import Actor, Role
from app.assessments import dockets
from app.cli.migrations import migrate
from app.cli.postgres import Postgres
from app.database import connect, sessions_of
from app.main import create_app
from app.settings import Settings
from app.walls import Part
from tests.conftest import Door
from tests.doors.filings import ndjson, reading, send
from tests.doors.filings import shipment as shipped
from tests.journeys.telling import beat
from tests.world import condition, license_body

ROLES = (
    "CREATE ROLE keeper LOGIN",
    "CREATE ROLE web LOGIN IN ROLE endwatch_api",
    "CREATE ROLE weak LOGIN",
    "CREATE DATABASE owned OWNER keeper",
    "CREATE DATABASE weakly OWNER weak",
)


def _url(postgres: Postgres, user: str, database: str) -> str:
    return make_url(postgres.url).set(username=user, database=database).render_as_string(False)


@pytest.fixture
def own(postgres: Postgres) -> Iterator[Settings]:
    """A database that somebody without special rights owns; the API comes by another name."""
    dockets.forget()  # they are known by number, and this database numbers anew
    admin = make_url(postgres.url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
        for statement in ROLES:
            connection.execute(statement.encode())
        connection.execute(b"GRANT endwatch_api, endwatch_jobs TO keeper")
        yield Settings(
            database_url=SecretStr(_url(postgres, "web", "owned")),
            owner_url=SecretStr(_url(postgres, "keeper", "owned")),
        )
        for name in ("owned", "weakly"):
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        for name in ("keeper", "web", "weak"):
            connection.execute(f"DROP ROLE {name}".encode())


def test_the_service_works_on_a_database_whose_owner_is_nobody_special(own: Settings) -> None:
    migrate(own)
    jobs = connect(own)
    with sessions_of(jobs)() as session:
        now = clock.now()
        keys = {
            role: access.issue(session, role, party=party, label="", now=now)
            for role, party in ((Role.LICENSING_OFFICER, None), (Role.EXPORTER, "NORDLICHT"))
        }
        session.commit()
    with TestClient(create_app(own)) as client:
        officer, exporter = (
            Door(client, token, Actor(key.id, role, key.party))
            for role, (key, token) in keys.items()
        )
        body = license_body(condition("gallery_cap", max_enrolled=5000))
        number = officer.post("/v1/licenses", body).json()["number"]
        sent = exporter.post("/v1/shipments", shipped(number, quantity=1, serials=["FR-1"]))
        assert sent.status_code == 201, sent.text
        large = reading(number, now - timedelta(hours=1), facts={"gallery_size": 9000})
        told = send(exporter, ndjson([large]))
        assert told.status_code == 200, told.text
        assert (told.json()["accepted"], len(told.json()["deviations"])) == (1, 1)
    beat(sessions_of(jobs), now)
    jobs.dispose()
    migrate(own)  # again, as every start of `serve` does


def test_the_apis_own_address_opens_no_more_than_the_api(own: Settings) -> None:
    migrate(own)
    engine = connect(own, Part.API)
    with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text("SET ROLE keeper"))
    with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text("SET ROLE endwatch_jobs"))
    with engine.connect() as connection:
        connection.execute(text("RESET ROLE"))
        assert connection.scalar(text("SELECT count(*) FROM licenses")) == 0
    engine.dispose()


def test_who_may_not_make_roles_is_told_what_to_have_run(postgres: Postgres, own: Settings) -> None:
    assert own.owner_url is not None
    admin = make_url(postgres.url).set(drivername="postgresql", database="postgres")
    weak = Settings(database_url=SecretStr(_url(postgres, "weak", "weakly")))
    with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
        connection.execute(b"ALTER ROLE endwatch_jobs RENAME TO endwatch_away")
        try:
            with pytest.raises(DatabaseError, match="GRANT endwatch_api, endwatch_jobs TO weak"):
                migrate(weak)
        finally:
            connection.execute(b"ALTER ROLE endwatch_away RENAME TO endwatch_jobs")
