"""What the scheduler does for evidence: examines what is in quarantine, and tidies up after crashes."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor, Role
from app.database import Sessions
from app.errors import Trouble
from app.evidence import arrivals, examination, service
from app.evidence.examination import Verdict
from app.evidence.models import EvidenceFiling, File
from app.evidence.room import Room

LEASE = timedelta(minutes=5)
"""How long whoever took up a file has it to himself; after that he has died, and another tries."""
EXAMINATION_SECONDS = 60.0
MOST_ATTEMPTS = 3
ORPHAN = timedelta(days=1)
"""A stored file this old that no row knows was left by a transaction that failed."""
EXAMINER = Actor("scheduler", Role.ADMINISTRATOR)


def look_around(sessions: Sessions, room: Room, *, now: datetime) -> int:
    """Examine every file whose time has come; any number of schedulers share the work."""
    looked = 0
    while (digest := take_up(sessions, now)) is not None:
        with sessions() as session:
            verdict = _examined(room, session.get_one(File, digest), now)
        with sessions() as session:
            dropped = _conclude(session, digest, verdict, now)
            session.commit()
        if dropped is not None:
            room.shelf.remove(dropped)
        looked += 1
    return looked


def take_up(sessions: Sessions, now: datetime) -> str | None:
    """Take up the file that waits longest, so that nobody else does for a while."""
    with sessions() as session:
        file = session.scalars(
            select(File)
            .where(File.state == "quarantined", File.next_look_at <= now)
            .order_by(File.next_look_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if file is None:
            return None
        file.next_look_at = now + LEASE
        session.commit()
        return file.digest


def _examined(room: Room, file: File, now: datetime) -> Verdict:
    """Examine a stored file; one that cannot be read now is no attempt."""
    try:
        return examination.examine(
            lambda: service.opened(room, file, 0, file.size, now),
            clamav=room.clamav,
            seconds=EXAMINATION_SECONDS,
        )
    except Trouble:
        return Verdict(None, counts=False)


def _conclude(session: Session, digest: str, verdict: Verdict, now: datetime) -> str | None:
    """Let the verdict count, and tell everybody who filed it; give the name of what is to go."""
    file = session.get_one(File, digest, with_for_update=True)
    if file.state != "quarantined":
        return None
    file.attempts += verdict.counts
    if verdict.accepted is None and file.attempts >= MOST_ATTEMPTS:
        verdict = Verdict(accepted=False, reason="It could not be examined within the limits.")
    service.conclude(file, verdict, now)
    if verdict.accepted is None:
        return None
    dropped = None
    if not verdict.accepted:
        dropped, file.object, file.key_id, file.wrapped_key = file.object, None, None, None
    _tell(session, file, now)
    return dropped


def _tell(session: Session, file: File, now: datetime) -> None:
    """Write the outcome to the journal, once for each who filed it: none learns of the others."""
    filings = session.scalars(
        select(EvidenceFiling)
        .where(EvidenceFiling.digest == file.digest)
        .order_by(EvidenceFiling.id)
    ).all()
    for party in dict.fromkeys(one.party for one in filings):
        journal.append(
            session,
            actor=EXAMINER.name,
            action="evidence.examined",
            subject=f"evidence:{file.digest}",
            party=party,
            body={"digest": file.digest} | service.found(file),
            now=now,
        )


def tidy(sessions: Sessions, room: Room, *, now: datetime) -> int:
    """Remove what crashes have left: files on their way in, and files that no row knows."""
    swept = arrivals.sweep(room.arrivals, now)
    old = [name for name, stored_at in room.shelf.names() if now - stored_at > ORPHAN]
    for at in range(0, len(old), 1000):
        some = old[at : at + 1000]
        with sessions() as session:
            known = set(session.scalars(select(File.object).where(File.object.in_(some))))
        for name in set(some) - known:
            room.shelf.remove(name)
            swept += 1
    return swept
