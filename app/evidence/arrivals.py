"""A file on its way in: hashed, counted and encrypted while it arrives, and on disk when it is whole.

It stands in the folder of arrivals, encrypted from its first byte, held by a lock that ends with the
process. So what a crash leaves behind is known by being held by nobody, and is swept away.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from app.errors import Invalid, StorageFull, TooLarge
from app.evidence.sealing import Sealer, unsealed
from app.evidence.shelves import trouble_of

RESERVE = 32 * 2**20
"""Bytes that files leave free on the disk, which the database may share."""
YOUNG = timedelta(minutes=1)
"""A file this young may not be held yet by the process that makes it."""


class EvidenceTooLarge(TooLarge):
    """The file is larger than is taken as evidence."""


class EvidenceEmpty(Invalid):
    """There is no file: the body is empty."""


class Arrival:
    """One file on its way in. Leaving the `with` block removes it from the folder of arrivals."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.name = secrets.token_hex(16)
        self.key = secrets.token_bytes(32)
        self.size = 0
        self.path = folder / self.name
        self._limit = limit
        self._hash = hashlib.sha256()
        self._sealer = Sealer(self.name, self.key)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            raise trouble_of(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; where it was stored, it stays."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):
            os.close(self._file)

    @property
    def digest(self) -> str:
        """Its name by content."""
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes) -> None:
        """Take bytes in. Raises EvidenceTooLarge, StorageFull."""
        self.size += len(data)
        if self.size > self._limit:
            raise EvidenceTooLarge(f"At most {self._limit:,} bytes are taken as evidence.")
        self._hash.update(data)
        self._put(self._sealer.update(data))

    def finish(self) -> None:
        """Write the end, and wait until all of it is on disk."""
        if not self.size:
            raise EvidenceEmpty("Send the file as the body of the request.")
        self._put(self._sealer.finish())
        try:
            os.fsync(self._file)
        except OSError as error:
            raise trouble_of(error) from error

    def content(self) -> Iterator[bytes]:
        """Give the file back in plain, in chunks."""
        with self.path.open("rb") as sealed:
            yield from unsealed(sealed, self.name, self.key, self.size)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            raise trouble_of(error) from error


def check_room(folder: Path, size: int) -> None:
    """Refuse a file for which the disk has no room, before it is sent."""
    place = folder
    while not place.exists():
        place = place.parent
    if shutil.disk_usage(place).free < size + RESERVE:
        raise StorageFull("There is no room left for files. Nothing was stored; try again later.")


def sweep(folder: Path, now: datetime) -> int:
    """Remove what processes that are gone have left half-way; say how many files that were."""
    swept = 0
    for path in folder.glob("*") if folder.exists() else ():
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            if now.timestamp() - path.stat().st_mtime < YOUNG.total_seconds():
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            swept += 1
    return swept
