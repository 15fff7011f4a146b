"""How much one sender may file in 24 hours: readings and reports.

What counts is what is on file. Each process sums it up by the hour, looks again at the hours that
are not over after ten seconds, and adds what it has taken itself meanwhile. So with one process the
quota is exact but for what is under way; with several, one may take what another took within the
last ten seconds beside it. Whoever has used an hour's worth gets it back 24 hours after that hour.
"""

import math
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access.rules import Actor
from app.errors import TooMany
from app.lanes import note_refusal
from app.reports.models import ReadingBatch, Report
from app.settings import Settings

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
LOOK_AGAIN = timedelta(seconds=10)
STILL_OPEN = timedelta(minutes=5)
"""A request is committed within this time of its coming in, so older hours change no more."""
SENDERS = 10_000


class ReadingsQuotaUsed(TooMany):
    """So many readings came within 24 hours that this batch is too much; nothing was stored."""


class ReportsQuotaUsed(TooMany):
    """So many reports came within 24 hours that no more are taken for now; nothing was stored."""


@dataclass(slots=True)
class Count:
    """What one sender has filed, by the hour it came in."""

    hours: dict[datetime, int] = field(default_factory=dict)
    looked_at: datetime | None = None

    def used(self, now: datetime) -> int:
        """Sum up the hours that still count."""
        return sum(number for hour, number in self.hours.items() if hour + HOUR > now - DAY)

    def seconds_until(self, more: int, quota: int, now: datetime) -> int:
        """Say when so many more will fit: once enough of the oldest hours are a day gone."""
        over = self.used(now) + more - quota
        for hour in sorted(self.hours):
            ends = hour + HOUR + DAY
            if ends > now:
                over -= self.hours[hour]
                if over <= 0:
                    return max(1, math.ceil((ends - now).total_seconds()))
        return int(DAY.total_seconds())

    def since(self, now: datetime) -> datetime:
        """Say from when on the file must be looked at: from the first hour that may have changed."""
        first = now - DAY - HOUR
        if self.looked_at is None:
            return hour_of(first)
        return max(hour_of(first), hour_of(self.looked_at - STILL_OPEN))

    def take_over(self, found: dict[datetime, int], since: datetime, now: datetime) -> None:
        """Replace what was counted from `since` on by what was found on file."""
        kept = {
            hour: number
            for hour, number in self.hours.items()
            if hour < since and hour + HOUR > now - DAY
        }
        self.hours = kept | found
        self.looked_at = now


def hour_of(moment: datetime) -> datetime:
    """Cut off what is beyond the full hour (UTC)."""
    return moment.replace(minute=0, second=0, microsecond=0)


class Daily:
    """Keeps the counts of one process; called from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._readings, self._reports = settings.readings_a_day, settings.reports_a_day
        self._counts: dict[tuple[str, str], Count] = {}
        self._lock = threading.Lock()

    def admit_readings(self, session: Session, number: int, actor: Actor, now: datetime) -> None:
        """Refuse a batch as a whole when it is too much. Raises ReadingsQuotaUsed."""
        wait = self._admit(session, "readings", number, self._readings, actor, now)
        if wait is not None:
            refused = ReadingsQuotaUsed(
                f"At most {self._readings:,} readings are taken of one sender in 24 hours, and with "
                f"these {number:,} there would be more. Send this batch again after Retry-After."
            )
            refused.wait = wait
            raise refused

    def admit_report(self, session: Session, actor: Actor, now: datetime) -> None:
        """Refuse a report beyond the quota. Raises ReportsQuotaUsed."""
        wait = self._admit(session, "reports", 1, self._reports, actor, now)
        if wait is not None:
            refused = ReportsQuotaUsed(
                f"At most {self._reports:,} reports are taken of one sender in 24 hours. Send this "
                "one again after Retry-After."
            )
            refused.wait = wait
            raise refused

    def took(self, what: str, number: int, actor: Actor, now: datetime) -> None:
        """Count what was taken; should its commit fail, the next look at the file corrects it."""
        with self._lock:
            count = self._counts.get((what, actor.owner))
            if count is not None:
                hour = hour_of(now)
                count.hours[hour] = count.hours.get(hour, 0) + number

    def _admit(
        self, session: Session, what: str, number: int, quota: int, actor: Actor, now: datetime
    ) -> int | None:
        """Give None when so many more fit, or the seconds until they will."""
        with self._lock:
            if len(self._counts) >= SENDERS:
                self._counts.clear()
            count = self._counts.setdefault((what, actor.owner), Count())
            since = count.since(now)
            old = count.looked_at is None or abs(now - count.looked_at) >= LOOK_AGAIN
        if old:
            found = on_file(session, what, actor.owner, since)
            with self._lock:
                count.take_over(found, since, now)
        with self._lock:
            if count.used(now) + number <= quota:
                return None
            wait = count.seconds_until(number, quota, now)
        note_refusal("quota", f"{what}_a_day", actor.owner)
        return wait


def on_file(session: Session, what: str, owner: str, since: datetime) -> dict[datetime, int]:
    """Sum up by the hour what a sender has filed since then."""
    table = ReadingBatch if what == "readings" else Report
    number = func.sum(ReadingBatch.accepted) if what == "readings" else func.count()
    hour = func.date_trunc("hour", table.received_at)
    rows = session.execute(
        select(hour, number)
        .select_from(table)
        .where(table.owner == owner, table.received_at >= since)
        .group_by(hour)
    )
    return {moment: int(total) for moment, total in rows}
