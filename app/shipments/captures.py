"""Taking in EPCIS captures: each event is recorded as custody of units, ignored, or refused; and why.

All of it is done in the request's own transaction, before the answer: the capture job has finished
when its sender hears of it. What came is kept whatever became of it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import walls
from app.access.rules import Actor
from app.errors import Trouble
from app.licenses import service as licenses
from app.licenses.models import License
from app.shipments import aliases, captured, custody, epcis, epcis_schema, filing
from app.shipments.captured import Made, Taken
from app.shipments.epcis_schemas import CaptureOut, ErrorBehaviour
from app.shipments.models import CapturedEvent, Unit
from app.shipments.repeats import any_of
from app.shipments.schemas import CustodyIn

HELD_BACK = (
    "another event of this capture was refused, so none was captured; correct that one, or send "
    "`GS1-Capture-Error-Behaviour: proceed`"
)
ON_THE_WAY = "it only tells of a place on the way that is no site of the license"
NOT_YOURS = "it names no unit of a license of yours; units become known by filing their shipment"


class Refused(Exception):
    """An event cannot be recorded; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a capture is worked on: who sent it, when, and which license it names."""

    session: Session
    actor: Actor
    now: datetime
    named: License | None
    held: dict[int, License]
    units: dict[str, list[int]]
    numbers: dict[str, int]
    earlier: dict[tuple[str, bool, int | None], bytes]
    declared_wrong: set[str]


def take(
    session: Session,
    document: dict[str, Any],
    *,
    license: str | None,
    behaviour: ErrorBehaviour,
    actor: Actor,
    now: datetime,
) -> CaptureOut:
    """Record what a document tells of custody, event by event, and keep what came."""
    epcis_schema.check(document)
    events = [_read(at, one) for at, one in enumerate(epcis.events_of(document))]
    named = None if license is None else licenses.locked(session, license, party=actor.reads_only)
    desk = _desk(session, events, named, actor, now)
    whole = session.begin_nested()
    taken = [_take(desk, at, event) for at, event in enumerate(events)]
    success = all(one.verdict != "refused" for one in taken)
    if success or behaviour == "proceed":
        whole.commit()
    else:
        whole.rollback()
        _hold_back(taken)
    return captured.keep(session, taken, behaviour, success=success, actor=actor, now=now)


def _read(position: int, event: dict[str, Any]) -> epcis.Event:
    """Read an event; a time that no calendar has is the one thing the schema lets through."""
    try:
        return epcis.read(event)
    except (ValidationError, OverflowError) as error:
        raise epcis_schema.DocumentInvalid(
            f"Event {position}: its eventTime is no time of the years 1 to 9999 in UTC.",
            pointer=f"/epcisBody/eventList/{position}/eventTime",
        ) from error


def _desk(
    session: Session,
    events: Collection[epcis.Event],
    named: License | None,
    actor: Actor,
    now: datetime,
) -> Desk:
    """Find and hold every license spoken of, in order of id, and what its author sent before."""
    serials = {serial for event in events for serial in event.serials}
    words = {word for event in events for word in event.transactions}
    visible = select(License.id, License.number)
    known = select(Unit.serial, Unit.license_id).where(Unit.serial == any_of(serials))
    if actor.reads_only is not None:
        visible = visible.where(License.exporter == actor.reads_only)
        known = known.join(License, License.id == Unit.license_id).where(
            License.exporter == actor.reads_only
        )
    numbers = {
        number: id for id, number in session.execute(visible.where(License.number == any_of(words)))
    }
    units: dict[str, list[int]] = {}
    for serial, license_id in session.execute(known.order_by(Unit.license_id)):
        units.setdefault(serial, []).append(license_id)
    ids = {id for some in units.values() for id in some} | set(numbers.values())
    if actor.reads_only is not None:
        walls.judge(session)
    held = session.scalars(
        select(License)
        .where(License.id.in_({named.id} if named else ids))
        .order_by(License.id)
        .with_for_update(key_share=True)
    )
    by_id = {row.id: row for row in held}
    earlier, wrong = _sent_before(session, events, actor)
    return Desk(session, actor, now, named, by_id, units, numbers, earlier, wrong)


def _sent_before(
    session: Session, events: Collection[epcis.Event], actor: Actor
) -> tuple[dict[tuple[str, bool, int | None], bytes], set[str]]:
    """Find what the same author captured under these names, and what was declared wrong."""
    rows = session.execute(
        select(
            CapturedEvent.event_id,
            CapturedEvent.in_error,
            CapturedEvent.license_id,
            CapturedEvent.digest,
            CapturedEvent.verdict,
        ).where(
            CapturedEvent.said_by == filing.author(actor),
            CapturedEvent.event_id == any_of({event.id for event in events}),
            CapturedEvent.verdict != "refused",
        )
    ).all()
    earlier = {
        (row.event_id, row.in_error, row.license_id): row.digest
        for row in rows
        if row.verdict == "captured"
    }
    return earlier, {row.event_id for row in rows if row.in_error}


def _take(desk: Desk, position: int, event: epcis.Event) -> Taken:
    """Record one event for each license it is about; what goes wrong with it, stays with it."""
    taken = Taken(position, event)
    if event.silent is not None:
        taken.made.append(Made(None, "ignored", event.silent))
        return taken
    try:
        about = dict(_about(desk, event))
        with desk.session.begin_nested():
            made = [_record(desk, event, desk.held[id], some) for id, some in about.items()]
    except (Refused, Trouble, ValidationError) as trouble:
        taken.made.append(Made(None, "refused", _why(trouble)))
        return taken
    taken.made += made or [Made(None, "ignored", NOT_YOURS)]
    for one in made:
        if one.license is not None and one.verdict == "captured":
            desk.earlier[event.id, event.in_error, one.license.id] = event.digest
    return taken


def _why(trouble: Exception) -> str:
    if isinstance(trouble, ValidationError):
        return "; ".join(str(error["msg"]) for error in trouble.errors())
    return trouble.detail if isinstance(trouble, Trouble) else str(trouble)


def _about(desk: Desk, event: epcis.Event) -> Iterator[tuple[int, list[str]]]:
    """Say which units of which licenses an event is about."""
    if epcis.too_long(event.body):
        raise Refused(f"a text in it is longer than {epcis.LONGEST:,} characters")
    named = {desk.numbers[word] for word in event.transactions if word in desk.numbers}
    if desk.named is not None:
        named = {desk.named.id}
    if len(named) > 1:
        raise Refused("its business transactions name several licenses; name one")
    if named:
        (license_id,) = named
        strange = [one for one in event.serials if license_id not in desk.units.get(one, ())]
        if strange:
            raise Refused(
                f"not on {desk.held[license_id].number}: {', '.join(sorted(strange)[:10])}; check "
                "the serial numbers; units become known by filing their shipment"
            )
        yield license_id, list(event.serials)
        return
    by_license: dict[int, list[str]] = {}
    for serial in event.serials:
        on = desk.units.get(serial, [])
        if len(on) > 1:
            raise Refused(
                f"{serial} is a unit of {len(on)} licenses; name the license by the header "
                "X-Endwatch-License, or as a business transaction"
            )
        for license_id in on:
            by_license.setdefault(license_id, []).append(serial)
    yield from by_license.items()


def _record(desk: Desk, event: epcis.Event, license: License, serials: list[str]) -> Made:
    """Record an event of one license, unless it was before."""
    known = desk.earlier.get((event.id, event.in_error, license.id))
    if known is not None:
        if known != event.digest:
            raise Refused(
                "an event of this eventID says something else; declare that one wrong, and send this "
                "one under an eventID of its own"
            )
        return Made(license, "captured", "on file since before", len(serials), again=True)
    told = _told(desk, event, license, serials)
    if isinstance(told, str):
        return Made(license, "ignored", told)
    custody.record(desk.session, license, [told], actor=desk.actor, now=desk.now)
    left = len(event.serials) + event.unread - len(serials)
    reason = f"{left:,} further things it names are no units of {license.number}" if left else None
    return Made(license, "captured", reason, len(serials))


def _told(desk: Desk, event: epcis.Event, license: License, serials: list[str]) -> CustodyIn | str:
    """Say what is to be recorded of an event; or why nothing is."""
    if event.in_error:
        desk.declared_wrong.add(event.id)
        if (event.id, False, license.id) not in desk.earlier:
            return "the event it declares wrong is not on file; should it come, it is ignored"
        return CustodyIn(
            reference=epcis.reference_of(event.id, in_error=True),
            at=event.at,
            serials=serials,
            corrects=epcis.reference_of(event.id),
        )
    if event.id in desk.declared_wrong:
        return "it was declared wrong before it came"
    spoken = [name for name in (event.from_party, event.to_party, event.place) if name]
    names = aliases.names_on(desk.session, license, spoken)
    return aliases.custody_of(event, serials, names) or ON_THE_WAY


def _hold_back(taken: list[Taken]) -> None:
    """Undo what was captured beside an event that was refused."""
    for one in taken:
        one.made = [
            made._replace(verdict="refused", reason=HELD_BACK, units=0)
            if made.verdict == "captured" and not made.again
            else made
            for made in one.made
        ]
