import os
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from app.clock import now
from app.database import Sessions
from app.evidence import looking, rotation
from app.evidence.arrivals import sweep
from app.evidence.models import File
from app.evidence.room import Room, room_of
from app.journal.models import PendingEntry
from app.settings import Settings
from tests.conftest import Clock, Door
from tests.doors.filings import problem, rows
from tests.evidence import good
from tests.evidence.handing_in import accepted, digest_of, files_of, put

PDF = good.pdf()


@pytest.fixture
def room(app: FastAPI) -> Room:
    room: Room = app.state.room
    return room


@pytest.fixture
def hurried(app: FastAPI, room: Room) -> Room:
    """A room whose uploads do not wait for their examination."""
    app.state.room = replace(room, answer_seconds=0.01)
    hurried: Room = app.state.room
    return hurried


def _state(sessions: Sessions) -> tuple[str, int, str | None]:
    with sessions() as session:
        file = session.scalars(select(File)).one()
        return file.state, file.attempts, file.object


def test_what_was_not_examined_in_time_is_examined_by_the_scheduler(
    hurried: Room, exporter: Door, sessions: Sessions, time: Clock
) -> None:
    answer = put(exporter, PDF, content_type="application/pdf")
    assert (answer.status_code, answer.json()["state"]) == (201, "quarantined")
    problem(exporter.get(f"/v1/evidence/{digest_of(PDF)}"), 503, "evidence-in-quarantine")
    assert looking.look_around(sessions, hurried, now=time()) == 0
    assert looking.look_around(sessions, hurried, now=time.forward(minutes=1)) == 1
    assert looking.look_around(sessions, hurried, now=time.forward(minutes=1)) == 0
    assert exporter.get(f"/v1/evidence/{digest_of(PDF)}").content == PDF
    with sessions() as session:
        told = session.scalars(select(PendingEntry.action).order_by(PendingEntry.id)).all()
    assert [one for one in told if "evidence" in one] == [
        "evidence.received",
        "evidence.examined",
        "evidence.read",
    ]


def test_what_the_scheduler_rejects_is_taken_off_the_shelf(
    hurried: Room, exporter: Door, sessions: Sessions, time: Clock
) -> None:
    put(exporter, b"MZ no document")
    assert files_of(hurried) == (0, 1)
    looking.look_around(sessions, hurried, now=time.forward(minutes=1))
    assert _state(sessions) == ("rejected", 1, None)
    assert files_of(hurried) == (0, 0)


def test_a_file_that_cannot_be_examined_is_rejected_after_three_attempts(
    hurried: Room, exporter: Door, sessions: Sessions, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "EXAMINATION_SECONDS", 0.01)
    put(exporter, PDF)
    states = []
    for _ in range(3):
        looking.look_around(sessions, hurried, now=time.forward(minutes=10))
        states.append(_state(sessions)[0])
    assert states == ["quarantined", "quarantined", "rejected"]
    assert files_of(hurried) == (0, 0)


def test_while_the_virus_scanner_is_away_files_wait(
    app: FastAPI, room: Room, exporter: Door, sessions: Sessions, time: Clock, tmp_path: Path
) -> None:
    app.state.room = replace(room, clamav=str(tmp_path / "no.sock"))
    assert put(exporter, PDF).json()["state"] == "quarantined"
    for _ in range(5):
        looking.look_around(sessions, app.state.room, now=time.forward(minutes=10))
    assert _state(sessions)[:2] == ("quarantined", 0)
    looking.look_around(sessions, room, now=time.forward(minutes=10))
    assert _state(sessions)[0] == "accepted"


def test_an_examination_broken_off_by_a_crash_is_done_again(
    hurried: Room, exporter: Door, sessions: Sessions, time: Clock
) -> None:
    put(exporter, PDF)
    time.forward(minutes=1)
    assert looking.take_up(sessions, time()) == digest_of(PDF)  # and then the scheduler dies
    assert looking.look_around(sessions, hurried, now=time()) == 0
    assert looking.look_around(sessions, hurried, now=time.forward(minutes=6)) == 1
    assert _state(sessions)[0] == "accepted"


def test_two_schedulers_examine_each_file_once(
    hurried: Room, exporter: Door, sessions: Sessions, time: Clock
) -> None:
    for number in range(6):
        put(exporter, good.pdf(f"file {number}"))
    moment, looked = time.forward(minutes=1), []
    threads = [
        threading.Thread(
            target=lambda: looked.append(looking.look_around(sessions, hurried, now=moment))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(looked) == 6
    with sessions() as session:
        assert set(session.scalars(select(File.state))) == {"accepted"}


def test_what_a_crash_leaves_on_its_way_in_is_swept_and_what_is_under_way_is_not(
    room: Room,
) -> None:
    left = room.arrivals / "half"
    with room.arrive() as arrival:
        arrival.write(b"x" * 100_000)
        left.write_bytes(b"half a file")
        for path in (left, arrival.path):
            os.utime(path, (0, 0))
        assert sweep(room.arrivals, now()) == 1
        assert arrival.path.exists()
        arrival.finish()
    assert files_of(room) == (0, 0)


def test_a_file_that_no_row_knows_is_taken_off_the_shelf_after_a_day(
    exporter: Door, room: Room, sessions: Sessions
) -> None:
    digest = accepted(exporter, PDF)
    with room.arrive() as arrival:
        arrival.write(b"left by a transaction that failed")
        arrival.finish()
        room.shelf.put(arrival.name, arrival.path)
    assert files_of(room) == (0, 2)
    assert looking.tidy(sessions, room, now=now()) == 0
    assert looking.tidy(sessions, room, now=now() + timedelta(hours=25)) == 1
    assert files_of(room) == (0, 1)
    assert exporter.get(f"/v1/evidence/{digest}").content == PDF


def test_a_rejected_file_is_judged_anew_when_it_comes_again(
    exporter: Door, sessions: Sessions, room: Room
) -> None:
    digest = accepted(exporter, PDF)
    with sessions() as session:
        session.execute(update(File).values(state="rejected", reason="A mistake.", media_type=None))
        session.commit()
    assert accepted(exporter, PDF) == digest
    assert exporter.get(f"/v1/evidence/{digest}").content == PDF
    assert files_of(room) == (0, 1)


def test_rotating_the_master_key_leaves_every_file_readable(
    exporter: Door, sessions: Sessions, settings: Settings, room: Room, time: Clock
) -> None:
    contents = [good.pdf(f"file {number}") for number in range(3)]
    digests = [accepted(exporter, content) for content in contents]
    stored = dict(room.shelf.names())
    (first,) = room.keys.all(time())
    elsewhere = room_of(settings)  # as the command has it, beside the service
    done = rotation.rotate(sessions, elsewhere, actor=exporter.actor, now=time.forward(hours=1))
    assert (done.files, done.forgotten) == (3, ())
    for digest, content in zip(digests, contents, strict=True):
        assert exporter.get(f"/v1/evidence/{digest}").content == content
    assert stored.keys() == dict(room.shelf.names()).keys()
    accepted(exporter, good.table())
    with sessions() as session:
        assert set(session.scalars(select(File.key_id))) == {done.key}
        told = session.scalars(
            select(PendingEntry).where(PendingEntry.action == "evidence.rewrapped")
        ).one()
    assert told.body["files"] == sorted(digests)
    again = rotation.rotate(sessions, elsewhere, actor=exporter.actor, now=time.forward(days=2))
    assert again.forgotten == (first.id,)
    assert [one.id for one in room.keys.all(time())] == [done.key, again.key]
    assert exporter.get(f"/v1/evidence/{digests[0]}").content == contents[0]


def test_a_rotation_broken_off_is_finished_by_the_next(
    exporter: Door, sessions: Sessions, room: Room, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 1)
    digests = [accepted(exporter, good.pdf(f"file {number}")) for number in range(3)]

    def dies(done: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(sessions, room, actor=exporter.actor, now=time(), told=dies)
    for digest in digests:
        assert exporter.get(f"/v1/evidence/{digest}").status_code == 200
    assert rotation.rotate(sessions, room, actor=exporter.actor, now=time()).files == 3


def test_without_its_master_key_a_file_cannot_be_read_and_says_so(
    exporter: Door, settings: Settings, room: Room
) -> None:
    digest = accepted(exporter, PDF)
    path = settings.data_dir / "evidence" / "master.keys"
    assert path.stat().st_mode & 0o777 == 0o600
    kept = path.read_bytes()
    path.unlink()
    problem(exporter.get(f"/v1/evidence/{digest}"), 503, "master-key-missing")
    path.write_bytes(kept)
    assert exporter.get(f"/v1/evidence/{digest}").content == PDF


def test_a_key_file_of_the_operators_own_is_never_made_by_itself(
    app: FastAPI,
    exporter: Door,
    settings: Settings,
    sessions: Sessions,
    tmp_path: Path,
    time: Clock,
) -> None:
    own = tmp_path / "secrets" / "own.keys"
    app.state.room = room_of(settings.model_copy(update={"evidence_key_file": own}))
    problem(put(exporter, PDF), 503, "master-key-missing")
    assert rows(sessions, "evidence") == {"evidence": 0}
    assert files_of(app.state.room)[0] == 0
    rotation.rotate(sessions, app.state.room, actor=exporter.actor, now=time())
    assert accepted(exporter, PDF) == digest_of(PDF)
    assert own.exists()


def test_of_many_processes_that_make_the_first_key_one_wins(settings: Settings) -> None:
    keys = [room_of(settings).keys for _ in range(8)]
    threads = [threading.Thread(target=one.all, args=(now(),)) for one in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.all(now())[0].id for one in keys}) == 1
    assert list((settings.data_dir / "evidence").glob("*")) == [
        settings.data_dir / "evidence" / "master.keys"
    ]
