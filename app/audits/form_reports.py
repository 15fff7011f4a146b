"""A filled form on its way to being a report, and what its sender is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.once import Replay
from app.access.rules import Actor
from app.audits import asked_for
from app.audits.answers import NothingAnswered, Observation, observations_of, report_of
from app.audits.forms import Form
from app.audits.models import Audit
from app.audits.openrosa import Submission
from app.audits.questions import Checklist
from app.audits.reading import AnswerRefused
from app.audits.rules import CLOCKS_DIFFER
from app.licenses.models import License
from app.reports import service as reports
from app.reports.rules import BeforeLicense
from app.reports.schemas import ReportIn, ReportOut

STATES_NOTHING = "It states nothing that a report could say."


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled form, with the form that it answers and the checks it may be of."""

    submission: Submission
    xml: bytes
    license: License
    audits: Sequence[Audit]
    form: Form
    checklist: Checklist
    actor: Actor
    now: datetime


def read(filled: Filled, digests: list[str]) -> tuple[ReportIn | None, tuple[Observation, ...]]:
    """Read the report of a form, and what was seen that no report can say.

    `digests` are the files it names. There is no report of a form that tells only the latter. Raises AnswerRefused, with the question
    as it was asked and what to do.
    """
    instance = filled.submission.instance
    try:
        asked_for.check(instance, filled.form.xform)
        seen = observations_of(instance, filled.checklist)
        return _report(filled, digests, seen), seen
    except AnswerRefused as refused:
        raise _explained(refused, filled.checklist) from refused


def _report(filled: Filled, digests: list[str], seen: Sequence[Observation]) -> ReportIn | None:
    observed_at, captured_at = filled.submission.times(filled.now)
    try:
        report = report_of(
            filled.submission.instance,
            filled.checklist,
            reference=filled.submission.reference,
            observed_at=observed_at,
            captured_at=captured_at,
        )
    except NothingAnswered:
        if not seen:
            raise
        return None
    return report.model_copy(update={"evidence": digests})


def _explained(refused: AnswerRefused, checklist: Checklist) -> AnswerRefused:
    names = {part.partition("[")[0] for part in (refused.pointer or "").split("/")}
    asked = dict.fromkeys(
        question.question
        for part in checklist.parts
        for question in part.questions
        if question.name in names
    )
    question = "".join(f" Question: {one}" for one in asked)
    return type(refused)(
        f"{refused.detail}{question} Correct the answer and send the form again; if the phone does "
        "not let you, fill in a new one.",
        pointer=refused.pointer,
        errors=refused.errors,
    )


def file(session: Session, report: ReportIn, filled: Filled) -> UUID:
    """File the report; one of the same words that came by another way is the same report."""
    try:
        return reports.file(session, report, actor=filled.actor, now=filled.now).id
    except Replay as known:
        return ReportOut.model_validate_json(known.body).id
    except BeforeLicense as refused:
        raise BeforeLicense(
            f"{refused.detail} Set the clock of the phone, and fill in a new form.",
            pointer="/start",
        ) from refused


def told(filled: Filled, audit: Audit, unlinked: str | None) -> str:
    """Say what became of the form; `unlinked` is why its check could not be reported with it."""
    reference, number = filled.submission.reference, filled.license.number
    said = f"Filed as inspection {reference} of {number}, for {audit.number}."
    if unlinked == STATES_NOTHING:
        said = f"Kept with {audit.number}. {STATES_NOTHING}"
    elif unlinked is not None:
        said += f" The check could not be reported with it: {unlinked}"
    if filled.submission.ahead(filled.now + CLOCKS_DIFFER):
        said += " The clock of the phone is ahead; the form counts as filled in when it came."
    return said
