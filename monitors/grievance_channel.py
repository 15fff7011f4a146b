"""Grievance channel: people can complain, in their languages, and are answered in time.

**What it means.** Someone turned away at a gate by a wrong match must be able to say so to somebody
who answers. The channel is published where the system is used, takes complaints in the languages
spoken there, and leaves none open for longer than the license allows.

**Terms.** `languages` (language tags after BCP 47, the two-letter code where there is one: `sw`,
`zh-Hant`; none: any language will do; `pt-BR` is a `pt`, `pt` is no `pt-BR`), `max_open_days` (days
a complaint may be open; none: not limited).

**Broken** when the channel is not published (`not_published`), one of the languages is missing
(`language_missing`, naming them), or the oldest open complaint is older than allowed
(`complaint_too_old`; exactly at the limit is kept).

**Not assessable** when the channel is said to be published, or languages are listed, and no
language is named although the license names some (`no_language_named`); or when the languages are
complete and nothing says that the channel is published (`publication_unstated`). The age of the
oldest complaint is judged either way.

**Source.** Guiding Principles on Business and Human Rights (United Nations, 2011), principles 29
and 31. Answers within three months: Directive (EU) 2019/1937, article 9. Matching of language tags:
RFC 4647, basic filtering.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf
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
from monitors._facts import Flag, Language, Languages, Number, fact, named, unspoken


class Terms(TermsModel):
    """In which languages people can complain, and how soon they are answered."""

    languages: Annotated[tuple[Language, ...], Field(max_length=100)] = ()
    """Language tags after BCP 47, all of them needed; none: any language will do."""
    max_open_days: Annotated[int, Field(ge=0, le=36_525)] | None = None
    """Days a complaint may be open; none: not limited."""


class Facts(FactsModel):
    """What it reads."""

    channel_published: Annotated[
        Flag | None,
        fact(
            "Is a way to complain published where the system is used?",
            unit="yes or no",
            scopes=("site",),
        ),
    ] = None
    channel_languages: Annotated[
        Languages | None,
        fact("In which languages can people complain?", unit="language tags", scopes=("site",)),
    ] = None
    oldest_complaint_days: Annotated[
        Number | None,
        fact(
            "For how long has the oldest open complaint been open (0 if none)?",
            unit="days",
            scopes=("site",),
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001 - an age is judged as of when it was read
) -> Iterator[Finding]:
    """Look at whether there is a channel, at its languages, and at the oldest complaint."""
    wanted = frozenset(terms.languages)
    limit = inf if terms.max_open_days is None else terms.max_open_days
    for statement in heard:
        facts = statement.facts
        published, spoken = facts.channel_published, facts.channel_languages
        if (published is not None or spoken is not None) and not (
            published and (not wanted or (spoken and wanted.issubset(spoken)))
        ):
            yield from _doubted(terms, statement)
        age = facts.oldest_complaint_days
        if age is not None and age > limit:
            yield _old(statement, age, limit)


def _doubted(terms: Terms, statement: Statement[Facts]) -> Iterator[Finding]:
    """Tell what is wrong with the channel, or what nobody said about it; often nothing."""
    published, spoken = statement.facts.channel_published, statement.facts.channel_languages
    lacking = unspoken(terms.languages, spoken or ())
    if published is False:
        yield _broken(terms, statement, "not_published", "no channel is published")
    elif lacking and spoken:
        yield _broken(terms, statement, "language_missing", f"no channel in {named(lacking)}")
    elif lacking:
        yield _unclear(terms, statement, "no_language_named", "channel_languages")
    elif published is None:
        yield _unclear(terms, statement, "publication_unstated", "channel_published")


def _broken(terms: Terms, statement: Statement[Facts], reason: str, observed: str) -> Finding:
    return broken(
        statement,
        reason=reason,
        expected=_expected(terms),
        observed=observed,
        clears="proof of the channel where people see it, in every language asked for",
    )


def _unclear(terms: Terms, statement: Statement[Facts], reason: str, missing: str) -> Finding:
    what = "its languages" if missing == "channel_languages" else "whether it is published"
    return not_assessable(
        statement,
        reason=reason,
        expected=_expected(terms),
        observed=f"a channel, but not {what}",
        missing=(missing,),
        clears="a report that says where the channel is published and in which languages",
    )


def _old(statement: Statement[Facts], age: float, limit: float) -> Finding:
    return broken(
        statement,
        reason="complaint_too_old",
        expected=f"complaints open for {limit:,} days at most",
        observed=f"the oldest has been open for {age:,g} days",
        clears="an answer to the complaint, and a report of the oldest one open since",
    )


def _expected(terms: Terms) -> str:
    return f"a channel published in {named(terms.languages) or 'any language'}"


MONITOR = Monitor(
    title="Grievance channel",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    how_to_check=(
        "Find the channel as a visitor would and send a complaint in each language; ask for the "
        "register of complaints and read since when the oldest is open."
    ),
    what_to_see="A channel in every language asked for, an acknowledgment, no complaint too old.",
)
