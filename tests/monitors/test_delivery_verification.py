from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import (
    Answer,
    Awaited,
    Case,
    Delivery,
    Document,
    Finding,
    Grade,
    Need,
    Obligation,
    Shipment,
    Subject,
    delivery_verification,
)
from monitors.delivery_verification import MONITOR, Facts, Terms, awaits
from tests.monitors.heard import case, judge, say

SHIPPED = date(2026, 3, 2)
DECLARED = datetime(2026, 3, 3, 9, tzinfo=UTC)
ARRIVED = date(2026, 4, 10)
LICENSE = Subject("license", "BX-2026-00017")
CERTIFICATE = "delivery_verification_certificate"
TERMS = Terms()
WITH_PAPERS = Terms(documents=(CERTIFICATE, "customs_receipt"))
SECOND = timedelta(seconds=1)
DUE = datetime(2026, 5, 11, tzinfo=UTC)

amounts = st.decimals(0, 100, places=4)


def arrival(
    id: str = "delivery:1",
    *,
    on: date = ARRIVED,
    quantity: int | Decimal | None = None,
    serials: tuple[str, ...] = (),
    grade: Grade = Grade.E,
) -> Delivery:
    told = datetime(on.year, on.month, on.day, 15, tzinfo=UTC)
    amount = None if quantity is None else Decimal(quantity)
    return Delivery(id, on, told, quantity=amount, serials=serials, grade=grade)


def shipment(*deliveries: Delivery, quantity: int | Decimal = 3, **overrides: Any) -> Shipment:
    plain = Shipment("shipment:S-1", "S-1", 1, SHIPPED, Decimal(quantity), DECLARED)
    return replace(plain, deliveries=deliveries, **overrides)


def document(kind: str = CERTIFICATE, **overrides: Any) -> Document:
    day = datetime(2026, 4, 12, tzinfo=UTC)
    plain = Document("document:1", kind, LICENSE, day.date(), day, about="S-1")
    return replace(plain, **overrides)


def filed(*shipments: Shipment, **overrides: Any) -> Case:
    return case(shipments=shipments, **overrides)


def found(file: Case, terms: Terms = TERMS) -> list[Finding]:
    return judge(delivery_verification, terms, case=file)


def awaited(file: Case, terms: Terms = TERMS) -> list[Awaited]:
    return list(awaits(terms, file))


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_while_nobody_told_of_an_arrival_it_is_assumed_after_the_transit() -> None:
    (owed,) = awaited(filed(shipment()))

    due = datetime(2026, 6, 1, tzinfo=UTC)  # 2 March, 60 days, 30 days: the end of 31 May
    assert owed == Awaited(LICENSE, due, due, item="S-1", since=DECLARED)


def test_the_first_delivery_told_is_the_arrival() -> None:
    file = filed(shipment(arrival(quantity=1), arrival("delivery:2", on=SHIPPED, quantity=1)))

    (owed,) = awaited(file)

    assert owed.due_at == owed.grace_until == datetime(2026, 4, 2, tzinfo=UTC)


def test_the_last_day_ends_where_the_license_counts_also_over_a_change_of_clocks() -> None:
    terms, file = Terms(within_days=30, transit_days=0), filed(shipment(shipped_on=SHIPPED))

    due = [
        awaited(replace(file, time_zone=zone), terms)[0].due_at
        for zone in ("UTC", "Europe/Berlin", "Pacific/Kiritimati")
    ]

    assert due == [
        datetime(2026, 4, 2, tzinfo=UTC),
        datetime(2026, 4, 1, 22, tzinfo=UTC),
        datetime(2026, 4, 1, 10, tzinfo=UTC),
    ]


def test_days_go_over_the_end_of_a_month_and_of_the_calendar() -> None:
    terms = Terms(within_days=1, transit_days=0)

    leap = awaited(filed(shipment(shipped_on=date(2028, 2, 28))), terms)
    last = awaited(filed(shipment(shipped_on=date.max)), terms)

    assert leap[0].due_at == datetime(2028, 3, 1, tzinfo=UTC)
    assert last[0].due_at == datetime.max.replace(tzinfo=UTC)


def test_nothing_is_awaited_before_the_condition_is_in_force() -> None:
    file = filed(shipment(arrival(quantity=1)))
    before, after = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, 22, tzinfo=UTC)

    due = [
        awaited(replace(file, in_force_from=since, time_zone=zone))[0].due_at
        for since, zone in (
            (before, "UTC"),
            (after, "UTC"),
            (after, "Africa/Nairobi"),
            (datetime.min.replace(tzinfo=UTC), "UTC"),
            (datetime.max.replace(tzinfo=UTC), "Pacific/Kiritimati"),
        )
    ]

    assert due == [
        DUE,
        datetime(2026, 8, 1, tzinfo=UTC),
        datetime(2026, 8, 1, 21, tzinfo=UTC),  # it was 2 July already in Nairobi
        DUE,
        datetime(9999, 1, 30, 10, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("deliveries", "verified"),
    [
        ([], False),
        ([arrival(quantity=2)], False),
        ([arrival(quantity=Decimal("2.9999"))], False),
        ([arrival(quantity=3)], True),
        ([arrival(quantity=4)], True),
        ([arrival(serials=("A", "B"))], False),
        ([arrival(serials=("A", "B", "B"))], False),
        ([arrival(serials=("A", "B", "C"))], True),
        ([arrival(quantity=1), arrival("delivery:2", serials=("A", "B"))], True),
        ([arrival(quantity=1), arrival("delivery:2")], False),
        ([arrival()], False),
    ],
)
def test_deliveries_add_up_to_the_declaration(deliveries: list[Delivery], verified: bool) -> None:  # noqa: FBT001
    assert (awaited(filed(shipment(*deliveries))) == []) is verified


RECEIPT = document("Customs_Receipt", id="document:2")


@pytest.mark.parametrize(
    ("documents", "verified"),
    [
        ([], False),
        ([document()], False),
        ([document(), RECEIPT], True),
        ([document(accepted=True), RECEIPT], True),
        ([document(accepted=False), RECEIPT], False),
        ([document(revoked_on=date(2026, 5, 1)), RECEIPT], False),
        ([document(accepted=False), document(id="document:3"), RECEIPT], True),
        ([document(about="S-2"), RECEIPT], False),
        ([document(about=None), RECEIPT], False),
    ],
)
def test_every_document_must_stand_on_file(documents: list[Document], verified: bool) -> None:  # noqa: FBT001
    file = filed(shipment(arrival(quantity=3)), documents=tuple(documents))

    assert (awaited(file, WITH_PAPERS) == []) is verified
    assert awaited(file, TERMS) == []


def test_documents_alone_do_not_verify_a_delivery() -> None:
    assert awaited(filed(shipment(), documents=(document(), RECEIPT)), WITH_PAPERS) != []


def test_each_shipment_on_the_lines_of_the_condition_is_awaited_for_itself() -> None:
    other = shipment(arrival(quantity=9), id="shipment:S-2", reference="S-2", line=2)
    file = filed(shipment(), shipment(id="shipment:S-3", reference="S-3"), other)

    assert [owed.item for owed in awaited(file)] == ["S-1", "S-3"]
    assert awaited(replace(file, lines=frozenset({2}))) == []
    assert reasons(found(file)) == ["quantity_differs"]
    assert found(replace(file, lines=frozenset({1}))) == []


def overdue(met_at: datetime | None = None) -> Case:
    owed = Obligation(LICENSE, 4, DUE, DUE, met_at=met_at, item="S-1")
    return filed(shipment(), obligations=(owed,))


def not_verified(file: Case, at: datetime, terms: Terms = TERMS) -> list[Finding]:
    return judge(delivery_verification, terms, case=file, moment=at)


def test_a_shipment_not_verified_is_found_after_its_last_day_and_not_at_its_end() -> None:
    assert not_verified(overdue(), DUE) == []
    (finding,) = not_verified(overdue(), DUE + SECOND)

    assert (finding.answer, finding.subject) == (Answer.BROKEN, LICENSE)
    assert (finding.reason, finding.at) == ("not_verified", DUE)
    assert (finding.evidence, finding.missing) == (("obligation:4",), ("delivery",))
    assert finding.expected == "the delivery of shipment S-1 verified within 30 days"
    assert finding.observed == "shipment S-1 not verified by 2026-05-11 00:00 UTC"


def test_the_finding_stays_as_it_is_and_late_proof_ends_it() -> None:
    late = DUE + timedelta(days=3)

    once, again = not_verified(overdue(), DUE + SECOND), not_verified(overdue(), late)
    (ended,) = not_verified(overdue(met_at=late), late + SECOND)

    assert once == again
    assert ended == replace(once[0], cleared_at=late)
    assert not_verified(overdue(met_at=DUE), late) == []


def test_what_is_expected_follows_the_terms_in_force() -> None:
    amended = Terms(within_days=1_000, documents=(CERTIFICATE,))

    before, after = (not_verified(overdue(), DUE + SECOND, one)[0] for one in (TERMS, amended))

    assert before.expected == "the delivery of shipment S-1 verified within 30 days"
    assert after.expected == (
        "the delivery of shipment S-1 verified within 1,000 days, with " + CERTIFICATE
    )
    assert after.missing == ("delivery", CERTIFICATE)


def test_more_than_declared_is_found_at_once_and_the_declared_quantity_is_kept() -> None:
    more = shipment(
        arrival("delivery:2", on=date(2026, 4, 20), quantity=Decimal("0.5"), grade=Grade.B),
        arrival(quantity=3),
    )

    assert found(filed(shipment(arrival(quantity=3)))) == []
    (finding,) = found(filed(more))

    assert (finding.answer, finding.subject) == (Answer.BROKEN, LICENSE)
    assert finding.reason == "quantity_differs"
    assert finding.expected == "3 delivered of shipment S-1"
    assert finding.observed == "3.5 delivered"
    assert finding.at == datetime(2026, 4, 20, tzinfo=UTC)
    assert finding.evidence == ("shipment:S-1", "delivery:1", "delivery:2")
    assert (finding.grade, finding.cleared_at) == (Grade.B, None)


def test_less_than_declared_is_no_difference_while_the_deadline_watches_it() -> None:
    part = shipment(arrival(quantity=1, serials=("A",)), serials=("A", "B", "C"))

    assert found(filed(part)) == []
    assert awaited(filed(part)) != []


def test_a_serial_that_was_not_declared_is_found_at_once() -> None:
    odd = shipment(
        arrival(serials=("A",)),
        arrival("delivery:2", on=date(2026, 4, 20), serials=("X",)),
        serials=("A", "B", "C"),
    )

    (finding,) = found(filed(odd))

    assert (finding.reason, finding.evidence[0]) == ("serials_differ", "shipment:S-1")
    assert finding.expected == "the serial numbers declared for shipment S-1"
    assert finding.observed == "X arrived and not declared"
    assert finding.at == datetime(2026, 4, 20, tzinfo=UTC)


def test_a_declared_serial_is_missing_once_the_quantity_has_arrived() -> None:
    declared = ("A", "B", "C")
    short = shipment(arrival(quantity=3, serials=("A", "B")), serials=declared)
    other = shipment(arrival(serials=("A", "B", "X")), serials=declared)

    (missing,), (swapped,) = found(filed(short)), found(filed(other))

    assert missing.observed == "C declared and not arrived"
    assert missing.at == datetime(2026, 4, 10, tzinfo=UTC)
    assert swapped.observed == "X arrived and not declared; C declared and not arrived"
    assert found(filed(shipment(arrival(serials=declared), serials=declared))) == []


def test_a_serial_may_be_among_pieces_that_arrived_without_one() -> None:
    named = arrival(serials=("A",))
    kept = shipment(named, arrival("delivery:2", quantity=2), serials=("A", "B", "C"))
    surely = replace(kept, serials=("A", "B", "C", "D"))

    assert found(filed(kept)) == []
    assert found(filed(shipment(arrival(quantity=3), serials=("A", "B", "C")))) == []
    assert reasons(found(filed(surely))) == ["serials_differ"]


def test_without_declared_serials_only_the_quantity_is_compared() -> None:
    assert found(filed(shipment(arrival(serials=("A", "B", "C"))))) == []
    assert reasons(found(filed(shipment(arrival(serials=("A", "B", "C", "D")))))) == [
        "quantity_differs"
    ]


def test_a_delivery_that_counts_nothing_is_not_assessable() -> None:
    file = filed(shipment(arrival(grade=Grade.A), arrival("delivery:2", quantity=2)))

    (finding,) = found(file)

    assert (finding.answer, finding.subject) == (Answer.NOT_ASSESSABLE, LICENSE)
    assert finding.reason == "delivery_without_count"
    assert finding.observed == (
        "a delivery on 2026-04-10 that tells no quantity and no serial number"
    )
    assert (finding.evidence, finding.grade) == (("delivery:1", "shipment:S-1"), Grade.A)
    assert finding.missing == ("quantity", "serials")


def test_a_delivery_that_counts_nothing_does_not_matter_once_all_has_arrived() -> None:
    assert found(filed(shipment(arrival(), arrival("delivery:2", quantity=3)))) == []
    assert reasons(found(filed(shipment(arrival(quantity=0))))) == []


def test_a_difference_begins_neither_after_it_was_told_nor_before_the_condition() -> None:
    told = datetime(2026, 4, 9, 22, tzinfo=UTC)  # it was the 10th already where it arrived
    file = filed(shipment(replace(arrival(quantity=4), received_at=told)))
    force = datetime(2026, 5, 1, tzinfo=UTC)

    assert found(file)[0].at == told
    assert found(replace(file, in_force_from=force))[0].at == force


def test_the_file_is_judged_alike_whenever_and_with_whatever_was_said() -> None:
    file = filed(shipment(arrival(quantity=4)))
    once = judge(delivery_verification, TERMS, case=file, moment=DECLARED)

    later = judge(delivery_verification, TERMS, case=file, moment=DUE + timedelta(days=9_000))

    assert once == later == judge(delivery_verification, TERMS, say(gallery_size=1), case=file)
    assert len(once) == 1


def test_nothing_shipped_is_nothing_found_and_nothing_awaited() -> None:
    assert found(case()) == []
    assert found(filed(shipment())) == []
    assert awaited(case()) == []


@given(declared=amounts, told=st.lists(amounts, max_size=6), data=st.data())
def test_quantities_are_compared_exactly_in_whatever_order_they_arrive(
    declared: Decimal, told: list[Decimal], data: st.DataObject
) -> None:
    deliveries = [arrival(f"delivery:{i}", quantity=one) for i, one in enumerate(told)]
    mixed = data.draw(st.permutations(deliveries))
    file = filed(shipment(*mixed, quantity=declared))
    tenths = [int(one * 10_000) for one in (declared, *told)]

    assert (found(file) != []) is (sum(tenths[1:]) > tenths[0])
    assert (awaited(file) == []) is (told != [] and sum(tenths[1:]) >= tenths[0])
    assert found(file) == found(filed(shipment(*deliveries, quantity=declared)))


def test_a_sum_too_long_for_a_rounded_decimal_is_compared_exactly() -> None:
    nines = "9" * 26
    told = arrival(quantity=Decimal(nines)), arrival("delivery:2", quantity=Decimal("0.0001"))
    declared = shipment(*told, quantity=Decimal(f"{nines}.0001"))

    assert found(filed(declared)) == []
    assert awaited(filed(declared)) == []
    assert reasons(found(filed(replace(declared, quantity=Decimal(nines))))) == ["quantity_differs"]


def test_it_awaits_what_is_on_file_and_hears_no_facts() -> None:
    assert MONITOR.awaits is awaits
    assert MONITOR.needs == {Need.SHIPMENTS, Need.DOCUMENTS, Need.OBLIGATIONS}
    assert Facts.model_fields == {}
    assert MONITOR.hears(TERMS).nothing


@pytest.mark.parametrize(
    "terms",
    [
        {"within_days": -1},
        {"within_days": 40_000},
        {"transit_days": -1},
        {"transit_days": 1.5},
        {"documents": ["other"]},
        {"documents": [""]},
        {"documents": ["certificate"] * 101},
        {"days": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)
