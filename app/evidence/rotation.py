"""Rotating the master key: the keys of all files are wrapped anew; no file is touched."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.database import Sessions
from app.evidence.models import File
from app.evidence.room import Room

BATCH = 500
SAFE_TO_FORGET = timedelta(days=1)
"""A process that began to take in a file under the old key has long ended by then."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation came to: the newest key, how many files it holds, the keys forgotten."""

    key: str
    files: int
    forgotten: tuple[str, ...]


def rotate(
    sessions: Sessions,
    room: Room,
    *,
    actor: Actor,
    now: datetime,
    told: Callable[[int], None] = lambda _: None,
) -> Rotated:
    """Make a new master key, wrap every file's key by it, and forget old ones that hold nothing.

    May be broken off and run again: what is wrapped stays wrapped, and the old key is kept until a
    later rotation finds that nothing needs it.
    """
    newest = room.keys.add(now)
    done = 0
    while True:
        with sessions() as session:
            files = _rewrap(session, room, newest.id, now)
            if not files:
                break
            _tell(session, newest.id, files, actor, now)
            session.commit()
        done += len(files)
        told(done)
    return Rotated(newest.id, done, _forget(sessions, room, now))


def _rewrap(session: Session, room: Room, newest: str, now: datetime) -> list[str]:
    """Wrap some files' keys anew; give the files' digests."""
    files = session.scalars(
        select(File)
        .where(File.key_id != newest)
        .order_by(File.digest)
        .limit(BATCH)
        .with_for_update()
    ).all()
    for file in files:
        assert file.object is not None
        assert file.key_id is not None
        assert file.wrapped_key is not None
        key = room.keys.unwrap(file.key_id, file.wrapped_key, file.object, now)
        file.key_id, file.wrapped_key = room.keys.wrap(file.object, key, now)
    session.flush()
    return [file.digest for file in files]


def _tell(session: Session, newest: str, files: list[str], actor: Actor, now: datetime) -> None:
    journal.append(
        session,
        actor=actor.name,
        action="evidence.rewrapped",
        subject=f"master_key:{newest}",
        body={"key": newest, "files": files},
        now=now,
    )


def _forget(sessions: Sessions, room: Room, now: datetime) -> tuple[str, ...]:
    """Forget the keys that hold nothing and were replaced more than a day ago."""
    known = room.keys.all(now)
    with sessions() as session:
        used = {
            id
            for id, count in session.execute(
                select(File.key_id, func.count()).group_by(File.key_id)
            )
            if count
        }
    forgotten = [
        old.id
        for old, next in pairwise(known)
        if old.id not in used and now - next.made_at > SAFE_TO_FORGET
    ]
    if forgotten:
        room.keys.forget(set(forgotten), now)
    return tuple(forgotten)
