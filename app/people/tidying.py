"""Forgets what served a sign-in and serves nothing any more. What people did stands in the journal."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from app.database import Sessions
from app.people.models import Challenge, Device, PersonSession, SignInCounter

CHALLENGES_KEPT = timedelta(hours=1)
COUNTERS_KEPT = timedelta(days=2)
"""Longer than it takes to forgive as many failures as anybody can collect in that time."""
SESSIONS_KEPT = timedelta(days=90)


def tidy(sessions: Sessions, *, now: datetime) -> int:
    """Delete challenges, counters, devices and sessions that are long over; says how many."""
    long_over = select(PersonSession.id).where(PersonSession.ends_at < now - SESSIONS_KEPT)
    over = (
        delete(Challenge).where(
            (Challenge.expires_at < now - CHALLENGES_KEPT) | Challenge.session_id.in_(long_over)
        ),
        delete(SignInCounter).where(SignInCounter.last_failed_at < now - COUNTERS_KEPT),
        delete(Device).where(Device.expires_at < now),
        delete(PersonSession).where(PersonSession.id.in_(long_over)),
    )
    with sessions.begin() as session:
        connection = session.connection()
        return sum(connection.execute(one).rowcount for one in over)
