"""Consistent sources: what different sources say of the same thing at the same time agrees.

**What it means.** Stands on every license without being written on it. A device, the one who filled
in an attestation, an inspector and the custody record each see the same unit. Where two of them
contradict each other, one is wrong: which one, is for people to find out. Neither is believed
because it came first or last; both are named, with what their word is worth (its grade).

**Terms** (policy; these are the defaults). `within_hours` (24: statements further apart speak of
different times). `tolerance_percent` (5: how far two counts of the same thing may differ, in percent
of the larger; people are enrolled between two counts).

**Broken** when a statement contradicts what the latest statement of another source, made within
that time before it, says of the same unit: the number enrolled
(`sources_contradict_gallery_size`) or on the watchlist (`sources_contradict_watchlist_size`) by more
than the tolerance; the site (`sources_contradict_site`, *high*), country
(`sources_contradict_country`, *high*), possessor (`sources_contradict_possessor`, *high*) or
disposition (`sources_contradict_disposition`, *high*); the software version
(`sources_contradict_software_version`; 4.2 and 4.2.0 are the same), or the match modes in any order
(`sources_contradict_match_modes`).

Sources differ when they are of another kind (reading, attestation, check-in, inspection, incident,
third party, custody event) or another party speaks. A serial number sighted in an inventory says
that the unit was at that site. A custody event says where the unit is, who holds it and what became
of it from then on: statements after it must agree with it, and what was said before it of the place
or the holder is overtaken by it and is not held against anybody.

**Not assessable**: never. A source that is silent on something contradicts nobody.

**Source.** International Standard on Auditing 500, paragraph 11: evidence from one source that is
inconsistent with that from another calls for further procedures. Version numbers: PEP 440.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Annotated, Any

from packaging.version import InvalidVersion, Version
from pydantic import Field

from monitors._contract import (
    Case,
    CustodyEvent,
    FactsModel,
    Finding,
    Hears,
    Monitor,
    Need,
    Severity,
    Source,
    Statement,
    Subject,
    TermsModel,
    broken,
)
from monitors._facts import (
    CountryFact,
    DispositionFact,
    GallerySizeFact,
    MatchModesFact,
    PossessorFact,
    SightedSerialsFact,
    SiteFact,
    SoftwareVersionFact,
    WatchlistSizeFact,
    named,
)

ORDER = attrgetter("observed_at", "id")
COUNTS = frozenset({"gallery_size", "watchlist_size"})
GRAVE = frozenset({"site", "country", "possessor", "disposition"})
COMPARED = (*sorted(COUNTS), *sorted(GRAVE), "software_version", "match_modes")
VALUES = attrgetter(*COMPARED)
CUSTODY = "custody"
MOVED = {"country": "site"}
"""A custody event that names a site overtakes what was said of the country before."""


class Terms(TermsModel):
    """Which statements speak of the same time, and how far counts may differ."""

    within_hours: Annotated[int, Field(ge=1, le=8784)] = 24
    """Hours between two statements, at most, for them to be compared."""
    tolerance_percent: Annotated[Decimal, Field(ge=0, le=100, max_digits=15, decimal_places=12)] = (
        Decimal(5)
    )
    """How far two counts may differ, in percent of the larger."""

    @cached_property
    def window(self) -> timedelta:
        """The hours as a span of time."""
        return timedelta(hours=self.within_hours)

    @cached_property
    def ratio(self) -> tuple[int, int]:
        """The tolerance as an exact share of the larger count: so many in so many."""
        return (Fraction(self.tolerance_percent) / 100).as_integer_ratio()


class Facts(FactsModel):
    """What it compares."""

    gallery_size: GallerySizeFact = None
    watchlist_size: WatchlistSizeFact = None
    site: SiteFact = None
    country: CountryFact = None
    possessor: PossessorFact = None
    disposition: DispositionFact = None
    software_version: SoftwareVersionFact = None
    match_modes: MatchModesFact = None
    sighted_serials: SightedSerialsFact = None


Said = Statement[Facts]
Stated = tuple[Any, ...]
"""The values of what is compared, in its order; None where nothing is stated."""
Voice = tuple[str, Said]
"""A statement, and what it supersedes: the last one of that name. Without a name it is only judged."""


def hears(terms: Terms) -> Hears:
    """What each kind of source last said of the same subject."""
    return Hears(latest=True, apart=True, beyond=(), inventories=True, window=terms.window)


def evaluate(
    terms: Terms,
    heard: Sequence[Said],
    case: Case,
    moment: datetime,  # noqa: ARG001 - it is known when each statement was true
) -> Iterator[Finding]:
    """Hold each statement against what other sources said of the same before it."""
    if heard and not case.custody and _one_voice(case.earlier, heard):
        return iter(())
    said = heard or _reported(case.custody)
    spoken_of, inventories = _spoken_of(case.earlier, said)
    others = _sightings(inventories, spoken_of)
    others += _handed_over(terms, case.custody, said, spoken_of)
    contested = {name for name, source in spoken_of.items() if source is None}
    contested.update(one.subject.reference for _, one in others)
    if not contested:
        return iter(())
    voices = others + [
        (one.source.kind if heard else "", one)
        for one in (*case.earlier, *said)
        if one.subject.reference in contested
    ]
    voices.sort(key=lambda voice: ORDER(voice[1]))
    return _compared(terms, voices, {one.id for one in said})


def _one_voice(*parts: Sequence[Said]) -> bool:
    """Say whether one source alone speaks; then there is nothing to compare."""
    known: Source | None = None
    for part in parts:
        for statement in part:
            source = statement.source
            if source is not known:
                if known is not None and _differ(source, known):
                    return False
                known = source
    return True


def _differ(source: Source, other: Source) -> bool:
    return source.kind != other.kind or source.by != other.by


def _spoken_of(*parts: Sequence[Said]) -> tuple[dict[str, Source | None], list[Said]]:
    """List who is spoken of, with None where several sources do; and the inventories."""
    voices: dict[str, Source | None] = {}
    inventories = []
    for part in parts:
        for statement in part:
            (kind, reference), source = statement.subject, statement.source
            known = voices.setdefault(reference, source)
            if known is not None and known is not source and _differ(known, source):
                voices[reference] = None
            if kind == "site" and statement.facts.sighted_serials:
                inventories.append(statement)
    return voices, inventories


def _sightings(inventories: Iterable[Said], spoken_of: Mapping[str, Any]) -> list[Voice]:
    """Say of each unit in an inventory, if others speak of it, that it was at that site."""
    return [
        (
            f"{one.source.kind} inventory",
            one._replace(
                subject=Subject("unit", serial),
                facts=Facts.model_construct(site=one.subject.reference),
            ),
        )
        for one in inventories
        for serial in one.facts.sighted_serials or ()
        if serial in spoken_of
    ]


def _handed_over(
    terms: Terms,
    custody: Iterable[CustodyEvent],
    said: Sequence[Said],
    spoken_of: Mapping[str, Any],
) -> list[Voice]:
    """Say what each custody event tells of a unit, one thing at a time, if others speak of it."""
    first = min((one.observed_at for one in said), default=None)
    return [
        (f"custody {name}", _of(event, {name: value}))
        for event in custody
        if first is not None
        and event.serial in spoken_of
        and event.source.kind == CUSTODY
        and not event.corrected
        and first - event.at <= terms.window
        for name, value in _told(event).items()
    ]


def _reported(custody: Iterable[CustodyEvent]) -> list[Said]:
    """Say what reports tell of custody, for when only the file is judged."""
    return [
        _of(event, _told(event))
        for event in custody
        if not event.corrected and event.source.kind != CUSTODY
    ]


def _told(event: CustodyEvent) -> dict[str, str]:
    told = {"site": event.site, "possessor": event.to_party, "disposition": event.disposition}
    return {name: value for name, value in told.items() if value is not None}


def _of(event: CustodyEvent, told: Mapping[str, Any]) -> Said:
    subject, facts = Subject("unit", event.serial), Facts.model_construct(**told)
    return Statement(event.id, subject, facts, event.at, event.at, event.received_at, event.source)


def _compared(terms: Terms, voices: Sequence[Voice], judged: set[str]) -> Iterator[Finding]:
    """Go through what was said in order, and hold it against the last word of every other."""
    latest: dict[Subject, dict[str, tuple[Said, Stated]]] = defaultdict(dict)
    for name, statement in voices:
        others, stated = latest[statement.subject], VALUES(statement.facts)
        if others and statement.id in judged:
            yield from _against(terms, statement, stated, others)
        if name:
            others[name] = (statement, stated)


def _against(
    terms: Terms, one: Said, stated: Stated, others: Mapping[str, tuple[Said, Stated]]
) -> Iterable[Finding]:
    """Find, for each thing stated, the weightiest of the sources that say otherwise."""
    rivals: dict[str, list[Said]] = {}
    source, at, window = one.source, one.observed_at, terms.window
    for other, theirs in others.values():
        if other.source is source or at - other.observed_at > window or stated == theirs:
            continue
        if not _differ(source, other.source):
            continue
        for name, mine, their in zip(COMPARED, stated, theirs, strict=True):
            if their is None or mine is None or mine == their:
                continue
            if _contradict(terms, name, mine, their) and not _overtaken(other, name, others):
                rivals.setdefault(name, []).append(other)
    return [_found(terms, name, one, rivals[name]) for name in sorted(rivals)] if rivals else ()


def _weight(other: Said) -> tuple[bool, str]:
    """Order sources: custody events first, since they say from when on; then by grade."""
    return (other.source.kind != CUSTODY, other.source.grade)


def _overtaken(other: Said, name: str, others: Mapping[str, tuple[Said, Stated]]) -> bool:
    """Say whether a custody event has come between."""
    moved = MOVED.get(name, name)
    return any(
        event.source.kind == CUSTODY
        and getattr(event.facts, moved) is not None
        and other.observed_at < event.observed_at
        for event, _ in others.values()
    )


def _contradict(terms: Terms, name: str, mine: Any, theirs: Any) -> bool:
    """Say whether two different values cannot both be right."""
    if name in COUNTS:
        share, whole = terms.ratio
        return bool(abs(mine - theirs) * whole > max(mine, theirs) * share)
    if name == "match_modes":
        return set(mine) != set(theirs)
    return name != "software_version" or not _same_version(mine, theirs)


@lru_cache(maxsize=4_096)
def _same_version(mine: str, theirs: str) -> bool:
    """Compare versions as numbers, where they can be read as such."""
    try:
        return Version(mine) == Version(theirs)
    except InvalidVersion:
        return False


def _found(terms: Terms, name: str, one: Said, against: list[Said]) -> Finding:
    other = min(sorted(against, key=ORDER, reverse=True), key=_weight)
    within = f", to {terms.tolerance_percent} %" if name in COUNTS else ""
    return broken(
        one,
        reason=f"sources_contradict_{name}",
        expected=f"the same {name.replace('_', ' ')} from every source{within}",
        observed=f"{_quoted(one, name)}; {_quoted(other, name)}",
        clears="a check on site, or a correction by the source that was wrong",
        severity=Severity.HIGH if name in GRAVE else Severity.MODERATE,
        also=(other,),
    )


def _quoted(one: Said, name: str) -> str:
    """Name a source, what its word is worth, when it spoke and what it said."""
    source, value = one.source, getattr(one.facts, name)
    if name in COUNTS:
        value = f"{value:,}"
    elif name == "match_modes":
        value = named(value) or "none"
    return (
        f"{source.kind.replace('_', ' ')} by {source.by} (grade {source.grade}, "
        f"{one.observed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC) says {value}"
    )


MONITOR = Monitor(
    title="Consistent sources",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    hears=hears,
    needs=frozenset({Need.CUSTODY}),
    standing=True,
    how_to_check=(
        "Have each source's statement with you, look at the unit itself, and write down what it "
        "shows, where it stands and who holds it, with the time."
    ),
    what_to_see="One number, one place and one holder, whichever source is asked.",
)
