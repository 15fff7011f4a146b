"""What is owed, waivers and calendars, as they are sent and shown."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.obligations.rules import State
from app.parties.schemas import NO_NUL, Text
from app.wire import Moment, Out, Strict

Ground = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000, pattern=NO_NUL)
]


class ObligationOut(Out):
    """Something owed by a time, and whether it came.

    `by` are the roles that owe it, `rung` the step of its ladder that it is on; a waiver counts until
    `waived_until`, `ground` says why nobody asks for it any more.
    """

    id: UUID
    license: str
    condition: str
    title: str
    what: str
    by: list[str]
    subject_kind: str
    subject: str
    item: str
    slot: int
    period_from: date | None
    period_to: date | None
    due_at: Moment
    grace_until: Moment
    state: State
    rung: str | None
    last_heard_at: Moment | None
    met_at: Moment | None
    waived_until: Moment | None
    ground: str | None


class RungOut(Out):
    """A rung that was reached for a deadline; of a skipped one nobody was told."""

    rung: str
    due_at: Moment
    at: Moment
    skipped: bool
    recorded_at: Moment


class WaiverIn(Strict):
    """Why nobody should be asked for it, and the last day on which that holds."""

    ground: Ground
    expires_on: date


class WaiverOut(Out):
    """A proposed waiver; it counts once another person approves it, and until it expires."""

    id: int
    obligation: UUID
    ground: str
    expires_on: date
    expires_at: Moment
    proposed_by: str
    proposed_at: Moment
    approved_by: str | None
    approved_at: Moment | None
    refused_by: str | None
    refused_at: Moment | None


class ObligationWhole(ObligationOut):
    """An obligation with its history: the rungs it came to, latest first, and its waivers."""

    rungs: list[RungOut]
    waivers: list[WaiverOut]


class CalendarIn(Strict):
    """What a calendar is for, in its maker's words."""

    label: Text = "Endwatch"


class CalendarOut(Out):
    """A calendar that its maker can end."""

    id: UUID
    label: str
    created_at: Moment
    revoked_at: Moment | None


class CalendarMade(CalendarOut):
    """A new calendar. `path` is shown this once: who knows it may read what its maker may.

    When the same request is sent again with its `Idempotency-Key`, `path` is null; revoke the
    calendar and make another if the path is lost.
    """

    path: str | None


class StandingOut(Out):
    """How a party stood from a time on, on what ground."""

    standing: str
    since: Moment
    ground: str
    source: str


class RoleOut(BaseModel):
    """A role of a party on a license."""

    license: str
    state: str
    role: str


class DeviationBrief(Out):
    """An open deviation of a license that the party is on."""

    id: UUID
    license: str
    kind: str
    state: str
    severity: str
    title: str
    raised_at: Moment


class PartyOut(BaseModel):
    """A party's record. Of each list the first 200 are shown; `more` names the lists that go on."""

    reference: str
    name: str
    country: str
    standing: str
    since: Moment | None
    ground: str | None
    standings: list[StandingOut]
    roles: list[RoleOut]
    obligations: list[ObligationOut]
    deviations: list[DeviationBrief]
    past_deviations: Annotated[int, Field(description="Deviations that are closed or cleared")]
    more: list[str]
