"""Lets monitors hear of custody events as of any other statement about a unit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.assessments import service, statements
from app.assessments.rules import Docket
from app.assessments.service import Hearing
from app.assessments.statements import report_statement_id
from app.shipments.models import Custody
from monitors import Grade, Source, Statement, Subject, catalogue

_UNHEARD = text("""
SELECT c.id FROM custody c
WHERE c.license_id = :license AND c.source_kind <> 'authorization' AND NOT EXISTS (
    SELECT FROM statements s WHERE s.report_id = c.statement
)
ORDER BY c.at, c.id
""")
_CORRECTED = text("""
SELECT DISTINCT c.statement FROM custody c JOIN statements s ON s.report_id = c.statement
WHERE c.license_id = :license AND c.corrected_at IS NOT NULL AND s.superseded_at IS NULL
""")


def adopt(session: Session, docket: Docket, *, now: datetime) -> None:
    """Store as statements, and judge, the custody events that are not yet; drop corrected ones.

    An authorization says what may happen, not what did: it is on file, and no statement.
    """
    gone = session.scalars(_CORRECTED, {"license": docket.license_id}).all()
    superseded = [row for id in gone for row in statements.supersede(session, id, now=now)]
    ids = session.scalars(_UNHEARD, {"license": docket.license_id}).all()
    events = session.scalars(select(Custody).where(Custody.id.in_(ids)).order_by(Custody.at)).all()
    said = [_statement(event) for event in events]
    for event, one in zip(events, said, strict=True):
        stated = [(one, dict(one.facts.__dict__))]
        statements.store(session, docket.license_id, event.statement, stated)
        if event.corrected_at is not None:
            statements.supersede(session, event.statement, now=now)
    standing = [one for one, event in zip(said, events, strict=True) if event.corrected_at is None]
    _judge(session, docket, sorted(standing, key=statements.order), now)
    _forget(session, docket, superseded, now)


def _judge(session: Session, docket: Docket, said: Sequence[Statement[Any]], now: datetime) -> None:
    """Judge what is new; what others hear of it is judged again when it came out of order."""
    if not said:
        return
    units = statements.units_of(session, [docket.license_id]).get(docket.license_id, {})
    service.judge(session, [Hearing(docket, said, units, late=True)], now=now)
    service.rejudge(
        session,
        docket,
        since=said[0].observed_at,
        now=now,
        only_listening=True,
        subjects=service.touched(said),
    )


def _forget(session: Session, docket: Docket, rows: Sequence[Any], now: datetime) -> None:
    """Judge again without what was corrected."""
    if not rows:
        return
    service.rejudge(
        session,
        docket,
        since=min(row.observed_at for row in rows),
        now=now,
        only_listening=True,
        subjects=sorted({row.subject for row in rows}),
        gone=[report_statement_id(row.report_id, row.number) for row in rows],
    )


def _statement(event: Custody) -> Statement[Any]:
    """Say what a custody event states: what became of the unit, who holds it, where."""
    facts = {"disposition": event.disposition, "possessor": event.to_party, "site": event.site}
    stated = {name: value for name, value in facts.items() if value is not None}
    return Statement(
        id=report_statement_id(event.statement, 0),
        subject=Subject("unit", event.serial),
        facts=catalogue().stated(stated),
        observed_at=event.at,
        captured_at=event.at,
        received_at=event.received_at,
        source=Source(event.source_kind, Grade(event.grade), event.said_by),
    )
