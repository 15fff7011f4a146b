"""Somebody with all rights on the database changes something; the verifier names the first bad entry."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.access import service as access
from app.access.rules import Role
from app.cli import export, verify
from app.database import Sessions
from app.journal import sealing
from app.journal.notes import Signer
from app.journal.sequencer import Sequencer
from app.people import keys
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journal.test_sequencer import commit, end_leader, follows
from tests.journal.told_keys import ACTOR, tell_of_keys
from tests.world import condition

PORTIONS = 40
EVERY = 23
SIZE = PORTIONS * EVERY

Check = Callable[..., verify.Findings]


@pytest.fixture
def journal(sessions: Sessions, sequencer: Sequencer) -> None:
    """A journal of 920 entries, signed for every 23 of them."""
    for portion in range(PORTIONS):
        commit(sessions, *(f"s{portion}-{number}" for number in range(EVERY)))
        assert sequencer.tick() == EVERY


@pytest.fixture
def check(owner: Engine, log_key: Signer, tmp_path: Path) -> Check:
    """Exports the database as it is, and verifies the export with the key noted before."""

    def check(**options: Any) -> verify.Findings:
        path = tmp_path / "journal.export"
        with owner.connect() as connection, path.open("wb") as out:
            export.write(connection, out, tables=True)
        given = {"keys": [str(log_key.verifier)]} | options
        return verify.verify(str(path), **given)

    return check


def harm(owner: Engine, statement: str, **values: Any) -> None:
    """Change something as a superuser can, past every trigger."""
    with owner.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        assert connection.execute(text(statement), values).rowcount > 0


def first(findings: verify.Findings) -> int:
    """Give the number of the entry the verifier names first."""
    found = re.match(r"BAD entry (\d+): ", next(one for one in findings.told() if "BAD" in one))
    assert found is not None, list(findings.told())
    return int(found[1])


def test_a_journal_nobody_changed_is_well(journal: None, check: Check) -> None:
    findings = check()
    assert findings.faults == []
    assert "good: 920 entries hash to the tree, in order and without gaps" in findings.told()
    assert "good: 40 checkpoints are signed and fit the tree" in findings.told()


COLUMNS = {
    "body": "body = body || '{\"more\": 1}'",
    "actor": "actor = actor || '.'",
    "action": "action = 'another'",
    "subject": "subject = 'another'",
    "party": "party = 'SOMEBODY'",
    "topic": "topic = 'alert'",
    "receipt": "receipt = gen_random_uuid()",
    "nonce": "nonce = gen_random_uuid()",
    "recorded_at": "recorded_at = recorded_at - interval '1 microsecond'",
    "sequenced_at": "sequenced_at = sequenced_at + interval '1 day'",
}


@pytest.mark.parametrize("column", COLUMNS)
def test_an_entry_changed_in_any_column_is_named(
    journal: None, check: Check, owner: Engine, column: str
) -> None:
    assert set(COLUMNS) | {"seq"} == _columns(owner)
    chance = random.Random(column)
    for seq in sorted(chance.sample(range(1, SIZE + 1), 4), reverse=True):
        harm(owner, f"UPDATE journal SET {COLUMNS[column]} WHERE seq = :seq", seq=seq)
        assert first(check()) == seq


def _columns(owner: Engine) -> set[str]:
    with owner.connect() as connection:
        return set(
            connection.scalars(
                text(
                    "SELECT attname FROM pg_attribute WHERE attrelid = 'journal'::regclass"
                    " AND attnum > 0 AND NOT attisdropped"
                )
            )
        )


TAMPERINGS = {
    "an entry deleted at the end": ("DELETE FROM journal WHERE seq = 920", 920),
    "many deleted at the end": ("DELETE FROM journal WHERE seq > 700", 701),
    "an entry deleted in the middle": ("DELETE FROM journal WHERE seq = 333", 333),
    "the first entry deleted": ("DELETE FROM journal WHERE seq = 1", 1),
    "an entry added at the end": (
        (
            "INSERT INTO journal SELECT 921, recorded_at, sequenced_at, actor, action, subject, party,"
            " topic, body, receipt, nonce FROM journal WHERE seq = 1"
        ),
        921,
    ),
    "a hash of an entry": (
        (
            "UPDATE journal_tiles SET hashes = set_byte(hashes, 32 * 99, (get_byte(hashes, 32 * 99) + 1)"
            " % 256) WHERE (level, place) = (0, 1)"
        ),
        256 + 99 + 1,
    ),
    "a hash above entries": (
        (
            "UPDATE journal_tiles SET hashes = set_byte(hashes, 32, (get_byte(hashes, 32) + 1) % 256)"
            " WHERE level = 1"
        ),
        257,
    ),
    "a tile gone": ("DELETE FROM journal_tiles WHERE (level, place) = (0, 2)", 513),
    "the tile above gone": ("DELETE FROM journal_tiles WHERE level = 1", 1),
    "hashes cut off": (
        (
            "UPDATE journal_tiles SET hashes = substring(hashes FROM 1 FOR 640)"
            " WHERE (level, place) = (0, 3)"
        ),
        256 * 3 + 21,
    ),
    "the root of a checkpoint": (
        "UPDATE journal_checkpoints SET root = sha256('') WHERE size = 460",
        460,
    ),
    "the text of a checkpoint": (
        "UPDATE journal_checkpoints SET note = replace(note, '460', '461') WHERE size = 460",
        460,
    ),
    "the size of a checkpoint": ("UPDATE journal_checkpoints SET size = 461 WHERE size = 460", 461),
    "the signature of another checkpoint": (
        (
            "UPDATE journal_checkpoints c SET note = split_part(c.note, E'\\n\\n', 1) || E'\\n\\n' ||"
            " split_part(o.note, E'\\n\\n', 2) FROM journal_checkpoints o"
            " WHERE c.size = 69 AND o.size = 92"
        ),
        69,
    ),
    "the head": ("UPDATE journal_head SET seq = 1000", 921),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_was_tampered_with_is_found_and_the_first_bad_entry_named(
    journal: None, check: Check, owner: Engine, what: str
) -> None:
    statement, seq = TAMPERINGS[what]
    harm(owner, statement)
    assert first(check()) == seq


def test_two_entries_that_changed_places_are_found(
    journal: None, check: Check, owner: Engine
) -> None:
    for old, new in ((500, 5_000), (600, 500), (5_000, 600)):
        harm(owner, "UPDATE journal SET seq = :new WHERE seq = :old", old=old, new=new)
    assert first(check()) == 500


def test_a_gap_that_was_closed_is_found(journal: None, check: Check, owner: Engine) -> None:
    harm(owner, "DELETE FROM journal WHERE seq = 400")
    harm(owner, "UPDATE journal SET seq = seq + 9999 WHERE seq > 400")
    harm(owner, "UPDATE journal SET seq = seq - 10000 WHERE seq > 400")
    assert first(check()) == 400


def test_the_body_of_another_entry_is_found(journal: None, check: Check, owner: Engine) -> None:
    harm(owner, "UPDATE journal SET body = '{\"x\": 1}' WHERE seq IN (130, 131)")
    assert first(check()) == 130


def test_of_an_entry_changed_with_its_tile_the_signed_checkpoint_names_the_stretch(
    journal: None, check: Check, owner: Engine, sequencer: Sequencer
) -> None:
    """Without the key nobody signs for another tree; where it was changed, its tiles still tell."""
    harm(owner, "UPDATE journal SET subject = 'another' WHERE seq = 300")
    with owner.begin() as connection:
        row = connection.execute(
            text(f"SELECT {sealing.COLUMNS} FROM journal WHERE seq = 300")
        ).one()
        hashed = sealing.leaf(row)
    harm(
        owner,
        "UPDATE journal_tiles SET hashes = overlay(hashes PLACING :leaf FROM :at FOR 32)"
        " WHERE (level, place) = (0, 1)",
        leaf=hashed,
        at=(300 - 257) * 32 + 1,
    )
    findings = check()
    assert first(findings) == 300 // EVERY * EVERY + 1
    assert "from here to entry 322" in next(iter(findings.told()))


def test_a_log_that_was_rolled_back_is_found_by_who_saw_it_before(
    journal: None, check: Check, owner: Engine, tmp_path: Path
) -> None:
    state = tmp_path / "seen.json"
    assert check(state=state).faults == []
    assert check(state=state, keys=[]).faults == []
    assert len(json.loads(state.read_text())["checkpoints"]) == 1
    for statement in (
        "DELETE FROM journal WHERE seq > 897",
        "DELETE FROM journal_checkpoints WHERE size > 897",
        (
            "UPDATE journal_tiles SET hashes = substring(hashes FROM 1 FOR 129 * 32)"
            " WHERE (level, place) = (0, 3)"
        ),
        "UPDATE journal_head SET seq = 897, sealed = 897",
    ):
        harm(owner, statement)
    assert check().faults == []
    assert first(check(state=state)) == 898


def test_a_log_that_tells_another_story_under_the_same_key_is_found(
    journal: None, check: Check, owner: Engine, log_key: Signer, tmp_path: Path
) -> None:
    state = tmp_path / "seen.json"
    assert check(state=state).faults == []
    harm(owner, "UPDATE journal SET subject = 'another' WHERE seq = 5")
    for table in ("journal_tiles", "journal_checkpoints"):
        harm(owner, f"DELETE FROM {table}")
    harm(owner, "UPDATE journal_head SET sealed = 0")
    anew = Sequencer(owner, lambda _: log_key)
    end_leader(owner)
    follows(anew)
    anew.close()
    assert check().faults == []
    assert first(check(state=state)) == 1


def test_who_else_s_key_is_not_believed(journal: None, check: Check) -> None:
    other = str(Signer.make("tests.endwatch.example/log").verifier)
    told = "\n".join(check(keys=[other]).told())
    assert "no key you trust signed" in told
    assert any("give --key" in note for note in check(keys=[]).notes)


@pytest.fixture
def world(
    make_license: MakeLicense, exporter: Door, owners: Sessions, sequencer: Sequencer, time: Clock
) -> str:
    """A license with a deviation, a batch, and another license that was suspended."""
    license = make_license(condition("gallery_cap", max_enrolled=5_000), serials=("G-1",))
    number: str = license["number"]
    report = {
        "kind": "attestation",
        "license": number,
        "reference": "ATT-1",
        "observed_at": "2026-03-31T12:00:00Z",
        "statements": [{"subject": {"serial": "G-1"}, "facts": {"gallery_size": 5_210}}],
    }
    assert exporter.post("/v1/reports", report).json()["deviations"]
    reading = (
        f'{{"license": "{number}", "serial": "G-1",'
        ' "observed_at": "2026-04-01T08:00:00Z", "facts": {"gallery_size": 9000}}'
    )
    headers = {"Content-Type": "application/x-ndjson"}
    assert exporter.post("/v1/readings", content=reading, headers=headers).status_code == 200
    tell_of_keys(owners, time())
    with owners.begin() as session:
        past, _ = access.issue(session, Role.AUDITOR, party=None, label="past", now=time())
        keys.tell(session, past, "key.issued", ACTOR, time())
        keys.tell(
            session, access.revoke(session, past.id, now=time()), "key.revoked", ACTOR, time()
        )
    while sequencer.tick():
        pass
    return number


def test_tables_are_what_the_entries_add_up_to(world: str, check: Check) -> None:
    findings = check()
    assert findings.faults == []
    told = "\n".join(findings.told())
    for table in ("1 rows of licenses", "1 rows of reports", "1 rows of shipments", "of alerts"):
        assert table in told


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE deviations SET state = 'closed'",
            "state is 'closed', the entries say 'suspected'",
        ),
        ("UPDATE deviations SET severity = 'low'", "severity is 'low'"),
        ("UPDATE alerts SET state = 'cleared'", "state is 'cleared', the entries say 'open'"),
        ("UPDATE alerts SET title = 'nothing much'", "title is 'nothing much'"),
        ("UPDATE licenses SET state = 'revoked'", "state is 'revoked', the entries say 'issued'"),
        ("DELETE FROM deviations", "the entries tell of it, and the table does not have it"),
        ("DELETE FROM alerts", "the entries tell of it, and the table does not have it"),
        ("UPDATE reports SET digest = sha256('')", "digest is"),
        ("DELETE FROM reports", "the table does not have it"),
        ("DELETE FROM readings", "readings is 0, the entries say 1"),
        ("UPDATE reading_batches SET root = sha256('')", "root is"),
        (
            "UPDATE conditions SET terms = '{\"max_enrolled\": 9}'",
            "max_enrolled is 9, the entries say",
        ),
        ("UPDATE statements SET facts = facts || '{\"gallery_size\": 1}'", "gallery_size is 1"),
        ("UPDATE keys SET role = 'administrator'", "role is 'administrator'"),
        ("UPDATE keys SET revoked_at = NULL", "revoked_at is None, the entries say '2"),
        ("DELETE FROM units", "the table does not have it"),
        ("UPDATE shipments SET sent = sent || '{\"quantity\": 9}'", "quantity is 9"),
        (
            (
                "INSERT INTO reading_batches SELECT gen_random_uuid(), filed_by, received_at, lines,"
                " accepted, duplicates, rejected, root FROM reading_batches"
            ),
            "the table has it, and no entry tells of it",
        ),
    ],
)
def test_a_table_that_was_changed_is_found(
    world: str, check: Check, owner: Engine, statement: str, told: str
) -> None:
    harm(owner, statement)
    assert told in "\n".join(check().told())


def test_what_a_key_may_that_nobody_made_is_found(
    world: str, check: Check, owner: Engine, door: OpenDoor
) -> None:
    door("supervisor")
    assert "the table has it, and no entry tells of it" in "\n".join(check().told())


def test_text_that_looks_like_a_number_is_compared_as_text() -> None:
    right = {"serial": "0012", "quantity": "12.50", "at": "2026-03-01T00:00:00Z", "on": True}
    found = right | {"quantity": 12.5, "at": "2026-03-01T01:00:00+01:00"}
    fold = verify.Fold()
    fold.tables["units"]["a"] = right
    for change, faults in (({}, 0), ({"serial": "12"}, 1), ({"on": 1}, 1), ({"at": None}, 1)):
        findings = verify.Findings()
        fold.compare({"units": {"a": found | change}}, set(), findings)
        assert len(findings.faults) == faults, change


def test_an_entry_that_says_too_little_is_a_fault_and_stops_nothing() -> None:
    fold, findings = verify.Fold(), verify.Findings()
    head = b'{"action":"delivery.filed","actor":"exporter:x","party":null,"recorded_at":"2026",'
    fold.take(head + b'"seq":7,"subject":"shipment:BX-1/S"}', b"{}")
    fold.take(
        head.replace(b"delivery", b"shipment") + b'"seq":8,"subject":"shipment:BX-1/S"}', b"{}"
    )
    fold.compare({}, set(), findings)
    assert [seq for seq, _ in findings.faults] == [8]


def test_the_file_runs_alone(
    journal: None, check: Check, owner: Engine, log_key: Signer, tmp_path: Path
) -> None:
    check()
    alone = tmp_path / "alone"
    alone.mkdir()
    script = alone / "verify.py"
    script.write_bytes(Path(verify.__file__).read_bytes())
    command = [sys.executable, "-W", "error", str(script), str(tmp_path / "journal.export")]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"]}
        return subprocess.run(
            [*command, *more],
            cwd=alone,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    good = run("--key", str(log_key.verifier))
    assert (good.returncode, good.stderr) == (0, "")
    assert "920 entries hash to the tree" in good.stdout
    harm(owner, "UPDATE journal SET actor = 'nobody' WHERE seq = 77")
    check()
    bad = run("--key", str(log_key.verifier))
    assert (bad.returncode, bad.stdout.splitlines()[0][:12]) == (1, "BAD entry 77")
    assert run("--key", "nonsense").returncode == 2
    (tmp_path / "journal.export").write_bytes(b"something else\n")
    assert run().returncode == 2


def test_an_export_that_is_cut_short_is_not_read(
    journal: None, check: Check, tmp_path: Path
) -> None:
    check()
    path = tmp_path / "journal.export"
    path.write_bytes(path.read_bytes()[:-4])
    assert verify.run(str(path)) == 2


def test_a_receipt_is_checked_offline(
    world: str, exporter: Door, log_key: Signer, tmp_path: Path
) -> None:
    (seen,) = [
        one
        for one in exporter.get("/v1/journal?limit=500").json()["items"]
        if one["action"] == "report.filed"
    ]
    proof = exporter.get(f"/v1/journal/{seen['seq']}/proof").text
    path = tmp_path / "filing.tlog-proof"
    path.write_text(proof)
    keys = [str(log_key.verifier)]
    findings = verify.verify(str(path), keys=keys)
    assert findings.faults == []
    assert f"report.filed of {seen['subject']}" in "\n".join(findings.told())
    with pytest.raises(verify.Unreadable, match="--key"):
        verify.verify(str(path))
    lines = proof.split("\n")
    for at, other in ((1, "extra e30="), (2, "index 0"), (3, lines[4]), (-3, lines[-3])):
        path.write_text("\n".join([*lines[:at], other, *lines[at:][1:]]))
        try:
            good = verify.verify(str(path), keys=keys).faults == []
        except (verify.Unreadable, KeyError):
            good = False
        assert good is (at == -3)
    assert verify.verify(str(path), keys=keys, witnesses=[], quorum=1).faults != []
