"""The key the log signs with: a file that the sequencer reads, and nobody else needs.

It is made when a log begins. A log that has signed before and finds no key makes none: another key
is a decision of people (`endwatch journal new-key`), and it is told by the journal.

Beside the key stands its **mark**: the last checkpoint this machine signed. A database that does not
hold it was rolled back behind it, whatever did that; then nothing is signed (`rollbacks.py`).
"""

import os
import secrets
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from app.journal import rollbacks
from app.journal.models import LogKey
from app.journal.notes import Checkpoint, Note, NoteUnfit, Signer

_log = structlog.get_logger()

NAME = "log.key"
ACTOR = "system:sequencer"


class SigningKeyMissing(Exception):
    """The log has signed before, and its key is not on this machine."""


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
    same, and signed for as soon as a sequencer has the key. So it does where the key must not be
    used: the log waits for a decision, its name was given up, or it was rolled back.
    """
    try:
        signer = _found(connection, path) or make(path, origin)
        return signer if _may_sign(connection, signer, path) else None
    except SigningKeyMissing:
        _log.error("signing_key_missing", file=str(path), remedy="see docs/operations.md")
        with Session(connection) as session:
            rollbacks.key_missing(session, actor=ACTOR, now=_now(connection))
        return None
    except (OSError, NoteUnfit, KeyFileTaken) as error:
        _log.error("signing_key_unusable", file=str(path), error=str(error))
        return None


def _found(connection: Connection, path: Path) -> Signer | None:
    """Read the key; None where the log never had one. Raises SigningKeyMissing."""
    if path.exists():
        return Signer.read(path.read_text())
    if connection.scalar(select(LogKey.verifier).limit(1)) is not None:
        raise SigningKeyMissing
    return None


def _now(connection: Connection) -> datetime:
    now: datetime | None = connection.scalar(select(func.clock_timestamp()))
    assert now is not None
    return now


def _may_sign(connection: Connection, signer: Signer, path: Path) -> bool:
    """Say whether this key may sign now; a rollback that is found is told by the journal."""
    told = rollbacks.standing(connection)
    if signer.name in told.retired:
        _log.error("signing_key_retired", log=signer.name, file=str(path))
        return False
    if told.held:
        _log.warning("signing_held", log=signer.name, remedy="endwatch journal resume")
        return False
    seen = marked(path, signer)
    if seen is None or rollbacks.holds(connection, seen):
        if told.keyless:
            with Session(connection) as session:
                rollbacks.key_returned(session, actor=ACTOR, now=_now(connection))
        return True
    _log.error("log_rolled_back", log=signer.name, signed=seen.size, file=str(mark_file(path)))
    with Session(connection) as session:
        rollbacks.found(session, seen, actor=ACTOR, now=_now(connection))
    return False


def mark_file(path: Path) -> Path:
    """Say where the mark of a key is kept."""
    return path.with_name(f"{path.name}.signed")


def mark(note: str, path: Path) -> None:
    """Keep what was signed last, once everybody may see it. A disk that is full stops nothing.

    It is not waited for: after a power cut it may be a little older than what was signed.
    """
    place = mark_file(path)
    fresh = place.with_name(f"{place.name}.new")
    try:
        fresh.write_text(note)
        fresh.replace(place)
    except OSError as error:
        _log.warning("signing_mark_unwritable", file=str(place), error=str(error))


def marked(path: Path, signer: Signer) -> Checkpoint | None:
    """Read the mark of a log; None where there is none, it is another's, or it is not whole."""
    try:
        note = Note.read(mark_file(path).read_text())
        seen = Checkpoint.read(note.text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("signing_mark_unreadable", file=str(mark_file(path)), error=str(error))
        return None
    return seen if seen.origin == signer.name else None


def put_aside(path: Path) -> Path | None:
    """Move a key and its mark away, so that another key can be made; say where to."""
    if not path.exists():
        return None
    signer = Signer.read(path.read_text())
    aside = path.with_name(f"{path.name}.{signer.verifier.id.hex()}")
    path.replace(aside)
    if mark_file(path).exists():
        mark_file(path).replace(mark_file(aside))
    return aside
