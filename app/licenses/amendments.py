"""Amending the conditions of a license: one person proposes, another approves."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access import service as access
from app.access.rules import Actor
from app.errors import Conflict, Invalid, Unknown
from app.licenses import service
from app.licenses.models import Amendment, Condition, License, Line
from app.licenses.schemas import AmendmentIn, check_lines


class AmendmentUnknown(Unknown):
    """There is no such amendment on this license."""


class SecondPersonNeeded(Conflict):
    """The person who proposed an amendment cannot approve it."""


class AmendmentSettled(Conflict):
    """This amendment is already approved."""


class ConditionUnknown(Invalid):
    """The license has no such condition."""


def propose(
    session: Session, number: str, amendment: AmendmentIn, *, actor: Actor, now: datetime
) -> Amendment:
    """Propose new condition versions; nothing changes until a second person approves."""
    license = service.locked(session, number, party=None)
    lines = set(session.scalars(select(Line.line).where(Line.license_id == license.id)))
    try:
        check_lines(amendment.conditions, lines)
    except ValueError as error:
        raise Invalid(str(error), pointer="/conditions") from error
    service.check_terms(amendment.conditions)
    keys = set(session.scalars(select(Condition.key).where(Condition.license_id == license.id)))
    strange = sorted(set(amendment.ends) - keys)
    if strange:
        raise ConditionUnknown(
            f"{', '.join(strange)}: no such condition; there are {', '.join(sorted(keys))}.",
            pointer="/ends",
        )
    row = Amendment(
        license_id=license.id,
        ground=amendment.ground,
        conditions=[amendment.model_dump(mode="json")],
        proposed_by=actor.key,
        proposed_at=now,
    )
    session.add(row)
    session.flush()
    _tell_amendment(session, license, row, "proposed", actor, now)
    return row


def approve(session: Session, number: str, id: int, *, actor: Actor, now: datetime) -> Amendment:
    """Approve an amendment as the second person; its condition versions come into force."""
    license = service.locked(session, number, party=None)
    row = session.get(Amendment, id, with_for_update=True)
    if row is None or row.license_id != license.id:
        raise AmendmentUnknown(f"{number} has no amendment {id}.")
    if row.approved_at is not None:
        raise AmendmentSettled(f"Amendment {id} was approved by {row.approved_by}.")
    if access.is_same_person(session, row.proposed_by, actor):
        raise SecondPersonNeeded("Ask another licensing officer to approve it.")
    row.approved_by, row.approved_at = actor.key, now
    session.flush()
    amendment = AmendmentIn.model_validate(row.conditions[0])
    service.add_conditions(
        session,
        license,
        amendment.conditions,
        since=amendment.effective_from,
        amendment=row.id,
        now=now,
    )
    _end_conditions(session, license, amendment, row, now)
    license.delivered_when = amendment.delivered_when or license.delivered_when
    license.revision += 1
    service.attend(license, min([amendment.effective_from, *_starts(amendment)]))
    _tell_amendment(session, license, row, "approved", actor, now)
    session.flush()
    return row


def _starts(amendment: AmendmentIn) -> list[datetime]:
    return [
        condition.effective_from
        for condition in amendment.conditions
        if condition.effective_from is not None
    ]


def _end_conditions(
    session: Session, license: License, amendment: AmendmentIn, row: Amendment, now: datetime
) -> None:
    """End conditions by a last version that is over as soon as it begins."""
    for key in amendment.ends:
        last = session.scalars(
            select(Condition)
            .where(Condition.license_id == license.id, Condition.key == key)
            .order_by(Condition.version.desc())
            .limit(1)
        ).one()
        columns = {column.key: getattr(last, column.key) for column in Condition.__table__.columns}
        columns |= {
            "version": last.version + 1,
            "effective_from": amendment.effective_from,
            "effective_to": amendment.effective_from,
            "amendment_id": row.id,
            "created_at": now,
        }
        columns.pop("id")
        session.add(Condition(**columns))


def _tell_amendment(
    session: Session, license: License, row: Amendment, what: str, actor: Actor, now: datetime
) -> None:
    journal.append(
        session,
        actor=actor.name,
        action=f"amendment.{what}",
        subject=f"license:{license.number}",
        party=license.exporter,
        body={"amendment": row.id, "ground": row.ground, **row.conditions[0]},
        now=now,
    )


def listed(session: Session, number: str, *, party: str | None) -> list[Amendment]:
    """List the amendments of a license, oldest first."""
    license = service.read(session, number, party=party)
    return list(
        session.scalars(
            select(Amendment).where(Amendment.license_id == license.id).order_by(Amendment.id)
        )
    )
