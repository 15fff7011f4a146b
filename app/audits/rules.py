"""The life of an end-use check: which step may follow which, whose step it is, and what it leads to.

Pure. How a check stands is never edited: it is worked out anew from all its steps, in the order in
which they happened. So a step that was written down without network and arrives late takes its own
place, by the state and the responsibility of that time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from app.errors import Conflict, NotAllowed

CLOCKS_DIFFER = timedelta(minutes=10)
"""How far a device's clock may differ from ours; as for reports."""


class State(StrEnum):
    """Where a check is."""

    PLANNED = "planned"
    NOTIFIED = "notified"
    IN_PROGRESS = "in_progress"
    REFUSED = "refused"
    UNABLE = "unable"
    REPORTED = "reported"
    UNDER_REVIEW = "under_review"
    CLOSED = "closed"


class Step(StrEnum):
    """What can happen to a check."""

    PLANNED = "planned"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    HANDED_OVER = "handed_over"
    NOTIFIED = "notified"
    STARTED = "started"
    REFUSED = "refused"
    UNABLE = "unable"
    REPORTED = "reported"
    RATED = "rated"
    CLOSED = "closed"
    COMPLETED_ELSEWHERE = "completed_elsewhere"


class Mode(StrEnum):
    """How a check is made. A delegated one is made by a partner that is named."""

    PHYSICAL = "physical"
    REMOTE_VIDEO = "remote_video"
    DOCUMENTARY = "documentary"
    DELEGATED = "delegated"


class Outcome(StrEnum):
    """What a check came to."""

    FAVORABLE = "favorable"
    UNFAVORABLE = "unfavorable"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Why a check is unfavorable."""

    UNRELIABLE_RECIPIENT = "unreliable_recipient"
    PARTY_NOT_ON_LICENSE = "party_not_on_license"
    RECEIPT_NOT_CONFIRMED = "receipt_not_confirmed"
    PARTY_UNRESPONSIVE = "party_unresponsive"
    DISCREPANCY = "discrepancy"
    UNAUTHORIZED_TRANSFER = "unauthorized_transfer"
    DIVERSION = "diversion"
    STOCKPILING = "stockpiling"
    INSECURE_STORAGE = "insecure_storage"
    ACCESS_REFUSED = "access_refused"


class Cause(StrEnum):
    """Why a check could not be made. Only what lies with the authority starts no clock."""

    PARTY = "party"
    HOST_GOVERNMENT = "host_government"
    CIRCUMSTANCES = "circumstances"
    AUTHORITY = "authority"


_TO_COME = {State.PLANNED, State.NOTIFIED, State.REFUSED, State.UNABLE}
_BY_ITSELF: Mapping[State, State] = {state: state for state in State}
_BEFORE_CLOSING: Mapping[State, State] = {
    state: state for state in State if state is not State.CLOSED
}

MOVES: Mapping[Step, Mapping[State, State]] = {
    Step.PLANNED: {},
    Step.ASSIGNED: _BEFORE_CLOSING,
    Step.ACCEPTED: _BEFORE_CLOSING,
    Step.HANDED_OVER: _BEFORE_CLOSING,
    Step.NOTIFIED: dict.fromkeys(_TO_COME, State.NOTIFIED),
    Step.STARTED: dict.fromkeys(_TO_COME, State.IN_PROGRESS),
    Step.REFUSED: dict.fromkeys((State.PLANNED, State.NOTIFIED, State.IN_PROGRESS), State.REFUSED),
    Step.UNABLE: dict.fromkeys((State.PLANNED, State.NOTIFIED, State.IN_PROGRESS), State.UNABLE),
    Step.REPORTED: {
        State.NOTIFIED: State.REPORTED,
        State.IN_PROGRESS: State.REPORTED,
        State.REPORTED: State.REPORTED,
        State.UNDER_REVIEW: State.UNDER_REVIEW,
        State.CLOSED: State.CLOSED,
    },
    Step.RATED: {
        State.REPORTED: State.UNDER_REVIEW,
        State.REFUSED: State.UNDER_REVIEW,
        State.UNABLE: State.UNDER_REVIEW,
        State.UNDER_REVIEW: State.UNDER_REVIEW,
        State.CLOSED: State.CLOSED,
    },
    Step.CLOSED: {State.UNDER_REVIEW: State.CLOSED},
    Step.COMPLETED_ELSEWHERE: _BY_ITSELF,
}
"""Where each step leads from each state; what is not named cannot happen.

A refused or impossible check may be announced and begun again. A report may come after the rating
or the closing: it is kept, and a rating that is changed for it is another version.
"""

REVEALING = frozenset({Step.NOTIFIED, Step.STARTED, Step.REFUSED, Step.REPORTED})
"""Steps by which the party learns of the check."""

ASSIGNEES = frozenset({Step.HANDED_OVER, Step.STARTED, Step.REFUSED, Step.REPORTED})
"""Steps of the inspector who accepted the check and nobody else."""


class StepOutOfTurn(Conflict):
    """The check is not in a state that allows this step, or what is on file contradicts it."""


class AlreadyAccepted(Conflict):
    """Another inspector has accepted this check already."""


class AlreadyTheirs(Conflict):
    """The check is in this inspector's hands already."""


class NotOffered(NotAllowed):
    """The check is offered to another inspector."""


class NotAssignee(NotAllowed):
    """Only the inspector who is responsible for the check may do this."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One step of a check: what, when, by whom (the id of a key).

    `day` is the day of the visit, where a step sets it. `office` tells a step done from the office, by somebody who need not be the assignee.
    `clock_from` is from when a check counts as not completed, if this step makes it so.
    """

    step: Step
    at: datetime
    by: str
    to: str | None = None
    day: date | None = None
    office: bool = False
    clock_from: datetime | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a check stands after its steps."""

    state: State
    opened_by: str
    planned_for: date | None = None
    offered_to: str | None = None
    assignee: str | None = None
    notified_at: datetime | None = None
    revealed_at: datetime | None = None
    started_at: datetime | None = None
    reported_at: datetime | None = None
    closed_at: datetime | None = None
    unresolved_since: datetime | None = None
    outcome: Outcome | None = None

    @property
    def responsible(self) -> str:
        """Who answers for the check: the inspector who accepted it, before that whoever opened it."""
        return self.assignee or self.opened_by


def stands(number: str, happenings: Iterable[Happening]) -> Standing:
    """Work out how a check stands from its steps in order; the first one plans it."""
    steps = iter(happenings)
    first = next(steps)
    if first.step is not Step.PLANNED:
        raise StepOutOfTurn(
            f"{number} had not been planned yet at {first.at.isoformat()}. Check the time given.",
            pointer="/at",
        )
    standing = Standing(State.PLANNED, opened_by=first.by, planned_for=first.day)
    for one in steps:
        standing = follow(number, standing, one)
    return standing


def follow(number: str, before: Standing, one: Happening) -> Standing:
    """Let one step follow; refuse what may not, or not by this person."""
    after = MOVES[one.step].get(before.state)
    if after is None:
        legal = ", ".join(step for step in Step if before.state in MOVES[step])
        raise StepOutOfTurn(
            f"{number} was {before.state} at {one.at.isoformat()}; it cannot be {one.step} then. "
            f"From there: {legal}.",
            state=before.state,
        )
    _check_person(number, before, one)
    return _noted(_handed(number, before, one), one, after)


def _check_person(number: str, before: Standing, one: Happening) -> None:
    """Refuse a step of somebody who was not responsible when it was taken."""
    if one.office:
        return
    if one.step in ASSIGNEES:
        check_assignee(number, before, one.by)
    elif one.step in {Step.NOTIFIED, Step.UNABLE} and one.by != before.responsible:
        raise _not_theirs(number, before)


def check_assignee(number: str, standing: Standing, person: str) -> None:
    """Refuse anybody but the inspector who accepted the check."""
    if person != standing.assignee:
        raise _not_theirs(number, standing)


def _not_theirs(number: str, standing: Standing) -> NotAssignee:
    unaccepted = "" if standing.assignee else ", and no inspector had accepted it"
    return NotAssignee(
        f"{number} was in the hands of {standing.responsible} then{unaccepted}. Accept it first, "
        "or ask for it to be handed over.",
        responsible=standing.responsible,
    )


def _handed(number: str, before: Standing, one: Happening) -> Standing:
    """Follow whose hands the check is in."""
    if one.step in {Step.ASSIGNED, Step.HANDED_OVER}:
        if one.to == before.assignee:
            raise AlreadyTheirs(f"{number} is in the hands of {one.to} already.", pointer="/to")
        return replace(before, offered_to=one.to)
    if one.step is not Step.ACCEPTED:
        return before
    if before.offered_to is None and before.assignee is not None:
        raise AlreadyAccepted(
            f"{number} was accepted by {before.assignee} before {one.at.isoformat()}. Ask for it "
            "to be handed over.",
            assignee=before.assignee,
        )
    if before.offered_to not in {None, one.by}:
        raise NotOffered(f"{number} is offered to {before.offered_to}.")
    return replace(before, assignee=one.by, offered_to=None)


def _noted(before: Standing, one: Happening, state: State) -> Standing:
    """Note what a step leads to: times, the clock of what is not completed, the outcome."""
    noted = replace(before, state=state)
    if one.step in REVEALING:
        noted = replace(noted, revealed_at=before.revealed_at or one.at)
    changes: Mapping[Step, Mapping[str, Any]] = {
        Step.NOTIFIED: {"notified_at": one.at, "planned_for": one.day or before.planned_for},
        Step.STARTED: {"started_at": before.started_at or one.at},
        Step.REFUSED: {"unresolved_since": before.unresolved_since or one.clock_from},
        Step.UNABLE: {"unresolved_since": before.unresolved_since or one.clock_from},
        Step.REPORTED: {
            "started_at": before.started_at or one.at,
            "reported_at": one.at,
            "unresolved_since": None,
        },
        Step.RATED: {"outcome": one.outcome},
        Step.CLOSED: {"closed_at": one.at, "unresolved_since": _runs_on(before)},
        Step.COMPLETED_ELSEWHERE: {"unresolved_since": None},
    }
    return replace(noted, **changes.get(one.step, {}))


def _runs_on(before: Standing) -> datetime | None:
    """Keep the clock of an unfavorable check running: that it is closed completes nothing."""
    return before.unresolved_since if before.outcome is Outcome.UNFAVORABLE else None


def place(
    number: str, before: Sequence[Happening], one: Happening, *, now: datetime
) -> tuple[Happening, Standing]:
    """Put a new step where it belongs among those on file; answer with it and how things stand.

    Its time is never later than now. If it fits nowhere by its own clock, and that clock may simply
    be a little slow, it counts as taken now.
    """
    one = replace(one, at=min(one.at, now))
    try:
        return one, stands(number, _in_order([*before, one]))
    except (Conflict, NotAllowed):
        if one.at == now or now - one.at > CLOCKS_DIFFER:
            raise
        late = replace(one, at=now)
        return late, stands(number, _in_order([*before, late]))


def _in_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Sort by time; of the same moment, what was recorded first comes first."""
    return sorted(happenings, key=lambda one: one.at)
