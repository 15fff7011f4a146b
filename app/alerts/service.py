"""Sounding alerts and telling dashboards of them, from the journal alone."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app import journal
from app.alerts.models import Alert
from app.alerts.schemas import AlertChange, AlertOut, AlertState, Count, Feed, Summary
from app.journal.models import Entry, Head
from app.wire import cursor, page_after
from app.wire.pages import CursorUnreadable
from monitors import Severity

RANK = {severity: rank for rank, severity in enumerate(Severity)}
TOPIC = "alert"


def tell(
    session: Session, changed: Iterable[tuple[Alert, str]], *, actor: str, now: datetime
) -> None:
    """Write changes of alerts to the journal, from which every feed is told."""
    journal.append_all(
        session,
        [
            {
                "recorded_at": now,
                "actor": actor,
                "action": f"alert.{change}",
                "subject": f"alert:{alert.id}",
                "party": alert.party,
                "topic": TOPIC,
                "body": AlertOut.model_validate(alert).model_dump(mode="json") | {"change": change},
            }
            for alert, change in changed
        ],
    )


def feed(
    session: Session,
    *,
    after: str | None,
    limit: int,
    severity: Severity | None,
    state: AlertState | None,
    country: str | None,
    party: str | None,
    now: datetime,
) -> Feed:
    """Read changes after a cursor, oldest first, as far as the caller may see them."""
    (since,) = page_after(after, int) or (0,)
    head = session.scalars(select(Head.alerts_seq)).one()
    if since > head:
        raise CursorUnreadable(
            "This cursor is ahead of the journal, which was restored from a backup. Start anew, "
            "without `after`.",
            pointer="/after",
        )
    query = (
        select(Entry)
        .where(Entry.topic == TOPIC, Entry.seq > since, Entry.seq <= head)
        .order_by(Entry.seq)
        .limit(limit)
    )
    wanted = {"severity": severity, "state": state, "country": country}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(Entry.body[name].astext == value)
    if party is not None:
        query = query.where(Entry.party == party)
    entries = list(session.scalars(query))
    last = entries[-1].seq if len(entries) == limit else max(head, since)
    return Feed(
        items=[AlertChange(seq=entry.seq, **entry.body) for entry in entries],
        next=cursor(last),
        as_of=now,
    )


def current(session: Session, *, party: str | None, limit: int, after: str | None) -> list[Alert]:
    """List open alerts, worst first, then oldest first; one more than `limit` tells of a next page."""
    query = (
        select(Alert)
        .where(Alert.state == AlertState.OPEN)
        .order_by(Alert.rank.desc(), Alert.raised_at, Alert.id)
        .limit(limit + 1)
    )
    if party is not None:
        query = query.where(Alert.party == party)
    keys = page_after(after, int, datetime, UUID)
    if keys is not None:
        rank, raised_at, id = keys
        same_rank = Alert.rank == rank
        query = query.where(
            (Alert.rank < rank)
            | (same_rank & (Alert.raised_at > raised_at))
            | (same_rank & (Alert.raised_at == raised_at) & (Alert.id > id))
        )
    return list(session.scalars(query))


def summary(session: Session, *, party: str | None, now: datetime) -> Summary:
    """Count alerts."""
    age = func.extract("epoch", now - Alert.raised_at) / 86_400
    ages = case((age < 1, "under 1 day"), (age < 7, "under 7 days"), (age < 30, "under 30 days"))
    by_state = _counts(session, Alert.state, party, opened=False)
    return Summary(
        open=sum(count.count for count in by_state if count.value == AlertState.OPEN),
        severity=_counts(session, Alert.severity, party),
        state=by_state,
        country=_counts(session, Alert.country, party),
        kind=_counts(session, Alert.kind, party),
        age=_counts(session, func.coalesce(ages, "30 days and more"), party),
        as_of=now,
    )


def _counts(
    session: Session, column: Any, party: str | None, *, opened: bool = True
) -> list[Count]:
    query = select(column.label("value"), func.count().label("count")).group_by("value")
    if opened:
        query = query.where(Alert.state == AlertState.OPEN)
    if party is not None:
        query = query.where(Alert.party == party)
    rows = session.execute(query.order_by(func.count().desc(), "value"))
    return [Count(value=value, count=count) for value, count in rows]
