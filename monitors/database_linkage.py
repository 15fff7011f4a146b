"""Database linkage: the system is joined to the agreed systems only, and nothing is carried off whole.

**What it means.** A gate that knows a few thousand travellers becomes another thing when it is
joined to the civil register, the telephone companies or the cameras of a city. The same happens in
the other direction when the gallery is exported whole and loaded elsewhere.

**Terms.** `allowed_integrations`: codes of the systems the unit may be linked to (none: it stands
alone). `bulk_export_allowed` (default no): whether enrolled data may be exported in bulk. Capitals
make no difference; reports must use the words of the license. `other`, `unknown` and `unspecified`
name no system and are refused.

**Broken** when the unit is linked to a system that is not allowed (`integration_not_allowed`), or
when a bulk export was made since the reading before although none is allowed (`bulk_export`; one is
enough). A list of integrations that is empty says that there is none: kept.

**Not assessable** when an integration is given as `other`, `unknown` or `unspecified`
(`integration_unnamed`). What else the list shows is found all the same.

**Source.** Purpose limitation: Regulation (EU) 2016/679, article 5(1)(b). The rules the European
Union needed before it joined its own biometric systems: Regulations (EU) 2019/817 and 2019/818.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

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
from monitors._facts import NAMELESS, BulkExportsFact, TellingWords, Words, fact, named


class Terms(TermsModel):
    """What the unit may be linked to, and whether data may leave in bulk."""

    allowed_integrations: TellingWords = ()
    """Codes of the systems the unit may be linked to; none: no system at all."""
    bulk_export_allowed: bool = False
    """Whether enrolled data may be exported in bulk."""


class Facts(FactsModel):
    """What it reads."""

    integrations: Annotated[
        Words | None,
        fact(
            "To which other systems is the unit linked (empty if none)?",
            unit="integration codes",
        ),
    ] = None
    bulk_exports: BulkExportsFact = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at what the unit is linked to, then at what left it in bulk."""
    allowed = frozenset(terms.allowed_integrations)
    export_allowed = terms.bulk_export_allowed
    for statement in heard:
        facts = statement.facts
        linked, exports = facts.integrations, facts.bulk_exports
        if linked and not allowed.issuperset(linked):
            yield from _linked(statement, allowed, frozenset(linked) - allowed)
        if exports and not export_allowed:
            yield _exported(statement, exports)


def _linked(
    statement: Statement[Facts], allowed: frozenset[str], strange: frozenset[str]
) -> Iterator[Finding]:
    expected = f"linked only to {named(allowed)}" if allowed else "linked to no other system"
    if strange - NAMELESS:
        yield broken(
            statement,
            reason="integration_not_allowed",
            expected=expected,
            observed=f"linked to {named(strange - NAMELESS)}",
            clears="a report that the link is cut, or an amendment that names the system",
        )
    if strange & NAMELESS:
        yield not_assessable(
            statement,
            reason="integration_unnamed",
            expected=expected,
            observed=f"an integration given as {named(strange & NAMELESS)}",
            missing=("integrations",),
            clears="a report that names every system the unit is linked to",
        )


def _exported(statement: Statement[Facts], exports: int) -> Finding:
    return broken(
        statement,
        reason="bulk_export",
        expected="no bulk export of enrolled data",
        observed=f"{exports:,} made since the reading before",
        clears="an account of what was exported and to whom, and proof of its deletion there",
    )


MONITOR = Monitor(
    title="Database linkage",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Read the interfaces and accounts for other systems in the settings, follow the network "
        "cables and the firewall's rules, and search the log for exports."
    ),
    what_to_see="Only links to the agreed systems, and no export of more than single records.",
)
