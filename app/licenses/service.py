"""Registering licenses, changing their state, amending their conditions, reading them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Date, cast, func, insert, select, text
from sqlalchemy.orm import Session, selectinload

from app import journal, walls
from app.access.rules import Actor
from app.errors import Conflict, Invalid, Unknown
from app.licenses import rules
from app.licenses.models import (
    Condition,
    License,
    LicenseParty,
    LicenseSite,
    Line,
    StateChange,
)
from app.licenses.rules import State
from app.licenses.schemas import LicenseIn, StateIn, start_of
from app.parties import service as parties
from app.wire.problems import pointer
from monitors import catalogue


class LicenseUnknown(Unknown):
    """There is no such license, or it is not yours to see."""


class NumberTaken(Conflict):
    """A license with this number is already registered."""


class FactUnknown(Invalid):
    """The terms name a fact that is not in the vocabulary."""


def register(session: Session, license: LicenseIn, *, actor: Actor, now: datetime) -> License:
    """File a granted license with everything on it."""
    taken = session.scalar(select(License.id).where(License.number == license.number))
    if taken is not None:
        raise NumberTaken(
            f"{license.number} is on file. Amend it, or use another number.", pointer="/number"
        )
    check_terms(license.conditions)
    organizations = parties.keep_parties(session, [license.exporter, *license.parties], now=now)
    places = parties.keep_sites(session, license.sites, now=now)
    row = _row(license, now)
    session.add(row)
    session.flush()
    session.add_all(
        LicenseParty(license_id=row.id, party_id=organizations[reference].id, role=role)
        for role, reference in _roles(license)
    )
    session.add_all(
        LicenseSite(license_id=row.id, site_id=places[site.reference].id) for site in license.sites
    )
    session.add_all(_lines(license, row.id))
    add_conditions(session, row, license.conditions, since=None, amendment=None, now=now)
    _enter(session, row, State(license.state), "granted", license.granted_on, actor, now)
    journal.append(
        session,
        actor=actor.name,
        action="license.registered",
        subject=f"license:{row.number}",
        party=row.exporter,
        body=license.model_dump(mode="json"),
        now=now,
    )
    session.flush()
    return read(session, row.number, party=None)


def _row(license: LicenseIn, now: datetime) -> License:
    modes = {
        mode
        for condition in license.conditions
        if condition.kind == "match_mode"
        for mode in condition.terms.model_dump().get("allowed", [])
    }
    tier = rules.tier_of(
        end_use=license.end_use,
        kinds=[condition.kind for condition in license.conditions],
        match_modes=modes,
        granted_on=license.granted_on,
    )
    return License(
        number=license.number,
        exporter=license.exporter.reference,
        state=license.state,
        tier=tier.tier,
        tier_reason=tier.reason,
        tier_review_on=tier.review_on,
        granted_on=license.granted_on,
        expires_on=license.expires_on,
        end_use=license.end_use,
        destination_countries=license.destination_countries,
        humanitarian_track=license.humanitarian_track,
        time_zone=license.time_zone,
        delivered_when=license.delivered_when,
        decision_rationale=license.decision_rationale,
        attend_from=now,
        created_at=now,
    )


def _roles(license: LicenseIn) -> list[tuple[str, str]]:
    """List who has which role; the exporter is one of them, each pair once."""
    named = [(party.role, party.reference) for party in license.parties]
    return list(dict.fromkeys([("exporter", license.exporter.reference), *named]))


def _lines(license: LicenseIn, license_id: int) -> list[Line]:
    return [
        Line(
            license_id=license_id,
            line=line.line,
            description=line.description,
            classification=line.classification,
            modality=line.modality,
            quantity=line.quantity,
            unit=line.unit,
            value_amount=line.value.amount if line.value else None,
            value_currency=line.value.currency if line.value else None,
        )
        for line in license.lines
    ]


def check_terms(conditions: Sequence[Any]) -> None:
    """Refuse terms that require facts nobody could ever report."""
    known = catalogue().facts
    for index, condition in enumerate(conditions):
        for name in getattr(condition.terms, "required_facts", ()):
            if name not in known:
                raise FactUnknown(
                    f"{name!r} is not a fact of the vocabulary; see GET /v1/facts.",
                    pointer=pointer(["conditions", index, "terms", "required_facts"]),
                )


def add_conditions(
    session: Session,
    license: License,
    conditions: Iterable[Any],
    *,
    since: datetime | None,
    amendment: int | None,
    now: datetime,
) -> None:
    """Add condition versions; each takes the next number of its key."""
    versions = dict(
        session.execute(
            select(Condition.key, func.max(Condition.version))
            .where(Condition.license_id == license.id)
            .group_by(Condition.key)
        ).all()
    )
    granted = start_of(license.granted_on, ZoneInfo(license.time_zone)).astimezone(UTC)
    rows = [
        {
            "license_id": license.id,
            "key": condition.key,
            "version": versions.get(condition.key, 0) + 1,
            "kind": condition.kind,
            "text": condition.text,
            "terms": condition.terms.model_dump(mode="json"),
            "source": condition.source,
            "binds": condition.binds,
            "lines": condition.lines,
            "severity": condition.severity or catalogue()[condition.kind].severity,
            "effective_from": condition.effective_from or since or granted,
            "effective_to": condition.effective_to,
            "amendment_id": amendment,
            "created_at": now,
        }
        for condition in conditions
    ]
    if rows:
        session.execute(insert(Condition), rows)


def _enter(
    session: Session,
    license: License,
    state: State,
    ground: str,
    effective_on: date,
    actor: Actor,
    now: datetime,
) -> None:
    session.add(
        StateChange(
            license_id=license.id,
            state=state,
            ground=ground,
            effective_on=effective_on,
            actor=actor.name,
            recorded_at=now,
        )
    )


def visible(number: str, party: str | None) -> Any:
    """Build the query of a license by number, as far as a party may see it (None: the authority)."""
    query = select(License).where(License.number == number)
    return query if party is None else query.where(License.exporter == party)


def locked(session: Session, number: str, *, party: str | None) -> License:
    """Take a license to change it; writers to one license wait for each other here."""
    row = session.scalar(visible(number, party).with_for_update(key_share=True))
    if row is None:
        raise LicenseUnknown(f"There is no license {number!r} here.")
    if party is not None:
        walls.judge(session)
    license: License = row
    return license


def read(session: Session, number: str, *, party: str | None) -> License:
    """Read a license whole."""
    row = session.scalar(
        visible(number, party)
        .options(
            selectinload(License.lines),
            selectinload(License.parties),
            selectinload(License.sites),
            selectinload(License.conditions),
            selectinload(License.states),
        )
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise LicenseUnknown(f"There is no license {number!r} here.")
    license: License = row
    return license


def listed(
    session: Session,
    *,
    party: str | None,
    state: State | None,
    exporter: str | None,
    country: str | None,
    tier: int | None,
    after: str | None,
    limit: int,
) -> list[License]:
    """List licenses by number; one more than `limit` tells that there is a further page."""
    query = select(License).order_by(License.number).limit(limit + 1)
    if party is not None:
        query = query.where(License.exporter == party)
    if state is not None:
        query = query.where(License.state == state)
    if exporter is not None:
        query = query.where(License.exporter == exporter)
    if country is not None:
        query = query.where(License.destination_countries.any_() == country)
    if tier is not None:
        query = query.where(License.tier == tier)
    if after is not None:
        query = query.where(License.number > after)
    return list(session.scalars(query))


def set_state(
    session: Session, number: str, change: StateIn, *, actor: Actor, now: datetime
) -> License:
    """Give a license another state, if its life allows."""
    license = locked(session, number, party=None)
    change_state(
        session,
        license,
        State(change.state),
        ground=change.ground,
        effective_on=change.effective_on or now.astimezone(ZoneInfo(license.time_zone)).date(),
        actor=actor,
        now=now,
    )
    session.flush()
    return read(session, number, party=None)


def change_state(
    session: Session,
    license: License,
    state: State,
    *,
    ground: str,
    effective_on: date,
    actor: Actor,
    now: datetime,
) -> None:
    """Change the state of a license that is already locked."""
    rules.check_transition(license.number, State(license.state), state)
    _enter(session, license, state, ground, effective_on, actor, now)
    license.state = state
    license.revision += 1
    attend(license, min(now, start_of(effective_on, ZoneInfo(license.time_zone))))
    journal.append(
        session,
        actor=actor.name,
        action="license.state",
        subject=f"license:{license.number}",
        party=license.exporter,
        body={"state": state, "ground": ground, "effective_on": effective_on.isoformat()},
        now=now,
    )


def attend(license: License, since: datetime) -> None:
    """Note that a change waits for its consequences, from a time on."""
    license.attend_from = min(filter(None, [license.attend_from, since]))


def attend_soon(session: Session, license_id: int, since: datetime) -> None:
    """Note the same of a license the caller holds without having read it."""
    session.execute(_ATTEND_ONE, {"license": license_id, "since": since})


_ATTEND_ONE = text("""
UPDATE licenses SET attend_from = least(attend_from, :since) WHERE id = :license
""")
_ATTEND_ALL = text("SELECT attend_all_of(:party, :since)")


def attend_all_of(session: Session, party: str, since: datetime) -> None:
    """Note on every license that a party stands on, in any role, that a change waits.

    They are held in order of id, so that two that change the same licenses cannot wait for each
    other, and none is loaded: a party may stand on very many. A function of the database does it,
    with its owner's rights: the licenses may be other exporters', of which the asker sees nothing.
    """
    session.execute(_ATTEND_ALL, {"party": party, "since": since})


def to_lapse(session: Session, *, now: datetime, limit: int) -> list[str]:
    """Find licenses whose last day is over in their own time zone, and that are not yet expired."""
    today_there = func.timezone(License.time_zone, now)
    return list(
        session.scalars(
            select(License.number)
            .where(
                License.state.in_(rules.LAPSES),
                License.expires_on < cast(today_there, Date),
            )
            .limit(limit)
        )
    )


def lapse(session: Session, number: str, *, actor: Actor, now: datetime) -> bool:
    """Let a license expire whose last day is over."""
    license = locked(session, number, party=None)
    if license.state not in rules.LAPSES or license.expires_on is None:
        return False
    change_state(
        session,
        license,
        State.EXPIRED,
        ground=f"the last day of validity was {license.expires_on}",
        effective_on=license.expires_on,
        actor=actor,
        now=now,
    )
    return True
