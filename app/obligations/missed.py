"""Judges again what nobody stated: what was owed and did not come in time, and reports as a whole."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.assessments import rules, service
from app.assessments.rules import Docket, Ruling
from app.deviations.rules import Found
from app.licenses.rules import in_force
from app.obligations import record
from app.obligations.awaiting import FILE
from app.obligations.models import Obligation
from app.obligations.rules import State
from monitors import Case, Filing, Need


def judged(session: Session, docket: Docket, *, now: datetime) -> list[Found]:
    """Judge what is stored as owed, and what was filed, by the conditions of a docket."""
    return _owed(session, docket, now) + _filings(session, docket, now)


def _owed(session: Session, docket: Docket, now: datetime) -> list[Found]:
    """Judge what had not come when its grace was over, as it is stored."""
    cases: dict[tuple[str, int], Case] = {}
    found: list[Found] = []
    for row in _missed(session, docket):
        ruling = _ruling(docket, row)
        if ruling is not None:
            key = ruling.key, ruling.version
            if key not in cases:
                cases[key] = _case(session, docket, ruling, now)
            case = replace(cases[key], obligations=(record.owed(row),))
            shown = rules.put(docket, ruling, (), case, now)
            found += [rules.graver(one, case.obligations) for one in shown]
    return [
        one for one in found if any(id.startswith("obligation:") for id in one.finding.evidence)
    ]


def _missed(session: Session, docket: Docket) -> Sequence[Obligation]:
    asking = [
        key
        for key, (one, *_) in docket.rulings.items()
        if one.monitor.owes is not None or one.monitor.awaits is not None
    ]
    if not asking:
        return ()
    query = select(Obligation).where(
        Obligation.license_id == docket.license_id,
        Obligation.key.in_(asking),
        Obligation.state.in_([State.OVERDUE, State.MET_LATE]),
    )
    return session.scalars(
        query.order_by(Obligation.key, Obligation.subject, Obligation.slot)
    ).all()


def _case(session: Session, docket: Docket, ruling: Ruling, now: datetime) -> Case:
    """Make the case in which something owed is judged, still without it."""
    if ruling.monitor.awaits is not None:
        return service.file_case(session, docket, ruling, now)
    return rules.case_of(docket, ruling, units={})


def _ruling(docket: Docket, row: Obligation) -> Ruling | None:
    """Find the condition version that judges something owed, as whoever looks at it does."""
    if row.what in {FILE, "report"}:
        return record.asked_by(docket, row)
    return in_force(docket.rulings[row.key], row.due_at)


_FILED = text("""
SELECT r.id::text AS id, r.kind, r.period_from, r.period_to, r.observed_at, r.received_at,
       min(s.said_by) AS said_by,
       (SELECT array_agg(DISTINCT f.name) FROM statements t, jsonb_object_keys(t.facts) AS f(name)
        WHERE t.report_id = r.id) AS facts
FROM reports r JOIN statements s ON s.report_id = r.id
WHERE r.license_id = :license AND NOT EXISTS (SELECT FROM reports c WHERE c.corrects = r.id)
GROUP BY r.id ORDER BY r.observed_at, r.id
""")


def _filings(session: Session, docket: Docket, now: datetime) -> list[Found]:
    """Judge every report that stands as a whole, by the kinds that look at filings."""
    asking = [some for some in docket.rulings.values() if Need.FILINGS in some[0].monitor.needs]
    rows = session.execute(_FILED, {"license": docket.license_id}) if asking else ()
    found: list[Found] = []
    for row in rows:
        for versions in asking:
            ruling = in_force(versions, row.observed_at)
            if ruling is not None:
                filings = (_filing(docket, row),)
                case = rules.case_of(docket, ruling, units={}, filings=filings)
                found += rules.put(docket, ruling, (), case, now)
    return found


def _filing(docket: Docket, row: Any) -> Filing:
    return Filing(
        id=f"report:{row.id}",
        kind=row.kind,
        by_roles=docket.roles_of(row.said_by),
        facts=frozenset(row.facts or ()),
        observed_at=row.observed_at,
        received_at=row.received_at,
        period=(row.period_from, row.period_to) if row.period_from else None,
    )
