"""Legal basis: persons are enrolled because a law, an order or their own consent says so.

**What it means.** Behind each enrolled person there should be a paper: a consent, a warrant, an
application for a visa. Nobody can read them all. So a sample of enrolments is drawn, and those
without a legal basis on record are counted.

**Terms.** `sample_size` (the least number of enrolments that must be looked at),
`max_without_basis_percent` (percent of the sample that may be without a legal basis; default 0:
none).

**Broken** when the share without a legal basis is above the limit (`share_above_limit`); exactly at
the limit is kept. The share is reckoned exactly, nothing is rounded.

**Not assessable** when the sample is smaller than demanded, whatever was found in it
(`sample_too_small`); when only one of the two numbers is given (`count_missing`); or when more
enrolments are said to be without a legal basis than were looked at (`counts_contradict`).

**Source.** Lawfulness of processing: Regulation (EU) 2016/679, articles 6 and 9; Directive (EU)
2016/680, article 10. Checking a sample drawn at random is the auditor's way (ISA 530).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
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
from monitors._facts import Count, Percent, fact


class Terms(TermsModel):
    """How many enrolments are looked at, and how many may lack a legal basis."""

    sample_size: Annotated[int, Field(ge=1, le=10**9)]
    """Enrolments that must be looked at, at least."""
    max_without_basis_percent: Percent = Decimal(0)
    """Percent of the sample that may be without a legal basis."""


class Facts(FactsModel):
    """What it reads."""

    enrolments_sampled: Annotated[
        Count | None,
        fact(
            "How many enrolments were drawn at random and looked at?",
            unit="enrolments",
            scopes=("unit", "site"),
        ),
    ] = None
    enrolments_without_basis: Annotated[
        Count | None,
        fact(
            "How many of the enrolments looked at have no legal basis on record?",
            unit="enrolments",
            scopes=("unit", "site"),
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Compare the share without a legal basis with its limit, in whole numbers."""
    share, whole = terms.max_without_basis_percent.as_integer_ratio()
    whole *= 100
    least = terms.sample_size
    for statement in heard:
        facts = statement.facts
        sampled, without = facts.enrolments_sampled, facts.enrolments_without_basis
        if sampled is None or without is None:
            if sampled is not without:
                yield _half_told(terms, statement, sampled, without)
        elif without > sampled or sampled < least:
            yield _unclear(terms, statement, sampled, without)
        elif without * whole > share * sampled:
            yield broken(
                statement,
                reason="share_above_limit",
                expected=_expected(terms),
                observed=_observed(sampled, without),
                clears="the legal basis of these enrolments or proof that they were deleted, "
                "and a new sample within the limit",
            )


def _half_told(
    terms: Terms, statement: Statement[Facts], sampled: int | None, without: int | None
) -> Finding:
    told, missing = (
        (f"{without:,} without a legal basis, of an unstated number", "enrolments_sampled")
        if sampled is None
        else (f"{sampled:,} enrolments looked at", "enrolments_without_basis")
    )
    return not_assessable(
        statement,
        reason="count_missing",
        expected=_expected(terms),
        observed=told,
        missing=(missing,),
        clears="a report that gives both numbers",
    )


def _unclear(terms: Terms, statement: Statement[Facts], sampled: int, without: int) -> Finding:
    contradicting = without > sampled
    return not_assessable(
        statement,
        reason="counts_contradict" if contradicting else "sample_too_small",
        expected=_expected(terms),
        observed=_observed(sampled, without),
        missing=(
            ("enrolments_sampled", "enrolments_without_basis")
            if contradicting
            else ("enrolments_sampled",)
        ),
        clears=(
            "a report in which the two numbers agree"
            if contradicting
            else "a report on a sample that is large enough"
        ),
    )


def _observed(sampled: int, without: int) -> str:
    return f"{without:,} of {sampled:,} enrolments looked at without a legal basis"


def _expected(terms: Terms) -> str:
    return (
        f"at most {terms.max_without_basis_percent:f} % without a legal basis, "
        f"in a sample of {terms.sample_size:,} or more"
    )


MONITOR = Monitor(
    title="Legal basis",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Draw the enrolments yourself, by numbers the operator cannot foresee; for each ask for "
        "the consent, order or application, and count those that have none."
    ),
    what_to_see="For every enrolment drawn a dated document that covers this person and this use.",
)
