"""Two exporters, each with one of everything that can belong to one, made through the doors."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from app.access import service as access
from app.access.rules import Actor, Role
from app.cli.postgres import Postgres
from app.database import Sessions, connect, sessions_of
from app.journal.notes import Signer
from app.journal.sequencer import Sequencer
from app.main import create_app
from app.settings import Settings
from tests.conftest import Clock, Door, fresh_database, settings_for
from tests.doors.filings import attestation, ndjson, reading, send, stating
from tests.doors.test_custody import event as custody_event
from tests.doors.test_deliveries import delivery
from tests.doors.test_documents import document
from tests.doors.test_plans import body as plan_of
from tests.doors.test_screenings import screening
from tests.doors.test_transfers import transfer
from tests.epcis.events import document as captured
from tests.epcis.events import event as epcis_event
from tests.evidence import good
from tests.evidence.handing_in import digest_of, put
from tests.journeys.telling import beat, heartbeat
from tests.signatures.signers import made, registered
from tests.world import condition, license_body

NORDLICHT, SUEDLICHT = "NORDLICHT", "SUEDLICHT"
EXPORTERS = {
    NORDLICHT: {"reference": NORDLICHT, "name": "Nordlicht Biometrics GmbH", "country": "DE"},
    SUEDLICHT: {"reference": SUEDLICHT, "name": "Südlicht Cameras AG", "country": "AT"},
}
OF_PEOPLE = ("/v1/people/invitations/{id}", "/v1/people/{id}", "/v1/keys/{id}")
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Holding:
    """What one exporter has: `things` are the parameters of addresses, by the address they fit."""

    party: str
    number: str
    license_id: int
    door: Door
    things: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def deviations(self) -> list[UUID]:
        return [UUID(self.things["/v1/deviations/{id}"]["id"])]


@dataclass
class Estate:
    """Both, the people of the authority, and the service they use."""

    mine: Holding
    theirs: Holding
    staff: dict[Role, Door]
    app: FastAPI
    settings: Settings
    jobs: Sessions
    owners: Sessions
    time: Clock

    def door(self, role: Role, party: str | None = None) -> Door:
        """Open a further door."""
        return _door(self.app, self.mine.door.client, self.jobs, self.time, role, party)


def said(answer: Any) -> dict[str, Any]:
    """Take the answer of something that must be done."""
    assert answer.status_code < 300, (answer.request.url, answer.text)
    told: dict[str, Any] = answer.json()
    return told


@contextmanager
def standing(postgres: Postgres, folder: Path) -> Iterator[Estate]:
    """Build the two in a database of their own, which several tests may look at."""
    with fresh_database(postgres) as url:
        settings = settings_for(url, data_dir=folder)
        engines = [connect(settings), connect(settings, None)]
        jobs, owners = map(sessions_of, engines)
        time = Clock()
        app = create_app(settings, time)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield _build(app, client, settings, jobs, owners, time)
        for engine in engines:
            engine.dispose()


def _build(
    app: FastAPI,
    client: TestClient,
    settings: Settings,
    jobs: Sessions,
    owners: Sessions,
    time: Clock,
) -> Estate:
    """Make both on the first of June."""
    time.now = START
    doors = partial(_door, app, client, jobs, time)
    staff: dict[Role, Door] = {role: doors(role) for role in Role if role is not Role.EXPORTER}
    mine, theirs = (
        _holding(party, doors(Role.EXPORTER, party), staff, jobs, time) for party in EXPORTERS
    )
    with closing(Sequencer(connect(settings), lambda _: Signer.make("walls.example/log"))) as one:
        while one.tick():
            pass
    for held in (mine, theirs):
        entries = held.door.get("/v1/journal").json()["items"]
        held.things["/v1/journal/{seq}"] = {"seq": str(entries[0]["seq"])}
    plan = said(staff[Role.SUPERVISOR].post("/v1/audit-plans", plan_of()))
    mine.things["/v1/audit-plans/{id}"] = {"id": plan["id"]}
    return Estate(mine, theirs, staff, app, settings, jobs, owners, time)


def _door(
    app: FastAPI,
    client: TestClient,
    jobs: Sessions,
    time: Clock,
    role: Role,
    party: str | None = None,
) -> Door:
    with jobs() as session:
        key, token = access.issue(session, role, party=party, label="walls", now=time())
        session.commit()
    app.state.keyring.forget()
    return Door(client, token, Actor(key.id, role, party))


def _holding(
    party: str,
    own: Door,
    staff: dict[Role, Door],
    sessions: Sessions,
    time: Clock,
) -> Holding:
    serial, officer = f"{party[0]}R-1", staff[Role.LICENSING_OFFICER]
    body = license_body(
        condition("gallery_cap", "At most 5,000.", max_enrolled=5000),
        condition("reporting_cadence", every="P1M", by="exporter", starts="2026-06-01"),
        heartbeat(),
        exporter=EXPORTERS[party],
    )
    number = str(said(officer.post("/v1/licenses", body))["number"])
    shipment = {
        "license": number,
        "reference": "SHIP-9",
        "line": 1,
        "date": "2026-03-10",
        "quantity": 2,
        "serials": [serial, f"{serial}b"],
    }
    said(own.post("/v1/shipments", shipment))
    with sessions() as session:
        id = session.scalar(text("SELECT id FROM licenses WHERE number = :n"), {"n": number})
    held = Holding(party, number, id, own)
    held.things["/v1/parties/{reference}"] = {"reference": party}
    held.things["/v1/condition-types/{kind}"] = {"kind": "gallery_cap"}
    held.things["/log/tile/entries/{place:path}"] = {"place:path": "000"}
    _filed(held, serial, time.now)
    _asked_for(held, staff, serial, time.now)
    beat(sessions, time.now)
    time.forward(days=45)
    beat(sessions, time.now)
    _checked(held, staff, time.now)
    _owed(held, staff)
    held.things["/v1/deviations/{id}"] = {"id": own.get("/v1/deviations").json()["items"][0]["id"]}
    time.now = START
    return held


def _filed(held: Holding, serial: str, now: datetime) -> None:
    """File what an exporter files, too many enrolled among it."""
    own, number = held.door, held.number
    content = good.pdf(f"Proof of {held.party}.")
    said(put(own, content))
    held.things["/v1/evidence/{digest}"] = {"digest": digest_of(content)}
    large = attestation(number, now, statements=stating({"gallery_size": 9000}, serial=serial))
    report = said(own.post("/v1/reports", large))
    held.things["/v1/reports/{id}"] = {"id": report["id"]}
    held.things["/v1/receipts/{id}"] = {"id": report["receipt"]["id"]}
    filed = send(own, ndjson([reading(number, now - timedelta(hours=1), serial)]))
    assert said(filed)["accepted"] == 1
    moved = {"serials": [serial], "from_party": held.party}
    said(own.post(f"/v1/licenses/{number}/custody", custody_event(**moved)))
    said(own.post("/v1/deliveries", delivery(number, quantity="2")))
    source = {"type": "possessing_party", "source": f"urn:endwatch:party:{held.party}"}
    events = captured(epcis_event(serial, sourceList=[source]))
    taken = said(own.post("/epcis/capture", events, headers={"Endwatch-License": number}))
    held.things["/epcis/capture/{id}"] = {"id": taken["captureID"]}
    signing = registered(own, made())
    held.things["/v1/signing-keys/{id}"] = {"id": signing["id"]}
    held.things |= {place: {"id": "nobodys-own"} for place in OF_PEOPLE}
    calendar = said(own.post("/v1/calendars", {"label": "Ours"}))
    held.things["/v1/calendars/{id}"] = {"id": calendar["id"]}


def _asked_for(held: Holding, staff: dict[Role, Door], serial: str, now: datetime) -> None:
    """Hand in what waits for a decision, and propose what waits for a second person."""
    own, path = held.door, f"/v1/licenses/{held.number}"
    paper = said(own.post(f"{path}/documents", document()))
    held.things["/v1/licenses/{number}/documents/{id}"] = {"id": str(paper["id"])}
    moving = said(own.post(f"{path}/transfers", transfer(serials=[serial])))
    held.things["/v1/licenses/{number}/transfers/{id}"] = {"id": str(moving["id"])}
    lower = condition("gallery_cap", "At most 4,000.", max_enrolled=4000)
    amendment = {"ground": "fewer", "effective_from": now.isoformat(), "conditions": [lower]}
    proposed = said(staff[Role.LICENSING_OFFICER].post(f"{path}/amendments", amendment))
    held.things["/v1/licenses/{number}/amendments/{id}"] = {"id": str(proposed["id"])}
    hit = said(staff[Role.LICENSING_OFFICER].post("/v1/screenings", screening(now)))
    held.things["/v1/screenings/{id}/hits/{hit}"] = {
        "id": str(hit["id"]),
        "hit": str(hit["hits"][0]["id"]),
    }


def _checked(held: Holding, staff: dict[Role, Door], now: datetime) -> None:
    """Plan a check, tell the exporter of it and draw a sample."""
    day = (now + timedelta(days=30)).date().isoformat()
    body = {"license": held.number, "mode": "physical", "planned_for": day, "site": "NBO-T1"}
    audit = said(staff[Role.SUPERVISOR].post("/v1/audits", body))
    path = f"/v1/audits/{audit['id']}"
    said(staff[Role.SUPERVISOR].post(f"{path}/notification", {}))
    said(staff[Role.SUPERVISOR].post(f"{path}/sample", {"missing": 1, "probability": "0.5"}))
    action = {"text": "Repair the lock.", "for_party": True}
    said(staff[Role.REVIEWER].post(f"{path}/actions", action))
    held.things["/v1/audits/{id}"] = {"id": audit["id"]}
    held.things["/v1/audits/{id}/actions/{number}"] = {"id": audit["id"], "number": "1"}


def _owed(held: Holding, staff: dict[Role, Door]) -> None:
    """Propose to waive what is owed."""
    items = held.door.get("/v1/obligations").json()["items"]
    open_ = next(one for one in items if one["state"] in {"upcoming", "due", "overdue"})
    body = {"ground": "a strike", "expires_on": "2026-09-15"}
    said(staff[Role.SUPERVISOR].post(f"/v1/obligations/{open_['id']}/waiver", body))
    held.things["/v1/obligations/{id}"] = {"id": open_["id"]}
