"""What the tests of time share: telling the service things, letting the scheduler look, asking."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import text

from app.database import Sessions
from app.obligations import service as obligations
from tests.conftest import Door
from tests.world import condition

START = datetime(2026, 6, 1, 12, tzinfo=UTC)

_numbers = count(1)


def day(days: float, **more: float) -> datetime:
    """So many days after the start of every story, which is noon UTC on 1 June 2026."""
    return START + timedelta(days=days, **more)


def heartbeat(hours: int = 72, grace: int = 3, **more: Any) -> dict[str, Any]:
    return condition("heartbeat", every_hours=hours, grace_hours=grace, **more)


def reading(license: str, serial: str, at: datetime, **facts: Any) -> dict[str, Any]:
    return {"license": license, "serial": serial, "observed_at": at.isoformat(), "facts": facts}


def send(door: Door, *readings: dict[str, Any]) -> dict[str, Any]:
    """Send a batch of readings that must all be taken."""
    answer = door.post(
        "/v1/readings",
        content="\n".join(map(json.dumps, readings)),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert told["rejected"] == []
    return told


def stated(serial: str, **facts: Any) -> dict[str, Any]:
    return {"subject": {"serial": serial}, "facts": facts}


def whole(**facts: Any) -> dict[str, Any]:
    return {"subject": {"license": True}, "facts": facts or {"end_uses": ["border_control"]}}


def report(
    license: str, at: datetime, *statements: dict[str, Any], kind: str = "attestation", **more: Any
) -> dict[str, Any]:
    """Make the body of a report; references count up unless one is given."""
    return {
        "kind": kind,
        "license": license,
        "reference": f"R-{next(_numbers)}",
        "observed_at": at.isoformat(),
        "statements": list(statements) or [whole()],
    } | more


def file(door: Door, body: dict[str, Any]) -> dict[str, Any]:
    """File a report that must be taken."""
    answer = door.post("/v1/reports", body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def amend(
    officers: tuple[Door, Door], license: str, since: datetime, *conditions: dict[str, Any]
) -> None:
    """Amend a license by two persons."""
    body = {
        "ground": "as agreed",
        "effective_from": since.isoformat(),
        "conditions": list(conditions),
    }
    proposed = officers[0].post(f"/v1/licenses/{license}/amendments", body)
    assert proposed.status_code == 201, proposed.text
    path = f"/v1/licenses/{license}/amendments/{proposed.json()['id']}/approval"
    approved = officers[1].post(path)
    assert approved.status_code == 200, approved.text


def beat(sessions: Sessions, now: datetime) -> int:
    """Do what one beat of the scheduler does; answer how many obligations were looked at."""
    obligations.attend_around(sessions, now=now)
    looked = 0
    while found := obligations.look_around(sessions, now=now):
        looked += found
    return looked


def deviations(door: Door, **query: str) -> list[dict[str, Any]]:
    """List deviations, oldest first."""
    items: list[dict[str, Any]] = door.get("/v1/deviations", params=query).json()["items"]
    return items[::-1]


def history(door: Door, id: str) -> list[dict[str, Any]]:
    """List the occurrences of a deviation, latest first."""
    occurrences: list[dict[str, Any]] = door.get(f"/v1/deviations/{id}").json()["history"]
    return occurrences


def owed(door: Door, **query: str) -> list[dict[str, Any]]:
    """List obligations, soonest due first."""
    items: list[dict[str, Any]] = door.get("/v1/obligations", params=query).json()["items"]
    return items


def states(items: Iterable[dict[str, Any]]) -> list[str]:
    return [item["state"] for item in items]


def changes(door: Door) -> list[tuple[str, str]]:
    """List what the alert feed told: the change, and of which deviation."""
    items = door.get("/v1/alerts", params={"limit": 500}).json()["items"]
    return [(item["change"], item["deviation"]) for item in items]


def entries(sessions: Sessions, action: str) -> int:
    """Count what was written to the journal of an action, numbered or not."""
    query = text("SELECT count(*) FROM journal_pending WHERE action = :action")
    with sessions() as session:
        return int(session.scalar(query, {"action": action}) or 0)
