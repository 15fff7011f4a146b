from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.database import Sessions
from app.evidence.models import File
from tests.conftest import Clock, Door, Harm, MakeLicense, OpenDoor
from tests.doors.filings import problem, rows
from tests.evidence import good
from tests.evidence.handing_in import accepted, put
from tests.world import condition

AT = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
MOMBASA = {"lat": -4.03, "lon": 39.59}


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    granted = make_license(condition("gallery_cap", max_enrolled=5000), serials=("FR-1",))
    return str(granted["number"])


def _inspection(number: str, *digests: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "inspection",
        "license": number,
        "reference": "INS-1",
        "observed_at": AT.isoformat(),
        "mode": "physical",
        "statements": [
            {"subject": {"serial": "FR-1"}, "facts": {"gallery_size": 10, "site": "NBO-T1"}}
        ],
        "evidence": list(digests),
    } | more


def test_an_inspection_tells_of_a_photo_taken_elsewhere(
    number: str, door: OpenDoor, exporter: Door, time: Clock
) -> None:
    inspector = door("inspector")
    here = accepted(inspector, good.photo())
    there = accepted(inspector, good.photo(position=(-4.03, 39.59), taken_at="2026:04:01 10:00:00"))
    table = accepted(inspector, good.table())
    time.now = AT + timedelta(days=3)
    filed = inspector.post("/v1/reports", _inspection(number, here, there, table))
    assert filed.status_code == 201, filed.text
    told = {one["digest"]: one for one in filed.json()["evidence"]}
    assert told[here]["differs"] == told[table]["differs"] == []
    assert told[here]["camera"]["lat"] == -1.319
    assert [note.partition(",")[0] for note in told[there]["differs"]] == [
        "taken 33.0 days before observed_at",
        "taken 422.2 km from NBO-T1; within 5 km is near",
    ]
    path = f"/v1/reports/{filed.json()['id']}"
    assert inspector.get(path).json()["evidence"] == filed.json()["evidence"]
    seen = exporter.get(path).json()
    assert seen["evidence"] == seen["answer"]["evidence"] == []
    listed = exporter.get("/v1/reports").json()["items"]
    assert listed[0]["answer"]["evidence"] == []
    again = inspector.post("/v1/reports", _inspection(number, here, there, table))
    assert again.json() == filed.json()


def test_the_position_of_a_statement_and_the_site_of_a_unit_are_places_too(
    number: str, door: OpenDoor, time: Clock
) -> None:
    inspector = door("inspector")
    photo = accepted(inspector, good.photo())
    time.now = AT + timedelta(days=1)
    for reference, statement, differs in (
        ("INS-2", {"subject": {"site": "NBO-T1"}, "facts": {"operators_active": 3}}, 0),
        ("INS-3", {"subject": {"serial": "FR-1"}, "facts": {"position": MOMBASA}}, 1),
        ("INS-4", {"subject": {"serial": "FR-1"}, "facts": {"gallery_size": 10}}, 0),
    ):
        body = _inspection(number, photo, reference=reference, statements=[statement])
        filed = inspector.post("/v1/reports", body)
        assert filed.status_code == 201, filed.text
        assert len(filed.json()["evidence"][0]["differs"]) == differs


@pytest.mark.parametrize("path", ["/v1/reports", "/v1/reports/preflight"])
def test_a_file_nobody_handed_in_or_another_did_or_that_was_rejected_is_not_named(
    path: str, number: str, door: OpenDoor, exporter: Door, sessions: Sessions, time: Clock
) -> None:
    foreign = accepted(door("exporter", "SUEDLICHT"), good.table())
    rejected = put(exporter, b"MZ").json()["digest"]
    own = accepted(exporter)
    time.now = AT + timedelta(days=1)
    attested = {"kind": "attestation", "mode": "documentary"}
    before = rows(sessions)
    for digest in (f"sha256:{'9f' * 32}", foreign, rejected):
        body = _inspection(number, own, digest, **attested)
        told = problem(exporter.post(path, body), 422, "evidence-not-handed-in")
        assert told["pointer"] == "/evidence/1"
    assert rows(sessions) == before
    assert exporter.post(path, _inspection(number, own, **attested)).status_code < 300


def test_a_report_shows_how_its_files_stand_now(
    number: str, exporter: Door, officer: Door, sessions: Sessions, harm: Harm, time: Clock
) -> None:
    digest = accepted(exporter)
    time.now = AT + timedelta(days=1)
    body = _inspection(number, digest, kind="attestation", mode="documentary")
    path = f"/v1/reports/{exporter.post('/v1/reports', body).json()['id']}"
    with sessions() as session:
        session.execute(update(File).values(state="quarantined"))
        session.commit()
    assert exporter.get(path).json()["evidence"][0]["state"] == "quarantined"
    for table in ("evidence_filings", "evidence"):  # as before there was an evidence store
        harm(f"DELETE FROM {table}")
    assert officer.get(path).json()["evidence"] == [
        {"digest": digest, "state": "missing", "media_type": None, "camera": None, "differs": []}
    ]
