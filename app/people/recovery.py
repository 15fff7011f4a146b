"""Recovery codes: ten, shown once, each for one sign-in in place of a passkey that was lost.

A code has 120 bits of chance, so a plain hash is enough (OWASP ASVS 5.0, 6.5.2: 112 bits or more).
"""

import secrets
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.people import sessions
from app.people.models import Person, RecoveryCode

CODES = 10
LETTERS = "023456789abcdefghjkmnpqrstuvwxyz"
"""32 that look different from each other; a letter o is read as the zero it was."""
GROUPS, GROUP = 6, 4


def make(session: Session, person: Person, *, now: datetime) -> list[str]:
    """Make new codes; all older ones end."""
    session.execute(
        update(RecoveryCode)
        .where(RecoveryCode.person_id == person.id, RecoveryCode.ended_at.is_(None))
        .values(ended_at=now)
    )
    codes = ["-".join(_group() for _ in range(GROUPS)) for _ in range(CODES)]
    session.add_all(
        RecoveryCode(
            person_id=person.id,
            digest=sessions.digest(_plain(code)),
            made_at=now,
            used_at=None,
            ended_at=None,
        )
        for code in codes
    )
    sessions.tell(session, person, "person.recovery_codes_made", {"codes": CODES}, now=now)
    return codes


def _group() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(GROUP))


def _plain(code: str) -> str:
    return "".join(letter for letter in code.casefold().replace("o", "0") if letter in LETTERS)


def use(session: Session, person: Person, code: str, *, now: datetime) -> bool:
    """Use a code up; says whether it was one."""
    used = session.scalars(
        update(RecoveryCode)
        .where(
            RecoveryCode.person_id == person.id,
            RecoveryCode.digest == sessions.digest(_plain(code)),
            RecoveryCode.used_at.is_(None),
            RecoveryCode.ended_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
    ).all()
    if used:
        body = {"left": left(session, person.id)}
        sessions.tell(session, person, "person.recovery_code_used", dict(body), now=now)
    return bool(used)


def left(session: Session, person_id: str) -> int:
    """Count the codes that still work."""
    query = (
        select(func.count())
        .select_from(RecoveryCode)
        .where(
            RecoveryCode.person_id == person_id,
            RecoveryCode.used_at.is_(None),
            RecoveryCode.ended_at.is_(None),
        )
    )
    return session.scalar(query) or 0
