"""The keys of tests are made past the command that tells of them; here the journal is told."""

from datetime import datetime

import pytest
from sqlalchemy import select

from app.access.models import Key
from app.access.rules import Actor, Role
from app.database import Sessions
from app.journal.models import Entry, PendingEntry
from app.people import keys
from tests.conftest import Clock, Door, OpenDoor

ACTOR = Actor("cli", Role.ADMINISTRATOR)


def tell_of_keys(sessions: Sessions, now: datetime) -> None:
    """Tell the journal of every key that it does not know yet, as if it had been issued now."""
    with sessions.begin() as session:
        told = {
            one
            for table in (Entry, PendingEntry)
            for one in session.scalars(select(table.subject).where(table.action == "key.issued"))
        }
        for key in session.scalars(select(Key).order_by(Key.id)):
            if f"key:{key.id}" not in told:
                keys.tell(session, key, "key.issued", ACTOR, now)
                key.created_at = now


@pytest.fixture
def door(door: OpenDoor, owners: Sessions, time: Clock) -> OpenDoor:
    """Makes keys of which the journal is told, so that the database verifies; import it to use it."""

    def open_door(*given: str, **more: str) -> Door:
        opened = door(*given, **more)
        tell_of_keys(owners, time())
        return opened

    return open_door
