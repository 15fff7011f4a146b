"""The monthly partitions of readings, made ahead; a default one takes whatever has no month yet."""

from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

LOCK = 0x70617274  # "part"


def months(now: datetime, ahead: int) -> list[date]:
    """List the first days of last month, this month and so many to come."""
    today = now.astimezone(UTC).date()
    index = today.year * 12 + today.month - 1
    return [date(at // 12, at % 12 + 1, 1) for at in range(index - 1, index + ahead + 1)]


def prepare(session: Session, *, now: datetime, ahead: int) -> list[str]:
    """Make the partitions of the months to come; answer the names of those that are new.

    Readings that are in the default partition for such a month are moved into it.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    wanted = {*months(now, ahead), *_unsorted(session)}
    return [name for month in sorted(wanted) if (name := _make(session, month))]


def _unsorted(session: Session) -> list[date]:
    """List the months of readings that came before their month had a partition."""
    found = session.scalars(
        text(
            "SELECT DISTINCT date_trunc('month', observed_at AT TIME ZONE 'UTC')::date "
            "FROM readings_default"
        )
    )
    return list(found)


def _make(session: Session, month: date) -> str | None:
    """Make one month's partition, unless it is there.

    A function of the database does it, with its owner's rights: the service owns no table.
    """
    made: str | None = session.scalar(
        text("SELECT make_month_of_readings(:month)"), {"month": month}
    )
    return made
