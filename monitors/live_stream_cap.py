"""Live stream cap: not more cameras searched at a time than licensed, or recordings only.

**What it means.** Each camera stream that is searched as it comes makes a place where people are
recognized as they walk by. A few at a gate are an entrance; hundreds are a city. Searching a
recording after a crime is another thing than searching everybody now.

**Terms.** `max_streams` (camera streams analysed at the same time at each site, summed over the
latest numbers of its units; none: not limited), `retrospective_only` (no matching against live
streams at all). One of the two at least. A unit that has gone silent counts with its latest number
until a report says that it analyses none. When the condition is about some lines of the license,
only their units count. A unit is at the site its report names, or else at the one in its papers.

**Broken** when the sum over a site is above the cap (`too_many_streams`; exactly at the cap is
kept), or when live matching is on although only recordings may be searched (`live_matching_on`).

**Not assessable** when nobody said at which site the unit is (`site_unknown`); or when the sum over
a site is within the cap, but a unit that belongs there and was shipped has never said its number
(`streams_missing`).

**Source.** Real-time and post remote biometric identification: Regulation (EU) 2024/1689, article
3 (42) and (43), article 5(1)(h) and article 26(10).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Annotated, Self

from pydantic import Field, model_validator

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
    Unit,
    broken,
    not_assessable,
)
from monitors._facts import ConcurrentStreamsFact, LiveMatchingFact, SiteFact, named

WHEN = attrgetter("observed_at")


class Terms(TermsModel):
    """How many streams may be analysed at a time, and whether live at all."""

    max_streams: Annotated[int, Field(ge=0, le=10**9)] | None = None
    """Camera streams at the same time at each site; none: not limited."""
    retrospective_only: bool = False
    """Whether only recordings may be searched."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        if self.max_streams is None and not self.retrospective_only:
            raise ValueError("limit the streams or allow recordings only")
        return self


class Facts(FactsModel):
    """What it reads."""

    concurrent_streams: ConcurrentStreamsFact = None
    live_matching: LiveMatchingFact = None
    site: SiteFact = None


def hears(terms: Terms) -> Hears:
    """A sum needs every unit's latest number, however old; what is live now shows by itself."""
    if terms.max_streams is None:
        return Hears()
    return Hears(latest=True, stating="concurrent_streams", scope="license")


Heard = Sequence[Statement[Facts]]


def evaluate(terms: Terms, heard: Heard, case: Case, moment: datetime) -> Iterator[Finding]:  # noqa: ARG001
    """Look for live matching where it is ruled out, and follow the sum over each site."""
    cap, recordings_only = terms.max_streams, terms.retrospective_only
    tally = _Tally(case.lines, {} if cap is None else case.units)
    earlier = iter(sorted(case.earlier, key=WHEN))
    before = next(earlier, None)
    for statement in heard:
        facts = statement.facts
        if recordings_only and facts.live_matching:
            yield _live(statement)
        if cap is None or facts.concurrent_streams is None or not tally.counts(statement):
            continue
        while before is not None and before.observed_at <= statement.observed_at:
            tally.follow(before)
            before = next(earlier, None)
        site = tally.follow(statement)
        if site is None:
            yield _nowhere(cap, statement)
        elif tally.totals[site] > cap:
            yield _over(cap, statement, tally.totals[site], site)
        elif tally.unheard.get(site):
            yield from _incomplete(cap, statement, tally, site)


class _Tally:
    """The latest number of every unit, and the sums by site. None is the site nobody named."""

    def __init__(self, lines: frozenset[int], known: Mapping[str, Unit]) -> None:
        units = [unit for unit in known.values() if not lines or unit.line in lines]
        self._all = not lines
        self._papers = {unit.serial: unit.site for unit in units}
        self._latest: dict[str, tuple[str | None, int]] = {}
        self.totals: dict[str | None, int] = {}
        self.unheard: dict[str | None, dict[str, date]] = {}
        for unit in units:
            if unit.shipped_on is not None:
                self.unheard.setdefault(unit.site, {})[unit.serial] = unit.shipped_on

    def counts(self, statement: Statement[Facts]) -> bool:
        """Say whether it is about a unit on the lines of the condition."""
        subject = statement.subject
        return subject.kind == "unit" and (self._all or subject.reference in self._papers)

    def follow(self, statement: Statement[Facts]) -> str | None:
        """Take in a statement, and say to which site it belongs; to none if that is unknown."""
        streams, serial = statement.facts.concurrent_streams, statement.subject.reference
        if streams is None or not self.counts(statement):
            return None
        papers, totals = self._papers.get(serial), self.totals
        site = statement.facts.site or papers
        left, gone = self._latest.get(serial, (site, 0))
        totals[left] = totals.get(left, 0) - gone
        totals[site] = totals.get(site, 0) + streams
        self._latest[serial] = (site, streams)
        if papers in self.unheard:
            self.unheard[papers].pop(serial, None)
        return site

    def silent(self, site: str, day: date) -> list[str]:
        """Name the units of a site that were shipped by then and never said their number."""
        unheard = self.unheard.get(site, {})
        return [serial for serial, shipped in unheard.items() if shipped <= day]


def _live(statement: Statement[Facts]) -> Finding:
    return broken(
        statement,
        reason="live_matching_on",
        expected="only recordings searched",
        observed="live matching on",
        clears="a reading with live matching off, and an account of what it was used for",
    )


def _over(cap: int, statement: Statement[Facts], total: int, site: str) -> Finding:
    return broken(
        statement,
        subject=Subject("site", site),
        reason="too_many_streams",
        expected=_expected(cap),
        observed=f"{total:,} analysed at the same time",
        clears="readings that add up to the cap or less, and an account of the streams added",
    )


def _nowhere(cap: int, statement: Statement[Facts]) -> Finding:
    return not_assessable(
        statement,
        reason="site_unknown",
        expected=_expected(cap),
        observed=f"{statement.facts.concurrent_streams:,} on a unit at an unstated site",
        missing=("site",),
        clears="a report that says at which site the unit is",
    )


def _incomplete(
    cap: int, statement: Statement[Facts], tally: _Tally, site: str
) -> Iterator[Finding]:
    silent = tally.silent(site, statement.observed_at.date())
    if silent:
        yield not_assessable(
            statement,
            subject=Subject("site", site),
            reason="streams_missing",
            expected=_expected(cap),
            observed=f"{tally.totals[site]:,} analysed at the same time, without {named(silent)}",
            missing=("concurrent_streams",),
            clears="a report of the streams each of these units analyses",
        )


def _expected(cap: int) -> str:
    return f"at most {cap:,} camera streams at the same time per site"


MONITOR = Monitor(
    title="Live stream cap",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    hears=hears,
    needs=frozenset({Need.UNITS}),
    how_to_check=(
        "Count the camera channels open in the analysis software of every unit at the site, and "
        "follow the video cables and addresses; ask to see the last task on a live stream."
    ),
    what_to_see=(
        "No more open channels than licensed over the whole site; where only recordings may be "
        "searched, the live function switched off."
    ),
)
