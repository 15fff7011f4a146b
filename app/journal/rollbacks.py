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
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.journal.models import LogKey, SignedCheckpoint
from app.journal.notes import Checkpoint, Verifier
from app.journal.service import append

TOPIC = "log"
RESTORED, FOUND = "journal.restored", "journal.rollback_found"
RESUMED, ACCEPTED = "journal.resumed", "journal.rolled_back"
KEY_MISSING, KEY_RETURNED = "log.key_missing", "log.key_returned"

_TOLD = text("""
SELECT action, subject, body FROM (
    SELECT 0 AS later, seq AS at, action, subject, body FROM journal WHERE topic = :topic
    UNION ALL
    SELECT 1, id, action, subject, body FROM journal_pending WHERE topic = :topic
) AS told ORDER BY later, at
""")
_HEAD = text("SELECT seq, sealed FROM journal_head")
_DEPOSE = text("UPDATE journal_head SET epoch = epoch + 1")


class LogRolledBack(Conflict):
    """The log signed a checkpoint that it does not hold: a restore took it back behind it."""


class LogNotHeld(Conflict):
    """The log signs; there is nothing to resume."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the journal tells of its log: whether signing waits, and names not to be signed for."""

    waits: bool
    """Whether it was restored, and nobody has said how it goes on."""
    found: dict[str, Any] | None
    """What it signed and does not hold, as the journal tells it, unless that was accepted."""
    retired: frozenset[str]
    keyless: bool
    """Whether it was told that the key is not there."""

    @property
    def held(self) -> bool:
        """Whether nothing is signed until people have decided."""
        return self.waits or self.found is not None


def standing(connection: Connection) -> Standing:
    """Read what is decided about the log, also what has no number yet."""
    lacking: dict[str, Any] | None = None
    retired: set[str] = set()
    waits = keyless = False
    for row in told(connection):
        if row.action in {RESTORED, RESUMED, ACCEPTED}:
            waits = row.action == RESTORED
        if row.action in {KEY_MISSING, KEY_RETURNED}:
            keyless = row.action == KEY_MISSING
        if row.action == FOUND:
            lacking = row.body["seen"]
        elif row.action == ACCEPTED:
            lacking = None
            retired |= set(row.body["retired"])
    return Standing(waits, lacking, frozenset(retired), keyless)


def told(connection: Connection) -> Sequence[Any]:
    """Read what the journal tells of its log, oldest first."""
    return connection.execute(_TOLD, {"topic": TOPIC}).all()


def holds(connection: Connection, seen: Checkpoint) -> bool:
    """Say whether a checkpoint is one of those that this database has of its log.

    Every checkpoint is a row there, committed before anybody can see it.
    """
    row = SignedCheckpoint.__table__.c
    root = connection.scalar(select(row.root).where(row.size == seen.size))
    return root is not None and bytes(root) == seen.root


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
        _tell(session, FOUND, _here(session) | {"seen": _named(seen)}, actor, now)


def key_missing(session: Session, *, actor: str, now: datetime) -> None:
    """Tell that the log cannot sign for want of its key, once until that is over."""
    if not standing(session.connection()).keyless:
        key = {"key": str(known_keys(session)[-1])}
        _tell(session, KEY_MISSING, _here(session) | key, actor, now)


def key_returned(session: Session, *, actor: str, now: datetime) -> None:
    """Tell that the log has a key again."""
    _tell(session, KEY_RETURNED, _here(session), actor, now)


def resume(session: Session, *, ground: str, actor: str, now: datetime) -> None:
    """Go on under the same name: nothing was signed after the copy.

    Raises LogNotHeld, and LogRolledBack when it is known that something was.
    """
    stands = standing(session.connection())
    if not stands.held:
        raise LogNotHeld("The log is not held; a scheduler with its key signs.")
    if stands.found is not None:
        raise LogRolledBack(
            f"{stands.found['origin']} signed for {stands.found['size']:,} entries, and that checkpoint is "
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
        "from": lacking if seen is None else _named(seen),
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


def _named(seen: Checkpoint) -> dict[str, Any]:
    return {"origin": seen.origin, "size": seen.size, "root": _packed(seen.root)}


def _packed(root: bytes) -> str:
    return base64.b64encode(bytes(root)).decode()


def _tell(session: Session, action: str, body: dict[str, Any], actor: str, now: datetime) -> None:
    known = known_keys(session)
    subject = f"log:{known[-1].name if known else 'unnamed'}"
    append(session, actor=actor, action=action, subject=subject, body=body, now=now, topic=TOPIC)
