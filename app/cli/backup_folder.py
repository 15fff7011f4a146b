"""A folder of backups: every backup in a folder of its own, evidence once for all of them.

BACKUPS/
    2026-11-23T021500Z/       one backup, whole: it gets this name last of all
        manifest.json         what it holds, with digests
        database.dump         of pg_dump
        evidence.list         the files of evidence, a line each
    evidence/3f/3fa4…         files of evidence, as the store encrypted them
    .unfinished-…             what a backup that was broken off left; the next one removes it
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, ValidationError

from app.cli.troubles import BackupTrouble, WrongUse

MANIFEST, DUMP, EVIDENCE_LIST, EVIDENCE = (
    "manifest.json",
    "database.dump",
    "evidence.list",
    "evidence",
)
UNFINISHED = ".unfinished-"
PART = ".part"
AT_ONCE = 1 << 20


class BackupDamaged(BackupTrouble):
    """Files of a backup are not what its manifest says; the message names them."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredFile(_Part):
    """A file of the backup."""

    name: str
    bytes: int
    sha256: str


class JournalKept(_Part):
    """How far the journal had come, and what its log had signed."""

    numbered: int
    pending: int
    sealed: int
    root: str
    checkpoint: str | None
    keys: list[str]


class EvidenceKept(_Part):
    """What of evidence is in the backup. `missing` were not where the database says."""

    store: Literal["folder", "bucket"]
    copied: bool
    files: int
    bytes: int
    listing: StoredFile
    missing: list[str]
    removed_meanwhile: list[str]


class Role(_Part):
    """A database role that the dump gives rights to."""

    name: str
    login: bool
    bypassrls: bool


class Manifest(_Part):
    """What a backup holds. `sha256` is of all the rest in canonical JSON: it shows damage."""

    format: Literal["endwatch backup 1"] = "endwatch backup 1"
    made_at: datetime
    revision: str
    postgresql: str
    database: StoredFile
    rows: dict[str, int]
    journal: JournalKept
    evidence: EvidenceKept
    evidence_keys: list[str]
    roles: list[Role]
    sha256: str = ""

    def digest(self) -> str:
        """Work out its digest."""
        told = self.model_dump(mode="json", exclude={"sha256"})
        return hashlib.sha256(rfc8785.dumps(told)).hexdigest()

    def write(self, path: Path) -> None:
        """Write it with its digest, on disk before this returns."""
        whole = self.model_copy(update={"sha256": self.digest()})
        with created(path) as out:
            out.write(f"{whole.model_dump_json(indent=1)}\n".encode())
            out.flush()
            os.fsync(out.fileno())

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a backup. Raises BackupDamaged, WrongUse."""
        path = folder / MANIFEST
        if not path.exists():
            raise WrongUse(f"{folder} is no backup: it has no {MANIFEST}")
        try:
            found = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise BackupDamaged(f"{path} is not whole, or of a release after this one") from error
        if found.digest() != found.sha256:
            raise BackupDamaged(f"{path} was changed: its digest does not fit")
        return found


class BackupFolder:
    """The folder that backups are put into."""

    def __init__(self, place: Path) -> None:
        self.place = place.expanduser().absolute()

    @property
    def evidence(self) -> Path:
        """Where files of evidence are copied to."""
        return self.place / EVIDENCE

    def copy_of(self, object: str) -> Path:
        """Say where the copy of a file of evidence is."""
        return self.evidence / object[:2] / object

    def whole(self) -> list[Path]:
        """List the backups that are whole, oldest first."""
        return sorted(path.parent for path in self.place.glob(f"[0-9]*/{MANIFEST}"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against a second backup, and clear what a broken one left."""
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self.place / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._clear()
            yield
        except BlockingIOError as error:
            raise WrongUse(f"another backup into {self.place} is running") from error
        finally:
            os.close(file)

    def _clear(self) -> None:
        for left in self.place.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left)
        for part in self.evidence.glob(f"*/*{PART}"):
            part.unlink()

    def begin(self, now: datetime) -> Path:
        """Make the folder of a backup, under a name that nobody takes for a whole one."""
        fresh = self.place / f"{UNFINISHED}{now:%Y-%m-%dT%H%M%SZ}"
        fresh.mkdir(mode=0o700)
        return fresh

    def finish(self, fresh: Path) -> Path:
        """Give a backup that is whole its name."""
        settle(fresh)
        name = fresh.name.removeprefix(UNFINISHED)
        place, number = self.place / name, 1
        while place.exists():
            number += 1
            place = self.place / f"{name}-{number}"
        fresh.rename(place)
        settle(self.place)
        return place


def found(given: Path) -> tuple[BackupFolder, Path]:
    """Find a backup by its folder, or the newest in a folder of backups. Raises WrongUse."""
    given = given.expanduser().absolute()
    if (given / MANIFEST).exists():
        return BackupFolder(given.parent), given
    folder = BackupFolder(given)
    whole = folder.whole()
    if not whole:
        raise WrongUse(f"{given} holds no backup that is whole")
    return folder, whole[-1]


def created(path: Path) -> IO[bytes]:
    """Make a file that its owner alone reads."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def stored(path: Path) -> StoredFile:
    """Measure a file of a backup."""
    return StoredFile(name=path.name, bytes=path.stat().st_size, sha256=sha256_of(path))


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fits(path: Path, told: StoredFile) -> bool:
    """Say whether a file is there and what the manifest says."""
    return path.exists() and path.stat().st_size == told.bytes and sha256_of(path) == told.sha256


def settle(folder: Path) -> None:
    """Write the entries of a folder to disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def row(one: dict[str, Any]) -> bytes:
    """Write a line of a list."""
    return rfc8785.dumps(one) + b"\n"
