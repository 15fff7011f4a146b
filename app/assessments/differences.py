"""Compares what is found today with what is on record, and says what would change.

A finding on record and one made today are the same when fingerprint and source agree; it has
changed when severity, what was expected or what was observed differ. What a person has closed
stands as decided, whatever a monitor says of it now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.assessments.replaying import Span
from app.assessments.service import NO_FILE
from app.database import array
from app.deviations.rules import Found, sentence

APPEARED, VANISHED, CHANGED = "appeared", "vanished", "changed"
CHANGES = (APPEARED, VANISHED, CHANGED)

Key = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An occurrence on record that was not withdrawn. `stated_at`: when its statement was true."""

    deviation_id: UUID
    source: str
    fingerprint: bytes
    subject_kind: str
    subject: str
    reason: str
    observed_at: datetime
    severity: str
    expected: str
    observed: str
    sentence: str
    cleared: bool
    closed: bool
    stated_at: datetime | None

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return (self.fingerprint, self.source)

    @property
    def told(self) -> tuple[str, str, str]:
        """What is compared."""
        return (self.severity, self.expected, self.observed)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that would appear, vanish or change on a license; `was` is what is on record."""

    change: str
    license: str
    subject_kind: str
    subject: str
    reason: str
    source: str
    at: datetime
    sentence: str
    severity: str
    was: str | None = None


@dataclass(slots=True)
class Comparison:
    """What findings made today would change. `unclear` could not be assessed, and is only counted."""

    same: int = 0
    unclear: int = 0
    appeared: list[Found] = field(default_factory=list)
    changed: list[tuple[Recorded, Found]] = field(default_factory=list)
    vanished: list[Recorded] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anything would change."""
        return bool(self.appeared or self.changed or self.vanished)

    def listed(self, license: str) -> list[Difference]:
        """List the differences in order of time."""
        listed = [_difference(APPEARED, one) for one in self.appeared]
        listed += [_difference(CHANGED, one, was.sentence) for was, one in self.changed]
        listed += [_vanished(license, one) for one in self.vanished]
        return sorted(listed, key=_order)


def _order(one: Difference) -> tuple[Any, ...]:
    return (one.at, one.source, one.subject_kind, one.subject, one.reason)


def _difference(change: str, one: Found, was: str | None = None) -> Difference:
    finding = one.finding
    return Difference(
        change=change,
        license=one.license,
        subject_kind=finding.subject.kind,
        subject=finding.subject.reference,
        reason=finding.reason,
        source=one.source,
        at=finding.at,
        sentence=sentence(one.title, finding.subject, finding),
        severity=one.own_severity,
        was=was,
    )


def _vanished(license: str, one: Recorded) -> Difference:
    return Difference(
        change=VANISHED,
        license=license,
        subject_kind=one.subject_kind,
        subject=one.subject,
        reason=one.reason,
        source=one.source,
        at=one.observed_at,
        sentence=one.sentence,
        severity=one.severity,
    )


def compared(found: Iterable[Found], recorded: Iterable[Recorded]) -> Comparison:
    """Compare what was found with everything that is on record of the same."""
    known: dict[Key, Recorded] = {}
    for row in recorded:
        if row.key not in known or known[row.key].closed:
            known[row.key] = row
    groups: dict[Key, list[Found]] = {}
    for one in found:
        groups.setdefault((one.fingerprint, one.source), []).append(one)
    result = Comparison()
    for key, members in groups.items():
        _compare(result, known.get(key), members)
    shown = {fingerprint for fingerprint, _ in groups}
    result.vanished = [row for key, row in known.items() if key not in groups and _gone(row, shown)]
    return result


def _compare(result: Comparison, row: Recorded | None, members: Sequence[Found]) -> None:
    if row is None:
        result.appeared.append(members[-1])
    elif row.closed or any(_told(one) == row.told for one in members):
        result.same += 1
    else:
        result.changed.append((row, members[-1]))


def _told(one: Found) -> tuple[str, str, str]:
    return (one.own_severity, one.finding.expected, one.finding.observed)


def _gone(row: Recorded, shown: set[bytes]) -> bool:
    """Say whether what nobody finds any more has vanished: it may be decided, or over as it was.

    What the file shows is over when it shows it by no piece any more.
    """
    by_file = row.stated_at is None and row.source.partition(":")[0] not in NO_FILE
    return not row.closed and not (by_file and (row.cleared or row.fingerprint in shown))


_RECORDED = text("""
WITH named AS (
    SELECT o.*, d.fingerprint, d.subject_kind, d.subject, d.reason,
           d.closed_at IS NOT NULL AS closed,
           CASE WHEN o.source ~ '^reading:.+@[0-9]{4}-[^@]+$'
                THEN CAST(substring(o.source FROM '@([^@]+)$') AS timestamptz) END AS read_at,
           CASE WHEN o.source ~ '^report:[0-9a-f-]{36}#[0-9]{1,9}$'
                THEN CAST(substring(o.source FROM 8 FOR 36) AS uuid) END AS report,
           CASE WHEN o.source ~ '^report:[0-9a-f-]{36}#[0-9]{1,9}$'
                THEN CAST(substring(o.source FROM 45) AS bigint) END AS number
    FROM deviations d JOIN occurrences o ON o.deviation_id = d.id
    WHERE d.license_id = :license AND d.kind = :kind AND o.withdrawn_at IS NULL
), placed AS (
    SELECT n.*, coalesce(n.read_at, s.observed_at) AS stated_at
    FROM named n LEFT JOIN statements s ON s.report_id = n.report AND s.number = n.number
)
SELECT deviation_id, source, fingerprint, subject_kind, subject, reason, observed_at, severity,
       expected, observed, sentence, cleared_at IS NOT NULL AS cleared, closed, stated_at
FROM placed
WHERE (stated_at IS NOT NULL) = CAST(:stated AS boolean)
  AND coalesce(stated_at, observed_at) >= :since AND coalesce(stated_at, observed_at) < :until
ORDER BY observed_at, source, deviation_id
""")


def recorded(
    session: Session, license_id: int, kind: str, span: Span, *, stated: bool
) -> list[Recorded]:
    """Read what is on record of a kind and was shown in a span: by statements, or by all else."""
    asked = {"license": license_id, "kind": kind, "stated": stated} | span._asdict()
    return [Recorded(*row) for row in session.execute(_RECORDED, asked)]


_STATED_AT = text("""
SELECT 'report:' || report_id || '#' || number AS source, observed_at FROM statements
WHERE report_id = ANY(CAST(:reports AS uuid[]))
""")


def stated_at(session: Session, found: Iterable[Found]) -> dict[str, datetime]:
    """Say when the statements were true that show what was found in the file; by source."""
    sources = {one.source for one in found if one.source.startswith("report:")}
    reports = sorted({source[7:43] for source in sources if "#" in source})
    if not reports:
        return {}
    rows = session.execute(_STATED_AT, {"reports": array(reports)})
    return {row.source: row.observed_at for row in rows}
