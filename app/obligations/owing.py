"""How conditions that make somebody owe something stood at a time.

A device's silence is worked out from its readings, so that an outage of the scheduler hides
nothing; reports are answered for by the periods stored, as they stood.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select, text
from sqlalchemy.orm import Session

from app.assessments import dispositions, standing
from app.assessments import rules as judging
from app.assessments.archive import File
from app.assessments.dispositions import Disposition
from app.assessments.hindsight import Then
from app.assessments.rules import Ruling
from app.assessments.standing import Evidence, Hearing
from app.obligations import record, rules
from app.obligations.models import Obligation, Waiver
from app.obligations.rules import PERIODIC, State
from monitors import Duty, Filing, Finding, Grade, Source, Subject
from monitors import Obligation as Owed


@dataclass(frozen=True, slots=True)
class Owing:
    """What there was to judge a duty by, and when the next things are due."""

    hearing: Hearing
    due: Sequence[datetime]


def owing(session: Session, file: File, ruling: Ruling, duty: Duty) -> Owing:
    """Say how a duty stood."""
    if duty.what == "reading":
        return _readings(session, file, ruling, duty)
    return _reports(session, file, ruling)


def excused(
    session: Session, license_id: int, then: Then
) -> dict[str, frozenset[tuple[Subject, str]]]:
    """Say what nobody asked for at `as_of` because of a waiver approved by then, by condition."""
    rows = session.execute(
        select(Obligation.key, Obligation.subject_kind, Obligation.subject, Obligation.item)
        .join(Waiver, Waiver.obligation_id == Obligation.id)
        .where(
            Obligation.license_id == license_id,
            Obligation.what != "report",
            Waiver.approved_at <= min(then.as_of, then.known_at),
            Waiver.expires_at > then.as_of,
        )
    )
    found: dict[str, set[tuple[Subject, str]]] = {}
    for key, kind, subject, item in rows:
        found.setdefault(key, set()).add((Subject(kind, subject), item))  # type: ignore[arg-type]
    return {key: frozenset(named) for key, named in found.items()}


def _gone(session: Session, file: File) -> dict[str, Disposition]:
    """Name the units that nobody needs to hear any more, as far as was known."""
    then = file.then
    return dispositions.final_of(
        session, file.docket.license_id, as_of=then.as_of, known_at=then.known_at
    )


def _readings(session: Session, file: File, ruling: Ruling, duty: Duty) -> Owing:
    """Await every unit from when it was on file, and hear it at its newest reading."""
    on_file, newest = file.units_on_file[1], file.heard.newest
    excused = file.excused.get(ruling.key, frozenset())
    gone = _gone(session, file)
    awaited: list[Owed] = []
    basis: dict[Subject, tuple[Evidence, ...]] = {}
    for serial in file.units_of(ruling):
        subject, last = Subject("unit", serial), newest.get(serial)
        if serial in gone:
            continue
        since = max(on_file[serial], ruling.effective_from)
        if last is not None:
            basis[subject] = (standing.evidence_of(last),)
            since = max(since, last.observed_at)
        deadline = rules.after_silence(duty, since)
        heard_at = last.observed_at if last else None
        awaited.append(
            Owed(
                subject,
                slot=0,
                due_at=deadline.due_at,
                grace_until=deadline.grace_until,
                last_heard_at=heard_at,
            )
        )
    hearing = Hearing(
        basis=basis,
        findings=_found(
            file, ruling, [one for one in awaited if (one.subject, "") not in excused], ()
        ),
        silent=[one.subject for one in awaited if one.subject not in basis],
    )
    return Owing(hearing, [one.due_at for one in awaited])


def _reports(session: Session, file: File, ruling: Ruling) -> Owing:
    """Look at the periods stored by `known_at`: what was missing, and what was met last."""
    then, subject = file.then, Subject("license", file.docket.license)
    seen = min(then.as_of, then.known_at)
    missing, due, met = [], [], False
    for row in _periods(session, file, ruling):
        if row.met_at is not None and row.met_at <= seen:
            met = True
        elif row.grace_until < then.as_of:
            missing.append(Owed(subject, row.slot, row.due_at, row.grace_until, **_period(row)))
        if row.met_at is None or row.met_at > seen:
            due.append(row.due_at)
    filings = _latest_filings(session, file)
    proofs = tuple(
        Evidence(one.id, one.kind, one.observed_at, one.source.grade)
        for one in filings
        if one.source is not None
    )
    hearing = Hearing(
        basis={subject: proofs} if met and proofs else {},
        findings=_found(file, ruling, missing, filings),
        silent=[] if met and proofs else [subject],
        first=file.first_shown.get(ruling.kind, {}),
    )
    return Owing(hearing, due)


def _periods(session: Session, file: File, ruling: Ruling) -> Sequence[Obligation]:
    """Read the periods planned by `known_at`, without those waived then, for good or for a time."""
    known_at, as_of = file.then.known_at, file.then.as_of
    waived = exists().where(
        Waiver.obligation_id == Obligation.id,
        Waiver.approved_at <= min(known_at, as_of),
        Waiver.expires_at > as_of,
    )
    query = select(Obligation).where(
        Obligation.license_id == file.docket.license_id,
        Obligation.key == ruling.key,
        Obligation.what == "report",
        Obligation.created_at <= known_at,
        or_(
            Obligation.state != State.WAIVED, func.coalesce(Obligation.settled_at > known_at, True)
        ),
        ~waived,
    )
    return session.scalars(query.order_by(Obligation.slot)).all()


def _period(row: Obligation) -> dict[str, Any]:
    return {"period": record.owed(row).period}


_FILINGS = text("""
SELECT DISTINCT ON (said_by, source_kind) report_id::text AS report, said_by, source_kind, grade,
       mode, max(observed_at) AS observed_at, max(received_at) AS received_at,
       array_agg(DISTINCT f.name) AS facts
FROM (SELECT * FROM statements WHERE license_id = :license AND superseded_at IS NULL
      UNION ALL
      SELECT * FROM statements
      WHERE CAST(:past AS boolean) AND license_id = :license AND superseded_at > :known_at) t
CROSS JOIN LATERAL jsonb_object_keys(facts) AS f(name)
WHERE source_kind = ANY(:kinds) AND observed_at <= :as_of AND received_at <= :known_at
GROUP BY report_id, said_by, source_kind, grade, mode
ORDER BY said_by, source_kind, max(observed_at) DESC, report_id
""")


def _latest_filings(session: Session, file: File) -> list[Filing]:
    """Read the latest report of each party, whole, of the kinds that answer for a period."""
    then, docket = file.then, file.docket
    rows = session.execute(
        _FILINGS, {"license": docket.license_id, "kinds": sorted(PERIODIC), **then._asdict()}
    )
    return [
        Filing(
            id=f"report:{row.report}",
            kind=row.source_kind,
            by_roles=docket.roles_of(row.said_by),
            facts=frozenset(row.facts),
            observed_at=row.observed_at,
            received_at=row.received_at,
            source=Source(row.source_kind, Grade(row.grade), row.said_by, row.mode),
        )
        for row in rows
    ]


def _found(
    file: File, ruling: Ruling, owed: Sequence[Owed], filings: Sequence[Filing]
) -> list[Finding]:
    case = judging.case_of(
        file.docket, ruling, units={}, obligations=tuple(owed), filings=tuple(filings)
    )
    found = judging.put(file.docket, ruling, (), case, file.then.as_of)
    return [one.finding for one in found]
