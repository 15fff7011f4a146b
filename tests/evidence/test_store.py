import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from starlette.testclient import TestClient

from app.database import Sessions
from app.errors import StorageFull
from app.evidence import arrivals, service
from app.evidence.models import File
from app.evidence.room import Room, room_of
from app.evidence.sealing import CHUNK
from app.journal.models import PendingEntry
from app.main import create_app
from app.settings import Settings
from tests.conftest import Clock, Door, Harm, OpenDoor, settings_for
from tests.doors.filings import problem, rows, told
from tests.evidence import good
from tests.evidence.handing_in import accepted, digest_of, files_of, put

PDF = good.pdf()
NOWHERE = f"sha256:{'0' * 64}"


@pytest.fixture
def room(app: FastAPI) -> Room:
    room: Room = app.state.room
    return room


def _told(sessions: Sessions) -> list[tuple[str, str, str | None]]:
    with sessions() as session:
        entries = session.query(PendingEntry).order_by(PendingEntry.id)
        return [
            (one.action, one.actor, one.party)
            for one in entries
            if one.action.startswith("evidence.")
        ]


def test_a_file_is_kept_by_its_digest_and_can_be_read_again(
    exporter: Door, sessions: Sessions, room: Room
) -> None:
    answer = put(exporter, PDF, name="proof of delivery.pdf", content_type="text/plain")
    assert answer.status_code == 201
    assert answer.json() == {
        "digest": digest_of(PDF),
        "size": len(PDF),
        "media_type": "application/pdf",
        "state": "accepted",
        "reason": None,
    }
    given = exporter.get(f"/v1/evidence/{digest_of(PDF)}")
    assert (given.status_code, given.content) == (200, PDF)
    assert files_of(room) == (0, 1)
    by = exporter.actor.name
    assert _told(sessions) == [
        ("evidence.received", by, "NORDLICHT"),
        ("evidence.examined", by, "NORDLICHT"),
        ("evidence.read", by, "NORDLICHT"),
    ]


def test_a_download_can_do_nothing_in_a_browser(exporter: Door) -> None:
    digest = accepted(exporter, PDF, name='Überg"abe\\..\\x.exe')
    headers = exporter.get(f"/v1/evidence/{digest}").headers
    assert headers["content-disposition"].startswith('attachment; filename="')
    assert headers["content-disposition"].endswith("x.exe.pdf")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["content-type"] == "application/pdf"
    assert headers["cache-control"] == "private, no-store"


def test_nothing_on_the_disk_can_be_read_without_the_key(
    exporter: Door, settings: Settings
) -> None:
    secret = good.table(rows=4_000)
    accepted(exporter, secret)
    kept = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    assert len(kept) == 2
    for path in kept:
        assert b"NBO-T1" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_the_same_file_again_gets_the_same_answer_and_is_stored_once(
    exporter: Door, sessions: Sessions, room: Room
) -> None:
    first, again = put(exporter, PDF), put(exporter, PDF, name="other.pdf")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert files_of(room) == (0, 1)
    assert rows(sessions, "evidence", "evidence_filings") == {"evidence": 1, "evidence_filings": 1}
    assert len(_told(sessions)) == 2


def test_two_parties_may_file_the_same_and_neither_learns_of_the_other(
    exporter: Door, door: OpenDoor, room: Room, sessions: Sessions
) -> None:
    other = door("exporter", "SUEDLICHT")
    first = put(exporter, PDF, name="ours.pdf")
    problem(other.get(f"/v1/evidence/{digest_of(PDF)}"), 404, "evidence-unknown")
    second = put(other, PDF, name="theirs.pdf")
    assert second.json() == first.json()
    assert second.headers.keys() == first.headers.keys()
    assert files_of(room) == (0, 1)
    for one, name in ((exporter, "ours.pdf"), (other, "theirs.pdf")):
        given = one.get(f"/v1/evidence/{digest_of(PDF)}")
        assert given.content == PDF
        assert name in given.headers["content-disposition"]
        told = one.get(f"/v1/evidence/{digest_of(PDF)}/record").json()
        assert told["name"] == name
    assert [party for _, _, party in _told(sessions)].count("SUEDLICHT") == 3


@pytest.mark.parametrize("tail", ["", "/record"])
def test_what_another_has_filed_is_as_what_nobody_has(
    tail: str, exporter: Door, door: OpenDoor
) -> None:
    digest = accepted(exporter)
    other = door("exporter", "SUEDLICHT")
    foreign = other.get(f"/v1/evidence/{digest}{tail}")
    missing = other.get(f"/v1/evidence/{NOWHERE}{tail}")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.text.replace(digest, NOWHERE) == missing.text
    assert told(foreign) == told(missing)


def test_officers_read_every_file_and_the_others_none(exporter: Door, door: OpenDoor) -> None:
    digest = accepted(exporter)
    for role in ("inspector", "reviewer", "supervisor", "auditor", "licensing_officer"):
        assert door(role).get(f"/v1/evidence/{digest}").content == good.pdf()
    for role in ("administrator", "dashboard", "grievance_officer"):
        problem(door(role).get(f"/v1/evidence/{digest}"), 403, "role-not-allowed")
        problem(put(door(role)), 403, "role-not-allowed")


RANGES = {
    "bytes=0-9": (0, 10),
    "bytes=-5": (-5, None),
    f"bytes={CHUNK - 3}-{CHUNK + 3}": (CHUNK - 3, CHUNK + 4),
    f"bytes={CHUNK}-": (CHUNK, None),
    f"bytes={2 * CHUNK}-{2 * CHUNK}": (2 * CHUNK, 2 * CHUNK + 1),
    "bytes=0-99999999": (0, None),
}


def test_a_part_of_a_file_can_be_read(exporter: Door, subtests: pytest.Subtests) -> None:
    content = good.table(rows=12_000)
    digest = accepted(exporter, content)
    assert len(content) > 3 * CHUNK
    for header, (start, stop) in RANGES.items():
        with subtests.test(header):
            given = exporter.get(f"/v1/evidence/{digest}", headers={"Range": header})
            assert given.status_code == 206
            assert given.content == content[start:stop]
            assert given.headers["content-range"].endswith(f"/{len(content)}")
    for header in ("bytes=5-2", "lines=1-2", "bytes=0-1,4-5", "bytes=-"):
        given = exporter.get(f"/v1/evidence/{digest}", headers={"Range": header})
        assert (given.status_code, given.content) == (200, content)
    beyond = exporter.get(f"/v1/evidence/{digest}", headers={"Range": "bytes=99999999-"})
    problem(beyond, 416, "range-unfit")


@pytest.mark.parametrize("length", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_files_of_every_length_come_back_whole(length: int, room: Room) -> None:
    content = bytes(number % 251 for number in range(length))
    with room.arrive() as arrival:
        for at in range(0, length, 10_000):
            arrival.write(content[at : at + 10_000])
        arrival.finish()
        assert b"".join(arrival.content()) == content
        assert arrival.digest == digest_of(content)


def test_a_file_changed_on_the_shelf_is_never_given_out(exporter: Door, room: Room) -> None:
    digest = accepted(exporter, good.table(rows=12_000))
    ((name, _),) = room.shelf.names()
    (path,) = Path(room.arrivals).parent.glob(f"files/*/{name}")
    whole = path.read_bytes()
    for damaged in (
        whole[:5] + b"X" + whole[6:],
        whole[:-1],
        whole[: CHUNK + 16],
        whole[CHUNK + 16 :] + whole[: CHUNK + 16],
        b"",
    ):
        path.write_bytes(damaged)
        last = f"bytes={len(whole) - 3 * CHUNK}-"
        first = exporter.get(f"/v1/evidence/{digest}")
        if damaged[:100] != whole[:100]:
            problem(first, 503, "evidence-damaged")
        assert first.content != good.table(rows=12_000)
        assert exporter.get(f"/v1/evidence/{digest}", headers={"Range": last}).status_code >= 206
    path.unlink()
    problem(exporter.get(f"/v1/evidence/{digest}"), 503, "evidence-damaged")


def test_a_file_that_is_refused_leaves_nothing_behind_but_that_it_came(
    exporter: Door, room: Room, sessions: Sessions
) -> None:
    answer = put(exporter, b"MZ\x90\0 a program", name="proof.pdf", content_type="application/pdf")
    assert answer.status_code == 201
    assert answer.json()["state"] == "rejected"
    assert answer.json()["reason"] == "It is a program or an old office file."
    assert files_of(room) == (0, 0)
    digest = answer.json()["digest"]
    told = problem(exporter.get(f"/v1/evidence/{digest}"), 409, "evidence-rejected")
    assert told["detail"] == answer.json()["reason"]
    assert exporter.get(f"/v1/evidence/{digest}/record").json()["state"] == "rejected"
    assert [action for action, _, _ in _told(sessions)] == [
        "evidence.received",
        "evidence.examined",
    ]


def test_nothing_and_too_much_and_packed_are_refused(
    exporter: Door, sessions: Sessions, settings: Settings, room: Room
) -> None:
    problem(put(exporter, b""), 422, "evidence-empty")
    problem(put(exporter, PDF, content_encoding="gzip"), 415, "encoding-taken")
    large = b"x" * (settings.evidence_limit_bytes + 1)
    problem(put(exporter, large), 413)
    problem(put(exporter, iter([large])), 413)
    assert rows(sessions, "evidence", "journal_pending") == {"evidence": 0, "journal_pending": 0}
    assert files_of(room) == (0, 0)


def test_what_a_party_hands_in_within_a_day_is_limited(
    database_url: str, tmp_path: Path, sessions: Sessions, door: OpenDoor, time: Clock
) -> None:
    small = settings_for(database_url, data_dir=tmp_path, evidence_daily_bytes=3_000)
    exporter, other = door("exporter", "NORDLICHT"), door("exporter", "SUEDLICHT")
    with TestClient(create_app(small, time)) as client:
        one, two = (
            Door(client, exporter.token, exporter.actor),
            Door(client, other.token, other.actor),
        )
        accepted(one, good.pdf("first"))
        refused = put(one, good.pdf("second"))
        assert problem(refused, 429, "quota-used")["detail"].startswith("1,")
        assert refused.headers["Retry-After"] == "3600"
        accepted(two, good.pdf("second"))
        time.forward(hours=25)
        accepted(one, good.pdf("second"))


def test_the_same_file_sent_by_many_at_once_is_stored_once(
    exporter: Door, door: OpenDoor, room: Room, sessions: Sessions
) -> None:
    doors = [exporter, exporter, door("exporter", "SUEDLICHT"), door("inspector")]
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(put(one, PDF))) for one in doors
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["state"] for answer in answers} == {"accepted"}
    assert files_of(room) == (0, 1)
    assert rows(sessions, "evidence", "evidence_filings") == {"evidence": 1, "evidence_filings": 3}
    assert exporter.get(f"/v1/evidence/{digest_of(PDF)}").content == PDF


def test_a_file_can_be_kept_on_somebodys_behalf(
    exporter: Door, sessions: Sessions, room: Room, time: Clock
) -> None:
    with sessions() as session:
        kept = service.keep(
            session,
            [PDF[:100], PDF[100:]],
            room=room,
            name="form.pdf",
            media_type="application/pdf",
            actor=exporter.actor,
            now=time(),
        )
        session.commit()
    assert (kept.digest, kept.state) == (digest_of(PDF), "accepted")
    assert exporter.get(f"/v1/evidence/{kept.digest}").content == PDF


def test_a_file_in_quarantine_is_told_of_and_not_given_out(
    exporter: Door, sessions: Sessions, time: Clock
) -> None:
    digest = accepted(exporter)
    with sessions() as session:
        session.execute(
            update(File).values(state="quarantined", next_look_at=time() + timedelta(days=1))
        )
        session.commit()
    waiting = exporter.get(f"/v1/evidence/{digest}")
    problem(waiting, 503, "evidence-in-quarantine")
    assert waiting.headers["Retry-After"]
    assert exporter.get(f"/v1/evidence/{digest}/record").json()["state"] == "quarantined"


def test_what_is_no_digest_is_refused(exporter: Door) -> None:
    for odd in ("sha256:0", "md5:" + "0" * 64, "sha256:" + "A" * 64, "x"):
        problem(exporter.get(f"/v1/evidence/{odd}"), 422, "fields-invalid")
    problem(exporter.get("/v1/evidence/..%2f..%2fmaster.keys"), 404)


def test_a_failing_commit_is_no_answer_and_the_file_is_swept(
    exporter: Door, sessions: Sessions, room: Room, harm: Harm
) -> None:
    harm("ALTER TABLE evidence_filings ADD CONSTRAINT none CHECK (false) NOT VALID")
    assert put(exporter).status_code >= 500
    assert rows(sessions, "evidence", "journal_pending") == {"evidence": 0, "journal_pending": 0}
    assert files_of(room)[0] == 0


def test_each_folder_of_data_has_a_room_of_its_own(settings: Settings) -> None:
    assert room_of(settings).arrivals.is_relative_to(settings.data_dir)


def test_a_full_disk_is_told_and_nothing_stays(
    exporter: Door, room: Room, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = os.open("/dev/full", os.O_RDWR)
    with room.arrive() as arrival:
        os.dup2(full, arrival._file)  # noqa: SLF001 from here on the disk has no room
        with pytest.raises(StorageFull):
            arrival.write(b"x" * 200_000)
    os.close(full)
    assert files_of(room) == (0, 0)
    with monkeypatch.context() as patched:
        patched.setattr(arrivals, "RESERVE", 2**60)
        refused = put(exporter, PDF)
    problem(refused, 507, "storage-full")
    assert refused.headers["Retry-After"]
    assert rows(sessions, "evidence", "journal_pending") == {"evidence": 0, "journal_pending": 0}
    accepted(exporter, PDF)


def test_one_sender_takes_no_more_than_half_of_the_places_for_files(
    database_url: str, tmp_path: Path, exporter: Door, officer: Door, time: Clock
) -> None:
    small = settings_for(database_url, data_dir=tmp_path, evidence_uploads=2)
    busy = threading.Event()
    done = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield PDF[:100]
        busy.set()
        done.wait(10)
        yield PDF[100:]

    with TestClient(create_app(small, time)) as client:
        one = Door(client, exporter.token, exporter.actor)
        answers: list[Any] = []
        first = threading.Thread(target=lambda: answers.append(put(one, slowly())))
        first.start()
        assert busy.wait(10)
        refused = put(one, good.table())
        accepted(Door(client, officer.token, officer.actor), good.table())
        done.set()
        first.join()
    problem(refused, 429, "too-many-at-once")
    assert refused.headers["Retry-After"]
    assert answers[0].json()["state"] == "accepted"
