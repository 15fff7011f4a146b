"""Transfers of units to another party as they are asked for, decided and acknowledged."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from app.licenses.schemas import Day, Long, PartyRole
from app.parties.schemas import PartyIn, SiteIn
from app.shipments.schemas import Serials
from app.wire import Moment, Out, Strict
from monitors import Code


class TransferIn(Strict):
    """Units are to pass to a party; the authority is asked beforehand."""

    reference: Code
    serials: Annotated[Serials, Field(min_length=1)]
    to_party: PartyIn
    to_site: SiteIn | None = None
    role: PartyRole = Field(
        default="end_user", description="The role the receiving party is to have on the license"
    )
    ground: Long


class TransferDecisionIn(Strict):
    """What the authority says; nobody decides on what they asked for themselves."""

    verdict: Literal["authorized", "refused"]
    ground: Long


class AcknowledgmentIn(Strict):
    """The receiving party confirms that it was told the conditions that bind it."""

    acknowledged_on: Day
    evidence: Code | None = Field(default=None, description="Reference of the signed document")


class Binding(Out):
    """A condition that binds the receiving party, word for word."""

    key: str
    kind: str
    title: str
    text: str


class TransferOut(Out):
    """A transfer on file: asked, authorized or refused, and what then binds the receiving party."""

    id: int
    license: str
    reference: str
    serials: list[str]
    to_party: PartyIn
    to_site: SiteIn | None
    role: str
    ground: str
    state: Literal["asked", "authorized", "refused"]
    said_by: str
    asked_at: Moment
    decision_ground: str | None
    decided_by: str | None
    decided_at: Moment | None
    binds: list[Binding]
    acknowledgment: Literal["none", "due", "overdue", "met", "met_late"]
    acknowledgment_due_at: Moment | None
    acknowledged_on: date | None
