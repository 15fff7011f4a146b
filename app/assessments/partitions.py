"""The monthly partitions of readings, made ahead; a default one takes whatever has no month yet."""

from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

LOCK = 0x70617274  # "part"

_EXISTS = text("SELECT to_regclass(:name) IS NOT NULL")


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
    """Make one month's partition, unless it is there."""
    name = f"readings_{month:%Y_%m}"
    if session.scalar(_EXISTS, {"name": name}):
        return None
    index = month.year * 12 + month.month
    following = date(index // 12, index % 12 + 1, 1)
    span = f"observed_at >= '{month}+00' AND observed_at < '{following}+00'"
    session.execute(text(f"CREATE TABLE {name} (LIKE readings INCLUDING DEFAULTS)"))
    session.execute(
        text(
            f"WITH moved AS (DELETE FROM readings_default WHERE {span} RETURNING *) "  # noqa: S608
            f"INSERT INTO {name} SELECT * FROM moved"
        )
    )
    session.execute(
        text(
            f"ALTER TABLE readings ATTACH PARTITION {name} "
            f"FOR VALUES FROM ('{month}+00') TO ('{following}+00')"
        )
    )
    return name
