"""Purpose notice: people are told, in their languages, what the system is for.

**What it means.** Whoever walks past a camera that compares faces can object only if a notice says
so. It stands where the system is used, says who operates it, for what purpose and where to turn,
and is written in the languages people there read.

**Terms.** `languages` (language tags after BCP 47, the two-letter code where there is one: `sw`,
`zh-Hant`; none: any language will do). `pt-BR` is a `pt`; `pt` is no `pt-BR`.

**Broken** when the notice is not published (`not_published`), or one of the languages is missing
(`language_missing`, naming them).

**Not assessable** when the notice is said to be published, or languages are listed, and no language
is named although the license names some (`no_language_named`); or when the languages are complete
and nothing says that the notice is published (`publication_unstated`).

**Source.** Information of the persons concerned: Regulation (EU) 2016/679, articles 12 and 13;
Directive (EU) 2016/680, article 13; Regulation (EU) 2024/1689, article 50. Matching of language
tags: RFC 4647, basic filtering.
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
from monitors._facts import Flag, Language, Languages, fact, named, unspoken


class Terms(TermsModel):
    """In which languages people are told."""

    languages: Annotated[tuple[Language, ...], Field(max_length=100)] = ()
    """Language tags after BCP 47, all of them needed; none: any language will do."""


class Facts(FactsModel):
    """What it reads."""

    notice_published: Annotated[
        Flag | None,
        fact(
            "Is a notice of the purpose published where the system is used?",
            unit="yes or no",
            scopes=("site",),
        ),
    ] = None
    notice_languages: Annotated[
        Languages | None,
        fact("In which languages is the notice?", unit="language tags", scopes=("site",)),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at whether there is a notice, and then at its languages."""
    wanted = frozenset(terms.languages)
    for statement in heard:
        facts = statement.facts
        published, spoken = facts.notice_published, facts.notice_languages
        if published is None and spoken is None:
            continue
        if published and (not wanted or (spoken and wanted.issubset(spoken))):
            continue
        yield from _doubted(terms, statement)


def _doubted(terms: Terms, statement: Statement[Facts]) -> Iterator[Finding]:
    """Tell what is wrong with the notice, or what nobody said about it; often nothing."""
    published, spoken = statement.facts.notice_published, statement.facts.notice_languages
    lacking = unspoken(terms.languages, spoken or ())
    if published is False:
        yield _broken(terms, statement, "not_published", "no notice is published")
    elif lacking and spoken:
        yield _broken(terms, statement, "language_missing", f"no notice in {named(lacking)}")
    elif lacking:
        yield _unclear(terms, statement, "no_language_named", "notice_languages")
    elif published is None:
        yield _unclear(terms, statement, "publication_unstated", "notice_published")


def _broken(terms: Terms, statement: Statement[Facts], reason: str, observed: str) -> Finding:
    return broken(
        statement,
        reason=reason,
        expected=_expected(terms),
        observed=observed,
        clears="a photograph of the notice in place, in every language asked for",
    )


def _unclear(terms: Terms, statement: Statement[Facts], reason: str, missing: str) -> Finding:
    what = "its languages" if missing == "notice_languages" else "whether it is published"
    return not_assessable(
        statement,
        reason=reason,
        expected=_expected(terms),
        observed=f"a notice, but not {what}",
        missing=(missing,),
        clears="a report that says where the notice is published and in which languages",
    )


def _expected(terms: Terms) -> str:
    return f"a notice published in {named(terms.languages) or 'any language'}"


MONITOR = Monitor(
    title="Purpose notice",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.LOW,
    how_to_check=(
        "Walk in as a visitor would and look for the notice before the first camera; photograph "
        "it, and write down the languages it is in."
    ),
    what_to_see="A notice that names operator and purpose, legible, in every language asked for.",
)
