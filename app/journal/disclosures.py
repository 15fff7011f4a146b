"""Showing and erasing what the commitments in entries stand for."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import journal
from app.errors import Conflict, Unknown
from app.journal.commitments import FIELD, PREFIX
from app.journal.models import Disclosure, Entry
from app.wire import Moment, Out


class DisclosureOut(Out):
    """What a field of an entry stands for, with the salt that proves it; neither once erased.

    SHA-256 over the salt's bytes and the value in canonical JSON (RFC 8785) is the commitment.
    """

    field: str
    commitment: str
    salt: str | None
    value: Any
    erased_at: Moment | None


class DisclosureUnknown(Unknown):
    """That entry has no such field to erase."""


class ErasedAlready(Conflict):
    """What this field stood for is erased already."""


def find(session: Session, seq: int, field: str) -> Disclosure:
    """Find what a field of an entry stands for. Raises DisclosureUnknown."""
    body = session.scalar(select(Entry.body).where(Entry.seq == seq)) or {}
    held = body.get(field)
    row = None
    if isinstance(held, dict) and set(held) == {FIELD}:
        digest = bytes.fromhex(str(held[FIELD]).removeprefix(PREFIX))
        row = session.get(Disclosure, digest)
    if row is None:
        raise DisclosureUnknown(f"Entry {seq} has no field {field!r} that is kept apart.")
    return row


def listed(session: Session, seq: int) -> list[DisclosureOut]:
    """Show what the commitments of an entry stand for."""
    body = session.scalar(select(Entry.body).where(Entry.seq == seq)) or {}
    held = [
        name for name, value in body.items() if isinstance(value, dict) and set(value) == {FIELD}
    ]
    rows = [(name, find(session, seq, name)) for name in sorted(held)]
    return [
        DisclosureOut(
            field=name,
            commitment=f"{PREFIX}{row.commitment.hex()}",
            salt=row.salt.hex() if row.salt else None,
            value=json.loads(row.value) if row.value else None,
            erased_at=row.erased_at,
        )
        for name, row in rows
    ]


def erase(
    session: Session, seq: int, field: str, *, ground: str, actor: str, now: datetime
) -> None:
    """Destroy what a field of an entry stands for, and tell the journal that and why.

    Raises DisclosureUnknown, ErasedAlready.
    """
    row = find(session, seq, field)
    erased = session.scalar(
        update(Disclosure)
        .where(Disclosure.commitment == row.commitment, Disclosure.salt.is_not(None))
        .values(salt=None, value=None, erased_at=now)
        .returning(Disclosure.commitment)
    )
    if erased is None:
        raise ErasedAlready(f"{field!r} of entry {seq} was erased before.")
    journal.append(
        session,
        actor=actor,
        action="journal.erased",
        subject=f"entry:{seq}",
        body={"field": field, FIELD: f"{PREFIX}{row.commitment.hex()}", "ground": ground},
        now=now,
    )
