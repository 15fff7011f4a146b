"""Ends the PostgreSQL of a data folder: our own, and what an earlier service left running."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import psutil
import structlog

log = structlog.get_logger()

PATIENCE: Final = 30.0
"""Seconds an orderly shutdown may take before an immediate one."""
_HARD_PATIENCE: Final = 10.0
"""Seconds an immediate shutdown may take before SIGKILL; PostgreSQL itself allows its children 5."""


def end_leftovers(cluster: Path, name: str) -> None:
    """End what a killed service or a killed postmaster left running on this cluster.

    A running postmaster is stopped rather than adopted, so that the settings are today's.
    Backends of a dead one are told to quit: SIGINT would only cancel their query.
    """
    left = _running_on(cluster, name)
    if left:
        log.warning("ending what an earlier PostgreSQL left", pids=[each.pid for each in left])
    _insist([p for p in left if _is_postmaster(p, cluster)], signal.SIGINT, PATIENCE)
    for hard in (signal.SIGQUIT, signal.SIGKILL) if left else ():
        _insist(_running_on(cluster, name), hard, _HARD_PATIENCE)
    _remove_stale_pid_file(cluster)


def _remove_stale_pid_file(cluster: Path) -> None:
    """Remove a postmaster.pid that names no PostgreSQL, lest its number, now another's, count.

    PostgreSQL still refuses by itself if something is attached to its shared memory.
    """
    claim = cluster / "postmaster.pid"
    try:
        pid = int(claim.read_bytes().split()[0])
    except FileNotFoundError:
        return
    except (ValueError, IndexError):
        pid = 0
    with contextlib.suppress(psutil.Error):
        if pid > 0 and psutil.Process(pid).name() == "postgres":
            return
    claim.unlink()


def _running_on(cluster: Path, name: str) -> list[psutil.Process]:
    """List the postmaster of a cluster and its children, by what they say of themselves.

    Not by working directory: root in a container may not read that of another user's process.
    """
    return [
        process
        for process in psutil.process_iter()
        if _is_postmaster(process, cluster) or _is_child(process, name)
    ]


def _is_postmaster(process: psutil.Process, cluster: Path) -> bool:
    command = _command(process)
    return Path(command[0]).name == "postgres" and command[1:3] == ["-D", str(cluster)]


def _is_child(process: psutil.Process, name: str) -> bool:
    return _command(process)[0].startswith(f"postgres: {name}: ")


def _command(process: psutil.Process) -> list[str]:
    """Say how a process was started, if it is one that this user may end."""
    with contextlib.suppress(psutil.Error):
        if os.geteuid() in {0, process.uids().effective}:
            return process.cmdline() or [""]
    return [""]


def _insist(processes: list[psutil.Process], number: signal.Signals, patience: float) -> None:
    """Signal the processes and wait until they are gone, or at least zombies nobody collects."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
    deadline = time.monotonic() + patience
    while any(_command(process)[0] for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def end_child(server: subprocess.Popen[bytes]) -> None:
    """Shut a postmaster of our own down: fast, then immediately, at last by force."""
    for number, patience in (
        (signal.SIGINT, PATIENCE),
        (signal.SIGQUIT, _HARD_PATIENCE),
        (signal.SIGKILL, None),
    ):
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(patience)
            return
