"""Balances a license: authorized, shipped, delivered, accounted for; and explains every gap.

Pure: what is on file comes in, in any order; the account goes out. Of what was delivered, each piece
stands in exactly one place: what was told to have become of it, `heard` (nobody said what became of
it, but it was heard of), or `unaccounted`. So the places always add up to what was delivered.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

HEARD, UNACCOUNTED = "heard", "unaccounted"
PLACES = (
    "in_use",
    "stored",
    "lost",
    "stolen",
    "destroyed",
    "transferred",
    "returned",
    "disposed",
    HEARD,
    UNACCOUNTED,
)
MISSING = frozenset({"lost", "stolen"})
ENDED = frozenset({"destroyed", "disposed"})
STAYS = frozenset({"in_use", "stored", HEARD})
"""Where a unit goes on being owed for: it must be heard of again and again."""

AT_ONCE = timedelta(hours=24)
"""Sightings at two sites that are closer than this cannot both be; as for inventories. Policy."""

NONE = Decimal(0)


class Line(NamedTuple):
    """What a line authorizes, in its own unit of quantity."""

    line: int
    unit: str
    authorized: Decimal


class Shipped(NamedTuple):
    """An export declaration; `due` is when its delivery must be verified, if that is owed."""

    reference: str
    line: int
    on: date
    quantity: Decimal
    serials: tuple[str, ...] = ()
    due: datetime | None = None


class Arrival(NamedTuple):
    """What somebody told of a shipment's arrival; it `counts` at the license's own milestone."""

    shipment: str
    by: str
    on: date
    quantity: Decimal | None
    serials: tuple[str, ...]
    milestone: str
    counts: bool


class Word(NamedTuple):
    """What became of a unit, since when, and the evidence."""

    disposition: str
    at: datetime
    evidence: str


class Heard(NamedTuple):
    """When a unit was last heard of, and by what."""

    at: datetime
    by: str


class Sighting(NamedTuple):
    """Somebody says that a unit was at a site."""

    serial: str
    site: str
    at: datetime
    by: str


class Move(NamedTuple):
    """A custody event says that a unit went to a site."""

    serial: str
    site: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OnFile:
    """Everything that is on file about the units of a license."""

    lines: Sequence[Line]
    shipments: Sequence[Shipped] = ()
    arrivals: Sequence[Arrival] = ()
    words: Mapping[str, Word] = field(default_factory=dict)
    heard: Mapping[str, Heard] = field(default_factory=dict)
    sightings: Sequence[Sighting] = ()
    moves: Sequence[Move] = ()
    delivered_when: str = "arrival"
    silent_after: timedelta = timedelta(days=365)


@dataclass(slots=True)
class LineAccount:
    """One line, added up. `places` sum up to `delivered`."""

    line: int
    unit: str
    authorized: Decimal
    shipped: Decimal = NONE
    delivered: Decimal = NONE
    places: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(PLACES, NONE))

    @property
    def accounted_for(self) -> Decimal:
        """How much of what was delivered is told or heard of."""
        return self.delivered - self.places[UNACCOUNTED]


@dataclass(frozen=True, slots=True)
class UnitAccount:
    """One unit: where it stands. `place` is None while it is not delivered."""

    serial: str
    line: int
    shipment: str
    shipped_on: date
    delivered_on: date | None
    place: str | None
    since: datetime | None
    evidence: str | None
    last_heard_at: datetime | None
    last_heard_by: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that does not add up: since when, why, and until when it may."""

    kind: str
    line: int | None
    serial: str | None
    since: date
    explanation: str
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The whole reconciliation of a license."""

    lines: list[LineAccount]
    units: list[UnitAccount]
    gaps: list[Gap]


def balance(file: OnFile, now: datetime) -> Account:
    """Add up what is on file, and explain what does not add up."""
    lines = {one.line: LineAccount(one.line, one.unit, one.authorized) for one in file.lines}
    arrivals: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in file.arrivals:
        arrivals[arrival.shipment].append(arrival)
    units: list[UnitAccount] = []
    gaps: list[Gap] = []
    for shipment in sorted(file.shipments, key=lambda one: (one.on, one.reference)):
        line = lines[shipment.line]
        before, line.shipped = line.shipped, line.shipped + shipment.quantity
        if before <= line.authorized < line.shipped:
            gaps.append(_over_shipped(line, shipment))
        come = _Come(file, shipment, arrivals[shipment.reference])
        come.enter(line)
        units += come.units()
        gaps += come.gaps(now)
    units.sort(key=lambda one: one.serial)
    gaps += [gap for unit in units for gap in _of_unit(file, unit, now)]
    gaps += _two_places(file, {unit.serial: unit.line for unit in units})
    gaps.sort(key=lambda gap: (gap.since, gap.kind, gap.line or 0, gap.serial or ""))
    return Account(list(lines.values()), units, gaps)


class _Come:
    """How much of one shipment has come, and which units."""

    def __init__(self, file: OnFile, shipment: Shipped, arrivals: Sequence[Arrival]) -> None:
        self._file, self._shipment = file, shipment
        self._arrivals = sorted(arrivals, key=lambda one: (one.on, one.by, one.serials))
        self._counted = [one for one in self._arrivals if one.counts]
        self._told = {serial for one in self._counted for serial in one.serials}
        named = self._told.intersection(shipment.serials)
        whole = _most(self._counted) >= shipment.quantity
        if whole and not self._told:
            named = set(shipment.serials)
        self.quantity = max(_most(self._counted), Decimal(len(self._told)), Decimal(len(named)))
        spare = int(self.quantity) - len(self._told | named)
        shown = [
            one for one in shipment.serials if one not in named and self._place(one) != UNACCOUNTED
        ]
        self._delivered = named.union(sorted(shown)[: max(spare, 0)])

    def _place(self, serial: str) -> str:
        word = self._file.words.get(serial)
        if word is not None:
            return word.disposition
        return HEARD if serial in self._file.heard else UNACCOUNTED

    @property
    def nameless(self) -> Decimal:
        """How much has come of which nobody knows which pieces they are."""
        return self.quantity - len(self._delivered)

    def enter(self, line: LineAccount) -> None:
        """Add what has come to its line: each piece in one place."""
        line.delivered += self.quantity
        line.places[UNACCOUNTED] += self.nameless
        for serial in self._delivered:
            line.places[self._place(serial)] += 1

    def units(self) -> Iterator[UnitAccount]:
        """Say where each unit of the shipment stands."""
        for serial in self._shipment.serials:
            word, heard = self._file.words.get(serial), self._file.heard.get(serial)
            come = serial in self._delivered
            yield UnitAccount(
                serial=serial,
                line=self._shipment.line,
                shipment=self._shipment.reference,
                shipped_on=self._shipment.on,
                delivered_on=self._day(serial) if come else None,
                place=self._place(serial) if come else None,
                since=word.at if word else None,
                evidence=word.evidence if word else None,
                last_heard_at=heard.at if heard else None,
                last_heard_by=heard.by if heard else None,
            )

    def _day(self, serial: str) -> date:
        naming = [one.on for one in self._counted if serial in one.serials]
        return min(naming or [one.on for one in self._counted])

    def gaps(self, now: datetime) -> Iterator[Gap]:
        """Explain what has not come, what came beyond it, and what came without a name."""
        shipment = self._shipment
        if self.quantity < shipment.quantity:
            yield self._gap("not_delivered", shipment.on, self._awaited(now), shipment.due)
        if self.quantity > shipment.quantity:
            over = plain(self.quantity - shipment.quantity)
            told = f"{over} more of line {shipment.line} told delivered than shipped with"
            yield self._gap("over_delivered", self._counted[-1].on, f"{told} {shipment.reference}")
        for serial in sorted(self._told.difference(shipment.serials)):
            told = f"{serial}: told delivered with {shipment.reference} on {self._day(serial)}"
            yield self._gap(
                "not_declared", self._day(serial), f"{told}, and never declared", serial=serial
            )
        nameless = self.nameless - len(self._told.difference(shipment.serials))
        if nameless > 0:
            told = f"{plain(nameless)} of line {shipment.line} told delivered with"
            yield self._gap(
                "nameless",
                self._counted[-1].on,
                f"{told} {shipment.reference}, and nobody knows which: no serial number of theirs "
                "was told, and none was heard of",
            )

    def _awaited(self, now: datetime) -> str:
        """Say what has not come, how far it was told to have come, and until when it is awaited."""
        shipment, file = self._shipment, self._file
        missing = plain(shipment.quantity - self.quantity)
        told = (
            f"{missing} of line {shipment.line} shipped on {shipment.on} with {shipment.reference}"
        )
        told += " and not told delivered"
        for milestone in sorted({one.milestone for one in self._arrivals if not one.counts}):
            reached = _most([one for one in self._arrivals if one.milestone == milestone])
            told += f"; {plain(reached)} told to have reached {milestone.replace('_', ' ')}"
            told += f", and delivered means {file.delivered_when.replace('_', ' ')}"
        if shipment.due is None:
            return f"{told}: no condition says until when"
        word = "due" if now <= shipment.due else "overdue since"
        return f"{told}: {word} {shipment.due.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def _gap(
        self,
        kind: str,
        since: date,
        explanation: str,
        due_at: datetime | None = None,
        serial: str | None = None,
    ) -> Gap:
        return Gap(kind, self._shipment.line, serial, since, explanation, due_at)


def _most(arrivals: Sequence[Arrival]) -> Decimal:
    """Add up what each tells; two who tell of one arrival do not add up to two."""
    told: dict[str, Decimal] = defaultdict(lambda: NONE)
    for one in arrivals:
        told[one.by] += Decimal(len(one.serials)) if one.quantity is None else one.quantity
    return max(told.values(), default=NONE)


def _over_shipped(line: LineAccount, shipment: Shipped) -> Gap:
    over = f"{plain(line.shipped)} shipped, {plain(line.authorized)} authorized"
    explanation = f"line {line.line}: {over} since {shipment.reference} on {shipment.on}"
    return Gap("over_shipped", line.line, None, shipment.on, explanation)


def _of_unit(file: OnFile, unit: UnitAccount, now: datetime) -> Iterator[Gap]:
    """Explain what is odd about one unit."""
    name, heard = unit.serial, unit.last_heard_at
    if unit.place is None:
        if heard is not None:
            told = (
                f"{name}: not told delivered, yet heard of on {_day(heard)} ({unit.last_heard_by})"
            )
            yield _unit_gap("heard_undelivered", unit, heard.date(), told)
        return
    if unit.place == UNACCOUNTED and unit.delivered_on is not None:
        told = f"{name}: delivered on {unit.delivered_on}, nothing heard since"
        yield _unit_gap("never_heard", unit, unit.delivered_on, told)
    if unit.since is not None and unit.place in MISSING:
        told = f"{name}: told {unit.place} on {_day(unit.since)}"
        yield _unit_gap("missing", unit, unit.since.date(), told)
    if unit.since is not None and unit.place in ENDED and heard is not None and heard > unit.since:
        told = f"{name}: told {unit.place} on {_day(unit.since)}, heard of again on {_day(heard)}"
        yield _unit_gap("heard_after_end", unit, heard.date(), f"{told} ({unit.last_heard_by})")
    if unit.place in STAYS and heard is not None and now - heard > file.silent_after:
        told = f"{name}: last heard {_day(heard)} ({unit.last_heard_by}), nothing since"
        yield _unit_gap("silent", unit, heard.date(), told)


def _unit_gap(kind: str, unit: UnitAccount, since: date, explanation: str) -> Gap:
    return Gap(kind, unit.line, unit.serial, since, explanation)


def _two_places(file: OnFile, lines: Mapping[str, int]) -> Iterator[Gap]:
    """Find units sighted at two sites at once, whichever was told last; a move between explains."""
    seen: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in file.sightings:
        if sighting.serial in lines:
            seen[sighting.serial].append(sighting)
    moved = {(one.serial, one.site, one.at) for one in file.moves}
    for serial, sightings in sorted(seen.items()):
        ordered = sorted(sightings, key=lambda one: (one.at, one.site, one.by))
        for one, other in pairwise(ordered):
            apart = other.at - one.at
            if one.site == other.site or apart >= AT_ONCE or _moved(moved, one, other):
                continue
            told = f"{serial}: sighted at two places at once, at {_told(one)} and at {_told(other)}"
            yield Gap("two_places", lines[serial], serial, one.at.date(), told)


def _moved(moved: set[tuple[str, str, datetime]], one: Sighting, other: Sighting) -> bool:
    return any(
        serial == one.serial and site == other.site and one.at <= at <= other.at
        for serial, site, at in moved
    )


def _told(one: Sighting) -> str:
    return f"{one.site} on {one.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({one.by})"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def plain(amount: Decimal) -> str:
    """Write a quantity without an exponent and without noughts that say nothing."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
