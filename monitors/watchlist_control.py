"""Watchlist control: the list of persons looked for stays small, lawful and of the agreed kinds.

**What it means.** A biometric watchlist holds the persons a system looks for in every face that
passes. Who is put on it decides what the system is: ten fugitives under warrant, or everybody who
came to a demonstration.

**Terms.** `max_entries` (entries on the watchlist of each unit; none: not limited),
`denied_categories` (codes of the kinds of entries ruled out, in common use `activists`, `children`,
`debtors`, `journalists`, `lawyers`, `migrants`, `political`, `protesters`, `relatives`,
`witnesses`), `basis_required` (every entry needs a legal basis on record). One of the three at
least. Capitals make no difference; reports must use the words of the license. `other`, `unknown`
and `unspecified` name no category and are refused.

**Broken** when there are more entries than allowed (`too_many_entries`; exactly as many is kept);
when a denied category is on the list (`category_denied`); or when entries have no legal basis
although one is required (`entries_without_basis`; one is enough).

**Not assessable** when the categories are an empty list and the report does not say that the
watchlist is empty too (`no_category_named`); when a category is given as `other`, `unknown` or
`unspecified` (`category_unnamed`); or when the entries are limited, and more of them are said to be
without a legal basis than there are, so that the size cannot be believed (`counts_contradict`).

**Source.** R (Bridges) v Chief Constable of South Wales Police [2020] EWCA Civ 1058, on who may be
put on a watchlist; Regulation (EU) 2024/1689, article 5(1)(h) and (2).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
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
from monitors._facts import (
    NAMELESS,
    Count,
    TellingWords,
    WatchlistSizeFact,
    Words,
    fact,
    named,
)


class Terms(TermsModel):
    """How large the watchlist may be, and what may be on it."""

    max_entries: Annotated[int, Field(ge=0, le=10**10)] | None = None
    """Entries on the watchlist of each unit; none: not limited."""
    denied_categories: TellingWords = ()
    """Codes of the kinds of entries ruled out."""
    basis_required: bool = False
    """Whether every entry needs a legal basis on record."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        if self.max_entries is None and not self.denied_categories and not self.basis_required:
            raise ValueError("limit the entries, deny a category or require a legal basis")
        return self


class Facts(FactsModel):
    """What it reads."""

    watchlist_size: WatchlistSizeFact = None
    watchlist_categories: Annotated[
        Words | None,
        fact("Which categories of entries are on the watchlist?", unit="category codes"),
    ] = None
    watchlist_without_basis: Annotated[
        Count | None,
        fact("How many watchlist entries have no legal basis on record?", unit="entries"),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at the size, then at the categories, then at the legal basis."""
    cap = inf if terms.max_entries is None else terms.max_entries
    limited, basis_required = terms.max_entries is not None, terms.basis_required
    denied = frozenset(terms.denied_categories)
    suspicious = denied | NAMELESS
    for statement in heard:
        facts = statement.facts
        size, categories = facts.watchlist_size, facts.watchlist_categories
        unfounded = facts.watchlist_without_basis
        if size is not None:
            if size > cap:
                yield _too_many(terms, statement, size)
            elif limited and unfounded and unfounded > size:
                yield _contradicting(terms, statement, size, unfounded)
        if denied and categories is not None:
            if not categories:
                if size != 0 or unfounded:
                    yield _none_named(denied, statement)
            elif not suspicious.isdisjoint(categories):
                yield from _denied(statement, denied, suspicious.intersection(categories))
        if basis_required and unfounded:
            yield _unfounded(statement, unfounded)


def _too_many(terms: Terms, statement: Statement[Facts], size: int) -> Finding:
    return broken(
        statement,
        reason="too_many_entries",
        expected=f"at most {terms.max_entries:,} watchlist entries",
        observed=f"{size:,} watchlist entries",
        clears="a reading at or below the limit, and an account of the entries removed",
    )


def _contradicting(terms: Terms, statement: Statement[Facts], size: int, unfounded: int) -> Finding:
    return not_assessable(
        statement,
        reason="counts_contradict",
        expected=f"at most {terms.max_entries:,} watchlist entries",
        observed=f"{size:,} watchlist entries, {unfounded:,} of them without a legal basis",
        missing=("watchlist_size",),
        clears="a report in which the two counts agree",
    )


def _none_named(denied: frozenset[str], statement: Statement[Facts]) -> Finding:
    return not_assessable(
        statement,
        reason="no_category_named",
        expected=f"nobody on the watchlist as {named(denied)}",
        observed="an empty list of categories, and no word that the watchlist is empty",
        missing=("watchlist_categories",),
        clears="a report that names the categories, or says that the watchlist has no entries",
    )


def _denied(
    statement: Statement[Facts], denied: frozenset[str], seen: frozenset[str]
) -> Iterator[Finding]:
    expected = f"nobody on the watchlist as {named(denied)}"
    if seen & denied:
        yield broken(
            statement,
            reason="category_denied",
            expected=expected,
            observed=f"{named(seen & denied)} on the watchlist",
            clears="proof that these entries were removed, and an account of who put them there",
        )
    if seen & NAMELESS:
        yield not_assessable(
            statement,
            reason="category_unnamed",
            expected=expected,
            observed=f"a category given as {named(seen & NAMELESS)}",
            missing=("watchlist_categories",),
            clears="a report that names every category on the watchlist",
        )


def _unfounded(statement: Statement[Facts], unfounded: int) -> Finding:
    return broken(
        statement,
        reason="entries_without_basis",
        expected="a legal basis on record for every watchlist entry",
        observed=f"{unfounded:,} without a legal basis",
        clears="the legal basis of each of these entries, or proof that they were removed",
    )


MONITOR = Monitor(
    title="Watchlist control",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Open the watchlist on the unit and read the number of entries and their categories; pick "
        "entries at random and ask for the warrant or order behind each. Look for second lists."
    ),
    what_to_see=(
        "No more entries than allowed, only agreed categories, and for each entry picked a dated "
        "document that names it."
    ),
)
