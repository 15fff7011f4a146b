"""Licenses over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Officer, Reader
from app.clock import Now
from app.database import SessionDep
from app.errors import Conflict, Invalid
from app.licenses import amendments as amending
from app.licenses import service
from app.licenses.models import Amendment, License
from app.licenses.rules import State, TransitionIllegal
from app.licenses.schemas import (
    AmendmentIn,
    AmendmentOut,
    LicenseIn,
    LicenseOut,
    LicenseSummary,
    StateIn,
)
from app.licenses.show import show, show_amendment, show_summary
from app.wire import Limit, Page, page_after, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/licenses", tags=["licenses"])

After = Annotated[str | None, Query(description="The `next` of the page before")]


@router.post(
    "",
    response_model=LicenseOut,
    status_code=201,
    responses=problems(service.NumberTaken, KeyUsedForOther, Invalid),
)
def register(
    license: LicenseIn, officer: Officer, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Register a granted license with its conditions."""
    return once(
        lambda: show(service.register(session, license, actor=officer, now=now), now),
        session=session,
        actor=officer,
        now=now,
    )


@router.get("", responses=problems(Invalid))
def browse(
    reader: Reader,
    session: SessionDep,
    state: State | None = None,
    exporter: str | None = None,
    country: str | None = None,
    tier: Annotated[int | None, Query(ge=1, le=3)] = None,
    after: After = None,
    limit: Limit = 100,
) -> Page[LicenseSummary]:
    """List licenses by number."""
    keys = page_after(after, str)
    rows = service.listed(
        session,
        party=reader.reads_only,
        state=state,
        exporter=exporter,
        country=country,
        tier=tier,
        after=keys[0] if keys else None,
        limit=limit,
    )
    return page_of(rows, limit, show_summary, _number)


def _number(license: License) -> tuple[Any, ...]:
    return (license.number,)


@router.get("/{number}", responses=problems(service.LicenseUnknown))
def read(number: str, reader: Reader, session: SessionDep, now: Now) -> LicenseOut:
    """Read a license whole, with its conditions, tier and state history."""
    return show(service.read(session, number, party=reader.reads_only), now)


@router.post(
    "/{number}/state",
    response_model=LicenseOut,
    responses=problems(service.LicenseUnknown, TransitionIllegal, KeyUsedForOther),
)
def set_state(
    number: str, change: StateIn, officer: Officer, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Issue, suspend, reinstate, revoke, surrender or cancel a license."""
    return once(
        lambda: show(service.set_state(session, number, change, actor=officer, now=now), now),
        session=session,
        actor=officer,
        now=now,
        status=200,
    )


@router.post(
    "/{number}/amendments",
    response_model=AmendmentOut,
    status_code=201,
    responses=problems(service.LicenseUnknown, amending.ConditionUnknown, KeyUsedForOther),
)
def propose(
    number: str,
    amendment: AmendmentIn,
    officer: Officer,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Propose new versions of conditions; they wait for a second person."""
    return once(
        lambda: show_amendment(
            number, amending.propose(session, number, amendment, actor=officer, now=now)
        ),
        session=session,
        actor=officer,
        now=now,
    )


@router.get("/{number}/amendments", responses=problems(service.LicenseUnknown))
def amendments(number: str, reader: Reader, session: SessionDep) -> list[AmendmentOut]:
    """List the amendments of a license, oldest first."""
    rows: list[Amendment] = amending.listed(session, number, party=reader.reads_only)
    return [show_amendment(number, row) for row in rows]


@router.post(
    "/{number}/amendments/{id}/approval",
    response_model=AmendmentOut,
    responses=problems(
        service.LicenseUnknown, amending.AmendmentUnknown, amending.SecondPersonNeeded, Conflict
    ),
)
def approve(
    number: str, id: int, officer: Officer, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Approve an amendment as the second person; its conditions come into force."""
    return once(
        lambda: show_amendment(
            number, amending.approve(session, number, id, actor=officer, now=now)
        ),
        session=session,
        actor=officer,
        now=now,
        status=200,
    )
