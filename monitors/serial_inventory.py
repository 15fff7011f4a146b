"""Serial inventory: at every site, the units that should be there are seen there, one by one.

**What it means.** A unit that nobody has seen for a year may have been sold a year ago. Somebody goes
to each site, reads the serial numbers off the units and reports all that were there.

**Terms.** `initial_within_days` (days from the first shipment to the site to its first inventory,
default 90), `every_days` (days from one inventory of a site to the next, default 365),
`coverage_percent` (share of the units expected at the site that must be seen, default 100). The
arithmetic is exact; at the limit is kept. Days end at midnight in the license's time zone. What was
shipped or counted before the condition took effect counts from then.

A unit is **expected** at the site its papers name, from the day it was shipped, or, where a delivery
of it was told, from the day it arrived. One whose papers name none is expected at the license's site
if that is the only one; otherwise each site owes an inventory for it and none must show it. When
custody says that a unit moved to another site of the license, it is expected there. It is not
expected anywhere while the last word on it is that it was lost, stolen, destroyed, transferred,
returned or disposed of. When the condition is about some lines of the license, only their units are
expected. A serial number listed twice counts once. Once nothing is left to count at a site, no
inventory of it is owed any more.

**Broken** when a site's inventory was not there by the end of its last day (`inventory_overdue`; a
later one ends that from then on, the miss stays in history); when a smaller share than that of the
units expected was seen (`unaccounted`, naming those not seen); when a serial number was seen that is
on no line of the license (`serial_not_licensed`); or when inventories of two sites, less than 24
hours apart, both show the same unit (`two_places`, about the unit and naming the sites). Of each
other site, its latest inventory is compared. Units go from site to site in a day; whether this one
did is for a person to say.

**Not assessable** when a site was inventoried at which no unit is known to be expected
(`nothing_expected`). An inventory that shows nothing, where everything is known to be gone, is kept.

**Source.** Enhanced end-use monitoring under Golden Sentry, with inventories by serial number: DSCA
Security Assistance Management Manual, C8.4; initial inventories within 90 days of arrival, and what
becomes of them (59 % by value overdue): DoD Inspector General, DODIG-2024-043. The 365 days and the
24 hours are policy, not law.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import Annotated

from pydantic import Field

from monitors._contract import (
    Answer,
    Awaited,
    Case,
    CustodyEvent,
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
    Unit,
    broken,
    not_assessable,
)
from monitors._deadlines import day_of, days_after, end_of
from monitors._facts import Percent, SightedSerialsFact, named

GONE = frozenset({"lost", "stolen", "destroyed", "transferred", "returned", "disposed"})
AT_ONCE = timedelta(hours=24)
"""Inventories of two sites that are closer than this cannot both show the same unit."""
FIRST, LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
"""Beyond these the calendar of some time zone has ended: they stand for all that lies beyond."""
WHEN = attrgetter("observed_at")


class Terms(TermsModel):
    """How often the units of a site are counted, and how many of them must be seen."""

    initial_within_days: Annotated[int, Field(ge=1, le=36_525)] = 90
    """Days from the first shipment to a site to its first inventory, at most."""
    every_days: Annotated[int, Field(ge=1, le=36_525)] = 365
    """Days from one inventory of a site to the next, at most."""
    coverage_percent: Annotated[Percent, Field(gt=0)] = Decimal(100)
    """Share of the units expected at the site that must be seen, in percent of them."""


class Facts(FactsModel):
    """What it reads."""

    sighted_serials: SightedSerialsFact = None


Inventory = Statement[Facts]


def hears(terms: Terms) -> Hears:  # noqa: ARG001 - whatever the terms, sites are compared
    """Hear the latest inventory of every site: a unit is at one of them at a time."""
    return Hears(latest=True, stating="sighted_serials", scope="license")


def awaits(terms: Terms, case: Case) -> Iterator[Awaited]:
    """Await the first inventory of every site shipped to, then one after another."""
    register = _Register(case)
    begun, left = register.begun(), register.left()
    last = {one.subject: one.observed_at for one in sorted(_inventories(case.earlier), key=WHEN)}
    for reference in sorted(case.sites):
        days_begun = [begun[one] for one in (reference, None) if one in begun]
        if not days_begun or left.isdisjoint((reference, None)):
            continue
        site, event, days = Subject("site", reference), min(days_begun), terms.initial_within_days
        counted = last.get(site)
        if counted is not None and _day(counted, case) >= event:
            event, days = _day(counted, case), terms.every_days
        if case.in_force_from is not None:
            event = max(event, _day(case.in_force_from, case))
        due = end_of(days_after(event, days), case)
        yield Awaited(site, due, due, since=counted)


def evaluate(
    terms: Terms, heard: Sequence[Inventory], case: Case, moment: datetime
) -> Iterator[Finding]:
    """Find inventories that did not come, then judge those that did."""
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _overdue(terms, obligation)
    inventories = _inventories(heard)
    if not inventories:
        return
    register = _Register(case)
    for inventory in inventories:
        yield from _count(terms, inventory, case, register)
    yield from _two_places(inventories, case, register)


def _inventories(said: Sequence[Inventory]) -> list[Inventory]:
    return [one for one in said if one.facts.sighted_serials is not None]


def _seen(inventory: Inventory) -> frozenset[str]:
    return frozenset(inventory.facts.sighted_serials or ())


def _day(moment: datetime, case: Case) -> date:
    return day_of(min(max(moment, FIRST), LAST), case)


class _Register:
    """Where the units of the condition should be, from their papers, custody and deliveries."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._only = next(iter(case.sites)) if len(case.sites) == 1 else None
        self.units = {
            serial: unit
            for serial, unit in case.units.items()
            if not case.lines or unit.line in case.lines
        }
        self._events: dict[str, list[CustodyEvent]] = {}
        for event in sorted(case.custody, key=lambda one: (one.at, one.id)):
            if event.serial in self.units and not event.corrected:
                self._events.setdefault(event.serial, []).append(event)
        self._arrived: dict[str, date] = {}
        for shipment in case.shipments:
            for delivery in shipment.deliveries:
                for serial in delivery.serials or shipment.serials:
                    known = self._arrived.setdefault(serial, delivery.arrived_on)
                    self._arrived[serial] = min(known, delivery.arrived_on)

    @cached_property
    def _candidates(self) -> dict[str | None, dict[str, Unit]]:
        """The units that ever belonged to a site, by site; none where nobody knows."""
        candidates: dict[str | None, dict[str, Unit]] = {}
        for serial, unit in self.units.items():
            for site in (self._home(unit), *self._moves(serial)):
                candidates.setdefault(site, {})[serial] = unit
        return candidates

    def _home(self, unit: Unit) -> str | None:
        return unit.site or self._only

    def _moves(self, serial: str) -> dict[str, datetime]:
        """Say to which sites of the license a unit was moved, and when first."""
        moves: dict[str, datetime] = {}
        for event in self._events.get(serial, ()):
            if event.site in self._case.sites:
                moves.setdefault(event.site, event.at)
        return moves

    def _state(self, unit: Unit, serial: str, moment: datetime | None) -> tuple[str | None, bool]:
        """Say where a unit was by all that was told of it until then, and whether it was gone."""
        site, became = self._home(unit), None
        for event in self._events.get(serial, ()):
            if moment is not None and event.at > moment:
                break
            if event.site in self._case.sites:
                site = event.site
            became = event.disposition or became
        return site, became in GONE

    def begun(self) -> dict[str | None, date]:
        """Give the day the first unit was shipped or moved to each site; to none where unknown."""
        begun: dict[str | None, date] = {}
        for serial, unit in self.units.items():
            days = [(site, _day(at, self._case)) for site, at in self._moves(serial).items()]
            shipped = [] if unit.shipped_on is None else [(self._home(unit), unit.shipped_on)]
            for site, day in (*days, *shipped):
                begun[site] = min(begun.get(site, day), day)
        return begun

    def left(self) -> set[str | None]:
        """Name the sites where units should be now; none where nobody knows at which."""
        states = [self._state(unit, serial, None) for serial, unit in self.units.items()]
        return {site for site, gone in states if not gone}

    def expected(self, place: Subject, moment: datetime) -> set[str] | None:
        """List the units that should have been there then; none if none ever was to be."""
        candidates = self._candidates.get(place.reference) if place.kind == "site" else None
        day, known, expected = _day(moment, self._case), False, set()
        for serial, unit in (candidates or {}).items():
            since = self._arrived.get(serial, unit.shipped_on)
            if since is not None and since > day:
                continue
            site, gone = self._state(unit, serial, moment)
            if site == place.reference:
                known = True
                if not gone:
                    expected.add(serial)
        return expected if known else None


def _count(
    terms: Terms, inventory: Inventory, case: Case, register: _Register
) -> Iterator[Finding]:
    """Set what was seen at a site against what should be there, and against the license."""
    seen = _seen(inventory)
    strange = seen.difference(case.units)
    if strange:
        yield _not_licensed(inventory, strange)
    expected = register.expected(inventory.subject, inventory.observed_at)
    if expected is None:
        yield _nothing_expected(inventory, seen)
    elif len(expected & seen) * 100 < Fraction(terms.coverage_percent) * len(expected):
        yield _unaccounted(terms, inventory, expected, expected - seen)


def _two_places(
    inventories: Sequence[Inventory], case: Case, register: _Register
) -> Iterator[Finding]:
    """Compare each inventory with the latest of every other site before it, and those with it."""
    new = {one.id for one in inventories}
    said = {one.id: one for one in (*_inventories(case.earlier), *inventories)}
    latest: dict[Subject, Inventory] = {}
    in_order = sorted(said.values(), key=lambda one: (one.observed_at, one.id))
    for moment, group in groupby(in_order, key=WHEN):
        together = list(group)
        near = [one for one in latest.values() if moment - one.observed_at < AT_ONCE]
        for index, one in enumerate(together):
            others = [other for other in (*near, *together[:index]) if other.subject != one.subject]
            if one.id in new or not new.isdisjoint(other.id for other in others):
                yield from _doubled(one, others, register, new)
        latest |= {one.subject: one for one in together}


def _doubled(
    later: Inventory, others: Sequence[Inventory], register: _Register, new: set[str]
) -> Iterator[Finding]:
    """Name each unit of the condition that both show, once, with all the places it was seen at."""
    shown: dict[str, list[Inventory]] = {}
    mine = _seen(later).intersection(register.units)
    for other in others:
        for serial in mine & _seen(other):
            shown.setdefault(serial, []).append(other)
    for serial in sorted(shown):
        elsewhere = sorted(shown[serial], key=lambda one: (one.observed_at, one.id))
        if not new.isdisjoint(one.id for one in (later, *elsewhere)):
            yield broken(
                later,
                subject=Subject("unit", serial),
                reason="two_places",
                expected="a unit at one place at a time",
                observed="seen at " + " and at ".join(map(_place, (*elsewhere, later))),
                clears="an account of where the unit was, and proof of its way if it moved",
                also=elsewhere,
            )


def _place(inventory: Inventory) -> str:
    at = inventory.observed_at.astimezone(UTC)
    return f"{inventory.subject.reference} on {at:%Y-%m-%d %H:%M} UTC"


def _unaccounted(
    terms: Terms, inventory: Inventory, expected: set[str], missing: set[str]
) -> Finding:
    return broken(
        inventory,
        reason="unaccounted",
        expected=f"{_plain(terms.coverage_percent)} % of the units expected at the site seen",
        observed=(
            f"{len(expected) - len(missing):,} of {len(expected):,} seen, without {named(missing)}"
        ),
        clears="an inventory that shows these units, or an account of what became of each",
    )


def _not_licensed(inventory: Inventory, strange: frozenset[str]) -> Finding:
    return broken(
        inventory,
        reason="serial_not_licensed",
        expected="only units of the license",
        observed=f"{named(strange)} seen, on no line of the license",
        clears="the declaration these units came with, or a corrected inventory",
    )


def _nothing_expected(inventory: Inventory, seen: frozenset[str]) -> Finding:
    return not_assessable(
        inventory,
        reason="nothing_expected",
        expected="units known to be expected at the site",
        observed=f"{len(seen):,} seen, and no unit is known to be expected there",
        missing=("site",),
        clears="shipments or custody events that say which units belong to the site",
    )


def _overdue(terms: Terms, obligation: Obligation) -> Finding:
    """Name when the inventory was due; that does not change while it stays away."""
    return Finding(
        answer=Answer.BROKEN,
        subject=obligation.subject,
        reason="inventory_overdue",
        at=obligation.grace_until,
        expected=(
            f"an inventory within {terms.initial_within_days:,} days of the first shipment, then "
            f"every {terms.every_days:,} days"
        ),
        observed=f"no inventory by {obligation.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        clears="an inventory of the site, and an account of the delay",
        evidence=(f"obligation:{obligation.slot}",),
        missing=("sighted_serials",),
        cleared_at=obligation.met_at,
    )


def _plain(percent: Decimal) -> str:
    text = f"{percent:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


MONITOR = Monitor(
    title="Serial inventory",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    hears=hears,
    awaits=awaits,
    ladder="check",
    needs=frozenset({Need.UNITS, Need.CUSTODY, Need.SHIPMENTS, Need.OBLIGATIONS}),
    how_to_check=(
        "Walk the whole site and read the serial number off every unit yourself, switched on or "
        "not; do not copy a list. Ask to be shown each unit that is on the list and not there."
    ),
    what_to_see="Every unit expected at the site, each once, and no unit of another license.",
)
