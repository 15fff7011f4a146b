"""What became of the units of a license, by the last word on each."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.assessments.statements import report_statement_id

GONE = frozenset({"lost", "stolen", "destroyed", "returned", "disposed"})
TRANSFERRED = "transferred"
"""Final as well, once the authority has said that the transfer was authorized."""


class Disposition(NamedTuple):
    """What became of a unit, since when, and the statement that says so."""

    disposition: str
    at: datetime
    evidence: str


# Of two words about the same moment the one that reached us last counts. An authorization may be told
# by an event of its own about the same transfer.
_LATEST = text("""
WITH span AS (
    SELECT CAST(:as_of AS timestamptz) AS true_at, CAST(:known_at AS timestamptz) AS known_at
), said AS (
    SELECT serial, at, received_at, disposition, authorized, statement::text AS report, 0 AS number
    FROM custody, span
    WHERE license_id = :license AND disposition IS NOT NULL AND at <= true_at
      AND received_at <= known_at AND (corrected_at IS NULL OR corrected_at > known_at)
    UNION ALL
    SELECT subject, observed_at, received_at, facts->>'disposition', NULL, report_id::text, number
    FROM statements, span
    WHERE license_id = :license AND subject_kind = 'unit' AND source_kind <> 'custody'
      AND facts ? 'disposition' AND observed_at <= true_at AND received_at <= known_at
      AND (superseded_at IS NULL OR superseded_at > known_at) AND grade <> 'F'
), latest AS (
    SELECT DISTINCT ON (serial) * FROM said ORDER BY serial, at DESC, received_at DESC, report
)
SELECT l.*, EXISTS (
    SELECT FROM said s WHERE s.serial = l.serial AND s.at = l.at AND s.authorized
      AND s.disposition = 'transferred'
) AS allowed
FROM latest l
""")


def dispositions_of(
    session: Session,
    license_id: int,
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> dict[str, Disposition]:
    """Say what became of each unit of which anybody said so, by serial number; anonymous words apart.

    A unit of which nobody said anything is missing here: nobody knows.
    """
    rows = _rows(session, license_id, as_of, known_at)
    return {serial: _show(row) for serial, row in rows.items()}


def final_of(
    session: Session,
    license_id: int,
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> dict[str, Disposition]:
    """Say the same of the units that are gone for good: nobody need hear of them any more."""
    rows = _rows(session, license_id, as_of, known_at)
    return {serial: _show(row) for serial, row in rows.items() if _is_final(row)}


def _rows(
    session: Session, license_id: int, as_of: datetime | None, known_at: datetime | None
) -> Mapping[str, Any]:
    span = {"as_of": as_of or "infinity", "known_at": known_at or "infinity"}
    return {row.serial: row for row in session.execute(_LATEST, {"license": license_id, **span})}


def _is_final(row: Any) -> bool:
    return row.disposition in GONE or (row.disposition == TRANSFERRED and bool(row.allowed))


def _show(row: Any) -> Disposition:
    evidence = report_statement_id(row.report, row.number)
    return Disposition(row.disposition, row.at, evidence)
