"""The tree grows with the numbering; what was numbered without it is sealed later."""

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy.exc
from sqlalchemy import Engine, text

from app import journal
from app.database import Sessions
from app.journal import canonical, rules, signing, tree
from app.journal.log import checkpoint, key
from app.journal.notes import Checkpoint, Note, Signer, Verifier
from app.journal.sequencer import Sequencer
from tests.journal.test_sequencer import NOW, commit, follows
from tests.journal.test_tree import by_definition

LEAVES = text(
    "SELECT seq, recorded_at, sequenced_at, actor, action, subject, party, topic, receipt, nonce,"
    " body::text AS body FROM journal ORDER BY seq"
)


def leaves(sessions: Sessions) -> list[bytes]:
    """Hash every entry anew, from its row."""
    with sessions() as session:
        rows = session.execute(LEAVES).all()
    return [rules.leaf(canonical.entry(row, canonical.body(row.body))) for row in rows]


def newest(sessions: Sessions) -> Checkpoint:
    """Read the newest checkpoint, whose signature must be good."""
    with sessions() as session:
        note = Note.read(checkpoint(session))
        verifier = Verifier.read(key(session))
    (signature,) = note.by(verifier)
    verifier.check(signature, note.text)
    return Checkpoint.read(note.text)


def signed(sessions: Sessions) -> list[tuple[int, bytes]]:
    with sessions() as session:
        rows = session.execute(text("SELECT size, root FROM journal_checkpoints ORDER BY size"))
        return [(row.size, bytes(row.root)) for row in rows]


def test_every_portion_is_signed_for_and_every_checkpoint_is_of_the_entries_before_it(
    sessions: Sessions, sequencer: Sequencer
) -> None:
    chance = random.Random(7)
    for portion in range(12):
        commit(sessions, *(f"s{portion}-{n}" for n in range(chance.randint(1, 90))))
        sequencer.tick()
    hashed = leaves(sessions)
    assert newest(sessions) == Checkpoint(
        "tests.endwatch.example/log", len(hashed), by_definition(hashed)
    )
    checkpoints = signed(sessions)
    assert len(checkpoints) == 12
    for size, root in checkpoints:
        assert root == by_definition(hashed[:size])


def test_an_entry_is_sealed_in_canonical_form_with_the_digest_of_its_body(
    sessions: Sessions, sequencer: Sequencer
) -> None:
    body = {"z": 1.0, "a": ["é", None, 12345678901234567890], "b": {"y": 0.1, "x": "\u2028"}}
    with sessions() as session:
        journal.append(session, actor="A", action="tried", subject="s", body=body, now=NOW)
        session.commit()
    sequencer.tick()
    with sessions() as session:
        row = session.execute(LEAVES).one()
    written = canonical.body(row.body)
    assert written == (
        '{"a":["é",null,"12345678901234567890"],"b":{"x":"\u2028","y":0.1},"z":1}'.encode()
    )
    entry = json.loads(canonical.entry(row, written))
    assert entry["body"] == f"sha256:{hashlib.sha256(written).hexdigest()}"
    assert entry["recorded_at"] == "2026-06-01T12:00:00.000000Z"
    assert (entry["seq"], entry["subject"], entry["party"]) == (1, "s", None)
    assert list(entry) == sorted(entry)


def test_entries_that_say_the_same_have_different_hashes(
    sessions: Sessions, sequencer: Sequencer
) -> None:
    commit(sessions, "same", "same")
    sequencer.tick()
    with sessions() as session:
        first, second = session.scalars(text("SELECT nonce FROM journal ORDER BY seq"))
    assert first != second


def test_what_was_numbered_before_there_was_a_tree_is_sealed_by_the_next_who_leads(
    sessions: Sessions, owner: Engine, sequencer: Sequencer
) -> None:
    with owner.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO journal (seq, recorded_at, sequenced_at, actor, action, subject, body)"
                " SELECT n, now(), now(), 'a', 'b', 'c', '{}' FROM generate_series(1, 12345) n"
            )
        )
        connection.execute(text("UPDATE journal_head SET seq = 12345"))
    assert sequencer.tick() == 0
    hashed = leaves(sessions)
    assert newest(sessions).size == 12_345
    assert newest(sessions).root == by_definition(hashed)
    commit(sessions, "and on")
    assert sequencer.tick() == 1
    assert newest(sessions).root == by_definition(leaves(sessions))


def test_without_a_key_entries_are_sealed_and_signed_for_by_the_next_who_has_it(
    sessions: Sessions, owner: Engine, sequencer: Sequencer
) -> None:
    keyless = Sequencer(owner)
    commit(sessions, "a", "b", "c")
    assert keyless.tick() == 3
    assert signed(sessions) == []
    keyless.close()
    follows(sequencer)
    assert signed(sessions) == [(3, by_definition(leaves(sessions)))]


def test_one_who_takes_over_goes_on_with_the_same_tree(
    sessions: Sessions, owner: Engine, sequencer: Sequencer, log_key: Signer
) -> None:
    second = Sequencer(owner, lambda _: log_key)
    for at, one in enumerate([sequencer, second, sequencer, second]):
        commit(sessions, *(f"{at}-{n}" for n in range(300)))
        counted = follows(one) or one.tick()
        assert counted == 300
        one.close()
    assert newest(sessions) == Checkpoint(log_key.name, 1_200, by_definition(leaves(sessions)))


def harm(owner: Engine, statement: str) -> None:
    """Change something as a superuser can, past every trigger."""
    with owner.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        assert connection.execute(text(statement)).rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_tiles SET hashes = decode(repeat('00', 32), 'hex')",
        "UPDATE journal_tiles SET hashes = hashes || hashes",
        "DELETE FROM journal_tiles",
    ],
)
def test_nothing_is_signed_on_a_harmed_tree_and_numbering_goes_on(
    sessions: Sessions, owner: Engine, sequencer: Sequencer, statement: str
) -> None:
    commit(sessions, "a")
    sequencer.tick()
    sequencer.close()
    harm(owner, statement)
    commit(sessions, "b")
    assert follows(sequencer) == 1
    assert [size for size, _ in signed(sessions)] == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET subject = 'another'",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "UPDATE journal_tiles SET hashes = decode(repeat('00', 32), 'hex')",
        "DELETE FROM journal_tiles",
        "UPDATE journal_checkpoints SET size = 7",
        "DELETE FROM journal_checkpoints",
        "UPDATE journal_keys SET verifier = 'mine'",
        "TRUNCATE journal_disclosures",
    ],
)
def test_the_database_refuses_to_change_what_is_recorded(
    sessions: Sessions, owner: Engine, sequencer: Sequencer, statement: str
) -> None:
    commit(sessions, "a")
    sequencer.tick()
    refused = pytest.raises(sqlalchemy.exc.IntegrityError, match="only ever added")
    with refused, owner.begin() as connection:
        connection.execute(text(statement))


def test_the_first_key_is_made_for_its_owner_alone_and_found_again(
    owner: Engine, tmp_path: Path
) -> None:
    path = signing.key_file(tmp_path / "data", None)
    with owner.connect() as connection:
        made = signing.load(connection, path, "example.org/log")
        again = signing.load(connection, path, "another.name/log")
    assert made is not None
    assert again is not None
    assert made.verifier == again.verifier
    assert made.name == "example.org/log"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_lost_key_is_not_replaced_in_silence(
    sessions: Sessions, owner: Engine, sequencer: Sequencer, tmp_path: Path
) -> None:
    commit(sessions, "a")
    sequencer.tick()
    with owner.connect() as connection:
        assert signing.load(connection, tmp_path / "log.key", None) is None
        (tmp_path / "log.key").write_text("not a key")
        assert signing.load(connection, tmp_path / "log.key", None) is None
    with pytest.raises(signing.KeyFileTaken):
        signing.make(tmp_path / "log.key", None)


def test_a_key_that_follows_another_is_told_by_the_journal(
    sessions: Sessions, owner: Engine, sequencer: Sequencer, log_key: Signer
) -> None:
    commit(sessions, "a")
    sequencer.tick()
    sequencer.close()
    other = Signer.make(log_key.name)
    second = Sequencer(owner, lambda _: other)
    assert follows(second) == 1
    second.close()
    with sessions() as session:
        (told,) = session.scalars(text("SELECT body FROM journal WHERE action = 'log.key'"))
        assert key(session) == str(other.verifier)
    assert told == {"key": str(other.verifier), "before": str(log_key.verifier), "since": 1}
    assert newest(sessions).size == 2


def test_tiles_hold_the_hashes_of_the_specification(
    sessions: Sessions, sequencer: Sequencer
) -> None:
    commit(sessions, *(str(n) for n in range(600)))
    sequencer.tick()
    hashed = leaves(sessions)
    with sessions() as session:
        rows = session.execute(
            text("SELECT level, place, hashes FROM journal_tiles ORDER BY level, place")
        ).all()
    whole: Sequence[tuple[int, int, bytes]] = [
        (0, 0, b"".join(hashed[:256])),
        (0, 1, b"".join(hashed[256:512])),
        (0, 2, b"".join(hashed[512:])),
        (1, 0, tree.folded(hashed[:256]) + tree.folded(hashed[256:512])),
    ]
    assert [(row.level, row.place, bytes(row.hashes)) for row in rows] == whole
