"""The sealed log as it is served, checked with nothing but what is served."""

import base64
import hashlib
import json
from typing import Any

from sqlalchemy import Engine

from app.database import Sessions
from app.journal import rules, tree
from app.journal.notes import Checkpoint, Note, Verifier
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import problem
from tests.journal.test_sequencer import commit
from tests.journal.test_tree import by_definition
from tests.world import condition


def served(door: Door, path: str = "/log/checkpoint") -> Checkpoint:
    """Fetch a checkpoint and check its signature with the key that is served."""
    answer = door.client.get(path)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    note = Note.read(answer.text)
    verifier = Verifier.read(door.client.get("/log/key").text)
    (signature,) = note.by(verifier)
    verifier.check(signature, note.text)
    return Checkpoint.read(note.text)


def tile(door: Door, path: str) -> list[bytes]:
    answer = door.client.get(f"/log/tile/{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "immutable" in answer.headers["cache-control"]
    return [answer.content[at : at + 32] for at in range(0, len(answer.content), 32)]


def proven(door: Door, text: str) -> dict[str, Any]:
    """Check a proof by its text alone, and give the entry it proves."""
    head, extra, index, *lines = text.split("\n\n", 1)[0].split("\n")
    assert head == "c2sp.org/tlog-proof@v1"
    note = Note.read(text.split("\n\n", 1)[1])
    verifier = Verifier.read(door.client.get("/log/key").text)
    verifier.check(note.by(verifier)[0], note.text)
    stated = Checkpoint.read(note.text)
    entry = base64.b64decode(extra.removeprefix("extra "))
    path = [base64.b64decode(line) for line in lines]
    place = int(index.removeprefix("index "))
    assert tree.included(rules.leaf(entry), place, stated.size, path) == stated.root
    told: dict[str, Any] = json.loads(entry)
    assert told["seq"] == place + 1
    return told


def test_a_log_that_signed_nothing_says_so(officer: Door) -> None:
    for path in ("key", "checkpoint", "cosigned-checkpoint"):
        problem(officer.client.get(f"/log/{path}"), 404, "nothing-signed")
    problem(officer.client.get("/log/tile/0/000"), 404, "tile-unknown")


def test_the_public_tiles_give_the_root_that_was_signed(
    sessions: Sessions, sequencer: Sequencer, officer: Door
) -> None:
    commit(sessions, *(str(number) for number in range(700)))
    sequencer.tick()
    stated = served(officer)
    assert stated.size == 700
    hashes = tile(officer, "0/000") + tile(officer, "0/001") + tile(officer, "0/002.p/188")
    assert by_definition(hashes) == stated.root
    assert tile(officer, "1/000.p/2") == [
        by_definition(hashes[:256]),
        by_definition(hashes[256:512]),
    ]
    assert tile(officer, "0/002.p/3") == hashes[512:515]


def test_tiles_that_are_not_there_are_told_from_none(
    sessions: Sessions, sequencer: Sequencer, officer: Door
) -> None:
    commit(sessions, *(str(number) for number in range(300)))
    sequencer.tick()
    for path in (
        *("0/001", "0/001.p/45", "0/002", "1/000", "0/x000/000", "0/1", "0/000.p/0"),
        *("0/000.p/256", "0/x001/000/", "0/000.p/01", "3/x999/x999/x999/999", "0/-01"),
    ):
        problem(officer.client.get(f"/log/tile/{path}"), 404, "tile-unknown")
    assert officer.client.get("/log/tile/64/000").status_code == 422


def test_entries_are_bundled_for_those_who_may_read_them_all(
    sessions: Sessions, sequencer: Sequencer, officer: Door, exporter: Door
) -> None:
    commit(sessions, *(f"s{number}" for number in range(300)))
    sequencer.tick()
    assert officer.client.get("/log/tile/entries/000").status_code == 401
    assert exporter.get("/log/tile/entries/000").status_code == 403
    rest, entries = officer.get("/log/tile/entries/001.p/44").content, []
    while rest:
        length = int.from_bytes(rest[:2], "big")
        entries.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    assert list(map(rules.leaf, entries)) == tile(officer, "0/001.p/44")
    assert [json.loads(entry)["subject"] for entry in entries] == [
        f"s{number}" for number in range(256, 300)
    ]
    problem(officer.get("/log/tile/entries/001"), 404, "tile-unknown")


def test_a_receipt_proves_what_was_filed_as_soon_as_it_is_sealed(
    make_license: MakeLicense, exporter: Door, officer: Door, sequencer: Sequencer, door: OpenDoor
) -> None:
    license = make_license(condition("gallery_cap", max_enrolled=5_000), serials=("G-1",))
    report = {
        "kind": "attestation",
        "license": license["number"],
        "reference": "ATT-1",
        "observed_at": "2026-03-31T12:00:00Z",
        "statements": [{"subject": {"serial": "G-1"}, "facts": {"gallery_size": 5_210}}],
    }
    receipt = exporter.post("/v1/reports", report).json()["receipt"]
    address = f"/v1/receipts/{receipt['id']}"
    early = exporter.get(address)
    assert early.status_code == 202
    assert early.headers["retry-after"] == "1"
    while sequencer.tick():
        pass
    proof = exporter.get(address)
    entry = proven(exporter, proof.text)
    assert entry["action"] == "report.filed"
    (seen,) = [
        one
        for one in exporter.get("/v1/journal?limit=500").json()["items"]
        if one["action"] == "report.filed"
    ]
    assert seen["body"]["digest"] == receipt["digest"]
    assert exporter.get(f"/v1/journal/{seen['seq']}/proof").text == proof.text
    again = exporter.post("/v1/reports", report)
    assert again.json()["receipt"] == receipt
    other = door("exporter", "SOMEBODY")
    problem(other.get(address), 404, "receipt-unknown")
    problem(other.get(f"/v1/journal/{seen['seq']}/proof"), 404, "entry-unknown")
    problem(officer.get(f"/v1/journal/{seen['seq'] + 99}/proof"), 404, "entry-unknown")


def test_another_s_receipt_is_not_told_from_none_while_it_is_on_its_way(
    make_license: MakeLicense, exporter: Door, door: OpenDoor
) -> None:
    license = make_license(serials=("G-1",))
    reading = (
        f'{{"license": "{license["number"]}", "serial": "G-1",'
        ' "observed_at": "2026-04-01T08:00:00Z", "facts": {"country": "KE"}}'
    )
    headers = {"Content-Type": "application/x-ndjson"}
    receipt = exporter.post("/v1/readings", content=reading, headers=headers).json()["receipt"]
    assert receipt["digest"] == f"sha256:{hashlib.sha256(reading.encode()).hexdigest()}"
    address = f"/v1/receipts/{receipt['id']}"
    assert exporter.get(address).status_code == 202
    problem(door("exporter", "SOMEBODY").get(address), 404, "receipt-unknown")


def test_while_nobody_has_the_key_receipts_are_on_their_way(
    engine: Engine, sessions: Sessions, officer: Door
) -> None:
    commit(sessions, "a")
    keyless = Sequencer(engine)
    keyless.tick()
    keyless.close()
    assert officer.get("/v1/journal/1/proof").status_code == 202


def test_every_filing_s_receipt_leads_to_its_proof(
    make_license: MakeLicense, exporter: Door, sequencer: Sequencer, time: Clock
) -> None:
    number = make_license(serials=("G-1",))["number"]
    of_license = f"/v1/licenses/{number}"
    shipment = {
        "license": number,
        "reference": "SHIP-1",
        "line": 1,
        "date": "2026-03-02",
        "quantity": 1,
        "serials": ["G-1"],
    }
    delivery = {
        "license": number,
        "reference": "DEL-1",
        "shipment": "SHIP-1",
        "arrived_on": "2026-03-20",
        "serials": ["G-1"],
    }
    document = {
        "reference": "DOC-1",
        "kind": "Customs_Receipt",
        "subject": {"license": True},
        "issued_on": "2026-03-20",
    }
    answers = {
        "shipment.filed": exporter.post("/v1/shipments", shipment),
        "delivery.filed": exporter.post("/v1/deliveries", delivery),
        "document.filed": exporter.post(f"{of_license}/documents", document),
    }
    while sequencer.tick():
        pass
    for action, answer in answers.items():
        assert answer.status_code == 201, answer.text
        receipt = answer.json()["receipt"]
        assert receipt["digest"].startswith("sha256:")
        entry = proven(exporter, exporter.get(f"/v1/receipts/{receipt['id']}").text)
        assert (entry["action"], entry["receipt"]) == (action, receipt["id"])
