"""Where encrypted files stand: in a folder, or in an S3-compatible bucket (`buckets.py`).

A shelf knows names and bytes; it cannot read what stands on it.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from app.errors import StorageFull, Trouble, Unavailable
from app.evidence.sealing import EvidenceDamaged, Sealed

FULL = {28, 122}
"""ENOSPC and EDQUOT."""


class EvidenceOutOfReach(Unavailable):
    """The place where files are stored does not answer just now; nothing was stored."""


class Shelf(Protocol):
    """Where encrypted files stand, each under a name of its own."""

    def put(self, name: str, file: Path) -> None:
        """Store a file for good. Raises StorageFull or EvidenceOutOfReach."""
        ...

    def open(self, name: str, start: int) -> Sealed:
        """Open a file at a byte. Raises EvidenceDamaged when it is gone, EvidenceOutOfReach."""
        ...

    def remove(self, name: str) -> None:
        """Take a file away; one that is not there is no error."""
        ...

    def names(self) -> Iterator[tuple[str, datetime]]:
        """List every file with the time it was stored."""
        ...


class FolderShelf:
    """A folder on this machine, or one that all machines share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, file: Path) -> None:
        """Move a file here, on disk before this returns."""
        place = self._place(name)
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.link(file, place)
            for folder in (place.parent, self._folder):
                _settle(folder)
        except OSError as error:
            raise trouble_of(error) from error

    def open(self, name: str, start: int) -> BinaryIO:
        """Open a file at a byte."""
        try:
            file = self._place(name).open("rb")
        except FileNotFoundError as error:
            raise EvidenceDamaged("This file is gone from where it was stored.") from error
        except OSError as error:
            raise EvidenceOutOfReach("The file cannot be read just now.") from error
        file.seek(start)
        return file

    def remove(self, name: str) -> None:
        """Take a file away."""
        self._place(name).unlink(missing_ok=True)

    def names(self) -> Iterator[tuple[str, datetime]]:
        """List every file."""
        for place in self._folder.glob("??/*"):
            try:
                yield place.name, datetime.fromtimestamp(place.stat().st_mtime, UTC)
            except FileNotFoundError:
                continue

    def _place(self, name: str) -> Path:
        return self._folder / name[:2] / name


def _settle(folder: Path) -> None:
    """Write the entries of a folder to disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def trouble_of(error: OSError) -> Trouble:
    """Say what a failure of the disk means to who sent a file."""
    if error.errno in FULL:
        return StorageFull("There is no room left for files. Nothing was stored; try again later.")
    return EvidenceOutOfReach("The file cannot be stored just now. Nothing was stored.")
