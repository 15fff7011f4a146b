"""One API process. Its socket is open already: `serve` bound it, and all workers share it."""

import asyncio
import gc
import resource
import socket
from functools import partial
from typing import cast

import uvicorn

from app.cli import children
from app.cli.frugal import MOST_CONNECTIONS, Frugal
from app.main import create_app
from app.settings import Settings

FINISH_SECONDS = 10
"""How long requests that were accepted may take once the process is asked to end."""
KEEP_ALIVE_SECONDS = 75
"""Longer than dashboards pause between polls, so that each poll finds its connection open."""
OBJECTS_BETWEEN_COLLECTIONS = 20_000
MOST_FILES = 65_536
FILES_OF_ITS_OWN = 128
"""File descriptors for the database, logs and the interpreter."""


def run(settings: Settings, *, file: int, parent: int | None) -> int:
    """Serve the application on an open socket until SIGTERM or SIGINT."""
    children.end_with(parent)
    app = create_app(settings)
    _collect_seldom()
    protocol = partial(Frugal, patience=settings.slow_seconds, most=_connections())
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=file)])
    return 0


def _collect_seldom() -> None:
    """Look for cyclic garbage less often, and never again among what was made at the start.

    A batch makes tens of thousands of objects, nearly all freed by counting. With Python's own
    thresholds the collector takes a quarter of the time of a bulk run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 10, 20)


def _connections() -> int:
    """Take as many connections as files can be opened for: beyond it 503, not a stalled accept."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return max(64, min(MOST_CONNECTIONS, files - FILES_OF_ITS_OWN))
