"""Commitments: entries hold these in place of what may have to be erased.

A commitment is SHA-256 over a random salt of 32 bytes and the value in canonical JSON. Who has both
can show what an entry said; once the salt is destroyed nobody can, not even by guessing, and the
entry, its hash and every proof stay as they were.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import rfc8785
from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.journal.models import Disclosure

PREFIX = "sha256:"
FIELD = "commitment"


def commit(salt: bytes, value: Any) -> bytes:
    """Hash a value so that it can be shown later and cannot be guessed."""
    return hashlib.sha256(salt + rfc8785.dumps(value)).digest()


def withheld(
    session: Session, body: dict[str, Any], fields: Iterable[str], now: datetime
) -> dict[str, Any]:
    """Put commitments into a body in place of fields, and keep what they stand for beside it."""
    rows, held = [], dict(body)
    for name in fields:
        if body.get(name) is None:
            continue
        salt = secrets.token_bytes(32)
        digest = commit(salt, body[name])
        rows.append(
            {
                "commitment": digest,
                "salt": salt,
                "value": rfc8785.dumps(body[name]).decode(),
                "recorded_at": now,
            }
        )
        held[name] = {FIELD: f"{PREFIX}{digest.hex()}"}
    if rows:
        session.execute(insert(Disclosure), rows)
    return held
