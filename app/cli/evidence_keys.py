"""`endwatch keys rotate-evidence`: a new master key for what is stored and what comes in."""

from datetime import datetime

from app.cli import databases
from app.cli.keys import ACTOR
from app.evidence import rotation
from app.evidence.room import room_of
from app.settings import Settings


def rotate(settings: Settings, *, now: datetime) -> int:
    """Rotate the master key, and say what came of it."""
    room = room_of(settings)
    with databases.sessions(settings) as sessions:
        done = rotation.rotate(sessions, room, actor=ACTOR, now=now)
    files = f"{done.files:,} file{'' if done.files == 1 else 's'}"
    print(f"{done.key} is the new master key; the keys of {files} are wrapped by it")
    for old in done.forgotten:
        print(f"{old} is forgotten")
    return 0
