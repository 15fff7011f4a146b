"""Whether anything more may be shipped under a license now, over HTTP.

Some conditions block the release of shipments while they are broken or cannot be assessed: without
an accepted human rights impact assessment nothing leaves.
"""

from collections.abc import Iterator
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.access.router import Reader
from app.assessments.hindsight import Then
from app.assessments.standing import Standing
from app.clock import Now
from app.database import SessionDep
from app.licenses import service as licenses
from app.licenses.models import License
from app.licenses.rules import State
from app.obligations.compliance import stand
from app.wire import Moment, problems
from monitors import catalogue

router = APIRouter(prefix="/v1/licenses", tags=["compliance"])

OPEN = frozenset({State.ISSUED, State.REINSTATED})


class BlockOut(BaseModel):
    """What stands in the way, and what would take it away."""

    condition: str | None
    answer: Standing | None
    reason: str
    clears: str | None


class ReleaseOut(BaseModel):
    """Whether the next shipment may leave, as of now."""

    license: str
    released: bool
    blocked_by: list[BlockOut]
    as_of: Moment


@router.get("/{number}/release", responses=problems(licenses.LicenseUnknown))
def read(number: str, reader: Reader, session: SessionDep, now: Now) -> ReleaseOut:
    """Say whether anything more may be shipped now, and what stands in the way."""
    license = licenses.read(session, number, party=reader.reads_only)
    blocked = [*_by_state(license), *_by_conditions(session, license, now)]
    return ReleaseOut(license=license.number, released=not blocked, blocked_by=blocked, as_of=now)


def _by_state(license: License) -> Iterator[BlockOut]:
    if State(license.state) not in OPEN:
        yield BlockOut(
            condition=None,
            answer=None,
            reason=f"license_{license.state}",
            clears="a license that is in force",
        )


def _by_conditions(session: Session, license: License, now: datetime) -> Iterator[BlockOut]:
    blocking = {kind for kind, one in catalogue().monitors.items() if one.blocks_release}
    for one in stand(session, license, Then(now, now, past=False), blocking):
        if one.answer is not Standing.KEPT:
            yield BlockOut(
                condition=one.key,
                answer=one.answer,
                reason=one.reason or str(one.answer),
                clears=one.subjects[0].clears if one.subjects else None,
            )
