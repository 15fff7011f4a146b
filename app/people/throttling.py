"""Slows down who guesses, without shutting out whose name is guessed at.

Failures are counted by name and by address. A browser in which the person signed in before carries a
cookie of its own and is counted by that alone: an attacker elsewhere cannot make its owner wait (OWASP,
"Slow down online guessing attacks with device cookies").
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.people import patience, rules
from app.people.models import Device, Person, SignInCounter
from app.people.patience import Allowance
from app.people.sessions import digest

DEVICE_FOR = timedelta(days=365)


class Counted(NamedTuple):
    """What failures are counted by."""

    digest: bytes
    allowance: Allowance


def by_name(sign_in: str) -> Counted:
    """Count by a sign-in name, whether anybody has it or not."""
    return Counted(_hash(f"name:{sign_in}"), patience.OF_A_NAME)


def by_address(host: str | None) -> Counted:
    """Count by where a request comes from."""
    return Counted(_hash(f"address:{patience.address_block(host)}"), patience.OF_AN_ADDRESS)


def by_device(device: Device) -> Counted:
    """Count by a browser that is known."""
    return Counted(_hash(f"device:{device.id}"), patience.OF_A_DEVICE)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def seconds_to_wait(session: Session, counted: Sequence[Counted], *, now: datetime) -> int:
    """Say how long nobody is heard; 0: go on. Attempts of one name or address come one by one."""
    for one in sorted(counted):
        lock = int.from_bytes(one.digest[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(lock)))
    waits = session.scalars(
        select(SignInCounter.wait_until).where(
            SignInCounter.digest.in_([one.digest for one in counted]),
            SignInCounter.wait_until > now,
        )
    )
    return max((int((until - now).total_seconds()) + 1 for until in waits if until), default=0)


def failed(session: Session, counted: Sequence[Counted], *, now: datetime) -> bool:
    """Count a failure; answers whether the journal is to be told."""
    told = False
    for one in sorted(counted):
        row = session.get(SignInCounter, one.digest)
        found = patience.failed(
            row.failures if row else 0, row.last_failed_at if row else None, one.allowance, now
        )
        told = told or found.to_be_told
        values = {
            "failures": found.count,
            "last_failed_at": now,
            "wait_until": found.wait_until,
        }
        session.execute(
            insert(SignInCounter)
            .values(digest=one.digest, **values)
            .on_conflict_do_update(index_elements=["digest"], set_=values)
        )
    return told


def succeeded(session: Session, one: Counted) -> None:
    """Forget the failures of a name or device whose owner has come."""
    row = session.get(SignInCounter, one.digest)
    if row is not None:
        row.failures, row.wait_until = 0, None


def device_of(session: Session, token: str | None, person: Person, now: datetime) -> Device | None:
    """Find the device a cookie names, if this person signed in there before."""
    if token is None:
        return None
    return session.scalars(
        select(Device).where(
            Device.digest == digest(token),
            Device.person_id == person.id,
            Device.revoked_at.is_(None),
            Device.expires_at > now,
        )
    ).one_or_none()


def know_device(session: Session, person: Person, now: datetime) -> str:
    """Know a browser from now on; answers with the token of its cookie."""
    token = secrets.token_urlsafe(32)
    session.add(
        Device(
            id=rules.mint_id(),
            digest=digest(token),
            person_id=person.id,
            made_at=now,
            expires_at=now + DEVICE_FOR,
            revoked_at=None,
        )
    )
    return token


def forget_devices(session: Session, person: Person, now: datetime) -> None:
    """Know no browser of a person any more."""
    session.execute(
        update(Device)
        .where(Device.person_id == person.id, Device.revoked_at.is_(None))
        .values(revoked_at=now)
    )
