"""Match threshold: the matcher is set strictly enough, and a person confirms what it says.

**What it means.** A matcher always finds somebody who looks similar; the threshold decides whom it
calls the same. Lowered a little, it stops many more innocent people. The rate at which strangers
are taken for each other says how it is set. And whatever it says, a person looks before anything is
done to anybody.

**Terms.** `max_false_match_rate` (share of comparisons between different persons that the matcher
calls a match, above 0 and at most 1: `0.001` is one in a thousand; none: not limited),
`human_confirmation` (no action on a match before a person confirmed it). One of the two at least.

**Broken** when the configured false match rate is above the ceiling (`rate_above_ceiling`; exactly
at the ceiling is kept); or when actions were taken on a match without a person
(`unconfirmed_action`; one is enough).

**Not assessable** when the rate stated is 0 (`rate_of_zero`): no matcher is without false matches,
so the setting was not read, not set, or rounded away.

**Source.** False match rate of ISO/IEC 19795-1; human oversight in Regulation (EU) 2024/1689,
article 14(5).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from math import inf
from typing import Annotated, Self

from pydantic import Field, model_validator

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
from monitors._facts import Count, fact


class Terms(TermsModel):
    """How strict the matcher must be set, and who must confirm it."""

    max_false_match_rate: (
        Annotated[Decimal, Field(gt=0, le=1, max_digits=16, decimal_places=15)] | None
    ) = None
    """Share of comparisons between different persons, above 0 and at most 1; none: not limited."""
    human_confirmation: bool = False
    """Whether a person must confirm a match before anything is done."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        if self.max_false_match_rate is None and not self.human_confirmation:
            raise ValueError("limit the false match rate or require human confirmation")
        return self


class Facts(FactsModel):
    """What it reads."""

    false_match_rate: Annotated[
        Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] | None,
        fact(
            "For which false match rate is the matcher set (0.001 is one in a thousand)?",
            unit="share from 0 to 1",
        ),
    ] = None
    unconfirmed_actions: Annotated[
        Count | None,
        fact(
            "How many actions on a match without a person's confirmation since the reading before?",
            unit="actions",
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at the rate, then at the actions nobody confirmed.

    A decimal of up to 15 places, as the ceiling is, is told from every other by its float: so what
    is exactly at the ceiling compares as equal.
    """
    limited = terms.max_false_match_rate is not None
    ceiling = inf if terms.max_false_match_rate is None else float(terms.max_false_match_rate)
    human_confirmation = terms.human_confirmation
    for statement in heard:
        facts = statement.facts
        rate = facts.false_match_rate
        if limited and rate is not None and not 0 < rate <= ceiling:
            yield _lax(terms, statement, rate) if rate else _zero(terms, statement)
        if human_confirmation and facts.unconfirmed_actions:
            yield _unconfirmed(statement, facts.unconfirmed_actions)


def _lax(terms: Terms, statement: Statement[Facts], rate: float) -> Finding:
    return broken(
        statement,
        reason="rate_above_ceiling",
        expected=_expected(terms),
        observed=f"set for a false match rate of {_plain(rate)}",
        clears="a reading with the threshold raised, and an account of the matches made meanwhile",
    )


def _zero(terms: Terms, statement: Statement[Facts]) -> Finding:
    return not_assessable(
        statement,
        reason="rate_of_zero",
        expected=_expected(terms),
        observed="a false match rate of 0",
        missing=("false_match_rate",),
        clears="a report of the false match rate with all its decimal places",
    )


def _unconfirmed(statement: Statement[Facts], actions: int) -> Finding:
    return broken(
        statement,
        reason="unconfirmed_action",
        expected="no action on a match before a person confirmed it",
        observed=f"{actions:,} taken without a person",
        clears="a reading without such actions, and an account of each of them",
    )


def _expected(terms: Terms) -> str:
    return f"a false match rate of at most {terms.max_false_match_rate:f}"


def _plain(rate: float) -> str:
    """Write a rate in full: an officer reads 0.00002, not 2e-05."""
    return f"{Decimal(repr(rate)):f}"


MONITOR = Monitor(
    title="Match threshold",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Read the threshold in the matcher's settings and find the false match rate it stands for "
        "in the vendor's table for this model; let an operator show what happens after a match."
    ),
    what_to_see="A threshold at least as strict as agreed, and a match that waits for a person.",
)
