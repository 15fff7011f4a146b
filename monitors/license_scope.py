"""License scope: everything reported is on the license, and nothing runs while it is withdrawn.

**What it means.** Stands on every license without being written on it. A license covers named
units, sites and parties. A report about a unit or site it does not name tells of equipment outside
the license; a report from a party it does not name comes from somebody who was never told the
conditions. While a license is suspended, revoked or cancelled its units must rest: nobody is
identified or searched for, no stream is analysed. A unit that goes on telling where it is and how
many are enrolled does what it must: reporting outlives the license.

**Terms.** None.

**Broken** when a unit is reported on that is not on the license (`unit_unknown`); when a site is
reported on that the license does not name (`site_unknown`); when an attestation, check-in,
delivery verification or incident report comes from a party that is not on the license
(`party_unknown`, severity *low*); when identifications, searches, bulk exports, analysed streams or
live matching are told of a time when the license was suspended, revoked or cancelled
(`active_while_suspended`, `active_while_revoked`, `active_while_cancelled`); or when a shipment is
dated on a day when it was suspended, revoked, surrendered, cancelled or expired
(`shipped_while_suspended` and so on).

A state counts from the day it takes effect; an expired license may still be shipped under on its
last day. Units lawfully shipped under a license that has expired, is exhausted or was surrendered
may go on being used under its conditions. Counters count since the reading before: the first one
after a change of state may tell of calls made before it, which is for the reviewer to weigh.

Where a unit stands, and who operates or holds it, is not asked here (see permitted sites, permitted
end users and no onward transfer), nor who files inspections and third-party reports: those come from outside the license.

**Not assessable**: never. What is reported is on the license or not, and its states are on record.

**Source.** 15 CFR 750.8 (suspension and revocation of licenses), 15 CFR 758.4(b) (nothing departs
under a license after midnight of its expiration date), 15 CFR 750.7(d) (conditions are told to the
parties they bind). That obligations survive the license is the practice of end-use monitoring.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from monitors._contract import (
    Answer,
    Case,
    FactsModel,
    Finding,
    Grade,
    Monitor,
    Need,
    Severity,
    Shipment,
    Source,
    Statement,
    Subject,
    TermsModel,
    broken,
)
from monitors._deadlines import day_of, days_after, end_of
from monitors._facts import (
    BulkExportsFact,
    ConcurrentStreamsFact,
    IdentifyCallsFact,
    LiveMatchingFact,
    SearchCallsFact,
    named,
)

RESTING = frozenset({"suspended", "revoked", "cancelled"})
"""States in which units must not be used."""
CLOSED = RESTING | {"surrendered", "expired"}
"""States in which nothing may be shipped."""
FILED_BY_PARTIES = frozenset({"attestation", "check_in", "delivery_verification", "incident"})
OF_THE_AUTHORITY = frozenset(
    {
        "administrator",
        "licensing_officer",
        "inspector",
        "reviewer",
        "supervisor",
        "auditor",
        "grievance_officer",
        "dashboard",
    }
)
"""Roles that stand in the place of a party when the authority itself reports."""
USES = {
    "identify_calls": "identifications",
    "search_calls": "searches",
    "bulk_exports": "bulk exports",
    "concurrent_streams": "streams analysed",
}


class Terms(TermsModel):
    """There are none: the license itself says what is on it."""


class Facts(FactsModel):
    """What it reads, beside what each report is about and who files it."""

    identify_calls: IdentifyCallsFact = None
    search_calls: SearchCallsFact = None
    bulk_exports: BulkExportsFact = None
    concurrent_streams: ConcurrentStreamsFact = None
    live_matching: LiveMatchingFact = None


class Span(NamedTuple):
    """A state the license was in, until the next began; without end if it is the last."""

    state: str
    since: datetime
    until: datetime | None


def evaluate(
    terms: Terms,  # noqa: ARG001 - it has none
    heard: Sequence[Statement[Facts]],
    case: Case,
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at what each statement is about and who makes it; then at use, then at shipments."""
    units, sites, parties = case.units, case.sites, _parties(case)
    resting, closed = _spans(case, RESTING), _spans(case, CLOSED)
    source, strange = None, False
    for statement in heard:
        kind, reference = statement.subject
        if kind == "unit":
            if reference not in units:
                yield _unit(statement)
        elif kind == "site" and reference not in sites:
            yield _site(case, statement, reference)
        if statement.source is not source:
            source = statement.source
            strange = _strange(source, parties)
        if strange:
            yield _party(statement)
        if resting:
            yield from _used(statement, resting)
    for shipment in case.shipments if closed else ():
        yield from _shipped(shipment, closed, case)


def _parties(case: Case) -> frozenset[str]:
    """Name everybody whose reports are expected: the parties on the license, and the authority."""
    return OF_THE_AUTHORITY.union([case.exporter], [party.reference for party in case.parties])


def _spans(case: Case, states: frozenset[str]) -> list[Span]:
    """List when the license was in one of these states; most licenses never were."""
    if not any(span.state in states for span in case.states):
        return []
    ordered = sorted(case.states, key=lambda span: span.since)
    ends = [*(span.since for span in ordered[1:]), None]
    return [
        Span(span.state, span.since, end)
        for span, end in zip(ordered, ends, strict=True)
        if span.state in states
    ]


def _strange(source: Source, parties: frozenset[str]) -> bool:
    return source.kind in FILED_BY_PARTIES and source.by not in parties


def _unit(statement: Statement[Facts]) -> Finding:
    return broken(
        statement,
        reason="unit_unknown",
        expected="reports about units of the license",
        observed=f"{statement.subject.reference}, which is not a unit of the license",
        clears="the shipment that brought the unit, or an account of where it came from",
        severity=Severity.HIGH,
    )


def _site(case: Case, statement: Statement[Facts], site: str) -> Finding:
    return broken(
        statement,
        reason="site_unknown",
        expected=f"one of the sites of the license: {named(case.sites) or 'there are none'}",
        observed=f"{site}, which is not a site of the license",
        clears="an amendment that names the site, or a corrected report",
    )


def _party(statement: Statement[Facts]) -> Finding:
    return broken(
        statement,
        reason="party_unknown",
        expected="reports by parties on the license, or by the authority",
        observed=f"a report by {statement.source.by}, which is not a party on the license",
        clears="an amendment that names the party, or a report by a party that is on the license",
        severity=Severity.LOW,
    )


def _used(statement: Statement[Facts], resting: Sequence[Span]) -> Iterator[Finding]:
    """Tell of use at a time when the license was withdrawn."""
    at, facts = statement.observed_at, statement.facts
    counts = [(getattr(facts, name), what) for name, what in USES.items()]
    told = [f"{count:,} {what}" for count, what in counts if count]
    if facts.live_matching:
        told.append("live matching on")
    for span in resting if told else ():
        if span.since <= at and (span.until is None or at < span.until):
            yield broken(
                statement,
                reason=f"active_while_{span.state}",
                expected=f"no use while the license is {span.state}",
                observed=(
                    f"{', '.join(told)}; the license was {span.state} "
                    f"on {span.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
                ),
                clears="a reading without use, and an account of what the unit was used for",
                severity=Severity.HIGH,
            )


def _shipped(shipment: Shipment, closed: Sequence[Span], case: Case) -> Iterator[Finding]:
    """Tell of a shipment on a day when nothing might be shipped."""
    for span in closed:
        if _covers(span, shipment.shipped_on, case):
            yield Finding(
                answer=Answer.BROKEN,
                subject=Subject("license", case.license),
                reason=f"shipped_while_{span.state}",
                at=end_of(days_after(shipment.shipped_on, -1), case),
                expected=f"no shipment while the license is {span.state}",
                observed=f"{shipment.reference} shipped on {shipment.shipped_on}",
                clears="proof that it was shipped on another day, or that it has come back",
                evidence=(shipment.id,),
                severity=Severity.HIGH,
                grade=Grade.D,
            )


def _covers(span: Span, day: date, case: Case) -> bool:
    """Say whether a day lies in a span; the last day of validity is still one of validity."""
    first = day_of(span.since, case)
    begun = first < day if span.state == "expired" else first <= day
    return begun and (span.until is None or day < day_of(span.until, case))


MONITOR = Monitor(
    title="License scope",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    needs=frozenset({Need.UNITS, Need.STATES, Need.SHIPMENTS, Need.PARTIES}),
    standing=True,
    any_fact=True,
    how_to_check=(
        "Compare every serial number at the site with the units of the license, ask who runs them "
        "and who delivered them, and when the license was suspended or revoked, read the call "
        "counters and the time of the last use."
    ),
    what_to_see=(
        "Only units, sites and parties that stand on the license; while it is suspended or "
        "revoked, units that are off or idle, and no delivery dated later."
    ),
)
