"""Rating a check, what is recommended after it, and closing it."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import service as access
from app.access.rules import Actor, Role
from app.audits import closing, reporting, rules, steps
from app.audits.models import AuditAction, AuditRating, AuditReport, AuditStep
from app.audits.rules import Happening, State, Step
from app.audits.schemas import (
    ActionDoneIn,
    ActionIn,
    ActionWaiverIn,
    ClosingIn,
    OutcomeIn,
    StepIn,
    StepOut,
)
from app.audits.steps import Held
from app.errors import Conflict, Unknown

RECOMMENDED, DONE, WAIVED = "action_recommended", "action_done", "action_waived"


class ActionUnknown(Unknown):
    """The check has no such action."""


class ActionEnded(Conflict):
    """This action was done or waived already."""


def rate(session: Session, id: UUID, given: OutcomeIn, *, actor: Actor, now: datetime) -> StepOut:
    """Say what a check came to. The first time it goes under review; each time is a new version."""
    held = steps.hold(session, id)
    steps.replay(held, Step.RATED, given, actor=actor)
    audit = held.audit
    closing.check_outcome(audit.number, given.outcome, reported=audit.reported_at is not None)
    one = Happening(Step.RATED, now, actor.key, office=True, outcome=given.outcome)
    row = steps.record(session, held, one, given=given, now=now, actor=actor.name)
    audit.reasons = list(given.reasons)
    audit.rated_by = actor.key if audit.state != State.CLOSED else audit.rated_by
    session.add(
        AuditRating(
            audit_id=audit.id,
            version=reporting.latest_version(session, audit.id) + 1,
            outcome=given.outcome,
            reasons=list(given.reasons),
            ground=given.ground,
            rated_by=actor.key,
            rated_at=now,
        )
    )
    session.flush()
    return steps.answer(audit, row)


def close(session: Session, id: UUID, given: ClosingIn, *, actor: Actor, now: datetime) -> StepOut:
    """Close a check that is whole and has nothing open; or waive, as a second person, what it lacks."""
    held = steps.hold(session, id)
    steps.replay(held, Step.CLOSED, given, actor=actor)
    audit = held.audit
    if audit.reported_at is not None:  # what nobody reported was carried out in no mode
        audit.mode_carried_out = given.mode or audit.mode_carried_out
    if given.coverage is not None:
        reporting.cover(session, held, given.coverage)
    reporting.receive(session, audit, given.receipt, actor)
    one = Happening(Step.CLOSED, now, actor.key, office=True)
    rules.follow(audit.number, held.stood(now, now), one)
    found = _found(session, held)
    closing.check_closing(audit.number, found, waived=given.waiver is not None)
    if given.waiver is not None and found.lacks:
        others = [audit.assignee or audit.opened_by, audit.rated_by]
        closing.check_second_person(audit.number, same=_had_a_hand(session, actor, others))
        audit.waived_by, audit.waiver_ground = actor.key, given.waiver.ground
    row = steps.record(session, held, one, given=given, now=now, actor=actor.name)
    return steps.answer(audit, row)


def _had_a_hand(session: Session, actor: Actor, others: Iterable[str | None]) -> bool:
    return any(access.is_same_person(session, one, actor) for one in others if one is not None)


def _found(session: Session, held: Held) -> closing.Found:
    audit = held.audit
    version = reporting.latest_version(session, audit.id)
    open_actions = session.scalars(
        select(AuditAction.number)
        .where(
            AuditAction.audit_id == audit.id,
            AuditAction.done_at.is_(None),
            AuditAction.waived_at.is_(None),
        )
        .order_by(AuditAction.number)
    )
    unrated = session.scalar(
        select(func.count())
        .select_from(AuditReport)
        .where(AuditReport.audit_id == audit.id, AuditReport.after_version >= version)
    )
    return closing.Found(
        mode=audit.mode_carried_out,
        units_expected=audit.units_expected,
        units_sighted=audit.units_sighted,
        receipt=audit.receipt_delivery or audit.receipt_digest,
        open_actions=tuple(open_actions),
        rated_version=version,
        unrated_reports=unrated or 0,
    )


def recommend(
    session: Session, id: UUID, given: ActionIn, *, actor: Actor, now: datetime
) -> StepOut:
    """Recommend an action; the check stays open until it is done or waived."""
    held = steps.hold(session, id)
    steps.replay(held, RECOMMENDED, given, actor=actor)
    _check_open(held)
    at = steps.moment_of(given, now)
    if actor.role is Role.INSPECTOR:
        rules.check_assignee(held.audit.number, held.stood(at, now), actor.key)
    last = session.scalar(
        select(func.max(AuditAction.number)).where(AuditAction.audit_id == held.audit.id)
    )
    action = AuditAction(
        audit_id=held.audit.id,
        number=(last or 0) + 1,
        text=given.text,
        due_on=given.due_on,
        for_party=given.for_party,
        recommended_by=actor.key,
        recommended_at=at,
    )
    session.add(action)
    return _noted(session, held, RECOMMENDED, action, given, at, actor, now)


def do(
    session: Session, id: UUID, number: int, given: ActionDoneIn, *, actor: Actor, now: datetime
) -> StepOut:
    """Note that an action was done, and how."""
    held = steps.hold(session, id)
    steps.replay(held, DONE, given, actor=actor, about=number)
    action = _action(session, held, number)
    at = steps.moment_of(given, now)
    action.done_by, action.done_at, action.done_note = actor.key, at, given.account
    return _noted(session, held, DONE, action, given, at, actor, now)


def waive(
    session: Session, id: UUID, number: int, given: ActionWaiverIn, *, actor: Actor, now: datetime
) -> StepOut:
    """Waive an action as a second person."""
    held = steps.hold(session, id)
    steps.replay(held, WAIVED, given, actor=actor, about=number)
    action = _action(session, held, number)
    same = _had_a_hand(session, actor, [action.recommended_by])
    closing.check_second_person(f"action {number}", same=same)
    action.waived_by, action.waived_at, action.waiver_ground = actor.key, now, given.ground
    return _noted(session, held, WAIVED, action, given, now, actor, now)


def _check_open(held: Held) -> None:
    if held.audit.state == State.CLOSED:
        raise rules.StepOutOfTurn(
            f"{held.audit.number} is closed. Plan another check.", state=held.audit.state
        )


def _action(session: Session, held: Held, number: int) -> AuditAction:
    """Find an action that is still open."""
    action = session.get(AuditAction, (held.audit.id, number))
    if action is None:
        raise ActionUnknown(f"{held.audit.number} has no action {number}.")
    if action.done_at is not None or action.waived_at is not None:
        how, by = ("done", action.done_by) if action.done_at else ("waived", action.waived_by)
        raise ActionEnded(f"Action {number} was {how} by {by}.", state=how)
    return action


def _noted(
    session: Session,
    held: Held,
    step: str,
    action: AuditAction,
    given: StepIn,
    at: datetime,
    actor: Actor,
    now: datetime,
) -> StepOut:
    """Put on file what was said of an action; the check itself stands as before."""
    audit = held.audit
    row = AuditStep(
        audit_id=audit.id,
        reference=given.reference,
        step=step,
        at=at,
        by=actor.key,
        office=True,
        sent=steps.sent_of(given) | {"action": action.number},
        state=audit.state,
        responsible=audit.assignee or audit.opened_by,
        recorded_at=now,
    )
    audit.changed_at = now
    steps.store(session, held, row)
    steps.tell(session, held, row, actor=actor.name, now=now)
    return steps.answer(audit, row)
