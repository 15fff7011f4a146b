"""Alerts about what lasting silence led to: a duty or a check that stays away for too long.

Such an alert stands for the obligation or check itself, beside the deviations that it may have. It is
raised at the first rung that unsettles a party, escalates with the next, and is cleared when what was
awaited has come or nobody asks for it any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.alerts import service
from app.alerts.models import Alert
from app.alerts.schemas import AlertState
from app.parties.rules import Standing
from monitors import Severity


@dataclass(frozen=True, slots=True)
class Subject:
    """The obligation or check an alert is about. `party` may read it; the authority alone if empty."""

    what: Literal["obligation", "audit"]
    id: UUID
    title: str
    license: str
    party: str
    kind: str
    country: str


GRAVE: Mapping[Standing, Severity] = {
    Standing.UNVERIFIED: Severity.HIGH,
    Standing.LISTING_RECOMMENDED: Severity.CRITICAL,
}
"""How grave it is that a party has come to stand so. Policy of our own."""


def sound(
    session: Session, about: Subject, standing: Standing, *, actor: str, now: datetime
) -> bool:
    """Raise the alert, or let it escalate; answer whether that is news. The caller holds the subject."""
    severity = GRAVE[standing]
    alert = _of(session, about.what, about.id)
    change = _change(alert, severity)
    if change is None:
        return False
    if alert is None:
        alert = _new(about, now)
        session.add(alert)
    alert.severity, alert.rank = severity, service.RANK[severity]
    alert.state, alert.changed_at = AlertState.OPEN, now
    alert.title = f"{about.title}: {standing.replace('_', ' ')}"
    session.flush()
    service.tell(session, [(alert, change)], actor=actor, now=now)
    return True


def clear(
    session: Session, what: Literal["obligation", "audit"], id: UUID, *, actor: str, now: datetime
) -> bool:
    """Clear the alert about something, if one stands; answer whether one did."""
    alert = _of(session, what, id)
    if alert is None or alert.state != AlertState.OPEN:
        return False
    alert.state, alert.changed_at = AlertState.CLEARED, now
    session.flush()
    service.tell(session, [(alert, "cleared")], actor=actor, now=now)
    return True


def _of(session: Session, what: str, id: UUID) -> Alert | None:
    """Find the alert that is about a rung of this; one about a deviation is another."""
    column = Alert.obligation if what == "obligation" else Alert.audit
    return session.scalar(select(Alert).where(column == id, Alert.deviation.is_(None)))


def _change(alert: Alert | None, severity: Severity) -> str | None:
    if alert is None or alert.state != AlertState.OPEN:
        return "raised"
    before = service.RANK[Severity(alert.severity)]
    if service.RANK[severity] == before:
        return None
    return "escalated" if service.RANK[severity] > before else "changed"


def _new(about: Subject, now: datetime) -> Alert:
    return Alert(
        id=uuid4(),
        deviation=None,
        obligation=about.id if about.what == "obligation" else None,
        audit=about.id if about.what == "audit" else None,
        license=about.license,
        party=about.party,
        kind=about.kind,
        country=about.country,
        raised_at=now,
    )
