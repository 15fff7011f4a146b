"""Copies evidence out of its store and back, as it stands there: encrypted, file by file."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.cli.backup_folder import AT_ONCE, PART, BackupFolder, created, row, settle, sha256_of
from app.evidence.room import Room
from app.evidence.sealing import CHUNK, TAG, EvidenceDamaged

Bar = Callable[[int], None]


@dataclass(slots=True)
class Copied:
    """What came of copying: how many files there are, how many of them were new, what is missing."""

    files: int = 0
    bytes: int = 0
    fresh: int = 0
    missing: list[str] = field(default_factory=list)


def sealed_size(size: int) -> int:
    """Say how many bytes a file has once it is encrypted."""
    return size + -(-size // CHUNK) * TAG


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the list of the files of a backup."""
    with path.open("rb") as file:
        yield from map(json.loads, file)


def copy_out(
    room: Room,
    folder: BackupFolder,
    before: Path | None,
    wanted: Iterable[Any],
    path: Path,
    bar: Bar,
) -> Copied:
    """Copy files that are not copied yet, and write the list of all.

    `wanted` are (object, digest, size) in the order of their names; `before` is the list of the
    backup before, whose files are not read again.
    """
    done, known = Copied(), _Known(before)
    with created(path) as out:
        for object, digest, size in wanted:
            sha256 = known.of(object)
            if sha256 is None or not _there(folder.copy_of(object), sealed_size(size)):
                sha256 = _copy(room, folder.copy_of(object), object, done)
            if sha256 is None:
                done.missing.append(object)
            done.files += 1
            done.bytes += sealed_size(size)
            bar(done.files)
            out.write(row(_line(object, digest, size, sha256)))
        out.flush()
        os.fsync(out.fileno())
    for shelf in folder.evidence.glob("*"):
        settle(shelf)
    return done


def list_out(wanted: Iterable[Any], path: Path) -> Copied:
    """Write the list of files that stay where they are."""
    done = Copied()
    with created(path) as out:
        for object, digest, size in wanted:
            done.files += 1
            done.bytes += sealed_size(size)
            out.write(row(_line(object, digest, size, None)))
        out.flush()
        os.fsync(out.fileno())
    return done


def _line(object: str, digest: str, size: int, sha256: str | None) -> dict[str, Any]:
    return {
        "object": object,
        "digest": digest,
        "size": size,
        "bytes": sealed_size(size),
        "sha256": sha256,
    }


class _Known:
    """The files of the backup before, read beside those of this one; both are in order."""

    def __init__(self, path: Path | None) -> None:
        self._lines = lines(path) if path is not None and path.exists() else iter(())
        self._at: dict[str, Any] | None = next(self._lines, None)

    def of(self, object: str) -> str | None:
        """Give the SHA-256 that a copy was written with."""
        while self._at is not None and self._at["object"] < object:
            self._at = next(self._lines, None)
        if self._at is None or self._at["object"] != object:
            return None
        found: str | None = self._at["sha256"]
        return found


def _there(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _copy(room: Room, path: Path, object: str, done: Copied) -> str | None:
    """Copy a file, whole or not at all; give its SHA-256, None when it is not in the store."""
    if path.exists():  # by a backup that was broken off
        return sha256_of(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part, digest = path.with_name(f"{path.name}{PART}"), hashlib.sha256()
    try:
        with closing(room.shelf.open(object, 0)) as source, created(part) as out:
            while chunk := source.read(AT_ONCE):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
    except EvidenceDamaged:
        part.unlink(missing_ok=True)
        return None
    part.rename(path)
    done.fresh += 1
    return digest.hexdigest()


@dataclass(slots=True)
class Looked:
    """How the copies of a backup are: good, damaged, not there."""

    good: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def look(folder: BackupFolder, path: Path, bar: Bar) -> Looked:
    """Read every copy of a backup and compare it with the list."""
    found = Looked()
    for number, line in enumerate(lines(path), start=1):
        copy = folder.copy_of(line["object"])
        if line["sha256"] is None or not copy.exists():
            found.missing.append(line["object"])
        elif copy.stat().st_size != line["bytes"] or sha256_of(copy) != line["sha256"]:
            found.damaged.append(line["object"])
        else:
            found.good += 1
        bar(number)
    return found


def put_back(room: Room, folder: BackupFolder, path: Path, without: set[str], bar: Bar) -> int:
    """Put copies into the store, but for some; what stands there already stays. Say how many."""
    put = 0
    standing = {name for name, _ in room.shelf.names()}
    for number, line in enumerate(lines(path), start=1):
        if line["object"] not in standing | without:
            _put(room, folder.copy_of(line["object"]), line["object"])
            put += 1
        bar(number)
    return put


def _put(room: Room, copy: Path, object: str) -> None:
    """Store a copy of the copy: the store moves what it is given."""
    room.arrivals.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = room.arrivals / object
    try:
        with copy.open("rb") as source, fresh.open("wb") as out:
            while chunk := source.read(AT_ONCE):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        fresh.chmod(0o600)
        room.shelf.put(object, fresh)
    finally:
        fresh.unlink(missing_ok=True)
