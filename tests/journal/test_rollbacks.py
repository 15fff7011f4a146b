"""A log that was taken back behind what it signed signs nothing until people say how it goes on."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.cli import export, resuming, verify
from app.cli.resuming import Decision
from app.cli.troubles import WrongUse
from app.database import Sessions
from app.journal import log, rollbacks, signing
from app.journal.notes import Checkpoint, Note, Signer
from app.journal.rollbacks import LogNotHeld, LogRolledBack
from app.journal.seen import CheckpointUnfit
from app.journal.sequencer import Sequencer
from app.settings import Settings
from tests.journal.test_sequencer import NOW, commit
from tests.journal.told_keys import door

__all__ = ["door"]


@pytest.fixture
def key(settings: Settings) -> Path:
    return signing.key_file(settings.data_dir, None)


@pytest.fixture
def sequencer(engine: Engine, key: Path) -> Iterator[Sequencer]:
    """As the scheduler makes it: with a key in a file, and a mark beside it."""
    sequencer = Sequencer(
        engine,
        partial(signing.load, path=key, origin="tests.example/log"),
        partial(signing.mark, path=key),
    )
    yield sequencer
    sequencer.close()


def filed(sessions: Sessions, sequencer: Sequencer, *subjects: str) -> str:
    """Commit and number; give the checkpoint that anybody can fetch."""
    for subject in subjects:
        commit(sessions, subject)
        sequencer.tick()
    with sessions() as session:
        return log.checkpoint(session)


def size_of(note: str) -> int:
    return Checkpoint.read(Note.read(note).text).size


def roll_back(owners: Sessions, size: int) -> None:
    """Take the database back to a size, as a restore does that nobody told."""
    with owners.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table, column in (("journal", "seq"), ("journal_checkpoints", "size")):
            session.execute(text(f"DELETE FROM {table} WHERE {column} > {size}"))
        session.execute(text(f"UPDATE journal_head SET seq = {size}, sealed = {size}"))
        session.execute(text(f"UPDATE journal_tiles SET hashes = substr(hashes, 1, {size * 32})"))


def actions(sessions: Sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(text("SELECT action FROM journal ORDER BY seq")))


def decided(sessions: Sessions, settings: Settings, **what: object) -> int:
    with sessions() as session:
        code = resuming.decide(session, settings, Decision(**what), now=NOW)  # type: ignore[arg-type]
        session.commit()
    return code


def test_the_last_checkpoint_that_was_signed_is_marked_beside_the_key(
    sessions: Sessions, sequencer: Sequencer, key: Path
) -> None:
    note = filed(sessions, sequencer, "a", "b", "c")
    assert signing.mark_file(key).read_text() == note
    sequencer.close()
    assert size_of(filed(sessions, sequencer, "d")) == 4


def test_a_log_that_was_rolled_back_signs_nothing_and_tells_so_once(
    sessions: Sessions, owners: Sessions, sequencer: Sequencer
) -> None:
    filed(sessions, sequencer, "a", "b", "c", "d")
    sequencer.close()
    roll_back(owners, 2)
    for round in range(3):
        assert size_of(filed(sessions, sequencer, f"x{round}", f"y{round}")) == 2
        sequencer.close()
    assert actions(sessions).count("journal.rollback_found") == 1
    with sessions() as session:
        head = session.execute(text("SELECT seq, sealed FROM journal_head")).one()
        told = session.scalar(
            text("SELECT body FROM journal WHERE action = 'journal.rollback_found'")
        )
    assert head.seq == head.sealed == 9
    assert told["seen"]["size"] == 4


def test_a_rollback_that_is_accepted_goes_on_under_another_name_and_the_verifier_says_so(
    sessions: Sessions,
    owners: Sessions,
    sequencer: Sequencer,
    settings: Settings,
    key: Path,
    tmp_path: Path,
) -> None:
    signed = filed(sessions, sequencer, "a", "b", "c", "d")
    old = Signer.read(key.read_text())
    sequencer.close()
    roll_back(owners, 2)
    filed(sessions, sequencer, "x")
    assert decided(sessions, settings, accept="the disk of the database was lost") == 0
    filed(sessions, sequencer, "y")
    note = filed(sessions, sequencer, "z")  # the lead was given up and taken again
    new = Signer.read(key.read_text())
    assert Note.read(note).by(new.verifier)
    assert new.name != old.name
    assert new.name.startswith("tests.example/log/2026-06-01-")
    key.write_text(f"{old.secret()}\n")  # a machine that nobody told
    sequencer.close()
    assert size_of(filed(sessions, sequencer, "late")) == size_of(note)
    seen, file = tmp_path / "seen.json", tmp_path / "journal.export"
    seen.write_text(json.dumps({"keys": [str(old.verifier)], "checkpoints": [signed]}))
    export.save(settings, file, tables=False)
    refused = verify.verify(str(file), state=seen)
    assert "no key you trust signed for tests.example/log/2026" in str(refused.faults)
    findings = verify.verify(str(file), state=seen, keys=[str(new.verifier)])
    assert findings.faults == []
    notes = "; ".join(findings.notes)
    assert "rolled back from 4 to 2 entries: the disk of the database" in notes
    assert "sign for 4 entries; those after 2 were given up" in notes
    with sessions() as session:
        told = session.scalar(text("SELECT body FROM journal WHERE action = 'journal.rolled_back'"))
    assert (told["from"]["size"], told["to"]["signed"]["size"]) == (4, 2)
    assert (told["retired"], told["key"]) == (["tests.example/log"], str(new.verifier))
    assert size_of(signed) == 4


def test_what_others_have_seen_shows_a_rollback_that_no_mark_shows(
    sessions: Sessions,
    owners: Sessions,
    sequencer: Sequencer,
    settings: Settings,
    key: Path,
    tmp_path: Path,
) -> None:
    filed(sessions, sequencer, "a", "b")
    with sessions() as session:
        early = log.checkpoint(session)
    late = filed(sessions, sequencer, "c", "d")
    with sessions() as session:
        receipt = str(log.proof_of(session, 4, party=None))
    sequencer.close()
    signing.mark_file(key).unlink()
    roll_back(owners, 2)
    seen = tmp_path / "seen"
    state = json.dumps({"keys": [], "checkpoints": [early, late]})
    for content, found in ((early, 0), (late, 1), (receipt, 1), (state, 1)):
        seen.write_text(content)
        with sessions() as session:
            assert resuming.decide(session, settings, Decision([seen]), now=NOW) == found
    with pytest.raises(LogRolledBack):
        decided(sessions, settings, seen=[seen], unchanged="I think so")
    assert size_of(filed(sessions, sequencer, "x")) == 2
    for content in ("{", "nothing", Checkpoint("a", 9, bytes(32)).signed(Signer.make("a"))):
        seen.write_text(content)
        with pytest.raises(CheckpointUnfit):
            decided(sessions, settings, seen=[seen])


def test_a_restored_log_waits_and_goes_on_unchanged_when_nothing_was_signed_later(
    sessions: Sessions, sequencer: Sequencer, settings: Settings, key: Path
) -> None:
    filed(sessions, sequencer, "a", "b")
    with pytest.raises(LogNotHeld):
        decided(sessions, settings, unchanged="it was stopped")
    with pytest.raises(WrongUse):
        decided(sessions, settings, unchanged="it was stopped", accept="it was not")
    sequencer.close()
    with sessions.begin() as session:
        rollbacks.restored(session, {"backup": "b"}, actor="cli", now=NOW)
    assert size_of(filed(sessions, sequencer, "c")) == 2
    assert decided(sessions, settings) == 1
    assert decided(sessions, settings, unchanged="the service was stopped before the copy") == 0
    sequencer.tick()
    filed(sessions, sequencer, "d")
    assert size_of(filed(sessions, sequencer, "e")) == len(actions(sessions))
    assert decided(sessions, settings) == 0


def test_a_mark_that_is_not_whole_or_of_another_log_stops_nothing(
    sessions: Sessions, sequencer: Sequencer, key: Path, settings: Settings
) -> None:
    filed(sessions, sequencer, "a")
    for content in ("", "half", Checkpoint("other", 9, bytes(32)).signed(Signer.make("other"))):
        sequencer.close()
        signing.mark_file(key).write_text(content)
        assert decided(sessions, settings) == 0
        before = len(actions(sessions))
        assert size_of(filed(sessions, sequencer, "b")) == before + 1


def test_a_log_that_signed_nothing_cannot_be_rolled_back(
    sessions: Sessions, settings: Settings
) -> None:
    with pytest.raises(WrongUse):
        decided(sessions, settings, accept="for no reason")


def test_a_key_that_is_lost_and_found_is_told_by_the_journal(
    sessions: Sessions, sequencer: Sequencer, key: Path
) -> None:
    filed(sessions, sequencer, "a", "b")
    sequencer.close()
    aside = key.rename(key.with_name("elsewhere"))
    for round in range(2):
        assert size_of(filed(sessions, sequencer, f"x{round}", f"y{round}")) == 2
        sequencer.close()
    assert actions(sessions).count("log.key_missing") == 1
    aside.rename(key)
    note = filed(sessions, sequencer, "c")
    assert size_of(note) == len(actions(sessions))
    assert actions(sessions).count("log.key_returned") == 1
    sequencer.close()
    filed(sessions, sequencer, "d")
    assert actions(sessions).count("log.key_returned") == 1
