"""Checkpoints of this log that somebody kept elsewhere: a witness, a filer, a verifier, a backup."""

import json
from collections.abc import Iterable, Sequence

from app.errors import Invalid
from app.journal.log import PROOF
from app.journal.notes import Checkpoint, Note, NoteUnfit, Verifier


class CheckpointUnfit(Invalid):
    """A file given as seen holds no checkpoint that this log or one of its witnesses signed."""


def read(content: str, verifiers: Iterable[Verifier]) -> list[Checkpoint]:
    """Read the checkpoints of a file: a checkpoint, a proof, a state of `verify`, or a manifest.

    Raises CheckpointUnfit when one is not signed by any of the keys.
    """
    trusted = list(verifiers)
    try:
        return [_read(written, trusted) for written in _notes(content)]
    except NoteUnfit as error:
        raise CheckpointUnfit(f"What is given as seen cannot be taken: {error}.") from error


def _read(written: str, trusted: Sequence[Verifier]) -> Checkpoint:
    note = Note.read(written)
    if not any(_signed(note, one) for one in trusted):
        raise NoteUnfit("no key that the restored log or its witnesses are known by signed it")
    return Checkpoint.read(note.text)


def _notes(content: str) -> list[str]:
    if content.lstrip().startswith("{"):
        try:
            told = json.loads(content)
        except ValueError as error:
            raise CheckpointUnfit("What is given as seen is not whole.") from error
        one = (told.get("journal") or {}).get("checkpoint")
        return [*told.get("checkpoints", []), *([one] if one else [])]
    if content.startswith(f"{PROOF}\n"):
        return [content.partition("\n\n")[2]]
    return [content]


def _signed(note: Note, verifier: Verifier) -> bool:
    signatures = note.by(verifier)
    for signature in signatures:
        verifier.check(signature, note.text)
    return bool(signatures)
