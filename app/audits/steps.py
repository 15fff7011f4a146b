"""Holding a check, putting a step on file once, and bringing the check in line with its steps."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access.once import Replay, difference
from app.access.rules import Actor
from app.audits import rules, unsettling, visits
from app.audits.models import Audit, AuditRung, AuditStep
from app.audits.rules import Happening, Outcome, Step
from app.audits.schemas import FieldStepIn, StepIn, StepOut
from app.errors import Conflict, Unknown
from app.licenses import service as licenses
from app.licenses.models import License
from app.shipments import filing
from app.wire import Strict

SYSTEM = unsettling.SYSTEM
HAPPENS = frozenset(Step)
TOLD = rules.REVEALING | {Step.UNABLE, Step.CLOSED}
"""Steps of which the exporter hears in its journal, once it knows of the check."""


class AuditUnknown(Unknown):
    """There is no such check, or it is not yours to see."""


class ReferenceTaken(Conflict):
    """This reference belongs to another step of the check."""


@dataclass(slots=True)
class Held:
    """A check that nobody else changes meanwhile, with its license and steps."""

    license: License
    audit: Audit
    steps: list[AuditStep] = field(default_factory=list)

    def happenings(self) -> list[Happening]:
        """Show its steps to the rules, in the order they were recorded."""
        return [_happening(row) for row in self.steps if row.step in HAPPENS]

    def stood(self, at: datetime, now: datetime) -> rules.Standing:
        """Work out how it stood when a step was taken, that is about to be filed.

        A step of just now is judged by what is known now: the clock that wrote it may be slow.
        """
        until = now if now - at <= rules.CLOCKS_DIFFER else at
        first, *others = sorted(self.happenings(), key=lambda one: one.at)
        return rules.stands(self.audit.number, [first, *(one for one in others if one.at <= until)])


def _happening(row: AuditStep) -> Happening:
    return Happening(
        step=Step(row.step),
        at=row.at,
        by=row.by,
        to=row.to,
        day=row.day,
        office=row.office,
        clock_from=row.clock_from,
        outcome=Outcome(row.outcome) if row.outcome else None,
    )


def hold(session: Session, id: UUID) -> Held:
    """Take a check to change it; its license first, as everybody who changes it does."""
    number = session.scalar(
        select(License.number).join(Audit, Audit.license_id == License.id).where(Audit.id == id)
    )
    if number is None:
        raise AuditUnknown(f"There is no check {id} here.")
    license = licenses.locked(session, number, party=None)
    return held(session, license, id)


def held(session: Session, license: License, id: UUID) -> Held:
    """Take a check of a license the caller holds already."""
    audit = session.get_one(Audit, id, with_for_update=True)
    steps = session.scalars(
        select(AuditStep).where(AuditStep.audit_id == id).order_by(AuditStep.id)
    )
    return Held(license, audit, list(steps))


def sent_of(given: Strict) -> dict[str, Any]:
    """Write down what was sent."""
    return given.model_dump(mode="json", exclude_none=True)


def replay(held: Held, step: str, given: StepIn, *, actor: Actor, about: int | None = None) -> None:
    """Give the first answer again to the same step under the same reference; refuse another.

    `about` is the number of the action a step is about, where its address names one.
    """
    earlier = next((row for row in held.steps if row.reference == given.reference), None)
    if given.reference is None or earlier is None:
        return
    sent, before = sent_of(given), dict(earlier.sent)
    action = before.pop("action", None)
    same = (earlier.step, earlier.by, before) == (step, actor.key, sent)
    if not same or about not in {None, action}:
        raise ReferenceTaken(
            f"{given.reference} is on file as {earlier.step} by {earlier.by}. Use a new reference.",
            pointer="/reference",
            diff=difference(json.dumps(before).encode(), json.dumps(sent).encode()),
        )
    raise Replay(201, answer(held.audit, earlier).model_dump_json().encode())


def moment_of(given: FieldStepIn, now: datetime) -> datetime:
    """Say when a step was taken; the future is refused, clocks may differ a little."""
    if given.at is None:
        return now
    filing.check_moment(given.at, now, "/at")
    return min(given.at, now)


def record(
    session: Session,
    held: Held,
    one: Happening,
    *,
    given: StepIn | None = None,
    now: datetime,
    actor: str,
) -> AuditStep:
    """Put a step in its place, bring the check in line with it, and tell the journal."""
    audit = held.audit
    placed, standing = rules.place(audit.number, held.happenings(), one, now=now)
    apply(audit, standing, now)
    climb_from(session, held, now)
    row = AuditStep(
        audit_id=audit.id,
        reference=given.reference if given else None,
        step=one.step,
        at=placed.at,
        by=one.by,
        to=one.to,
        office=one.office,
        day=one.day,
        clock_from=one.clock_from,
        outcome=one.outcome,
        sent=sent_of(given) if given else {},
        state=standing.state,
        responsible=standing.responsible,
        recorded_at=now,
    )
    store(session, held, row)
    tell(session, held, row, actor=actor, now=now)
    return row


def store(session: Session, held: Held, row: AuditStep) -> None:
    """Put a step on file."""
    session.add(row)
    session.flush()
    held.steps.append(row)


def apply(audit: Audit, standing: rules.Standing, now: datetime) -> None:
    """Copy onto the check how it stands."""
    for name in COPIED:
        setattr(audit, name, getattr(standing, name))
    audit.changed_at = now


COPIED = (
    "state",
    "planned_for",
    "offered_to",
    "assignee",
    "notified_at",
    "revealed_at",
    "started_at",
    "reported_at",
    "closed_at",
    "unresolved_since",
    "outcome",
)


FIXED = ("mode", "partner", "site", "party", "opened_by", "override_by", "override_ground")
"""What a check is, and on whose word it goes beyond the license."""
WHOLE = (
    "mode_carried_out",
    "units_expected",
    "units_sighted",
    "receipt_delivery",
    "receipt_digest",
    "waived_by",
    "waiver_ground",
)
"""What a check must have to be closed, or who waived it; told when it is closed."""


def climb_from(session: Session, held: Held, now: datetime) -> None:
    """Set when the check's delay is looked at next; a clock that stopped ends its rungs."""
    audit = held.audit
    rungs = standing_rungs(session, audit.id)
    zone = ZoneInfo(held.license.time_zone)
    known = [rung.rung for rung in rungs]
    audit.next_look_at = visits.next_rung(audit.unresolved_since, known, zone)
    if audit.unresolved_since is None and rungs:
        for rung in rungs:
            rung.ended_at = now
        session.flush()
        unsettling.settle(session, audit, now=now)


def standing_rungs(session: Session, id: UUID) -> Sequence[AuditRung]:
    """List the rungs of the clock that runs."""
    return session.scalars(
        select(AuditRung).where(AuditRung.audit_id == id, AuditRung.ended_at.is_(None))
    ).all()


def tell(session: Session, held: Held, row: AuditStep, *, actor: str, now: datetime) -> None:
    """Tell the journal of a step, without notes; and the exporter, of what it may know."""
    audit = held.audit
    body = {
        "license": held.license.number,
        "id": row.id,
        "step": row.step,
        "at": row.at.isoformat(),
        "by": row.by,
        "to": row.to,
        "state": audit.state,
        "responsible": row.responsible,
        "stands": _plain(audit, [*FIXED, *COPIED, *(WHOLE if row.step == Step.CLOSED else ())]),
        "sent": {name: value for name, value in row.sent.items() if name != "note"},
    }
    entry = {
        "recorded_at": now,
        "actor": actor,
        "action": f"audit.{row.step}",
        "subject": f"audit:{audit.number}",
        "party": None,
        "topic": None,
        "body": body,
    }
    entries = [entry]
    if row.step in TOLD and audit.revealed_at is not None:
        seen = {
            "license": held.license.number,
            "state": audit.state,
            "mode": audit.mode,
            "site": audit.site,
            "planned_for": audit.planned_for.isoformat(),
        }
        told = {"actor": SYSTEM, "action": "audit.told", "party": held.license.exporter}
        entries.append(entry | told | {"body": seen})
    journal.append_all(session, entries)


def _plain(audit: Audit, names: Sequence[str]) -> dict[str, Any]:
    """Write columns of a check as JSON has them."""
    values = {name: getattr(audit, name) for name in names}
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
    }


def answer(audit: Audit, row: AuditStep) -> StepOut:
    """Answer a step, the first time and each time it is sent again."""
    return StepOut(
        audit=audit.id,
        number=audit.number,
        step=row.step,
        reference=row.reference,
        at=row.at,
        by=row.by,
        state=rules.State(row.state),
        responsible=row.responsible,
        recorded_at=row.recorded_at,
        action=row.sent.get("action"),
    )
