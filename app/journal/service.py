"""Writing to the journal and reading it by number."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from app.journal import commitments
from app.journal.models import Entry, PendingEntry

PENDING = cast("Table", PendingEntry.__table__)


def append(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    body: dict[str, Any],
    now: datetime,
    party: str | None = None,
    topic: str | None = None,
    receipt: UUID | None = None,
    personal: Sequence[str] = (),
) -> None:
    """Record a change in its own transaction; the sequencer numbers it once that is committed.

    `receipt` is the name by which the filer asks for the proof. `personal` names fields of the body
    that are about a person: the entry holds commitments to them, so that they can be erased.
    """
    append_all(
        session,
        [
            {
                "recorded_at": now,
                "actor": actor,
                "action": action,
                "subject": subject,
                "party": party,
                "topic": topic,
                "receipt": receipt,
                "body": commitments.withheld(session, body, personal, now),
            }
        ],
    )


def append_all(session: Session, entries: list[dict[str, Any]]) -> None:
    """Record several changes in order, each with the columns of a pending entry."""
    if entries:
        # Who writes an entry may not be one who reads it, so nothing is asked back (`inline`).
        session.execute(insert(PENDING).inline(), entries)


def read(
    session: Session, *, after: int, limit: int, topic: str | None = None, party: str | None = None
) -> list[Entry]:
    """Read entries by number, oldest first, of one topic or party if asked."""
    query = select(Entry).where(Entry.seq > after).order_by(Entry.seq).limit(limit)
    if topic is not None:
        query = query.where(Entry.topic == topic)
    if party is not None:
        query = query.where(Entry.party == party)
    return list(session.scalars(query))
