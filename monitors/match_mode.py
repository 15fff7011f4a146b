"""Match mode: the system compares persons only in the ways the license allows.

**What it means.** The same software confirms that a traveller is the holder of a passport (one to
one), picks a person out of a gallery (one to many), or compares whole collections with each other
(many to many). Each step is a much graver technology than the one before.

**Terms.** `allowed`: one or more of `verify_1_1` (is this the person claimed?), `identify_1_n` (who
is this?), `search_n_n` (which persons of one collection are in the other?).

**Broken** when a mode outside those allowed is in use, or its counter is above zero since the
reading before. The reason names the mode: `verify_1_1_used`, `identify_1_n_used` or
`search_n_n_used`. One call is enough.

**Not assessable** when the report gives a list of modes that is empty (`no_mode_named`).

**Source.** ISO/IEC 2382-37 (biometric verification, identification, search); Regulation (EU)
2024/1689, article 3 (35) and (36).
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
from monitors._facts import IdentifyCallsFact, MatchModesFact, Mode, SearchCallsFact

MODES: tuple[Mode, ...] = ("verify_1_1", "identify_1_n", "search_n_n")


class Terms(TermsModel):
    """How the system may compare persons."""

    allowed: Annotated[tuple[Mode, ...], Field(min_length=1, max_length=len(MODES))]
    """The modes let pass."""


class Facts(FactsModel):
    """What it reads."""

    match_modes: MatchModesFact = None
    identify_calls: IdentifyCallsFact = None
    search_calls: SearchCallsFact = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at the modes named, and at the counters of those that are not allowed."""
    allowed = frozenset(terms.allowed)
    identify_allowed, search_allowed = "identify_1_n" in allowed, "search_n_n" in allowed
    for statement in heard:
        facts = statement.facts
        modes = facts.match_modes
        if (
            (modes is None or (modes and allowed.issuperset(modes)))
            and (identify_allowed or not facts.identify_calls)
            and (search_allowed or not facts.search_calls)
        ):
            continue
        yield from _used(terms, statement)


def _used(terms: Terms, statement: Statement[Facts]) -> Iterator[Finding]:
    """Tell one finding for each mode that should not be, whichever fact shows it."""
    facts = statement.facts
    calls = {"identify_1_n": facts.identify_calls, "search_n_n": facts.search_calls}
    for mode in MODES:
        count = calls.get(mode)
        if mode in terms.allowed or not (count or mode in (facts.match_modes or ())):
            continue
        yield broken(
            statement,
            reason=f"{mode}_used",
            expected=_expected(terms),
            observed=f"{count:,} calls of {mode}" if count else f"{mode} in use",
            clears=f"a reading without {mode}, and an account of what it was used for",
        )
    if facts.match_modes is not None and not facts.match_modes:
        yield not_assessable(
            statement,
            reason="no_mode_named",
            expected=_expected(terms),
            observed="an empty list of match modes",
            missing=("match_modes",),
            clears="a report that names the match modes in use",
        )


def _expected(terms: Terms) -> str:
    return f"only {' or '.join(mode for mode in MODES if mode in terms.allowed)}"


MONITOR = Monitor(
    title="Match mode",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Read the enabled match functions in the unit's settings and the call counters in its "
        "log, and let an operator show a usual transaction."
    ),
    what_to_see="Only the allowed modes switched on, and counters of zero for the others.",
)
