"""Witnesses sign that they saw the tree only grow; who verifies may ask for their signatures."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.cli import verify
from app.database import Sessions
from app.journal import notes, rollbacks, witness_watch, witnesses
from app.journal.notes import COSIGNATURE, DASH, NoteUnfit, Signer, Verifier
from app.journal.sequencer import Sequencer
from app.main import create_app
from app.settings import Settings
from tests.conftest import Clock, Door, OpenDoor
from tests.doors.filings import problem
from tests.journal.test_sequencer import commit


class Witness:
    """A witness that signs whatever checkpoint it is shown."""

    def __init__(self, name: str) -> None:
        self.key = Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes_raw()
        self.verifier = Verifier(name, COSIGNATURE, public)

    def cosign(self, note: str, seconds: int) -> str:
        text = f"cosignature/v1\ntime {seconds}\n" + notes.Note.read(note).text
        signature = seconds.to_bytes(8, "big") + self.key.sign(text.encode())
        packed = base64.b64encode(self.verifier.id + signature).decode()
        return f"{note}{DASH} {self.verifier.name} {packed}\n"


@pytest.fixture(scope="module")
def witness() -> Witness:
    return Witness("witness.example/w1")


@pytest.fixture
def settings(settings: Settings, witness: Witness) -> Settings:
    return settings.model_copy(update={"log_witnesses": f" {witness.verifier} "})


@pytest.fixture
def client(settings: Settings, time: Clock) -> Iterator[TestClient]:
    app: FastAPI = create_app(settings, time)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def signed(sessions: Sessions, sequencer: Sequencer, client: TestClient) -> str:
    commit(sessions, "a", "b", "c")
    sequencer.tick()
    text: str = client.get("/log/checkpoint").text
    return text


def test_a_witness_s_signature_is_kept_and_served(
    client: TestClient,
    signed: str,
    witness: Witness,
    time: Clock,
    sequencer: Sequencer,
    sessions: Sessions,
) -> None:
    problem(client.get("/log/cosigned-checkpoint"), 404, "nothing-signed")
    cosigned = witness.cosign(signed, int(time().timestamp()))
    for _ in range(2):
        answer = client.post("/log/cosignatures", content=cosigned.encode())
        assert (answer.status_code, answer.text) == (200, cosigned)
    assert client.get("/log/checkpoint").text == cosigned
    commit(sessions, "d")
    sequencer.tick()
    assert client.get("/log/cosigned-checkpoint").text == cosigned
    assert client.get("/log/checkpoint").text != cosigned


def test_a_proof_goes_to_the_checkpoint_that_witnesses_signed(
    client: TestClient,
    signed: str,
    witness: Witness,
    time: Clock,
    door: OpenDoor,
    log_key: Signer,
    sessions: Sessions,
    sequencer: Sequencer,
    tmp_path: Path,
) -> None:
    officer: Door = door("licensing_officer")
    cosigned = witness.cosign(signed, int(time().timestamp()))
    client.post("/log/cosignatures", content=cosigned.encode())
    commit(sessions, "d")
    sequencer.tick()
    path = tmp_path / "filing.tlog-proof"
    keys, trusted = [str(log_key.verifier)], [str(witness.verifier)]
    path.write_text(officer.get("/v1/journal/2/proof").text)
    assert path.read_text().endswith(cosigned)
    assert verify.verify(str(path), keys=keys, witnesses=trusted).faults == []
    path.write_text(officer.get("/v1/journal/4/proof").text)
    assert verify.verify(str(path), keys=keys).faults == []
    assert "fewer than 1" in verify.verify(str(path), keys=keys, witnesses=trusted).faults[0][1]


def test_what_is_no_good_cosignature_is_refused(
    client: TestClient, signed: str, witness: Witness, time: Clock, subtests: pytest.Subtests
) -> None:
    seconds = int(time().timestamp())
    cosigned = witness.cosign(signed, seconds)
    other = signed.replace("\n3\n", "\n4\n", 1)
    for what, note, kind, status in (
        ("nothing signed", signed, "cosignature-unfit", 422),
        ("a stranger", Witness("w2").cosign(signed, seconds), "cosignature-unfit", 422),
        ("another time", cosigned[:-30] + "A" * 27 + cosigned[-3:], "cosignature-unfit", 422),
        ("tomorrow", witness.cosign(signed, seconds + 86_400), "cosignature-unfit", 422),
        ("no time", witness.cosign(signed, 2**63), "cosignature-unfit", 422),
        ("never", witness.cosign(signed, 2**62), "cosignature-unfit", 422),
        ("another tree", witness.cosign(other, seconds), "checkpoint-unknown", 404),
        ("no note", "hello", "cosignature-unfit", 422),
        ("no UTF-8", "\udcff", "cosignature-unfit", 422),
    ):
        with subtests.test(what):
            body = note.encode("utf-8", errors="surrogateescape")
            problem(client.post("/log/cosignatures", content=body), status, kind)
    problem(client.get("/log/cosigned-checkpoint"), 404, "nothing-signed")


def test_only_a_witness_s_key_is_taken_for_one(log_key: Signer, witness: Witness) -> None:
    both = f"{witness.verifier},{Witness('w2').verifier}"
    assert [one.name for one in witnesses.named(both)] == ["witness.example/w1", "w2"]
    for setting in (str(log_key.verifier), "nonsense", str(witness.verifier)[:-4] + "AAAA"):
        with pytest.raises(NoteUnfit):
            witnesses.named(setting)


def test_notes_and_keys_of_others_are_read() -> None:
    # From the documentation of golang.org/x/mod/sumdb/note.
    verifier = Verifier.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = notes.Note.read(
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot"
        "pRZb6KE6RyyBwJnAM=\n"
    )
    (signature,) = note.by(verifier)
    assert verifier.check(signature, note.text) is None
    with pytest.raises(NoteUnfit):
        verifier.check(signature, f"{note.text} ")


def test_a_witness_that_falls_silent_and_comes_back_is_told_by_the_journal(
    client: TestClient,
    signed: str,
    witness: Witness,
    time: Clock,
    sessions: Sessions,
    sequencer: Sequencer,
) -> None:
    def looked(**later: float) -> list[str]:
        with sessions.begin() as session:
            return witness_watch.look(
                session, str(witness.verifier), now=time() + timedelta(**later)
            )

    def told() -> list[str]:
        with sessions() as session:
            rows = rollbacks.told(session.connection())
        return [row.action for row in rows]

    assert looked(hours=23) == []
    assert looked(hours=25) == looked(hours=26) == [witness.verifier.name]
    assert told() == ["witness.silent"]
    cosigned = witness.cosign(signed, int(time().timestamp()))
    assert client.post("/log/cosignatures", content=cosigned.encode()).status_code == 200
    assert looked(hours=27) == looked(days=30) == []
    assert told() == ["witness.silent", "witness.back"]
    sequencer.tick()
    assert looked(days=60) == [witness.verifier.name]
