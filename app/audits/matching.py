"""Which check a filled form is of, where its sender has several under the same license. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.audits.rules import CLOCKS_DIFFER


@dataclass(frozen=True, slots=True)
class Candidate:
    """A check that may be meant. `theirs` says that it is in the sender's hands now."""

    id: UUID
    number: str
    site: str | None
    planned_for: date
    created_at: datetime
    closed: bool
    theirs: bool


def choose(candidates: Iterable[Candidate], *, sites: Collection[Any], seen_at: datetime) -> UUID:
    """Choose the check that fits best; there is at least one.

    First those planned before anything was seen, then those in the sender's hands, not closed, of
    a site that the form speaks of; of these the one planned for the nearest day.
    """

    def unfit(one: Candidate) -> tuple[bool, bool, bool, bool, int, str]:
        return (
            seen_at < one.created_at - CLOCKS_DIFFER,
            not one.theirs,
            one.closed,
            one.site is not None and one.site not in sites,
            abs((one.planned_for - seen_at.date()).days),
            one.number,
        )

    return min(candidates, key=unfit).id
