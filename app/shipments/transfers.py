"""Transfers that need authorization: one asks, another decides, and the receiving party is bound.

An authorization puts the receiving party (and its site) on the license in the role that was asked
for, so that every condition that binds this role binds it from then on, and makes it owe an
acknowledgment that it was told them: the standing monitor `transfer_acknowledgment` awaits it as an
obligation. It is written to custody as authorized, so that the transfer itself, when it is told, is
known to be. Terms that name parties or sites are left as they are: to change them takes an amendment.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import journal
from app.access import service as access
from app.access.once import Replay
from app.access.rules import Actor
from app.errors import Conflict, Invalid, Unknown
from app.licenses import service as licenses
from app.licenses.models import Condition, License, LicenseParty, LicenseSite
from app.licenses.rules import State, in_force
from app.licenses.schemas import start_of
from app.parties import service as parties
from app.parties.schemas import PartyIn, SiteIn
from app.shipments import custody, filing
from app.shipments.custody import SerialUnknown
from app.shipments.models import Transfer, Unit
from app.shipments.repeats import any_of
from app.shipments.schemas import CustodyIn
from app.shipments.transfer_schemas import (
    AcknowledgmentIn,
    Binding,
    TransferDecisionIn,
    TransferIn,
    TransferOut,
)
from app.wire import Page, page_after
from app.wire.pages import page_of
from monitors import catalogue

ACKNOWLEDGE_WITHIN_DAYS = 30
"""Days after the authorization, in the license's time zone, to acknowledge the conditions; policy."""

AUTHORIZATION = "authorization"
"""The kind of source of a custody row that says what may happen, not what did."""

_LISTED = text("""
SELECT EXISTS (
    SELECT FROM screening_hits h JOIN screenings s ON s.id = h.screening_id
    CROSS JOIN LATERAL (
        SELECT confirmed FROM hit_decisions WHERE hit_id = h.id ORDER BY id DESC LIMIT 1
    ) latest
    WHERE s.party = :party AND latest.confirmed
)
""")
"""Whether a person confirmed, and nobody has thought it over since, that a party is on a list."""


class TransferUnknown(Unknown):
    """There is no such transfer on this license, or it is not yours to see."""


class TransferSettled(Conflict):
    """The transfer is decided already."""


class PartyListed(Conflict):
    """The receiving party is on a screening list, as a person confirmed."""


class LicenseWithdrawn(Conflict):
    """Under a license in this state no transfer is authorized."""


class NothingToAcknowledge(Conflict):
    """Only an authorized transfer is acknowledged, and once."""


def ask(
    session: Session, number: str, transfer: TransferIn, *, actor: Actor, now: datetime
) -> TransferOut:
    """Record what is asked for; the same again gets its first answer."""
    license = licenses.locked(session, number, party=actor.reads_only)
    sent = transfer.model_dump(mode="json")
    earlier = session.scalar(
        select(Transfer).where(
            Transfer.license_id == license.id, Transfer.reference == transfer.reference
        )
    )
    if earlier is not None:
        filing.check_same(transfer.reference, earlier.sent, sent, by=earlier.said_by, actor=actor)
        raise Replay(201, _as_asked(session, license, earlier).model_dump_json().encode())
    _check_units(session, license, transfer.serials)
    row = Transfer(
        license_id=license.id,
        reference=transfer.reference,
        serials=transfer.serials,
        to_party=sent["to_party"],
        to_site=sent["to_site"],
        role=transfer.role,
        ground=transfer.ground,
        sent=sent,
        asked_by=actor.name,
        said_by=filing.author(actor),
        asked_at=now,
        state="asked",
    )
    session.add(row)
    session.flush()
    _tell(session, license, row, "asked", sent, actor, now)
    return _as_asked(session, license, row)


def _as_asked(session: Session, license: License, row: Transfer) -> TransferOut:
    """Show a transfer as it was when it was asked for, however often that is asked."""
    unsettled = {
        "state": "asked",
        "decision_ground": None,
        "decided_by": None,
        "decided_at": None,
        "binds": _binds(session, license, row.role, row.asked_at),
        "acknowledgment": "none",
        "acknowledgment_due_at": None,
        "acknowledged_on": None,
    }
    return _show(session, license, row, row.asked_at).model_copy(update=unsettled)


def _check_units(session: Session, license: License, serials: Sequence[str]) -> None:
    query = select(Unit.serial).where(Unit.license_id == license.id, Unit.serial == any_of(serials))
    strange = sorted(set(serials) - set(session.scalars(query)))
    if strange:
        raise SerialUnknown(
            f"Not on {license.number}: {', '.join(strange[:10])}. Check the serial numbers.",
            pointer="/serials",
        )


def decide(
    session: Session,
    number: str,
    id: int,
    decision: TransferDecisionIn,
    *,
    actor: Actor,
    now: datetime,
) -> TransferOut:
    """Authorize or refuse a transfer, as somebody who did not ask for it."""
    license = licenses.locked(session, number, party=None)
    row = _found(session, license, id)
    if row.state != "asked":
        raise TransferSettled(f"{row.reference} was {row.state} by {row.decided_by}.")
    if access.is_same_person(session, row.asked_by, actor):
        raise filing.SecondPersonNeeded("Ask somebody else of the authority to decide on it.")
    if decision.verdict == "authorized":
        _check_allowed(session, license, row)
        _authorize(session, license, row, actor, now)
    row.state, row.decision_ground = decision.verdict, decision.ground
    row.decided_by, row.decided_at = actor.name, now
    session.flush()
    said = {"transfer": row.reference, "ground": decision.ground}
    _tell(session, license, row, decision.verdict, said, actor, now)
    return _show(session, license, row, now)


def _found(session: Session, license: License, id: int) -> Transfer:
    row = session.get(Transfer, id)
    if row is None or row.license_id != license.id:
        raise TransferUnknown(f"{license.number} has no transfer {id}.")
    return row


def _check_allowed(session: Session, license: License, row: Transfer) -> None:
    """Refuse what must not be authorized whoever decides."""
    if license.state in {State.DRAFT, State.CANCELLED, State.SUSPENDED, State.REVOKED}:
        raise LicenseWithdrawn(f"{license.number} is {license.state}.")
    if session.scalar(_LISTED, {"party": row.to_party["reference"]}):
        raise PartyListed(
            f"{row.to_party['reference']} was confirmed to be on a screening list. Refuse the "
            "transfer, or decide on the hit again first."
        )


def _authorize(
    session: Session, license: License, row: Transfer, actor: Actor, now: datetime
) -> None:
    """Put the receiving party on the license, and its authorization on file."""
    party = PartyIn.model_validate(row.to_party)
    kept = parties.keep_parties(session, [party], now=now)[party.reference]
    named = {"license_id": license.id, "party_id": kept.id, "role": row.role}
    session.execute(insert(LicenseParty).values(named).on_conflict_do_nothing())
    if row.to_site is not None:
        site = SiteIn.model_validate(row.to_site)
        place = parties.keep_sites(session, [site], now=now)[site.reference]
        where = {"license_id": license.id, "site_id": place.id}
        session.execute(insert(LicenseSite).values(where).on_conflict_do_nothing())
    license.revision += 1
    event = CustodyIn(
        reference=f"transfer:{uuid4()}",
        at=now,
        serials=row.serials,
        to_party=party.reference,
        authorized=True,
    )
    custody.record(session, license, [event], actor=actor, now=now, source_kind=AUTHORIZATION)
    zone = ZoneInfo(license.time_zone)
    day = now.astimezone(zone).date() + timedelta(days=ACKNOWLEDGE_WITHIN_DAYS + 1)
    row.acknowledgment_due_at = start_of(day, zone)


def acknowledge(
    session: Session,
    number: str,
    id: int,
    acknowledgment: AcknowledgmentIn,
    *,
    actor: Actor,
    now: datetime,
) -> TransferOut:
    """Record that the receiving party confirmed the conditions that bind it."""
    license = licenses.locked(session, number, party=actor.reads_only)
    row = _found(session, license, id)
    said = acknowledgment.model_dump(mode="json")
    if row.acknowledgment is not None and row.acknowledgment["said"] == said:
        raise Replay(201, _show(session, license, row, now).model_dump_json().encode())
    if row.state != "authorized" or row.acknowledgment is not None:
        state = "acknowledged" if row.acknowledgment else row.state
        raise NothingToAcknowledge(f"{row.reference} is {state}.")
    filing.check_day(acknowledgment.acknowledged_on, now, "/acknowledged_on")
    assert row.decided_at is not None
    decided_on = row.decided_at.astimezone(ZoneInfo(license.time_zone)).date()
    if acknowledgment.acknowledged_on < decided_on:
        raise Invalid(
            f"{row.reference} was authorized on {decided_on}. Give that day or a later one.",
            pointer="/acknowledged_on",
        )
    row.acknowledged_at = now
    row.acknowledgment = {"said": said, "filed_by": actor.name}
    licenses.attend(license, now)
    session.flush()
    _tell(session, license, row, "acknowledged", said, actor, now)
    return _show(session, license, row, now)


def listed(
    session: Session,
    number: str,
    *,
    party: str | None,
    after: str | None,
    limit: int,
    now: datetime,
) -> Page[TransferOut]:
    """List the transfers of a license in the order they were asked for."""
    license = filing.seen(session, number, party=party)
    query = (
        select(Transfer)
        .where(Transfer.license_id == license.id)
        .order_by(Transfer.id)
        .limit(limit + 1)
    )
    keys = page_after(after, int)
    if keys is not None:
        query = query.where(Transfer.id > keys[0])
    rows = session.scalars(query).all()
    return page_of(
        rows, limit, lambda row: _show(session, license, row, now), lambda row: (row.id,)
    )


def _show(session: Session, license: License, row: Transfer, now: datetime) -> TransferOut:
    acknowledged = row.acknowledgment["said"] if row.acknowledgment else {}
    return TransferOut(
        **{name: getattr(row, name) for name in SHOWN},
        license=license.number,
        binds=_binds(session, license, row.role, row.decided_at or now),
        acknowledgment=acknowledgment_state(row, now),
        acknowledged_on=acknowledged.get("acknowledged_on"),
    )


SHOWN = set(TransferOut.model_fields) - {"license", "binds", "acknowledgment", "acknowledged_on"}


def _binds(session: Session, license: License, role: str, at: datetime) -> list[Binding]:
    """List the conditions in force then that bind this role, or everybody."""
    rows = session.scalars(
        select(Condition)
        .where(Condition.license_id == license.id)
        .order_by(Condition.key, Condition.version)
    ).all()
    by_key: dict[str, list[Condition]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)
    ruling = [in_force(versions, at) for versions in by_key.values()]
    return [
        Binding(
            key=one.key,
            kind=one.kind,
            title=catalogue()[one.kind].title if one.kind in catalogue() else "unknown",
            text=one.text,
        )
        for one in ruling
        if one is not None and (not one.binds or role in one.binds)
    ]


def acknowledgment_state(row: Transfer, now: datetime) -> Any:
    """Say where the acknowledgment is: none is owed before the authorization."""
    due = row.acknowledgment_due_at
    if due is None:
        return "none"
    if row.acknowledged_at is not None:
        return "met" if row.acknowledged_at <= due else "met_late"
    return "due" if now <= due else "overdue"


def _tell(
    session: Session,
    license: License,
    row: Transfer,
    what: str,
    said: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> None:
    journal.append(
        session,
        actor=actor.name,
        action=f"transfer.{what}",
        subject=f"transfer:{license.number}/{row.reference}",
        party=license.exporter,
        body=said,
        now=now,
    )
