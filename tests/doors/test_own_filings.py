from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from app.access.rules import Role
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import attestation, ndjson, problem, reading, send, shipment, stating, told
from tests.world import condition, license_body


@pytest.fixture
def stranger(door: OpenDoor) -> Door:
    return door(Role.EXPORTER, "SOMEBODY-ELSE")


@pytest.fixture
def filed(
    make_license: MakeLicense, exporter: Door, sequencer: Sequencer, time: Clock
) -> dict[str, str]:
    """A license of Nordlicht with something in every list."""
    license = make_license(
        condition("gallery_cap", max_enrolled=5000),
        condition("gallery_cap", max_enrolled=9000, per="site", _={"lines": [1]}),
        condition("heartbeat", every_hours=72),
        serials=("FR-1", "FR-2"),
    )
    number = license["number"]
    said = stating({"gallery_size": 5001})
    answer = exporter.post("/v1/reports", attestation(number, time(), statements=said)).json()
    assert len(answer["deviations"]) == 1
    assert len(answer["not_assessable"]) == 1
    assert sequencer.tick() > 0
    return {"license": number, "report": answer["id"], "deviation": answer["deviations"][0]}


LISTS = (
    "/v1/licenses",
    "/v1/reports",
    "/v1/deviations",
    "/v1/alerts",
    "/v1/alerts/current",
    "/v1/obligations",
    "/v1/unassessed",
    "/v1/journal",
)


def test_an_exporter_lists_its_own_and_nothing_else(
    exporter: Door, stranger: Door, door: OpenDoor, filed: dict[str, str]
) -> None:
    auditor = door(Role.AUDITOR)
    for path in LISTS:
        mine = exporter.get(path).json()["items"]
        assert mine, path
        assert len(auditor.get(path).json()["items"]) >= len(mine), path
        assert stranger.get(path).json()["items"] == [], path
    for name in ("license", "exporter", "party"):
        value = filed["license"] if name == "license" else "NORDLICHT"
        for path in LISTS:
            assert stranger.get(f"{path}?{name}={value}").json()["items"] == [], path
    told = stranger.get("/v1/alerts/summary").json()
    assert (told["open"], told["severity"], told["country"]) == (0, [], [])
    assert exporter.get("/v1/alerts/summary").json()["open"] == 1


def test_what_is_not_yours_is_not_there_byte_for_byte(
    stranger: Door, exporter: Door, filed: dict[str, str], time: Clock, subtests: pytest.Subtests
) -> None:
    number, nowhere, nobody = filed["license"], "BX-2026-99999", str(uuid4())
    at = time()
    asked: dict[str, Callable[[str], Any]] = {
        "a license": lambda named: stranger.get(f"/v1/licenses/{named}"),
        "its ledger": lambda named: stranger.get(f"/v1/licenses/{named}/ledger"),
        "its amendments": lambda named: stranger.get(f"/v1/licenses/{named}/amendments"),
        "a report on it": lambda named: stranger.post("/v1/reports", attestation(named, at)),
        "a shipment": lambda named: stranger.post("/v1/shipments", shipment(named)),
    }
    for what, ask in asked.items():
        with subtests.test(what):
            _check_same(ask(number), ask(nowhere), number, nowhere)
    for what in ("report", "deviation"):
        with subtests.test(what):
            path = f"/v1/{what}s/"
            assert exporter.get(path + filed[what]).status_code == 200
            hidden, missing = stranger.get(path + filed[what]), stranger.get(path + nobody)
            _check_same(hidden, missing, filed[what], nobody)


def _check_same(hidden: Any, missing: Any, name: str, other: str) -> None:
    problem(hidden, 404)
    assert hidden.content.replace(name.encode(), other.encode()) == missing.content
    assert told(hidden) == told(missing)


def test_readings_of_anothers_units_are_rejected_as_if_there_were_none(
    stranger: Door, filed: dict[str, str], time: Clock
) -> None:
    answers = [
        send(stranger, ndjson([reading(number, time(), serial)])).json()["rejected"]
        for number, serial in ((filed["license"], "FR-1"), ("BX-2026-99999", "XX-1"))
    ]
    assert str(answers[0]).replace(filed["license"], "BX-2026-99999") == str(answers[1])


def test_a_license_that_is_registered_later_was_hidden_the_same_way(
    stranger: Door, officer: Door
) -> None:
    body = license_body()
    before = stranger.get(f"/v1/licenses/{body['number']}")
    assert officer.post("/v1/licenses", body).status_code == 201
    after = stranger.get(f"/v1/licenses/{body['number']}")
    assert (before.status_code, before.content) == (404, after.content)


def test_the_journal_tells_an_exporter_only_of_its_own(
    door: OpenDoor, exporter: Door, filed: dict[str, str]
) -> None:
    auditor = door(Role.AUDITOR)
    mine = exporter.get("/v1/journal").json()["items"]
    assert {entry["party"] for entry in mine} == {"NORDLICHT"}
    whole = auditor.get("/v1/journal?limit=3").json()
    rest = auditor.get(f"/v1/journal?after={whole['next']}").json()
    seqs = [entry["seq"] for entry in whole["items"] + rest["items"]]
    assert seqs == list(range(1, len(seqs) + 1))
    end = auditor.get(f"/v1/journal?after={rest['next']}").json()
    assert (end["items"], end["next"]) == ([], rest["next"])
    problem(door(Role.DASHBOARD).get("/v1/journal"), 403, "role-not-allowed")


@pytest.mark.parametrize("path", ["/v1/deviations", "/v1/obligations", "/v1/unassessed"])
def test_pages_of_findings_are_complete_and_do_not_overlap(
    path: str, make_license: MakeLicense, exporter: Door, time: Clock
) -> None:
    serials = tuple(f"FR-{at}" for at in range(5))
    number = make_license(
        condition("gallery_cap", max_enrolled=5),
        condition("gallery_cap", max_enrolled=9, per="site", _={"lines": [1]}),
        condition("heartbeat", every_hours=72),
        serials=serials,
    )["number"]
    said = [stating({"gallery_size": 6}, serial=serial)[0] for serial in serials]
    exporter.post("/v1/reports", attestation(number, time(), statements=said))
    whole = exporter.get(path).json()["items"]
    assert len(whole) == 5
    for limit in (1, 2, 5):
        found: list[Any] = []
        after = ""
        while after is not None:
            page = exporter.get(f"{path}?limit={limit}{after and '&after='}{after}").json()
            found += page["items"]
            after = page["next"]
        assert found == whole
