"""Retention limit: personal data are deleted in time, and logs are kept long enough.

**What it means.** Images of people who were compared and not found, and of people who have long
left, are a gallery that nobody licensed. What must not be deleted early are the logs: they show
what was done with the system.

**Terms.** `probe_days` (images to be compared), `non_match_hours` (probes that matched nobody),
`template_days` (enrolled references): the greatest age allowed. `log_days`: how long logs must be
kept. Each may be left out; one at least is given. 0 means that nothing is kept.

**Broken** when the oldest of its kind is older than allowed (`probes_too_old`,
`non_matches_too_old`, `templates_too_old`), exactly at the limit is kept; or when the oldest log is
younger than logs must be kept although the unit was shipped longer ago than that
(`logs_too_young`).

**Not assessable** when the oldest log is younger than that and it is not known when the unit was
shipped (`shipment_unknown`), or the unit was shipped so lately that older logs need not exist
(`unit_too_new`). Logs that reach back to the day of shipment are kept.

**Source.** Storage limitation: Regulation (EU) 2016/679, article 5(1)(e). Logs kept at least six
months: Regulation (EU) 2024/1689, articles 19 and 26(6).
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
    Need,
    Severity,
    Statement,
    TermsModel,
    broken,
    not_assessable,
)
from monitors._facts import Number, fact

Days = Annotated[int, Field(ge=0, le=36_525)]
Hours = Annotated[int, Field(ge=0, le=876_600)]


class Terms(TermsModel):
    """How long data may, and logs must, be kept."""

    probe_days: Days | None = None
    """Days a probe may be kept; none: not limited."""
    non_match_hours: Hours | None = None
    """Hours a probe that matched nobody may be kept; none: not limited."""
    template_days: Days | None = None
    """Days an enrolled reference may be kept; none: not limited."""
    log_days: Annotated[int, Field(ge=1, le=36_525)] | None = None
    """Days logs must be kept; none: not required."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        limits = (self.probe_days, self.non_match_hours, self.template_days, self.log_days)
        if all(limit is None for limit in limits):
            raise ValueError("give one limit at least")
        return self


class Facts(FactsModel):
    """What it reads."""

    oldest_probe_days: Annotated[
        Number | None, fact("How old is the oldest probe stored (0 if none)?", unit="days")
    ] = None
    oldest_non_match_hours: Annotated[
        Number | None,
        fact("How old is the oldest stored probe that matched nobody (0 if none)?", unit="hours"),
    ] = None
    oldest_template_days: Annotated[
        Number | None,
        fact("How old is the oldest enrolled reference (0 if none)?", unit="days"),
    ] = None
    oldest_log_days: Annotated[
        Number | None, fact("How old is the oldest log entry kept (0 if none)?", unit="days")
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,
    moment: datetime,  # noqa: ARG001 - an age is judged as of when it was read
) -> Iterator[Finding]:
    """Compare the age of the oldest of each kind with its limit."""
    probe_limit = inf if terms.probe_days is None else terms.probe_days
    non_match_limit = inf if terms.non_match_hours is None else terms.non_match_hours
    template_limit = inf if terms.template_days is None else terms.template_days
    log_days = terms.log_days or 0
    for statement in heard:
        facts = statement.facts
        probe, non_match = facts.oldest_probe_days, facts.oldest_non_match_hours
        template, log = facts.oldest_template_days, facts.oldest_log_days
        if probe is not None and probe > probe_limit:
            yield _old(statement, "probes", probe, probe_limit, "days")
        if non_match is not None and non_match > non_match_limit:
            yield _old(statement, "non_matches", non_match, non_match_limit, "hours")
        if template is not None and template > template_limit:
            yield _old(statement, "templates", template, template_limit, "days")
        if log is not None and log < log_days:
            yield from _young(statement, log, log_days, case)


def _old(statement: Statement[Facts], what: str, age: float, limit: float, unit: str) -> Finding:
    return broken(
        statement,
        reason=f"{what}_too_old",
        expected=f"{what.replace('_', '-')} kept {limit:,} {unit} at most",
        observed=f"the oldest is {age:,g} {unit} old",
        clears="a reading within the limit, and an account of why deletion did not run",
    )


def _young(statement: Statement[Facts], age: float, log_days: int, case: Case) -> Iterator[Finding]:
    """Judge by the age of the unit: what was never written cannot have been deleted.

    The day of shipment is counted whole, so that no time zone decides.
    """
    unit = case.units.get(statement.subject.reference)
    shipped_on = unit.shipped_on if unit else None
    expected, observed = f"logs kept {log_days:,} days", f"the oldest is {age:,g} days old"
    if shipped_on is None:
        yield _untold(statement, "shipment_unknown", expected, f"{observed}; shipment not known")
        return
    observed = f"{observed}; the unit was shipped on {shipped_on}"
    in_use = (statement.observed_at.date() - shipped_on).days
    if in_use > log_days:
        yield broken(
            statement,
            reason="logs_too_young",
            expected=expected,
            observed=observed,
            clears="the missing logs, or an account of what became of them",
        )
    elif not 0 <= in_use <= age:
        yield _untold(statement, "unit_too_new", expected, observed)


def _untold(statement: Statement[Facts], reason: str, expected: str, observed: str) -> Finding:
    return not_assessable(
        statement,
        reason=reason,
        expected=expected,
        observed=observed,
        missing=("shipped_on",) if reason == "shipment_unknown" else ("oldest_log_days",),
        clears="logs old enough, or logs that reach back to a declared shipment",
    )


MONITOR = Monitor(
    title="Retention limit",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    needs=frozenset({Need.UNITS}),
    how_to_check=(
        "Sort the stored probes, non-matches, enrolled references and log files on the unit by "
        "date, and write down the oldest of each; look at the deletion job's last runs."
    ),
    what_to_see="Nothing older than allowed, logs that reach back far enough, a deletion job on.",
)
