"""From the door to the deviation: what is judged by what was handed in, and by what was not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.database import Sessions
from app.obligations import service as obligations
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import deviations, owed
from tests.world import condition

DAY = timedelta(days=1)


def on(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = on(6, 1)


@pytest.fixture
def reviewer(door: OpenDoor) -> Door:
    return door("reviewer")


@pytest.fixture
def inspector(door: OpenDoor) -> Door:
    return door("inspector")


def draw(sessions: Sessions, time: Clock) -> None:
    """Let the jobs look: what changed, and what has fallen due."""
    obligations.attend_around(sessions, now=time.now)
    obligations.look_around(sessions, now=time.now)


def answers(door: Door, number: str, **at: str) -> dict[str, tuple[str, str | None]]:
    told = door.get(f"/v1/licenses/{number}/compliance", params=at).json()
    return {one["kind"]: (one["answer"], one["reason"]) for one in told["conditions"]}


def assess(door: Door, number: str, issued_on: str, **more: Any) -> Any:
    body = {
        "reference": f"HRIA-{issued_on}",
        "kind": "human_rights_impact_assessment",
        "subject": {"license": True},
        "issued_on": issued_on,
    }
    filed = door.post(f"/v1/licenses/{number}/documents", body | more)
    assert filed.status_code == 201, filed.text
    return filed.json()["id"]


def decide(door: Door, number: str, id: int, verdict: str, day: str) -> None:
    body = {"verdict": verdict, "ground": "read it", "effective_on": day}
    answer = door.post(f"/v1/licenses/{number}/documents/{id}/decisions", body)
    assert answer.status_code == 201, answer.text


def test_nothing_is_released_until_an_assessment_is_accepted(
    make_license: MakeLicense,
    exporter: Door,
    reviewer: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    number = make_license(condition("human_rights_impact_assessment", max_age_days=30))["number"]
    draw(sessions, time)
    released = exporter.get(f"/v1/licenses/{number}/release").json()
    assert (released["released"], len(released["blocked_by"])) == (False, 1)
    (missing,) = deviations(dashboard, license=number)
    assert (missing["reason"], missing["cleared_at"]) == ("none_accepted", None)

    time.now = on(6, 3)
    id = assess(exporter, number, "2026-06-02")
    draw(sessions, time)
    assert not exporter.get(f"/v1/licenses/{number}/release").json()["released"]
    decide(reviewer, number, id, "accepted", "2026-06-03")
    draw(sessions, time)

    (cleared,) = deviations(dashboard, license=number)
    assert cleared["cleared_at"] is not None
    assert exporter.get(f"/v1/licenses/{number}/release").json()["released"]
    assert answers(exporter, number)["human_rights_impact_assessment"][0] == "kept"
    late, upcoming = sorted(owed(dashboard, license=number), key=lambda one: one["slot"])
    assert (late["state"], upcoming["state"]) == ("met_late", "upcoming")

    time.now = on(7, 10)
    draw(sessions, time)
    flagged = {one["reason"]: one for one in deviations(dashboard, license=number)}
    assert flagged["expired"]["cleared_at"] is None
    assert not exporter.get(f"/v1/licenses/{number}/release").json()["released"]
    assert answers(exporter, number, as_of="2026-06-10T00:00:00Z") == {
        "human_rights_impact_assessment": ("kept", None)
    }


def test_an_outage_delays_a_missing_document_and_never_hides_it(
    make_license: MakeLicense,
    exporter: Door,
    reviewer: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    number = make_license(condition("human_rights_impact_assessment", max_age_days=30))["number"]
    first = assess(exporter, number, "2026-06-01")
    decide(reviewer, number, first, "accepted", "2026-06-01")
    draw(sessions, time)
    assert deviations(dashboard, license=number) == []

    time.now = on(7, 20)
    decide(reviewer, number, assess(exporter, number, "2026-07-19"), "accepted", "2026-07-20")
    draw(sessions, time)

    (missed,) = deviations(dashboard, license=number)
    assert (missed["reason"], missed["cleared_at"] is None) == ("expired", False)
    assert sorted(one["state"] for one in owed(dashboard, license=number)) == [
        "met_late",
        "upcoming",
    ]


def test_a_revoked_certificate_is_found_and_another_ends_it(
    make_license: MakeLicense,
    exporter: Door,
    reviewer: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    number = make_license(condition("certification", schemes=["ISO-27001"]))["number"]
    paper = {"kind": "certificate", "about": "ISO-27001", "issuer": "TUEV-SUED"}
    first = assess(exporter, number, "2026-06-01", **paper, valid_until="2027-06-01")
    decide(reviewer, number, first, "accepted", "2026-06-01")
    draw(sessions, time)
    assert [one for one in deviations(dashboard, license=number) if not one["cleared_at"]] == []
    time.now = on(6, 5)
    decide(reviewer, number, first, "revoked", "2026-06-05")
    draw(sessions, time)
    standing = {one["reason"] for one in deviations(dashboard, license=number)}
    assert "revoked" in standing
    time.now = on(6, 6)
    other = assess(exporter, number, "2026-06-06", **paper, valid_until="2027-06-01")
    decide(reviewer, number, other, "accepted", "2026-06-06")
    draw(sessions, time)
    assert [one for one in deviations(dashboard, license=number) if not one["cleared_at"]] == []


def test_a_shipment_is_awaited_until_its_delivery_is_told(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    told = condition("delivery_verification", within_days=30, transit_days=10)
    number = make_license(told, serials=("FR-1", "FR-2"), granted_on="2026-06-01")["number"]
    draw(sessions, time)
    (awaited,) = owed(dashboard, license=number)
    assert (awaited["state"], awaited["due_at"][:10]) == ("upcoming", "2026-07-12")

    time.now = on(7, 13)
    draw(sessions, time)
    (missing,) = deviations(dashboard, license=number)
    assert missing["reason"] == "not_verified"
    body = {
        "license": number,
        "reference": "DV-1",
        "shipment": "SHIP-1",
        "arrived_on": "2026-07-01",
        "serials": ["FR-1", "FR-9"],
    }
    assert exporter.post("/v1/deliveries", body).status_code == 201
    draw(sessions, time)
    flagged = {one["reason"]: one["cleared_at"] for one in deviations(dashboard, license=number)}
    assert flagged["serials_differ"] is None


def test_who_is_on_a_list_is_told_to_the_authority_alone(
    make_license: MakeLicense,
    officer: Door,
    reviewer: Door,
    exporter: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    number = make_license(condition("party_standing", lists=["OFAC-SDN"]), serials=("FR-1",))[
        "number"
    ]
    screening = {
        "party": "KE-BCA",
        "lists": ["OFAC-SDN"],
        "screened_at": "2026-06-01T11:00:00Z",
        "hits": [{"list": "OFAC-SDN", "entry": "12345"}],
    }
    filed = officer.post("/v1/screenings", screening).json()
    draw(sessions, time)
    assert answers(dashboard, number)["party_standing"][0] == "not_assessable"
    hit = filed["hits"][0]["id"]
    path = f"/v1/screenings/{filed['id']}/hits/{hit}/decisions"
    assert reviewer.post(path, {"confirmed": True, "ground": "same board"}).status_code == 201
    draw(sessions, time)

    (found,) = deviations(dashboard, license=number)
    assert (found["reason"], found["subject"]) == ("party_listed", "KE-BCA")
    assert deviations(exporter, license=number) == []
    assert exporter.get(f"/v1/deviations/{found['id']}").status_code == 404
    assert exporter.get("/v1/alerts").json()["items"] == []
    assert answers(exporter, number) == {}
    assert owed(exporter, license=number) == []
    assert owed(dashboard, license=number) != []


def test_a_transfer_is_found_by_custody_and_withdrawn_when_corrected(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    number = make_license(condition("no_onward_transfer"), serials=("FR-1",))["number"]
    draw(sessions, time)
    event = {
        "reference": "MOVE-1",
        "at": "2026-05-20T10:00:00Z",
        "serials": ["FR-1"],
        "to_party": "XX-TRADER",
    }
    path = f"/v1/licenses/{number}/custody"
    assert exporter.post(path, event).status_code == 201
    draw(sessions, time)
    (found,) = deviations(dashboard, license=number)
    assert (found["reason"], found["subject"]) == ("possessor_unlisted", "FR-1")

    time.now = on(6, 2)
    taken_back = {"reference": "MOVE-2", "corrects": "MOVE-1"} | {
        "at": "2026-05-20T10:00:00Z",
        "serials": ["FR-1"],
    }
    answer = exporter.post(path, taken_back)
    assert answer.status_code == 201, answer.text
    draw(sessions, time)
    (withdrawn,) = deviations(dashboard, license=number)
    assert withdrawn["withdrawn_at"] is not None


def test_a_reading_of_an_unknown_unit_is_evidence_until_its_shipment_is_filed(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    number = make_license(serials=("FR-1",))["number"]
    line = {
        "license": number,
        "serial": "FR-STRAY",
        "observed_at": "2026-05-30T10:00:00Z",
        "facts": {"gallery_size": 12},
    }
    sent = exporter.post("/v1/readings", [line, line | {"serial": "FR-1"}]).json()
    assert (sent["accepted"], [one["type"] for one in sent["rejected"]]) == (1, ["unit-unknown"])
    (found,) = deviations(dashboard, license=number)
    assert (found["kind"], found["reason"], found["subject"]) == (
        "license_scope",
        "unit_unknown",
        "FR-STRAY",
    )
    assert sent["deviations"] == [found["id"]]
    again = exporter.post("/v1/readings", [line]).json()
    assert again["deviations"] == [found["id"]]

    shipment = {
        "license": number,
        "reference": "SHIP-2",
        "line": 1,
        "date": "2026-05-01",
        "quantity": 1,
        "serials": ["FR-STRAY"],
    }
    assert exporter.post("/v1/shipments", shipment).status_code == 201
    draw(sessions, time)
    (withdrawn,) = deviations(dashboard, license=number)
    assert withdrawn["withdrawn_at"] is not None


def test_an_inspector_may_report_what_the_license_does_not_know(
    make_license: MakeLicense, exporter: Door, inspector: Door, dashboard: Door
) -> None:
    number = make_license(serials=("FR-1",))["number"]
    seen = {
        "license": number,
        "reference": "VISIT-1",
        "observed_at": "2026-05-30T10:00:00Z",
        "mode": "physical",
        "statements": [{"subject": {"serial": "FR-X"}, "facts": {"gallery_size": 5}}],
    }
    assert exporter.post("/v1/reports", seen | {"kind": "attestation"}).status_code == 422
    assert inspector.post("/v1/reports", seen | {"kind": "inspection"}).status_code == 201
    (found,) = deviations(dashboard, license=number)
    assert found["reason"] == "unit_unknown"
    whole = dashboard.get(f"/v1/deviations/{found['id']}").json()
    assert (whole["condition"], whole["conclusive"], whole["lacking"]) == (None, True, None)


def test_use_while_suspended_is_found_though_it_was_told_before_the_suspension_was(
    make_license: MakeLicense,
    officer: Door,
    exporter: Door,
    dashboard: Door,
    sessions: Sessions,
    time: Clock,
) -> None:
    number = make_license(serials=("FR-1",))["number"]
    draw(sessions, time)
    line = {
        "license": number,
        "serial": "FR-1",
        "observed_at": "2026-05-30T10:00:00Z",
        "facts": {"identify_calls": 3},
    }
    assert exporter.post("/v1/readings", [line]).json()["accepted"] == 1
    assert deviations(dashboard, license=number) == []
    time.now = on(6, 2)
    change = {"state": "suspended", "ground": "unrest", "effective_on": "2026-05-29"}
    assert officer.post(f"/v1/licenses/{number}/state", change).status_code == 200
    draw(sessions, time)
    (found,) = deviations(dashboard, license=number)
    assert found["reason"] == "active_while_suspended"


def test_two_sources_conclude_and_one_weak_one_does_not(
    make_license: MakeLicense, exporter: Door, inspector: Door, dashboard: Door
) -> None:
    cap = condition("gallery_cap", max_enrolled=5000)
    number = make_license(cap, serials=("FR-1",))["number"]
    said = {
        "license": number,
        "reference": "ATT-1",
        "kind": "attestation",
        "observed_at": "2026-05-30T10:00:00Z",
        "statements": [{"subject": {"serial": "FR-1"}, "facts": {"gallery_size": 6000}}],
    }
    (id,) = exporter.post("/v1/reports", said).json()["deviations"]
    weak = dashboard.get(f"/v1/deviations/{id}").json()
    assert (weak["conclusive"], weak["severity"]) == (False, "moderate")
    assert "NORDLICHT" in weak["lacking"]
    visit = said | {"kind": "third_party", "reference": "NGO-1"}
    assert inspector.post("/v1/reports", visit).status_code == 201
    strong = dashboard.get(f"/v1/deviations/{id}").json()
    assert (strong["conclusive"], strong["lacking"]) == (True, None)
    assert strong["severity"] == "high"
    assert [one["grade"] for one in strong["sources"]] == ["B", "E"]


def test_a_contradiction_names_both_sides(
    make_license: MakeLicense, exporter: Door, inspector: Door, dashboard: Door
) -> None:
    number = make_license(serials=("FR-1",))["number"]
    line = {
        "license": number,
        "serial": "FR-1",
        "observed_at": "2026-05-30T08:00:00Z",
        "facts": {"gallery_size": 9000},
    }
    visit = {
        "license": number,
        "reference": "VISIT-1",
        "kind": "inspection",
        "mode": "physical",
        "observed_at": "2026-05-30T10:00:00Z",
        "statements": [{"subject": {"serial": "FR-1"}, "facts": {"gallery_size": 4210}}],
    }
    assert inspector.post("/v1/reports", visit).status_code == 201
    assert exporter.post("/v1/readings", [line]).json()["accepted"] == 1  # came late
    (found,) = deviations(dashboard, license=number)
    assert found["reason"] == "sources_contradict_gallery_size"
    whole = dashboard.get(f"/v1/deviations/{found['id']}").json()
    assert "9,000" in whole["observed"]
    assert "4,210" in whole["observed"]
    assert len(whole["evidence"]) == 2
    assert {one["grade"] for one in whole["sources"]} == {"A", "D"}
