"""Gallery cap: no more persons enrolled than the license allows.

**What it means.** A gallery is the set of biometric references a system can compare a face (or
finger, or iris) with. A license for verification at one border gate is a different thing from one
that can hold a nation. The cap counts enrolled persons *per unit*, *per site* (sum of the latest
sizes of all units at the site) or over the whole *license*.

**Terms.** `max_enrolled` (persons), `tolerance_percent` (default 0: not one more), `per` (`unit`,
`site` or `license`).

**Broken** when a size, or the sum of the latest sizes over the scope, is above the cap with its
tolerance (`over_cap`); exactly at the cap is kept. **Warned of**, with severity *low*, when a
unit's growth over the last week or more would carry the sum over the cap within 30 days
(`approaching_cap`).

**Not assessable** when the cap is per site and nobody said at which site the unit is.

**Source.** Enrolment limits in end-use undertakings for biometric systems; the count is the
"gallery size" N of ISO/IEC 19795-1.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from monitors._contract import (
    Case,
    FactsModel,
    Finding,
    Hears,
    Monitor,
    Need,
    Severity,
    Statement,
    Subject,
    TermsModel,
    broken,
    by_subject,
    not_assessable,
)
from monitors._facts import Count, SiteFact, fact

LOOKED_BACK = timedelta(days=7)
LOOKED_AHEAD = timedelta(days=30)
AHEAD_DAYS = LOOKED_AHEAD.total_seconds() / 86_400


class Terms(TermsModel):
    """How many persons may be enrolled, and over what that is counted."""

    max_enrolled: Annotated[int, Field(ge=0, le=10**10)]
    """Persons."""
    tolerance_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)
    """How far above the cap is still let pass, in percent of it."""
    per: Literal["unit", "site", "license"] = "unit"
    """What the cap is counted over."""

    @property
    def ceiling(self) -> int:
        """The cap with its tolerance, in whole persons."""
        return int(self.max_enrolled * (100 + self.tolerance_percent) / 100)


class Facts(FactsModel):
    """What it reads."""

    gallery_size: Annotated[
        Count | None, fact("How many persons are enrolled on the unit now?", unit="persons")
    ] = None
    site: SiteFact = None


def hears(terms: Terms) -> Hears:
    """Growth needs what the unit said a week or more ago; a sum needs every unit's latest size."""
    return Hears(
        latest=terms.per != "unit",
        lag=LOOKED_BACK,
        window=LOOKED_AHEAD,
        stating="gallery_size",
        scope="subject" if terms.per == "unit" else "license",
    )


Heard = Sequence[Statement[Facts]]
History = dict[Subject, list[Statement[Facts]]]


def evaluate(terms: Terms, heard: Heard, case: Case, moment: datetime) -> Iterator[Finding]:  # noqa: ARG001
    """Compare each size, or the sum it belongs to, with the cap; then look at the growth."""
    history = by_subject((*case.earlier, *heard))
    if terms.per != "unit":
        yield from _sums(terms, heard, case, history)
        return
    ceiling = terms.ceiling
    for statement in heard:
        size = statement.facts.gallery_size
        if size is None:
            continue
        if size > ceiling:
            yield _over(terms, statement, size, statement.subject)
        else:
            yield from _growing(terms, statement, size, history, statement.subject)


def _sums(terms: Terms, heard: Heard, case: Case, history: History) -> Iterator[Finding]:
    """Follow the latest size of every unit, and judge the sum each statement belongs to."""
    latest: dict[str, tuple[str | None, int]] = {}
    for statement in case.earlier:
        _follow(latest, statement, case)
    for statement in heard:
        _follow(latest, statement, case)
        size = statement.facts.gallery_size
        if size is None:
            continue
        site = latest.get(statement.subject.reference, (statement.facts.site, 0))[0]
        if terms.per == "site" and site is None:
            yield _nowhere(terms, statement, size)
            continue
        subject = Subject("site", site) if terms.per == "site" and site else _whole(case)
        total = sum(
            count for where, count in latest.values() if terms.per == "license" or where == site
        )
        if total > terms.ceiling:
            yield _over(terms, statement, total, subject)
        else:
            yield from _growing(terms, statement, total, history, subject)


def _whole(case: Case) -> Subject:
    return Subject("license", case.license)


def _follow(
    latest: dict[str, tuple[str | None, int]], statement: Statement[Facts], case: Case
) -> None:
    """Keep a unit's latest site and size."""
    facts, serial = statement.facts, statement.subject.reference
    if statement.subject.kind != "unit":
        return
    site, size = latest.get(serial, (None, 0))
    unit = case.units.get(serial)
    site = facts.site or site or (unit.site if unit else None)
    latest[serial] = (site, size if facts.gallery_size is None else facts.gallery_size)


def _growing(
    terms: Terms, statement: Statement[Facts], total: int, history: History, subject: Subject
) -> Iterator[Finding]:
    """Warn when growth since a week or more ago (30 days at most) reaches the cap in 30 days."""
    now, size = statement.observed_at, statement.facts.gallery_size
    before = None
    for other in history[statement.subject]:
        if other.observed_at > now - LOOKED_BACK:
            break
        if other.observed_at >= now - LOOKED_AHEAD and other.facts.gallery_size is not None:
            before = other
    if before is None or before.facts.gallery_size is None or size is None:
        return
    days = (now - before.observed_at).total_seconds() / 86_400
    daily = (size - before.facts.gallery_size) / days
    if daily > 0 and total + daily * AHEAD_DAYS > terms.ceiling:
        yield broken(
            statement,
            subject=subject,
            reason="approaching_cap",
            expected=_expected(terms),
            observed=f"{total:,} enrolled, growing by {daily:,.0f} a day",
            clears="a reading that shows the growth has stopped, or an amended cap",
            severity=Severity.LOW,
            also=(before,),
        )


def _over(terms: Terms, statement: Statement[Facts], total: int, subject: Subject) -> Finding:
    return broken(
        statement,
        subject=subject,
        reason="over_cap",
        expected=_expected(terms),
        observed=f"{total:,} enrolled",
        clears="a reading at or below the cap, and an account of the enrolments removed",
    )


def _nowhere(terms: Terms, statement: Statement[Facts], size: int) -> Finding:
    return not_assessable(
        statement,
        reason="site_unknown",
        expected=_expected(terms),
        observed=f"{size:,} enrolled on a unit at an unstated site",
        missing=("site",),
        clears="a report that says at which site the unit is",
    )


def _expected(terms: Terms) -> str:
    extra = f" (with {terms.tolerance_percent} % tolerance)" if terms.tolerance_percent else ""
    return f"at most {terms.max_enrolled:,} enrolled per {terms.per}{extra}"


MONITOR = Monitor(
    title="Gallery cap",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    hears=hears,
    needs=frozenset({Need.UNITS}),
    how_to_check=(
        "Open the system's enrolment statistics on the unit itself and read the number of enrolled "
        "references; compare it with the unit's own last reading."
    ),
    what_to_see="A number of enrolled persons at or below the cap, and no second gallery.",
)
