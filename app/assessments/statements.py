"""Keeps what was stated, and hears it again as far back as a monitor asks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Table, insert, select, text, update
from sqlalchemy.orm import Session

from app.assessments.models import StatementRow
from app.database import array
from monitors import Grade, Source, Statement, Subject, Unit, catalogue

LONGEST = timedelta(days=3660)
INSTANT = timedelta(microseconds=1)
READING = "reading"
STATEMENTS = cast("Table", StatementRow.__table__)

_BEFORE = text("""
SELECT DISTINCT q.license_id, q.serial, s.*
FROM unnest(CAST(:licenses AS bigint[]), CAST(:serials AS text[]),
            CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[]))
     AS q(license_id, serial, since, until)
CROSS JOIN LATERAL (
    SELECT * FROM (
        (SELECT observed_at, observed_at AS captured_at, received_at, 'reading' AS source_kind,
                grade, said_by, NULL AS mode, NULL AS report, 0 AS number, facts::text AS facts
         FROM readings r
         WHERE r.license_id = q.license_id AND r.serial = q.serial
           AND r.observed_at >= q.since AND r.observed_at <= q.until
           AND (:stating = '' OR r.facts ? :stating)
         ORDER BY r.observed_at DESC LIMIT 1)
        UNION ALL
        (SELECT observed_at, captured_at, received_at, source_kind, grade, said_by, mode,
                report_id::text, number, facts::text
         FROM statements t
         WHERE t.license_id = q.license_id AND t.subject = q.serial AND t.subject_kind = 'unit'
           AND t.superseded_at IS NULL
           AND t.observed_at >= q.since AND t.observed_at <= q.until
           AND (:stating = '' OR t.facts ? :stating)
         ORDER BY t.observed_at DESC, t.report_id DESC, t.number DESC LIMIT 1)
    ) both_kinds ORDER BY observed_at DESC, report DESC NULLS LAST LIMIT 1
) s
""")

_SINCE = text("""
SELECT * FROM (
    SELECT serial, 'unit' AS subject_kind, observed_at, observed_at AS captured_at, received_at,
           'reading' AS source_kind, grade, said_by, NULL AS mode, NULL AS report, 0 AS number,
           facts::text AS facts
    FROM readings
    WHERE license_id = :license AND observed_at >= :since
      AND (CAST(:serials AS text[]) IS NULL OR serial = ANY(:serials))
    UNION ALL
    SELECT subject, subject_kind, observed_at, captured_at, received_at, source_kind, grade,
           said_by, mode, report_id::text, number, facts::text
    FROM statements
    WHERE license_id = :license AND observed_at >= :since AND superseded_at IS NULL
      AND (CAST(:serials AS text[]) IS NULL OR subject = ANY(:serials))
) both_kinds ORDER BY observed_at, serial COLLATE "C", report NULLS FIRST, number
""")


class Probe(NamedTuple):
    """Ask for the latest statement of a unit between two times."""

    license_id: int
    serial: str
    since: datetime
    until: datetime


def reading_id(serial: str, observed_at: str) -> str:
    """Name a reading within its license; the time in ISO 8601."""
    return f"reading:{serial}@{observed_at}"


def report_statement_id(report: UUID | str, number: int) -> str:
    """Name a statement of a report."""
    return f"report:{report}#{number}"


def order(statement: Statement[Any]) -> tuple[Any, ...]:
    """Sort statements as monitors hear them: by when they were true."""
    return (statement.observed_at, statement.subject.reference, statement.id)


def before(
    session: Session, probes: Sequence[Probe], stating: str
) -> dict[int, list[Statement[Any]]]:
    """Answer probes, by license: the latest statement in each span that states a fact."""
    if not probes:
        return {}
    rows = session.execute(
        _BEFORE,
        {
            "licenses": array([probe.license_id for probe in probes]),
            "serials": array([probe.serial for probe in probes]),
            "since": array([probe.since.isoformat() for probe in probes]),
            "until": array([probe.until.isoformat() for probe in probes]),
            "stating": stating,
        },
    )
    found: dict[int, list[Statement[Any]]] = {}
    for row in rows:
        found.setdefault(row.license_id, []).append(_statement(row, Subject("unit", row.serial)))
    return found


def since(
    session: Session, license_id: int, moment: datetime, serials: Iterable[str] | None
) -> list[Statement[Any]]:
    """Read everything stated on a license since a time, of all subjects or of some."""
    rows = session.execute(
        _SINCE,
        {
            "license": license_id,
            "since": moment,
            "serials": None if serials is None else list(serials),
        },
    )
    return [_statement(row, Subject(row.subject_kind, row.serial)) for row in rows]


_ANY_SINCE = text("""
SELECT EXISTS (
    SELECT FROM readings WHERE license_id = :license AND observed_at >= :since
      AND (CAST(:serials AS text[]) IS NULL OR serial = ANY(:serials))
) OR EXISTS (
    SELECT FROM statements WHERE license_id = :license AND observed_at >= :since
      AND superseded_at IS NULL
      AND (CAST(:serials AS text[]) IS NULL OR subject = ANY(:serials))
)
""")


def any_since(
    session: Session, license_id: int, moment: datetime, serials: Iterable[str] | None
) -> bool:
    """Say whether anything was stated on a license since a time, of all subjects or of some."""
    found = session.scalar(
        _ANY_SINCE,
        {
            "license": license_id,
            "since": moment,
            "serials": None if serials is None else list(serials),
        },
    )
    return bool(found)


def _statement(row: Any, subject: Subject) -> Statement[Any]:
    """Dress a stored row as a statement."""
    if row.report is None:
        id = reading_id(subject.reference, row.observed_at.isoformat())
    else:
        id = report_statement_id(row.report, row.number)
    words = catalogue()
    return Statement(
        id=id,
        subject=subject,
        facts=words.stated(words.facts_of(row.facts)),
        observed_at=row.observed_at,
        captured_at=row.captured_at,
        received_at=row.received_at,
        source=Source(row.source_kind, Grade(row.grade), row.said_by, row.mode),
    )


def dress(row: Any, subject: Subject) -> Statement[Any]:
    """Dress a row that another query of this folder found, with columns as `_SINCE` gives them."""
    return _statement(row, subject)


def store(
    session: Session,
    license_id: int,
    report_id: UUID,
    said: Sequence[tuple[Statement[Any], Mapping[str, Any]]],
) -> None:
    """Store the statements of a report with their facts as JSON."""
    rows = [
        {
            "license_id": license_id,
            "report_id": report_id,
            "number": number,
            "subject_kind": statement.subject.kind,
            "subject": statement.subject.reference,
            "observed_at": statement.observed_at,
            "captured_at": statement.captured_at,
            "received_at": statement.received_at,
            "source_kind": statement.source.kind,
            "grade": statement.source.grade,
            "said_by": statement.source.by,
            "mode": statement.source.mode,
            "facts": facts,
        }
        for number, (statement, facts) in enumerate(said)
    ]
    if rows:
        session.execute(insert(STATEMENTS), rows)


def supersede(session: Session, report_id: UUID, *, now: datetime) -> list[StatementRow]:
    """Mark the statements of a corrected report; they are kept, and heard no more."""
    session.execute(
        update(StatementRow)
        .where(StatementRow.report_id == report_id, StatementRow.superseded_at.is_(None))
        .values(superseded_at=now)
    )
    return list(session.scalars(select(StatementRow).where(StatementRow.report_id == report_id)))


_UNITS = text("""
SELECT license_id, serial, line, shipped_on, site, consignee FROM units
WHERE license_id = ANY(:ids)
""")
_SOME_UNITS = text("""
SELECT u.license_id, u.serial, u.line, u.shipped_on, u.site, u.consignee
FROM unnest(CAST(:licenses AS bigint[]), CAST(:serials AS text[])) AS q(license_id, serial)
JOIN units u ON u.license_id = q.license_id AND u.serial = q.serial
""")

Units = dict[str, Unit]


def units_of(session: Session, license_ids: Sequence[int]) -> dict[int, Units]:
    """Read all units of licenses."""
    return _units(session.execute(_UNITS, {"ids": list(license_ids)}))


def some_units(session: Session, wanted: Sequence[tuple[int, str]]) -> dict[int, Units]:
    """Read units by license and serial; what is not on its license is not in the answer."""
    pairs = {
        "licenses": array([pair[0] for pair in wanted]),
        "serials": array([pair[1] for pair in wanted]),
    }
    return _units(session.execute(_SOME_UNITS, pairs))


def _units(rows: Iterable[Any]) -> dict[int, Units]:
    found: dict[int, Units] = {}
    for license_id, serial, line, shipped_on, site, consignee in rows:
        found.setdefault(license_id, {})[serial] = Unit(serial, line, shipped_on, site, consignee)
    return found


def units_from(rows: Iterable[Sequence[Any]]) -> Units:
    """Read units as a query collected them as JSON: serial, line, day shipped, site, consignee."""
    return {
        serial: Unit(serial, line, date.fromisoformat(shipped_on), site, consignee)
        for serial, line, shipped_on, site, consignee in rows
    }
