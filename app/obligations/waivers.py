"""Waiving what is owed until a day: one person proposes, another approves.

A waiver forgives nothing that was missed before it: the deviation is cleared, and its occurrence
stays. When the waiver expires, what has not come by then is owed again as if there had been none.
"""

from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access import service as access
from app.access.rules import Actor
from app.assessments import dockets
from app.assessments import service as assessments
from app.errors import Conflict, Invalid, Unknown
from app.licenses.models import License
from app.obligations import calendars, climbing, record
from app.obligations.models import Obligation, Waiver
from app.obligations.rules import State
from app.obligations.schemas import WaiverIn, WaiverOut

LONGEST = timedelta(days=366)


class ObligationUnknown(Unknown):
    """There is no such obligation, or it is not yours to see."""


class ObligationSettled(Conflict):
    """What was owed has come, or is owed no more: there is nothing to waive."""


class WaiverWaiting(Conflict):
    """A waiver of this obligation already waits for a second person, or is in force."""


class NoWaiverWaiting(Conflict):
    """No waiver of this obligation waits for a decision."""


class WaiverNeedsAnother(Conflict):
    """Who proposed a waiver cannot approve it."""


class WaiverTooLate(Conflict):
    """The last day of this waiver is over; propose another."""


class ExpiryUnfit(Invalid):
    """A waiver ends on a day from today on, and within a year."""


def propose(
    session: Session, id: UUID, waiver: WaiverIn, *, actor: Actor, now: datetime
) -> WaiverOut:
    """Propose a waiver; nothing changes until a second person approves."""
    license, row = _held(session, id)
    zone = ZoneInfo(license.time_zone)
    _check_open(row, now)
    _check_day(waiver.expires_on, now.astimezone(zone).date())
    waiting = _waiting(session, id)
    if waiting is not None and waiting.expires_at > now:
        raise WaiverWaiting(f"Waiver {waiting.id} waits. Approve or refuse it first.")
    if waiting is not None:
        waiting.refused_by, waiting.refused_at = actor.key, now
        session.flush()
        _tell(session, license, row, waiting, "refused", actor, now)
    proposed = Waiver(
        obligation_id=id,
        ground=waiver.ground,
        expires_on=waiver.expires_on,
        expires_at=calendars.ends(waiver.expires_on, zone),
        proposed_by=actor.key,
        proposed_at=now,
    )
    session.add(proposed)
    session.flush()
    _tell(session, license, row, proposed, "proposed", actor, now)
    return show(proposed)


def approve(session: Session, id: UUID, *, actor: Actor, now: datetime) -> WaiverOut:
    """Approve the waiver that waits, as the second person: nobody is asked until it expires."""
    license, row = _held(session, id)
    _check_open(row, now)
    waiver = _decidable(session, id)
    if access.is_same_person(session, waiver.proposed_by, actor):
        raise WaiverNeedsAnother("Ask another officer or a supervisor to approve it.")
    if waiver.expires_at <= now:
        raise WaiverTooLate(f"It would have held until {waiver.expires_on}.")
    waiver.approved_by, waiver.approved_at = actor.key, now
    session.flush()  # the database lets nobody be spared before two have agreed
    was_overdue = row.state == State.OVERDUE
    row.waived_until = row.next_look_at = waiver.expires_at
    row.state, row.changed_at = State.WAIVED, now
    session.flush()
    climbing.waived(session, row, now=now)
    docket = dockets.one(session, license)
    record.tell(session, row, docket, now)
    _tell(session, license, row, waiver, "approved", actor, now)
    if was_overdue:
        ruling = record.asked_by(docket, row)
        assessments.excuse(session, docket, ruling, record.owed(row), now=now)
    return show(waiver)


def refuse(session: Session, id: UUID, *, actor: Actor, now: datetime) -> WaiverOut:
    """Refuse the waiver that waits; who proposed it may take it back so."""
    license, row = _held(session, id)
    waiver = _decidable(session, id)
    waiver.refused_by, waiver.refused_at = actor.key, now
    session.flush()
    _tell(session, license, row, waiver, "refused", actor, now)
    return show(waiver)


def listed(session: Session, id: UUID) -> list[WaiverOut]:
    """List the waivers of an obligation, latest first."""
    query = select(Waiver).where(Waiver.obligation_id == id).order_by(Waiver.id.desc()).limit(100)
    return [show(row) for row in session.scalars(query)]


def show(row: Waiver) -> WaiverOut:
    """Show a waiver."""
    columns = {name: getattr(row, name) for name in WaiverOut.model_fields if name != "obligation"}
    return WaiverOut(obligation=row.obligation_id, **columns)


def _held(session: Session, id: UUID) -> tuple[License, Obligation]:
    """Hold the license, then the obligation: in the order in which everybody takes them."""
    license_id = session.scalar(select(Obligation.license_id).where(Obligation.id == id))
    if license_id is None:
        raise ObligationUnknown(f"There is no obligation {id} here.")
    license = session.scalars(
        select(License).where(License.id == license_id).with_for_update(key_share=True)
    ).one()
    row = session.scalars(
        select(Obligation)
        .where(Obligation.id == id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    return license, row


def _check_open(row: Obligation, now: datetime) -> None:
    if row.settled_at is not None:
        raise ObligationSettled(f"It is {row.state} since {row.settled_at.isoformat()}.")
    if record.excused(row, now):
        raise WaiverWaiting(f"It is waived until {row.waived_until}; wait until that is over.")


def _check_day(expires_on: date, today: date) -> None:
    if not today <= expires_on <= today + LONGEST:
        raise ExpiryUnfit(f"Choose a day from {today} to {today + LONGEST}.", pointer="/expires_on")


def _waiting(session: Session, id: UUID) -> Waiver | None:
    return session.scalar(
        select(Waiver)
        .where(
            Waiver.obligation_id == id,
            Waiver.approved_at.is_(None),
            Waiver.refused_at.is_(None),
        )
        .with_for_update()
    )


def _decidable(session: Session, id: UUID) -> Waiver:
    waiver = _waiting(session, id)
    if waiver is None:
        raise NoWaiverWaiting("Propose one first.")
    return waiver


def _tell(
    session: Session,
    license: License,
    row: Obligation,
    waiver: Waiver,
    what: str,
    actor: Actor,
    now: datetime,
) -> None:
    journal.append(
        session,
        actor=actor.name,
        action=f"waiver.{what}",
        subject=f"obligation:{row.id}",
        party=None if record.is_secret(row.key) else license.exporter,
        body={
            "license": license.number,
            "waiver": waiver.id,
            "ground": waiver.ground,
            "expires_on": waiver.expires_on.isoformat(),
        },
        now=now,
    )
