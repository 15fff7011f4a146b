"""What was on file about a license at a time: true by `as_of`, and known by `known_at`.

Of each subject only the latest statement of each fact is read: what it says now is what counts.
"""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.assessments import statements
from app.assessments.statements import Units
from app.database import array
from monitors import Line, Statement, Subject, Unit, catalogue

DAY = timedelta(days=1)


class Then(NamedTuple):
    """A moment on two axes of time: what was true at `as_of`, as it was known at `known_at`.

    `past` says that something may have been learned since; if not, corrected statements, which are
    those of the past, need not be looked for.
    """

    as_of: datetime
    known_at: datetime
    past: bool = True


_READING = """
       r.serial, 'unit' AS subject_kind, r.observed_at, r.observed_at AS captured_at, r.received_at,
       'reading' AS source_kind, r.grade, r.said_by, NULL AS mode, NULL AS report, 0 AS number,
       r.facts::text AS facts
"""
_COUNTS = """
      r.observed_at >= :since AND r.observed_at <= :as_of AND r.received_at <= :known_at
"""
_NEWEST = text(f"""
SELECT n.* FROM units u CROSS JOIN LATERAL (
    SELECT {_READING} FROM readings r
    WHERE r.license_id = u.license_id AND r.serial = u.serial AND {_COUNTS}
    ORDER BY r.observed_at DESC LIMIT 1
) n WHERE u.license_id = :license
""")  # noqa: S608 made of the constants above

_OLDER = text(f"""
SELECT DISTINCT ON (r.serial, f.fact) {_READING}
FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS q(serial text, facts text[])
JOIN readings r ON r.license_id = :license AND r.serial = q.serial AND r.facts ?| q.facts
     AND {_COUNTS}
CROSS JOIN LATERAL unnest(q.facts) AS f(fact)
WHERE r.facts ? f.fact
ORDER BY r.serial, f.fact, r.observed_at DESC
""")  # noqa: S608 made of the constants above

_REPORTED = text("""
SELECT DISTINCT ON (t.subject_kind, t.subject, f.fact)
       t.subject AS serial, t.subject_kind, t.observed_at, t.captured_at, t.received_at,
       t.source_kind, t.grade, t.said_by, t.mode, t.report_id::text AS report, t.number,
       t.facts::text AS facts
FROM (SELECT * FROM statements WHERE license_id = :license AND superseded_at IS NULL
      UNION ALL
      SELECT * FROM statements
      WHERE CAST(:past AS boolean) AND license_id = :license AND superseded_at > :known_at) t
CROSS JOIN LATERAL unnest(CAST(:facts AS text[])) AS f(fact)
WHERE t.observed_at <= :as_of AND t.received_at <= :known_at AND t.facts ? f.fact
ORDER BY t.subject_kind, t.subject, f.fact, t.observed_at DESC, t.report_id DESC, t.number DESC
""")

_UNITS = text("""
SELECT serial, line, shipped_on, site, consignee, created_at FROM units
WHERE license_id = :license AND shipped_on <= :day AND created_at <= :known_at ORDER BY serial
""")

_LEDGER = text("""
SELECT l.line, l.unit, l.quantity, l.value_amount, l.value_currency,
       coalesce(sum(e.quantity), 0) AS shipped, coalesce(sum(e.value), 0) AS shipped_value,
       max(s.shipped_on) AS last_on,
       coalesce(array_agg(s.reference ORDER BY s.shipped_on, e.id)
                FILTER (WHERE e.id IS NOT NULL), '{}') AS shipments
FROM license_lines l
LEFT JOIN (ledger_entries e JOIN shipments s ON s.id = e.shipment_id)
     ON e.line_id = l.id AND e.account = 'shipped' AND e.recorded_at <= :known_at
     AND s.shipped_on <= :day
WHERE l.license_id = :license GROUP BY l.id ORDER BY l.line
""")

_FIRST = text("""
SELECT d.kind, d.subject_kind, d.subject, d.reason, min(o.observed_at) AS first
FROM deviations d JOIN occurrences o ON o.deviation_id = d.id
WHERE d.license_id = :license AND o.observed_at <= :as_of AND o.recorded_at <= :known_at
  AND (o.withdrawn_at IS NULL OR o.withdrawn_at > :known_at)
  AND (o.cleared_at IS NULL OR o.cleared_at > least(:as_of, :known_at))
  AND (d.closed_at IS NULL OR d.closed_at > :known_at)
GROUP BY 1, 2, 3, 4
""")


class Heard(NamedTuple):
    """The latest that states each fact, by subject, and the newest reading of each unit."""

    said: dict[Subject, list[Statement[Any]]]
    newest: dict[str, Statement[Any]]


def heard(
    session: Session, license_id: int, facts: frozenset[str], granted_on: date, then: Then
) -> Heard:
    """Read the latest statement of each fact about each subject; nothing counts before the grant."""
    since = datetime.combine(granted_on, time(), UTC) - DAY
    span = {"license": license_id, "since": since, **then._asdict()}
    newest = {
        row.serial: statements.dress(row, Subject("unit", row.serial))
        for row in session.execute(_NEWEST, span)
    }
    said: dict[Subject, list[Statement[Any]]] = {
        statement.subject: [statement] for statement in newest.values()
    }
    for row in (*_older(session, newest, facts, span), *_reported(session, facts, span)):
        subject = Subject(row.subject_kind, row.serial)
        said.setdefault(subject, []).append(statements.dress(row, subject))
    return Heard(said, newest)


def _older(
    session: Session,
    newest: dict[str, Statement[Any]],
    facts: frozenset[str],
    span: dict[str, Any],
) -> Iterable[Any]:
    """Look further back for the facts that the newest reading of a unit does not state."""
    words = catalogue().facts
    told_of_units = {name for name in facts if "unit" in words[name].scopes}
    wanted = [
        {"serial": serial, "facts": sorted(missing)}
        for serial, statement in newest.items()
        if (missing := told_of_units - statement.facts.__dict__.keys())
    ]
    if not wanted:
        return ()
    rows = session.execute(_OLDER, {"wanted": json.dumps(wanted), **span})
    return {(row.serial, row.observed_at): row for row in rows}.values()


def _reported(session: Session, facts: frozenset[str], span: dict[str, Any]) -> Iterable[Any]:
    rows = session.execute(_REPORTED, {"facts": array(sorted(facts)), **span})
    return {(row.report, row.number): row for row in rows}.values()


def units(session: Session, license_id: int, then: Then) -> tuple[Units, dict[str, datetime]]:
    """Read the units that were shipped by then, and since when each was on file here."""
    found: Units = {}
    since: dict[str, datetime] = {}
    span = {"license": license_id, "day": _day(then), "known_at": then.known_at}
    for row in session.execute(_UNITS, span):
        found[row.serial] = Unit(row.serial, row.line, row.shipped_on, row.site, row.consignee)
        since[row.serial] = row.created_at
    return found, since


def _day(then: Then) -> date:
    return then.as_of.astimezone(UTC).date()


def ledger(session: Session, license_id: int, then: Then) -> tuple[Line, ...]:
    """Add up what was drawn from each line by then, as far as it was declared by `known_at`."""
    span = {"license": license_id, "day": _day(then), "known_at": then.known_at}
    return tuple(
        Line(
            line=row.line,
            unit=row.unit,
            authorized_quantity=row.quantity,
            authorized_value=row.value_amount,
            currency=row.value_currency,
            shipped_quantity=Decimal(row.shipped),
            shipped_value=Decimal(row.shipped_value),
            last_shipped_on=row.last_on,
            shipments=tuple(row.shipments),
        )
        for row in session.execute(_LEDGER, span)
    )


def first_shown(
    session: Session, license_id: int, then: Then
) -> dict[str, dict[tuple[Subject, str], datetime]]:
    """Say since when breaches stood on record: by kind, then by subject and reason."""
    found: dict[str, dict[tuple[Subject, str], datetime]] = {}
    for row in session.execute(_FIRST, {"license": license_id, **then._asdict()}):
        key = (Subject(row.subject_kind, row.subject), row.reason)
        found.setdefault(row.kind, {})[key] = row.first
    return found
