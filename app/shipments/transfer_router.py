"""Transfers that need authorization, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import Reader, may
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.licenses.service import LicenseUnknown
from app.parties.service import PartyDiffers, SiteDiffers
from app.shipments import filing, transfers
from app.shipments.custody import SerialUnknown
from app.shipments.transfer_schemas import (
    AcknowledgmentIn,
    TransferDecisionIn,
    TransferIn,
    TransferOut,
)
from app.wire import Limit, Page, problems

router = APIRouter(prefix="/v1/licenses/{number}/transfers", tags=["transfers"])

Applicant = Annotated[Actor, may(Role.EXPORTER, Role.LICENSING_OFFICER)]
Decider = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.SUPERVISOR)]


@router.post(
    "",
    response_model=TransferOut,
    status_code=201,
    responses=problems(
        LicenseUnknown, filing.ReferenceTaken, KeyUsedForOther, SerialUnknown, Invalid
    ),
)
def ask(
    number: str,
    transfer: TransferIn,
    applicant: Applicant,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Ask the authority beforehand whether units may pass to another party."""
    return once(
        lambda: transfers.ask(session, number, transfer, actor=applicant, now=now),
        session=session,
        actor=applicant,
        now=now,
    )


@router.get("", responses=problems(LicenseUnknown, Invalid))
def browse(
    number: str,
    reader: Reader,
    session: SessionDep,
    now: Now,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[TransferOut]:
    """List transfers in the order they were asked for."""
    return transfers.listed(
        session, number, party=reader.reads_only, after=after, limit=limit, now=now
    )


@router.post(
    "/{id}/decision",
    response_model=TransferOut,
    status_code=201,
    responses=problems(
        LicenseUnknown,
        transfers.TransferUnknown,
        transfers.TransferSettled,
        filing.SecondPersonNeeded,
        transfers.PartyListed,
        transfers.LicenseWithdrawn,
        PartyDiffers,
        SiteDiffers,
        KeyUsedForOther,
        Invalid,
    ),
)
def decide(
    number: str,
    id: int,
    decision: TransferDecisionIn,
    decider: Decider,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Authorize or refuse a transfer as the second person; the receiving party is then bound."""
    return once(
        lambda: transfers.decide(session, number, id, decision, actor=decider, now=now),
        session=session,
        actor=decider,
        now=now,
    )


@router.post(
    "/{id}/acknowledgment",
    response_model=TransferOut,
    status_code=201,
    responses=problems(
        LicenseUnknown,
        transfers.TransferUnknown,
        transfers.NothingToAcknowledge,
        filing.NotYetCome,
        KeyUsedForOther,
        Invalid,
    ),
)
def acknowledge(
    number: str,
    id: int,
    acknowledgment: AcknowledgmentIn,
    applicant: Applicant,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Record that the receiving party confirmed the conditions that bind it."""
    return once(
        lambda: transfers.acknowledge(
            session, number, id, acknowledgment, actor=applicant, now=now
        ),
        session=session,
        actor=applicant,
        now=now,
    )
