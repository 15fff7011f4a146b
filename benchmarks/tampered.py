"""A database of which every table that the journal tells of has rows, for somebody to tamper with."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, make_url, text

from app.access.rules import Actor, Role
from app.audits import looking
from app.cli.migrations import migrate
from app.cli.postgres import Postgres
from app.database import connect
from app.journal.notes import Signer
from app.journal.sequencer import Sequencer
from app.people import accepting, invitations, service
from app.people.outcomes import Visitor
from app.people.schemas import AcceptanceIn, InvitationIn
from tests.conftest import TEMPLATE, settings_for
from tests.doors.filings import attestation, stating
from tests.doors.test_custody import event
from tests.doors.test_documents import decision as of_document
from tests.doors.test_screenings import decision as of_hit
from tests.doors.test_transfers import YES
from tests.journal.test_sequencer import commit
from tests.journal.told_keys import tell_of_keys
from tests.signatures.signers import made, registered, signed
from tests.walls.estate import Estate, said, standing

PADDING = 40
"""Entries beside, between two checkpoints, so that the tree has tiles above tiles."""


@contextmanager
def server(folder: Path) -> Iterator[Postgres]:
    """Start a PostgreSQL with the template that databases are made of."""
    with Postgres(folder) as postgres:
        address = make_url(postgres.url)
        own = address.set(drivername="postgresql", database="postgres").render_as_string(False)
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(settings_for(address.set(database=TEMPLATE).render_as_string(False)))
        yield postgres


@contextmanager
def database(postgres: Postgres, folder: Path) -> Iterator[Engine]:
    """Build the database, told and sealed; give it as its owner has it."""
    with standing(postgres, folder) as estate:
        engine = connect(estate.settings)
        with engine.connect() as connection:
            known = connection.scalars(text("SELECT verifier FROM journal_keys")).one()
        signer = Signer.make(known.partition("+")[0])
        with closing(Sequencer(engine, lambda _: signer)) as sequencer:
            tell_of_keys(estate.owners, estate.time())
            for step in (_decided, _carried_on, _signed, _peopled):
                step(estate)
                commit(estate.jobs, *(f"{step.__name__}-{number}" for number in range(PADDING)))
                while sequencer.tick():
                    pass
        engine.dispose()
        owner = connect(estate.settings, None)
        yield owner
        owner.dispose()


def _path(estate: Estate, place: str) -> str:
    held = estate.mine
    values = {"number": held.number} | held.things[place]
    return place.format(**values)


def _decided(estate: Estate) -> None:
    """Let a second person decide what waits for one."""
    officer, other = (estate.door(Role.LICENSING_OFFICER) for _ in range(2))
    supervisor = estate.door(Role.SUPERVISOR)
    tell_of_keys(estate.owners, estate.time())
    document = _path(estate, "/v1/licenses/{number}/documents/{id}")
    for verdict in ("refused", "accepted"):
        said(officer.post(f"{document}/decisions", of_document(verdict)))
    hit = _path(estate, "/v1/screenings/{id}/hits/{hit}")
    for confirmed in (True, False):
        said(other.post(f"{hit}/decisions", of_hit(confirmed=confirmed)))
    said(other.post(_path(estate, "/v1/licenses/{number}/transfers/{id}") + "/decision", YES))
    said(other.post(_path(estate, "/v1/licenses/{number}/amendments/{id}") + "/approval", {}))
    said(supervisor.post(_path(estate, "/v1/obligations/{id}") + "/waiver/refusal", {}))
    change = {"state": "suspended", "ground": "An inquiry."}
    said(officer.post(f"/v1/licenses/{estate.theirs.number}/state", change))


def _carried_on(estate: Estate) -> None:
    """Let a check be refused, rated and followed up; let custody be corrected."""
    inspector, reviewer = (estate.door(role) for role in (Role.INSPECTOR, Role.REVIEWER))
    tell_of_keys(estate.owners, estate.time())
    path = _path(estate, "/v1/audits/{id}")
    estate.time.forward(days=50)
    office = estate.staff[Role.SUPERVISOR]
    said(office.post(f"{path}/assignment", {"to": inspector.actor.key}))
    said(inspector.post(f"{path}/acceptance", {}))
    said(inspector.post(f"{path}/refusal", {"ground": "Not today."}))
    looking.look_around(estate.jobs, now=estate.time.forward(days=70))
    said(inspector.post(f"{path}/start", {}))
    about = {"statements": stating({"gallery_size": 4_000}, serial=f"{estate.mine.party[0]}R-1")}
    seen = attestation(
        estate.mine.number, estate.time(), kind="inspection", mode="physical", **about
    )
    report = said(inspector.post("/v1/reports", seen | {"reference": "INSP-1"}))
    said(inspector.post(f"{path}/report", {"reports": [report["id"]]}))
    for outcome, reasons in (("unfavorable", ["access_refused"]), ("inconclusive", [])):
        body = {"outcome": outcome, "reasons": reasons, "ground": "No access."}
        said(reviewer.post(f"{path}/outcome", body))
    said(reviewer.post(f"{path}/actions", {"text": "Visit again.", "for_party": False}))
    said(reviewer.post(f"{path}/actions/1/done", {"account": "Mended."}))
    said(office.post(f"{path}/sample/reveal", {}))
    own, number = estate.mine.door, estate.mine.number
    first = own.get(f"/v1/licenses/{number}/custody").json()["items"][0]
    moved = {"serials": [first["serial"]], "corrects": first["reference"], "reference": "C-2"}
    said(own.post(f"/v1/licenses/{number}/custody", event(**moved)))


def _signed(estate: Estate) -> None:
    """Let a report be signed by a registered key, which is revoked then; and one be corrected."""
    own, number, now = estate.mine.door, estate.mine.number, estate.time()
    key = made()
    id = registered(own, key)["id"]
    day = now - timedelta(days=1)
    about = {"statements": stating({"gallery_size": 4_000}, serial=f"{estate.mine.party[0]}R-1")}
    body = attestation(number, day, reference="ATT-SIGNED", **about)
    filed = said(own.post("/v1/reports", signed(body, key, now)))
    correction = attestation(number, day, reference="ATT-CORRECTION", **about)
    said(own.post("/v1/reports", correction | {"corrects": filed["id"]}))
    said(own.post(f"/v1/signing-keys/{id}/revocation", {"ground": "Replaced."}))


def _peopled(estate: Estate) -> None:
    """Invite two people who accept; one is gone again. A key is rotated and one is revoked."""
    actor, now = Actor("cli", Role.ADMINISTRATOR), estate.time()
    ids = [_person(estate, name, actor) for name in ("ada", "grace")]
    with estate.owners.begin() as session:
        service.end(session, ids[1], actor=actor, now=now)
    own = estate.door(Role.DASHBOARD)
    tell_of_keys(estate.owners, now)
    said(own.post(f"/v1/keys/{own.actor.key}/rotation", {}))
    said(own.post(f"/v1/keys/{own.actor.key}/revocation", {}))


def _person(estate: Estate, name: str, actor: Actor) -> str:
    given = InvitationIn(sign_in=f"{name}@example.org", role=Role.REVIEWER, name=name.title())
    accepted: dict[str, Any] = {"password": "three wet lamps at noon", "name": name.title()}
    visitor = Visitor(None, None, "localhost", None, None, frozenset())
    with estate.owners.begin() as session:
        row, token = invitations.invite(session, given, actor=actor, now=estate.time())
        answer = AcceptanceIn(token=token, **accepted)
        accepting.accept(session, answer, visitor, estate.settings, now=estate.time())
        session.flush()
        assert row.person_id is not None
        return row.person_id
