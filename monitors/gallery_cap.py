"""Gallery cap: no more persons enrolled than the license allows.

**What it means.** A gallery is the set of biometric references a system can compare a face (or
finger, or iris) with. A license for verification at one border gate is a different thing from one
that can hold a nation. The cap counts enrolled persons *per unit*, *per site* (sum of the latest
sizes of all units at the site) or over the whole *license*. A unit that has gone silent counts with
its latest size, and one taken out of use until a report says that nobody is enrolled on it. When
the condition is about some lines of the license, only their units count. A unit is at the site its
report names, or else at the one in its papers.

**Terms.** `max_enrolled` (persons), `tolerance_percent` (default 0: not one more), `per` (`unit`,
`site` or `license`).

**Broken** when a size, or the sum of the latest sizes over the scope, is above the cap with its
tolerance (`over_cap`); exactly at the cap is kept. **Warned of**, with severity *low*, when a
unit's growth over the last week or more would carry the sum over the cap within 30 days
(`approaching_cap`).

**Not assessable** when the cap is per site and nobody said at which site the unit is
(`site_unknown`); or when a sum is within the cap, but a unit that belongs to it and was shipped has
never said its size (`sizes_missing`).

**Source.** Enrolment limits in end-use undertakings for biometric systems; the count is the
"gallery size" N of ISO/IEC 19795-1.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from operator import attrgetter
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
from monitors._facts import GallerySizeFact, SiteFact, named

LOOKED_BACK = timedelta(days=7)
LOOKED_AHEAD = timedelta(days=30)
DAY = timedelta(days=1)
TICK = timedelta.resolution
AHEAD_TICKS = LOOKED_AHEAD // TICK
WHEN = attrgetter("observed_at")


class Terms(TermsModel):
    """How many persons may be enrolled, and over what that is counted."""

    max_enrolled: Annotated[int, Field(ge=0, le=10**10)]
    """Persons."""
    tolerance_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)
    """How far above the cap is still let pass, in percent of it."""
    per: Literal["unit", "site", "license"] = "unit"
    """What the cap is counted over."""

    @cached_property
    def ceiling(self) -> int:
        """The cap with its tolerance, in whole persons."""
        if not self.tolerance_percent:
            return self.max_enrolled
        return int(self.max_enrolled * (100 + Fraction(self.tolerance_percent)) / 100)


class Facts(FactsModel):
    """What it reads."""

    gallery_size: GallerySizeFact = None
    site: SiteFact = None


def hears(terms: Terms) -> Hears:
    """Growth needs what the unit said a week or more ago; a sum needs every unit's latest size.

    A sum looks back without end: those enrolled on a silent unit are still enrolled.
    """
    alone = terms.per == "unit"
    return Hears(
        latest=not alone,
        lag=LOOKED_BACK,
        window=LOOKED_AHEAD if alone else None,
        stating="gallery_size",
        scope="subject" if alone else "license",
    )


Heard = Sequence[Statement[Facts]]
History = dict[Subject, list[Statement[Facts]]]


def evaluate(terms: Terms, heard: Heard, case: Case, moment: datetime) -> Iterator[Finding]:  # noqa: ARG001
    """Compare each size, or the sum it belongs to, with the cap; then look at the growth."""
    return _each(terms, heard, case) if terms.per == "unit" else _sums(terms, heard, case)


def _each(terms: Terms, heard: Heard, case: Case) -> Iterator[Finding]:
    ceiling = terms.ceiling
    history = _history(heard, case)
    for statement in heard:
        size = statement.facts.gallery_size
        if size is None:
            continue
        if size > ceiling:
            yield _over(terms, statement, size, statement.subject)
        elif history:
            yield from _growing(terms, statement, size, size, history, statement.subject)


def _sums(terms: Terms, heard: Heard, case: Case) -> Iterator[Finding]:
    """Follow the latest size of every unit, and judge the sum each statement belongs to."""
    ceiling, history, tally = terms.ceiling, _history(heard, case), _Tally(terms, case)
    earlier = iter(sorted(case.earlier, key=WHEN))
    before = next(earlier, None)
    for statement in heard:
        while before is not None and before.observed_at <= statement.observed_at:
            tally.follow(before)
            before = next(earlier, None)
        size = statement.facts.gallery_size
        if size is None or not tally.counts(statement):
            continue
        scope = tally.follow(statement)
        if scope is None:
            yield _nowhere(terms, statement, size)
            continue
        total = tally.totals[scope]
        if total > ceiling:
            yield _over(terms, statement, total, scope)
            continue
        yield from _growing(terms, statement, size, total, history, scope)
        silent = tally.silent(scope, statement.observed_at.date())
        if silent:
            yield _incomplete(terms, statement, total, scope, silent)


class _Tally:
    """The latest size of every unit, and their sums by what the cap is counted over."""

    def __init__(self, terms: Terms, case: Case) -> None:
        self._lines = case.lines
        self._units = case.units
        self._whole = None if terms.per == "site" else Subject("license", case.license)
        self._latest: dict[str, tuple[Subject | None, int]] = {}
        self._unheard: dict[Subject | None, dict[str, date]] = {}
        for unit in case.units.values():
            if unit.shipped_on is not None and (not case.lines or unit.line in case.lines):
                scope = self._scope(unit.site)
                self._unheard.setdefault(scope, {})[unit.serial] = unit.shipped_on
        self.totals: Counter[Subject | None] = Counter()

    def counts(self, statement: Statement[Facts]) -> bool:
        """Say whether it is about a unit on the lines of the condition."""
        if statement.subject.kind != "unit" or not self._lines:
            return statement.subject.kind == "unit"
        unit = self._units.get(statement.subject.reference)
        return unit is not None and unit.line in self._lines

    def follow(self, statement: Statement[Facts]) -> Subject | None:
        """Take in a statement, and say to which sum it belongs; to none if its site is unknown."""
        size, serial = statement.facts.gallery_size, statement.subject.reference
        if size is None or not self.counts(statement):
            return None
        unit = self._units.get(serial)
        papers = unit.site if unit else None
        scope = self._scope(statement.facts.site or papers)
        left, gone = self._latest.get(serial, (None, 0))
        self.totals[left] -= gone
        self.totals[scope] += size
        self._latest[serial] = (scope, size)
        self._unheard.get(self._scope(papers), {}).pop(serial, None)
        return scope

    def silent(self, scope: Subject, day: date) -> list[str]:
        """Name the units that were shipped by then and never said their size."""
        unheard = self._unheard.get(scope)
        return [serial for serial, shipped in unheard.items() if shipped <= day] if unheard else []

    def _scope(self, site: str | None) -> Subject | None:
        return self._whole or (Subject("site", site) if site else None)


def _history(heard: Heard, case: Case) -> History:
    """Order the sizes each subject stated; none when nothing is a week older than something else."""
    if not case.earlier and (
        not heard or heard[-1].observed_at - heard[0].observed_at < LOOKED_BACK
    ):
        return {}
    sized = [one for one in (*case.earlier, *heard) if one.facts.gallery_size is not None]
    return by_subject(sorted(sized, key=WHEN))


def _growing(
    terms: Terms,
    statement: Statement[Facts],
    size: int,
    total: int,
    history: History,
    subject: Subject,
) -> Iterator[Finding]:
    """Warn when growth since a week or more ago (30 days at most) passes the cap in 30 days."""
    now, said = statement.observed_at, history.get(statement.subject, [])
    index = bisect_right(said, -LOOKED_BACK, key=lambda one: one.observed_at - now)
    if not index or now - said[index - 1].observed_at > LOOKED_AHEAD:
        return
    before = said[index - 1]
    grown = size - (before.facts.gallery_size or 0)
    if grown <= 0:
        return
    elapsed = now - before.observed_at
    if grown * AHEAD_TICKS > (terms.ceiling - total) * (elapsed // TICK):
        yield broken(
            statement,
            subject=subject,
            reason="approaching_cap",
            expected=_expected(terms),
            observed=f"{total:,} enrolled, growing by {grown / (elapsed / DAY):,.0f} a day",
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


def _incomplete(
    terms: Terms, statement: Statement[Facts], total: int, subject: Subject, silent: Sequence[str]
) -> Finding:
    return not_assessable(
        statement,
        subject=subject,
        reason="sizes_missing",
        expected=_expected(terms),
        observed=f"{total:,} enrolled, without {named(silent)}",
        missing=("gallery_size",),
        clears="a report of the number enrolled on each of these units",
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
