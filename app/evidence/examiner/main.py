"""Reads a file from its input, finds out what it is, and says so in one line of JSON.

Before the file is looked at, the process gives up whatever it does not need: the network (a
namespace of its own where the system lets it, and in any case every further file descriptor), memory
and time beyond a limit, writing files, starting processes.
"""

import ctypes
import importlib
import json
import os
import resource
import sys
from contextlib import suppress
from typing import Any

from app.evidence.examiner.kinds import Refused, kind_of

MEMORY = 1 << 30
CPU_SECONDS = 30
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_NO_NEW_PRIVS = 38
NEEDED_LATER = (
    "heapq",
    "encodings.utf_16",
    "encodings.utf_16_le",
    "encodings.utf_16_be",
    "encodings.utf_8_sig",
    "encodings.idna",
    "encodings.cp437",
    "encodings.cp1252",
    "encodings.latin_1",
    "encodings.raw_unicode_escape",
    "xml.etree.ElementTree",
)
"""Modules that Python would otherwise open a file for when they are first used."""


def main() -> None:
    """Examine what comes on standard input."""
    limit()
    data = sys.stdin.buffer.read()
    try:
        kind = kind_of(data)
        for name in (*NEEDED_LATER, *kind.needs):
            importlib.import_module(name)
        close_in()
        camera = kind.examine(data)
        answer: dict[str, Any] = {"media_type": kind.media_type, "reason": None, "camera": camera}
    except Refused as refused:
        answer = {"media_type": None, "reason": str(refused), "camera": None}
    except RecursionError:
        answer = {"media_type": None, "reason": "It is nested too deeply.", "camera": None}
    except MemoryError:
        answer = {"media_type": None, "reason": "It takes too much memory.", "camera": None}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)


def limit() -> None:
    """Give up time, memory, core dumps, writing, the network and rights to come."""
    for kind, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with suppress(ValueError, OSError):  # not every system limits everything
            resource.setrlimit(kind, (most, most))
    with suppress(AttributeError, OSError):  # only Linux has these
        own = ctypes.CDLL(None)
        own.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        own.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def close_in() -> None:
    """Open no file or socket and start no process from here on."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
