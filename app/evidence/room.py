"""The evidence room of a process: its shelf, its keys, its arrivals, and how files are examined."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from app.evidence.arrivals import Arrival
from app.evidence.master_keys import MasterKeys
from app.evidence.shelves import FolderShelf, Shelf
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Room:
    """Everything that taking in, examining and giving out a file needs beside the database."""

    shelf: Shelf
    keys: MasterKeys
    arrivals: Path
    limit: int
    answer_seconds: float
    clamav: str | None

    def arrive(self) -> Arrival:
        """Begin to take in a file."""
        return Arrival(self.arrivals, self.limit)


def room_of(settings: Settings) -> Room:
    """Furnish the room. Folders are made when the first file comes."""
    folder = settings.data_dir.expanduser().absolute() / "evidence"
    own = settings.evidence_key_file
    return Room(
        shelf=_shelf(settings, folder),
        keys=MasterKeys(own or folder / "master.keys", makes=own is None),
        arrivals=folder / "arrivals",
        limit=settings.evidence_limit_bytes,
        answer_seconds=settings.evidence_answer_seconds,
        clamav=settings.clamav,
    )


def _shelf(settings: Settings, folder: Path) -> Shelf:
    if settings.evidence_bucket is None:
        return FolderShelf(folder / "files")
    from app.evidence.buckets import BucketShelf  # its library takes long to load

    return BucketShelf(settings)


async def _of_request(request: Request) -> Room:
    """Give the room the application was made with."""
    room: Room = request.app.state.room
    return room


RoomDep = Annotated[Room, Depends(_of_request)]
