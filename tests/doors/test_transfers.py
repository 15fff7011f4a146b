from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.access.rules import Role
from app.database import Sessions
from app.obligations import service as obligations
from app.parties import service as parties
from app.parties.models import HitDecision, Screening, ScreeningHit
from app.parties.schemas import PartyIn
from app.shipments.transfers import ACKNOWLEDGE_WITHIN_DAYS
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import pages, problem, rows
from tests.epcis.events import document, event
from tests.world import condition

POLICE = {"reference": "KE-POL", "name": "Kenya Police", "country": "KE"}


def transfer(**more: Any) -> dict[str, Any]:
    """Two gates are to go to the police."""
    return {
        "reference": "TR-1",
        "serials": ["FR-1", "FR-2"],
        "to_party": POLICE,
        "to_site": {"reference": "NBO-HQ", "name": "Headquarters", "country": "KE"},
        "ground": "The border agency no longer needs them.",
    } | more


YES = {"verdict": "authorized", "ground": "Seen and agreed."}
NO = {"verdict": "refused", "ground": "Not a border agency."}


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    license = make_license(
        condition("no_onward_transfer", "It stays with the parties.", _={"binds": ["end_user"]}),
        condition("gallery_cap", "No more than 5,000.", max_enrolled=5000, _={"binds": []}),
        condition("disposal", "Shredded.", methods=["shredding"], _={"binds": ["exporter"]}),
        serials=("FR-1", "FR-2", "FR-3"),
        time_zone="Africa/Nairobi",
    )
    return str(license["number"])


@pytest.fixture
def path(number: str) -> str:
    return f"/v1/licenses/{number}/transfers"


@pytest.fixture
def asked(exporter: Door, path: str) -> dict[str, Any]:
    answer = exporter.post(path, transfer())
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def _reasons(door: Door, number: str) -> list[str]:
    found = door.get(f"/v1/deviations?license={number}").json()["items"]
    return sorted(one["reason"] for one in found if one["kind"] == "no_onward_transfer")


def _told(door: Door, number: str, at: datetime, **more: Any) -> None:
    said = {
        "reference": "C-1",
        "at": at.isoformat(),
        "serials": ["FR-1"],
        "disposition": "transferred",
        "from_party": "KE-BCA",
        "to_party": "KE-POL",
    }
    assert door.post(f"/v1/licenses/{number}/custody", said | more).status_code == 201


def test_a_transfer_is_asked_for_and_waits(asked: dict[str, Any], number: str) -> None:
    assert (asked["license"], asked["state"], asked["said_by"]) == (number, "asked", "NORDLICHT")
    assert (asked["acknowledgment"], asked["acknowledgment_due_at"]) == ("none", None)
    assert [one["kind"] for one in asked["binds"]] == ["gallery_cap", "no_onward_transfer"]


def test_an_authorized_transfer_names_what_binds_the_receiver_and_makes_it_owe(
    asked: dict[str, Any], officer: Door, path: str, number: str, sessions: Sessions, time: Clock
) -> None:
    decided = officer.post(f"{path}/{asked['id']}/decision", YES)
    assert decided.status_code == 201, decided.text
    told = decided.json()
    assert (told["state"], told["acknowledgment"]) == ("authorized", "due")
    assert [one["text"] for one in told["binds"]] == [
        "No more than 5,000.",
        "It stays with the parties.",
    ]
    due = datetime.fromisoformat(told["acknowledgment_due_at"])
    assert (
        timedelta(days=ACKNOWLEDGE_WITHIN_DAYS)
        < due - time()
        <= timedelta(days=ACKNOWLEDGE_WITHIN_DAYS + 1)
    )
    assert (due + timedelta(hours=3)).astimezone(UTC).time().isoformat() == "00:00:00"
    license = officer.get(f"/v1/licenses/{number}").json()
    assert ("end_user", "KE-POL") in [(one["role"], one["reference"]) for one in license["parties"]]
    assert "NBO-HQ" in [one["reference"] for one in license["sites"]]
    ((first, second),) = pages(officer, f"/v1/licenses/{number}/custody", 10)
    assert [(one["serial"], one["authorized"]) for one in (first, second)] == [
        ("FR-1", True),
        ("FR-2", True),
    ]
    obligations.attend_around(sessions, now=time())
    assert rows(sessions, "statements") == {"statements": 0}


def test_what_was_authorized_before_it_happened_is_no_deviation(
    asked: dict[str, Any],
    officer: Door,
    exporter: Door,
    path: str,
    number: str,
    sessions: Sessions,
    time: Clock,
) -> None:
    officer.post(f"{path}/{asked['id']}/decision", YES)
    _told(exporter, number, time.forward(days=2))
    obligations.attend_around(sessions, now=time.forward(seconds=1))
    assert _reasons(officer, number) == []
    _told(exporter, number, time(), reference="C-2", serials=["FR-3"])
    obligations.attend_around(sessions, now=time.forward(seconds=1))
    assert _reasons(officer, number) == ["transfer_unauthorized"]


@pytest.mark.parametrize("decision", [None, NO], ids=["nobody decided", "refused"])
def test_without_an_authorization_the_transfer_is_a_deviation(
    decision: dict[str, Any] | None,
    asked: dict[str, Any],
    officer: Door,
    exporter: Door,
    path: str,
    number: str,
    sessions: Sessions,
    time: Clock,
) -> None:
    if decision is not None:
        told = officer.post(f"{path}/{asked['id']}/decision", decision).json()
        assert (told["state"], told["acknowledgment"]) == ("refused", "none")
    _told(exporter, number, time.forward(days=2))
    obligations.attend_around(sessions, now=time.forward(seconds=1))
    assert _reasons(officer, number) == ["possessor_unlisted", "transfer_unauthorized"]


def test_what_epcis_tells_of_an_authorized_transfer_is_no_deviation(
    asked: dict[str, Any],
    officer: Door,
    exporter: Door,
    path: str,
    number: str,
    sessions: Sessions,
    time: Clock,
) -> None:
    officer.post(f"{path}/{asked['id']}/decision", YES)
    to_police = [{"type": "possessing_party", "destination": "urn:endwatch:party:KE-POL"}]
    sent = event(
        "FR-1",
        eventTime=time.forward(days=1).isoformat(),
        disposition="urn:endwatch:disposition:transferred",
        destinationList=to_police,
        bizLocation={"id": "urn:endwatch:site:NBO-HQ"},
    )
    assert exporter.post("/epcis/capture", document(sent)).json()["success"] is True
    obligations.attend_around(sessions, now=time.forward(seconds=1))
    assert _reasons(officer, number) == []


def test_whoever_asked_does_not_decide(officer: Door, door: OpenDoor, path: str) -> None:
    id = officer.post(path, transfer()).json()["id"]
    problem(officer.post(f"{path}/{id}/decision", YES), 409, "second-person-needed")
    assert door(Role.SUPERVISOR).post(f"{path}/{id}/decision", YES).status_code == 201


def test_a_transfer_is_decided_once(
    asked: dict[str, Any], officer: Door, door: OpenDoor, path: str, sessions: Sessions
) -> None:
    others = [door(Role.LICENSING_OFFICER) for _ in range(4)]
    address = f"{path}/{asked['id']}/decision"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: one.post(address, YES).status_code, others))
    assert sorted(answers) == [201, 409, 409, 409]
    told = problem(officer.post(address, NO), 409, "transfer-settled")
    assert "authorized" in told["detail"]
    assert rows(sessions, "custody") == {"custody": 2}


def test_only_the_authority_decides_and_only_who_may_see_it_asks(
    asked: dict[str, Any], exporter: Door, door: OpenDoor, path: str
) -> None:
    problem(exporter.post(f"{path}/{asked['id']}/decision", YES), 403, "role-not-allowed")
    problem(door(Role.INSPECTOR).post(path, transfer()), 403, "role-not-allowed")
    stranger = door(Role.EXPORTER, "SOMEBODY-ELSE")
    problem(stranger.post(path, transfer()), 404, "license-unknown")
    problem(stranger.get(path), 404, "license-unknown")
    problem(
        stranger.post(f"{path}/{asked['id']}/acknowledgment", {"acknowledged_on": "2026-04-01"}),
        404,
        "license-unknown",
    )


def test_the_same_again_gets_the_first_answer_and_another_is_refused(
    asked: dict[str, Any], exporter: Door, officer: Door, path: str, sessions: Sessions
) -> None:
    officer.post(f"{path}/{asked['id']}/decision", NO)
    again = exporter.post(path, transfer())
    assert (again.status_code, again.json()) == (201, asked)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = exporter.post(path, transfer(serials=["FR-3"]))
    assert problem(other, 409, "reference-taken")["pointer"] == "/reference"
    assert rows(sessions, "transfers") == {"transfers": 1}


@pytest.mark.parametrize(
    ("more", "slug", "pointer"),
    [
        ({"serials": []}, "fields-invalid", "/serials"),
        ({"serials": ["XX-1"]}, "serial-unknown", "/serials"),
        ({"role": "friend"}, "fields-invalid", "/role"),
        ({"ground": ""}, "fields-invalid", "/ground"),
        ({"to_party": {"reference": "KE-POL"}}, "fields-invalid", "/to_party/name"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_naming_the_field(
    more: dict[str, Any], slug: str, pointer: str, exporter: Door, path: str
) -> None:
    told = problem(exporter.post(path, transfer(**more)), 422, slug)
    assert told["pointer"] == pointer


def test_nothing_is_authorized_to_a_party_confirmed_to_be_listed(
    asked: dict[str, Any], officer: Door, path: str, sessions: Sessions, time: Clock
) -> None:
    with sessions() as session:
        parties.keep_parties(session, [PartyIn.model_validate(POLICE)], now=time())
        screening = Screening(
            party="KE-POL", lists=["X"], screened_at=time(), screened_by="x", received_at=time()
        )
        session.add(screening)
        session.flush()
        hit = ScreeningHit(screening_id=screening.id, list="X", entry="1", listed_on=None)
        session.add(hit)
        session.flush()
        decided = {"hit_id": hit.id, "ground": "g", "decided_by": "y", "decided_at": time()}
        session.add(HitDecision(**decided, confirmed=True))
        session.commit()
    address = f"{path}/{asked['id']}/decision"
    problem(officer.post(address, YES), 409, "party-listed")
    assert rows(sessions, "custody") == {"custody": 0}
    with sessions() as session:
        session.add(HitDecision(**decided, confirmed=False))
        session.commit()
    assert officer.post(address, YES).status_code == 201


def test_nothing_is_authorized_under_a_withdrawn_license(
    asked: dict[str, Any], officer: Door, path: str, number: str, sessions: Sessions
) -> None:
    suspended = {"state": "suspended", "ground": "An inquiry."}
    officer.post(f"/v1/licenses/{number}/state", suspended)
    address = f"{path}/{asked['id']}/decision"
    problem(officer.post(address, YES), 409, "license-withdrawn")
    assert rows(sessions, "custody") == {"custody": 0}
    assert officer.post(address, NO).status_code == 201


def test_an_unknown_transfer_is_not_there(officer: Door, path: str) -> None:
    problem(officer.post(f"{path}/999/decision", YES), 404, "transfer-unknown")
    said = {"acknowledged_on": "2026-04-01"}
    problem(officer.post(f"{path}/999/acknowledgment", said), 404, "transfer-unknown")


def test_the_acknowledgment_is_due_at_the_end_of_its_day_then_overdue_and_met_late(
    asked: dict[str, Any], officer: Door, exporter: Door, path: str, number: str, time: Clock
) -> None:
    told = officer.post(f"{path}/{asked['id']}/decision", YES).json()
    due = datetime.fromisoformat(told["acknowledgment_due_at"])
    states = []
    for moment in (due, due + timedelta(microseconds=1)):
        time.now = moment
        states.append(exporter.get(path).json()["items"][0]["acknowledgment"])
        gaps = exporter.get(f"/v1/licenses/{number}/reconciliation").json()["gaps"]
        assert [one["kind"] for one in gaps][-1] == "not_acknowledged"
    assert states == ["due", "overdue"]
    said = {"acknowledged_on": due.date().isoformat(), "evidence": "ACK-1"}
    met = exporter.post(f"{path}/{asked['id']}/acknowledgment", said)
    assert (met.status_code, met.json()["acknowledgment"]) == (201, "met_late")
    again = exporter.post(f"{path}/{asked['id']}/acknowledgment", said)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = exporter.post(f"{path}/{asked['id']}/acknowledgment", said | {"evidence": "ACK-2"})
    problem(other, 409, "nothing-to-acknowledge")
    gaps = exporter.get(f"/v1/licenses/{number}/reconciliation").json()["gaps"]
    assert "not_acknowledged" not in [one["kind"] for one in gaps]


def test_an_acknowledgment_lies_between_the_authorization_and_today(
    asked: dict[str, Any], officer: Door, exporter: Door, path: str, time: Clock
) -> None:
    address = f"{path}/{asked['id']}/acknowledgment"
    today = (time() + timedelta(hours=3)).date()
    said = {"acknowledged_on": today.isoformat()}
    problem(exporter.post(address, said), 409, "nothing-to-acknowledge")
    officer.post(f"{path}/{asked['id']}/decision", YES)
    early = {"acknowledged_on": (today - timedelta(days=1)).isoformat()}
    assert problem(exporter.post(address, early), 422)["pointer"] == "/acknowledged_on"
    future = {"acknowledged_on": (today + timedelta(days=3)).isoformat()}
    assert problem(exporter.post(address, future), 422)["pointer"] == "/acknowledged_on"
    assert exporter.post(address, said).json()["acknowledgment"] == "met"


def test_transfers_are_listed_in_the_order_they_were_asked_for(exporter: Door, path: str) -> None:
    for at in range(5):
        exporter.post(path, transfer(reference=f"TR-{at}"))
    for limit in (1, 2, 5):
        found = pages(exporter, path, limit)
        assert [one["reference"] for page in found for one in page] == [
            f"TR-{at}" for at in range(5)
        ]
    problem(exporter.get(f"{path}?after=nonsense"), 422, "cursor-unreadable")
