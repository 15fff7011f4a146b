"""Incident notification: a loss or theft is told at once, by those who are bound to tell it.

**What it means.** What is lost today can be sold tomorrow; every day counts for getting it back.
Whoever learns that a unit is lost or stolen, or that a site was broken into, says so within so many
hours. A loss that an inspector comes upon has been kept quiet, or nobody was looking. *Those who
tell* are the exporter and the other parties on the license, by any report but a device's reading.

**Terms.** `within_hours` (hours from learning of the incident until we have been told, default 72).

**Broken** when the incident was told later than that (`told_late`; exactly at the limit is kept), or
a unit is lost or stolen by what an inspection, a third party or a custody event by others says, and
it had not been told by then (`found_not_told`). Telling counts when it reaches us: before the
inspector looked, or before the word of the others came. What is told after that was found all the
same, however soon it comes: what the exporter meant to tell is for the reviewer to weigh.

To tell an incident again that was told in time is not late. A loss counts as told while the unit was
not said to be anywhere since. Lost and stolen are one: who told of a loss need not know of the
thief. A unit *destroyed* is told late like any other incident, but not found: that it is gone may
be its planned end, which the condition on disposal judges. An incident that is no loss, stated by
others with the time the exporter learned of it, is found if nobody had told of one since. Of such
incidents only the last that a party told of the subject, in each kind of report, is looked back on.

**Not assessable** when a loss or theft is told for the first time without saying when it became
known (`known_at_not_told`): the time of the observation is none of learning of it, which may have
been long before or after; when it became known after it was told (`known_after_told`; clocks may
differ by ten minutes); or when it was due before these terms were in force (`due_before_terms`).

**Source.** Firearms licensees report a theft or loss within 48 hours of discovering it
(27 CFR 478.39a); a breach of personal data is notified within 72 hours of becoming aware of it
(Regulation (EU) 2016/679, article 33). 72 hours is the default of the field.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from monitors._contract import (
    Answer,
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
    not_assessable,
)
from monitors._facts import DispositionFact, fact

GONE = frozenset({"lost", "stolen"})
INSPECTION, DEVICE = "inspection", "reading"
SILENT = frozenset({INSPECTION, "third_party", DEVICE})
"""Kinds of source by which nobody tells of an incident of his own."""
CLOCKS_DIFFER = timedelta(minutes=10)
"""How far apart clocks may be, as at the door where reports come in."""

RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _written_instant(value: Any) -> Any:
    """Take a time or its RFC 3339 text alone: a number might count seconds or milliseconds."""
    if isinstance(value, datetime) or (isinstance(value, str) and RFC_3339.fullmatch(value)):
        return value
    raise ValueError("a time is written as YYYY-MM-DDThh:mm:ss with its zone, Z or +hh:mm")


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time outside the years 1 to 9999 in UTC") from error


Instant = Annotated[AwareDatetime, BeforeValidator(_written_instant), AfterValidator(_utc)]
"""A time with its zone, in JSON after RFC 3339; kept in UTC."""


class Terms(TermsModel):
    """How soon an incident is told."""

    within_hours: Annotated[int, Field(ge=1, le=8784)] = 72
    """Hours from learning of the incident until we have been told."""


class Facts(FactsModel):
    """What it reads."""

    incident_known_at: Annotated[
        Instant | None,
        fact(
            "When did the exporter or the end user learn of the incident?",
            unit="time with zone",
            scopes=("unit", "site"),
        ),
    ] = None
    disposition: DispositionFact = None


Said = Statement[Facts]


def hears(terms: Terms) -> Hears:  # noqa: ARG001 - however soon it must be told
    """Hear what was told of the subject before; what became of units is in the custody file."""
    return Hears(every=True, stating="incident_known_at")


def evaluate(
    terms: Terms,
    heard: Sequence[Said],
    case: Case,
    moment: datetime,  # noqa: ARG001 - what had been told by then does not change with time
) -> Iterator[Finding]:
    """Judge what statements say, then the losses on file that were not among them."""
    said = [one for one in heard if _speaks(one.facts)]
    if not said and not case.custody:
        return
    file = _File(case)
    for statement in said:
        if statement.id not in file.corrected:
            yield from _judge(terms, statement, file)
            file.take(statement)
    judged = {one.id for one in said}
    for event in case.custody:
        if event.id not in judged and file.shows(event) and not file.told(event, _found_at(event)):
            yield _found(event, Subject("unit", event.serial))


def _speaks(facts: Facts) -> bool:
    return facts.disposition is not None or facts.incident_known_at is not None


def _event(statement: Said) -> CustodyEvent:
    """Read a statement as the event it tells of, under the same id."""
    return CustodyEvent(
        id=statement.id,
        serial=statement.subject.reference,
        at=statement.observed_at,
        received_at=statement.received_at,
        source=statement.source,
        disposition=statement.facts.disposition,
    )


def _found_at(event: CustodyEvent) -> datetime:
    """Say until when it could have been told: an inspector looks, the word of others comes in."""
    return event.at if event.source.kind == INSPECTION else event.received_at


class _File:
    """Who said what, as far as the statement now judged may look back on it."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._tellers = {case.exporter, *(party.reference for party in case.parties)} - {""}
        self._events: dict[str, dict[str, CustodyEvent]] = {}
        self._incidents: dict[Subject, dict[str, Said]] = {}
        self.corrected = {event.id for event in case.custody if event.corrected}
        for event in case.custody:
            self._file(event)
        for statement in case.earlier:
            if _speaks(statement.facts):
                self.take(statement)

    def take(self, statement: Said) -> None:
        """Take in a statement that those after it may look back on."""
        self._file(_event(statement))
        if statement.facts.incident_known_at is not None:
            self._incidents.setdefault(statement.subject, {})[statement.id] = statement

    def _file(self, event: CustodyEvent) -> None:
        if event.disposition and event.source.kind != DEVICE and event.id not in self.corrected:
            self._events.setdefault(event.serial, {})[event.id] = event

    def tells(self, source: Source) -> bool:
        """Say whether it is one of those who are bound to tell."""
        return source.by in self._tellers and source.kind not in SILENT

    def shows(self, event: CustodyEvent) -> bool:
        """Say whether an event on file is a loss, by others, under these terms and on their lines."""
        since, lines = self._case.in_force_from, self._case.lines
        unit = self._case.units.get(event.serial)
        return (
            event.disposition in GONE
            and event.id not in self.corrected
            and not (event.source.kind == DEVICE or self.tells(event.source))
            and not (since and event.at < since)
            and (not lines or (unit is not None and unit.line in lines))
        )

    def told(self, event: CustodyEvent, by: datetime, *, before: bool = False) -> bool:
        """Say whether we had been told by a time (or before it) that the unit is lost or stolen.

        Not if by then it was said to be anywhere else since.
        """
        known = [
            one
            for one in self._events.get(event.serial, {}).values()
            if one.received_at < by or (one.received_at == by and not before)
        ]
        back = [one.at for one in known if one.disposition not in GONE and one.at < event.at]
        since = max(back, default=None)
        return any(
            one.disposition in GONE and self.tells(one.source) and (since is None or one.at > since)
            for one in known
        )

    def incidents(self, statement: Said, by: datetime) -> list[Said]:
        """List what had been told by a time of incidents of the same subject."""
        return [
            one
            for one in self._incidents.get(statement.subject, {}).values()
            if one.received_at <= by and self.tells(one.source)
        ]

    def precede_terms(self, limit: datetime) -> bool:
        """Say whether it was due before the terms were in force."""
        since = self._case.in_force_from
        return since is not None and limit < since


def _judge(terms: Terms, statement: Said, file: _File) -> Iterator[Finding]:
    """Judge a telling by when it came, and what others say by what had been told."""
    event, device = _event(statement), statement.source.kind == DEVICE
    known_at = None if device else statement.facts.incident_known_at
    gone = event.disposition in GONE
    if not (device or file.tells(statement.source)):
        if not _had_been_told(statement, file):
            yield _found(event, statement.subject)
    elif known_at is not None:
        yield from _timed(terms, statement, known_at, file)
    elif gone and not file.told(event, event.received_at, before=True):
        observed = f"{event.disposition}, but not since when that is known"
        yield _unclear(terms, statement, "known_at_not_told", observed)


def _had_been_told(statement: Said, file: _File) -> bool:
    """Say whether what others say had been told by then, or is nothing to be told."""
    event, known_at = _event(statement), statement.facts.incident_known_at
    until = _found_at(event)
    if event.disposition in GONE:
        return file.told(event, until)
    if known_at is None:
        return True
    told = file.incidents(statement, until)
    return any(
        one.received_at >= known_at or one.facts.incident_known_at == known_at for one in told
    )


def _timed(terms: Terms, statement: Said, known_at: datetime, file: _File) -> Iterator[Finding]:
    """Compare when we were told with when it was known, unless it had been told in time before."""
    try:
        limit = known_at + timedelta(hours=terms.within_hours)
    except OverflowError:
        limit = datetime.max.replace(tzinfo=UTC)
    came = statement.received_at
    observed = f"told at {_minute(came)}, known since {_minute(known_at)}"
    if known_at - came > CLOCKS_DIFFER:
        yield _unclear(terms, statement, "known_after_told", observed)
    elif came > limit and not _told_in_time(statement, limit, file):
        if file.precede_terms(limit):
            yield _unclear(terms, statement, "due_before_terms", observed)
        else:
            yield _late(terms, statement, observed)


def _told_in_time(statement: Said, limit: datetime, file: _File) -> bool:
    """Say whether this incident, or this loss, had been told within the limit."""
    facts = statement.facts
    same = (one.facts.incident_known_at for one in file.incidents(statement, limit))
    return facts.incident_known_at in same or (
        facts.disposition in GONE and file.told(_event(statement), limit)
    )


def _late(terms: Terms, statement: Said, observed: str) -> Finding:
    return broken(
        statement,
        reason="told_late",
        expected=_expected(terms),
        observed=observed,
        clears="an account of the delay, and of what is done to find the unit",
    )


def _found(event: CustodyEvent, subject: Subject) -> Finding:
    what = event.disposition if event.disposition in GONE else "an incident"
    return Finding(
        answer=Answer.BROKEN,
        subject=subject,
        reason="found_not_told",
        at=event.at,
        expected="a loss, theft or other incident told before others find it",
        observed=f"{what}, not told by {_minute(_found_at(event))}",
        clears="a report of the incident, and an account of why it was not told",
        evidence=(event.id,),
        grade=event.source.grade,
    )


def _unclear(terms: Terms, statement: Said, reason: str, observed: str) -> Finding:
    return not_assessable(
        statement,
        reason=reason,
        expected=_expected(terms),
        observed=observed,
        missing=("incident_known_at",),
        clears="a report that says when the incident became known, with what shows it",
    )


def _expected(terms: Terms) -> str:
    return f"an incident told within {terms.within_hours:,} hours of becoming known"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


MONITOR = Monitor(
    title="Incident notification",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    hears=hears,
    needs=frozenset({Need.CUSTODY, Need.PARTIES, Need.UNITS}),
    how_to_check=(
        "Account for every unit by its serial number; for one that is not there, read the site's "
        "incident log, police report and insurance claim, and note the day and hour somebody first "
        "knew of it."
    ),
    what_to_see=(
        "Every unit in its place, or an incident report on file that reached us within the hours "
        "allowed after the first entry in the site's own log."
    ),
)
