"""Condition coverage: of all conditions in force, how many were verified within their cadence.

Also how many are overdue for it, how many nobody ever spoke of, and how many can never be checked.
One query over all licenses counts; nothing is judged here.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.access.router import Reader
from app.assessments import standing
from app.clock import Now
from app.database import SessionDep, array
from app.errors import Invalid
from app.obligations.rules import PERIODIC
from app.wire import Moment, problems
from monitors import Grade, Monitor, Need, catalogue

router = APIRouter(prefix="/v1/coverage", tags=["compliance"])


class KindUnknown(Invalid):
    """There is no condition type of this name."""


class Source(StrEnum):
    """Where what verifies a kind comes from."""

    FACTS = "facts"
    READINGS = "readings"
    REPORTS = "reports"
    LEDGER = "ledger"
    FILE = "file"
    NOBODY = "nobody"


_COUNTED = text("""
WITH kinds AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:kinds AS jsonb))
             AS k(kind text, source text, duty boolean, awaits boolean, facts text[])
), chosen AS MATERIALIZED (
    SELECT id, tier, destination_countries AS countries FROM licenses
    WHERE state NOT IN ('draft', 'cancelled')
      AND (CAST(:party AS text) IS NULL OR exporter = :party)
      AND (CAST(:country AS text) IS NULL OR :country = ANY(destination_countries))
      AND (CAST(:tier AS bigint) IS NULL OR tier = :tier)
), begun AS MATERIALIZED (
    SELECT DISTINCT ON (c.license_id, c.key) c.license_id, c.key, c.kind, c.effective_from,
           c.effective_to
    FROM conditions c JOIN chosen l ON l.id = c.license_id
    WHERE c.effective_from <= :now AND (CAST(:kind AS text) IS NULL OR c.kind = :kind)
    ORDER BY c.license_id, c.key, c.version DESC
), force AS MATERIALIZED (
    SELECT b.license_id, b.key, b.kind, b.effective_from, k.source, k.duty, k.awaits, k.facts
    FROM begun b JOIN kinds k ON k.kind = b.kind
    WHERE b.effective_to IS NULL OR b.effective_to > :now
), heard AS MATERIALIZED (
    SELECT u.license_id, n.observed_at, n.grade, n.facts
    FROM units u JOIN chosen l ON l.id = u.license_id
    CROSS JOIN LATERAL (
        SELECT r.observed_at, r.grade, r.facts FROM readings r
        WHERE r.license_id = u.license_id AND r.serial = u.serial AND r.observed_at <= :now
        ORDER BY r.observed_at DESC LIMIT 1
    ) n
), newest AS MATERIALIZED (
    SELECT DISTINCT ON (f.license_id, f.key) f.license_id, f.key, h.observed_at, h.grade
    FROM force f JOIN heard h ON h.license_id = f.license_id AND h.observed_at >= f.effective_from
    WHERE f.source = 'readings' OR (f.source = 'facts' AND h.facts ?| f.facts)
    ORDER BY f.license_id, f.key, h.observed_at DESC, h.grade
), missing AS MATERIALIZED (
    SELECT f.* FROM force f LEFT JOIN newest n ON n.license_id = f.license_id AND n.key = f.key
    WHERE f.source = 'facts' AND n.key IS NULL
), told AS (
    SELECT * FROM newest
    UNION ALL
    SELECT f.license_id, f.key, o.observed_at, o.grade
    FROM missing f CROSS JOIN LATERAL (
        SELECT r.observed_at, r.grade FROM readings r
        WHERE r.license_id = f.license_id AND r.facts ?| f.facts
          AND r.observed_at >= f.effective_from AND r.observed_at <= :now
        ORDER BY r.observed_at DESC LIMIT 1
    ) o
    UNION ALL
    SELECT f.license_id, f.key, s.observed_at, s.grade
    FROM force f JOIN statements s ON s.license_id = f.license_id AND s.superseded_at IS NULL
         AND s.observed_at >= f.effective_from AND s.observed_at <= :now
    WHERE (f.source = 'facts' AND s.facts ?| f.facts)
       OR (f.source = 'reports' AND s.source_kind = ANY(CAST(:periodic AS text[])))
    UNION ALL
    SELECT f.license_id, f.key, e.recorded_at, 'E'
    FROM force f JOIN ledger_entries e ON e.license_id = f.license_id WHERE f.source = 'ledger'
    UNION ALL
    SELECT f.license_id, f.key, coalesce(o.met_at, o.awaited_from), 'E'
    FROM force f JOIN obligations o ON o.license_id = f.license_id AND o.key = f.key
    WHERE f.awaits AND o.what = 'file'
      AND (o.met_at IS NOT NULL OR o.awaited_from > f.effective_from)
), best AS (
    SELECT DISTINCT ON (license_id, key) license_id, key, observed_at, grade FROM told
    ORDER BY license_id, key, observed_at DESC, grade
), late AS (
    SELECT DISTINCT license_id, key FROM obligations WHERE state = 'overdue'
)
SELECT f.kind, l.tier, l.countries, b.grade,
       CASE WHEN f.source = 'nobody' THEN 'never_checkable'
            WHEN b.observed_at IS NULL THEN 'never_heard'
            WHEN late.key IS NOT NULL THEN 'lapsed'
            WHEN f.duty OR b.observed_at >= CAST(:now AS timestamptz)
                 - CASE l.tier WHEN 1 THEN CAST(:one AS interval)
                   WHEN 2 THEN CAST(:two AS interval) ELSE CAST(:three AS interval) END
            THEN 'verified' ELSE 'lapsed' END AS state,
       count(*) AS many
FROM force f JOIN chosen l ON l.id = f.license_id
LEFT JOIN best b ON b.license_id = f.license_id AND b.key = f.key
LEFT JOIN late ON late.license_id = f.license_id AND late.key = f.key
GROUP BY 1, 2, 3, 4, 5
""")


class Counted(BaseModel):
    """Conditions in force, by what is known of them. `share` is verified of in force, 0 to 1.

    A condition `lapsed` was verified once, but longer ago than its cadence, or something is overdue.
    """

    in_force: int = 0
    verified: int = 0
    lapsed: int = 0
    never_heard: int = 0
    never_checkable: int = 0
    share: float | None = None


class CoverageOut(BaseModel):
    """Condition coverage over all licenses the caller may see.

    A license of several countries counts in each. `by_grade` counts the verified conditions by the
    grade of the newest evidence; `uncheckable` names kinds no available source can verify, and why.
    """

    as_of: Moment
    total: Counted
    by_kind: dict[str, Counted]
    by_country: dict[str, Counted]
    by_tier: dict[str, Counted]
    by_grade: dict[Grade, int]
    uncheckable: dict[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conditions are counted; None leaves nothing out."""

    kind: str | None = None
    country: str | None = None
    tier: int | None = None
    party: str | None = None


@router.get("", responses=problems(KindUnknown))
def read(
    reader: Reader,
    session: SessionDep,
    now: Now,
    kind: Annotated[str | None, Query(description="Only conditions of this kind")] = None,
    country: Annotated[
        str | None, Query(pattern="^[A-Z]{2}$", description="Only licenses to this country")
    ] = None,
    tier: Annotated[int | None, Query(ge=1, le=3)] = None,
) -> CoverageOut:
    """Say which share of the conditions in force was verified within its cadence."""
    return counted(session, Wanted(kind, country, tier, reader.reads_only), now=now)


def counted(session: Session, wanted: Wanted, *, now: datetime) -> CoverageOut:
    """Count conditions in force by what is known of them."""
    if wanted.kind is not None and wanted.kind not in catalogue():
        raise KindUnknown(
            f"{wanted.kind[:60]!r} is no condition type; see GET /v1/condition-types.",
            pointer="/kind",
        )
    rows = _rows(session, wanted, now)
    return CoverageOut(
        as_of=now,
        total=_by(rows, lambda _: ["all"]).get("all", Counted()),
        by_kind=_by(rows, lambda row: [row.kind]),
        by_country=_by(rows, lambda row: row.countries),
        by_tier=_by(rows, lambda row: [str(row.tier)]),
        by_grade=_grades(rows),
        uncheckable={
            kind: why
            for kind in sorted({row.kind for row in rows})
            if (why := why_not(catalogue()[kind]))
        },
    )


def _rows(session: Session, wanted: Wanted, now: datetime) -> Sequence[Any]:
    """Count conditions by kind, tier, countries, grade and state: a few rows, however many."""
    kinds = [
        {
            "kind": kind,
            "source": source_of(monitor),
            "duty": monitor.owes is not None or monitor.awaits is not None,
            "awaits": monitor.awaits is not None,
            "facts": sorted(standing.relevant(monitor)),
        }
        for kind, monitor in catalogue().monitors.items()
    ]
    asked = {
        "kinds": json.dumps(kinds),
        "periodic": array(sorted(PERIODIC)),
        "now": now,
        "one": standing.CADENCE[1],
        "two": standing.CADENCE[2],
        "three": standing.CADENCE[3],
    }
    return session.execute(_COUNTED, asked | asdict(wanted)).all()


def source_of(monitor: Monitor) -> Source:
    """Say where what verifies a kind comes from."""
    if Need.LEDGER in monitor.needs:
        return Source.LEDGER
    if standing.relevant(monitor):
        return Source.FACTS
    if monitor.awaits is not None:
        return Source.FILE
    if monitor.reads is not None:
        return Source.READINGS
    if monitor.owes is None:
        return Source.NOBODY
    return Source.REPORTS if Need.FILINGS in monitor.needs else Source.READINGS


def why_not(monitor: Monitor) -> str | None:
    """Say why a kind can never be checked; None if it can."""
    if source_of(monitor) is not Source.NOBODY:
        return None
    return "no source tells it"


def _by(rows: Iterable[Any], names: Callable[[Any], Iterable[str]]) -> dict[str, Counted]:
    """Add up counts under each name of a row."""
    found: dict[str, Counted] = {}
    for row in rows:
        for name in names(row):
            each = found.setdefault(name, Counted())
            each.in_force += row.many
            setattr(each, row.state, getattr(each, row.state) + row.many)
    for each in found.values():
        each.share = round(each.verified / each.in_force, 4)
    return dict(sorted(found.items()))


def _grades(rows: Iterable[Any]) -> dict[Grade, int]:
    """Count the verified conditions by grade, best first."""
    found = dict.fromkeys(Grade, 0)
    for row in rows:
        if row.state == "verified":
            found[Grade(row.grade)] += row.many
    return found
