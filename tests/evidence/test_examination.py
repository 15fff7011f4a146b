import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.evidence import examination
from app.evidence.examination import Verdict
from app.evidence.examiner import polyglots
from app.evidence.examiner.refusal import Refused
from tests.evidence import good, hostile


def examined(content: bytes, clamav: str | None = None, seconds: float = 60) -> Verdict:
    """Put a file before a real examiner."""
    parts = [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
    return examination.examine(lambda: parts, clamav=clamav, seconds=seconds)


@pytest.mark.parametrize("family", good.FAMILIES)
def test_every_good_file_is_taken_for_what_it_is(family: str, subtests: pytest.Subtests) -> None:
    for name, content in good.FAMILIES[family]():
        with subtests.test(name):
            verdict = examined(content)
            assert (verdict.accepted, verdict.reason) == (True, None)
            assert name.partition(" ")[0] in TYPES[verdict.media_type or ""]


TYPES = {
    "application/pdf": "pdf",
    "image/jpeg": "jpeg",
    "image/png": "png",
    "image/heic": "heic",
    "video/mp4": "mp4",
    "text/csv": "csv",
    "application/json": "json",
    "application/xml": "xml",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}


@pytest.mark.parametrize("family", hostile.FAMILIES)
def test_no_hostile_file_is_taken(family: str, subtests: pytest.Subtests) -> None:
    for name, content in hostile.FAMILIES[family]():
        with subtests.test(name):
            verdict = examined(content)
            assert verdict.accepted is False
            assert verdict.reason
            assert verdict.media_type is None


def test_there_are_enough_of_both_to_speak_of_a_drill() -> None:
    bad = [name for files in hostile.FAMILIES.values() for name, _ in files()]
    taken = [name for files in good.FAMILIES.values() for name, _ in files()]
    assert len(set(bad)) == len(bad) >= 150
    assert len(set(taken)) == len(taken) >= 60


def test_an_examiner_that_takes_too_long_is_stopped_and_has_not_decided() -> None:
    assert examined(good.pdf(), seconds=0.01) == Verdict(None)


def test_a_second_face_is_found_wherever_a_reader_would_look() -> None:
    archive = good.workbook()
    for behind in (b"", b"\n", b"x" * 60_000):
        with pytest.raises(Refused):
            polyglots.refuse_second_face(b"text" + archive + behind, archive=False, pdf=False)


EXAMINER_THAT_TRIES = """
import sys
sys.path.append(sys.argv[1])
import json, os, resource, socket
from app.evidence.examiner import main
main.limit()
main.close_in()
tried = {}
def attempt(name, work):
    try:
        work()
        tried[name] = "done"
    except (OSError, MemoryError) as error:
        tried[name] = "refused"
attempt("a file read", lambda: open("/etc/hostname"))
attempt("a file written", lambda: open("/tmp/never", "w"))
attempt("a connection", lambda: socket.create_connection(("127.0.0.1", 1), timeout=1))
attempt("a socket", lambda: socket.socket())
attempt("much memory", lambda: bytearray(2 << 30))
tried["secrets"] = [name for name in os.environ if name != "LC_CTYPE"]
print(json.dumps({"reason": json.dumps(tried), "media_type": None, "camera": None}))
"""


def test_the_examiner_can_reach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDWATCH_DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setattr(examination, "_START", EXAMINER_THAT_TRIES)
    told = examined(b"x").reason or ""
    assert "done" not in told
    assert told.count("refused") == 5
    assert '"secrets": []' in told
    assert os.environ["ENDWATCH_DATABASE_URL"]


class _Scanner(socketserver.StreamRequestHandler):
    """Speaks as clamd does: finds one word, and says so."""

    def handle(self) -> None:
        assert self.rfile.read(10) == b"zINSTREAM\0"
        heard = b""
        while size := int.from_bytes(self.rfile.read(4), "big"):
            heard += self.rfile.read(size)
        if b"TROUBLE" in heard:
            self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
        elif b"INFECTED" in heard:
            self.wfile.write(b"stream: Test.Signature FOUND\0")
        else:
            self.wfile.write(b"stream: OK\0")


@contextmanager
def scanner(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_virus_scanner_is_asked_when_there_is_one(tmp_path: Path) -> None:
    path = str(tmp_path / "clamd.sock")
    local = socketserver.ThreadingUnixStreamServer(path, _Scanner)
    remote = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Scanner)
    address = f"127.0.0.1:{remote.server_address[1]}"
    with scanner(local), scanner(remote):
        for clamav in (path, address):
            assert examined(good.pdf(), clamav).accepted
            infected = examined(b'{"note": "INFECTED"}', clamav)
            assert infected.accepted is False
            assert infected.reason == "The virus scanner found Test.Signature."
            assert examined(b'{"note": "TROUBLE"}', clamav) == Verdict(None, counts=False)
    assert examined(good.pdf(), path) == Verdict(None, counts=False)
    assert examined(good.pdf(), address) == Verdict(None, counts=False)


def test_a_photo_tells_when_and_where_it_was_taken() -> None:
    camera = {"taken_at": "2026-05-04T10:00:00+03:00", "lat": -1.319, "lon": 36.928}
    for content in (
        good.photo(),
        good.picture("PNG", exif=good.exif()),
        good.heic(good.exif()),
    ):
        assert examined(content).camera == camera
    assert examined(good.picture()).camera is None
    assert examined(good.photo(offset=None, position=None)).camera == {
        "taken_at": "2026-05-04T10:00:00"
    }
    for nowhere in ((0.0, 0.0), (91.0, 0.0)):
        assert examined(good.photo(position=nowhere, taken_at=None)).camera is None
    assert examined(good.photo(taken_at="yesterday", position=None)).camera is None
