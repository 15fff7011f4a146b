"""The service as real processes on loopback, and what a test does to them."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

PROJECT = Path(__file__).parents[2]
KEY = re.compile(r"ew_[a-z0-9]{10}_[A-Za-z0-9]{43}")
PATIENCE = 30.0


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def empty_folder() -> Iterator[Path]:
    """Outside of `tmp_path`, whose parents PostgreSQL's own user may not pass when root tests."""
    with tempfile.TemporaryDirectory(prefix="endwatch-cli-") as folder:
        yield Path(folder)


def endwatch(
    *arguments: object, folder: Path | None = None, url: str | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        cwd=PROJECT,
        env=environment(folder, url) | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(folder: Path | None, url: str | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENDWATCH_")}
    if folder is not None:
        kept["ENDWATCH_DATA_DIR"] = str(folder)
    if url is not None:
        kept["ENDWATCH_DATABASE_URL"] = url
    return kept


class Service:
    """A `serve` that runs, with what it has said so far."""

    def __init__(self, folder: Path, *, url: str | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.out, self.err = folder / "out", folder / "err"
        command = [sys.executable, "-m", "app.cli", "serve", "--no-samples", "--port"]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, str(self.port)],
                cwd=PROJECT,
                env=environment(folder / "data", url),
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        assert eventually(lambda: "ready" in self.out.read_text()), self.err.read_text()

    @property
    def keys(self) -> list[str]:
        return KEY.findall(self.out.read_text())

    def get(self, path: str, key: str | None = None) -> int:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            return httpx.get(url, headers=headers, timeout=10).status_code
        except httpx.HTTPError:
            return 0

    def child(self, name: str) -> psutil.Process:
        """Find the API, scheduler or PostgreSQL process."""
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                command = child.cmdline()
                if name in command or Path(command[0]).name == name:
                    return child
        raise AssertionError(f"no process {name}")

    def family(self) -> list[psutil.Process]:
        return [
            psutil.Process(self.process.pid),
            *psutil.Process(self.process.pid).children(recursive=True),
        ]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


@contextlib.contextmanager
def running(folder: Path, **more: Any) -> Iterator[Service]:
    service = Service(folder, **more)
    try:
        service.wait_ready()
        yield service
    finally:
        service.end()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != "zombie" for each in processes)


@contextlib.contextmanager
def served(url: str, folder: Path, **settings: object) -> Iterator[int]:
    """Run one API process on a socket of ours, as `serve` does; gives the port."""
    named = {f"ENDWATCH_{name.upper()}": str(value) for name, value in settings.items()}
    listening = socket.create_server(("127.0.0.1", 0))
    file = listening.fileno()
    with (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "api", "--file", str(file)],
            cwd=PROJECT,
            env=environment(folder, url) | named,
            pass_fds=[file],
            stderr=err,
        )
    try:
        port: int = listening.getsockname()[1]
        assert eventually(lambda: _alive(port)), (folder / "err").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(30)
        listening.close()


def _alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
