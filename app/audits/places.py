"""What is on file about the sites of licenses in force, for a plan to choose among.

Obligations, deviations and statements of a license as a whole count at each of its sites, those of a
unit at the site its papers name. Readings of devices are no verification of a place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.audits.planning_schemas import PlaceIn
from app.audits.scoring import Known
from app.licenses.rules import State
from app.parties.schemas import PositionIn

IN_FORCE = (State.ISSUED, State.REINSTATED, State.SUSPENDED, State.EXHAUSTED)

_SITES = text("""
SELECT s.reference, s.country, s.lat, s.lon, max(l.tier) AS tier,
       array_agg(DISTINCT l.id) AS licenses
FROM licenses l JOIN license_sites ls ON ls.license_id = l.id JOIN sites s ON s.id = ls.site_id
WHERE l.state = ANY(CAST(:states AS text[]))
GROUP BY s.reference, s.country, s.lat, s.lon
ORDER BY s.reference
""")

_AT = """CASE x.subject_kind WHEN 'site' THEN x.subject WHEN 'unit' THEN u.site END"""
_UNITS = """LEFT JOIN units u ON x.subject_kind = 'unit' AND u.license_id = x.license_id
     AND u.serial = x.subject"""

_OVERDUE = text(f"""
SELECT x.license_id, {_AT} AS site, count(*) AS many, min(x.due_at) AS since
FROM obligations x {_UNITS} WHERE x.state = 'overdue' GROUP BY 1, 2
""")  # noqa: S608 constants

_DEVIATIONS = text(f"""
SELECT x.license_id, {_AT} AS site, x.severity, count(*) AS many
FROM deviations x {_UNITS}
WHERE x.closed_at IS NULL AND x.cleared_at IS NULL AND x.withdrawn_at IS NULL
  AND x.state <> 'not_substantiated'
GROUP BY 1, 2, 3
""")  # noqa: S608 constants

_VERIFIED = text(f"""
SELECT x.license_id, {_AT} AS site, x.grade, max(x.observed_at) AS at
FROM statements x {_UNITS}
WHERE x.superseded_at IS NULL AND x.observed_at <= :now GROUP BY 1, 2, 3
""")  # noqa: S608 constants


@dataclass
class _Site:
    row: Any
    overdue: int = 0
    since: datetime | None = None
    deviations: dict[str, int] = field(default_factory=dict)
    verified: dict[str, datetime] = field(default_factory=dict)


def of_licenses_in_force(session: Session, *, now: datetime) -> list[PlaceIn]:
    """List the sites of licenses in force with what is known of each, in order of reference."""
    found = [_Site(row) for row in session.execute(_SITES, {"states": list(IN_FORCE)})]
    sites = {one.row.reference: one for one in found}
    of_license: dict[int, list[str]] = {}
    for one in found:
        for license_id in one.row.licenses:
            of_license.setdefault(license_id, []).append(one.row.reference)

    def concerned(row: Any) -> Iterable[_Site]:
        named = of_license.get(row.license_id, [])
        return (sites[site] for site in ([row.site] if row.site in named else named))

    for row in session.execute(_OVERDUE):
        for one in concerned(row):
            one.overdue += row.many
            one.since = min(one.since or row.since, row.since)
    for row in session.execute(_DEVIATIONS):
        for one in concerned(row):
            one.deviations[row.severity] = one.deviations.get(row.severity, 0) + row.many
    for row in session.execute(_VERIFIED, {"now": now}):
        for one in concerned(row):
            one.verified[row.grade] = max(one.verified.get(row.grade, row.at), row.at)
    return [_place(one, now) for one in found]


def _place(one: _Site, now: datetime) -> PlaceIn:
    row = one.row
    return PlaceIn(
        reference=row.reference,
        country=row.country,
        position=None if row.lat is None else PositionIn(lat=row.lat, lon=row.lon),
        known=Known(
            tier=row.tier,
            overdue=one.overdue,
            overdue_days=max(0, (now - one.since).days) if one.since else 0,
            deviations=dict(sorted(one.deviations.items())),
            verified_days={
                grade: max(0, (now - at).days) for grade, at in sorted(one.verified.items())
            },
        ),
    )
