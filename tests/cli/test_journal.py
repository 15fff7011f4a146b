"""`endwatch journal …` and `endwatch verify` as commands, on a database of their own."""

import logging
from pathlib import Path

import pytest
import structlog

from app.cli import commands
from app.database import Sessions
from app.journal.notes import Signer, Verifier
from app.journal.sequencer import Sequencer
from tests.conftest import Door, Harm, MakeLicense
from tests.journal.test_sequencer import commit
from tests.journal.told_keys import door
from tests.world import condition

__all__ = ["door"]


def run(arguments: list[str]) -> int:
    """Run a command; it sets logging up for itself, which must not outlive it here."""
    known, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return commands.run(arguments)
    finally:
        structlog.configure(**known)
        root.handlers[:], root.level = handlers, level


@pytest.fixture(autouse=True)
def on_database(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENDWATCH_DATABASE_URL", database_url)
    monkeypatch.setenv("ENDWATCH_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize("name", ["journal.export", "journal.export.gz"])
def test_an_export_is_verified_from_the_command_line(
    sessions: Sessions,
    sequencer: Sequencer,
    log_key: Signer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    commit(sessions, "a", "b")
    sequencer.tick()
    file = tmp_path / name
    assert run(["journal", "export", str(file)]) == 0
    assert run(["verify", str(file), "--key", str(log_key.verifier)]) == 0
    assert "good: 2 entries hash to the tree" in capsys.readouterr().out
    other = Signer.make(log_key.name).verifier
    assert run(["verify", str(file), "--key", str(other)]) == 1
    assert run(["verify", str(tmp_path / "nothing")]) == 2


def test_the_database_itself_is_verified_and_judged_again(
    make_license: MakeLicense,
    exporter: Door,
    sequencer: Sequencer,
    harm: Harm,
    capsys: pytest.CaptureFixture[str],
) -> None:
    license = make_license(condition("gallery_cap", max_enrolled=5_000), serials=("G-1",))
    report = {
        "kind": "attestation",
        "license": license["number"],
        "reference": "ATT-1",
        "observed_at": "2026-03-31T12:00:00Z",
        "statements": [{"subject": {"serial": "G-1"}, "facts": {"gallery_size": 5_210}}],
    }
    (deviation, *_) = exporter.post("/v1/reports", report).json()["deviations"]
    while sequencer.tick():
        pass
    assert run(["verify"]) == 0
    assert run(["verify", "--completeness"]) == 0
    capsys.readouterr()
    harm("DELETE FROM occurrences")
    assert run(["verify", "--completeness"]) == 1
    assert deviation


def test_what_is_about_a_person_is_erased_and_every_proof_goes_on_to_hold(
    sessions: Sessions,
    sequencer: Sequencer,
    officer: Door,
    tmp_path: Path,
    log_key: Signer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["keys", "add", "--role", "auditor", "--label", "Jane Doe, room 7"]) == 0
    sequencer.tick()
    _, entry = officer.get("/v1/journal").json()["items"]
    assert set(entry["body"]["label"]) == {"commitment"}
    proof = officer.get("/v1/journal/2/proof").text
    (shown,) = officer.get("/v1/journal/2/disclosures").json()
    assert shown["value"] == "Jane Doe, room 7"
    assert shown["commitment"] == entry["body"]["label"]["commitment"]
    erase = ["journal", "erase", "2", "label", "--ground", "she asked for it"]
    assert run(erase) == 0
    sequencer.tick()
    (shown,) = officer.get("/v1/journal/2/disclosures").json()
    assert (shown["value"], shown["salt"]) == (None, None)
    assert run(erase) == 1
    assert run(["journal", "erase", "2", "role", "--ground", "a mistake"]) == 1
    told = officer.get("/v1/journal").json()["items"][2]
    assert (told["action"], told["subject"]) == ("journal.erased", "entry:2")
    assert told["body"]["ground"] == "she asked for it"
    file = tmp_path / "filing.tlog-proof"
    file.write_text(proof)
    assert run(["verify", str(file), "--key", str(log_key.verifier)]) == 0
    assert run(["journal", "export", str(tmp_path / "whole")]) == 0
    assert b"Jane Doe" not in (tmp_path / "whole").read_bytes()
    assert run(["verify", str(tmp_path / "whole")]) == 0
    assert "Jane Doe" not in capsys.readouterr().out


def test_a_new_key_is_made_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDWATCH_LOG_ORIGIN", "example.org/endwatch")
    assert run(["journal", "new-key"]) == 0
    told = Verifier.read(capsys.readouterr().out)
    assert told.name == "example.org/endwatch"
    kept = Signer.read((tmp_path / "data" / "log.key").read_text())
    assert kept.verifier == told
    assert run(["journal", "new-key"]) == 2
    assert "move it away" in capsys.readouterr().err


def test_a_database_is_verified_while_entries_wait_for_their_numbers(
    make_license: MakeLicense,
    exporter: Door,
    sequencer: Sequencer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    license = make_license(condition("gallery_cap", max_enrolled=5_000), serials=("G-1",))
    while sequencer.tick():
        pass
    report = {
        "kind": "attestation",
        "license": license["number"],
        "reference": "ATT-1",
        "observed_at": "2026-03-31T12:00:00Z",
        "statements": [{"subject": {"serial": "G-1"}, "facts": {"gallery_size": 5_210}}],
    }
    assert exporter.post("/v1/reports", report).status_code == 201
    assert run(["verify"]) == 0
    assert "subjects are not compared" in capsys.readouterr().out
    while sequencer.tick():
        pass
    assert run(["verify"]) == 0
    assert "not compared" not in capsys.readouterr().out
