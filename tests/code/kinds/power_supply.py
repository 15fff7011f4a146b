"""Power supply: a unit cut from the mains goes on recording until somebody comes.

**What it means.** Whoever wants a unit to forget what it did pulls its plug. A battery that lasts
until the guard arrives keeps the log, the seal's sensor and the clock alive meanwhile.

**Terms.** `min_battery_hours` (for how long the battery must run the unit without the mains).

**Broken** when the battery lasts less than that (`battery_too_weak`); exactly as long is kept.

**Not assessable**: never. A report that does not speak of the battery says nothing about it.

**Source.** Standby power of alarm equipment: IEC 62642-6.
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
)
from monitors._facts import Number, fact


class Terms(TermsModel):
    """How long the battery must last."""

    min_battery_hours: Annotated[int, Field(ge=1, le=720)]
    """Hours without the mains, at least."""


class Facts(FactsModel):
    """What it reads."""

    battery_hours: Annotated[
        Number | None,
        fact("For how long does the battery run the unit without the mains?", unit="hours"),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Compare how long the battery lasts with how long it must."""
    for statement in heard:
        hours = statement.facts.battery_hours
        if hours is not None and hours < terms.min_battery_hours:
            yield broken(
                statement,
                reason="battery_too_weak",
                expected=f"{terms.min_battery_hours:,} hours without the mains at least",
                observed=f"{hours:,g} hours",
                clears="a new battery, and a reading that shows how long it lasts",
            )


MONITOR = Monitor(
    title="Power supply",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.LOW,
    how_to_check="Pull the plug of one unit, and read on its screen how long the battery lasts.",
    what_to_see="A unit that goes on recording, and a battery that lasts as long as agreed.",
)
