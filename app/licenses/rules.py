"""What a license may become, which condition version counts when, and how closely to look."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from app.errors import Conflict


class State(StrEnum):
    """Where a license is in its life."""

    DRAFT = "draft"
    ISSUED = "issued"
    SUSPENDED = "suspended"
    REINSTATED = "reinstated"
    REVOKED = "revoked"
    SURRENDERED = "surrendered"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_ENDINGS = {State.REVOKED, State.SURRENDERED, State.EXPIRED}

TRANSITIONS: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.ISSUED, State.CANCELLED}),
    State.ISSUED: frozenset({State.SUSPENDED, State.EXHAUSTED, State.CANCELLED, *_ENDINGS}),
    State.SUSPENDED: frozenset({State.REINSTATED, *_ENDINGS}),
    State.REINSTATED: frozenset({State.SUSPENDED, State.EXHAUSTED, *_ENDINGS}),
    State.EXHAUSTED: frozenset({State.SUSPENDED, *_ENDINGS}),
    State.EXPIRED: frozenset({State.REVOKED}),
    State.REVOKED: frozenset(),
    State.SURRENDERED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""Where each state may lead. Duties under a license outlive every one of its endings."""

GIVEN_BY_A_PERSON = frozenset(State) - {State.DRAFT, State.EXHAUSTED, State.EXPIRED}
LAPSES = frozenset({State.ISSUED, State.REINSTATED, State.SUSPENDED, State.EXHAUSTED})


class TransitionIllegal(Conflict):
    """A license in this state cannot go to that one."""


def check_transition(number: str, before: State, after: State) -> None:
    """Refuse what the life of a license does not allow."""
    if after not in TRANSITIONS[before]:
        legal = ", ".join(sorted(TRANSITIONS[before])) or "none; this state is final"
        raise TransitionIllegal(
            f"{number} is {before}; it cannot become {after}. From here: {legal}.",
            pointer="/state",
            state=before,
        )


class Versioned(Protocol):
    """A condition version, as far as its time of force goes."""

    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def effective_from(self) -> datetime: ...  # noqa: D102
    @property
    def effective_to(self) -> datetime | None: ...  # noqa: D102


V = TypeVar("V", bound=Versioned)


def in_force(versions: Sequence[V], at: datetime) -> V | None:
    """Choose the version in force at a time: the highest that had begun, unless it had ended."""
    begun = [version for version in versions if version.effective_from <= at]
    if not begun:
        return None
    latest = max(begun, key=lambda version: version.version)
    ended = latest.effective_to is not None and latest.effective_to <= at
    return None if ended else latest


def condition_key(kind: str, lines: Iterable[int]) -> str:
    """Name a condition within its license: `gallery_cap`, or `gallery_cap:1,2` for some lines."""
    numbers = ",".join(str(line) for line in sorted(lines))
    return f"{kind}:{numbers}" if numbers else kind


LIVE_IDENTIFICATION = frozenset({"identify_1_n", "search_n_n"})
WATCHED_END_USES = frozenset({"law_enforcement", "national_security", "intelligence", "military"})
CLOSED_SETTINGS = frozenset({"access_control", "banking_kyc", "workplace_access", "civil_registry"})


@dataclass(frozen=True, slots=True)
class Tier:
    """How closely a license is watched (1 to 3), why, and when that is looked at again."""

    tier: int
    reason: str
    review_on: date


def tier_of(
    *, end_use: str, kinds: Iterable[str], match_modes: Iterable[str], granted_on: date
) -> Tier:
    """Compute the tier: 3 for live identification, watchlists and security users; 1 for closed 1:1."""
    kinds, modes = set(kinds), set(match_modes)
    review_on = _next_year(granted_on)
    if modes & LIVE_IDENTIFICATION:
        return Tier(3, "identification of one among many is allowed", review_on)
    if kinds & {"watchlist_control", "live_stream_cap"}:
        return Tier(3, "a biometric watchlist or live video is part of the license", review_on)
    if end_use in WATCHED_END_USES:
        return Tier(3, f"the end use is {end_use}", review_on)
    if modes == {"verify_1_1"} and end_use in CLOSED_SETTINGS:
        return Tier(1, "one-to-one verification in a closed setting", review_on)
    return Tier(2, "neither identification among many nor a closed one-to-one setting", review_on)


def _next_year(day: date) -> date:
    """Give the same day a year on; 29 February clips to the 28th."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)
