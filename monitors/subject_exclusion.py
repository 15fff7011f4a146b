"""Subject exclusion: some things are not read from a person's body, and some persons not enrolled.

**What it means.** A system that recognizes a person can also be made to guess what that person is:
of which descent, in which mood, of which belief. And a gallery can be filled with those whom the
license was to keep out of it: children, asylum seekers, journalists. Both are settled before
shipment, and both are a setting or an import away afterwards.

**Terms.** `prohibited_attributes`: what must not be inferred from biometric data, in common use
`age`, `disability`, `emotion`, `ethnicity`, `gender`, `health`, `political_opinion`, `religion`,
`sexual_orientation`. `excluded_groups`: who must not be enrolled, in common use `asylum_seekers`,
`children`, `defenders`, `detainees`, `journalists`, `minority`, `opposition`, `patients`,
`refugees`. One word at least in one of the two. Codes are free words, capitals make no difference;
reports must use the words of the license, since only equal words are found to be equal. `other`,
`unknown` and `unspecified` name nothing and are refused.

**Broken** when a prohibited attribute is inferred (`attribute_inferred`), or an excluded group is
enrolled (`group_enrolled`). One is enough. A list that is empty says that there is none: kept.

**Not assessable** when a report says `other`, `unknown` or `unspecified` where an attribute
(`attribute_unnamed`) or a group (`group_unnamed`) should be named. What else the list shows is
found all the same.

**Source.** Regulation (EU) 2024/1689, article 5(1)(f) and (g) (emotion recognition, biometric
categorisation); Regulation (EU) 2016/679, article 9 (special categories); 15 CFR 742.7 (human
rights in the licensing of crime control items).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import model_validator

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
from monitors._facts import NAMELESS, TellingWords, Words, fact, named


class Terms(TermsModel):
    """What must not be inferred, and who must not be enrolled."""

    prohibited_attributes: TellingWords = ()
    """Codes of the attributes that must not be inferred from biometric data."""
    excluded_groups: TellingWords = ()
    """Codes of the groups of persons that must not be enrolled."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        if not self.prohibited_attributes and not self.excluded_groups:
            raise ValueError("name an attribute that is prohibited or a group that is excluded")
        return self


class Facts(FactsModel):
    """What it reads."""

    inferred_attributes: Annotated[
        Words | None,
        fact(
            "Which attributes of persons does the unit infer from biometric data (empty if none)?",
            unit="attribute codes",
        ),
    ] = None
    enrolled_groups: Annotated[
        Words | None,
        fact(
            "Which groups in need of protection are enrolled on the unit (empty if none)?",
            unit="group codes",
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at what is inferred, then at who is enrolled."""
    prohibited, excluded = frozenset(terms.prohibited_attributes), frozenset(terms.excluded_groups)
    suspicious, unwelcome = prohibited | NAMELESS, excluded | NAMELESS
    for statement in heard:
        facts = statement.facts
        inferred, enrolled = facts.inferred_attributes, facts.enrolled_groups
        if inferred and prohibited and not suspicious.isdisjoint(inferred):
            yield from _inferred(statement, prohibited, suspicious.intersection(inferred))
        if enrolled and excluded and not unwelcome.isdisjoint(enrolled):
            yield from _enrolled(statement, excluded, unwelcome.intersection(enrolled))


def _inferred(
    statement: Statement[Facts], prohibited: frozenset[str], seen: frozenset[str]
) -> Iterator[Finding]:
    expected = f"no inference of {named(prohibited)}"
    if seen & prohibited:
        yield broken(
            statement,
            reason="attribute_inferred",
            expected=expected,
            observed=f"{named(seen & prohibited)} inferred",
            clears="a report that the function is removed, and an account of what was inferred",
        )
    if seen & NAMELESS:
        yield not_assessable(
            statement,
            reason="attribute_unnamed",
            expected=expected,
            observed=f"an attribute given as {named(seen & NAMELESS)}",
            missing=("inferred_attributes",),
            clears="a report that names every attribute the unit infers",
        )


def _enrolled(
    statement: Statement[Facts], excluded: frozenset[str], seen: frozenset[str]
) -> Iterator[Finding]:
    expected = f"nobody enrolled of {named(excluded)}"
    if seen & excluded:
        yield broken(
            statement,
            reason="group_enrolled",
            expected=expected,
            observed=f"{named(seen & excluded)} enrolled",
            clears="proof that these enrolments were deleted, and an account of their use",
        )
    if seen & NAMELESS:
        yield not_assessable(
            statement,
            reason="group_unnamed",
            expected=expected,
            observed=f"a group given as {named(seen & NAMELESS)}",
            missing=("enrolled_groups",),
            clears="a report that names every group in need of protection that is enrolled",
        )


MONITOR = Monitor(
    title="Subject exclusion",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.CRITICAL,
    how_to_check=(
        "Open the analysis settings and look for every attribute the software can show or filter "
        "by; let an operator search by one. Read the names of the galleries and the sources of "
        "their imports, and ask who is enrolled in each."
    ),
    what_to_see=(
        "No field, filter or score for a prohibited attribute, and no gallery or import that holds "
        "an excluded group."
    ),
)
