"""Acknowledgment of a transfer: who receives units confirms that it was told the conditions.

**What it means.** Stands on every license without being written on it. When the authority authorizes
a transfer, the receiving party is put on the license, and every condition that binds its role binds
it from then on. A party that was never told what binds it cannot keep it. So for each authorized
transfer one acknowledgment is owed: that the receiving party was told, with the day on which it
confirmed. It may hand it in itself or have the exporter file it.

**Terms.** None. Until when an acknowledgment is due is set by the authorization: the end of the
thirtieth day after it, where the license counts. That is policy of our own.

**Broken** when the acknowledgment of a transfer had not come by then (`not_acknowledged`). One that
comes late ends that from then on; the miss stays in history.

**Not assessable**: never. It has come or it has not.

**Source.** The licensee tells the other parties of the conditions that apply to them, and where the
license says so gets their written acknowledgment: 15 CFR 750.7(d). That end users were not told of
conditions that bound them is a finding of the United States General Accounting Office: GAO-04-357.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from monitors._contract import (
    Answer,
    Awaited,
    Case,
    FactsModel,
    Finding,
    Monitor,
    Need,
    Obligation,
    Severity,
    Statement,
    Subject,
    TermsModel,
)


class Terms(TermsModel):
    """There are none: the authorization says until when."""


class Facts(FactsModel):
    """It reads none: transfers and their acknowledgments are on file."""


def awaits(terms: Terms, case: Case) -> Iterator[Awaited]:  # noqa: ARG001 - it has none
    """Await one acknowledgment of every authorized transfer, by the party that receives the units."""
    for transfer in {one.reference: one for one in case.transfers}.values():
        if transfer.acknowledged_at is None:
            yield Awaited(
                Subject("party", transfer.to_party),
                transfer.acknowledge_by,
                transfer.acknowledge_by,
                item=transfer.reference,
                since=transfer.authorized_at,
                by=transfer.role,
            )


def evaluate(
    terms: Terms,  # noqa: ARG001 - it has none
    heard: Sequence[Statement[Facts]],  # noqa: ARG001 - nobody states an acknowledgment
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Find what was not acknowledged in time."""
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _not_acknowledged(obligation)


def _not_acknowledged(obligation: Obligation) -> Finding:
    """Name the transfer and the day; that does not change while the acknowledgment stays away."""
    by = f"{obligation.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return Finding(
        answer=Answer.BROKEN,
        subject=obligation.subject,
        reason="not_acknowledged",
        at=obligation.grace_until,
        expected=f"the conditions of transfer {obligation.item} acknowledged by {by}",
        observed=f"no acknowledgment by {obligation.subject.reference} by {by}",
        clears="the acknowledgment, and an account of the delay",
        evidence=(f"obligation:{obligation.slot}",),
        missing=("acknowledgment",),
        cleared_at=obligation.met_at,
    )


MONITOR = Monitor(
    title="Acknowledgment of a transfer",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    awaits=awaits,
    standing=True,
    needs=frozenset({Need.TRANSFERS, Need.OBLIGATIONS}),
    how_to_check=(
        "Ask the party that received units to show the conditions it was sent and its signed "
        "confirmation, and ask the person who runs the units what they demand."
    ),
    what_to_see="The conditions of the license in force, word for word, signed for by the party.",
)
