"""What everything filed beside reports has in common: deliveries, custody, documents, screenings.

Whose word it is and what that is worth, that nothing of the future is taken, and that a reference
means one thing.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.access.once import difference
from app.access.rules import Actor, Role
from app.errors import Conflict, Invalid
from app.licenses import service as licenses
from app.licenses.models import License
from app.licenses.service import LicenseUnknown
from monitors import Grade

FIRST_TO_SEE_A_DAY = ZoneInfo("Pacific/Kiritimati")
"""Where a day begins first on earth: UTC+14, the Line Islands' time since 1994 (tz database)."""

CLOCKS_DIFFER = timedelta(minutes=10)
"""How far a sender's clock may be ahead of ours; as for reports."""


class NotYetCome(Invalid):
    """Only what has happened can be filed; this has not come yet."""


class ReferenceTaken(Conflict):
    """This reference belongs to an earlier filing that says something else, or to another author."""


class SecondPersonNeeded(Conflict):
    """Whoever filed this cannot decide on it."""


def grade_of(role: Role) -> Grade:
    """Grade by who files it: an inspector saw it; an exporter's word is unsigned.

    What a licensing officer files came from elsewhere, with nothing that shows by whom: as unsigned.
    """
    return Grade.A if role is Role.INSPECTOR else Grade.E


def author(actor: Actor) -> str:
    """Name whose word it is: the exporter's reference, or the role within the authority."""
    return actor.party or str(actor.role)


def digest(sent: Mapping[str, Any]) -> bytes:
    """Hash what was sent, whatever the order of its fields."""
    return hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).digest()


def check_day(day: date, now: datetime, pointer: str) -> None:
    """Refuse a day that has begun nowhere on earth yet."""
    if day > now.astimezone(FIRST_TO_SEE_A_DAY).date():
        raise NotYetCome(
            f"{day} has not come yet; the time here is {now.isoformat()}. Check the date, or file "
            "it when it has come.",
            pointer=pointer,
        )


def check_moment(moment: datetime, now: datetime, pointer: str, **more: Any) -> None:
    """Refuse the future; clocks may differ by ten minutes."""
    if moment > now + CLOCKS_DIFFER:
        raise NotYetCome(
            f"{moment.isoformat()} has not come yet; the time here is {now.isoformat()}. "
            "Check the clock and its time zone.",
            pointer=pointer,
            **more,
        )


def check_same(
    reference: str,
    earlier: Mapping[str, Any],
    sent: Mapping[str, Any],
    *,
    by: str,
    actor: Actor,
    **more: Any,
) -> None:
    """Refuse another filing under a reference that is on file, telling where they differ.

    The same words of another author are another filing: each source counts by itself.
    """
    if by != author(actor):
        raise ReferenceTaken(
            f"{reference} is on file from {by}. Use a reference of your own.",
            pointer="/reference",
            **more,
        )
    if earlier != sent:
        raise ReferenceTaken(
            f"{reference} is on file with other content. Use a new reference.",
            pointer="/reference",
            diff=difference(json.dumps(earlier).encode(), json.dumps(sent).encode()),
            **more,
        )


def seen(session: Session, number: str, *, party: str | None) -> License:
    """Find a license to read what is filed under it, as far as a party may see it."""
    license: License | None = session.scalar(licenses.visible(number, party))
    if license is None:
        raise LicenseUnknown(f"There is no license {number!r} here.")
    return license
