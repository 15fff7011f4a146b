"""Carries a check as far as a filled form shows that it went: accepted, begun, reported."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.rules import Actor
from app.audits import conduct, reporting, steps
from app.audits.models import Audit
from app.audits.rules import Mode, State
from app.audits.schemas import AcceptanceIn, ReportLinkIn, StartIn
from app.errors import Trouble

NOT_BEGUN = frozenset({State.PLANNED, State.NOTIFIED, State.REFUSED, State.UNABLE})


@dataclass(frozen=True, slots=True)
class Visit:
    """What a filled form shows of a visit: its report, how one looked, when it began and ended."""

    report: UUID
    mode: str
    begun_at: datetime
    ended_at: datetime


def carry(
    session: Session, audit: UUID, visit: Visit, *, actor: Actor, now: datetime
) -> str | None:
    """Take the steps that the form shows; answers why not, if the check does not allow them.

    They are taken at the times of the form; or now, where the check was accepted or begun only
    after the form was finished. A report is evidence whether the check is in order or not, so what
    is wrong with the check keeps no report out: somebody can link it later.
    """
    reasons = []
    for one in (visit, replace(visit, begun_at=now, ended_at=now)):
        try:
            with session.begin_nested():
                _take_steps(session, audit, one, actor, now)
        except Trouble as refused:
            if refused.status >= 500:
                raise
            reasons.append(refused.detail)
        else:
            return None
    return reasons[0]


def _take_steps(session: Session, audit: UUID, visit: Visit, actor: Actor, now: datetime) -> None:
    begun_at = _accept(session, audit, visit, actor, now)
    held = steps.hold(session, audit)
    if held.stood(visit.ended_at, now).state in NOT_BEGUN:
        conduct.start(session, audit, StartIn(at=begun_at), actor=actor, now=now)
    link = ReportLinkIn(reports=[visit.report], mode=Mode(visit.mode), at=visit.ended_at)
    reporting.report(session, audit, link, actor=actor, now=now)


def _accept(session: Session, audit: UUID, visit: Visit, actor: Actor, now: datetime) -> datetime:
    """Accept a check that is offered, or nobody's; answers from when on it is the actor's to begin.

    A form may have been opened before the check was offered.
    """
    held = steps.hold(session, audit)
    offered = [row.at for row in held.steps if row.to == actor.key]
    since = max([visit.begun_at, *offered[-1:]])
    if _waits(held.audit, actor):
        conduct.accept(session, audit, AcceptanceIn(at=since), actor=actor, now=now)
    return since


def _waits(audit: Audit, actor: Actor) -> bool:
    if audit.assignee == actor.key:
        return False
    return audit.offered_to == actor.key or {audit.offered_to, audit.assignee} == {None}
