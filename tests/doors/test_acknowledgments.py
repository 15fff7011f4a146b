from datetime import datetime, timedelta
from typing import Any

import pytest

from app.access.rules import Role
from app.database import Sessions
from app.obligations import service as obligations
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.world import condition

POLICE = {"reference": "KE-POL", "name": "Kenya Police", "country": "KE"}
KIND = "transfer_acknowledgment"
SECOND = timedelta(seconds=1)


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    """A license whose conditions say nothing of transfers."""
    gates = condition("gallery_cap", "No more than 5,000.", max_enrolled=5000)
    return str(make_license(gates, serials=("FR-1", "FR-2"))["number"])


@pytest.fixture
def authorized(
    number: str, exporter: Door, officer: Door, sessions: Sessions, time: Clock
) -> dict[str, Any]:
    """A transfer of one gate to the police, authorized just now."""
    path = f"/v1/licenses/{number}/transfers"
    asked = {"reference": "TR-1", "serials": ["FR-1"], "to_party": POLICE, "ground": "Theirs now."}
    id = exporter.post(path, asked).json()["id"]
    decision = {"verdict": "authorized", "ground": "Seen and agreed."}
    decided = officer.post(f"{path}/{id}/decision", decision)
    assert decided.status_code == 201, decided.text
    _settle(sessions, time)
    told: dict[str, Any] = decided.json()
    return told | {"path": f"{path}/{id}/acknowledgment"}


def _settle(sessions: Sessions, time: Clock) -> None:
    now = time.forward(seconds=1)
    obligations.attend_around(sessions, now=now)
    while obligations.look_around(sessions, now=now):
        pass


def _owed(door: Door, number: str) -> list[dict[str, Any]]:
    items = door.get(f"/v1/obligations?license={number}").json()["items"]
    return [one for one in items if one["condition"] == KIND]


def _found(door: Door, number: str) -> list[dict[str, Any]]:
    items = door.get(f"/v1/deviations?license={number}").json()["items"]
    return [one for one in items if one["kind"] == KIND]


def _said(transfer: dict[str, Any], time: Clock, door: Door) -> None:
    answer = door.post(transfer["path"], {"acknowledged_on": time().date().isoformat()})
    assert answer.status_code == 201, answer.text


def test_an_authorized_transfer_makes_the_receiving_party_owe_an_acknowledgment(
    authorized: dict[str, Any], number: str, exporter: Door, officer: Door
) -> None:
    for door in (exporter, officer):
        (owed,) = _owed(door, number)
        assert (owed["subject_kind"], owed["subject"], owed["item"]) == ("party", "KE-POL", "TR-1")
        assert (owed["by"], owed["what"], owed["state"]) == (["end_user"], "file", "upcoming")
        assert owed["due_at"] == owed["grace_until"] == authorized["acknowledgment_due_at"]
        assert owed["title"] == "Acknowledgment of a transfer"
        whole = door.get(f"/v1/obligations/{owed['id']}")
        assert (whole.status_code, whole.json()["rungs"]) == (200, [])
    record = officer.get("/v1/parties/KE-POL").json()
    assert [one["item"] for one in record["obligations"]] == ["TR-1"]


def test_it_stands_in_the_calendar(
    authorized: dict[str, Any], exporter: Door, client: Any, time: Clock
) -> None:
    path = exporter.post("/v1/calendars", {"label": "Ours"}).json()["path"]
    lines = client.get(path).text.replace("\r\n ", "").splitlines()
    assert any(one.startswith("SUMMARY:Acknowledgment of a transfer") for one in lines)
    assert any("About: TR-1" in one and "Owed by: end user" in one for one in lines)
    due = datetime.fromisoformat(authorized["acknowledgment_due_at"]) - timedelta(days=1)
    assert f"DTSTART;VALUE=DATE:{due:%Y%m%d}" in lines


def test_an_acknowledgment_in_time_settles_it_and_nothing_is_found(
    authorized: dict[str, Any], number: str, exporter: Door, sessions: Sessions, time: Clock
) -> None:
    time.now = datetime.fromisoformat(authorized["acknowledgment_due_at"]) - 2 * SECOND
    _said(authorized, time, exporter)
    _settle(sessions, time)
    (owed,) = _owed(exporter, number)
    assert (owed["state"], _found(exporter, number)) == ("met", [])
    time.forward(days=90)
    _settle(sessions, time)
    assert _found(exporter, number) == []
    assert [one["state"] for one in _owed(exporter, number)] == ["met"]


def test_silence_is_found_grows_graver_and_a_late_acknowledgment_clears_it(
    authorized: dict[str, Any],
    number: str,
    door: OpenDoor,
    exporter: Door,
    sessions: Sessions,
    time: Clock,
    sequencer: Any,
) -> None:
    due = datetime.fromisoformat(authorized["acknowledgment_due_at"])
    reader = door(Role.DASHBOARD)
    severities = []
    for days in (0, 14, 30, 60, 120):
        time.now = due + timedelta(days=days)
        _settle(sessions, time)
        (found,) = _found(exporter, number)
        severities.append(found["severity"])
    assert severities == ["moderate", "high", "critical", "critical", "critical"]
    assert (found["reason"], found["subject"], found["state"]) == (
        "not_acknowledged",
        "KE-POL",
        "suspected",
    )
    (owed,) = _owed(exporter, number)
    assert (owed["state"], owed["rung"]) == ("overdue", "overdue_30")
    standing = door(Role.SUPERVISOR).get("/v1/parties/KE-POL").json()["standing"]
    assert standing == "good"
    _said(authorized, time, exporter)
    _settle(sessions, time)
    (owed,) = _owed(exporter, number)
    (found,) = _found(exporter, number)
    assert (owed["state"], found["cleared_at"] is not None) == ("met_late", True)
    sequencer.tick()
    changes = [one for one in reader.get("/v1/alerts").json()["items"] if one["kind"] == KIND]
    assert (changes[0]["change"], changes[-1]["change"]) == ("raised", "cleared")


def test_history_judged_again_finds_the_same(
    authorized: dict[str, Any],
    number: str,
    officer: Door,
    exporter: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    time.now = datetime.fromisoformat(authorized["acknowledgment_due_at"]) + SECOND
    _settle(sessions, time)
    first = _found(exporter, number)
    suspended = {"state": "suspended", "ground": "An inquiry."}
    assert officer.post(f"/v1/licenses/{number}/state", suspended).status_code < 300
    _settle(sessions, time)
    assert [one["id"] for one in _found(exporter, number)] == [one["id"] for one in first]
    assert len(_owed(exporter, number)) == 1
