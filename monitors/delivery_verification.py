"""Delivery verification: what was shipped is shown to have arrived, all of it and nothing else.

**What it means.** An export declaration says what left; it does not say where it went. Goods that
are diverted are most often diverted on the way. So for every shipment somebody tells what arrived
and when, and hands in the documents that prove it, such as the certificate of the importing country.

**Terms.** `within_days` (days after the arrival within which the delivery must be verified, default
30), `documents` (kinds of document that must be on file for each shipment, such as
`delivery_verification_certificate`, capitals make no difference; none by default), `transit_days`
(while nobody told of an arrival, it is assumed this many days after the shipment, default 60, so
that silence is noticed). Days end at midnight in the license's time zone. What happened before the
condition took effect counts from then.

A shipment is **verified** when the deliveries told of it together reach the declared quantity and
a document of every kind asked for is on file about it, neither refused nor revoked. One that nobody
has decided on yet counts; one that is refused or revoked later leaves the shipment unverified again,
by the same deadline. A delivery that tells serial numbers and no quantity counts as that many.
Several deliveries of one shipment add up, and the first of them is its arrival. When the condition
is about some lines of the license, only their shipments count.

**Broken** when a shipment was not verified by the end of the last day (`not_verified`; verified later
ends that from then on, the miss stays in history); when more arrived than was declared
(`quantity_differs`, at once); when serial numbers arrived that the declaration does not name, or,
once the whole quantity has arrived, declared ones did not (`serials_differ`). Less than declared is
no difference yet: the rest may be under way, and the deadline watches for it. Declared serial
numbers are missing only when there are more of them than pieces arrived without a serial number. A
declaration that names no serial numbers is compared by quantity alone.

**Not assessable** when a delivery tells neither quantity nor serial numbers, and the others do not
account for the whole shipment (`delivery_without_count`).

**Source.** The Delivery Verification Certificate, issued by the government of the country of
destination and asked for as a condition on the license: 15 CFR 748.13 as it stood until 2015 (taken
out by 80 FR 13210); other countries still issue it. The 30 and 60 days are defaults, not rules from
outside.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from monitors._contract import (
    Answer,
    Awaited,
    Case,
    Delivery,
    FactsModel,
    Finding,
    Monitor,
    Need,
    Obligation,
    Severity,
    Shipment,
    Statement,
    Subject,
    TermsModel,
)
from monitors._deadlines import day_of, days_after, end_of
from monitors._facts import TellingWords, named

FIRST, LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
"""Beyond these the calendar of some time zone has ended: they stand for all that lies beyond."""


class Terms(TermsModel):
    """How soon a delivery must be verified, and by which documents."""

    within_days: Annotated[int, Field(ge=0, le=36_525)] = 30
    """Days after the arrival within which the delivery must be verified."""
    documents: TellingWords = ()
    """Kinds of document that must be on file for each shipment."""
    transit_days: Annotated[int, Field(ge=0, le=36_525)] = 60
    """Days from shipment to the arrival assumed while nobody told of one."""


class Facts(FactsModel):
    """It reads none: shipments, deliveries and documents are on file."""


def awaits(terms: Terms, case: Case) -> Iterator[Awaited]:
    """Await, for every shipment and once, that its delivery is verified."""
    papers = _on_file(case)
    for shipment in _shipments(case):
        if _complete(shipment) and papers.get(shipment.reference, set()).issuperset(
            terms.documents
        ):
            continue
        due = end_of(days_after(_arrival(terms, case, shipment), terms.within_days), case)
        yield Awaited(
            Subject("license", case.license),
            due,
            due,
            item=shipment.reference,
            since=shipment.received_at,
        )


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],  # noqa: ARG001 - deliveries are on file, nobody states them
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Find shipments not verified in time, then what differs from its declaration."""
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _not_verified(terms, case, obligation)
    for shipment in _shipments(case):
        if shipment.deliveries:
            yield from _compare(case, shipment)


def _shipments(case: Case) -> list[Shipment]:
    """Choose the shipments on the lines of the condition; a reference names one of them."""
    lines = case.lines
    chosen = {one.reference: one for one in case.shipments if not lines or one.line in lines}
    return list(chosen.values())


def _on_file(case: Case) -> dict[str, set[str]]:
    """Say which kinds of document stand on file, by what they are about."""
    papers: dict[str, set[str]] = {}
    for document in case.documents:
        standing = document.accepted is not False and document.revoked_on is None
        if standing and document.about is not None:
            papers.setdefault(document.about, set()).add(document.kind.lower())
    return papers


def _arrival(terms: Terms, case: Case, shipment: Shipment) -> date:
    """Give the day to count from: of the first delivery, else the one assumed; none before force."""
    told = [delivery.arrived_on for delivery in shipment.deliveries]
    arrived = min(told) if told else days_after(shipment.shipped_on, terms.transit_days)
    if case.in_force_from is None:
        return arrived
    return max(arrived, day_of(min(max(case.in_force_from, FIRST), LAST), case))


def _count(delivery: Delivery) -> Fraction | None:
    """Say how much arrived: the quantity, else as many as serials were told, else nobody knows."""
    if delivery.quantity is not None:
        return Fraction(delivery.quantity)
    return Fraction(len(set(delivery.serials))) if delivery.serials else None


def _total(deliveries: Sequence[Delivery]) -> Fraction:
    return sum((_count(delivery) or Fraction(0) for delivery in deliveries), Fraction(0))


def _complete(shipment: Shipment) -> bool:
    """Say whether the deliveries together account for the whole shipment."""
    return bool(shipment.deliveries) and _total(shipment.deliveries) >= shipment.quantity


def _compare(case: Case, shipment: Shipment) -> Iterator[Finding]:
    """Set what arrived against what was declared, in the order in which it arrived."""
    deliveries = sorted(shipment.deliveries, key=lambda one: (one.arrived_on, one.id))
    complete, total = _complete(shipment), Fraction(0)
    for delivery in deliveries:
        count = _count(delivery)
        if count is None and not complete:
            yield _without_count(case, shipment, delivery)
        before, total = total, total + (count or 0)
        if before <= shipment.quantity < total:
            yield _too_much(case, shipment, deliveries, delivery)
    if shipment.serials:
        yield from _serials(case, shipment, deliveries, complete=complete)


def _serials(
    case: Case, shipment: Shipment, deliveries: Sequence[Delivery], *, complete: bool
) -> Iterator[Finding]:
    """Name the serials that should not have arrived, and those that should have."""
    declared = frozenset(shipment.serials)
    arrived = frozenset(serial for one in deliveries for serial in one.serials)
    strange, missing = arrived - declared, declared - arrived
    nameless = _total([one for one in deliveries if not one.serials])
    if not complete or len(missing) <= nameless:
        missing = frozenset()
    if strange or missing:
        last = next((one for one in deliveries if not strange.isdisjoint(one.serials)), None)
        yield _other_serials(case, shipment, deliveries, last or deliveries[-1], strange, missing)


def _other_serials(
    case: Case,
    shipment: Shipment,
    deliveries: Sequence[Delivery],
    shown_by: Delivery,
    strange: frozenset[str],
    missing: frozenset[str],
) -> Finding:
    what = [f"{named(strange)} arrived and not declared"] if strange else []
    what += [f"{named(missing)} declared and not arrived"] if missing else []
    return _differs(
        case,
        shipment,
        deliveries,
        shown_by,
        reason="serials_differ",
        expected=f"the serial numbers declared for shipment {shipment.reference}",
        observed="; ".join(what),
    )


def _too_much(
    case: Case, shipment: Shipment, deliveries: Sequence[Delivery], shown_by: Delivery
) -> Finding:
    total = _total(deliveries)
    return _differs(
        case,
        shipment,
        deliveries,
        shown_by,
        reason="quantity_differs",
        expected=f"{_plain(shipment.quantity)} delivered of shipment {shipment.reference}",
        observed=f"{_plain(Decimal(total.numerator) / total.denominator)} delivered",
    )


def _differs(
    case: Case,
    shipment: Shipment,
    deliveries: Sequence[Delivery],
    shown_by: Delivery,
    *,
    reason: str,
    expected: str,
    observed: str,
) -> Finding:
    """Name the shipment first: it tells one difference from another, however often it is told."""
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("license", case.license),
        reason=reason,
        at=_when(case, shown_by),
        expected=expected,
        observed=observed,
        clears="a corrected declaration or proof of delivery, and an account of the difference",
        evidence=(shipment.id, *(one.id for one in deliveries)),
        grade=min(one.grade for one in deliveries),
    )


def _without_count(case: Case, shipment: Shipment, delivery: Delivery) -> Finding:
    return Finding(
        answer=Answer.NOT_ASSESSABLE,
        subject=Subject("license", case.license),
        reason="delivery_without_count",
        at=_when(case, delivery),
        expected=f"{_plain(shipment.quantity)} delivered of shipment {shipment.reference}",
        observed=f"a delivery on {delivery.arrived_on} that tells no quantity and no serial number",
        clears="deliveries that tell the quantity or the serial numbers of the whole shipment",
        evidence=(delivery.id, shipment.id),
        missing=("quantity", "serials"),
        grade=delivery.grade,
    )


def _not_verified(terms: Terms, case: Case, obligation: Obligation) -> Finding:
    """Name the shipment and the day; that does not change while the proof stays away."""
    with_papers = f", with {named(terms.documents)}" if terms.documents else ""
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("license", case.license),
        reason="not_verified",
        at=obligation.grace_until,
        expected=(
            f"the delivery of shipment {obligation.item} verified within {terms.within_days:,} "
            f"days{with_papers}"
        ),
        observed=(
            f"shipment {obligation.item} not verified by "
            f"{obligation.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        ),
        clears="proof that the whole shipment arrived, and an account of the delay",
        evidence=(f"obligation:{obligation.slot}",),
        missing=("delivery", *terms.documents),
        cleared_at=obligation.met_at,
    )


def _when(case: Case, delivery: Delivery) -> datetime:
    """Give the time of an arrival: its day, not after it was told and not before it counted."""
    arrived = min(datetime.combine(delivery.arrived_on, time(), UTC), delivery.received_at)
    return max(arrived, case.in_force_from or arrived)


def _plain(amount: Decimal) -> str:
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


MONITOR = Monitor(
    title="Delivery verification",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    awaits=awaits,
    ladder="check",
    needs=frozenset({Need.SHIPMENTS, Need.DOCUMENTS, Need.OBLIGATIONS}),
    how_to_check=(
        "Take the export declaration to the place of delivery, compare quantity and serial numbers "
        "with the goods and the receiving records, and see the original of each document."
    ),
    what_to_see="Every unit declared, no other, and documents that name this shipment.",
)
