"""Permitted end users: only the parties the license names operate the technology.

**What it means.** An end user was examined before the license was granted. When another body sits
at the console, that examination says nothing about it: a police unit lent the system of an airport
is an end user nobody looked at. Whoever reports names the parties that operate a unit or a site.

**Terms.** `parties` (references of the parties that may operate it, as they stand on the license;
one at least).

**Broken** when an operating party is not named (`party_not_permitted`).

**Not assessable** when the report gives a list of operating parties that is empty
(`no_party_named`).

**Source.** Form BIS-711, statement by ultimate consignee and purchaser (15 CFR 748.11); form
DSP-83, nontransfer and use certificate (22 CFR 123.10).
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
from monitors._facts import Code, Codes, fact, named


class Terms(TermsModel):
    """Who may operate the technology."""

    parties: Annotated[tuple[Code, ...], Field(min_length=1, max_length=1000)]
    """References of the parties, as they stand on the license."""


class Facts(FactsModel):
    """What it reads."""

    operating_parties: Annotated[
        Codes | None,
        fact(
            "Which parties operate it (their references)?",
            unit="party references",
            scopes=("unit", "site"),
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look for operating parties that are not named."""
    permitted = frozenset(terms.parties)
    for statement in heard:
        parties = statement.facts.operating_parties
        if parties is None:
            continue
        if not parties:
            yield _none_named(terms, statement)
        elif not permitted.issuperset(parties):
            yield _others(terms, statement, parties)


def _others(terms: Terms, statement: Statement[Facts], parties: Sequence[str]) -> Finding:
    return broken(
        statement,
        reason="party_not_permitted",
        expected=_expected(terms),
        observed=f"operated by {named(set(parties).difference(terms.parties))}",
        clears="a report that this party has no access any more, or an amendment that names it",
    )


def _none_named(terms: Terms, statement: Statement[Facts]) -> Finding:
    return not_assessable(
        statement,
        reason="no_party_named",
        expected=_expected(terms),
        observed="an empty list of operating parties",
        missing=("operating_parties",),
        clears="a report that names the operating parties",
    )


def _expected(terms: Terms) -> str:
    return f"operated only by {named(terms.parties)}"


MONITOR = Monitor(
    title="Permitted end users",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Ask the operators whom they work for, see their badges, and read the list of user "
        "accounts on the unit with the organization of each."
    ),
    what_to_see="Operators and accounts of the named parties only; no shared or guest accounts.",
)
