"""The steps of a check up to its report: who makes it, announcing, beginning, what came of it."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.access.rules import Actor, Role
from app.audits import service, steps, visits
from app.audits.rules import Cause, Happening, Step
from app.audits.schemas import (
    AcceptanceIn,
    AssignmentIn,
    HandoverIn,
    NotificationIn,
    RefusalIn,
    StartIn,
    StepIn,
    StepOut,
    UnableIn,
)
from app.audits.steps import Held
from app.errors import Invalid
from app.evidence import naming
from app.licenses.models import License
from app.people import holders
from app.wire.problems import pointer


class InspectorUnknown(Invalid):
    """There is no inspector with a key of this id."""


def assign(
    session: Session, id: UUID, given: AssignmentIn, *, actor: Actor, now: datetime
) -> StepOut:
    """Offer a check to an inspector."""
    held = steps.hold(session, id)
    steps.replay(held, Step.ASSIGNED, given, actor=actor)
    _check_inspector(session, given.to, now)
    one = Happening(Step.ASSIGNED, now, actor.key, to=given.to, office=True)
    return _done(session, held, one, given, actor, now)


def accept(
    session: Session, id: UUID, given: AcceptanceIn, *, actor: Actor, now: datetime
) -> StepOut:
    """Take a check on; of several who would, the first has it."""
    held = steps.hold(session, id)
    steps.replay(held, Step.ACCEPTED, given, actor=actor)
    one = Happening(Step.ACCEPTED, steps.moment_of(given, now), actor.key)
    return _done(session, held, one, given, actor, now)


def hand_over(
    session: Session, id: UUID, given: HandoverIn, *, actor: Actor, now: datetime
) -> StepOut:
    """Offer a check to another inspector; until that one accepts, it stays where it is."""
    held = steps.hold(session, id)
    steps.replay(held, Step.HANDED_OVER, given, actor=actor)
    _check_inspector(session, given.to, now)
    one = Happening(Step.HANDED_OVER, steps.moment_of(given, now), actor.key, to=given.to)
    return _done(session, held, one, given, actor, now)


def _check_inspector(session: Session, id: str, now: datetime) -> None:
    """Refuse to offer a check to somebody who could not accept it."""
    holder = holders.find(session, id, now=now)
    if holder is None or holder.role is not Role.INSPECTOR:
        raise InspectorUnknown(
            f"{id!r} is no inspector, or one whose key or account has ended.", pointer="/to"
        )


def notify(
    session: Session, id: UUID, given: NotificationIn, *, actor: Actor, now: datetime
) -> StepOut:
    """File that the party was told of the check; from then on its exporter sees it."""
    held = steps.hold(session, id)
    steps.replay(held, Step.NOTIFIED, given, actor=actor)
    audit, at = held.audit, steps.moment_of(given, now)
    day = given.planned_for or audit.planned_for
    visits.check_day(day, at, ZoneInfo(held.license.time_zone))
    ground = service.override_of(given.override, actor)
    if ground is not None:
        audit.override_by, audit.override_ground = actor.key, ground
    service.check_limits(session, held.license, audit, day, announced_at=at)
    one = Happening(Step.NOTIFIED, at, actor.key, day=day, office=_from_office(actor))
    return _done(session, held, one, given, actor, now)


def start(session: Session, id: UUID, given: StartIn, *, actor: Actor, now: datetime) -> StepOut:
    """File that the check has begun."""
    held = steps.hold(session, id)
    steps.replay(held, Step.STARTED, given, actor=actor)
    at = steps.moment_of(given, now)
    _check_announced(session, held, at, now)
    one = Happening(Step.STARTED, at, actor.key)
    return _done(session, held, one, given, actor, now)


def refuse(session: Session, id: UUID, given: RefusalIn, *, actor: Actor, now: datetime) -> StepOut:
    """File that the party refused the check: its clock starts, unless it runs already."""
    held = steps.hold(session, id)
    steps.replay(held, Step.REFUSED, given, actor=actor)
    _check_evidence(session, given.evidence, actor)
    at = steps.moment_of(given, now)
    _check_announced(session, held, at, now)
    right = service.right_on(session, held.license, _day(held.license, at))
    since = visits.clock_from(right, at, held.stood(at, now).notified_at)
    one = Happening(Step.REFUSED, at, actor.key, clock_from=since)
    return _done(session, held, one, given, actor, now)


def fail(session: Session, id: UUID, given: UnableIn, *, actor: Actor, now: datetime) -> StepOut:
    """File that the check could not be made; if that lies with the authority, no clock starts."""
    held = steps.hold(session, id)
    steps.replay(held, Step.UNABLE, given, actor=actor)
    _check_evidence(session, given.evidence, actor)
    at = steps.moment_of(given, now)
    since = None if given.cause is Cause.AUTHORITY else at
    office = _from_office(actor)
    one = Happening(Step.UNABLE, at, actor.key, office=office, clock_from=since)
    return _done(session, held, one, given, actor, now)


def _check_evidence(session: Session, digests: Sequence[str], actor: Actor) -> None:
    """Refuse files that were not handed in. Raises EvidenceNotHandedIn."""
    named = {pointer(["evidence", index]): digest for index, digest in enumerate(digests)}
    naming.check(session, named, actor=actor)


def _from_office(actor: Actor) -> bool:
    return actor.role is not Role.INSPECTOR


def _day(license: License, at: datetime) -> date:
    return at.astimezone(ZoneInfo(license.time_zone)).date()


def _check_announced(session: Session, held: Held, at: datetime, now: datetime) -> None:
    """Refuse to begin what had to be announced and was not, as things stood then."""
    audit = held.audit
    visits.check_announced(
        service.right_on(session, held.license, _day(held.license, at)),
        audit.mode,
        state=held.stood(at, now).state,
        unannounced=audit.unannounced_right is not None or audit.override_ground is not None,
        number=audit.number,
    )


def _done(
    session: Session, held: Held, one: Happening, given: StepIn, actor: Actor, now: datetime
) -> StepOut:
    row = steps.record(session, held, one, given=given, now=now, actor=actor.name)
    return steps.answer(held.audit, row)
