"""Judges history again for one kind of condition, a portion at a time, and stores nothing.

A portion is judged by itself: what its monitor must hear from before it is fetched. So memory stays
flat however long history is, and the slices of one license can be judged by different processes.
Statements of one moment, and of one report, stay together.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.assessments import files, rules, service, statements, strangers
from app.assessments.rules import Docket, Ruling
from app.assessments.service import Hearing
from app.deviations.rules import Found
from app.licenses.rules import in_force
from monitors import Statement, Subject

AT_ONCE = 4_000
"""Statements judged together; more cost memory, fewer cost queries."""
HELD_TOGETHER = 20 * AT_ONCE
"""Statements after which a report that goes on and on is divided all the same."""


class Span(NamedTuple):
    """A time from one moment on, until just before another."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        """Say whether a moment lies in it."""
        return self.since <= moment < self.until


EVER = Span(datetime(1000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


class Portion(NamedTuple):
    """What was found in some statements, and how many there were."""

    statements: int
    found: list[Found]


def alone(docket: Docket, kind: str, *, shadow: bool = False) -> Docket:
    """Keep the conditions of one kind, judged by the present version, or by the one in shadow."""
    return replace(
        docket,
        rulings={
            key: tuple(_judged_by(one, shadow=shadow) for one in versions)
            for key, versions in docket.rulings.items()
            if versions[0].kind == kind
        },
    )


def _judged_by(ruling: Ruling, *, shadow: bool) -> Ruling:
    monitor = ruling.shadow if shadow and ruling.shadow is not None else ruling.monitor
    return replace(ruling, monitor=monitor, shadow=None)


def facts_read(docket: Docket) -> frozenset[str] | None:
    """Name the facts that the conditions of a docket read; None means whatever is stated."""
    rulings = [one for versions in docket.rulings.values() for one in versions]
    if any(one.monitor.any_fact for one in rulings):
        return None
    return frozenset[str]().union(*[one.facts for one in rulings])


def hears(docket: Docket) -> bool:
    """Say whether the conditions of a docket judge statements at all."""
    return facts_read(docket) != frozenset()


def replayed(
    session: Session,
    docket: Docket,
    kind: str,
    *,
    span: Span = EVER,
    now: datetime,
    shadow: bool = False,
    whole: bool = False,
    at_once: int = AT_ONCE,
) -> Iterator[Portion]:
    """Judge the statements of a span again for one kind, in order of time.

    Only the facts the kind reads are loaded. A finding's digest covers all that a statement says, so
    what is to be stored must be judged `whole`.
    """
    narrowed = alone(docket, kind, shadow=shadow)
    if not hears(narrowed):
        return
    # The latest of a thousand readings is the first of an index, never a sort of them all; which
    # the planner does not know, and takes 45 times as long for what monitors hear from before.
    session.execute(text("SET LOCAL enable_sort = off"))
    units = statements.units_of(session, [docket.license_id]).get(docket.license_id, {})
    heard = _stream(session, narrowed, span, at_once, whole=whole)
    together = reports_at_several_times(session, docket.license_id)
    for said in _portions(heard, together, at_once):
        found = service.found_in(session, [Hearing(narrowed, said, units)], now=now)
        yield Portion(len(said), found)
    if kind == strangers.KIND:
        yield from _of_strangers(session, narrowed, units, span, now)


def _of_strangers(
    session: Session, docket: Docket, units: statements.Units, span: Span, now: datetime
) -> Iterator[Portion]:
    """Judge what was said about units that the license did not know."""
    said = [
        statements.dress(row, Subject("unit", row.serial))
        for row in session.execute(_STRANGE, {"license": docket.license_id} | span._asdict())
    ]
    found: list[Found] = []
    for ruling in (one for versions in docket.rulings.values() for one in versions if said):
        found += rules.put(docket, ruling, said, rules.case_of(docket, ruling, units=units), now)
    if said:
        yield Portion(len(said), found)


def filed(session: Session, docket: Docket, *, now: datetime) -> list[Found]:
    """Judge what is on file now, by the conditions of a docket that look at the file."""
    found: list[Found] = []
    for versions in docket.rulings.values():
        ruling = in_force(versions, now)
        if ruling is not None and ruling.monitor.needs & files.FILED:
            case = service.file_case(session, docket, ruling, now)
            found += rules.put(docket, ruling, (), case, now)
    return found


_READ = """
(SELECT jsonb_object_agg(n.name, facts -> n.name)
 FROM unnest(CAST(:names AS text[])) AS n(name) WHERE facts ? n.name)::text
"""
_STREAM = """
SELECT * FROM (
    SELECT serial, 'unit' AS subject_kind, observed_at, observed_at AS captured_at, received_at,
           'reading' AS source_kind, grade, said_by, NULL AS mode, NULL AS report, 0 AS number,
           {facts} AS facts
    FROM readings
    WHERE license_id = :license AND observed_at >= :since AND observed_at < :until AND {states}
    UNION ALL
    SELECT subject, subject_kind, observed_at, captured_at, received_at, source_kind, grade,
           said_by, mode, report_id::text, number, {facts}
    FROM statements
    WHERE license_id = :license AND observed_at >= :since AND observed_at < :until
      AND superseded_at IS NULL AND {states}
) both_kinds ORDER BY observed_at, serial COLLATE "C", report NULLS FIRST, number
"""
_EVERYTHING = text(_STREAM.format(facts="facts::text", states="true"))
_WHOLE = text(_STREAM.format(facts="facts::text", states="facts ?| CAST(:names AS text[])"))
_PROJECTED = text(_STREAM.format(facts=_READ, states="facts ?| CAST(:names AS text[])"))

_STRANGE = text("""
SELECT serial, 'unit' AS subject_kind, observed_at, observed_at AS captured_at, received_at,
       'reading' AS source_kind, grade, said_by, NULL AS mode, NULL AS report, 0 AS number,
       facts::text AS facts
FROM strange_readings
WHERE license_id = :license AND observed_at >= :since AND observed_at < :until
ORDER BY observed_at, serial COLLATE "C"
""")


def _stream(
    session: Session, docket: Docket, span: Span, at_once: int, *, whole: bool
) -> Iterator[Statement[Any]]:
    """Read statements through a cursor of the server, in order of when they were true."""
    asked: dict[str, Any] = {"license": docket.license_id} | span._asdict()
    query, names = _EVERYTHING, facts_read(docket)
    if names is not None:
        query, asked["names"] = (_WHOLE if whole else _PROJECTED), sorted(names)
    subjects: dict[tuple[str, str], Subject] = {}
    rows = session.execute(
        query, asked, execution_options={"stream_results": True, "max_row_buffer": at_once}
    )
    for row in rows:
        key = row.subject_kind, row.serial
        subject = subjects.get(key)
        if subject is None:
            subject = subjects[key] = Subject(*key)
        yield statements.dress(row, subject)


def _portions(
    heard: Iterable[Statement[Any]], together: Sequence[Span], at_once: int
) -> Iterator[list[Statement[Any]]]:
    """Divide statements, but not those of one moment nor those of one report."""
    portion: list[Statement[Any]] = []
    for one in heard:
        full = len(portion) >= at_once and one.observed_at != portion[-1].observed_at
        if full and (len(portion) >= HELD_TOGETHER or within(together, one.observed_at) is None):
            yield portion
            portion = []
        portion.append(one)
    if portion:
        yield portion


_SEVERAL_TIMES = text("""
SELECT min(observed_at) AS since, max(observed_at) AS until
FROM statements WHERE license_id = :license AND superseded_at IS NULL
GROUP BY report_id HAVING min(observed_at) < max(observed_at) ORDER BY 1
""")


def reports_at_several_times(session: Session, license_id: int) -> list[Span]:
    """List from when until when reports speak that speak of several moments, merged."""
    merged: list[Span] = []
    for row in session.execute(_SEVERAL_TIMES, {"license": license_id}):
        if merged and row.since <= merged[-1].until:
            merged[-1] = Span(merged[-1].since, max(merged[-1].until, row.until))
        else:
            merged.append(Span(row.since, row.until))
    return merged


def within(together: Sequence[Span], moment: datetime) -> Span | None:
    """Find the report, if any, that a cut just before a moment would divide."""
    index = bisect_left(together, moment, key=lambda span: span.since) - 1
    return together[index] if index >= 0 and moment <= together[index].until else None
