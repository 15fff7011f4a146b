"""Reporting cadence: a report is filed for every period, and says what it must say.

**What it means.** The exporter or the end user states at regular times, in an attestation or a
check-in, how the goods are used. One report is owed for each calendar period: three months are
three months, not 90 days.

**Terms.** `every` (length of a period as an ISO 8601 duration in whole years, months, weeks or
days, such as `P3M`; one day to ten years), `grace_days` (days after the end of the period in which
the report may still come, default 15), `by` (the role that files it: `exporter`, `purchaser`,
`intermediate_consignee`, `ultimate_consignee`, `end_user` or `subcontractor`; left out, whoever the
condition binds), `required_facts` (names of facts every report must state, none by default),
`starts` (first day of the first period; left out, the day the condition takes effect),
`working_days` (default false; true: a report due on a day off at a site's country, or whose grace
ends on one, may still come on the next working day; where the license names no site, its countries
of destination count).

**Broken** when no report for a period was there when its grace ran out (`report_missing`): a report
within the grace is kept, a later one clears the present state, and the miss stays in history. Also
broken when a report was filed that leaves out a required fact (`required_fact_absent`); what the
fact says is judged by the condition that reads it.

**Not assessable**: never. Either a report is there or it is not.

**Source.** Quarterly end-use statements; GAO-04-357 found reports that were due and that nobody
missed.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, cast

import isodate
from pydantic import AfterValidator, Field, StringConstraints

from monitors._contract import (
    Answer,
    Case,
    Duty,
    FactsModel,
    Filing,
    Finding,
    Monitor,
    Need,
    Obligation,
    Severity,
    Statement,
    Subject,
    TermsModel,
)

Role = Literal[
    "exporter",
    "purchaser",
    "intermediate_consignee",
    "ultimate_consignee",
    "end_user",
    "subcontractor",
]
REPORTS = frozenset({"attestation", "check_in"})
A_DAY = date(2000, 1, 1)
SHORTEST, LONGEST = date(2000, 1, 2), date(2010, 1, 1)


def _between_a_day_and_ten_years(text: str) -> str:
    if not SHORTEST <= A_DAY + isodate.parse_duration(text) <= LONGEST:
        raise ValueError("a period is between one day (P1D) and ten years (P10Y) long")
    return text


Every = Annotated[
    str,
    StringConstraints(
        pattern=r"^P([0-9]{1,3}W|([0-9]{1,2}Y)?([0-9]{1,3}M)?([0-9]{1,4}D)?)$", max_length=16
    ),
    AfterValidator(_between_a_day_and_ten_years),
]
FactName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Terms(TermsModel):
    """How often a report is owed, by whom, and what it must state."""

    every: Every
    """Length of a period: ISO 8601, whole years, months, weeks or days, P1D to P10Y."""
    grace_days: Annotated[int, Field(ge=0, le=365)] = 15
    """Days after the end of a period in which its report may still come."""
    by: Role | None = None
    """The role that files it; left out, whoever the condition binds."""
    required_facts: Annotated[tuple[FactName, ...], Field(max_length=100)] = ()
    """Names of facts that every report must state."""
    starts: date | None = None
    """First day of the first period; left out, the day the condition takes effect."""
    working_days: bool = False
    """Whether a deadline on a day off where the goods are moves to the next working day."""

    @property
    def length(self) -> timedelta | isodate.Duration:
        """The length of a period, to be added to a date."""
        return cast("timedelta | isodate.Duration", isodate.parse_duration(self.every))


class Facts(FactsModel):
    """It reads none: it asks whether they were stated."""


def owes(terms: Terms) -> Duty:
    """One report is owed for every calendar period."""
    return Duty(
        what="report",
        per="license",
        every=terms.length,
        grace=timedelta(days=terms.grace_days),
        by=terms.by,
        starts=terms.starts,
        working_days=terms.working_days,
    )


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],  # noqa: ARG001 - a report is judged whole, as a filing
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Find each period without a report in time, then each report that leaves something out."""
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _missing(terms, case, obligation)
    required = frozenset(terms.required_facts)
    if not required:
        return
    roles = frozenset((terms.by,)) if terms.by else frozenset(case.binds)
    for filing in case.filings:
        absent = required - filing.facts
        owed = filing.kind in REPORTS and (not roles or not roles.isdisjoint(filing.by_roles))
        if absent and owed:
            yield _absent(terms, case, filing, sorted(absent))


def _missing(terms: Terms, case: Case, obligation: Obligation) -> Finding:
    """Name the period; nothing said here changes while the report stays away."""
    until = f"{obligation.grace_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("license", case.license),
        reason="report_missing",
        at=obligation.grace_until,
        expected=f"a report {_by(terms)}every {terms.every}, with {terms.grace_days} days grace",
        observed=f"no report {_for(obligation.period)}until {until}",
        clears="the report that is missing, and an account of why it did not come",
        evidence=(f"obligation:{obligation.slot}",),
        missing=("report",),
        cleared_at=obligation.met_at,
    )


def _absent(terms: Terms, case: Case, filing: Filing, absent: list[str]) -> Finding:
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("license", case.license),
        reason="required_fact_absent",
        at=filing.observed_at,
        expected=f"a report {_by(terms)}that states {', '.join(sorted(terms.required_facts))}",
        observed=f"the report {_for(filing.period)}does not state {', '.join(absent)}",
        clears="a report for the same period that states what was left out",
        evidence=(filing.id,),
        missing=tuple(absent),
        grade=filing.source.grade if filing.source else None,
    )


def _by(terms: Terms) -> str:
    return f"by the {terms.by.replace('_', ' ')} " if terms.by else ""


def _for(period: tuple[date, date] | None) -> str:
    return f"for {period[0]} to {period[1]} " if period else ""


MONITOR = Monitor(
    title="Reporting cadence",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    owes=owes,
    needs=frozenset({Need.OBLIGATIONS, Need.FILINGS}),
    how_to_check=(
        "Ask who files the reports and from which records; take the last report and trace each of "
        "its figures back to the system it came from."
    ),
    what_to_see="A named person, a report for every period, and figures that can be traced.",
)
