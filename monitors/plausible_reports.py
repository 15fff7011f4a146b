"""Plausible reports: what is told could be true.

**What it means.** Stands on every license without being written on it. A report can be false and
keep every condition. Numbers copied from the last one, equal numbers for many units, a unit that
crosses an ocean in an hour or enrols a city in one: none of them proves anything, each is a reason
to look. Readings come from the device; a *report* is everything that a person files.

**Terms** (policy; these are the defaults). `max_speed_kmh` (1,000 km/h). `max_growth_per_hour`
(20,000 more enrolled persons or watchlist entries an hour). `large_above` (100: larger numbers do
not repeat by chance). `copied_facts` (3 numbers at least) and `copied_days` (1: reports nearer to
each other may speak of the same period). `same_units` (5 units at least) and `same_percent` (80 % of
the units in the report). `future_minutes` (10, by which clocks may differ). `drift_hours` (24).

**Broken** when

- a report states at least three numbers about a subject, one of them large, and each is that of
  the report of the same kind and party before it, a day or more earlier (`copied_values`, *low*);
- five or more units, at least 80 % of those in one report, have exactly the same large numbers, two
  or more (`same_over_units`, *low*; it is about the license);
- a unit was somewhere else so shortly before that it would have moved faster than 1,000 km/h, the
  accuracy of both positions taken off the way (`impossible_movement`; two places at the same moment
  count, whoever told of them);
- more were enrolled, or put on the watchlist, since what the same source said before than 20,000 an
  hour (`impossible_growth`; less than an hour counts as one);
- something was observed more than 10 minutes after it reached us (`future_observed`).

Exactly at each limit is kept. A statement is compared with the latest before it of each kind of
source, not with older ones.

**Not assessable** when a report was written down more than 24 hours before, or after, it reached us
by its own clock (`clock_drift`): when it was written cannot be relied upon. Readings have no such
time of their own.

**Source.** Equal answers as a sign of made-up ones: Kuriakose and Robbins, "Don't get duped",
Statistical Journal of the IAOS 32 (2016); that homogeneous groups agree by nature (Pew Research
Center, 2016) is why many large numbers must agree. Speed between positions as a check on sign-ins
("impossible travel"); airliners stay below 1,000 km/h. Distances are great circles.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Annotated

from pydantic import Field

from monitors._atlas import KM_PER_DEGREE, great_circle
from monitors._contract import (
    Case,
    FactsModel,
    Finding,
    Hears,
    Monitor,
    Severity,
    Statement,
    Subject,
    TermsModel,
    broken,
    not_assessable,
)
from monitors._facts import (
    GallerySizeFact,
    IdentifyCallsFact,
    PositionFact,
    SearchCallsFact,
    WatchlistSizeFact,
    named,
)

ORDER = attrgetter("observed_at", "id")
HOUR = timedelta(hours=1)
TICK = timedelta.resolution
METRES_PER_DEGREE = KM_PER_DEGREE * 1000
READING = "reading"


class Terms(TermsModel):
    """From where on what is told cannot well be true."""

    max_speed_kmh: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """Kilometres an hour that a unit may travel."""
    max_growth_per_hour: Annotated[int, Field(ge=0, le=10**10)] = 20_000
    """Persons or entries an hour that a gallery or watchlist may grow by."""
    large_above: Annotated[int, Field(ge=0, le=10**10)] = 100
    """Numbers above this do not repeat by chance."""
    copied_facts: Annotated[int, Field(ge=1, le=100)] = 3
    """How many numbers a statement must repeat to be called copied."""
    copied_days: Annotated[int, Field(ge=0, le=3660)] = 1
    """Days that must lie between two reports for them to speak of different periods."""
    same_units: Annotated[int, Field(ge=2, le=10_000)] = 5
    """How many units of one report must have the same numbers."""
    same_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """What share of the units in the report they must be, in percent."""
    future_minutes: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Minutes by which the clocks of the world may differ from ours."""
    drift_hours: Annotated[int, Field(ge=0, le=8784)] = 24
    """Hours that may lie between writing a report down and its reaching us."""


class Facts(FactsModel):
    """What it reads; for copies and equal numbers every other number that a report states too."""

    position: PositionFact = None
    gallery_size: GallerySizeFact = None
    watchlist_size: WatchlistSizeFact = None
    identify_calls: IdentifyCallsFact = None
    search_calls: SearchCallsFact = None


Said = Statement[Facts]
Latest = dict[str, Said]
"""The latest statement about a subject of each kind of source."""


def hears(terms: Terms) -> Hears:
    """Each kind of source is compared with its own last word, of a device only if much changed."""
    growth = float(terms.max_growth_per_hour)
    changed = (("position", 0.0), ("gallery_size", growth), ("watchlist_size", growth))
    return Hears(latest=True, apart=True, beyond=changed)


def evaluate(
    terms: Terms,
    heard: Sequence[Said],
    case: Case,
    moment: datetime,  # noqa: ARG001 - it is known when each statement came
) -> Iterator[Finding]:
    """Compare each statement with the clock and with the latest before it; then reports in whole."""
    speed, growth = terms.max_speed_kmh / 3.6, terms.max_growth_per_hour
    ahead = timedelta(minutes=terms.future_minutes)
    history: dict[Subject, Latest] = {}
    filed: list[Said] = []
    earlier = sorted(case.earlier, key=ORDER, reverse=True)
    for statement in heard:
        while earlier and ORDER(earlier[-1]) <= ORDER(statement):
            _follow(history, earlier.pop())
        _, subject, _, at, _, received, source = statement
        if at > received and at - received > ahead:
            yield _future(terms, statement)
        latest = history.get(subject)
        if latest is None:
            latest = history[subject] = {}
        for other in latest.values():
            if _differs(statement, other, speed, growth):
                yield from _changed(terms, statement, latest)
                break
        if source.kind != READING:
            filed.append(statement)
            yield from _written(terms, statement, latest.get(source.kind))
        latest[source.kind] = statement
    yield from _same(terms, filed, case)


def _follow(history: dict[Subject, Latest], statement: Said) -> None:
    history.setdefault(statement.subject, {})[statement.source.kind] = statement


def _differs(statement: Said, other: Said, speed: float, growth: int) -> bool:
    """Say quickly whether a closer look is needed; metres a second, and persons or entries.

    The way along meridian and parallel is never the shorter one, and mostly within the accuracy.
    """
    facts, was = statement.facts, other.facts
    size, entries, here = facts.gallery_size, facts.watchlist_size, facts.position
    if here is not None:
        there = was.position
        if there is not None:
            metres = (abs(here.lat - there.lat) + abs(here.lon - there.lon)) * METRES_PER_DEGREE
            if metres > here.accuracy_m + there.accuracy_m:
                elapsed = statement.observed_at - other.observed_at
                if metres > speed * elapsed.total_seconds():
                    return True
    if size is not None and size > growth and size - (was.gallery_size or 0) > growth:
        return True
    return entries is not None and entries > growth and entries - (was.watchlist_size or 0) > growth


def _changed(terms: Terms, statement: Said, latest: Latest) -> Iterator[Finding]:
    """Weigh what changed against the time it took."""
    placed = [one for one in latest.values() if one.facts.position is not None]
    for other in sorted(placed, key=ORDER, reverse=True)[:1]:
        yield from _moved(terms, statement, other)
    same = latest.get(statement.source.kind)
    if same is not None and same.source.by == statement.source.by:
        yield from _grown(terms, statement, same)


def _future(terms: Terms, statement: Said) -> Finding:
    early = statement.observed_at - statement.received_at
    return broken(
        statement,
        reason="future_observed",
        expected=f"observed {terms.future_minutes} minutes after it reached us at the latest",
        observed=f"observed {early} after it reached us",
        clears="a corrected clock, and a reading or report with the right time",
    )


def _moved(terms: Terms, statement: Said, other: Said) -> Iterator[Finding]:
    """Weigh the way from the latest position before against the time it took."""
    here, there = statement.facts.position, other.facts.position
    if here is None or there is None:
        return
    elapsed = statement.observed_at - other.observed_at
    away = great_circle(here.lat, here.lon, there.lat, there.lon)
    away -= (here.accuracy_m + there.accuracy_m) / 1000
    if away > terms.max_speed_kmh * (elapsed / HOUR):
        yield broken(
            statement,
            reason="impossible_movement",
            expected=f"a unit that moves at {terms.max_speed_kmh:,} km/h at most",
            observed=f"{away:,.0f} km or more away after {elapsed}",
            clears="a check of where the unit is, and an account of the position that was wrong",
            also=(other,),
        )


def _grown(terms: Terms, statement: Said, same: Said) -> Iterator[Finding]:
    """Weigh the growth of what one source tells against the time it took."""
    elapsed = statement.observed_at - same.observed_at
    most = terms.max_growth_per_hour * max(elapsed // TICK, HOUR // TICK)
    pairs = (
        (statement.facts.gallery_size, same.facts.gallery_size, "enrolled"),
        (statement.facts.watchlist_size, same.facts.watchlist_size, "on the watchlist"),
    )
    told = [
        f"{now - was:,} more {what}"
        for now, was, what in pairs
        if now is not None and was is not None and (now - was) * (HOUR // TICK) > most
    ]
    if told:
        yield broken(
            statement,
            reason="impossible_growth",
            expected=f"at most {terms.max_growth_per_hour:,} more an hour",
            observed=f"{' and '.join(told)} after {elapsed}",
            clears="an account of where the entries came from, or a corrected count",
            also=(same,),
        )


def _numbers(facts: Facts) -> dict[str, float]:
    """List the numbers a statement states, whatever facts they are."""
    stated = vars(facts).items()
    return {name: value for name, value in stated if type(value) is int or type(value) is float}


def _written(terms: Terms, statement: Said, same: Said | None) -> Iterator[Finding]:
    """Look at what a person filed: when, and whether it says more than the last one did."""
    drift = abs(statement.captured_at - statement.received_at)
    if drift > timedelta(hours=terms.drift_hours):
        yield _drifted(terms, statement, drift)
    if same is None or same.source.by != statement.source.by:
        return
    numbers = _numbers(statement.facts)
    if (
        len(numbers) >= terms.copied_facts
        and any(number > terms.large_above for number in numbers.values())
        and statement.observed_at - same.observed_at >= timedelta(days=terms.copied_days)
        and numbers.items() <= _numbers(same.facts).items()
    ):
        yield broken(
            statement,
            reason="copied_values",
            expected="numbers counted anew for each report",
            observed=f"{named(numbers)} exactly as on {same.observed_at:%Y-%m-%d}",
            clears="the logs these numbers were taken from, or a check on site",
            severity=Severity.LOW,
            also=(same,),
        )


def _drifted(terms: Terms, statement: Said, drift: timedelta) -> Finding:
    return not_assessable(
        statement,
        reason="clock_drift",
        expected=f"written down within {terms.drift_hours} hours of reaching us",
        observed=f"written down, by its own clock, {drift} away from when it reached us",
        missing=("captured_at",),
        clears="an account of when the report was written and why it came then",
    )


def _same(terms: Terms, filed: Sequence[Said], case: Case) -> Iterator[Finding]:
    """Look in each report for units that have all the same large numbers."""
    reports: dict[str, list[Said]] = defaultdict(list)
    for statement in filed:
        report = statement.id.rpartition("#")[0]
        if report and statement.subject.kind == "unit":
            reports[report].append(statement)
    for said in reports.values():
        units = {statement.subject.reference for statement in said}
        if len(units) < terms.same_units:
            continue
        groups: dict[frozenset[tuple[str, float]], Latest] = defaultdict(dict)
        for statement in sorted(said, key=ORDER):
            numbers = _numbers(statement.facts).items()
            large = frozenset(pair for pair in numbers if pair[1] > terms.large_above)
            if len(large) > 1:
                groups[large].setdefault(statement.subject.reference, statement)
        for large, alike in groups.items():
            share = len(alike) * 100 >= len(units) * terms.same_percent
            if share and len(alike) >= terms.same_units:
                yield _alike(list(alike.values()), {name for name, _ in large}, len(units), case)


def _alike(alike: Sequence[Said], facts: set[str], units: int, case: Case) -> Finding:
    return broken(
        alike[0],
        subject=Subject("license", case.license),
        reason="same_over_units",
        expected="numbers that differ from unit to unit",
        observed=f"{named(facts)} the same on {len(alike):,} of {units:,} units",
        clears="the logs of these units, or a check of some of them on site",
        severity=Severity.LOW,
        also=alike[1:],
    )


MONITOR = Monitor(
    title="Plausible reports",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    hears=hears,
    standing=True,
    any_fact=True,
    how_to_check=(
        "Read the counters in the logs of some units yourself and compare them with what was "
        "reported; look at the clock of each device, and at where it stands."
    ),
    what_to_see=(
        "Logs that show the reported numbers at the reported time, different from unit to unit; "
        "clocks that are right to a few minutes."
    ),
)
