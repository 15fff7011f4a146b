from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assessments.balance import (
    HEARD,
    PLACES,
    UNACCOUNTED,
    Account,
    Arrival,
    Heard,
    Line,
    Move,
    OnFile,
    Shipped,
    Sighting,
    Word,
    balance,
)

NOW = datetime(2026, 9, 1, tzinfo=UTC)
SHIPPED = date(2026, 3, 2)
UNITS = tuple(f"FR-{at}" for at in range(1, 6))
SHIPMENT = Shipped("EXP-2", 1, SHIPPED, Decimal(5), UNITS)
LINES = (Line(1, "piece", Decimal(40)), Line(2, "piece", Decimal(3)))


def arrived(*serials: str, **more: Any) -> Arrival:
    told: dict[str, Any] = {
        "shipment": "EXP-2",
        "by": "NORDLICHT",
        "on": date(2026, 3, 20),
        "quantity": None,
        "serials": serials,
        "milestone": "arrival",
        "counts": True,
    }
    return Arrival(**(told | more))


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 4, day, hour, tzinfo=UTC)


def on_file(**more: Any) -> OnFile:
    return replace(OnFile(LINES, shipments=(SHIPMENT,)), **more)


def gaps(account: Account) -> list[tuple[str, str | None]]:
    return [(one.kind, one.serial) for one in account.gaps]


WORDS = st.sampled_from(PLACES[:-2])
SERIALS = st.sampled_from((*UNITS, "FR-6", "FR-7", "XX-1"))
MOMENTS = st.integers(1, 29).map(at)
ARRIVALS = st.builds(
    Arrival,
    st.sampled_from(("EXP-2", "EXP-3")),
    st.sampled_from(("NORDLICHT", "inspector")),
    st.dates(SHIPPED, date(2026, 8, 1)),
    st.none() | st.integers(0, 8).map(Decimal) | st.just(Decimal("2.5")),
    st.lists(SERIALS, max_size=6, unique=True).map(tuple),
    st.sampled_from(("arrival", "installed")),
    st.booleans(),
)
SIGHTINGS = st.builds(
    Sighting, SERIALS, st.sampled_from(("NBO-T1", "MBA-1")), MOMENTS, st.just("x")
)
EVENTS = st.lists(
    ARRIVALS
    | SIGHTINGS
    | st.tuples(SERIALS, st.builds(Word, WORDS, MOMENTS, st.just("e")))
    | st.tuples(SERIALS, st.builds(Heard, MOMENTS, st.just("reading"))),
    max_size=25,
)


def _file_of(events: list[Any]) -> OnFile:
    words: dict[str, Word] = {}
    heard: dict[str, Heard] = {}
    for event in events:
        if isinstance(event, (Arrival, Sighting)):
            continue
        serial, said = event
        kept: dict[str, Any] = words if isinstance(said, Word) else heard
        kept[serial] = max(said, kept.get(serial, said), key=lambda one: (one.at, one[0]))
    return on_file(
        shipments=(SHIPMENT, Shipped("EXP-3", 2, SHIPPED, Decimal(3), ("FR-6", "FR-7"))),
        arrivals=[event for event in events if isinstance(event, Arrival)],
        sightings=[event for event in events if isinstance(event, Sighting)],
        words=words,
        heard=heard,
    )


@given(EVENTS, st.randoms(use_true_random=False))
def test_the_places_sum_up_to_what_was_delivered_at_every_moment_in_any_order(
    events: list[Any], chance: Random
) -> None:
    for until in range(len(events) + 1):
        known = events[:until]
        account = balance(_file_of(known), NOW)
        for line in account.lines:
            assert sum(line.places.values()) == line.delivered
            assert line.accounted_for == line.delivered - line.places[UNACCOUNTED]
            assert min(line.places.values()) >= 0
        for line in account.lines:
            for place in PLACES[:-1]:
                standing = [u for u in account.units if (u.line, u.place) == (line.line, place)]
                assert line.places[place] == len(standing)
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert balance(_file_of(shuffled), NOW) == balance(_file_of(events), NOW)


def test_what_has_not_come_is_explained_with_its_day_and_its_deadline() -> None:
    due = datetime(2026, 10, 1, 21, tzinfo=UTC)
    file = on_file(shipments=(SHIPMENT._replace(due=due),), arrivals=(arrived("FR-1", "FR-2"),))
    account = balance(file, NOW)
    (gap,) = [one for one in account.gaps if one.kind == "not_delivered"]
    assert gap.explanation == (
        "3 of line 1 shipped on 2026-03-02 with EXP-2 and not told delivered: "
        "due 2026-10-01 21:00 UTC"
    )
    assert (gap.line, gap.since, gap.due_at) == (1, SHIPPED, due)
    late = balance(file, due + timedelta(microseconds=1)).gaps
    assert "overdue since 2026-10-01 21:00 UTC" in late[0].explanation
    assert "due" in balance(file, due).gaps[0].explanation.split(": ")[1].split()[0]
    unasked = balance(on_file(), NOW).gaps[0]
    assert unasked.explanation.endswith("no condition says until when")


def test_only_what_reached_the_milestone_of_the_license_is_delivered() -> None:
    short = arrived(quantity=Decimal(5), milestone="arrival", counts=False)
    account = balance(on_file(arrivals=(short,), delivered_when="installed"), NOW)
    assert account.lines[0].delivered == 0
    assert "5 told to have reached arrival, and delivered means installed" in (
        account.gaps[0].explanation
    )
    come = short._replace(milestone="installed", counts=True)
    account = balance(on_file(arrivals=(short, come), delivered_when="installed"), NOW)
    assert account.lines[0].delivered == 5


def test_two_who_tell_of_one_arrival_do_not_add_up_to_two() -> None:
    both = (arrived(quantity=Decimal(3)), arrived(quantity=Decimal(2), by="inspector"))
    assert balance(on_file(arrivals=both), NOW).lines[0].delivered == 3
    parts = (arrived(quantity=Decimal(3)), arrived(quantity=Decimal(2)))
    assert balance(on_file(arrivals=parts), NOW).lines[0].delivered == 5


def test_a_whole_delivery_without_serials_delivers_every_unit() -> None:
    account = balance(on_file(arrivals=(arrived(quantity=Decimal(5)),)), NOW)
    assert [unit.place for unit in account.units] == [UNACCOUNTED] * 5
    assert account.lines[0].places[UNACCOUNTED] == 5
    assert gaps(account) == [("never_heard", serial) for serial in UNITS]


def test_of_a_part_without_serials_those_heard_of_have_come_and_the_rest_is_nameless() -> None:
    file = on_file(
        arrivals=(arrived(quantity=Decimal("3.5")),),
        heard={"FR-4": Heard(NOW, "reading")},
        words={"FR-2": Word("stored", at(1), "report:1#0")},
    )
    account = balance(file, NOW)
    places = account.lines[0].places
    assert [places[one] for one in (HEARD, "stored")] == [1, 1]
    assert places[UNACCOUNTED] == Decimal("1.5")
    assert [unit.serial for unit in account.units if unit.place] == ["FR-2", "FR-4"]
    assert ("nameless", None) in gaps(account)


@pytest.mark.parametrize(
    ("word", "heard", "kind"),
    [
        (None, None, "never_heard"),
        ("lost", None, "missing"),
        ("stolen", at(20), "missing"),
        ("destroyed", at(20), "heard_after_end"),
        ("disposed", at(10), None),
        ("returned", at(20), None),
        (None, NOW - timedelta(days=365), None),
        (None, NOW - timedelta(days=365, microseconds=1), "silent"),
        ("in_use", NOW - timedelta(days=366), "silent"),
    ],
)
def test_what_is_odd_about_a_unit_is_explained(
    word: str | None, heard: datetime | None, kind: str | None
) -> None:
    file = on_file(
        shipments=(Shipped("EXP-2", 1, SHIPPED, Decimal(1), ("FR-7",)),),
        arrivals=(arrived("FR-7"),),
        words={"FR-7": Word(word, at(10), "e")} if word else {},
        heard={"FR-7": Heard(heard, "reading")} if heard else {},
    )
    account = balance(file, NOW)
    assert gaps(account) == ([(kind, "FR-7")] if kind else [])
    assert all(gap.explanation.startswith("FR-7: ") for gap in account.gaps)


def test_a_unit_heard_of_before_it_is_told_delivered_is_odd() -> None:
    account = balance(on_file(heard={"FR-1": Heard(at(3), "reading")}), NOW)
    (gap,) = [one for one in account.gaps if one.serial]
    assert gap.explanation == "FR-1: not told delivered, yet heard of on 2026-04-03 (reading)"


def test_more_than_authorized_more_than_shipped_and_what_was_never_declared() -> None:
    second = Shipped("EXP-3", 1, date(2026, 3, 9), Decimal(36))
    file = on_file(
        shipments=(second, SHIPMENT),
        arrivals=(arrived(*UNITS, "XX-1"), arrived(shipment="EXP-3", quantity=Decimal(36))),
    )
    told = [(gap.kind, gap.explanation) for gap in balance(file, NOW).gaps]
    assert ("over_shipped", "line 1: 41 shipped, 40 authorized since EXP-3 on 2026-03-09") in told
    assert ("over_delivered", "1 more of line 1 told delivered than shipped with EXP-2") in told
    assert (
        "not_declared",
        "XX-1: told delivered with EXP-2 on 2026-03-20, and never declared",
    ) in told


ONE = Sighting("FR-1", "NBO-T1", at(1, 8), "inspection by inspector, grade A")
OTHER = Sighting("FR-1", "MBA-1", at(2, 7), "attestation by NORDLICHT, grade E")


@pytest.mark.parametrize("order", [(ONE, OTHER), (OTHER, ONE)])
def test_a_serial_at_two_places_at_once_is_found_whichever_is_told_last(
    order: tuple[Sighting, ...],
) -> None:
    found = [one for one in balance(on_file(sightings=order), NOW).gaps if one.serial == "FR-1"]
    assert [one.kind for one in found] == ["two_places"]
    assert found[0].explanation == (
        "FR-1: sighted at two places at once, at NBO-T1 on 2026-04-01 08:00 UTC (inspection by "
        "inspector, grade A) and at MBA-1 on 2026-04-02 07:00 UTC (attestation by NORDLICHT, grade E)"
    )


@pytest.mark.parametrize(
    ("sightings", "moves", "found"),
    [
        ((ONE, OTHER._replace(at=at(2, 8))), (), False),
        ((ONE, OTHER._replace(at=at(2, 7) + timedelta(minutes=59))), (), True),
        ((ONE, OTHER._replace(site="NBO-T1")), (), False),
        ((ONE, OTHER), (Move("FR-1", "MBA-1", at(1, 20)),), False),
        ((ONE, OTHER), (Move("FR-1", "MBA-1", at(2, 8)),), True),
        ((ONE, OTHER), (Move("FR-1", "NBO-T1", at(1, 20)),), True),
        ((ONE, OTHER), (Move("FR-2", "MBA-1", at(1, 20)),), True),
        ((ONE._replace(serial="XX"), OTHER._replace(serial="XX")), (), False),
    ],
)
def test_two_places_at_once_are_less_than_a_day_apart_without_a_move_between(
    *, sightings: tuple[Sighting, ...], moves: tuple[Move, ...], found: bool
) -> None:
    account = balance(on_file(sightings=sightings, moves=moves), NOW)
    assert any(one.kind == "two_places" for one in account.gaps) is found
