"""Keeps what was stated, and hears it again as far back as a monitor asks."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, cast
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import Table, TextClause, insert, select, text, update
from sqlalchemy.orm import Session

from app.assessments.models import StatementRow
from app.database import array
from monitors import Grade, Source, Statement, Subject, Unit, catalogue

LONGEST = timedelta(days=3660)
INSTANT = timedelta(microseconds=1)
READING = "reading"
METRES_PER_DEGREE = 111_194.9
"""Of a meridian of the sphere of 6,371 km."""
STATEMENTS = cast("Table", StatementRow.__table__)


def _collected(found: str) -> str:
    """Let a query answer with one JSON text: a thousand rows column by column cost more."""
    return f"""
SELECT coalesce(json_agg(json_build_array(
    license_id, subject_kind, serial, observed_at, captured_at, received_at,
    json_build_array(source_kind, grade, said_by, mode), report, number, facts
)), '[]')::text FROM ({found}) found
"""  # noqa: S608 made of the constants below


_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


@cache
def _together(queries: tuple[str, ...]) -> TextClause:
    """Put several such queries into one, for one way to the database; each has names of its own."""
    parts = (_PARAMETER.sub(rf":\1_{at}", query) for at, query in enumerate(queries))
    return text(f"SELECT {', '.join(f'({part})' for part in parts)}")


_BEFORE = _collected("""
SELECT DISTINCT q.license_id, q.subject_kind, q.serial, s.*
FROM unnest(CAST(:licenses AS bigint[]), CAST(:kinds AS text[]), CAST(:subjects AS text[]),
            CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[]))
     AS q(license_id, subject_kind, serial, since, until)
CROSS JOIN LATERAL (
    SELECT * FROM (
        (SELECT observed_at, observed_at AS captured_at, received_at, 'reading' AS source_kind,
                grade, said_by, NULL AS mode, NULL AS report, 0 AS number, facts
         FROM readings r
         WHERE q.subject_kind = 'unit' AND r.license_id = q.license_id AND r.serial = q.serial
           AND r.observed_at >= q.since AND r.observed_at <= q.until
           AND (:stating = '' OR r.facts ? :stating)
         ORDER BY r.observed_at DESC LIMIT 1)
        UNION ALL
        (SELECT observed_at, captured_at, received_at, source_kind, grade, said_by, mode,
                report_id::text, number, facts
         FROM statements t
         WHERE t.license_id = q.license_id AND t.subject = q.serial AND t.subject_kind = q.subject_kind
           AND t.superseded_at IS NULL
           AND t.observed_at >= q.since AND t.observed_at <= q.until
           AND (:stating = '' OR t.facts ? :stating)
         ORDER BY t.observed_at DESC, t.report_id DESC, t.number DESC LIMIT 1)
    ) both_kinds ORDER BY observed_at DESC, report DESC NULLS LAST LIMIT 1
) s
""")

_BEFORE_APART = """
WITH q AS (
    SELECT * FROM unnest(CAST(:licenses AS bigint[]), CAST(:kinds AS text[]),
                         CAST(:subjects AS text[]), CAST(:since AS timestamptz[]),
                         CAST(:until AS timestamptz[]){arrays})
         AS q(license_id, kind, subject, since, until{columns})
), said AS MATERIALIZED (
    SELECT DISTINCT ON (q.license_id, q.kind, q.subject, q.until, t.source_kind, t.said_by)
           q.license_id, q.kind, q.subject, t.observed_at, t.captured_at, t.received_at,
           t.source_kind, t.grade, t.said_by, t.mode, t.report_id::text, t.number, t.facts
    FROM q JOIN statements t ON t.license_id = q.license_id AND t.subject = q.subject
         AND t.subject_kind = q.kind AND t.superseded_at IS NULL
         AND t.observed_at >= q.since AND t.observed_at <= q.until
         AND (:stating = '' OR t.facts ? :stating)
    ORDER BY q.license_id, q.kind, q.subject, q.until, t.source_kind, t.said_by,
             t.observed_at DESC, t.report_id DESC, t.number DESC
)
SELECT q.license_id, q.kind AS subject_kind, q.subject AS serial, r.*
FROM q CROSS JOIN LATERAL (
    SELECT observed_at, observed_at AS captured_at, received_at, 'reading' AS source_kind,
           grade, said_by, NULL AS mode, NULL AS report, 0 AS number, facts
    FROM readings r
    WHERE q.kind = 'unit' AND r.license_id = q.license_id AND r.serial = q.subject
      AND r.observed_at >= q.since AND r.observed_at <= q.until
      AND (:stating = '' OR r.facts ? :stating)
    ORDER BY r.observed_at DESC LIMIT 1
) r
WHERE {heard}
UNION ALL
SELECT * FROM said
"""
_UNLESS_ALIKE = """
q.said_by IS DISTINCT FROM r.said_by
OR (q.license_id, q.kind, q.subject) IN (SELECT license_id, kind, subject FROM said)
"""
_MOVED = """
OR (abs(q.lat - CAST(r.facts #>> '{position,lat}' AS float8))
    + abs(q.lon - CAST(r.facts #>> '{position,lon}' AS float8))) * :metres_per_degree
   >= q.accuracy_m + CAST(r.facts #>> '{position,accuracy_m}' AS float8) + :position
"""
_GROWN = "OR q.{fact} - coalesce(CAST(r.facts ->> '{fact}' AS float8), 0) > :{fact}\n"
POSITION = "position"
PLACE = ("lat", "lon", "accuracy_m")


@cache
def _apart(compared: tuple[str, ...] | None) -> str:
    """Ask what each kind of source said last; of the same author's readings only what has changed."""
    if compared is None:
        return _collected(_BEFORE_APART.format(arrays="", columns="", heard="true"))
    placed = PLACE if POSITION in compared else ()
    numbers = [name for name in compared if name != POSITION]
    names = ["said_by", *placed, *numbers]
    types = ["text", *["float8"] * (len(names) - 1)]
    return _collected(
        _BEFORE_APART.format(
            arrays="".join(
                f", CAST(:now_{name} AS {type}[])" for name, type in zip(names, types, strict=True)
            ),
            columns="".join(f", {name}" for name in names),
            heard=_UNLESS_ALIKE
            + (_MOVED if placed else "")
            + "".join(_GROWN.format(fact=name) for name in numbers),
        )
    )


_EVERY = _collected("""
SELECT q.license_id, q.kind AS subject_kind, q.subject AS serial, t.observed_at, t.captured_at,
       t.received_at, t.source_kind, t.grade, t.said_by, t.mode, t.report_id::text AS report,
       t.number, t.facts
FROM unnest(CAST(:licenses AS bigint[]), CAST(:kinds AS text[]), CAST(:subjects AS text[]),
            CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[]))
     AS q(license_id, kind, subject, since, until)
JOIN statements t ON t.license_id = q.license_id AND t.subject = q.subject
     AND t.subject_kind = q.kind AND t.superseded_at IS NULL
     AND t.observed_at >= q.since AND t.observed_at <= q.until AND t.facts ? :stating
""")

_INVENTORIES = _collected("""
SELECT license_id, subject_kind, subject AS serial, observed_at, captured_at, received_at,
       source_kind, grade, said_by, mode, report_id::text AS report, number, facts
FROM statements
WHERE license_id = ANY(:licenses) AND observed_at >= :since AND observed_at <= :until
  AND superseded_at IS NULL AND facts ? 'sighted_serials'
""")

_SINCE = text("""
SELECT * FROM (
    SELECT serial, 'unit' AS subject_kind, observed_at, observed_at AS captured_at, received_at,
           'reading' AS source_kind, grade, said_by, NULL AS mode, NULL AS report, 0 AS number,
           facts::text AS facts
    FROM readings
    WHERE license_id = :license AND observed_at >= :since
      AND (CAST(:serials AS text[]) IS NULL OR serial = ANY(:serials))
    UNION ALL
    SELECT subject, subject_kind, observed_at, captured_at, received_at, source_kind, grade,
           said_by, mode, report_id::text, number, facts::text
    FROM statements
    WHERE license_id = :license AND observed_at >= :since AND superseded_at IS NULL
      AND (CAST(:serials AS text[]) IS NULL OR report_id IN (
          SELECT report_id FROM statements
          WHERE license_id = :license AND subject = ANY(:serials) AND superseded_at IS NULL
            AND observed_at >= :since
      ))
) both_kinds ORDER BY observed_at, serial COLLATE "C", report NULLS FIRST, number
""")


class Probe(NamedTuple):
    """Ask for the latest statement about a subject between two times."""

    license_id: int
    subject: Subject
    since: datetime
    until: datetime
    now: Statement[Any] | None = None
    """What is said of it next."""


Beyond = Mapping[str, float] | None
"""What must have changed by how much for a device's reading before to be heard; see `Hears`."""


def reading_id(serial: str, observed_at: str) -> str:
    """Name a reading within its license; the time in ISO 8601."""
    return f"reading:{serial}@{observed_at}"


def report_statement_id(report: UUID | str, number: int) -> str:
    """Name a statement of a report."""
    return f"report:{report}#{number}"


def order(statement: Statement[Any]) -> tuple[Any, ...]:
    """Sort statements as monitors hear them: by when they were true, then as they stand in a report."""
    source, _, number = statement.id.partition("#")
    return (statement.observed_at, statement.subject.reference, source, int(number or 0))


class Question(NamedTuple):
    """What is asked for of what was stated earlier."""

    query: str
    parameters: dict[str, Any]


def before(
    probes: Sequence[Probe],
    stating: str,
    *,
    apart: bool = False,
    every: bool = False,
    beyond: Beyond = None,
) -> Question:
    """Ask probes, at least one: for the latest statement in each span that states a fact.

    With `apart`, the latest of each kind of source and author; with `every`, all of reports.
    """
    changing = _changing(probes, beyond)
    compared = None if beyond is None else tuple(sorted(changing.keys() & beyond.keys()))
    return Question(
        _EVERY if every else _apart(compared) if apart else _BEFORE,
        changing
        | {
            "licenses": array([probe.license_id for probe in probes]),
            "kinds": array([probe.subject.kind for probe in probes]),
            "subjects": array([probe.subject.reference for probe in probes]),
            "since": array(_written(probe.since for probe in probes)),
            "until": array(_written(probe.until for probe in probes)),
            "stating": stating,
        },
    )


def inventories(license_ids: Sequence[int], since: datetime, until: datetime) -> Question:
    """Ask for the inventories of sites between two times."""
    span = {"licenses": list(license_ids), "since": since, "until": until}
    return Question(_INVENTORIES, span)


def answers(
    session: Session, questions: Sequence[Question]
) -> list[dict[int, list[Statement[Any]]]]:
    """Answer questions, each with statements by license, in one way to the database."""
    if not questions:
        return []
    parameters = {
        f"{name}_{at}": value
        for at, question in enumerate(questions)
        for name, value in question.parameters.items()
    }
    together = _together(tuple(question.query for question in questions))
    return [_by_license(rows) for rows in session.execute(together, parameters).one()]


def _changing(probes: Sequence[Probe], beyond: Beyond) -> dict[str, Any]:
    """Give the author of each subject's next reading, and what it says that may have changed.

    What cannot have changed by enough is left out, so that most often nothing need be compared.
    """
    if beyond is None:
        return {}
    asked: dict[str, Any] = {"now_said_by": array([_device(probe.now) for probe in probes])}
    facts = [probe.now.facts if probe.now else None for probe in probes]
    for name, limit in beyond.items():
        stated = [getattr(one, name, None) for one in facts]
        if name == POSITION and any(stated):
            asked |= {"metres_per_degree": METRES_PER_DEGREE, POSITION: limit}
            for part in PLACE:
                asked[f"now_{part}"] = _numbers(getattr(one, part, None) for one in stated)
        elif name != POSITION:
            large = [one if one is not None and one > limit else None for one in stated]
            if any(large):
                asked |= {f"now_{name}": _numbers(large), name: limit}
    return asked


def _written(moments: Iterable[datetime]) -> list[str]:
    """Write moments in ISO 8601, each once: many probes share theirs."""
    known: dict[datetime, str] = {}
    return [known.get(one) or known.setdefault(one, one.isoformat()) for one in moments]


def _device(said: Statement[Any] | None) -> str:
    """Name the author of a reading; nobody where it is none."""
    return said.source.by if said is not None and said.source.kind == READING else ""


def _numbers(values: Iterable[float | None]) -> str:
    """Write numbers as a PostgreSQL array literal."""
    return f"{{{','.join('NULL' if one is None else repr(one) for one in values)}}}"


def _by_license(rows: str) -> dict[int, list[Statement[Any]]]:
    """Dress statements that were collected as JSON, each once, by license."""
    words, moment = catalogue(), datetime.fromisoformat
    found: dict[int, dict[str, Statement[Any]]] = {}
    sources: dict[tuple[Any, ...], Source] = {}
    for row in from_json(rows):
        license_id, kind, reference, observed, captured, received, source, report, number, facts = (
            row
        )
        observed_at = moment(observed)
        id = (
            reading_id(reference, observed_at.isoformat())
            if report is None
            else report_statement_id(report, number)
        )
        said = found.setdefault(license_id, {})
        if id in said:
            continue
        named = tuple(source)
        if named not in sources:
            sources[named] = Source(named[0], Grade(named[1]), named[2], named[3])
        said[id] = Statement(
            id,
            Subject(kind, reference),
            words.recall(facts),
            observed_at,
            moment(captured),
            moment(received),
            sources[named],
        )
    return {license_id: list(said.values()) for license_id, said in found.items()}


def since(
    session: Session, license_id: int, moment: datetime, serials: Iterable[str] | None
) -> list[Statement[Any]]:
    """Read everything stated on a license since a time, of all subjects or of some.

    A report that speaks of one of them is read whole: it is judged as a whole.
    """
    rows = session.execute(
        _SINCE,
        {
            "license": license_id,
            "since": moment,
            "serials": None if serials is None else list(serials),
        },
    )
    return [_statement(row, Subject(row.subject_kind, row.serial)) for row in rows]


_ANY_SINCE = text("""
SELECT EXISTS (
    SELECT FROM readings WHERE license_id = :license AND observed_at >= :since
      AND (CAST(:serials AS text[]) IS NULL OR serial = ANY(:serials))
) OR EXISTS (
    SELECT FROM statements WHERE license_id = :license AND observed_at >= :since
      AND superseded_at IS NULL
      AND (CAST(:serials AS text[]) IS NULL OR subject = ANY(:serials))
)
""")


def any_since(
    session: Session, license_id: int, moment: datetime, serials: Iterable[str] | None
) -> bool:
    """Say whether anything was stated on a license since a time, of all subjects or of some."""
    found = session.scalar(
        _ANY_SINCE,
        {
            "license": license_id,
            "since": moment,
            "serials": None if serials is None else list(serials),
        },
    )
    return bool(found)


_REPORTED = text("""
SELECT subject AS serial, subject_kind, observed_at, captured_at, received_at, source_kind, grade,
       said_by, mode, report_id::text AS report, number, facts::text AS facts
FROM statements
WHERE license_id = :license AND superseded_at IS NULL AND facts ?| CAST(:facts AS text[])
ORDER BY observed_at, subject COLLATE "C", report_id, number
""")


def reported(session: Session, license_id: int, facts: Iterable[str]) -> list[Statement[Any]]:
    """Read what reports stated on a license of any of these facts; readings are left out."""
    names = sorted(facts)
    if not names:
        return []
    rows = session.execute(_REPORTED, {"license": license_id, "facts": array(names)})
    return [_statement(row, Subject(row.subject_kind, row.serial)) for row in rows]


def _statement(row: Any, subject: Subject) -> Statement[Any]:
    """Dress a stored row as a statement."""
    if row.report is None:
        id = reading_id(subject.reference, row.observed_at.isoformat())
    else:
        id = report_statement_id(row.report, row.number)
    return Statement(
        id=id,
        subject=subject,
        facts=catalogue().recall(from_json(row.facts)),
        observed_at=row.observed_at,
        captured_at=row.captured_at,
        received_at=row.received_at,
        source=Source(row.source_kind, Grade(row.grade), row.said_by, row.mode),
    )


def dress(row: Any, subject: Subject) -> Statement[Any]:
    """Dress a row that another query of this folder found, with columns as `_SINCE` gives them."""
    return _statement(row, subject)


def store(
    session: Session,
    license_id: int,
    report_id: UUID,
    said: Sequence[tuple[Statement[Any], Mapping[str, Any]]],
) -> None:
    """Store the statements of a report with their facts as JSON."""
    rows = [
        {
            "license_id": license_id,
            "report_id": report_id,
            "number": number,
            "subject_kind": statement.subject.kind,
            "subject": statement.subject.reference,
            "observed_at": statement.observed_at,
            "captured_at": statement.captured_at,
            "received_at": statement.received_at,
            "source_kind": statement.source.kind,
            "grade": statement.source.grade,
            "said_by": statement.source.by,
            "mode": statement.source.mode,
            "facts": facts,
        }
        for number, (statement, facts) in enumerate(said)
    ]
    if rows:
        session.execute(insert(STATEMENTS), rows)


def supersede(session: Session, report_id: UUID, *, now: datetime) -> list[StatementRow]:
    """Mark the statements of a corrected report; they are kept, and heard no more."""
    session.execute(
        update(StatementRow)
        .where(StatementRow.report_id == report_id, StatementRow.superseded_at.is_(None))
        .values(superseded_at=now)
    )
    return list(session.scalars(select(StatementRow).where(StatementRow.report_id == report_id)))


_UNITS = text("""
SELECT license_id, serial, line, shipped_on, site, consignee FROM units
WHERE license_id = ANY(:ids)
""")
_SOME_UNITS = text("""
SELECT u.license_id, u.serial, u.line, u.shipped_on, u.site, u.consignee
FROM unnest(CAST(:licenses AS bigint[]), CAST(:serials AS text[])) AS q(license_id, serial)
JOIN units u ON u.license_id = q.license_id AND u.serial = q.serial
""")

Units = dict[str, Unit]


def units_of(session: Session, license_ids: Sequence[int]) -> dict[int, Units]:
    """Read all units of licenses."""
    return _units(session.execute(_UNITS, {"ids": list(license_ids)}))


def some_units(session: Session, wanted: Sequence[tuple[int, str]]) -> dict[int, Units]:
    """Read units by license and serial; what is not on its license is not in the answer."""
    pairs = {
        "licenses": array([pair[0] for pair in wanted]),
        "serials": array([pair[1] for pair in wanted]),
    }
    return _units(session.execute(_SOME_UNITS, pairs))


def _units(rows: Iterable[Any]) -> dict[int, Units]:
    found: dict[int, Units] = {}
    for license_id, serial, line, shipped_on, site, consignee in rows:
        found.setdefault(license_id, {})[serial] = Unit(serial, line, shipped_on, site, consignee)
    return found


def units_from(rows: Iterable[Sequence[Any]]) -> Units:
    """Read units as a query collected them as JSON: serial, line, day shipped, site, consignee."""
    return {
        serial: Unit(serial, line, date.fromisoformat(shipped_on), site, consignee)
        for serial, line, shipped_on, site, consignee in rows
    }
