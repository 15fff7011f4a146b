"""Ends what is owed once there is nothing left to look after.

Duties outlive the license. A unit that is lost, stolen, destroyed, returned, disposed of or, with
authorization, transferred owes no more readings. When the license has ended and every unit is gone
so, everything ends but what the end of a unit itself makes somebody owe (a certificate of disposal).
Where more was shipped than is known by serial number, or nothing is known to have been shipped,
nobody knows what is left, and duties go on until a person waives them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.assessments import dispositions
from app.assessments import service as assessments
from app.assessments.rules import Docket
from app.licenses.models import License
from app.licenses.rules import State as LicenseState
from app.obligations import climbing, record
from app.obligations.models import Obligation
from app.obligations.rules import State

ENDED = frozenset(
    {
        LicenseState.EXPIRED,
        LicenseState.EXHAUSTED,
        LicenseState.REVOKED,
        LicenseState.SURRENDERED,
    }
)
UNIT_FINAL, ALL_FINAL = "unit_final", "all_units_final"


class Gone(NamedTuple):
    """The units that are gone for good, and whether that is all there was."""

    units: Mapping[str, Any]
    over: bool


NOTHING = Gone({}, over=False)

_SHIPPED = text("""
SELECT (SELECT count(*) FROM units WHERE license_id = :license AND serial <> ALL(:gone)) AS left_over,
       (SELECT coalesce(sum(quantity), 0) FROM shipments WHERE license_id = :license)
       > (SELECT count(*) FROM units WHERE license_id = :license) AS unnumbered
""")


def gone(session: Session, license: License) -> Gone:
    """Say which units of a license are gone, and whether nothing is left to look after."""
    units = dispositions.final_of(session, license.id)
    if not units or license.state not in ENDED:
        return Gone(units, over=False)
    row = session.execute(_SHIPPED, {"license": license.id, "gone": sorted(units)}).one()
    return Gone(units, over=row.left_over == 0 and not row.unnumbered)


def end(session: Session, docket: Docket, what: Gone, *, now: datetime) -> None:
    """Waive what is owed about units that are gone, and all the rest once nothing is left."""
    if not what.units:
        return
    query = select(Obligation).where(
        Obligation.license_id == docket.license_id, Obligation.settled_at.is_(None)
    )
    if not what.over:
        query = query.where(Obligation.what == "reading", Obligation.subject.in_(what.units))
    for row in session.scalars(query.order_by(Obligation.id).with_for_update()):
        if not outlives(docket, row.key):
            _waive(session, row, docket, ALL_FINAL if what.over else UNIT_FINAL, now)


def outlives(docket: Docket, key: str) -> bool:
    """Say whether what a condition makes somebody owe is owed also when the last unit is gone."""
    return any(one.monitor.outlives_units for one in docket.rulings.get(key, ()))


def _waive(session: Session, row: Obligation, docket: Docket, ground: str, now: datetime) -> None:
    was_overdue = row.state == State.OVERDUE
    record.settle(row, State.WAIVED, now, ground)
    session.flush()
    record.tell(session, row, docket, now)
    climbing.settled(session, row, now=now)
    if was_overdue:
        ruling = record.asked_by(docket, row)
        assessments.excuse(session, docket, ruling, record.owed(row), now=now)
