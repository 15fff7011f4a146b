"""Recognizes custody events that are on file already, by what they said."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Text, any_, exists, func, literal, select
from sqlalchemy.orm import Session

from app.access.rules import Actor
from app.licenses.models import License
from app.shipments import filing
from app.shipments.models import Custody
from app.shipments.schemas import CustodyIn
from monitors import Grade

SAID = ("at", "disposition", "from_party", "to_party", "site", "authorized")
KNOWN = ("said_by", "grade", "received_at")


@dataclass(frozen=True, slots=True)
class OnFile:
    """An event as it was recorded."""

    said: dict[str, Any]
    said_by: str
    grade: Grade
    received_at: datetime


def on_file(session: Session, license: License, references: Collection[str]) -> dict[str, OnFile]:
    """Find events by reference; all units of an event share what it says."""
    shared = [getattr(Custody, name) for name in ("event", *SAID, *KNOWN)]
    rows = session.execute(
        select(*shared, func.array_agg(Custody.serial).label("serials"))
        .where(Custody.license_id == license.id, Custody.event == any_of(references))
        .group_by(*shared)
    )
    found = {}
    for row in rows:
        event = CustodyIn.model_construct(
            reference=row.event,
            serials=row.serials,
            **{name: getattr(row, name) for name in SAID},
        )
        found[row.event] = OnFile(said(event), row.said_by, Grade(row.grade), row.received_at)
    return found


def any_of(codes: Collection[str]) -> Any:
    """Compare with many codes at once: as one parameter, since a query takes only so many."""
    return any_(literal(list(codes), ARRAY(Text)))


def said(event: CustodyIn) -> dict[str, Any]:
    """Write what an event says in one form, to compare it by: its units are in no order."""
    return event.model_dump(mode="json", exclude={"corrects"}) | {"serials": sorted(event.serials)}


def check_same(
    session: Session, license: License, event: CustodyIn, earlier: OnFile, actor: Actor
) -> None:
    """Refuse another event of the same reference.

    Which event it corrected is not stored with it, but is known from when that one was corrected.
    """
    corrected = event.corrects is None or session.scalar(
        select(
            exists().where(
                Custody.license_id == license.id,
                Custody.event == event.corrects,
                Custody.corrected_at == earlier.received_at,
            )
        )
    )
    filing.check_same(
        event.reference,
        earlier.said | {"corrects": event.corrects if corrected else None},
        said(event) | {"corrects": event.corrects},
        by=earlier.said_by,
        actor=actor,
        event=event.reference,
    )
