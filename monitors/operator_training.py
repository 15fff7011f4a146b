"""Operator training: those who work with the system have learned what it can and cannot do.

**What it means.** A match is a likeness, not a name. An operator who was never told so stops the
wrong person and believes the machine. Training is the cheapest safeguard there is, and the first
one forgotten when staff changes.

**Terms.** `min_percent` (percent of the active operators who must have been trained; default 100:
everybody). `courses`: what the training must cover, as codes. The numbers of a report cannot show
what was taught: `courses` is named in the sentence and on the inspector's checklist, and a person
compares it with the certificates.

**Broken** when the trained share of the active operators is below the minimum
(`too_few_trained`); exactly at the minimum is kept. The share is reckoned exactly, nothing is
rounded. Where nobody is active, there is nobody to train: kept.

**Not assessable** when only one of the two numbers is given (`count_missing`), or when more
operators are said to be trained than are active (`counts_contradict`): former operators are not
counted.

**Source.** Regulation (EU) 2024/1689, articles 4 (AI literacy) and 26(2) (competence and training
of those who oversee a system).
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
from monitors._facts import Code, Count, Percent, fact, named


class Terms(TermsModel):
    """How many of the operators must be trained, and in what."""

    min_percent: Annotated[Percent, Field(gt=0)] = Decimal(100)
    """Percent of the active operators who must have been trained."""
    courses: Annotated[tuple[Code, ...], Field(max_length=100)] = ()
    """Codes of what the training must cover; for a person to compare with the certificates."""


class Facts(FactsModel):
    """What it reads."""

    operators_active: Annotated[
        Count | None,
        fact("How many operators work with the system now?", unit="persons", scopes=("site",)),
    ] = None
    operators_trained: Annotated[
        Count | None,
        fact(
            "How many of the operators who work with the system now have been trained?",
            unit="persons",
            scopes=("site",),
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Compare the trained share with the minimum, in whole numbers."""
    share, whole = terms.min_percent.as_integer_ratio()
    whole *= 100
    for statement in heard:
        facts = statement.facts
        active, trained = facts.operators_active, facts.operators_trained
        if active is None or trained is None:
            if active is not trained and active != 0:
                yield _half_told(terms, statement, active, trained)
        elif trained > active:
            yield _contradicting(terms, statement, active, trained)
        elif trained * whole < share * active:
            yield broken(
                statement,
                reason="too_few_trained",
                expected=_expected(terms),
                observed=f"{trained:,} of {active:,} active operators trained",
                clears="certificates of those not yet trained, or a report without them",
            )


def _half_told(
    terms: Terms, statement: Statement[Facts], active: int | None, trained: int | None
) -> Finding:
    told, missing = (
        (f"{trained:,} operators trained, of an unstated number", "operators_active")
        if active is None
        else (f"{active:,} active operators", "operators_trained")
    )
    return not_assessable(
        statement,
        reason="count_missing",
        expected=_expected(terms),
        observed=told,
        missing=(missing,),
        clears="a report that gives both numbers",
    )


def _contradicting(terms: Terms, statement: Statement[Facts], active: int, trained: int) -> Finding:
    return not_assessable(
        statement,
        reason="counts_contradict",
        expected=_expected(terms),
        observed=f"{trained:,} operators trained, but {active:,} active",
        missing=("operators_active", "operators_trained"),
        clears="a report that counts only those active now among the trained",
    )


def _expected(terms: Terms) -> str:
    content = f" in {named(terms.courses)}" if terms.courses else ""
    return f"at least {terms.min_percent:f} % of the active operators trained{content}"


MONITOR = Monitor(
    title="Operator training",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    how_to_check=(
        "Take the list of accounts that logged in during the last month, ask for the training "
        "certificate of each person, and compare its content with the courses of the license."
    ),
    what_to_see="A dated certificate that covers the courses, for everybody who operates it.",
)
