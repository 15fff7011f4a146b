"""Party standing: nobody on the license, and no owner of them, is on a published list.

**What it means.** The parties were compared with the lists of sanctioned and denied persons before
the license was granted. Lists change afterwards: a consignee is listed, or bought by somebody who
is, and the goods are already there. So every party, in whatever role and the exporter too, is
compared with the lists again and again. A match of names is only a possible match until somebody
decides whether it is the same person.

**Terms.** `lists` (codes of the published lists, one at least, capitals make no difference),
`rescreen_days` (days from one comparison with all of the lists to the next, default 180).

**Broken** when a party of the license, or an owner of it, is on one of the lists by a confirmed
match and goods have been shipped (`party_listed`); and when it was found before the first shipment
(`party_listed_before_shipment`): nothing has been misused yet, and nothing should be shipped. If
something is shipped after all, both stand. A match found on the day of the first shipment, or later,
counts as found after it. When the condition is about some lines of the license, only their
shipments count.

**Not assessable** when nobody has decided whether a match is the same person (`hit_unconfirmed`); or
when a party was not compared with all of the lists by the end of the last day allowed, counted from
its last comparison or from the day the condition took effect, whichever is later
(`screening_stale`). One comparison may cover some of the lists and another the rest; the older of
them counts. A match dismissed as somebody else, with a list not in the terms, or of a party not on
the license is not about this condition.

**Source.** Lists of Parties of Concern of the Bureau of Industry and Security (Entity List, Denied
Persons List, Unverified List), where a match calls for a closer look before going on. Owners count
because entities owned by blocked persons are blocked: OFAC, Revised Guidance on Entities Owned by
Persons Whose Property and Interests in Property Are Blocked, 13 August 2014. The 180 days are a
default, not a rule from outside.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Annotated

from pydantic import Field

from monitors._contract import (
    Answer,
    Awaited,
    Case,
    FactsModel,
    Finding,
    Monitor,
    Need,
    Obligation,
    ScreeningHit,
    Severity,
    Statement,
    Subject,
    TermsModel,
)
from monitors._deadlines import day_of, days_after, end_of
from monitors._facts import TellingWords, named


class Terms(TermsModel):
    """Which lists the parties are compared with, and how often."""

    lists: Annotated[TellingWords, Field(min_length=1)]
    """Codes of the published lists."""
    rescreen_days: Annotated[int, Field(ge=1, le=36_525)] = 180
    """Days from one comparison with all of the lists to the next, at most."""

    @cached_property
    def names(self) -> str:
        """The lists, for a sentence."""
        return named(self.lists)


class Facts(FactsModel):
    """It reads none: comparisons with the lists and their matches are on file."""


def awaits(terms: Terms, case: Case) -> Iterator[Awaited]:
    """Every party is to be compared with all of the lists again, some days after the last time."""
    start = _start(case)
    for party in sorted(_parties(case)):
        last = _compared(terms, case, party)
        since = start if last is None else max(last, start)
        due_at = end_of(days_after(day_of(since, case), terms.rescreen_days), case)
        yield Awaited(Subject("party", party), due_at, due_at, since=since)


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],  # noqa: ARG001 - matches are on file, nobody states them
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Find comparisons that did not come, then matches with the lists."""
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _stale(terms, obligation)
    if not case.hits:
        return
    lists, parties, shipped = frozenset(terms.lists), _parties(case), _first_shipped(case)
    for hit in case.hits:
        if hit.list.lower() not in lists or hit.party not in parties or hit.confirmed is False:
            continue
        if hit.confirmed is None:
            yield _unconfirmed(terms, case, hit)
            continue
        if shipped is None or hit.screened_at < shipped:
            yield _listed(terms, case, hit, "party_listed_before_shipment", _listed_from(hit, case))
        if shipped is not None:
            yield _listed(terms, case, hit, "party_listed", max(_listed_from(hit, case), shipped))


def _parties(case: Case) -> set[str]:
    """Name everybody on the license once, in whatever role."""
    parties = {party.reference for party in case.parties}
    return parties | {case.exporter} if case.exporter else parties


def _compared(terms: Terms, case: Case, party: str) -> datetime | None:
    """Say since when every list has been compared with: the oldest of each list's latest time."""
    latest: dict[str, datetime] = {}
    for screening in case.screenings:
        if screening.party == party:
            for one in screening.lists:
                known = latest.setdefault(one.lower(), screening.screened_at)
                latest[one.lower()] = max(known, screening.screened_at)
    if not latest.keys() >= set(terms.lists):
        return None
    return min(latest[one] for one in terms.lists)


def _first_shipped(case: Case) -> datetime | None:
    """Say when the day of the first shipment began."""
    days = [one.shipped_on for one in case.shipments if not case.lines or one.line in case.lines]
    return _begin(min(days), case) if days else None


def _listed_from(hit: ScreeningHit, case: Case) -> datetime:
    """Say since when the party is known to be on the list."""
    if hit.listed_on is None:
        return hit.screened_at
    return min(_begin(hit.listed_on, case), hit.screened_at)


def _begin(day: date, case: Case) -> datetime:
    """Give the moment a day begins where the license counts; there is none before the first."""
    return end_of(date.fromordinal(max(day.toordinal() - 1, 1)), case)


def _start(case: Case) -> datetime:
    """Say from when the condition counts."""
    return case.in_force_from or _begin(case.granted_on, case)


def _stale(terms: Terms, obligation: Obligation) -> Finding:
    """Name the day the comparison was due; that does not change while it stays away."""
    return Finding(
        answer=Answer.NOT_ASSESSABLE,
        subject=obligation.subject,
        reason="screening_stale",
        at=obligation.grace_until,
        expected=f"compared with {terms.names} every {terms.rescreen_days:,} days",
        observed=f"not compared again by {obligation.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        clears="a comparison of the party with all of these lists",
        evidence=(f"obligation:{obligation.slot}",),
        missing=("screening",),
        cleared_at=obligation.met_at,
    )


def _unconfirmed(terms: Terms, case: Case, hit: ScreeningHit) -> Finding:
    return Finding(
        answer=Answer.NOT_ASSESSABLE,
        subject=Subject("party", hit.party),
        reason="hit_unconfirmed",
        at=max(hit.screened_at, _start(case)),
        expected=f"on none of {terms.names}",
        observed=f"a possible match of {_who(hit)} with entry {hit.entry} of {hit.list}",
        clears="a decision whether it is the same person, with its ground",
        evidence=(hit.id,),
        missing=("decision",),
    )


def _listed(terms: Terms, case: Case, hit: ScreeningHit, reason: str, since: datetime) -> Finding:
    day = f" since {hit.listed_on.isoformat()}" if hit.listed_on else ""
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("party", hit.party),
        reason=reason,
        at=max(since, _start(case)),
        expected=f"on none of {terms.names}",
        observed=f"{_who(hit)} is on {hit.list}{day}, entry {hit.entry}",
        clears=(
            "the party taken off the list or off the license, and an account of the goods it holds"
            if reason == "party_listed"
            else "the party taken off the list or off the license before anything is shipped"
        ),
        evidence=(hit.id,),
    )


def _who(hit: ScreeningHit) -> str:
    return f"{hit.owner}, an owner of it," if hit.owner else "the party"


MONITOR = Monitor(
    title="Party standing",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    awaits=awaits,
    owed_by=("authority",),
    confidential=True,
    needs=frozenset({Need.PARTIES, Need.SCREENING, Need.OBLIGATIONS, Need.SHIPMENTS}),
    how_to_check=(
        "Ask for an extract from the company register and the names of the owners, and compare the "
        "party and each owner, with their addresses, with the lists of the day."
    ),
    what_to_see="The party and the owners the license knows, and none of them on a list.",
)
