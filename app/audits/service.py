"""Planning end-use checks, listing and reading them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import extract, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.access.rules import Actor, Role
from app.audits import steps, visits
from app.audits.models import Audit, AuditNumber, AuditStep
from app.audits.rules import Mode, State, Step
from app.audits.schemas import AuditIn, OverrideIn
from app.audits.steps import AuditUnknown, Held
from app.audits.visits import Right
from app.errors import Invalid
from app.licenses import service as licenses
from app.licenses.models import Condition, License
from app.licenses.rules import in_force
from app.licenses.schemas import start_of
from app.wire import page_after

CHECKED_FIRST = ("end_user", "ultimate_consignee", "exporter")
"""Whom a check is of if nobody is named: the first of these roles on the license."""


class SiteUnknown(Invalid):
    """The site is not on the license."""


class PartyUnknown(Invalid):
    """The party is not on the license."""


def plan(session: Session, audit: AuditIn, *, actor: Actor, now: datetime) -> Audit:
    """Plan a check within what the license allows, or beyond it by right or by a supervisor."""
    license = licenses.locked(session, audit.license, party=None)
    override = override_of(audit.override, actor)
    zone = ZoneInfo(license.time_zone)
    visits.check_day(audit.planned_for, now, zone)
    row = Audit(
        number=_number(session, now),
        license_id=license.id,
        mode=audit.mode,
        partner=audit.partner,
        site=_site(license, audit.site),
        party=_party(license, audit.party),
        planned_for=audit.planned_for,
        purpose=audit.purpose,
        note=audit.note,
        unannounced_right=audit.unannounced_right,
        override_by=actor.key if override else None,
        override_ground=override,
        opened_by=actor.key,
        state=State.PLANNED,
        created_at=now,
        changed_at=now,
    )
    check_limits(session, license, row, audit.planned_for, announced_at=now)
    session.add(row)
    session.flush()
    _open(session, Held(license, row), audit, actor, now)
    return row


def _open(session: Session, held: Held, audit: AuditIn, actor: Actor, now: datetime) -> None:
    """File the first step of a check."""
    row = AuditStep(
        audit_id=held.audit.id,
        step=Step.PLANNED,
        at=now,
        by=actor.key,
        office=True,
        day=audit.planned_for,
        sent=steps.sent_of(audit),
        state=State.PLANNED,
        responsible=actor.key,
        recorded_at=now,
    )
    steps.store(session, held, row)
    steps.tell(session, held, row, actor=actor.name, now=now)


def override_of(override: OverrideIn | None, actor: Actor) -> str | None:
    """Take a supervisor's ground for going beyond the license; refuse anybody else's."""
    if override is None:
        return None
    if actor.role is not Role.SUPERVISOR:
        raise visits.OverrideNotYours(
            "Plan within the notice and the yearly limit, or ask a supervisor.",
            pointer="/override",
        )
    return override.ground


def _number(session: Session, now: datetime) -> str:
    """Give the next number of the year, without gaps: whoever plans next waits for this one."""
    statement = insert(AuditNumber).values(year=now.year, last=1)
    last = session.scalar(
        statement.on_conflict_do_update(
            index_elements=[AuditNumber.year], set_={"last": AuditNumber.last + 1}
        ).returning(AuditNumber.last)
    )
    return f"CHK-{now.year}-{last:05}"


def _site(license: License, site: str | None) -> str | None:
    known = sorted(one.site.reference for one in license.sites)
    if site is not None and site not in known:
        raise SiteUnknown(
            f"{site!r} is no site of {license.number}; there are {', '.join(known) or 'none'}.",
            pointer="/site",
        )
    return site


def _party(license: License, party: str | None) -> str:
    """Name who is checked: as asked, or the end user, or whoever comes next."""
    roles = {one.party.reference: one.role for one in reversed(license.parties)}
    if party is None:
        named = [(one.role, one.party.reference) for one in license.parties]
        ranked = [reference for role in CHECKED_FIRST for is_, reference in named if is_ == role]
        return ranked[0]
    if party not in roles:
        raise PartyUnknown(
            f"{party!r} is no party of {license.number}; there are {', '.join(sorted(roles))}.",
            pointer="/party",
        )
    return party


def right_on(session: Session, license: License, day: date) -> Right | None:
    """Combine the `audit_right` conditions in force on a day in the license's time zone."""
    moment = start_of(day, ZoneInfo(license.time_zone))
    versions: dict[str, list[Condition]] = {}
    for row in session.scalars(
        select(Condition).where(Condition.license_id == license.id, Condition.kind == visits.KIND)
    ):
        versions.setdefault(row.key, []).append(row)
    chosen = [in_force(of_key, moment) for of_key in versions.values()]
    return visits.right_of(one.terms for one in chosen if one is not None)


def check_limits(
    session: Session, license: License, audit: Audit, day: date, *, announced_at: datetime
) -> None:
    """Refuse a visit inside the notice or beyond the yearly limit, unless somebody answers for it.

    A right to come unannounced lifts the notice; it gives no further visits.
    """
    if audit.mode == Mode.DOCUMENTARY or audit.override_ground is not None:
        return
    right = right_on(session, license, day)
    if audit.unannounced_right is None:
        visits.check_notice(right, day, announced_at, ZoneInfo(license.time_zone))
    rows = session.execute(
        select(Audit.mode, Audit.state, Audit.started_at).where(
            Audit.license_id == license.id,
            extract("year", Audit.planned_for) == day.year,
            Audit.id != audit.id if audit.id is not None else True,
        )
    )
    visits.check_yearly(right, day.year, sum(visits.counts(*row) for row in rows))


def seen(session: Session, id: UUID, *, party: str | None) -> tuple[Audit, str]:
    """Find a check and the number of its license; a party finds its own once it was announced."""
    query = (
        select(Audit, License.number)
        .join(License, License.id == Audit.license_id)
        .where(Audit.id == id)
    )
    row = session.execute(_visible(query, party)).first()
    if row is None:
        raise AuditUnknown(f"There is no check {id} here.")
    return row[0], row[1]


def _visible(query: Any, party: str | None) -> Any:
    if party is None:
        return query
    return query.where(License.exporter == party, Audit.revealed_at.is_not(None))


def listed(
    session: Session,
    *,
    party: str | None,
    license: str | None,
    states: Sequence[State],
    mode: Mode | None,
    assignee: str | None,
    before: date | None,
    after: str | None,
    limit: int,
) -> list[tuple[Audit, str]]:
    """List checks, newest first; one more than `limit` tells that there is a further page."""
    query = (
        select(Audit, License.number)
        .join(License, License.id == Audit.license_id)
        .order_by(Audit.created_at.desc(), Audit.id.desc())
        .limit(limit + 1)
    )
    wanted = {License.number: license, Audit.mode: mode, Audit.assignee: assignee}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    if states:
        query = query.where(Audit.state.in_(states))
    if before is not None:
        query = query.where(Audit.planned_for < before)
    keys = page_after(after, datetime, UUID)
    if keys is not None:
        query = query.where(tuple_(Audit.created_at, Audit.id) < tuple_(*keys))
    return [(row, number) for row, number in session.execute(_visible(query, party))]
