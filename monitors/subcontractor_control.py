"""Subcontractor control: only approved subcontractors work with the technology.

**What it means.** The end user was examined; the firm that installs, hosts or repairs the system
was not. A subcontractor sees the data, holds the passwords and learns the technology. The license
names those who may; whoever reports names those who do.

**Terms.** `approved` (references of the subcontractors, as they stand on the license; an empty
list: no subcontractor at all).

**Broken** when a subcontractor is not approved (`subcontractor_not_approved`).

**Not assessable** when a subcontractor is there and not named: `other`, `unknown` or `unspecified`
in the list (`subcontractor_unnamed`). A report that gives an empty list says that there are none.

**Source.** Parties to the transaction: 15 CFR 748.5. No other processor without authorization:
Regulation (EU) 2016/679, article 28(2).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

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
from monitors._facts import NAMELESS, Code, Codes, fact, named, telling


class Terms(TermsModel):
    """Who may work with the technology for the end user."""

    approved: Annotated[
        tuple[Annotated[Code, AfterValidator(telling)], ...], Field(max_length=1000)
    ]
    """References of the approved subcontractors; empty: none may be used."""


class Facts(FactsModel):
    """What it reads."""

    subcontractors: Annotated[
        Codes | None,
        fact(
            "Which subcontractors work with it (their references; an empty list if none)?",
            unit="party references",
            scopes=("site", "license"),
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look for subcontractors that are not approved."""
    approved = frozenset(terms.approved)
    for statement in heard:
        subcontractors = statement.facts.subcontractors
        if subcontractors and not approved.issuperset(subcontractors):
            yield from _others(terms, statement, set(subcontractors) - approved)


def _others(terms: Terms, statement: Statement[Facts], others: set[str]) -> Iterator[Finding]:
    """Tell those who are named from those who are not."""
    expected = f"only {named(terms.approved)}" if terms.approved else "no subcontractor"
    known = [one for one in others if one.lower() not in NAMELESS]
    if known:
        yield broken(
            statement,
            reason="subcontractor_not_approved",
            expected=expected,
            observed=f"{named(known)} working with it",
            clears="a report that it has no access any more, or an amendment that approves it",
        )
    if len(known) < len(others):
        yield not_assessable(
            statement,
            reason="subcontractor_unnamed",
            expected=expected,
            observed="a subcontractor without a name",
            missing=("subcontractors",),
            clears="a report that names every subcontractor",
        )


MONITOR = Monitor(
    title="Subcontractor control",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    how_to_check=(
        "Ask for the contracts on installation, hosting, operation and repair; read the visitor "
        "book and the service log, and see for whom the people at the racks work."
    ),
    what_to_see="Contracts, badges and service entries of approved subcontractors only.",
)
