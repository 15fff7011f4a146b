"""Keeps what was said about units that a license does not know, as evidence of just that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.assessments import rules, service
from app.assessments.models import StrangeReading
from app.assessments.rules import Docket
from app.deviations import service as deviations
from app.deviations.models import Deviation, Occurrence
from app.shipments.models import Unit
from monitors import Statement

KIND = "license_scope"
AT_ONCE = 1_000
"""Readings of unknown units kept of one batch: a flood of nonsense is counted, not stored."""


def keep(
    session: Session,
    docket: Docket,
    said: Sequence[tuple[Statement[Any], dict[str, Any]]],
    *,
    now: datetime,
) -> list[UUID]:
    """Keep refused readings with their facts as JSON, and let the standing monitor name the units."""
    chosen = said[:AT_ONCE]
    rows = [
        {
            "license_id": docket.license_id,
            "serial": one.subject.reference,
            "observed_at": one.observed_at,
            "received_at": one.received_at,
            "grade": one.source.grade,
            "said_by": one.source.by,
            "facts": facts,
        }
        for one, facts in chosen
    ]
    if not rows:
        return []
    session.execute(insert(StrangeReading).on_conflict_do_nothing(), rows)
    found = []
    heard = sorted((one for one, _ in chosen), key=lambda one: one.observed_at)
    for ruling in docket.rulings.get(KIND, ()):
        case = rules.case_of(docket, ruling, units={})
        found += rules.put(docket, ruling, heard, case, now)
    return service.store(session, found, now=now).deviations


def recognize(session: Session, docket: Docket, *, now: datetime) -> None:
    """Withdraw what was found of units that have become known since."""
    rows = session.execute(
        select(Occurrence.deviation_id, Occurrence.source)
        .join(Deviation, Deviation.id == Occurrence.deviation_id)
        .where(
            Deviation.license_id == docket.license_id,
            Deviation.kind == KIND,
            Deviation.reason == "unit_unknown",
            Deviation.subject.in_(select(Unit.serial).where(Unit.license_id == docket.license_id)),
            Occurrence.withdrawn_at.is_(None),
        )
    )
    deviations.withdraw(session, [(id, source) for id, source in rows], now=now)
