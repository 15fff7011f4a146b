"""How each condition of a license stood at any date, over HTTP.

Two axes of time: what was true at `as_of`, as it was known at `known_at`.
"""

from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.access.router import Reader
from app.access.rules import Actor
from app.assessments import compliance, dockets, standing
from app.assessments.archive import File
from app.assessments.compliance import Asked
from app.assessments.hindsight import Then
from app.assessments.standing import Hearing, Standing, Stood
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.licenses import service as licenses
from app.licenses.models import License
from app.obligations import owing, record
from app.wire import Moment, Out, problems
from monitors import Grade, catalogue

router = APIRouter(prefix="/v1/licenses", tags=["compliance"])


class NotYet(Invalid):
    """Nobody can say how things will stand, or what will be known."""


class EvidenceOut(Out):
    """What an answer rests on: who says so is in the filing; how much it is worth is the grade."""

    id: str
    source_kind: str
    observed_at: Moment
    grade: Grade


class SubjectOut(BaseModel):
    """How one subject of a condition stood. `reason` is null when it kept the condition."""

    subject_kind: str
    subject: str
    answer: Standing
    since: Moment | None
    reason: str | None
    expected: str | None
    observed: str | None
    clears: str | None
    missing: list[str]
    evidence: list[EvidenceOut]


class CountsOut(BaseModel):
    """How many subjects stood how."""

    kept: int
    broken: int
    not_assessable: int


class ConditionStandingOut(BaseModel):
    """How one condition stood.

    `since` is the oldest that the answer rests on (null when nothing was heard), `last_verified_at`
    the newest it was assessed by. `grade` is the best evidence of a breach, and otherwise the
    weakest that was needed. `unstated` are facts the kind reads that nobody stated: what the terms
    say of them was not verified, even where the answer is *kept*. `subjects` are the worst 50; `counts` counts all.
    """

    key: str
    kind: str
    title: str
    version: int
    text: str
    answer: Standing
    reason: str | None
    since: Moment | None
    last_verified_at: Moment | None
    next_verification_due: Moment | None
    grade: Grade | None
    evidence: list[EvidenceOut]
    unstated: list[str]
    counts: CountsOut
    subjects: list[SubjectOut]


class ComplianceOut(BaseModel):
    """How every condition in force at `as_of` stood, as it was known at `known_at`."""

    license: str
    tier: int
    as_of: Moment
    known_at: Moment
    counts: CountsOut
    conditions: list[ConditionStandingOut]


@router.get("/{number}/compliance", responses=problems(licenses.LicenseUnknown, NotYet))
def read(
    number: str,
    reader: Reader,
    session: SessionDep,
    now: Now,
    as_of: Annotated[Moment | None, Query(description="What was true then [now]")] = None,
    known_at: Annotated[Moment | None, Query(description="As it was known then [now]")] = None,
) -> ComplianceOut:
    """Say of each condition whether it was kept, broken or not assessable, and by what evidence."""
    then = _moment(as_of, known_at, now)
    license = licenses.read(session, number, party=reader.reads_only)
    stood = stand(session, license, then, shown_to(reader))
    return ComplianceOut(
        license=license.number,
        tier=license.tier,
        as_of=then.as_of,
        known_at=then.known_at,
        counts=_counts([one.answer for one in stood]),
        conditions=stood,
    )


def shown_to(reader: Actor) -> frozenset[str]:
    """Name the kinds a reader may see: confidential ones are for the authority alone."""
    words = catalogue()
    hidden = words.confidential if reader.reads_only else ()
    return frozenset(words.monitors) - frozenset(hidden)


def _moment(as_of: datetime | None, known_at: datetime | None, now: datetime) -> Then:
    """Refuse the future. What was known before it came true is a fair question."""
    moments = {"as_of": as_of or now, "known_at": known_at or now}
    for name, moment in moments.items():
        if moment > now:
            raise NotYet(f"{moment.isoformat()} has not come yet.", pointer=f"/{name}")
    return Then(**moments, past=moments["known_at"] < now)


def stand(
    session: Session, license: License, then: Then, kinds: Container[str] | None = None
) -> list[ConditionStandingOut]:
    """Say how every condition in force stood, or those of some kinds."""
    docket = dockets.one(session, license)
    asked = [
        one
        for one in compliance.asked(session, docket, then)
        if kinds is None or one.ruling.kind in kinds
    ]
    file = File(session, docket, [one.ruling for one in asked], then)
    file.excused = owing.excused(session, docket.license_id, then)
    return [_stand(session, file, one, license.tier) for one in asked]


def _stand(session: Session, file: File, asked: Asked, tier: int) -> ConditionStandingOut:
    """Say how one condition stood: by its duty, and by what was said or drawn."""
    ruling = asked.ruling
    duty = record.duty_of(ruling)
    heard = compliance.hearing(file, ruling)
    owed: Sequence[datetime] | None = heard.due
    if duty is not None:
        owes = owing.owing(session, file, ruling, duty)
        heard, owed = _together(heard, owes.hearing), owes.due
    stood = standing.fold(heard)
    due = standing.next_due(
        tier=tier,
        in_force_from=ruling.effective_from,
        verified_at=stood.verified_at,
        owed=owed,
    )
    return _show(asked, stood, due)


def _together(said: Hearing, owed: Hearing) -> Hearing:
    """Put what was said beside what was owed, for a kind that looks at both."""
    basis = {
        subject: (*said.basis.get(subject, ()), *owed.basis.get(subject, ()))
        for subject in {**said.basis, **owed.basis}
    }
    return replace(
        owed,
        basis=basis,
        unstated=said.unstated,
        findings=[*said.findings, *owed.findings],
        silent=[one for one in {*said.silent, *owed.silent} if one not in basis],
    )


def _show(asked: Asked, stood: Stood, due: datetime | None) -> ConditionStandingOut:
    ruling = asked.ruling
    return ConditionStandingOut(
        key=ruling.key,
        kind=ruling.kind,
        title=ruling.monitor.title,
        version=ruling.version,
        text=asked.text,
        answer=stood.answer,
        reason=stood.reason,
        since=stood.since,
        last_verified_at=stood.verified_at,
        next_verification_due=due,
        grade=stood.grade,
        evidence=[EvidenceOut.model_validate(one) for one in stood.evidence],
        unstated=list(stood.unstated),
        counts=CountsOut(**{str(name): count for name, count in stood.counts.items()}),
        subjects=[_show_subject(one) for one in stood.subjects],
    )


def _show_subject(one: standing.SubjectStanding) -> SubjectOut:
    return SubjectOut(
        subject_kind=one.subject.kind,
        subject=one.subject.reference,
        answer=one.answer,
        since=one.since,
        reason=one.reason,
        expected=one.expected,
        observed=one.observed,
        clears=one.clears,
        missing=list(one.missing),
        evidence=[EvidenceOut.model_validate(proof) for proof in one.evidence],
    )


def _counts(answers: list[Standing]) -> CountsOut:
    counts: dict[str, Any] = {str(name): answers.count(name) for name in Standing}
    return CountsOut(**counts)
