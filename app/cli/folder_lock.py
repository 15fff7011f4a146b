"""The lock by which a data folder belongs to one service at a time; no child inherits it."""

import fcntl
import os
from pathlib import Path

from app.cli.postgres_troubles import FolderInUse


class FolderLock:
    """The right to use a data folder, gone with the process that holds it.

    The file is never removed: two services could then each lock a file of that name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def take(self) -> None:
        """Take the folder, or raise FolderInUse with the process that has it."""
        file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(file, 20, 0).decode().strip() or "unknown"
            os.close(file)
            raise FolderInUse(
                f"{self._folder} is in use by another Endwatch service, process {holder}: "
                f"stop that one first, or give this one a data folder of its own"
            ) from None
        except BaseException:
            os.close(file)
            raise
        self._file = file
        _held.add(file)

    def release(self) -> None:
        """Give the folder back; once more does nothing."""
        if self._file is not None:
            _held.discard(self._file)
            os.close(self._file)
            self._file = None


_held: set[int] = set()
"""The locks of this process, as file descriptors."""


def _let_go() -> None:
    """Close the locks in a forked child (multiprocessing), which would keep them past its parent."""
    for file in _held:
        os.close(file)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
