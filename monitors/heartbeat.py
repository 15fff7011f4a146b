"""Heartbeat: every unit gives a sign of life, again and again.

**What it means.** A unit that has gone silent may have been moved, sold or cut off from its
monitoring; silence is a signal. Each unit owes a reading within so many hours of its last one. Any
reading counts, whatever it says.

**Terms.** `every_hours` (hours between two readings at most; 72 is usual), `grace_hours` (hours of
silence let pass after that, default 3).

**Broken** when nothing was heard of a unit until its time and the grace after it had run out
(`silent`). Heard within the grace, to its last moment, is kept. A reading that comes later ends the
silence from then on; that the unit was silent stays in its history.

**Not assessable**: never. Either the unit was heard in time or it was not.

**Source.** Telemetry conditions on licenses for networked surveillance equipment; 72 hours is the
default of the field.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from monitors._contract import (
    Answer,
    Case,
    Duty,
    FactsModel,
    Finding,
    Monitor,
    Need,
    Obligation,
    Severity,
    Statement,
    TermsModel,
)


class Terms(TermsModel):
    """How often a unit must be heard."""

    every_hours: Annotated[int, Field(ge=1, le=8784)]
    """Hours from one reading to the next, at most."""
    grace_hours: Annotated[int, Field(ge=0, le=8784)] = 3
    """Hours of silence that are let pass after that."""


class Facts(FactsModel):
    """It reads none: any reading of the unit counts."""


def owes(terms: Terms) -> Duty:
    """Every unit owes a reading within so many hours of its last."""
    return Duty(
        what="reading",
        per="unit",
        every=timedelta(hours=terms.every_hours),
        grace=timedelta(hours=terms.grace_hours),
    )


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],  # noqa: ARG001 - the obligations already know who was heard
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Find each reading that was not there when the grace ran out."""
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _silent(terms, obligation)


def _silent(terms: Terms, obligation: Obligation) -> Finding:
    """Say since when nothing was heard; that does not change as the silence goes on."""
    last = obligation.last_heard_at
    return Finding(
        answer=Answer.BROKEN,
        subject=obligation.subject,
        reason="silent",
        at=obligation.grace_until,
        expected=f"a reading every {terms.every_hours} hours, with {terms.grace_hours} hours grace",
        observed=(
            f"nothing heard since {last.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            if last
            else "nothing heard yet"
        ),
        clears="a reading of the unit, and an account of the silence",
        evidence=(f"obligation:{obligation.slot}",),
        missing=("reading",),
        cleared_at=obligation.met_at,
    )


MONITOR = Monitor(
    title="Heartbeat",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    owes=owes,
    ladder="device",
    needs=frozenset({Need.OBLIGATIONS}),
    how_to_check=(
        "Find the unit by its serial number, see whether it is powered and connected, and have it "
        "send a reading while you watch."
    ),
    what_to_see="The unit in its place, and a reading that arrives within minutes.",
)
