"""Change notification: what changes is told before it changes.

**What it means.** A license was weighed for this owner, these sites, these units and this use. Who
means to change one of them says so early enough for the authority to weigh it again; a change that
an inspector discovers has already happened to the license. *Those who tell* are the exporter and
the other parties on the license.

**Terms.** `subjects` (of which changes: `ownership`, `site`, `unit`, `use`; default all of them),
`days_before` (days before the change by which we have been told, default 30; 0: by its day).

**Broken** when a change is told for the first time with fewer days left than that (`told_late`), or
when an inspection, a third party or another outsider states a change that should have been told by
then and was not (`never_told`). Exactly so many days before is kept; a day ends when it ends where
the license counts. One finding names all such changes of a report.

A change told before of the same subject (the site, or the license), of the same sort and for a day
at most 31 days away is the same change: to tell it again, or put off, is not late. Brought forward,
it is late unless the first telling leaves the days for the new day too. A change told late once is
found once. A change that others see coming, while there is time to tell it, is kept.

**Not assessable** when a change that was told late, or not at all, was due to be told before these
terms were in force (`due_before_terms`).

**Source.** Registered exporters tell of a sale to foreign owners at least 60 days
before, and of other changes of what they registered within 5 days after (22 CFR 122.4). 30 days is
the default here.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from monitors._contract import (
    Case,
    FactsModel,
    Finding,
    Hears,
    Monitor,
    Need,
    Severity,
    Statement,
    Subject,
    TermsModel,
    broken,
    not_assessable,
)
from monitors._deadlines import day_of
from monitors._facts import Change, ChangesFact, named

INSPECTION = "inspection"
SILENT = frozenset({INSPECTION, "third_party"})
"""Kinds of source by which nobody tells of a change of his own."""
SAME_DAYS = 31
"""How far apart the days of what is one change may be: announced for a month, done within it."""


class Terms(TermsModel):
    """Which changes are told, and how early."""

    subjects: Annotated[
        tuple[Literal["ownership", "site", "unit", "use"], ...], Field(min_length=1, max_length=4)
    ] = ("ownership", "site", "unit", "use")
    """What a change may be of."""
    days_before: Annotated[int, Field(ge=0, le=3660)] = 30
    """Days left until the change when we have been told, at least."""


class Facts(FactsModel):
    """What it reads."""

    changes: ChangesFact = None


Said = Statement[Facts]


def hears(terms: Terms) -> Hears:  # noqa: ARG001 - whatever the subjects
    """Hear every change that was told of the same subject before."""
    return Hears(every=True, stating="changes")


def evaluate(
    terms: Terms,
    heard: Sequence[Said],
    case: Case,
    moment: datetime,  # noqa: ARG001 - what had been told by then does not change with time
) -> Iterator[Finding]:
    """Judge each change by how many days were left when it was told, or seen untold."""
    said = [one for one in heard if one.facts.changes is not None]
    if not said:
        return
    told = _Told(case)
    for statement in said:
        yield from _judge(terms, statement, told)
        told.take(statement)


class _Told:
    """Who told what before the statement now judged."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._tellers = {case.exporter, *(party.reference for party in case.parties)} - {""}
        self._tellings: dict[Subject, dict[str, Said]] = {}
        self.since = None if case.in_force_from is None else self._day(case.in_force_from)
        for statement in case.earlier:
            if statement.facts.changes is not None:
                self.take(statement)

    def take(self, statement: Said) -> None:
        """Take in a statement that those after it may look back on."""
        self._tellings.setdefault(statement.subject, {})[statement.id] = statement

    def tells(self, statement: Said) -> bool:
        """Say whether it is one of those who are bound to tell."""
        source = statement.source
        return source.by in self._tellers and source.kind not in SILENT

    def known_on(self, statement: Said) -> date:
        """Give the day it came to us: an inspector looks, the word of others comes in."""
        return self._day(_known_at(statement))

    def same(self, change: Change, statement: Said) -> Iterator[tuple[date, date]]:
        """Give of each earlier telling of the same change the day it came and the day it named."""
        for one in self._tellings.get(statement.subject, {}).values():
            if one.received_at > _known_at(statement) or not self.tells(one):
                continue
            for other in one.facts.changes or ():
                apart = (other.effective_on - change.effective_on).days
                if other.subject == change.subject and abs(apart) <= SAME_DAYS:
                    yield self._day(one.received_at), other.effective_on

    def _day(self, moment: datetime) -> date:
        return day_of(moment, self._case)


def _known_at(statement: Said) -> datetime:
    inspected = statement.source.kind == INSPECTION
    return statement.observed_at if inspected else statement.received_at


def _judge(terms: Terms, statement: Said, told: _Told) -> Iterator[Finding]:
    """Look for changes that came late or untold; merge them, as the reason alone tells them apart."""
    day, telling = told.known_on(statement), told.tells(statement)
    missed = [
        change
        for change in statement.facts.changes or ()
        if change.subject in terms.subjects
        and (change.effective_on - day).days < terms.days_before
        and not _covered(terms, change, told.same(change, statement), telling=telling)
    ]
    old = [one for one in missed if _due_before(terms, one, told.since)]
    new = [one for one in missed if one not in old]
    if new:
        yield _missed(terms, statement, new, day, telling=telling)
    if old:
        yield _unclear(terms, statement, old, day)


def _covered(
    terms: Terms, change: Change, tellings: Iterable[tuple[date, date]], *, telling: bool
) -> bool:
    """Say whether it was told before: for outsiders at all, for a telling so that it is no news."""
    return any(
        not telling
        or named_day <= change.effective_on
        or (change.effective_on - came_on).days >= terms.days_before
        for came_on, named_day in tellings
    )


def _due_before(terms: Terms, change: Change, since: date | None) -> bool:
    return since is not None and (change.effective_on - since).days < terms.days_before


def _missed(
    terms: Terms, statement: Said, changes: Sequence[Change], day: date, *, telling: bool
) -> Finding:
    return broken(
        statement,
        reason="told_late" if telling else "never_told",
        expected=_expected(terms),
        observed=f"{_list(changes)}, {'told on' if telling else 'not told by'} {day}",
        clears=(
            "a decision on the change, and an account of the delay"
            if telling
            else "a report of the change, and an account of why it was not told"
        ),
    )


def _unclear(terms: Terms, statement: Said, changes: Sequence[Change], day: date) -> Finding:
    return not_assessable(
        statement,
        reason="due_before_terms",
        expected=_expected(terms),
        observed=f"{_list(changes)}, known on {day}, due to be told before these terms",
        missing=("changes",),
        clears="a look at the terms that were in force before, by a person",
    )


def _list(changes: Sequence[Change]) -> str:
    return "change of " + named(f"{one.subject} from {one.effective_on}" for one in changes)


def _expected(terms: Terms) -> str:
    return f"a change of {named(terms.subjects)} told {terms.days_before:,} days before"


MONITOR = Monitor(
    title="Change notification",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    hears=hears,
    needs=frozenset({Need.PARTIES}),
    how_to_check=(
        "Read the company register, the lease, the asset list and the order of operations for what "
        "changed since the last visit, with the day of each change; compare with what was told."
    ),
    what_to_see="The same owner, sites, units and use as on file, or a change told early enough.",
)
