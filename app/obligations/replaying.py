"""Judges history again for one kind of condition: what was stated, what is on file, what was owed.

Nothing is stored unless asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from app import journal
from app.assessments import differences, dockets, replaying, rules, service
from app.assessments.differences import Comparison, Difference
from app.assessments.replaying import AT_ONCE, EVER, Span
from app.assessments.rules import Docket
from app.deviations import service as deviations
from app.deviations.rules import Found
from app.licenses import service as licenses
from app.licenses.models import License
from app.obligations import missed
from app.obligations.slicing import Task, Wanted

ACTOR = "system:replay"
ACTION = "monitor.replayed"


@dataclass(slots=True)
class Outcome:
    """What came of judging some history again."""

    license_id: int
    license: str
    statements: int = 0
    same: int = 0
    unclear: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(differences.CHANGES, 0))
    differences: list[Difference] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anything would change."""
        return any(self.counts.values())

    def add(self, compared: Comparison) -> None:
        """Count what a comparison showed."""
        self.same += compared.same
        self.unclear += compared.unclear
        self.counts[differences.APPEARED] += len(compared.appeared)
        self.counts[differences.CHANGED] += len(compared.changed)
        self.counts[differences.VANISHED] += len(compared.vanished)
        self.differences += compared.listed(self.license)


@dataclass(frozen=True, slots=True)
class _Replay:
    """One license, judged again; with `store`, what differs is recorded as it is found."""

    session: Session
    docket: Docket
    wanted: Wanted
    now: datetime
    at_once: int = AT_ONCE
    store: bool = False

    def compare(self, task: Task, outcome: Outcome) -> Iterator[Comparison]:
        """Compare what was stated with what is on record; with the first task all that was not."""
        kind, shadow = self.wanted.kind, self.wanted.shadow
        narrowed = replaying.alone(self.docket, kind, shadow=shadow)
        on_file = replaying.filed(self.session, narrowed, now=self.now)
        stated_at = differences.stated_at(self.session, on_file)
        if task.first:
            rest = [one for one in on_file if one.source not in stated_at]
            rest += missed.judged(self.session, narrowed, now=self.now)
            span = self.wanted.span
            within = [one for one in rest if span.holds(one.finding.at)]
            yield self._compared(within, span, stated=False)
        found = [one for one in on_file if one.source in stated_at]
        found = [one for one in found if task.span.holds(stated_at[one.source])]
        for portion in self._portions(task.span):
            outcome.statements += portion.statements
            found += portion.found
        yield self._compared(found, task.span, stated=True)

    def _portions(self, span: Span) -> Iterator[replaying.Portion]:
        return replaying.replayed(
            self.session,
            self.docket,
            self.wanted.kind,
            span=span,
            now=self.now,
            shadow=self.wanted.shadow,
            whole=self.store,
            at_once=self.at_once,
        )

    def _compared(self, found: Sequence[Found], span: Span, *, stated: bool) -> Comparison:
        """Compare findings of a span with what is on record."""
        broken, unclear = rules.divided(found)
        license_id, kind = self.docket.license_id, self.wanted.kind
        on_record = differences.recorded(self.session, license_id, kind, span, stated=stated)
        compared = differences.compared(broken, on_record)
        compared.unclear = len(unclear)
        if self.store:
            fresh = [*compared.appeared, *(one for _, one in compared.changed), *unclear]
            service.store(self.session, fresh, now=self.now)
        return compared


def judged(
    session: Session, task: Task, wanted: Wanted, *, now: datetime, at_once: int = AT_ONCE
) -> Outcome:
    """Judge the history of a task again, and say what would change. Nothing is stored."""
    # What is read of statements and of findings must be of one moment, beside a running intake.
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    license = session.get_one(License, task.license_id)
    outcome = Outcome(license.id, license.number)
    docket = dockets.one(session, license)
    for compared in _Replay(session, docket, wanted, now, at_once).compare(task, outcome):
        outcome.add(compared)
    return outcome


def store(
    session: Session, tasks: Sequence[Task], number: str, wanted: Wanted, *, now: datetime
) -> Outcome:
    """Judge the history of one license again while holding it, and store what differs.

    What is found anew or otherwise is recorded, what is not found any more withdrawn, and what
    cannot be assessed noted. Findings that are the same stay as they were recorded.
    """
    assert not wanted.shadow, "a version in shadow is released before it is stored"
    license = licenses.locked(session, number, party=None)
    outcome = Outcome(license.id, number)
    docket = dockets.one(session, license)
    replay, gone = _Replay(session, docket, wanted, now, store=True), []
    for task in tasks:
        for compared in replay.compare(task, outcome):
            outcome.add(compared)
            gone += [(one.deviation_id, one.source) for one in compared.vanished]
    deviations.withdraw(session, gone, now=now)
    if outcome.differs:
        _tell(session, docket, wanted, outcome, now)
    return outcome


def _tell(
    session: Session, docket: Docket, wanted: Wanted, outcome: Outcome, now: datetime
) -> None:
    span = wanted.span
    journal.append(
        session,
        actor=ACTOR,
        action=ACTION,
        subject=f"license:{docket.license}",
        party=docket.exporter,
        body={
            "kind": wanted.kind,
            "version": wanted.version,
            "from": span.since.isoformat() if span.since > EVER.since else None,
            "until": span.until.isoformat() if span.until < EVER.until else None,
            "statements": outcome.statements,
            "same": outcome.same,
            "not_assessable": outcome.unclear,
        }
        | outcome.counts,
        now=now,
    )
