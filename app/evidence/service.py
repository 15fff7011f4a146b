"""Taking in files, giving them out, and telling the journal who did what with them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.errors import Conflict, Unavailable
from app.evidence import examination, rules
from app.evidence.arrivals import Arrival, check_room
from app.evidence.examination import Verdict
from app.evidence.models import EvidenceFiling, File
from app.evidence.room import Room
from app.evidence.rules import EvidenceUnknown, Span
from app.evidence.schemas import Camera, EvidenceOut, EvidenceRecord
from app.evidence.sealing import place, unsealed

DAY = timedelta(hours=24)
RETRY = timedelta(seconds=30)
"""When a file whose examination did not come to an end is examined again."""


class EvidenceInQuarantine(Unavailable):
    """The file is not examined yet, so nobody can read it."""


class EvidenceRejected(Conflict):
    """The file was examined and rejected, so nobody can read it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a file that was handed in; `again` when its owner had done so before."""

    evidence: EvidenceOut
    again: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """A file to be given out: its name for saving, and its bytes from `start` to `stop`."""

    file: File
    name: str
    start: int
    stop: int
    content: Iterator[bytes]


def used_today(session: Session, actor: Actor, *, now: datetime) -> int:
    """Sum up what an owner has handed in within 24 hours, in bytes."""
    return (
        session.scalar(
            select(func.coalesce(func.sum(File.size), 0))
            .join(EvidenceFiling, EvidenceFiling.digest == File.digest)
            .where(EvidenceFiling.owner == actor.owner, EvidenceFiling.received_at > now - DAY)
        )
        or 0
    )


def admit(
    session: Session, size: int, *, room: Room, limit: int, actor: Actor, now: datetime
) -> None:
    """Refuse so many bytes before they are taken in. Raises QuotaUsed, StorageFull."""
    rules.within_quota(used_today(session, actor, now=now), size, limit)
    check_room(room.arrivals, size)


def keep(
    session: Session,
    content: Iterable[bytes],
    *,
    room: Room,
    name: str | None,
    media_type: str,
    actor: Actor,
    now: datetime,
) -> EvidenceOut:
    """Take in a file on somebody's behalf, as `PUT /v1/evidence` does; the caller commits.

    Raises EvidenceTooLarge, EvidenceEmpty, StorageFull, EvidenceOutOfReach. A file that is rejected
    raises nothing: its state says so.
    """
    with room.arrive() as arrival:
        for chunk in content:
            arrival.write(chunk)
        arrival.finish()
        return settle(
            session,
            room,
            arrival,
            name=rules.cleaned(name) if name else None,
            media_type=media_type,
            actor=actor,
            now=now,
        ).evidence


def settle(
    session: Session,
    room: Room,
    arrival: Arrival,
    *,
    name: str | None,
    media_type: str,
    actor: Actor,
    now: datetime,
) -> Kept:
    """Examine a file that is whole, store it, and record who handed it in.

    Every file goes this way, known or not: neither the answer nor the time it takes may tell that
    somebody else has handed in the same.
    """
    verdict = examination.examine(arrival.content, clamav=room.clamav, seconds=room.answer_seconds)
    if verdict.accepted is not False:
        room.shelf.put(arrival.name, arrival.path)
    file = _entered(session, room, arrival, verdict, now)
    first = _filed(session, file, name, media_type, actor, now)
    if first:
        _tell(session, file, "evidence.received", actor, now, size=file.size)
        if verdict.accepted is not None:
            _tell(session, file, "evidence.examined", actor, now, **found(file))
    if file.object != arrival.name and verdict.accepted is not False:
        room.shelf.remove(arrival.name)  # it was here already
    session.flush()
    return Kept(_shown(file, media_type), again=not first)


def _entered(
    session: Session, room: Room, arrival: Arrival, verdict: Verdict, now: datetime
) -> File:
    """Find the file by its content, or enter it; hold it, and let the newest verdict count."""
    values: dict[str, Any] = {"digest": arrival.digest, "size": arrival.size, "received_at": now}
    if verdict.accepted is not False:
        values |= _stored(room, arrival, now)
    values |= {"state": "rejected" if verdict.accepted is False else "quarantined"}
    values |= {"attempts": 0, "next_look_at": now + RETRY}
    session.execute(upsert(File).values(values).on_conflict_do_nothing())
    file = session.scalars(
        select(File)
        .where(File.digest == arrival.digest)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if file.object is None and verdict.accepted:
        for field, value in _stored(room, arrival, now).items():
            setattr(file, field, value)
    conclude(file, verdict, now)
    return file


def _stored(room: Room, arrival: Arrival, now: datetime) -> dict[str, Any]:
    key_id, wrapped = room.keys.wrap(arrival.name, arrival.key, now)
    return {"object": arrival.name, "key_id": key_id, "wrapped_key": wrapped}


def conclude(file: File, verdict: Verdict, now: datetime) -> None:
    """Let a verdict count; one that did not come to an end changes nothing that was decided."""
    if verdict.accepted is None:
        return
    file.state = "accepted" if verdict.accepted else "rejected"
    file.reason = verdict.reason
    file.media_type = verdict.media_type if verdict.accepted else None
    file.camera = verdict.camera
    file.examined_at = now
    file.next_look_at = None


def _filed(
    session: Session,
    file: File,
    name: str | None,
    media_type: str,
    actor: Actor,
    now: datetime,
) -> bool:
    """Record who handed a file in; say whether it is for the first time."""
    made = session.execute(
        upsert(EvidenceFiling)
        .values(
            digest=file.digest,
            owner=actor.owner,
            party=actor.party,
            filed_by=actor.name,
            name=name,
            declared_type=media_type,
            received_at=now,
        )
        .on_conflict_do_nothing()
        .returning(EvidenceFiling.id)
    ).first()
    return made is not None


def found(file: File) -> dict[str, Any]:
    """Say for the journal what an examination came to."""
    return {"state": file.state, "media_type": file.media_type, "reason": file.reason}


def _tell(
    session: Session, file: File, action: str, actor: Actor, now: datetime, **body: Any
) -> None:
    journal.append(
        session,
        actor=actor.name,
        action=action,
        subject=f"evidence:{file.digest}",
        party=actor.party,
        body={"digest": file.digest} | body,
        now=now,
    )


def _shown(file: File, declared: str) -> EvidenceOut:
    return EvidenceOut.model_validate(
        {
            "digest": file.digest,
            "size": file.size,
            "media_type": file.media_type or declared,
            "state": file.state,
            "reason": file.reason,
        }
    )


def visible(session: Session, digest: str, actor: Actor) -> tuple[File, EvidenceFiling]:
    """Find a file and its filing, if the actor may know of it. Raises EvidenceUnknown.

    The authority may know of every file; anybody else of what he has handed in himself.
    """
    query = (
        select(File, EvidenceFiling)
        .join(EvidenceFiling, EvidenceFiling.digest == File.digest)
        .where(File.digest == digest)
        .order_by(EvidenceFiling.id)
        .limit(1)
    )
    if actor.reads_only is not None:
        query = query.where(EvidenceFiling.owner == actor.owner)
    row = session.execute(query).first()
    if row is None:
        raise EvidenceUnknown(f"There is no file {digest} here.")
    return row[0], row[1]


def record(session: Session, digest: str, *, actor: Actor) -> EvidenceRecord:
    """Tell what is known of a file, without its content."""
    file, filing = visible(session, digest, actor)
    return EvidenceRecord(
        **_shown(file, filing.declared_type).model_dump(),
        name=filing.name,
        filed_at=filing.received_at,
        examined_at=file.examined_at,
        camera=None if file.camera is None else Camera.model_validate(file.camera),
    )


def read(
    session: Session,
    digest: str,
    *,
    room: Room,
    actor: Actor,
    span: Span | None,
    now: datetime,
) -> Copy:
    """Open a file for reading, and record who reads it.

    `span` is what of it is asked for. Its first chunk is decrypted at once, so that damage is an answer and not a broken connection.
    """
    file, filing = visible(session, digest, actor)
    if file.state == "quarantined":
        raise EvidenceInQuarantine("It is being examined. Ask again shortly.")
    if file.state == "rejected" or file.media_type is None:
        raise EvidenceRejected(file.reason or "It was rejected.")
    start, stop = rules.bytes_of(span, file.size)
    content = opened(room, file, start, stop, now)
    first = next(content)
    _tell(session, file, "evidence.read", actor, now, **{"from": start, "to": stop})
    name = rules.name_for(file.media_type, filing.name, digest)
    return Copy(file, name, start, stop, chain([first], content))


def opened(room: Room, file: File, start: int, stop: int, now: datetime) -> Iterator[bytes]:
    """Give a stored file in plain, chunk by chunk."""
    assert file.object is not None
    assert file.key_id is not None
    assert file.wrapped_key is not None
    key = room.keys.unwrap(file.key_id, file.wrapped_key, file.object, now)
    sealed = room.shelf.open(file.object, place(start))
    try:
        yield from unsealed(sealed, file.object, key, file.size, start, stop)
    finally:
        sealed.close()
