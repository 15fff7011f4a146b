"""Copies the keys of journal and evidence to a folder apart from backups, and brings them back.

Nothing is ever taken out of that folder: an older backup needs keys that were replaced since.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.cli import databases
from app.cli.backup_folder import settle
from app.cli.troubles import WrongUse
from app.evidence.master_keys import MasterKeys
from app.evidence.room import Room
from app.journal import signing
from app.journal.notes import Signer, Verifier
from app.settings import Settings

MASTER = "master.keys"


@dataclass(frozen=True, slots=True)
class Keys:
    """The log's key, the verifier keys of all that are there, and the ids of the master keys."""

    log: Signer | None
    logs: frozenset[str]
    masters: frozenset[str]

    def lacking(self, verifier: str | None, masters: list[str]) -> list[str]:
        """Say which keys are not here, of those a backup needs, and what cannot be done without."""
        said = []
        if verifier and verifier not in self.logs:
            said.append(
                f"the signing key of {Verifier.read(verifier).name}: without it nothing more is signed "
                "under this name; the journal is numbered and hashed all the same"
            )
        said += [
            f"master key {one}: evidence whose key it wraps cannot be read without it"
            for one in masters
            if one not in self.masters
        ]
        return said


def apart(keys: Path, backups: Path) -> Path:
    """See that keys and backups are not kept together. Raises WrongUse."""
    one, other = keys.expanduser().resolve(), backups.expanduser().resolve()
    if one == other or one in other.parents or other in one.parents:
        raise WrongUse(
            f"keys are kept apart from backups: {keys} and {backups} are in one another; who finds the "
            "one should not have the other"
        )
    return one


def save(settings: Settings, room: Room, folder: Path, now: datetime) -> Keys:
    """Add the keys of this machine to the folder, readable by its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    here = log_key_file(settings)
    signer = Signer.read(here.read_text()) if here.exists() else None
    if signer is not None:
        _write(_log_copy(folder, signer.verifier), f"{signer.secret()}\n")
    kept = MasterKeys(folder / MASTER, makes=False)
    if room.keys.there():
        kept.join(room.keys, now)
    settle(folder)
    masters = frozenset(one.id for one in kept.all(now)) if kept.there() else frozenset()
    logs = {str(Signer.read(one.read_text()).verifier) for one in folder.glob("log.*.key")}
    return Keys(signer, frozenset(logs), masters)


def bring(room: Room, folder: Path, verifier: str | None, now: datetime) -> Keys:
    """Bring master keys back into the store; give them, and the log's key that a backup names."""
    kept = MasterKeys(folder / MASTER, makes=False)
    if kept.there():
        room.keys.join(kept, now)
    copy = _log_copy(folder, Verifier.read(verifier)) if verifier else None
    signer = Signer.read(copy.read_text()) if copy is not None and copy.exists() else None
    return Keys(signer, frozenset(), frozenset())


def here(settings: Settings, room: Room, now: datetime) -> Keys:
    """Find the keys of this machine."""
    place = log_key_file(settings)
    signer = Signer.read(place.read_text()) if place.exists() else None
    masters = room.keys.all(now) if room.keys.there() else ()
    logs = frozenset() if signer is None else frozenset([str(signer.verifier)])
    return Keys(signer, logs, frozenset(one.id for one in masters))


def log_key_file(settings: Settings) -> Path:
    """Say where this machine keeps the log's key."""
    return signing.key_file(databases.data_folder(settings), settings.log_key_file)


def put_log_key(settings: Settings, signer: Signer) -> None:
    """Put the log's key where the scheduler reads it; one that is there stays."""
    place = log_key_file(settings)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(place, f"{signer.secret()}\n")


def _log_copy(folder: Path, verifier: Verifier) -> Path:
    return folder / f"log.{verifier.id.hex()}.key"


def _write(path: Path, content: str) -> None:
    """Write a file whole, unless it is there."""
    if path.exists():
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.rename(path)
