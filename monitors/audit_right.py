"""Audit right: inspectors are let in, in time, to everything.

**What it means.** Every other condition is worth what can be seen of it. Whoever lets nobody in,
lets them wait until the room is tidy, or shows one rack of three, has answered the question that
the visit was to ask.

**Terms.** `notice_hours` (how long after announcing a visit the inspectors may be made to wait),
`max_per_year` (visits a year that the end user must accept; none: not limited). The second is a
limit on the authority, not on the end user: whoever plans visits keeps to it. It is not judged from
facts, and a refusal is found however many visits there were; that the year's visits had been made
is a ground for the reviewer.

**Broken** when access was refused (`access_refused`), was given later than the notice allows
(`access_delayed`; exactly at the limit is kept), or was limited in scope (`scope_limited`).

**Not assessable** when a report speaks of a visit and does not say whether access was given
(`access_unstated`).

**Source.** Checks that cannot be completed because of the party: 15 CFR 744.15(c). On-site reviews
of validated end users: 15 CFR 748.15. GAO-04-357 on conditions nobody checked.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from monitors._contract import (
    Case,
    FactsModel,
    Finding,
    Monitor,
    Severity,
    Statement,
    TermsModel,
    broken,
    not_assessable,
)
from monitors._facts import Flag, Number, fact


class Terms(TermsModel):
    """How soon inspectors are let in, and how often they may come."""

    notice_hours: Annotated[int, Field(ge=0, le=8784)]
    """Hours from announcing a visit to access, at most; 0: at once."""
    max_per_year: Annotated[int, Field(ge=1, le=366)] | None = None
    """Visits a year that must be accepted; none: not limited. Not judged from facts."""


class Facts(FactsModel):
    """What it reads."""

    access_granted: Annotated[
        Flag | None,
        fact("Were the inspectors given access?", unit="yes or no", scopes=("site",)),
    ] = None
    access_delay_hours: Annotated[
        Number | None,
        fact(
            "How long after announcing the visit did the inspectors wait for access?",
            unit="hours",
            scopes=("site",),
        ),
    ] = None
    scope_limited: Annotated[
        Flag | None,
        fact(
            "Was anything the inspectors asked to see kept from them?",
            unit="yes or no",
            scopes=("site",),
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at whether access was given, how soon, and to what."""
    notice = terms.notice_hours
    for statement in heard:
        facts = statement.facts
        granted, delay = facts.access_granted, facts.access_delay_hours
        limited = facts.scope_limited
        if granted is None and delay is None and limited is None:
            continue
        late = False
        if granted is False:
            yield _refused(statement)
        if delay is not None and delay > notice:
            late = True
            yield _delayed(statement, delay, notice)
        if limited:
            yield _limited(statement)
        if granted is None and not (late or limited):
            yield _unstated(statement)


def _refused(statement: Statement[Facts]) -> Finding:
    return broken(
        statement,
        reason="access_refused",
        expected="access for inspectors",
        observed="access was refused",
        clears="a completed visit, and an account of why this one was refused",
    )


def _delayed(statement: Statement[Facts], delay: float, notice: int) -> Finding:
    return broken(
        statement,
        reason="access_delayed",
        expected=f"access within {notice:,} hours of the announcement",
        observed=f"a wait of {delay:,g} hours",
        clears="a completed visit within the notice, and an account of the delay",
    )


def _limited(statement: Statement[Facts]) -> Finding:
    return broken(
        statement,
        reason="scope_limited",
        expected="access to everything asked for",
        observed="part of it was kept from the inspectors",
        clears="a completed visit to what was not shown",
    )


def _unstated(statement: Statement[Facts]) -> Finding:
    return not_assessable(
        statement,
        reason="access_unstated",
        expected="access for inspectors",
        observed="a visit, but not whether access was given",
        missing=("access_granted",),
        clears="a report that says whether the inspectors were given access",
    )


MONITOR = Monitor(
    title="Audit right",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Write down when the visit was announced, when you stood at the door and when you were "
        "let in; list what you asked to see and what you were not shown, with the reason given."
    ),
    what_to_see="Access within the notice, to every room, unit, screen and file asked for.",
)
