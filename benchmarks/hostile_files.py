"""Drill: hostile and good files through the real service, and uploads by strangers on a raw socket.

The service runs as `serve` runs it, each file before an examiner process of its own. The files are made
by code (`tests/evidence`): what each tries stands in its name. Of a stranger's upload it is counted how
much was read from the socket when the refusal was written.
"""

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from app.main import create_app
from benchmarks import ground, steady
from benchmarks.ground import Ground
from tests.evidence import good, hostile
from tests.evidence.test_sockets import Counting

MOST_READ = 64 * 1024
UPLOAD = 8 * 2**20
AT_ONCE = 2
STRANGERS = {
    "no key": [],
    "no such key": ["Authorization: Bearer nobody"],
    "a key made up": [f"Authorization: Bearer ew_aaaaaaaaaa_{'x' * 43}"],
}


def hostile_files(every: int) -> dict[str, Any]:
    """Hand in every so-manieth of the files, and let strangers try."""
    folder = Path(tempfile.mkdtemp(prefix="endwatch-drill-"))
    try:
        with ground.postgres() as url:
            made = steady.lay(url, "drill_files")
            with steady.served(made.settings.url, folder / "data") as address:
                begun = time.monotonic()
                bad = _handed_in(address, made, _some(hostile.FAMILIES, every))
                fine = _handed_in(address, made, _some(good.FAMILIES, every))
                seconds = time.monotonic() - begun
            with _listening(made, folder / "strangers") as line:
                read = [_read_of(line, head) for head in STRANGERS.values() for _ in range(3)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures = {
        "bad": len(bad),
        "bad accepted": sum(one == "accepted" for one in bad.values()),
        "good": len(fine),
        "good refused": sum(one != "accepted" for one in fine.values()),
        "seconds": round(seconds, 1),
        "uploads by strangers": len(read),
        "bytes read of them at most": max(read),
    }
    undecided = {name for name, one in (bad | fine).items() if one == "quarantined"}
    wrong = [name for name, one in bad.items() if one == "accepted"]
    wrong += [name for name, one in fine.items() if one != "accepted"]
    assert not wrong, (figures, wrong)
    assert not undecided, (figures, undecided)
    assert 0 < max(read) <= MOST_READ, figures
    return figures


def _some(families: Any, every: int) -> list[tuple[str, bytes]]:
    files = [file for family in families.values() for file in family()]
    return files[::every]


def _handed_in(address: str, made: Ground, files: list[tuple[str, bytes]]) -> dict[str, str]:
    """Hand files in, two at a time; answer what became of each."""
    headers = {"Authorization": f"Bearer {made.exporter}"}
    with (
        httpx.Client(base_url=address, headers=headers, timeout=120) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        states = pool.map(partial(_put, client), files)
        return {name: state for (name, _), state in zip(files, states, strict=True)}


def _put(client: httpx.Client, file: tuple[str, bytes]) -> str:
    """Hand a file in, and wait for the verdict where it did not come at once."""
    while True:
        answer = client.put("/v1/evidence", content=file[1])
        if answer.status_code not in {429, 503}:
            break
        time.sleep(float(answer.headers.get("Retry-After", 1)))
    told = answer.raise_for_status().json()
    until = time.monotonic() + 60
    while told["state"] == "quarantined" and time.monotonic() < until:
        time.sleep(0.5)
        told = client.get(f"/v1/evidence/{told['digest']}/record").raise_for_status().json()
    return str(told["state"])


@contextmanager
def _listening(made: Ground, folder: Path) -> Iterator[tuple[str, int]]:
    """Serve with a protocol that counts what it has read before it answers; give the address."""
    settings = made.settings.model_copy(update={"data_dir": folder})
    config = uvicorn.Config(create_app(settings), port=0, log_config=None, ws="none", loop="uvloop")
    config.http = Counting  # type: ignore[assignment]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join()


def _read_of(address: tuple[str, int], more: list[str]) -> int:
    """Upload as a stranger, as fast as the line takes it; answer how much was read of it."""
    length = f"Content-Length: {UPLOAD}"
    head = "\r\n".join(["PUT /v1/evidence HTTP/1.1", "Host: x", length, *more, "", ""])
    Counting.read.clear()
    heard = _flooded(address, memoryview(head.encode() + b"x" * UPLOAD))
    assert heard.startswith(b"HTTP/1.1 401 "), heard[:80]
    return Counting.read[0]


def _flooded(address: tuple[str, int], left: memoryview) -> bytes:
    """Send until there is an answer."""
    with socket.create_connection(address, timeout=10) as line:
        line.setblocking(False)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with suppress(BlockingIOError):
                left = left[line.send(left[: 1 << 20]) :] if left else left
            with suppress(BlockingIOError):
                return line.recv(65_536)
            time.sleep(0.001)
    return b""
