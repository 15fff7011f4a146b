"""The processes that `serve` looks after: started, started again when they die, ended with it.

A child lives in a session of its own, so that Ctrl-C reaches `serve` alone, which then ends its
children in order. A child whose parent is gone, however that happened, ends by itself.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger()

PAUSE = 0.5
"""Seconds before a dead child is started again the first time; doubled each time it dies young."""
LONGEST_PAUSE = 15.0
YOUNG = 10.0
"""Seconds. A child that lived longer is started again without punishment."""
LOOK = 0.5
"""Seconds between two looks of a child at its parent."""
LAST_WORDS = 12.0
"""Seconds an orphan may take to end in order."""

Hurried = Callable[[], bool]


class Child:
    """One process of this program: a command of the command line with arguments of its own."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        files: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "app.cli", *arguments, "--parent", str(os.getpid())]
        self._environment = dict(environment) | {"PYTHONPATH": _import_path(environment)}
        self._files = files
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = PAUSE
        self._not_before: float | None = None

    def start(self) -> None:
        """Start the process."""
        self._started = time.monotonic()
        self._not_before = None
        self._process = subprocess.Popen(  # noqa: S603 this interpreter, arguments of our own
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            env=self._environment,
            pass_fds=self._files,
            start_new_session=True,
        )

    def tend(self) -> None:
        """Start the process again if it has died, after a pause. Made to be called often."""
        assert self._process is not None
        code = self._process.poll()
        if code is None:
            return
        moment = time.monotonic()
        if self._not_before is None:
            young = moment - self._started < YOUNG
            self._pause = min(self._pause * 2, LONGEST_PAUSE) if young else PAUSE
            self._not_before = moment + self._pause
            log.error("process_died", process=self.name, code=code, again_in_seconds=self._pause)
        elif moment >= self._not_before:
            self.start()
            log.warning("process_started_again", process=self.name, pid=self._process.pid)

    def ask_to_end(self) -> None:
        """Ask the process to finish what it accepted and end."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    def end(self, patience: float, hurried: Hurried) -> None:
        """Wait until the process has ended, and kill it when patience (in seconds) is over."""
        if self._process is None:
            return
        until = time.monotonic() + patience
        while self._process.poll() is None:
            if time.monotonic() > until or hurried():
                log.warning("process_killed", process=self.name, pid=self._process.pid)
                self._process.kill()
                self._process.wait()
                return
            time.sleep(0.05)


def end_with(parent: int | None) -> None:
    """End this process in order when its parent is gone; None: it has none to look at."""
    if parent is not None:
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK)
    log.warning("parent_gone", parent=parent)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_WORDS)
    os._exit(1)


def _import_path(environment: Mapping[str, str]) -> str:
    """Let the child find this program from whatever folder `serve` was started in."""
    here = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, [here, environment.get("PYTHONPATH", "")]))
