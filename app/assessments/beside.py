"""Sets what a monitor's next version found in shadow beside what the present one found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import Unknown
from app.wire import page_after
from monitors import Monitor, catalogue


class ShadowUnknown(Unknown):
    """There is no such kind of condition, or it has no next version in shadow."""


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A finding made in shadow; `agrees` when the present version found the same by the same."""

    license_id: int
    license: str
    subject_kind: str
    subject: str
    reason: str
    source: str
    answer: str
    observed_at: datetime
    expected: str
    observed: str
    recorded_at: datetime
    agrees: bool


_AGREES = """
CASE f.answer WHEN 'broken' THEN EXISTS (
    SELECT FROM deviations d JOIN occurrences o ON o.deviation_id = d.id
    WHERE d.license_id = f.license_id AND d.kind = f.kind AND d.subject_kind = f.subject_kind
      AND d.subject = f.subject AND d.reason = f.reason AND o.source = f.source
      AND o.withdrawn_at IS NULL
) ELSE EXISTS (
    SELECT FROM unassessed u
    WHERE u.license_id = f.license_id AND u.kind = f.kind AND u.subject_kind = f.subject_kind
      AND u.subject = f.subject AND u.reason = f.reason
) END
"""
_COUNTS = text(f"""
SELECT count(*) FILTER (WHERE agrees) AS agrees, count(*) FILTER (WHERE NOT agrees) AS only_shadow
FROM (SELECT {_AGREES} AS agrees FROM shadow_findings f
      WHERE f.kind = :kind AND f.version = :version) compared
""")  # noqa: S608 made of the constant above
_LISTED = text(f"""
SELECT f.license_id, l.number, f.subject_kind, f.subject, f.reason, f.source, f.answer,
       f.observed_at, f.expected, f.observed, f.recorded_at, {_AGREES} AS agrees
FROM shadow_findings f JOIN licenses l ON l.id = f.license_id
WHERE f.kind = :kind AND f.version = :version
  AND (f.license_id, f.subject_kind, f.subject, f.reason, f.source)
      > (:license_id, :subject_kind, :subject, :reason, :source)
ORDER BY f.license_id, f.subject_kind, f.subject, f.reason, f.source LIMIT :many
""")  # noqa: S608 made of the constant above
_KEYS = ("license_id", "subject_kind", "subject", "reason", "source")


def versions(kind: str) -> tuple[Monitor, Monitor]:
    """Give the present version of a kind and the one in shadow."""
    words = catalogue()
    if kind not in words.shadows:
        raise ShadowUnknown(f"No next version of {kind!r} runs in shadow here.")
    return words[kind], words.shadows[kind]


def counts(session: Session, shadow: Monitor) -> tuple[int, int]:
    """Count findings in shadow that the present version made too, and those it did not."""
    row = session.execute(_COUNTS, {"kind": shadow.kind, "version": shadow.version}).one()
    return row.agrees, row.only_shadow


def listed(
    session: Session, shadow: Monitor, *, after: str | None, limit: int
) -> Sequence[Shadowed]:
    """List findings made in shadow; one more than `limit` tells that there is a further page."""
    keys = page_after(after, int, str, str, str, str) or (0, "", "", "", "")
    asked: dict[str, Any] = {"kind": shadow.kind, "version": shadow.version, "many": limit + 1}
    rows = session.execute(_LISTED, asked | dict(zip(_KEYS, keys, strict=True)))
    return [Shadowed(*row) for row in rows]


def keys(one: Shadowed) -> tuple[Any, ...]:
    """Give what a page goes on from."""
    return tuple(getattr(one, name) for name in _KEYS)
