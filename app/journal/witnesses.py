"""Witnesses: parties outside who sign that they saw the tree only grow."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.errors import Invalid, Unknown
from app.journal import log
from app.journal.models import Cosignature, SignedCheckpoint
from app.journal.notes import COSIGNATURE, DASH, Checkpoint, Note, NoteUnfit, Verifier

CLOCKS_DIFFER = timedelta(minutes=10)
"""How far ahead of ours a witness's clock may be."""


class CheckpointUnknown(Unknown):
    """This log signed no such checkpoint."""


class CosignatureUnfit(Invalid):
    """No good cosignature of a witness the authority named is on this checkpoint."""


async def note_of(request: Request) -> str:
    """Read the body as the text of a note."""
    return (await request.body()).decode("utf-8", errors="replace")


NoteDep = Annotated[str, Depends(note_of)]


def named(setting: str) -> list[Verifier]:
    """Read the witnesses of the settings. Raises NoteUnfit when one is no witness's key."""
    found = [Verifier.read(one) for one in setting.replace(",", " ").split()]
    for one in found:
        if one.kind != COSIGNATURE:
            raise NoteUnfit(f"the key of {one.name} is not that of a witness (its kind is not 4)")
    return found


def keep(session: Session, written: str, setting: str, *, now: datetime) -> str:
    """Keep the cosignatures of named witnesses, and give the checkpoint with all it has.

    Raises CheckpointUnknown, CosignatureUnfit.
    """
    try:
        note = Note.read(written)
        stated = Checkpoint.read(note.text)
        good = [row for witness in named(setting) for row in _good(note, witness)]
    except NoteUnfit as error:
        raise CosignatureUnfit(f"{str(error).capitalize()}.") from error
    ours = session.get(SignedCheckpoint, stated.size)
    if ours is None or not ours.note.startswith(f"{note.text}\n"):
        raise CheckpointUnknown("Cosign what GET /log/checkpoint gives, word for word.")
    if not good:
        raise CosignatureUnfit(
            "It bears no cosignature of a witness that ENDWATCH_LOG_WITNESSES names."
        )
    for name, line, at in good:
        if at > now + CLOCKS_DIFFER:
            raise CosignatureUnfit(f"{name} signed at {at:%Y-%m-%d %H:%M} UTC, which has not come.")
        row = {"size": stated.size, "witness": name, "line": line, "cosigned_at": at}
        session.execute(insert(Cosignature).values(**row, recorded_at=now).on_conflict_do_nothing())
    return log.with_witnesses(session, ours)


def _good(note: Note, witness: Verifier) -> list[tuple[str, str, datetime]]:
    """Check a witness's cosignatures; give its key, the line and the time. Raises NoteUnfit."""
    found = []
    for signature in note.by(witness):
        seconds = witness.check(signature, note.text)
        packed = base64.b64encode(witness.id + signature).decode()
        line = f"{DASH} {witness.name} {packed}\n"
        found.append((str(witness), line, _time(seconds or 0)))
    return found


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise NoteUnfit("a cosignature names a time that no calendar has") from error
