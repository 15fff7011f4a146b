"""What is filed through the doors, and what every refusal must look like."""

import json
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.database import Sessions
from tests.conftest import Door

PROBLEM = "application/problem+json"
TABLES = ("licenses", "shipments", "units", "reports", "statements", "readings", "journal_pending")


def shipment(number: str, **more: Any) -> dict[str, Any]:
    """Ten gates leave under line 1."""
    return {
        "license": number,
        "reference": "SHIP-9",
        "line": 1,
        "date": "2026-03-10",
        "quantity": "10",
    } | more


def attestation(number: str, at: datetime, **more: Any) -> dict[str, Any]:
    """The exporter attests the gallery of unit FR-1."""
    return {
        "kind": "attestation",
        "license": number,
        "reference": "ATT-1",
        "observed_at": at.isoformat(),
        "statements": [{"subject": {"serial": "FR-1"}, "facts": {"gallery_size": 4210}}],
    } | more


def stating(facts: dict[str, Any], **subject: Any) -> list[dict[str, Any]]:
    """One statement about unit FR-1, or the subject given."""
    return [{"subject": subject or {"serial": "FR-1"}, "facts": facts}]


def reading(number: str, at: datetime, serial: str = "FR-1", **more: Any) -> dict[str, Any]:
    """A gate says how many it has enrolled."""
    return {
        "license": number,
        "serial": serial,
        "observed_at": at.isoformat(),
        "facts": {"gallery_size": 4210},
    } | more


def readings(number: str, until: datetime, count: int, **more: Any) -> list[dict[str, Any]]:
    """So many readings of one gate, a minute apart."""
    return [reading(number, until - timedelta(minutes=count - at), **more) for at in range(count)]


def ndjson(lines: Iterable[Any]) -> bytes:
    """One JSON object a line; text is taken as it is."""
    return b"\n".join(
        line.encode() if isinstance(line, str) else json.dumps(line).encode() for line in lines
    )


def send(door: Door, body: bytes, **headers: str) -> Any:
    """Send readings as they are."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.client.post(
        "/v1/readings",
        content=body,
        headers=door.headers | {"content-type": "application/x-ndjson"} | named,
    )


def problem(answer: Any, status: int, slug: str | None = None) -> dict[str, Any]:
    """Check that an answer is a whole problem of this status, and give its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["type"] == (f"urn:endwatch:problem:{slug}" if slug else body["type"])
    return body


def told(answer: Any) -> dict[str, str]:
    """Give the headers of an answer, but how many requests the asker has left."""
    return {name: value for name, value in answer.headers.items() if name != "ratelimit"}


def rows(sessions: Sessions, *tables: str) -> dict[str, int]:
    """Count what is stored."""
    with sessions() as session:
        return {
            table: session.scalar(text(f"SELECT count(*) FROM {table}")) or 0
            for table in tables or TABLES
        }


def pages(door: Door, path: str, limit: int) -> list[list[dict[str, Any]]]:
    """Read a list page by page to its end."""
    found, after = [], ""
    sign = "&" if "?" in path else "?"
    while True:
        answer = door.get(f"{path}{sign}limit={limit}{after}")
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        if answer.json()["next"] is None:
            return found
        after = f"&after={answer.json()['next']}"


def once(happened: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something has happened that another thread does."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
