"""`endwatch backup` and `endwatch restore`: what comes back, what is refused, what is said to lack."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, make_url, text

from app import clock
from app.cli import backup_folder, dumping
from app.cli.backup_folder import EVIDENCE_LIST, MANIFEST, BackupFolder, Manifest
from app.cli.dumping import DumpFailed, ProgramTooOld
from app.cli.postgres import Postgres
from app.cli.seeing_all import SEES_ALL
from app.database import Sessions, connect, sessions_of
from app.evidence.room import Room, room_of
from app.journal import log, signing
from app.journal.notes import Checkpoint, Note, Signer
from app.journal.sequencer import Sequencer
from app.settings import Settings
from tests.cli.running import PROJECT, empty_folder, endwatch, environment, eventually, running
from tests.cli.test_journal import run
from tests.conftest import Door, MakeLicense, settings_for
from tests.evidence import good
from tests.evidence.handing_in import accepted
from tests.journal.test_sequencer import commit
from tests.journal.told_keys import door
from tests.world import condition

__all__ = ["door"]

_numbers = count(1)


@pytest.fixture(autouse=True)
def on_database(settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDWATCH_DATABASE_URL", database_url)
    monkeypatch.setenv("ENDWATCH_DATA_DIR", str(settings.data_dir))


@pytest.fixture
def sequencer(engine: Engine, settings: Settings) -> Iterator[Sequencer]:
    sequencer = _sequencer(engine, settings)
    yield sequencer
    sequencer.close()


def _sequencer(engine: Engine, settings: Settings) -> Sequencer:
    key = signing.key_file(settings.data_dir, None)
    return Sequencer(
        engine,
        partial(signing.load, path=key, origin="tests.example/log"),
        partial(signing.mark, path=key),
    )


@pytest.fixture
def filed(
    make_license: MakeLicense, exporter: Door, sessions: Sessions, sequencer: Sequencer
) -> str:
    """A small world: a license, a report that is flagged, a file of evidence; all of it sealed."""
    license = make_license(condition("gallery_cap", max_enrolled=5_000), serials=("G-1",))
    digest = accepted(exporter)
    report = {
        "kind": "attestation",
        "license": license["number"],
        "reference": "ATT-1",
        "observed_at": "2026-03-31T12:00:00Z",
        "statements": [{"subject": {"serial": "G-1"}, "facts": {"gallery_size": 5_210}}],
        "evidence": [digest],
    }
    assert exporter.post("/v1/reports", report).status_code == 201
    while sequencer.tick():
        pass
    return digest


@pytest.fixture
def elsewhere(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[], Settings]]:
    """Makes an empty database and data folder, on which commands work from then on."""
    admin = make_url(postgres.url).set(drivername="postgresql", database="postgres")
    made: list[str] = []

    def make() -> Settings:
        name = f"restored_{next(_numbers)}"
        with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        url = make_url(postgres.url).set(database=name).render_as_string(False)
        settings = settings_for(url, data_dir=tmp_path / name)
        monkeypatch.setenv("ENDWATCH_DATABASE_URL", url)
        monkeypatch.setenv("ENDWATCH_DATA_DIR", str(settings.data_dir))
        return settings

    yield make
    with psycopg.connect(admin.render_as_string(False), autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def counts(settings: Settings) -> dict[str, Any]:
    engine = connect(settings)
    with sessions_of(engine)() as session:
        found = {
            table: session.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("licenses", "reports", "statements", "deviations", "evidence", "keys")
        }
    engine.dispose()
    return found


def read_back(settings: Settings, room: Room, digest: str) -> bytes:
    """Decrypt a file of evidence with what is on this machine."""
    from app.evidence.sealing import unsealed

    engine = connect(settings)
    with sessions_of(engine)() as session:
        row = session.execute(
            text("SELECT object, size, key_id, wrapped_key FROM evidence WHERE digest = :digest"),
            {"digest": digest},
        ).one()
    engine.dispose()
    key = room.keys.unwrap(row.key_id, row.wrapped_key, row.object, clock.now())
    with closing(room.shelf.open(row.object, 0)) as sealed:
        return b"".join(unsealed(sealed, row.object, key, row.size))


def only(backups: Path) -> Path:
    (place,) = BackupFolder(backups).whole()
    return place


def test_everything_comes_back_and_the_log_waits_until_people_have_decided(
    filed: str,
    settings: Settings,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups, keys = tmp_path / "backups", tmp_path / "keys"
    before = counts(settings)
    assert run(["backup", str(backups), "--keys", str(keys)]) == 0
    told = capsys.readouterr().out
    assert "1 files of evidence, 1 of them new" in told
    assert f"keys are in {keys}" in told

    there = elsewhere()
    assert run(["restore", str(backups), "--keys", str(keys)]) == 0
    told = capsys.readouterr().out
    assert "as many as were backed up" in told
    assert "entries hash to the tree" in told
    assert "signing waits for you" in told
    assert "MISSING" not in told
    assert counts(there) == before
    assert read_back(there, room_of(there), filed) == good.pdf()

    engine = connect(there)
    sequencer = _sequencer(engine, there)
    sequencer.tick()
    with sessions_of(engine)() as session:
        size = Checkpoint.read(Note.read(log.checkpoint(session)).text).size
    assert size == Manifest.read(only(backups)).journal.sealed
    assert run(["journal", "resume"]) == 1
    assert run(["journal", "resume", "--nothing-later", "it was stopped before"]) == 0
    for _ in range(3):
        commit(sessions_of(engine), "more")
        sequencer.tick()
    with sessions_of(engine)() as session:
        assert Checkpoint.read(Note.read(log.checkpoint(session)).text).size == size + 5
    sequencer.close()
    engine.dispose()
    assert run(["verify"]) == 0


def test_no_key_is_in_a_backup_and_what_cannot_be_done_without_them_is_said(
    filed: str,
    settings: Settings,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups = tmp_path / "backups"
    secret = signing.key_file(settings.data_dir, None).read_text().strip()
    master = json.loads((settings.data_dir / "evidence" / "master.keys").read_text())["keys"][0]
    assert run(["backup", str(backups)]) == 0
    assert "keys are not copied" in capsys.readouterr().out
    for path in backups.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert secret[-40:].encode() not in content
            assert master["key"].encode() not in content
            assert path.stat().st_mode & 0o077 == 0
    assert run(["backup", str(backups), "--keys", str(backups / "keys")]) == 2
    assert run(["backup", str(tmp_path / "k" / "b"), "--keys", str(tmp_path / "k")]) == 2

    elsewhere()
    capsys.readouterr()
    assert run(["restore", str(backups)]) == 1
    told = capsys.readouterr().out
    assert "MISSING: the signing key of tests.example/log" in told
    assert f"MISSING: master key {master['id']}: evidence" in told


def test_keys_that_were_replaced_stay_with_the_copies_of_keys(
    filed: str, settings: Settings, tmp_path: Path
) -> None:
    backups, keys = tmp_path / "backups", tmp_path / "keys"
    assert run(["backup", str(backups), "--keys", str(keys)]) == 0
    path = signing.key_file(settings.data_dir, None)
    first = Signer.read(path.read_text())
    assert run(["keys", "rotate-evidence"]) == 0
    signing.put_aside(path)
    signing.make(path, "tests.example/log")
    assert run(["backup", str(backups), "--keys", str(keys)]) == 0
    assert len(json.loads((keys / "master.keys").read_text())["keys"]) == 2
    copies = {Signer.read(one.read_text()).verifier for one in keys.glob("log.*.key")}
    assert copies == {first.verifier, Signer.read(path.read_text()).verifier}
    assert all(one.stat().st_mode & 0o777 == 0o600 for one in keys.iterdir())


def test_evidence_is_copied_once_for_all_backups(
    filed: str,
    settings: Settings,
    exporter: Door,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups = tmp_path / "backups"
    assert run(["backup", str(backups)]) == 0
    accepted(exporter, good.pdf(text="another page"))
    assert run(["backup", str(backups)]) == 0
    assert run(["backup", str(backups)]) == 0
    told = capsys.readouterr().out
    assert [
        f"{n} files of evidence, {new} of them new" in told for n, new in ((1, 1), (2, 1), (2, 0))
    ] == [True] * 3
    assert len(BackupFolder(backups).whole()) == 3
    assert len([one for one in (backups / "evidence").rglob("*") if one.is_file()]) == 2


def test_what_was_broken_off_never_looks_whole_and_the_next_backup_goes_on(
    filed: str, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backups = tmp_path / "backups"
    assert run(["backup", str(backups)]) == 0
    place = only(backups)
    (line,) = (place / EVIDENCE_LIST).read_text().splitlines()
    object = json.loads(line)["object"]
    place.rename(backups / f"{backup_folder.UNFINISHED}x")
    BackupFolder(backups).copy_of(object).with_name("half.part").write_bytes(b"half")
    assert BackupFolder(backups).whole() == []
    assert run(["restore", str(backups)]) == 2
    with BackupFolder(backups).held():
        assert run(["backup", str(backups)]) == 2
    assert run(["backup", str(backups)]) == 0
    assert "1 files of evidence, 0 of them new" in capsys.readouterr().out
    assert [one.name for one in backups.glob("evidence/*/*")] == [object]
    assert sorted(one.name for one in backups.iterdir()) == sorted(
        [".lock", "evidence", only(backups).name]
    )


def test_what_is_damaged_or_missing_is_named_before_anything_is_changed(
    filed: str,
    settings: Settings,
    exporter: Door,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups, keys = tmp_path / "backups", tmp_path / "keys"
    accepted(exporter, good.pdf(text="another page"))
    gone = accepted(exporter, good.pdf(text="a third page"))
    room = room_of(settings)
    with psycopg.connect(settings.url.replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT digest, object FROM evidence").fetchall()
    rows: dict[str, str] = dict(found)
    room.shelf.remove(rows[gone])
    assert run(["backup", str(backups), "--keys", str(keys)]) == 1
    assert f"NOT HERE: file of evidence {rows[gone]}" in capsys.readouterr().out
    folder, place = BackupFolder(backups), only(backups)
    copy = folder.copy_of(rows[filed])
    copy.write_bytes(bytes(copy.stat().st_size))
    there = elsewhere()
    assert run(["restore", str(place), "--keys", str(keys)]) == 1
    assert f"damaged files of evidence: {copy}" in capsys.readouterr().err
    assert not there.data_dir.exists()
    assert run(["restore", str(place), "--keys", str(keys), "--leave-damaged"]) == 1
    told = capsys.readouterr().out
    assert f"DAMAGED: {copy} is left out" in told
    assert f"MISSING: evidence {filed} (file {rows[filed]})" in told
    assert f"MISSING: evidence {gone} (file {rows[gone]})" in told
    assert "1 files of evidence put back" in told


@pytest.mark.parametrize("name", ["database.dump", EVIDENCE_LIST, MANIFEST])
def test_a_file_that_was_changed_or_lost_is_refused_by_name(
    name: str,
    filed: str,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups = tmp_path / "backups"
    assert run(["backup", str(backups)]) == 0
    place, there = only(backups), elsewhere()
    file = place / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert run(["restore", str(place)]) == 1
    assert str(file) in capsys.readouterr().err
    file.unlink()
    assert run(["restore", str(place)]) > 0
    with psycopg.connect(there.url.replace("+psycopg", "")) as connection:
        (tables,) = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() or (0,)
    assert tables == 0


def test_nothing_is_restored_over_what_is_there_or_from_a_later_release(
    filed: str,
    settings: Settings,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backups = tmp_path / "backups"
    assert run(["backup", str(backups)]) == 0
    assert run(["restore", str(backups)]) == 2
    assert "the database is not empty" in capsys.readouterr().err
    elsewhere()
    place = only(backups)
    later = Manifest.read(place).model_copy(update={"revision": "9999"})
    (place / MANIFEST).unlink()
    later.write(place / MANIFEST)
    assert run(["restore", str(backups)]) == 2
    assert "restore it with the release that made it" in capsys.readouterr().err
    assert run(["restore", str(tmp_path / "nothing")]) == 2
    monkeypatch.delenv("ENDWATCH_DATABASE_URL")
    assert run(["backup", str(backups)]) == 2
    assert "nothing to back up" in capsys.readouterr().err


@pytest.mark.parametrize("known_by", ["checkpoint", "newer backup", "mark"])
def test_a_restore_behind_what_was_signed_is_told_and_never_signed_over(
    known_by: str,
    filed: str,
    settings: Settings,
    sessions: Sessions,
    sequencer: Sequencer,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups, keys, seen = tmp_path / "backups", tmp_path / "keys", tmp_path / "seen"
    assert run(["backup", str(backups), "--keys", str(keys)]) == 0
    older = only(backups)
    commit(sessions, "later")
    sequencer.tick()
    if known_by == "newer backup":
        assert run(["backup", str(backups), "--keys", str(keys)]) == 0
    if known_by == "checkpoint":
        with sessions() as session:
            seen.write_text(log.checkpoint(session))
    there = elsewhere()
    if known_by == "mark":
        mark = signing.mark_file(signing.key_file(settings.data_dir, None))
        there.data_dir.mkdir()
        shutil.copy(mark, there.data_dir)
    arguments = ["restore", str(older), "--keys", str(keys)]
    arguments += ["--seen", str(seen)] if known_by == "checkpoint" else []
    capsys.readouterr()
    assert run(arguments) == 1
    assert "ROLLED BACK: tests.example/log signed for" in capsys.readouterr().out
    assert run(["journal", "resume", "--nothing-later", "surely"]) == 1
    assert "the log cannot go on unchanged" in capsys.readouterr().err
    assert run(["journal", "resume"]) == 1
    assert run(["journal", "resume", "--accept-rollback", "the disk was lost"]) == 0
    engine = connect(there)
    with closing(_sequencer(engine, there)) as successor:
        commit(sessions_of(engine), "more")
        successor.tick()
    with sessions_of(engine)() as session:
        assert Note.read(log.checkpoint(session)).text.startswith("tests.example/log/20")
        told = session.scalar(text("SELECT body FROM journal WHERE action = 'journal.rolled_back'"))
    assert told["from"]["size"] > told["to"]["signed"]["size"]
    engine.dispose()
    assert run(["verify"]) == 0


def test_a_rollback_is_accepted_with_the_restore_itself(
    filed: str,
    sessions: Sessions,
    sequencer: Sequencer,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups, keys = tmp_path / "backups", tmp_path / "keys"
    assert run(["backup", str(backups), "--keys", str(keys)]) == 0
    there = elsewhere()
    accepting = ["--accept-rollback", "the disk was lost on Sunday"]
    assert run(["restore", str(backups), "--keys", str(keys), *accepting]) == 0
    made = Signer.read(signing.key_file(there.data_dir, None).read_text())
    assert made.name.startswith("tests.example/log/")
    assert str(made.verifier) in capsys.readouterr().out


def test_roles_that_the_dump_gives_rights_to_are_made_again(
    filed: str,
    settings: Settings,
    postgres: Postgres,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups = tmp_path / "backups"
    role = "drill_reader"
    with psycopg.connect(settings.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role}")
        connection.execute(f"GRANT SELECT ON licenses TO {role}")
        assert run(["backup", str(backups)]) == 0
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")
    there = elsewhere()
    run(["restore", str(backups)])
    assert f"role {role} was made" in capsys.readouterr().out
    with psycopg.connect(there.url.replace("+psycopg", ""), autocommit=True) as connection:
        allowed = connection.execute(
            f"SELECT has_table_privilege('{role}', 'licenses', 'SELECT')"
        ).fetchone()
        assert allowed == (True,)
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


def test_a_bucket_s_files_are_listed_and_copied_only_when_asked_for(
    filed: str,
    settings: Settings,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    access = {"aws_access_key_id": "access", "aws_secret_access_key": "secret"}
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **access).create_bucket(
        Bucket="evidence"
    )
    for name, value in {
        "BUCKET": "evidence",
        "ENDPOINT_URL": url,
        "REGION": "us-east-1",
        "ACCESS_KEY": "access",
        "SECRET_KEY": "secret",
    }.items():
        monkeypatch.setenv(f"ENDWATCH_EVIDENCE_{name}", value)
    bucket = room_of(Settings()).shelf
    for path in (settings.data_dir / "evidence" / "files").glob("*/*"):
        bucket.put(path.name, path)
    listed, copied, keys = tmp_path / "listed", tmp_path / "copied", tmp_path / "keys"
    assert run(["backup", str(listed), "--keys", str(keys)]) == 0
    assert "1 files of evidence are listed and stay in their bucket" in capsys.readouterr().out
    assert not (listed / "evidence").exists()
    assert run(["backup", str(copied), "--evidence"]) == 0
    assert "1 files of evidence, 1 of them new" in capsys.readouterr().out
    elsewhere()
    assert run(["restore", str(listed), "--keys", str(keys)]) == 0
    for name, _ in list(bucket.names()):
        bucket.remove(name)
    elsewhere()
    assert run(["restore", str(listed), "--keys", str(keys)]) == 1
    assert f"MISSING: evidence {filed}" in capsys.readouterr().out
    there = elsewhere()
    assert run(["restore", str(copied), "--keys", str(keys)]) == 0
    assert read_back(there, room_of(Settings()), filed) == good.pdf()
    server.stop()


def test_a_backup_that_is_killed_leaves_nothing_that_looks_whole(
    filed: str, settings: Settings, database_url: str, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    killed = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-m", "app.cli", "backup", str(backups)],
            cwd=PROJECT,
            env=environment(settings.data_dir, database_url),
            stdout=subprocess.DEVNULL,
        ) as process:
            eventually(lambda: bool(list(backups.glob(".unfinished-*"))), 20)
            time.sleep(random.uniform(0, 0.3))
            process.kill()
        killed += process.returncode == -signal.SIGKILL
        for place in BackupFolder(backups).whole():
            assert backup_folder.fits(place / "database.dump", Manifest.read(place).database)
    assert killed
    assert run(["backup", str(backups)]) == 0
    assert not list(backups.glob(".unfinished-*"))


def test_one_machine_s_data_comes_back_in_another_folder_beside_a_running_service() -> None:
    with empty_folder() as folder:
        backups, keys, other = folder / "backups", folder / "keys", folder / "other"
        with running(folder) as service:
            first = endwatch("backup", backups, "--keys", keys, folder=folder / "data")
            assert first.returncode == 0, first.stderr
            assert service.get("/readyz") == 200
            refused = endwatch("restore", backups, folder=folder / "data")
            assert refused.returncode == 1
            assert "is in use by another" in refused.stderr
        assert endwatch("restore", backups, folder=folder / "data").returncode == 2
        (other / "restoring" / "postgres").mkdir(parents=True)
        broken = endwatch("verify", folder=other)
        assert (broken.returncode, "was broken off" in broken.stderr) == (1, True)
        done = endwatch("restore", backups, "--keys", keys, folder=other)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "signing waits for you" in done.stdout
        assert not (other / "restoring").exists()
        again = endwatch("verify", folder=other)
        assert again.returncode == 0, again.stdout + again.stderr


def test_a_role_that_does_not_see_all_rows_takes_no_backup(
    filed: str,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    role, backups = "drill_short_sighted", tmp_path / "backups"
    url = make_url(settings.url)
    with psycopg.connect(settings.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        try:
            narrow = url.set(username=role).render_as_string(False)
            monkeypatch.setenv("ENDWATCH_DATABASE_URL", narrow)
            assert run(["backup", str(backups)]) == 2
            assert "row-level security hides rows of " in capsys.readouterr().err
            assert BackupFolder(backups).whole() == []
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


def test_a_dump_is_made_only_by_a_program_as_new_as_the_server(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ProgramTooOld, match="the database is PostgreSQL 99 and no pg_dump here"):
        dumping.dump(settings.url, 990_000, "00000000-1", tmp_path / "dump", lambda _: None)


def test_a_dump_that_fails_says_why_and_never_tells_the_password(
    settings: Settings, tmp_path: Path
) -> None:
    url = make_url(settings.url).set(password="not-to-be-told").render_as_string(False)
    with pytest.raises(DumpFailed, match="invalid snapshot identifier") as failed:
        dumping.dump(url, 180_000, "nonsense", tmp_path / "dump", lambda _: None)
    assert "not-to-be-told" not in str(failed.value)


def test_a_signing_key_of_another_log_in_the_data_folder_is_left_and_said(
    filed: str,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups, keys = tmp_path / "backups", tmp_path / "keys"
    assert run(["backup", str(backups), "--keys", str(keys)]) == 0
    there = elsewhere()
    other = signing.make(signing.key_file(there.data_dir, None), "other.example/log")
    assert run(["restore", str(backups), "--keys", str(keys)]) == 1
    assert "MISSING: the signing key of tests.example/log" in capsys.readouterr().out
    kept = Signer.read(signing.key_file(there.data_dir, None).read_text())
    assert kept.verifier == other.verifier


def test_a_role_that_may_become_one_that_sees_all_takes_whole_backups(
    filed: str,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role, backups = "drill_operator", tmp_path / "backups"
    url = make_url(settings.url)
    with psycopg.connect(settings.url.replace("+psycopg", ""), autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [SEES_ALL]).fetchone()
        if known is None:
            connection.execute(f"CREATE ROLE {SEES_ALL} NOLOGIN")
        connection.execute(f"CREATE ROLE {role} LOGIN IN ROLE {SEES_ALL}")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {SEES_ALL}")
        connection.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {SEES_ALL}")
        connection.execute(f"CREATE POLICY shown ON reports TO {SEES_ALL} USING (true)")
        try:
            monkeypatch.setenv(
                "ENDWATCH_DATABASE_URL", url.set(username=role).render_as_string(False)
            )
            assert run(["backup", str(backups)]) == 0
            assert Manifest.read(only(backups)).rows["reports"] == 1
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")
            if known is None:
                connection.execute(f"DROP OWNED BY {SEES_ALL}")
                connection.execute(f"DROP ROLE {SEES_ALL}")


def test_a_database_in_which_nothing_was_signed_yet_comes_back_and_signs_when_told_to(
    settings: Settings,
    elsewhere: Callable[[], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backups = tmp_path / "backups"
    assert run(["backup", str(backups)]) == 0
    there = elsewhere()
    assert run(["restore", str(backups)]) == 0
    assert "signing waits for you" in capsys.readouterr().out
    assert run(["journal", "resume", "--accept-rollback", "of nothing"]) == 2
    assert run(["journal", "resume", "--nothing-later", "it was new"]) == 0
    engine = connect(there)
    with closing(_sequencer(engine, there)) as sequencer:
        sequencer.tick()
    with sessions_of(engine)() as session:
        assert Checkpoint.read(Note.read(log.checkpoint(session)).text).size == 2
    engine.dispose()
    assert run(["verify"]) == 0
