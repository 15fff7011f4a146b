"""`endwatch keys`: making, listing and ending keys. Every change is told by the journal.

The journal's topic `access` makes running API processes forget the keys they remember.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import service
from app.access.models import Key
from app.access.router import scopes_of
from app.access.rules import Actor, Role
from app.cli import databases
from app.people import keys
from app.settings import Settings

ACTOR = Actor("cli", Role.ADMINISTRATOR)


def print_new(
    settings: Settings,
    role: Role,
    *,
    party: str | None,
    label: str,
    expires_days: int | None,
    scopes: list[str] | None = None,
    now: datetime,
) -> int:
    """Make a key and print its token alone on one line."""
    from app.main import ROUTERS  # all of the application, which only scopes need

    keys.check_scopes(scopes, scopes_of(ROUTERS) if scopes else frozenset())
    expires_at = None if expires_days is None else now + timedelta(days=expires_days)
    with databases.sessions(settings) as sessions, sessions() as session:
        token = add(
            session,
            role,
            party=party,
            label=label,
            expires_at=expires_at,
            scopes=scopes,
            now=now,
        )
        session.commit()
    print(token)
    return 0


def print_all(settings: Settings, *, now: datetime) -> int:
    """Print every key, oldest first, without its secret."""
    with databases.sessions(settings) as sessions, sessions() as session:
        rows = [_row(key, now) for key in session.scalars(select(Key).order_by(Key.created_at))]
    header = ("id", "role", "party", "state", "made", "ends", "scopes", "label")
    for line in table([header, *rows]):
        print(line)
    return 0


def end(settings: Settings, id: str, *, now: datetime) -> int:
    """Revoke a key."""
    with databases.sessions(settings) as sessions, sessions() as session:
        key = service.revoke(session, id, now=now)
        keys.tell(session, key, "key.revoked", ACTOR, now)
        session.commit()
    print(f"{key.id} is revoked")
    return 0


def add(
    session: Session,
    role: Role,
    *,
    party: str | None,
    label: str,
    expires_at: datetime | None,
    scopes: list[str] | None = None,
    now: datetime,
) -> str:
    """Make a key in the caller's transaction, and give its token."""
    key, token = service.issue(
        session, role, party=party, label=label, now=now, expires_at=expires_at, scopes=scopes
    )
    keys.tell(session, key, "key.issued", ACTOR, now)
    return token


def _row(key: Key, now: datetime) -> tuple[str, ...]:
    ended = key.expires_at is not None and key.expires_at <= now
    state = "revoked" if key.revoked_at else "expired" if ended else "valid"
    ends = f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "-"
    made = f"{key.created_at:%Y-%m-%d}"
    scopes = " ".join(key.scopes) if key.scopes else "-"
    return (key.id, key.role, key.party or "-", state, made, ends, scopes, key.label or "-")


def table(rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    """Line cells up in columns."""
    kept = list(rows)
    widths = [max(map(len, column)) for column in zip(*kept, strict=True)]
    for row in kept:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
