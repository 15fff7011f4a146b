import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from app.access.rules import Role
from app.audits import sampling
from app.cli.commands import run
from app.database import Sessions
from app.journal.sequencer import Sequencer
from app.main import ROUTERS
from tests.conftest import Clock, Door, Harm, MakeLicense, OpenDoor
from tests.doors.filings import problem, rows
from tests.world import license_body

SERIALS = tuple(f"FR-{n:03}" for n in range(1, 41))
ASKED = {"missing": 4, "probability": "0.9"}
SECRET = {"seed", "list_digest", "serials", "drawn", "revealed_at"}


@pytest.fixture
def inspector(door: OpenDoor) -> Door:
    return door(Role.INSPECTOR)


@pytest.fixture
def license(make_license: MakeLicense) -> Any:
    return make_license(serials=SERIALS)


@pytest.fixture
def audit(license: Any, inspector: Door, time: Clock) -> Any:
    body = {
        "license": license["number"],
        "site": "NBO-T1",
        "mode": "physical",
        "planned_for": time.forward(days=30).date().isoformat(),
        "purpose": "routine",
    }
    answer = inspector.post("/v1/audits", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def path(audit: Any) -> str:
    return f"/v1/audits/{audit['id']}/sample"


def announce(sessions: Sessions, audit: Any) -> None:
    """As the step of the check does that tells the party of it."""
    with sessions() as session:
        session.execute(
            text("UPDATE audits SET revealed_at = created_at WHERE id = :id"), {"id": audit["id"]}
        )
        session.commit()


def test_a_draw_is_bound_before_its_seed_is_told_and_recomputable_after(
    inspector: Door, exporter: Door, audit: Any, path: str, sessions: Sessions,
    sequencer: Sequencer, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    announce(sessions, audit)
    committed = inspector.post(path, ASKED)
    assert committed.status_code == 201
    bound = committed.json()
    assert (bound["units"], bound["size"], bound["probability"]) == (40, 17, "9/10")
    assert {name for name, value in bound.items() if value is None} == SECRET
    assert exporter.get(path).json() == bound
    sequencer.tick()
    told = inspector.post(f"{path}/reveal").json()
    sequencer.tick()
    receipt = exporter.get(path).json()
    assert receipt == told
    assert receipt["commitment"] == bound["commitment"]
    assert receipt["serials"] == list(SERIALS)
    assert receipt["drawn"] == sampling.draw(bytes.fromhex(receipt["seed"]), SERIALS, 17)
    entries = exporter.get("/v1/journal").json()["items"]
    first, second = [one for one in entries if one["action"].startswith("sample.")]
    assert first["seq"] < second["seq"]
    assert first["body"]["commitment"] == bound["commitment"]
    assert not SECRET & set(first["body"])
    assert second["body"]["seed"] == receipt["seed"]
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt))
    assert run(["sample", "verify", str(file), "--commitment", bound["commitment"]]) == 0
    assert "an honest draw of 17 of 40" in capsys.readouterr().out


def test_the_seed_can_be_read_by_no_door_before_the_reveal(
    inspector: Door, door: OpenDoor, audit: Any, path: str, sessions: Sessions,
    sequencer: Sequencer,
) -> None:  # fmt: skip
    inspector.post(path, ASKED, headers={"Idempotency-Key": "s-1"})
    sequencer.tick()
    with sessions() as session:
        seed = session.execute(text("SELECT seed FROM draw_seeds")).scalar_one().hex()
        stored = session.execute(text("SELECT seed, drawn FROM draws")).one()
        kept = session.execute(text("SELECT answer FROM answers_given")).scalars().all()
    assert tuple(stored) == (None, None)
    assert kept
    addresses = [
        route.path.replace("{id}", audit["id"])
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and "audit" in route.path
    ]
    said = [inspector.get(address).text for address in [path, *addresses]]
    for role in Role:
        if role is not Role.EXPORTER:
            said += [door(role).get(address).text for address in (path, "/v1/journal")]
    assert len(addresses) >= 5
    assert len(said) > 15
    assert not [one for one in [*said, *map(str, kept)] if seed in one]
    inspector.post(f"{path}/reveal")
    assert rows(sessions, "draw_seeds", "draws") == {"draw_seeds": 0, "draws": 1}
    assert inspector.get(path).json()["seed"] == seed


def test_the_list_is_frozen_when_it_is_bound(
    inspector: Door, exporter: Door, license: Any, path: str
) -> None:
    inspector.post(path, ASKED)
    more = {
        "license": license["number"], "reference": "SHIP-2", "line": 1, "date": "2026-03-05",
        "quantity": 1, "serials": ["AA-1"],
    }  # fmt: skip
    assert exporter.post("/v1/shipments", more).status_code == 201
    assert inspector.post(f"{path}/reveal").json()["serials"] == list(SERIALS)


def test_only_units_that_should_be_at_the_site_are_listed(
    inspector: Door, officer: Door, exporter: Door, time: Clock
) -> None:
    body = license_body()
    body["sites"].append({"reference": "MBA-T1", "name": "Mombasa", "country": "KE"})
    number = officer.post("/v1/licenses", body).json()["number"]
    for site, serials in (("NBO-T1", ["A", "B", "C", "D"]), ("MBA-T1", ["E"]), (None, ["F"])):
        shipment = {
            "license": number, "reference": f"S-{site}", "line": 1, "date": "2026-03-05",
            "quantity": len(serials), "serials": serials, "site": site,
        }  # fmt: skip
        assert exporter.post("/v1/shipments", shipment).status_code == 201

    def custody(reference: str, at: str, **more: Any) -> None:
        event = {"reference": reference, "at": f"2026-04-0{at}T10:00:00Z"} | more
        answer = exporter.post(f"/v1/licenses/{number}/custody", event)
        assert answer.status_code == 201, answer.text

    custody("C-1", "1", serials=["A"], site="MBA-T1", disposition="in_use")
    custody("C-2", "2", serials=["B"], disposition="destroyed")
    custody("C-3", "3", serials=["C"], disposition="destroyed")
    custody("C-4", "4", serials=["C"], disposition="in_use", corrects="C-3")
    custody("C-5", "5", serials=["E"], site="NBO-T1", disposition="stored")

    def listed(site: str | None, **more: Any) -> list[str]:
        planned = inspector.post(
            "/v1/audits",
            {
                "license": number, "mode": "physical", "site": site, "purpose": "routine",
                "planned_for": time.forward(days=1).date().isoformat(),
            },
        )  # fmt: skip
        assert planned.status_code == 201, planned.text
        path = f"/v1/audits/{planned.json()['id']}/sample"
        answer = inspector.post(path, {"missing": 1, "probability": "1"} | more)
        assert answer.status_code == 201, answer.text
        found: list[str] = inspector.post(f"{path}/reveal").json()["serials"]
        return found

    assert listed("NBO-T1") == ["C", "D", "E"]
    assert listed("MBA-T1") == ["A"]
    assert listed("NBO-T1", whole_license=True) == ["A", "C", "D", "E", "F"]
    assert listed(None) == ["A", "C", "D", "E", "F"]


def test_a_check_has_one_draw(inspector: Door, path: str, sessions: Sessions) -> None:
    first = inspector.post(path, ASKED, headers={"Idempotency-Key": "k"})
    again = inspector.post(path, ASKED, headers={"Idempotency-Key": "k"})
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    problem(inspector.post(path, ASKED), 409, "sample-committed")
    problem(inspector.post(path, ASKED | {"missing": 5}, headers={"Idempotency-Key": "k"}), 409)
    assert rows(sessions, "draws", "draw_seeds") == {"draws": 1, "draw_seeds": 1}


def test_of_several_at_once_one_draws(inspector: Door, path: str, sessions: Sessions) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: inspector.post(path, ASKED).status_code, range(6)))
    assert sorted(answers) == [201, 409, 409, 409, 409, 409]
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda _: inspector.post(f"{path}/reveal"), range(6)))
    assert {one.status_code for one in told} == {200}
    assert len({one.text for one in told}) == 1
    with sessions() as session:
        entries = session.scalars(
            text("SELECT action FROM journal_pending WHERE action LIKE 'sample.%' ORDER BY id")
        ).all()
    assert entries == ["sample.committed", "sample.revealed"]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "none missing": ({"missing": 0}, "fields-invalid", "/missing"),
    "more missing than there are": ({"missing": 41}, "missing-unfit", "/missing"),
    "a float": ({"probability": 0.9}, "fields-invalid", "/probability"),
    "no chance": ({"probability": "0"}, "fields-invalid", "/probability"),
    "more than sure": ({"probability": "101%"}, "fields-invalid", "/probability"),
    "a seed of one's own": ({"seed": "00"}, "fields-invalid", "/seed"),
}


def test_what_cannot_be_drawn_is_refused(
    inspector: Door, path: str, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    for what, (change, slug, pointer) in REFUSED.items():
        with subtests.test(what):
            told = problem(inspector.post(path, ASKED | change), 422, slug)
            assert told["pointer"] == pointer
            assert rows(sessions, "draws") == {"draws": 0}
    limit = inspector.post(path, {"missing": 40, "probability": "1"})
    assert limit.json()["size"] == 1


def test_nothing_is_told_out_of_turn_or_to_the_wrong_person(
    inspector: Door, exporter: Door, door: OpenDoor, audit: Any, path: str, sessions: Sessions
) -> None:
    problem(inspector.get(path), 404, "sample-unknown")
    problem(inspector.post(f"{path}/reveal"), 404, "sample-unknown")
    nothing = path.replace(audit["id"], "6f1c7a52-3f0e-4f0b-9c3e-0d7d5f6a1b2c")
    problem(inspector.post(nothing, ASKED), 404, "audit-unknown")
    for one in (exporter, door(Role.DASHBOARD), door(Role.AUDITOR), door(Role.REVIEWER)):
        problem(one.post(path, ASKED), 403, "role-not-allowed")
        problem(one.post(f"{path}/reveal"), 403, "role-not-allowed")
    inspector.post(path, ASKED)
    hidden = problem(exporter.get(path), 404, "audit-unknown")
    assert hidden["title"] == problem(exporter.get(nothing), 404)["title"]
    announce(sessions, audit)
    assert exporter.get(path).status_code == 200
    problem(door(Role.EXPORTER, "OTHER").get(path), 404, "audit-unknown")


def test_a_draw_after_the_fact_and_one_of_nothing_are_refused(
    inspector: Door, officer: Door, path: str, audit: Any, harm: Harm, license: Any
) -> None:
    harm("UPDATE audits SET state = 'reported'")
    problem(inspector.post(path, ASKED), 409, "check-over")
    harm("UPDATE audits SET state = 'planned'")
    harm("DELETE FROM units")
    told = problem(inspector.post(path, ASKED), 409, "nothing-to-sight")
    assert "NBO-T1" in told["detail"]


RECEIPT_UNITS = [f"U-{n}" for n in range(20)]


def receipt(**more: Any) -> dict[str, Any]:
    """An honest receipt; what is given is changed in it afterwards."""
    seed, serials = bytes(range(32)), sampling.listed(RECEIPT_UNITS)
    probability = sampling.chance("0.9")
    size, digest = sampling.size(20, 2, probability), sampling.list_digest(serials)
    bound = sampling.commitment(
        "c", seed, digest, units=20, missing=2, probability=probability, size=size
    )
    return {
        "audit": "c", "units": 20, "missing": 2, "probability": "9/10", "size": size,
        "commitment": bound.hex(), "seed": seed.hex(), "list_digest": digest.hex(),
        "serials": serials, "drawn": sampling.draw(seed, serials, size), "site": None,
    } | more  # fmt: skip


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "another seed": ({"seed": "ff" * 32}, "commitment binds something else"),
    "a unit left out of the list": ({"serials": RECEIPT_UNITS[1:]}, "holds 19 units, not 20"),
    "a unit exchanged": ({"serials": ["X", *RECEIPT_UNITS[1:]]}, "not the one of the digest"),
    "a unit twice": ({"serials": [*RECEIPT_UNITS[1:], "U-1"]}, "listed twice"),
    "fewer drawn": ({"size": 5}, "must be drawn for that probability, not 5"),
    "other units drawn": ({"drawn": RECEIPT_UNITS[:13]}, "draws other units"),
    "none of it possible": ({"missing": 21}, "cannot be missing"),
    "no seed": ({"seed": "00"}, "64 digits of hex"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_receipt_is_found_out(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, said = FORGED[name]
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt(**change)))
    assert run(["sample", "verify", str(file)]) == 1
    assert said in capsys.readouterr().err


def test_a_receipt_with_another_commitment_than_was_told_is_found_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt()))
    assert run(["sample", "verify", str(file)]) == 0
    assert receipt()["commitment"] in capsys.readouterr().out
    other = hashlib.sha256(b"").hexdigest()
    assert run(["sample", "verify", str(file), "--commitment", other]) == 1
    assert "told before" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"audit": 5}', "\x00"])
def test_what_is_no_receipt_cannot_be_read(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(content)
    assert run(["sample", "verify", str(file)]) == 2
    assert "receipt.json: no" in capsys.readouterr().err


def test_the_command_tells_sizes_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(["sample", "size", "--units", "1000", "--missing", "10", "--probability", "95%"]) == 0
    )
    assert capsys.readouterr().out == "258\n"
    assert run(["sample", "size", "--units", "10", "--missing", "11", "--probability", "0.5"]) == 2
    seed, file = bytes(range(32)).hex(), tmp_path / "units.csv"
    file.write_text("\n".join(reversed(RECEIPT_UNITS)))
    with_heading = tmp_path / "more.csv"
    with_heading.write_text("site,serial\n" + "".join(f"X,{one}\r\n" for one in RECEIPT_UNITS))
    capsys.readouterr()
    size = str(receipt()["size"])
    for path in (file, with_heading):
        assert run(["sample", "draw", seed, str(path), "--size", size]) == 0
        assert capsys.readouterr().out.split() == receipt()["drawn"]
    assert run(["sample", "draw", seed, str(file)]) == 0
    assert sorted(capsys.readouterr().out.split()) == sorted(RECEIPT_UNITS)
    for wrong in (["zz", str(file)], [seed, str(file), "--size", "21"], [seed, "nowhere.csv"]):
        assert run(["sample", "draw", *wrong]) != 0
        assert capsys.readouterr().err.startswith("endwatch: ")
