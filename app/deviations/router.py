"""Deviations over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from app.access.router import Reader
from app.database import SessionDep
from app.deviations import rules, service
from app.deviations.models import Deviation, Occurrence
from app.deviations.schemas import (
    ConditionRef,
    DeviationOut,
    DeviationSummary,
    EvidenceOut,
    OccurrenceOut,
    SourceOut,
    State,
)
from app.errors import Invalid
from app.licenses.models import Condition
from app.wire import Limit, Page, problems
from app.wire.pages import page_of
from monitors import Severity

router = APIRouter(prefix="/v1/deviations", tags=["deviations"])

SHOWN = 200


@router.get("", responses=problems(Invalid))
def browse(
    reader: Reader,
    session: SessionDep,
    state: State | None = None,
    severity: Severity | None = None,
    license: str | None = None,
    kind: str | None = None,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[DeviationSummary]:
    """List deviations, newest first."""
    rows = service.listed(
        session,
        party=reader.reads_only,
        state=state,
        severity=severity,
        license=license,
        kind=kind,
        after=after,
        limit=limit,
    )
    return page_of(rows, limit, DeviationSummary.model_validate, _keys)


def _keys(deviation: Deviation) -> tuple[Any, ...]:
    return (deviation.raised_at.isoformat(), str(deviation.id))


@router.get("/{id}", responses=problems(service.DeviationUnknown))
def read(id: UUID, reader: Reader, session: SessionDep) -> DeviationOut:
    """Read a deviation: why it was raised, on what evidence, what is missing, what clears it."""
    deviation = service.read(session, id, party=reader.reads_only)
    return show(session, deviation, service.occurrences(session, id, limit=SHOWN))


def show(session: Session, deviation: Deviation, occurrences: Sequence[Occurrence]) -> DeviationOut:
    """Show a deviation whole; it speaks with its latest standing occurrence."""
    standing = [one for one in occurrences if one.withdrawn_at is None] or list(occurrences)
    latest = standing[0]
    versions: dict[int | None, Condition] = {
        row.id: row for row in _conditions(session, occurrences)
    }
    condition = versions.get(latest.condition_id)
    sources = service.sources(session, deviation.id)
    return DeviationOut(
        **DeviationSummary.model_validate(deviation).model_dump(),
        episode=deviation.episode,
        condition=ConditionRef.model_validate(condition) if condition else None,
        sources=[SourceOut(grade=grade, by=by) for grade, by in sources],
        conclusive=rules.conclusive(sources),
        lacking=rules.lacking(sources),
        expected=latest.expected,
        observed=latest.observed,
        evidence=_evidence(latest),
        missing=latest.missing,
        clears=latest.clears,
        history=[_show(one, versions.get(one.condition_id)) for one in occurrences],
    )


def _conditions(session: Session, occurrences: Sequence[Occurrence]) -> list[Condition]:
    ids = {one.condition_id for one in occurrences if one.condition_id is not None}
    return [row for row in (session.get(Condition, id) for id in sorted(ids)) if row is not None]


def _evidence(one: Occurrence) -> list[EvidenceOut]:
    return [EvidenceOut(id=id, grade=one.grade) for id in one.evidence]


def _show(one: Occurrence, condition: Condition | None) -> OccurrenceOut:
    return OccurrenceOut(
        source=one.source,
        observed_at=one.observed_at,
        sentence=one.sentence,
        expected=one.expected,
        observed=one.observed,
        condition_version=condition.version if condition else None,
        monitor_version=one.monitor_version,
        severity=Severity(one.severity),
        evidence=_evidence(one),
        missing=one.missing,
        digest=one.digest,
        recorded_at=one.recorded_at,
        cleared_at=one.cleared_at,
        withdrawn_at=one.withdrawn_at,
    )
