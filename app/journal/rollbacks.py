"""Whether the log may go on signing, after its database was restored from a copy.

A copy is of an earlier moment. A log that goes on from there under its old name signs two trees of
one size, and nobody can tell that from a forgery. So a log that was restored, or that finds a
checkpoint it signed and does not hold any more, signs nothing until people say how it goes on:

- nothing was signed after the copy was made: it goes on as it is (`resume`);
- or it was rolled back: that is told by the journal, and the log goes on under another name and key
  (`accept`). The old name is never signed for again.

Numbering and hashing never wait for this: entries are signed for afterwards. What is decided is
read from the journal itself (topic `log`), so that it holds for every machine.
"""

import base64
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.journal.models import LogKey, SignedCheckpoint
from app.journal.notes import Checkpoint, Note, NoteUnfit, Verifier
from app.journal.service import append

TOPIC = "log"
RESTORED, FOUND = "journal.restored", "journal.rollback_found"
RESUMED, ACCEPTED = "journal.resumed", "journal.rolled_back"

_TOLD = text("""
SELECT action, body FROM (
    SELECT 0 AS later, seq AS at, action, body FROM journal WHERE topic = :topic
    UNION ALL
    SELECT 1, id, action, body FROM journal_pending WHERE topic = :topic
) AS told ORDER BY later, at
""")
_HEAD = text("SELECT seq, sealed FROM journal_head")
_DEPOSE = text("UPDATE journal_head SET epoch = epoch + 1")


class LogRolledBack(Conflict):
    """The log signed a checkpoint that it does not hold: a restore took it back behind it."""


class LogNotHeld(Conflict):
    """The log signs; there is nothing to resume."""


class CheckpointUnfit(Invalid):
    """A file given as seen holds no checkpoint that this log or one of its witnesses signed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the journal tells of its log: whether signing waits, and names not to be signed for."""

    last: str | None
    found: dict[str, Any] | None
    """What it signed and does not hold, as the journal tells it, unless that was accepted."""
    retired: frozenset[str]

    @property
    def held(self) -> bool:
        """Whether nothing is signed until people have decided."""
        return self.last == RESTORED or self.found is not None


def standing(connection: Connection) -> Standing:
    """Read what is decided about the log, also what has no number yet."""
    told = connection.execute(_TOLD, {"topic": TOPIC}).all()
    lacking: dict[str, Any] | None = None
    retired: set[str] = set()
    for row in told:
        if row.action == FOUND:
            lacking = row.body["seen"]
        elif row.action == ACCEPTED:
            lacking = None
            retired |= set(row.body["retired"])
    return Standing(told[-1].action if told else None, lacking, frozenset(retired))


def holds(connection: Connection, seen: Checkpoint) -> bool:
    """Say whether a checkpoint is one of those that this database has of its log.

    Every checkpoint is a row there, committed before anybody can see it.
    """
    row = SignedCheckpoint.__table__.c
    root = connection.scalar(select(row.root).where(row.size == seen.size))
    return root is not None and bytes(root) == seen.root


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
    if content.startswith("c2sp.org/tlog-proof@v1\n"):
        return [content.partition("\n\n")[2]]
    return [content]


def _signed(note: Note, verifier: Verifier) -> bool:
    signatures = note.by(verifier)
    for signature in signatures:
        verifier.check(signature, note.text)
    return bool(signatures)


def known_keys(session: Session) -> list[Verifier]:
    """Give every key that the log is known to have signed with, the newest last."""
    return [Verifier.read(one) for one in session.scalars(select(LogKey.verifier).order_by("id"))]


def beyond(session: Session, seen: Sequence[Checkpoint]) -> Checkpoint | None:
    """Give the largest checkpoint seen of this log that the database does not hold."""
    names = {one.name for one in known_keys(session)}
    retired = standing(session.connection()).retired
    lacking = [
        one
        for one in seen
        if one.origin in names - retired and not holds(session.connection(), one)
    ]
    return max(lacking, key=lambda one: one.size, default=None)


def restored(session: Session, body: dict[str, Any], *, actor: str, now: datetime) -> None:
    """Tell that the database was restored from a copy; from now on nothing is signed."""
    _tell(session, RESTORED, _here(session) | body, actor, now)


def found(session: Session, seen: Checkpoint, *, actor: str, now: datetime) -> None:
    """Tell that the log signed what it does not hold, once; from now on nothing is signed."""
    if standing(session.connection()).found is None:
        _tell(session, FOUND, _here(session) | {"seen": _told(seen)}, actor, now)


def resume(session: Session, *, ground: str, actor: str, now: datetime) -> None:
    """Go on under the same name: nothing was signed after the copy.

    Raises LogNotHeld, and LogRolledBack when it is known that something was.
    """
    told = standing(session.connection())
    if not told.held:
        raise LogNotHeld("The log is not held; a scheduler with its key signs.")
    if told.found is not None:
        raise LogRolledBack(
            f"{told.found['origin']} signed for {told.found['size']:,} entries, and that checkpoint is "
            "not held here: the log cannot go on unchanged; see --accept-rollback."
        )
    _tell(session, RESUMED, _here(session) | {"ground": ground}, actor, now)
    session.execute(_DEPOSE)


def accept(
    session: Session,
    successor: Verifier,
    seen: Checkpoint | None,
    *,
    ground: str,
    actor: str,
    now: datetime,
) -> None:
    """Tell that the log was rolled back, and goes on under another name and key."""
    before = known_keys(session)
    lacking = standing(session.connection()).found
    body = {
        "from": lacking if seen is None else _told(seen),
        "retired": sorted({one.name for one in before} - {successor.name}),
        "before": str(before[-1]) if before else None,
        "key": str(successor),
        "ground": ground,
    }
    _tell(session, ACCEPTED, _here(session) | body, actor, now)
    session.execute(_DEPOSE)


def name_after(origin: str, now: datetime) -> str:
    """Give a log the name under which it goes on; chance keeps it from being used twice."""
    stem = re.sub(r"/[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{4}$", "", origin)
    return f"{stem}/{now:%Y-%m-%d}-{secrets.token_hex(2)}"


def _here(session: Session) -> dict[str, Any]:
    head = session.execute(_HEAD).one()
    last = session.execute(
        select(SignedCheckpoint.size, SignedCheckpoint.root)
        .order_by(SignedCheckpoint.size.desc())
        .limit(1)
    ).first()
    signed = None if last is None else {"size": last.size, "root": _packed(last.root)}
    return {"to": {"numbered": head.seq, "sealed": head.sealed, "signed": signed}}


def _told(seen: Checkpoint) -> dict[str, Any]:
    return {"origin": seen.origin, "size": seen.size, "root": _packed(seen.root)}


def _packed(root: bytes) -> str:
    return base64.b64encode(bytes(root)).decode()


def _tell(session: Session, action: str, body: dict[str, Any], actor: str, now: datetime) -> None:
    known = known_keys(session)
    subject = f"log:{known[-1].name if known else 'unnamed'}"
    append(session, actor=actor, action=action, subject=subject, body=body, now=now, topic=TOPIC)
