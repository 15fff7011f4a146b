"""Human rights impact assessment: a fresh one is accepted before anything more is shipped.

**What it means.** Before the goods are shipped, and again and again after, the exporter assesses
what they may do to the people they are pointed at, and the authority accepts the assessment or does
not. An assessment says nothing about an owner, a place or a use it did not know of. While there is
no valid one, or its standing is unclear, shipment release is blocked.

**Terms.** `max_age_days` (days an assessment is good for, counted from the day it was issued,
default 365; a shorter validity of its own counts), `triggers` (what calls for a new one at once: a
reported change of `ownership`, `site`, `unit` or `use`, or a `suspension` of the license; none by
default).

**Broken** when no assessment is accepted, or the last one was revoked (`none_accepted`); when the
last accepted one has run out (`expired`; its last day still counts); when something was shipped on a
day that no accepted one covers (`shipped_without`; from the day the condition took effect, and on
its lines alone if it names any); and when a trigger came after the day the last accepted one was
issued (`trigger_since`). A change comes when it is told, whatever day it takes effect: an assessment
made on that day or later can take it into account, an earlier one cannot. A newer accepted
assessment ends it from the day it reached us, and that it was so stays in the history.

**Not assessable** when an assessment is on file and nobody has decided about it, and no accepted one
covered the day it reached us or was issued later (`not_decided`).

**Source.** UN Guiding Principles on Business and Human Rights, principles 17 and 18 (impacts are
assessed before an activity begins, before it changes, and periodically). US Department of State,
Guidance on Implementing the UN Guiding Principles for Transactions Linked to Foreign Government
End-Users for Products or Services with Surveillance Capabilities, 30 September 2020. The 365 days
are a default, not a rule from outside.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from monitors._contract import (
    Answer,
    Awaited,
    Case,
    Document,
    FactsModel,
    Finding,
    Monitor,
    Need,
    Obligation,
    Severity,
    Statement,
    Subject,
    TermsModel,
    broken,
)
from monitors._deadlines import day_of, days_after, end_of
from monitors._facts import ChangesFact, named

KIND = "human_rights_impact_assessment"
NEW_ONE = "an accepted assessment that is newer"


class Terms(TermsModel):
    """How long an assessment is good for, and what calls for a new one."""

    max_age_days: Annotated[int, Field(ge=1, le=36_525)] = 365
    """Days from the day it was issued to its last, at most."""
    triggers: Annotated[
        tuple[Literal["ownership", "site", "unit", "use", "suspension"], ...], Field(max_length=5)
    ] = ()
    """What calls for a new assessment at once."""


class Facts(FactsModel):
    """What it reads."""

    changes: ChangesFact = None


class Life(NamedTuple):
    """An accepted assessment, the last day it was good for, and whether it was cut short then."""

    last: date
    document: Document
    revoked: bool


def awaits(terms: Terms, case: Case) -> Iterator[Awaited]:
    """A new assessment is awaited when the last accepted one ends; at once when there is none."""
    start, lives = _start(case), _lives(terms, case)
    until = max((end_of(life.last, case) for life in lives), default=start)
    due_at = max(until, start)
    yield Awaited(Subject("license", case.license), due_at, due_at)


def evaluate(
    terms: Terms, heard: Sequence[Statement[Facts]], case: Case, moment: datetime
) -> Iterator[Finding]:
    """Find what was not there in time, what was shipped without one, and what happened since."""
    lives = _lives(terms, case)
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _overdue(terms, case, obligation, lives)
    yield from _undecided(terms, case, lives)
    for shipment in case.shipments:
        day = shipment.shipped_on
        if _covered(lives, day) or (case.lines and shipment.line not in case.lines):
            continue
        if end_of(day, case) > _start(case):
            yield _shipped_without(terms, case, shipment.id, day)
    if lives and terms.triggers:
        yield from _changed(terms, heard, case, lives)
        if "suspension" in terms.triggers:
            yield from _suspended(case, lives)


def _lives(terms: Terms, case: Case) -> list[Life]:
    """List the accepted assessments that were good for a day at least.

    A revoked one was good until the day before.
    """
    lives = []
    for one in case.documents:
        if one.kind == KIND and one.accepted and one.subject.kind == "license":
            last = min(days_after(one.issued_on, terms.max_age_days), one.valid_until or date.max)
            stopped = one.revoked_on or date.max
            revoked = stopped <= last
            last = _day_before(stopped) if revoked else last
            if last >= one.issued_on:
                lives.append(Life(last, one, revoked))
    return lives


def _issued(life: Life) -> tuple[date, str]:
    return life.document.issued_on, life.document.id


def _covered(lives: Sequence[Life], day: date) -> bool:
    return any(life.document.issued_on <= day <= life.last for life in lives)


def _overdue(terms: Terms, case: Case, owed: Obligation, lives: Sequence[Life]) -> Finding:
    """Say which one had ended by then; what comes later does not change that."""
    ended = [life for life in lives if end_of(life.last, case) <= owed.due_at]
    reason, observed = "none_accepted", "none was accepted"
    if ended:
        last, document, revoked = max(ended, key=lambda one: (one.last, *_issued(one)))
        reason = "none_accepted" if revoked else "expired"
        how = f"was revoked on {document.revoked_on}" if revoked else f"ran out on {last}"
        observed = f"the last accepted one, issued on {document.issued_on}, {how}"
    return Finding(
        answer=Answer.BROKEN,
        subject=owed.subject,
        reason=reason,
        at=owed.grace_until,
        expected=_expected(terms),
        observed=observed,
        clears="an accepted assessment",
        evidence=(f"obligation:{owed.slot}",),
        missing=("assessment",),
        cleared_at=owed.met_at,
    )


def _undecided(terms: Terms, case: Case, lives: Sequence[Life]) -> Iterator[Finding]:
    for one in case.documents:
        if one.kind != KIND or one.subject.kind != "license":
            continue
        if one.accepted is not None or one.revoked_on is not None:
            continue
        received = day_of(one.received_at, case)
        if _covered(lives, received) or _accepted_since(lives, one.issued_on):
            continue
        yield Finding(
            answer=Answer.NOT_ASSESSABLE,
            subject=Subject("license", case.license),
            reason="not_decided",
            at=max(one.received_at, _start(case)),
            expected=_expected(terms),
            observed=f"one issued on {one.issued_on} that nobody has decided about",
            clears="a decision whether the assessment is accepted",
            evidence=(one.id,),
            missing=("decision",),
            grade=one.grade,
        )


def _shipped_without(terms: Terms, case: Case, shipment: str, day: date) -> Finding:
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("license", case.license),
        reason="shipped_without",
        at=max(end_of(_day_before(day), case), _start(case)),
        expected=_expected(terms),
        observed=f"shipped on {day} without one",
        clears="an accepted assessment that covers that day, or a declaration that is corrected",
        evidence=(shipment,),
    )


def _changed(
    terms: Terms, heard: Sequence[Statement[Facts]], case: Case, lives: Sequence[Life]
) -> Iterator[Finding]:
    """Find reported changes that the assessment before them could not know of."""
    for statement in heard:
        changes = statement.facts.changes
        if not changes:
            continue
        told = day_of(statement.observed_at, case)
        before = _issued_before(lives, told)
        which = [one for one in changes if one.subject in terms.triggers]
        if not which or before is None:
            continue
        what = named(f"{one.subject} changed as of {one.effective_on}" for one in which)
        finding = broken(
            statement,
            subject=Subject("license", case.license),
            reason="trigger_since",
            expected="a new assessment when one of these changes",
            observed=f"{what}; assessed on {before}",
            clears=NEW_ONE,
        )
        yield replace(finding, cleared_at=_cleared(lives, told, statement.observed_at))


def _suspended(case: Case, lives: Sequence[Life]) -> Iterator[Finding]:
    """Find suspensions after which nothing was assessed yet."""
    for span in case.states:
        if span.state != "suspended" or span.since < _start(case):
            continue
        day = day_of(span.since, case)
        before = _issued_before(lives, day)
        if before is not None:
            yield Finding(
                answer=Answer.BROKEN,
                subject=Subject("license", case.license),
                reason="trigger_since",
                at=span.since,
                expected="a new assessment after a suspension",
                observed=f"suspended on {day}; assessed on {before}",
                clears=NEW_ONE,
                evidence=(f"state:{span.since.astimezone(UTC).isoformat()}",),
                cleared_at=_cleared(lives, day, span.since),
            )


def _issued_before(lives: Sequence[Life], day: date) -> date | None:
    """Say when the last one before that day was issued."""
    days = (one.document.issued_on for one in lives)
    return max((issued_on for issued_on in days if issued_on < day), default=None)


def _accepted_since(lives: Sequence[Life], day: date) -> list[Document]:
    """List those issued on that day or later, and not revoked since."""
    documents = (life.document for life in lives)
    return [one for one in documents if one.issued_on >= day and one.revoked_on is None]


def _cleared(lives: Sequence[Life], day: date, at: datetime) -> datetime | None:
    """Say when the first one issued on that day or later reached us."""
    reached = [one.received_at for one in _accepted_since(lives, day)]
    return max(min(reached), at) if reached else None


def _day_before(day: date) -> date:
    """Give the day before; there is none before the first of the calendar."""
    return date.fromordinal(max(day.toordinal() - 1, 1))


def _start(case: Case) -> datetime:
    """Say from when the condition counts."""
    return case.in_force_from or end_of(_day_before(case.granted_on), case)


def _expected(terms: Terms) -> str:
    return f"an accepted assessment {terms.max_age_days:,} days old at most"


MONITOR = Monitor(
    title="Human rights impact assessment",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    awaits=awaits,
    blocks_release=True,
    needs=frozenset({Need.DOCUMENTS, Need.SHIPMENTS, Need.STATES, Need.OBLIGATIONS}),
    how_to_check=(
        "Ask for the assessment in use, compare its date, site, operator, number of units and use "
        "with what you see, and ask which of the measures it promises were taken."
    ),
    what_to_see="The assessment on file, of this place and this use, and its measures in effect.",
)
