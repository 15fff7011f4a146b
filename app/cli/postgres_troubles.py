"""What can be wrong with the PostgreSQL of a data folder, each as one line for an operator."""

import contextlib
import errno
import os
import pwd
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

_LEAST_ROOM: Final = 16 * 2**20
"""Bytes: one WAL segment. With less, a start that failed without a word failed for want of room."""
_NO_ROOM: Final = ("No space left on device", "Disk quota exceeded", "Check free disk space")


class PostgresTrouble(Exception):
    """The PostgreSQL of this data folder cannot be used; the message is one line for an operator."""


class FolderInUse(PostgresTrouble):
    """Another service runs on this data folder."""


class FolderNotWritable(PostgresTrouble):
    """The data folder cannot be made or written by the user who runs the service."""


class DiskFull(PostgresTrouble):
    """There is no room, or no quota, left for PostgreSQL to start."""


class OtherVersion(PostgresTrouble):
    """The data was made by another major version of PostgreSQL, which this one cannot read."""


class BinariesMissing(PostgresTrouble):
    """The wheel has no PostgreSQL that runs on this machine."""


class RestoreUnfinished(PostgresTrouble):
    """A restore into this data folder was broken off, so that there is no database yet."""


class DidNotStart(PostgresTrouble):
    """PostgreSQL gave a reason of its own for not starting."""


@dataclass(frozen=True)
class PlainWords:
    """Says in one line, about one data folder and its log, what went wrong."""

    folder: Path
    log: Path

    def failure(self, said: str) -> PostgresTrouble:
        """Make one line of what PostgreSQL said before it gave up."""
        reasons = re.findall(r"(?:FATAL|PANIC|error): +(?!the database system is)(.+)", said)
        reasons = reasons or said.split("\n")[-2:-1]
        full = any(sign in said for sign in _NO_ROOM)
        if full or (not reasons and shutil.disk_usage(self.folder).free < _LEAST_ROOM):
            return DiskFull(f"no room left for PostgreSQL in {self.folder}: free some disk space")
        reason = reasons[0].strip() if reasons else "it gave no reason"
        more = f"; see {self.log}" if self.log.exists() else ""
        return DidNotStart(f"PostgreSQL did not start in {self.folder}: {reason}{more}")

    @contextlib.contextmanager
    def spoken(self) -> Iterator[None]:
        """Turn what the system or the database refuses into a sentence about this folder."""
        try:
            yield
        except psycopg.errors.DiskFull as error:
            raise self.failure(_NO_ROOM[0]) from error
        except psycopg.Error as error:
            raise self.failure(f"error: {' '.join(str(error).split())}\n") from error
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise self.failure(_NO_ROOM[0]) from error
            why = f"{error.strerror}: {error.filename}"
            if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                raise FolderNotWritable(
                    f"{self.folder} cannot be used by user {_user_name()} ({why}): "
                    f"make it writable, or choose another data folder"
                ) from error
            raise PostgresTrouble(f"{self.folder} cannot be used ({why})") from error


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
