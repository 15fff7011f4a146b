"""What was captured: kept whatever became of it, and shown again to whoever asks."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.errors import Unknown
from app.licenses.models import License
from app.shipments import epcis, filing
from app.shipments.epcis_schemas import (
    CaptureError,
    CaptureOut,
    ErrorBehaviour,
    EventOut,
    Verdict,
)
from app.shipments.models import Capture, CapturedEvent

VERDICTS = ("refused", "captured", "ignored")


class CaptureUnknown(Unknown):
    """There is no such capture, or it is not yours to see."""


class Made(NamedTuple):
    """What was made of an event for one license, or for none."""

    license: License | None
    verdict: Verdict
    reason: str | None = None
    units: int = 0
    again: bool = False


@dataclass(slots=True)
class Taken:
    """What became of one event, license by license."""

    position: int
    event: epcis.Event
    made: list[Made] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Refused for one, it is refused; captured for one, it is captured."""
        found = {one.verdict for one in self.made}
        return min(found, key=VERDICTS.index)

    @property
    def reason(self) -> str | None:
        """Say why, as far as there is anything to say."""
        told = [one.reason for one in self.made if one.reason]
        return "; ".join(dict.fromkeys(told)) or None


def keep(
    session: Session,
    taken: list[Taken],
    behaviour: ErrorBehaviour,
    *,
    success: bool,
    actor: Actor,
    now: datetime,
) -> CaptureOut:
    """Keep the capture and its events, and tell the journal."""
    events = [_event_out(one) for one in taken]
    capture = Capture(
        id=uuid4(),
        said_by=filing.author(actor),
        filed_by=actor.name,
        error_behaviour=behaviour,
        success=success,
        events=[one.model_dump(mode="json") for one in events],
        received_at=now,
    )
    session.add(capture)
    session.flush()
    rows = [_row(capture, one, made) for one in taken for made in one.made if not made.again]
    if rows:
        session.execute(insert(CapturedEvent), rows)
    counts = {word: sum(one.verdict == word for one in events) for word in VERDICTS}
    journal.append(
        session,
        actor=actor.name,
        action="epcis.captured",
        subject=f"capture:{capture.id}",
        receipt=journal.receipt_of(f"capture:{capture.id}"),
        party=actor.party,
        body=counts | {"success": success},
        now=now,
    )
    return _show(capture)


def _event_out(one: Taken) -> EventOut:
    return EventOut(
        position=one.position,
        event_id=one.event.id[: epcis.LONGEST],
        type=one.event.type[: epcis.LONGEST],
        verdict=one.verdict,
        reason=one.reason,
        licenses=sorted(made.license.number for made in one.made if made.license is not None),
        units=sum(made.units for made in one.made),
    )


def _row(capture: Capture, one: Taken, made: Made) -> dict[str, Any]:
    event, refused = one.event, one.verdict == "refused"
    return {
        "capture_id": capture.id,
        "position": one.position,
        "license_id": made.license.id if made.license is not None else None,
        "event_id": event.id[: epcis.LONGEST],
        "event_time": event.at,
        "record_time": capture.received_at,
        "type": event.type[: epcis.LONGEST],
        "in_error": event.in_error,
        "body": {} if refused and epcis.too_long(event.body) else event.body,
        "digest": event.digest,
        "verdict": made.verdict,
        "reason": made.reason,
        "said_by": capture.said_by,
        "filed_by": capture.filed_by,
    }


def _show(capture: Capture) -> CaptureOut:
    """Show a capture; its receipt is for the proof of what became of its events."""
    events = [EventOut.model_validate(one) for one in capture.events]
    return CaptureOut(
        capture_id=str(capture.id),
        receipt=journal.receipt_of(f"capture:{capture.id}"),
        created_at=capture.received_at,
        finished_at=capture.received_at,
        success=capture.success,
        capture_error_behaviour=capture.error_behaviour,
        errors=[
            CaptureError(title="The event was refused", detail=one.reason or "", position=at)
            for at, one in enumerate(events)
            if one.verdict == "refused"
        ],
        events=events,
    )


def read(session: Session, id: UUID, *, actor: Actor) -> CaptureOut:
    """Show a capture to its author, and to the authority."""
    capture = session.get(Capture, id)
    if capture is None or actor.reads_only not in {None, capture.said_by}:
        raise CaptureUnknown(f"There is no capture {id} here.")
    return _show(capture)
