"""Has a file examined in a process of its own, which has no network, few resources and no secrets.

What the file is, its bytes prove; its name and its declared type are not even told to the examiner.
"""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

_log = structlog.get_logger()

ROOT = Path(__file__).parents[2]
ANSWER = 16 * 1024
"""Bytes; what an examiner has to say is short."""
SCAN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What examining a file came to. `accepted` is None when it did not come to an end."""

    accepted: bool | None
    media_type: str | None = None
    reason: str | None = None
    camera: dict[str, Any] | None = None
    counts: bool = True
    """Whether it counts as an attempt; it does not when the virus scanner was away."""


def examine(
    content: Callable[[], Iterable[bytes]], *, clamav: str | None, seconds: float
) -> Verdict:
    """Find out what a file is and whether it may be read by anybody."""
    verdict = _inspect(content(), seconds)
    if verdict.accepted and clamav is not None:
        return _scanned(content(), clamav, verdict)
    return verdict


def _inspect(content: Iterable[bytes], seconds: float) -> Verdict:
    """Put the file before an examiner; kill it when it takes too long."""
    return _verdict(*converse("main", content, seconds=seconds, most=ANSWER))


def converse(
    examiner: str, content: Iterable[bytes], *, seconds: float, most: int
) -> tuple[bytes, int]:
    """Put bytes before the examiner of this name; give what it says, at most so much, and its code."""
    command = [sys.executable, "-I", "-c", _START, str(ROOT), examiner]
    with subprocess.Popen(  # noqa: S603 this interpreter, arguments of our own
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        clock = threading.Timer(seconds, process.kill)
        clock.start()
        try:
            with suppress(BrokenPipeError), closing(process.stdin) as pipe:
                for chunk in content:
                    pipe.write(chunk)
            told = process.stdout.read(most)
            process.wait()
        finally:
            clock.cancel()
            process.kill()
    return told, process.returncode


_START = """
import importlib
import sys
sys.path.append(sys.argv[1])
importlib.import_module(f"app.evidence.examiner.{sys.argv[2]}").main()
"""


def _verdict(told: bytes, code: int) -> Verdict:
    """Read what the examiner said; one that was killed or fell over has said nothing."""
    try:
        answer = json.loads(told)
        reason, media_type = answer["reason"], answer["media_type"]
    except (ValueError, KeyError, TypeError):
        _log.warning("examiner_failed", code=code)
        return Verdict(None)
    if reason is not None:
        return Verdict(accepted=False, reason=str(reason)[:300])
    return Verdict(accepted=True, media_type=str(media_type), camera=answer["camera"])


def _scanned(content: Iterable[bytes], clamav: str, verdict: Verdict) -> Verdict:
    """Ask the virus scanner as well; what it could not look at stays in quarantine."""
    try:
        with closing(_dial(clamav)) as line:
            answer = _stream(line, content)
    except OSError as error:
        _log.warning("scanner_away", error=str(error)[:200])
        return Verdict(None, counts=False)
    if answer.endswith(b" FOUND"):
        name = answer.removeprefix(b"stream: ").removesuffix(b" FOUND").decode(errors="replace")
        return Verdict(accepted=False, reason=f"The virus scanner found {name[:100]}.")
    if answer.endswith(b" OK"):
        return verdict
    _log.warning("scanner_away", error=answer.decode(errors="replace")[:200])
    return Verdict(None, counts=False)


def _dial(clamav: str) -> socket.socket:
    host, colon, port = clamav.rpartition(":")
    if colon and port.isdigit():
        return socket.create_connection((host, int(port)), timeout=SCAN_SECONDS)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(SCAN_SECONDS)
    try:
        line.connect(clamav)
    except OSError:
        line.close()
        raise
    return line


def _stream(line: socket.socket, content: Iterable[bytes]) -> bytes:
    """Speak clamd's INSTREAM: each chunk after its length, an empty one at the end."""
    line.sendall(b"zINSTREAM\0")
    for chunk in content:
        line.sendall(len(chunk).to_bytes(4, "big") + chunk)
    line.sendall(bytes(4))
    return b"".join(_heard(line)).rstrip(b"\0\n")


def _heard(line: socket.socket) -> Iterator[bytes]:
    while part := line.recv(4096):
        yield part
        if part.endswith(b"\0"):
            return
