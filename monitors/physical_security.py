"""Physical security: the site passes its checklist, and its certificate is fresh.

**What it means.** A box that anybody can carry away is a transfer waiting to happen. The license
lists what the site must have (a lock, a guard, a camera at the rack), and how often somebody
competent certifies that it has it.

**Terms.** `checklist` (codes of the items, capitals make no difference; none: every item that failed
counts), `recertify_days` (days a certificate is good for; none: not required).

**Broken** when an item of the checklist failed (`item_failed`, naming the items), or the
certificate is older than allowed on the day of the observation (`certificate_too_old`). Exactly at
the limit is kept. An item that failed and is not on the checklist is not about this condition. Where
certificates are required, each site of the license owes a report of one by the end of the last day
on which the one told last is good (`certificate_too_old`), in the license's time zone; and of its
first one as many days after the condition took effect (`certificate_missing`).

**Not assessable** when an item failed that has no name (`other`, `unknown` or `unspecified`) and no
item of the checklist did (`item_unnamed`); or when the certificate carries a date after the
observation (`certificate_in_future`). Ages are counted in days of UTC; a date that has begun anywhere
on Earth is not in the future. A report that gives an empty list of failed items says that none failed.

**Source.** Physical security checklists of Golden Sentry: DSCA Security Assistance Management
Manual, chapter 8. Physical and environmental protection: NIST SP 800-53, PE.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import Field

from monitors._contract import (
    Answer,
    Awaited,
    Case,
    FactsModel,
    Finding,
    Hears,
    Monitor,
    Need,
    Obligation,
    Severity,
    Statement,
    Subject,
    TermsModel,
    broken,
    not_assessable,
)
from monitors._deadlines import day_of, days_after, end_of
from monitors._facts import NAMELESS, Day, TellingWords, Words, fact, named

NEXT_DAY_BEGINS = 10
"""The hour of UTC at which the next day begins in the easternmost time zone, UTC+14."""


class Terms(TermsModel):
    """What a site must have, and how often that is certified."""

    checklist: TellingWords = ()
    """Codes of the items that must not fail; none: every item counts."""
    recertify_days: Annotated[int, Field(ge=1, le=36_525)] | None = None
    """Days a certificate is good for; none: not required."""


class Facts(FactsModel):
    """What it reads."""

    security_failures: Annotated[
        Words | None,
        fact(
            "Which items of the security checklist failed (an empty list if none)?",
            unit="item codes",
            scopes=("site",),
        ),
    ] = None
    certified_on: Annotated[
        Day | None,
        fact("On which day was the site last certified?", unit="date", scopes=("site",)),
    ] = None


FIRST, NEXT = "first_certificate", "certificate"


def hears(terms: Terms) -> Hears:
    """Hear the certificate told last of each site, where one is owed."""
    if terms.recertify_days is None:
        return Hears()
    return Hears(latest=True, stating="certified_on")


def awaits(terms: Terms, case: Case) -> Iterator[Awaited]:
    """Await a certificate of every site before the one told last is too old."""
    if terms.recertify_days is None:
        return
    start = case.granted_on if case.in_force_from is None else day_of(case.in_force_from, case)
    last: dict[str, tuple[datetime, date]] = {}
    for one in case.earlier:
        if one.facts.certified_on is not None and one.subject.kind == "site":
            told = (one.observed_at, one.facts.certified_on)
            last[one.subject.reference] = max(told, last.get(one.subject.reference, told))
    for site in sorted(case.sites):
        since, day = last.get(site, (None, start))
        item = FIRST if since is None else NEXT
        due = end_of(days_after(day, terms.recertify_days), case)
        yield Awaited(Subject("site", site), due, due, item=item, since=since)


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Look at the items that failed, then at the date of the certificate, then at what is owed."""
    checklist, limit = frozenset(terms.checklist), terms.recertify_days
    telltale = checklist | NAMELESS
    for statement in heard:
        facts = statement.facts
        failures, certified_on = facts.security_failures, facts.certified_on
        if failures and not (checklist and telltale.isdisjoint(failures)):
            yield _failed(statement, checklist, failures)
        if limit is not None and certified_on is not None:
            yield from _certified(statement, certified_on, limit)
    for obligation in case.obligations:
        if limit is not None and (obligation.met_at or moment) > obligation.grace_until:
            yield _overdue(obligation, limit)


def _failed(
    statement: Statement[Facts], checklist: frozenset[str], failures: Sequence[str]
) -> Finding:
    items = checklist.intersection(failures) if checklist else failures
    expected = "every item of the security checklist passed"
    if not items:
        return not_assessable(
            statement,
            reason="item_unnamed",
            expected=expected,
            observed="an item without a name failed",
            missing=("security_failures",),
            clears="a report that names the items that failed",
        )
    return broken(
        statement,
        reason="item_failed",
        expected=expected,
        observed=f"{named(items)} failed",
        clears="an inspection in which these items pass",
    )


def _certified(statement: Statement[Facts], certified_on: date, limit: int) -> Iterator[Finding]:
    """Judge the age of the certificate in whole days, and no age below nothing."""
    seen = statement.observed_at
    age = (seen.date() - certified_on).days
    expected = f"a certificate {limit:,} days old at most"
    if age > limit:
        yield broken(
            statement,
            reason="certificate_too_old",
            expected=expected,
            observed=f"certified on {certified_on}, {age:,} days before",
            clears="a new certificate of the site",
        )
    elif age < -1 or (age == -1 and seen.hour < NEXT_DAY_BEGINS):
        yield not_assessable(
            statement,
            reason="certificate_in_future",
            expected=expected,
            observed=f"certified on {certified_on}, after it was seen on {seen.date()}",
            missing=("certified_on",),
            clears="a report with the date on the certificate",
        )


def _overdue(obligation: Obligation, limit: int) -> Finding:
    """Say that no certificate was told of in time; nothing said here changes while it stays away."""
    until = f"{obligation.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return Finding(
        answer=Answer.BROKEN,
        subject=obligation.subject,
        reason="certificate_missing" if obligation.item == FIRST else "certificate_too_old",
        at=obligation.grace_until,
        expected=f"a certificate {limit:,} days old at most",
        observed=f"no {'' if obligation.item == FIRST else 'newer '}certificate told of by {until}",
        clears="a report with the date of a new certificate of the site",
        evidence=(f"obligation:{obligation.slot}",),
        missing=("certified_on",),
        cleared_at=obligation.met_at,
    )


MONITOR = Monitor(
    title="Physical security",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    version=2,
    hears=hears,
    awaits=awaits,
    needs=frozenset({Need.OBLIGATIONS}),
    how_to_check=(
        "Walk the site with the checklist and try each item: doors, locks, racks, cameras, guards "
        "and keys; read the date and the issuer on the security certificate."
    ),
    what_to_see="Every item in place and working, and a certificate no older than allowed.",
)
