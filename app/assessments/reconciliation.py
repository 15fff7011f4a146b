"""Reads what is on file about the units of a license, and has it balanced."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.assessments import balance, dockets, service
from app.assessments.balance import (
    Account,
    Arrival,
    Gap,
    Heard,
    Line,
    Move,
    OnFile,
    Shipped,
    Sighting,
    Word,
)
from app.assessments.dispositions import dispositions_of
from app.licenses import service as licenses
from app.licenses.models import License
from app.licenses.rules import in_force
from app.shipments.models import Transfer

_log = structlog.get_logger()

SILENT_AFTER_DAYS = {1: 365, 2: 365, 3: 90}
"""Days without a word of a unit, by tier, as inventories are due; a heartbeat asks for more. Policy."""

_SHIPMENTS = text("""
SELECT s.reference, l.line, s.shipped_on, s.quantity,
       coalesce((SELECT array_agg(u.serial ORDER BY u.serial) FROM units u
                 WHERE u.shipment_id = s.id), '{}') AS serials
FROM shipments s JOIN license_lines l ON l.id = s.line_id
WHERE s.license_id = :license ORDER BY s.shipped_on, s.id
""")
_ARRIVALS = text("""
SELECT s.reference, d.said_by, d.arrived_on, d.quantity, d.serials, d.milestone
FROM deliveries d JOIN shipments s ON s.id = d.shipment_id
WHERE d.license_id = :license ORDER BY d.id
""")

# Anonymous words are no evidence that anybody heard of a unit.
_HEARD = text("""
SELECT DISTINCT ON (serial) serial, at, what FROM (
    SELECT u.serial, n.observed_at AS at, 'reading' AS what
    FROM units u CROSS JOIN LATERAL (
        SELECT r.observed_at FROM readings r
        WHERE r.license_id = u.license_id AND r.serial = u.serial AND r.observed_at <= :now
        ORDER BY r.observed_at DESC LIMIT 1
    ) n WHERE u.license_id = :license
    UNION ALL
    SELECT subject, observed_at, source_kind FROM statements
    WHERE license_id = :license AND subject_kind = 'unit' AND superseded_at IS NULL
      AND source_kind <> 'custody' AND grade <> 'F' AND observed_at <= :now
    UNION ALL
    SELECT i.serial, s.observed_at, s.source_kind || ' at ' || s.subject FROM statements s
    CROSS JOIN LATERAL jsonb_array_elements_text(s.facts->'sighted_serials') AS i(serial)
    WHERE s.license_id = :license AND s.facts ? 'sighted_serials' AND s.superseded_at IS NULL
      AND s.grade <> 'F' AND s.observed_at <= :now
    UNION ALL
    SELECT serial, at, 'custody' FROM custody
    WHERE license_id = :license AND corrected_at IS NULL AND at <= :now
      AND (disposition IS NOT NULL OR site IS NOT NULL OR to_party IS NOT NULL)
      AND source_kind <> 'authorization'
) heard ORDER BY serial, at DESC, what
""")
_SIGHTINGS = text("""
SELECT i.serial, s.subject AS site, s.observed_at AS at, s.source_kind, s.said_by, s.grade
FROM statements s CROSS JOIN LATERAL jsonb_array_elements_text(s.facts->'sighted_serials') AS i(serial)
WHERE s.license_id = :license AND s.subject_kind = 'site' AND s.facts ? 'sighted_serials'
  AND s.superseded_at IS NULL
UNION ALL
SELECT subject, facts->>'site', observed_at, source_kind, said_by, grade FROM statements
WHERE license_id = :license AND subject_kind = 'unit' AND facts ? 'site' AND superseded_at IS NULL
  AND source_kind <> 'custody'
UNION ALL
SELECT u.serial, n.facts->>'site', n.observed_at, 'reading', n.said_by, n.grade
FROM units u CROSS JOIN LATERAL (
    SELECT r.* FROM readings r
    WHERE r.license_id = u.license_id AND r.serial = u.serial AND r.observed_at <= :now
    ORDER BY r.observed_at DESC LIMIT 1
) n WHERE u.license_id = :license AND n.facts ? 'site'
""")
_MOVES = text("""
SELECT serial, site, at FROM custody
WHERE license_id = :license AND site IS NOT NULL AND corrected_at IS NULL
""")


def reconcile(
    session: Session, number: str, *, party: str | None, now: datetime
) -> tuple[License, Account]:
    """Balance a license as far as a party may see it."""
    license = licenses.read(session, number, party=party)
    account = balance.balance(_on_file(session, license, now), now)
    account.gaps.extend(_unacknowledged(session, license, now))
    return license, account


def _on_file(session: Session, license: License, now: datetime) -> OnFile:
    asked = {"license": license.id, "now": now}
    due = _due(session, license, now)
    return OnFile(
        lines=[Line(one.line, one.unit, one.quantity) for one in license.lines],
        shipments=[
            Shipped(
                row.reference,
                row.line,
                row.shipped_on,
                Decimal(row.quantity),
                tuple(row.serials),
                due.get(row.reference),
            )
            for row in session.execute(_SHIPMENTS, asked)
        ],
        arrivals=list(_arrivals(session, license)),
        words={
            serial: Word(one.disposition, one.at, one.evidence)
            for serial, one in dispositions_of(session, license.id, as_of=now).items()
        },
        heard={row.serial: Heard(row.at, row.what) for row in session.execute(_HEARD, asked)},
        sightings=[
            Sighting(
                row.serial,
                row.site,
                row.at,
                f"{row.source_kind.replace('_', ' ')} by {row.said_by}, grade {row.grade}",
            )
            for row in session.execute(_SIGHTINGS, asked)
        ],
        moves=[Move(*row) for row in session.execute(_MOVES, asked)],
        delivered_when=license.delivered_when,
        silent_after=_silent_after(session, license, now),
    )


def _arrivals(session: Session, license: License) -> Iterator[Arrival]:
    for row in session.execute(_ARRIVALS, {"license": license.id}):
        yield Arrival(
            row.reference,
            row.said_by,
            row.arrived_on,
            None if row.quantity is None else Decimal(row.quantity),
            tuple(row.serials),
            row.milestone,
            counts=row.milestone == license.delivered_when,
        )


def _due(session: Session, license: License, now: datetime) -> dict[str, datetime]:
    """Ask the conditions in force until when each shipment's delivery is awaited; the soonest."""
    docket = dockets.one(session, license)
    found: dict[str, datetime] = {}
    for versions in docket.rulings.values():
        ruling = in_force(versions, now)
        if ruling is None or ruling.kind != "delivery_verification":
            continue
        assert ruling.monitor.awaits is not None
        case = service.file_case(session, docket, ruling, now)
        try:
            for one in ruling.monitor.awaits(ruling.terms, case):
                found[one.item] = min(one.due_at, found.get(one.item, one.due_at))
        except Exception as error:
            _log.error("awaits_failed", kind=ruling.kind, license=license.number, exc_info=error)
    return found


def _silent_after(session: Session, license: License, now: datetime) -> timedelta:
    """Say how long a unit may be silent: as its heartbeat has it, else by the license's tier."""
    spans = [timedelta(days=SILENT_AFTER_DAYS[license.tier])]
    for versions in dockets.one(session, license).rulings.values():
        ruling = in_force(versions, now)
        if ruling is not None and ruling.kind == "heartbeat":
            terms: Any = ruling.terms
            spans.append(timedelta(hours=terms.every_hours + terms.grace_hours))
    return min(spans)


def _unacknowledged(session: Session, license: License, now: datetime) -> Sequence[Gap]:
    """Name the parties that units were authorized to pass to, and that have acknowledged nothing."""
    rows = session.scalars(
        select(Transfer)
        .where(
            Transfer.license_id == license.id,
            Transfer.acknowledgment_due_at.is_not(None),
            Transfer.acknowledged_at.is_(None),
        )
        .order_by(Transfer.id)
    ).all()
    gaps = []
    for row in rows:
        assert row.decided_at is not None
        assert row.acknowledgment_due_at is not None
        word = "due" if now < row.acknowledgment_due_at else "overdue since"
        told = (
            f"{row.to_party['reference']} may receive {len(row.serials)} units by {row.reference} and "
            f"has not acknowledged its conditions: {word} {row.acknowledgment_due_at:%Y-%m-%d %H:%M} UTC"
        )
        since = row.decided_at.date()
        gaps.append(Gap("not_acknowledged", None, None, since, told, row.acknowledgment_due_at))
    return gaps
