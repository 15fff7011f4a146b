"""The key the log signs with: a file that the sequencer reads, and nobody else needs.

It is made when a log begins. A log that has signed before and finds no key makes none: another key
is a decision of people (`endwatch journal new-key`), and it is told by the journal.
"""

import os
import secrets
from pathlib import Path

import structlog
from sqlalchemy import Connection, select

from app.journal.models import LogKey
from app.journal.notes import NoteUnfit, Signer

_log = structlog.get_logger()

NAME = "log.key"


class KeyFileTaken(Exception):
    """There is a signing key in that place already."""


def key_file(data_dir: Path, given: Path | None) -> Path:
    """Say where the signing key is kept."""
    return (given or data_dir / NAME).expanduser().absolute()


def make(path: Path, origin: str | None) -> Signer:
    """Make a key and keep it where only its owner reads it. Raises KeyFileTaken, OSError."""
    signer = Signer.make(origin or f"endwatch.local/{secrets.token_hex(4)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyFileTaken(f"{path} holds a signing key already") from error
    with os.fdopen(file, "w") as out:
        out.write(f"{signer.secret()}\n")
        out.flush()
        os.fsync(out.fileno())
    return signer


def load(connection: Connection, path: Path, origin: str | None) -> Signer | None:
    """Read the signing key, or make the first one of a log.

    Without a key it answers None and says why in the log: entries are numbered and hashed all the
    same, and signed for as soon as a sequencer has the key.
    """
    try:
        if path.exists():
            return Signer.read(path.read_text())
        if connection.scalar(select(LogKey.verifier).limit(1)) is not None:
            _log.error("signing_key_missing", file=str(path), remedy="see docs/journal.md")
            return None
        return make(path, origin)
    except (OSError, NoteUnfit, KeyFileTaken) as error:
        _log.error("signing_key_unusable", file=str(path), error=str(error))
        return None
