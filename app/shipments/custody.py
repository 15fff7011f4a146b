"""Taking in custody events: which units changed hands, place or state, as somebody tells it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.orm import Session

from app import journal
from app.access.once import Replay
from app.access.rules import Actor, Role
from app.errors import Invalid, NotAllowed
from app.licenses import service as licenses
from app.licenses.models import License
from app.shipments import filing, repeats
from app.shipments.models import Custody, Unit
from app.shipments.schemas import CustodyFiled, CustodyIn, CustodyOut
from app.wire import Page, page_after
from app.wire.pages import page_of


class SerialUnknown(Invalid):
    """The license has no such unit."""


class AuthorizationNotYours(NotAllowed):
    """Whether a transfer was authorized is for the authority to say."""


class CorrectionUnfit(Invalid):
    """The event to correct is not there, not yours, or corrected already."""


class Recorded(NamedTuple):
    """What is told of an event; `again` when it was on file before."""

    answer: CustodyOut
    again: bool


def file(
    session: Session, number: str, event: CustodyIn, *, actor: Actor, now: datetime
) -> CustodyOut:
    """Record one event."""
    license = licenses.locked(session, number, party=actor.reads_only)
    (recorded,) = record(session, license, [event], actor=actor, now=now)
    if recorded.again:
        raise Replay(201, recorded.answer.model_dump_json().encode())
    return recorded.answer


def record(
    session: Session,
    license: License,
    events: Sequence[CustodyIn],
    *,
    actor: Actor,
    now: datetime,
    source_kind: str = "custody",
) -> list[Recorded]:
    """Record events of a license the caller holds: all of them, or none.

    A refusal points to the field within its event and names the event in `event`.
    """
    known = repeats.on_file(session, license, {event.reference for event in events})
    fresh: dict[str, CustodyIn] = {}
    for event in events:
        if event == fresh.get(event.reference):
            continue
        earlier = known.get(event.reference)
        if earlier is not None:
            repeats.check_same(session, license, event, earlier, actor)
            continue
        _check(event, actor, now)
        known[event.reference] = repeats.OnFile(
            repeats.said(event), filing.author(actor), filing.grade_of(actor.role), now
        )
        fresh[event.reference] = event
    _check_units(session, license, list(fresh.values()))
    _store(session, license, list(fresh.values()), actor, now, source_kind)
    return [
        Recorded(_show(license, event, known[event.reference]), event.reference not in fresh)
        for event in events
    ]


def _check(event: CustodyIn, actor: Actor, now: datetime) -> None:
    """Refuse what has not come, and what is not its author's to say."""
    filing.check_moment(event.at, now, "/at", event=event.reference)
    if event.authorized is not None and actor.role is Role.EXPORTER:
        raise AuthorizationNotYours(
            "Leave `authorized` out. File the authorization as a document; the authority says "
            "whether it covers the transfer.",
            pointer="/authorized",
            event=event.reference,
        )


def _check_units(session: Session, license: License, events: Sequence[CustodyIn]) -> None:
    """Refuse serials that are no units of the license."""
    named = {serial for event in events for serial in event.serials}
    known = set(
        session.scalars(
            select(Unit.serial).where(
                Unit.license_id == license.id, Unit.serial == repeats.any_of(named)
            )
        )
    )
    for event in events:
        strange = sorted(set(event.serials) - known)
        if strange:
            more = f" and {len(strange) - 10:,} more" if len(strange) > 10 else ""
            raise SerialUnknown(
                f"Not on {license.number}: {', '.join(strange[:10])}{more}. Check the serial "
                "numbers; units become known by filing their shipment.",
                pointer="/serials",
                event=event.reference,
            )


def _store(
    session: Session,
    license: License,
    events: Sequence[CustodyIn],
    actor: Actor,
    now: datetime,
    source_kind: str,
) -> None:
    """Store events with a row for each unit, correct what they correct, and tell the journal."""
    if not events:
        return
    session.execute(
        insert(Custody),
        [
            row | {"source_kind": source_kind}
            for event in events
            for row in _rows(license, event, actor, now)
        ],
    )
    for event in events:
        if event.corrects is not None:
            _correct(session, license, event, actor, now)
    journal.append_all(
        session,
        [
            {
                "recorded_at": now,
                "actor": actor.name,
                "action": "custody.recorded",
                "subject": f"custody:{license.number}/{event.reference}",
                "party": license.exporter,
                "topic": None,
                "body": event.model_dump(mode="json"),
            }
            for event in events
        ],
    )
    licenses.attend(license, now)
    session.flush()


def _rows(license: License, event: CustodyIn, actor: Actor, now: datetime) -> list[dict[str, Any]]:
    said = event.model_dump(exclude={"reference", "serials", "corrects"}) | {
        "license_id": license.id,
        "event": event.reference,
        "grade": filing.grade_of(actor.role),
        "said_by": filing.author(actor),
        "filed_by": actor.name,
        "received_at": now,
    }
    return [said | {"serial": serial} for serial in event.serials]


def _correct(
    session: Session, license: License, event: CustodyIn, actor: Actor, now: datetime
) -> None:
    """Mark the earlier event as corrected; everybody corrects the events of their own role."""
    corrected = session.scalars(
        update(Custody)
        .where(
            Custody.license_id == license.id,
            Custody.event == event.corrects,
            Custody.filed_by.startswith(f"{actor.role}:", autoescape=True),
            Custody.corrected_at.is_(None),
        )
        .values(corrected_at=now)
        .returning(Custody.id)
    ).all()
    if not corrected:
        raise CorrectionUnfit(
            f"{event.corrects} is not a custody event of yours on {license.number}, or is "
            "corrected already; then correct the correction.",
            pointer="/corrects",
            event=event.reference,
        )


def _show(license: License, event: CustodyIn, recorded: repeats.OnFile) -> CustodyOut:
    return CustodyOut(
        license=license.number,
        reference=event.reference,
        at=event.at,
        units=len(event.serials),
        grade=recorded.grade,
        said_by=recorded.said_by,
        received_at=recorded.received_at,
    )


def listed(
    session: Session,
    number: str,
    *,
    serial: str | None,
    party: str | None,
    after: str | None,
    limit: int,
) -> Page[CustodyFiled]:
    """List through whose hands the units of a license went: unit by unit, oldest event first."""
    license = filing.seen(session, number, party=party)
    query = (
        select(Custody)
        .where(Custody.license_id == license.id)
        .order_by(Custody.serial, Custody.at, Custody.id)
        .limit(limit + 1)
    )
    if serial is not None:
        query = query.where(Custody.serial == serial)
    keys = page_after(after, str, datetime, int)
    if keys is not None:
        query = query.where(tuple_(Custody.serial, Custody.at, Custody.id) > tuple_(*keys))
    return page_of(session.scalars(query).all(), limit, _filed, _keys)


def _filed(row: Custody) -> CustodyFiled:
    return CustodyFiled(
        reference=row.event,
        **{name: getattr(row, name) for name in CustodyFiled.model_fields if name != "reference"},
    )


def _keys(row: Custody) -> tuple[Any, ...]:
    return (row.serial, row.at.isoformat(), row.id)
