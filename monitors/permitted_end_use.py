"""Permitted end use: the technology is used for what the license names, and for nothing else.

**What it means.** A license is granted for a stated purpose. The same face matcher opens the gate
for a passenger or finds a demonstrator; what makes the difference is the use. Whoever reports says
for which uses a unit, a site or the whole delivery serves.

**Terms.** `allowed` and `denied`, both lists of end-use codes; one of them at least. With `allowed`
every use must be named there. With `denied` alone, every other use is let pass. A code cannot be in
both. Codes are free words in small letters; capitals make no difference. In common use:
`access_control`, `asylum`, `banking_kyc`, `border_control`, `civil_registry`,
`device_unlock`, `education`, `elections`, `healthcare`, `humanitarian_aid`, `law_enforcement`,
`migration_control`, `military`, `national_security`, `online_identity`, `prison`,
`public_space_surveillance`, `research`, `retail`, `social_benefits`, `time_and_attendance`,
`travel_facilitation`, `voter_registry`.

**Broken** when a use is reported that is denied (`end_use_denied`), or that is not among those
allowed (`end_use_not_allowed`). Both are found when both are true of different uses.

**Not assessable** when the report gives a list of uses that is empty (`no_end_use_named`): a unit
that serves no purpose is reported by its disposition, not by an empty list.

**Source.** End-use statements on export licenses: form BIS-711 (15 CFR 748.11), and the end-use
statement of Regulation (EU) 2021/821, article 12.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

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
from monitors._facts import Code, fact, named

EndUse = Annotated[Code, StringConstraints(to_lower=True)]


class Terms(TermsModel):
    """What the technology may be used for."""

    allowed: Annotated[tuple[EndUse, ...], Field(max_length=100)] = ()
    """Codes of the uses let pass; none: all that are not denied."""
    denied: Annotated[tuple[EndUse, ...], Field(max_length=100)] = ()
    """Codes of the uses ruled out."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing, or two things at once."""
        if not self.allowed and not self.denied:
            raise ValueError("name an end use that is allowed or denied")
        both = set(self.allowed) & set(self.denied)
        if both:
            message = f"both allowed and denied: {named(both)}"
            raise ValueError(message)
        return self


class Facts(FactsModel):
    """What it reads."""

    end_uses: Annotated[
        Annotated[list[EndUse], Field(max_length=1000)] | None,
        fact(
            "For which end uses does it serve?",
            unit="end-use codes",
            scopes=("unit", "site", "license"),
        ),
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look for uses that are denied, then for uses that are not among those allowed."""
    allowed, denied = frozenset(terms.allowed), frozenset(terms.denied)
    for statement in heard:
        uses = statement.facts.end_uses
        if uses is None:
            continue
        if not uses:
            yield _none_named(terms, statement)
        elif allowed.issuperset(uses) if allowed else denied.isdisjoint(uses):
            continue
        else:
            yield from _misused(terms, statement, uses)


def _misused(terms: Terms, statement: Statement[Facts], uses: Sequence[str]) -> Iterator[Finding]:
    ruled_out = set(uses).intersection(terms.denied)
    unnamed = set(uses).difference(terms.allowed, terms.denied) if terms.allowed else set()
    if ruled_out:
        yield broken(
            statement,
            reason="end_use_denied",
            expected=_expected(terms),
            observed=f"used for {named(ruled_out)}",
            clears="a report that this use has ended, and an account of it",
        )
    if unnamed:
        yield broken(
            statement,
            reason="end_use_not_allowed",
            expected=_expected(terms),
            observed=f"used for {named(unnamed)}",
            clears="a report that this use has ended, or an amendment that names it",
        )


def _none_named(terms: Terms, statement: Statement[Facts]) -> Finding:
    return not_assessable(
        statement,
        reason="no_end_use_named",
        expected=_expected(terms),
        observed="an empty list of end uses",
        missing=("end_uses",),
        clears="a report that names the end uses",
    )


def _expected(terms: Terms) -> str:
    parts = (
        f"used only for {named(terms.allowed)}" if terms.allowed else "",
        f"not used for {named(terms.denied)}" if terms.denied else "",
    )
    return "; ".join(part for part in parts if part)


MONITOR = Monitor(
    title="Permitted end use",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Ask the people who work with the system what happens after a match, and read the last "
        "tasks and the user roles on the unit; do not rely on the manager's description."
    ),
    what_to_see="Tasks, user roles and outputs that belong to the uses the license names.",
)
