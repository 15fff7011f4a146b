"""Audit log integrity: the log of the unit has no holes and was not rewritten.

**What it means.** The log shows who was searched, by whom and how often. A log that stops for a
night, or whose entries no longer fit each other, can hide exactly what it is kept to show. Entries
are chained by hashes, so that one that was changed or removed leaves a mark.

**Terms.** `max_gap_hours` (the longest time between two entries that is let pass; a unit in use
writes one at least that often).

**Broken** when the longest gap is above that (`gap_too_long`), exactly at the limit is kept; or
when the chain of the log is broken (`chain_broken`).

**Not assessable**: never. A report that does not speak of the gap or of the chain says nothing
about it.

**Source.** Automatic recording of events: Regulation (EU) 2024/1689, article 12. Protection of
audit information: NIST SP 800-53, AU-9 and AU-10.
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
from monitors._facts import Flag, Number, fact


class Terms(TermsModel):
    """How long the log may be silent."""

    max_gap_hours: Annotated[int, Field(ge=1, le=8784)]
    """Hours between two entries of the log, at most."""


class Facts(FactsModel):
    """What it reads."""

    log_gap_hours: Annotated[
        Number | None,
        fact(
            "What is the longest gap in the log since the reading before (0 if none)?", unit="hours"
        ),
    ] = None
    log_chain_intact: Annotated[
        Flag | None,
        fact("Do the hashes of the log's entries still form a chain?", unit="yes or no"),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Compare the gap with its limit, then look at the chain."""
    most = terms.max_gap_hours
    for statement in heard:
        facts = statement.facts
        gap = facts.log_gap_hours
        if gap is not None and gap > most:
            yield _gap(statement, gap, most)
        if facts.log_chain_intact is False:
            yield _chain(statement)


def _gap(statement: Statement[Facts], gap: float, most: int) -> Finding:
    return broken(
        statement,
        reason="gap_too_long",
        expected=f"gaps of {most:,} hours at most",
        observed=f"a gap of {gap:,g} hours",
        clears="the missing entries, or an account of what the unit did meanwhile",
    )


def _chain(statement: Statement[Facts]) -> Finding:
    return broken(
        statement,
        reason="chain_broken",
        expected="entries that form an unbroken chain",
        observed="the chain is broken",
        clears="an inspection of the log, with an account of the entries changed or removed",
    )


MONITOR = Monitor(
    title="Audit log integrity",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    how_to_check=(
        "Export the log from the unit, let the maker's tool verify its chain, and sort it by time "
        "to find the longest gap; make a known entry and see that it is there."
    ),
    what_to_see="A chain that verifies to the end, no gap above the limit, your own entry in it.",
)
