"""Knows how far the journal has come, in memory, so that an unchanged poll costs no query.

A thread listens for the sequencer's notices. While it does not hear them (`current` is None),
nobody may answer from memory.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog

from app.journal.sequencer import CHANNEL

_log = structlog.get_logger()

WAIT = 0.1
"""Seconds the thread waits for a notice before it sees whether it is to stop."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The last number of the journal, and the last one that tells an alert."""

    seq: int
    alerts: int


class Watch:
    """A listening thread. `on_access` is called when keys changed or notices may have been missed."""

    def __init__(self, conninfo: str, on_access: Callable[[], None]) -> None:
        self._conninfo = conninfo
        self._on_access = on_access
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-watch", daemon=True)
        self.current: Progress | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                _log.warning("journal_watch_lost", error=str(error).splitlines()[0])
            self.current = None
            self._on_access()
            self._stop.wait(0.5)

    def _listen(self) -> None:
        """Listen until the connection fails or we are stopped; check it every few seconds."""
        with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=5) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            row = connection.execute("SELECT seq, alerts_seq FROM journal_head").fetchone()
            self.current = Progress(*row) if row else None
            self._on_access()
            quiet = 0.0
            while not self._stop.is_set():
                heard = False
                for notice in connection.notifies(timeout=WAIT, stop_after=1):
                    heard = True
                    told = json.loads(notice.payload)
                    self.current = Progress(told["seq"], told["alerts"])
                    if told["access"]:
                        self._on_access()
                quiet = 0.0 if heard else quiet + WAIT
                if quiet >= 5.0:
                    connection.execute("SELECT 1")
                    quiet = 0.0
