"""Data localization: the data stay in the countries the license names.

**What it means.** A unit stands at a permitted border gate, and its data lie in a third country: to
whoever can reach them there, the technology was exported a second time. Storing and processing are
looked at separately, backups and cloud services included.

**Terms.** `storage_countries` and `processing_countries` (ISO 3166-1 alpha-2 codes); one of the two
at least. A list that is left empty sets no limit. A territory with a code of its own, such as `RE`
(Réunion), is named beside its state when it is meant.

**Broken** when data are stored in a country that is not named (`stored_elsewhere`), or processed in
one (`processed_elsewhere`).

**Not assessable** when the report gives a list of countries that is empty (`no_storage_named`,
`no_processing_named`). Data are always somewhere.

**Source.** Data residency clauses in cloud contracts; 15 CFR 734.18(a)(5), which makes the country
of storage decide whether sending data abroad is an export.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

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
from monitors._countries import ALPHA2, NAMES
from monitors._facts import Countries, Country, fact, known_country, named

Named = Annotated[
    tuple[Annotated[Country, AfterValidator(known_country)], ...], Field(max_length=len(ALPHA2))
]


class Terms(TermsModel):
    """Where data may be."""

    storage_countries: Named = ()
    """ISO 3166-1 alpha-2 codes of the countries data may be stored in; none: no limit."""
    processing_countries: Named = ()
    """ISO 3166-1 alpha-2 codes of the countries data may be processed in; none: no limit."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        if not self.storage_countries and not self.processing_countries:
            raise ValueError("name a country for storage or for processing")
        return self


class Facts(FactsModel):
    """What it reads."""

    storage_countries: Annotated[
        Countries | None,
        fact(
            "In which countries are its data stored, backups included?",
            unit="ISO 3166-1 alpha-2",
        ),
    ] = None
    processing_countries: Annotated[
        Countries | None,
        fact(
            "In which countries are its data processed, cloud services included?",
            unit="ISO 3166-1 alpha-2",
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at where data are stored, then at where they are processed."""
    storage = frozenset(terms.storage_countries)
    processing = frozenset(terms.processing_countries)
    for statement in heard:
        facts = statement.facts
        stored, processed = facts.storage_countries, facts.processing_countries
        if storage and stored is not None and not (stored and storage.issuperset(stored)):
            yield _storage(terms, statement, storage, stored)
        if (
            processing
            and processed is not None
            and not (processed and processing.issuperset(processed))
        ):
            yield _processing(terms, statement, processing, processed)


def _storage(
    terms: Terms, statement: Statement[Facts], permitted: frozenset[str], stored: Sequence[str]
) -> Finding:
    expected = f"stored only in {_told(terms.storage_countries)}"
    if not stored:
        return not_assessable(
            statement,
            reason="no_storage_named",
            expected=expected,
            observed="an empty list of storage countries",
            missing=("storage_countries",),
            clears="a report that names the countries data are stored in",
        )
    return broken(
        statement,
        reason="stored_elsewhere",
        expected=expected,
        observed=f"stored in {_told(set(stored) - permitted)}",
        clears="proof that the data there were deleted, or an amendment that names the country",
    )


def _processing(
    terms: Terms, statement: Statement[Facts], permitted: frozenset[str], processed: Sequence[str]
) -> Finding:
    expected = f"processed only in {_told(terms.processing_countries)}"
    if not processed:
        return not_assessable(
            statement,
            reason="no_processing_named",
            expected=expected,
            observed="an empty list of processing countries",
            missing=("processing_countries",),
            clears="a report that names the countries data are processed in",
        )
    return broken(
        statement,
        reason="processed_elsewhere",
        expected=expected,
        observed=f"processed in {_told(set(processed) - permitted)}",
        clears="a report that processing there has ended, or an amendment that names the country",
    )


def _told(codes: Sequence[str] | set[str]) -> str:
    return named(f"{NAMES.get(code, 'no assigned country')} ({code})" for code in codes)


MONITOR = Monitor(
    title="Data localization",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Read on the unit where it stores and sends its data: storage and backup settings, cloud "
        "regions, addresses of servers; ask for the contract with the data center."
    ),
    what_to_see="Servers, backups and cloud regions in the named countries only.",
)
