"""Divides history into slices that are judged each by itself, so that many can share the work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.assessments import replaying
from app.assessments.replaying import EVER, Span
from app.assessments.statements import INSTANT
from app.database import Sessions, array
from monitors import catalogue

SLICE = 20_000
"""Statements of one license that make a task."""
PAGE = 500
"""Licenses looked at together."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which history is judged again: of a kind, in a span, on one license or on all."""

    kind: str
    span: Span = EVER
    license: str | None = None
    shadow: bool = False

    @property
    def version(self) -> int:
        """The version of the monitor that judges."""
        words = catalogue()
        return (words.shadows if self.shadow else words.monitors)[self.kind].version


@dataclass(frozen=True, slots=True)
class Task:
    """A slice of one license's time; the first of a license takes what nobody stated with it."""

    license_id: int
    span: Span
    first: bool
    statements: int


_LICENSES = text("""
SELECT id FROM licenses l
WHERE id > :after AND (CAST(:license AS text) IS NULL OR number = :license)
  AND (:standing OR EXISTS (SELECT FROM conditions c WHERE c.license_id = l.id AND c.kind = :kind))
ORDER BY id LIMIT :page
""")
_SLICES = text("""
WITH said AS (
    SELECT license_id, date_bin('10 minutes', observed_at, 'epoch') AS bin FROM readings
    WHERE license_id = ANY(CAST(:ids AS bigint[]))
      AND observed_at >= :since AND observed_at < :until
    UNION ALL
    SELECT license_id, date_bin('10 minutes', observed_at, 'epoch') FROM statements
    WHERE license_id = ANY(CAST(:ids AS bigint[])) AND superseded_at IS NULL
      AND observed_at >= :since AND observed_at < :until
), counted AS (
    SELECT license_id, bin, count(*) AS many FROM said GROUP BY license_id, bin
), numbered AS (
    SELECT *, (sum(many) OVER (PARTITION BY license_id ORDER BY bin) - many)::bigint / :slice AS nth
    FROM counted
)
SELECT license_id, min(bin) AS since, sum(many)::bigint AS many FROM numbered
GROUP BY license_id, nth ORDER BY license_id, nth
""")


def planned(sessions: Sessions, wanted: Wanted, *, slice: int = SLICE) -> Iterator[Task]:
    """Divide history into tasks of about `slice` statements, license by license in order of time."""
    monitor = catalogue()[wanted.kind]
    heard = monitor.any_fact or monitor.reads is not None or bool(monitor.fact_names)
    asked = {"license": wanted.license, "kind": wanted.kind, "standing": monitor.standing}
    after = 0
    while True:
        with sessions() as session:
            # Counting the history of hundreds of licenses may take longer than a request may.
            session.execute(text("SET LOCAL statement_timeout = 0"))
            ids = session.scalars(_LICENSES, asked | {"after": after, "page": PAGE}).all()
            found = list(_tasks(session, ids, wanted.span, slice if heard else 0))
        yield from found
        if len(ids) < PAGE:
            return
        after = ids[-1]


def _tasks(session: Session, ids: Sequence[int], span: Span, slice: int) -> Iterator[Task]:
    begun: dict[int, list[tuple[datetime, int]]] = {id: [] for id in ids}
    if slice:
        asked = {"ids": array(ids), "slice": slice} | span._asdict()
        for row in session.execute(_SLICES, asked):
            begun[row.license_id].append((row.since, row.many))
    for id, slices in begun.items():
        yield from _of_license(session, id, span, slices)


def _of_license(
    session: Session, id: int, span: Span, slices: list[tuple[datetime, int]]
) -> Iterator[Task]:
    """Give the slices of a license: without gaps, and none dividing a report."""
    together = replaying.reports_at_several_times(session, id)
    first = replaying.within(together, span.since)
    last = replaying.within(together, span.until)
    cuts = [first.since if first else span.since]
    many = [0]
    for since, statements in slices:
        if since > cuts[-1] and many[-1] and replaying.within(together, since) is None:
            cuts.append(since)
            many.append(0)
        many[-1] += statements
    cuts.append(last.until + INSTANT if last else span.until)
    for number, (since, until) in enumerate(pairwise(cuts)):
        yield Task(id, Span(since, until), number == 0, many[number])
