"""Taking in readings in bulk: parsed, sorted out, judged and copied in one transaction.

A reading is known by license, serial and time, or by its own `id`. Known ones are counted as
duplicates; one that says something else under the same name is rejected. A line that cannot be
taken never takes the others with it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from pydantic_core import to_json, to_jsonable_python
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.assessments import dockets, statements, strangers
from app.assessments import service as assessments
from app.assessments.rules import Docket
from app.assessments.service import Hearing
from app.assessments.statements import Units
from app.database import Sessions, array
from app.errors import Invalid
from app.journal import Receipt, receipt_of
from app.journal.rules import root
from app.licenses.models import License
from app.licenses.schemas import start_of
from app.obligations import service as obligations
from app.reports import rules
from app.reports.lines import Line, Parsed
from app.reports.models import ReadingBatch
from app.reports.schemas import ReadingsOut, Rejected
from app.walls import AS_JUDGE
from monitors import Grade, Source, Statement, Subject, catalogue

REJECTS_KEPT = 1_000
TRIES = 3


class NothingReadable(Invalid):
    """Not one line of the batch could be read."""


@dataclass(slots=True)
class _Batch:
    """A batch on its way in: what is still to be taken, and what became of the rest."""

    actor: Actor
    now: datetime
    digest: str
    id: UUID
    lines: list[Line]
    rejected: list[Rejected]
    duplicates: int = 0
    dockets: dict[str, Docket] = field(default_factory=dict)
    units: dict[int, Units] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    facts: list[str] = field(default_factory=list)
    strange: list[Line] = field(default_factory=list)
    count: int = 0

    def reject(self, line: Line, type: str, detail: str, pointer: str | None = None) -> None:
        self.rejected.append(Rejected(line=line.number, type=type, detail=detail, pointer=pointer))


# `enable_sort`: see opening.py.
_LICENSES = text(f"""
SELECT l.id, l.number, l.revision, l.attend_from <= :now AS unattended,
       set_config('enable_sort', 'off', true), {AS_JUDGE},
       EXISTS (SELECT FROM obligations o WHERE o.license_id = l.id AND o.settled_at IS NULL
               AND o.next_look_at <= :now) AS look
FROM licenses l
WHERE l.number = ANY(:numbers) AND (CAST(:party AS text) IS NULL OR l.exporter = :party)
ORDER BY l.id FOR NO KEY UPDATE OF l
""")  # noqa: S608 our own words

_LATER = text("""
SELECT q.license_id, q.serial, r.observed_at, r.reading_id, r.facts::text AS facts
FROM unnest(CAST(:licenses AS bigint[]), CAST(:serials AS text[]),
            CAST(:since AS timestamptz[])) AS q(license_id, serial, since)
JOIN LATERAL (
    SELECT observed_at, reading_id, facts FROM readings r
    WHERE r.license_id = q.license_id AND r.serial = q.serial
      AND r.observed_at >= q.since AND r.observed_at >= :earliest
) r ON true
""")

_LATER_SAID = text("""
SELECT DISTINCT q.license_id
FROM unnest(CAST(:licenses AS bigint[]), CAST(:serials AS text[]),
            CAST(:since AS timestamptz[])) AS q(license_id, serial, since)
JOIN statements s ON s.license_id = q.license_id AND s.subject = q.serial
     AND s.observed_at > q.since AND s.superseded_at IS NULL
""")

_BY_ID = text("""
SELECT q.license_id, q.reading_id, r.serial, r.observed_at
FROM unnest(CAST(:licenses AS bigint[]), CAST(:ids AS text[])) AS q(license_id, reading_id)
JOIN readings r ON r.license_id = q.license_id AND r.reading_id = q.reading_id
""")

# COPY itself goes past row-level security, so PostgreSQL does not let it into a table that has it.
_ARRIVING = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS arriving (license_id bigint, serial text,"
    " observed_at timestamptz, received_at timestamptz, batch_id uuid, grade text, said_by text,"
    " reading_id text, facts jsonb) ON COMMIT DELETE ROWS"
)
_COPY = "COPY arriving FROM STDIN"
_KEEP = (
    "INSERT INTO readings (license_id, serial, observed_at, received_at, batch_id, grade, said_by,"
    " reading_id, facts) SELECT * FROM arriving WHERE batch_id = %s"
)


def take(
    sessions: Sessions, parsed: Parsed, *, digest: str, id: UUID, actor: Actor, now: datetime
) -> ReadingsOut:
    """Take a batch in a transaction of its own; for the command line and the scheduler."""
    with sessions() as session:
        answer = file(session, parsed, digest=digest, id=id, actor=actor, now=now)
        session.commit()
        return answer


def file(
    session: Session, parsed: Parsed, *, digest: str, id: UUID, actor: Actor, now: datetime
) -> ReadingsOut:
    """Take a batch of parsed lines into the caller's transaction.

    Two batches with the same reading wait for each other at its license; should they still meet at
    the table, the whole is tried again from the start and finds the duplicate.
    """
    if not parsed.lines:
        raise NothingReadable(
            "No line could be read; the first reasons are in `errors`.",
            errors=[reject.model_dump() for reject in parsed.rejected[:20]],
        )
    for tried in range(TRIES):
        savepoint = session.begin_nested()
        try:
            answer = _file(session, parsed, digest, id, actor, now)
        except (IntegrityError, psycopg.errors.UniqueViolation):
            savepoint.rollback()
            if tried == TRIES - 1:
                raise
        else:
            savepoint.commit()
            return answer
    raise AssertionError


def _file(
    session: Session, parsed: Parsed, digest: str, id: UUID, actor: Actor, now: datetime
) -> ReadingsOut:
    batch = _Batch(actor, now, digest, id, list(parsed.lines), list(parsed.rejected))
    batch.count = parsed.count
    _hold(session, batch)
    _check(batch)
    _know_units(session, batch)
    _sort_out(session, batch)
    batch.facts = [to_json(line.facts).decode() for line in batch.lines]
    hearings = _hear(session, batch)
    verdict = assessments.judge(session, hearings, now=now)
    verdict.deviations += _keep_strange(session, batch)
    _copy(session, batch)
    found = {docket.license_id: docket for docket in batch.dockets.values()}
    if hearings:
        obligations.heard(session, found, _newest(batch), now=now)
    for hearing in hearings:
        if hearing.late:
            verdict.deviations += _judge_again(session, batch, hearing)
    answer = ReadingsOut(
        accepted=len(batch.lines),
        duplicates=batch.duplicates,
        rejected=sorted(batch.rejected, key=lambda reject: reject.line),
        deviations=list(dict.fromkeys(verdict.deviations)),
        receipt=Receipt(id=receipt_of(f"batch:{batch.id}"), digest=digest, received_at=now),
    )
    _record(session, batch, answer)
    return answer


def _hold(session: Session, batch: _Batch) -> None:
    """Hold the licenses named, in one order; look at what is due before anything is taken in."""
    numbers = sorted({line.license for line in batch.lines})
    rows = session.execute(
        _LICENSES, {"numbers": numbers, "party": batch.actor.reads_only, "now": batch.now}
    ).all()
    for row in rows:
        if row.unattended:
            obligations.attend(session, session.get_one(License, row.id), now=batch.now)
    found = dockets.load(session, [(row.id, row.revision) for row in rows])
    batch.dockets = {row.number: found[row.id] for row in rows}
    looking = {row.id: found[row.id] for row in rows if row.look or row.unattended}
    if looking:
        obligations.look_at_licenses(session, looking, now=batch.now)


def _check(batch: _Batch) -> None:
    """Set aside lines about unknown licenses, from the future, or from before their license."""
    latest = batch.now + rules.CLOCKS_DIFFER
    granted = {
        number: start_of(docket.granted_on, ZoneInfo(docket.time_zone))
        for number, docket in batch.dockets.items()
    }
    kept = []
    for line in batch.lines:
        since = granted.get(line.license)
        if since is None:
            batch.reject(
                line,
                "license-unknown",
                f"There is no license {line.license!r} here.",
                "/license",
            )
        elif line.observed_at > latest:
            batch.reject(
                line,
                "in-future",
                f"{line.observed_at.isoformat()} has not come yet. Check the device's clock.",
                "/observed_at",
            )
        elif line.observed_at < since:
            batch.reject(
                line,
                "before-license",
                f"{line.license} was granted later than {line.observed_at.isoformat()}.",
                "/observed_at",
            )
        else:
            kept.append(line)
    batch.lines = kept


def _know_units(session: Session, batch: _Batch) -> None:
    """Find the units, and set aside lines about serials that are not on the license."""
    wanted = {(batch.dockets[line.license].license_id, line.serial) for line in batch.lines}
    if not wanted:
        return
    batch.units = statements.some_units(session, sorted(wanted))
    kept = []
    for line in batch.lines:
        if line.serial in batch.units.get(batch.dockets[line.license].license_id, ()):
            kept.append(line)
            continue
        batch.strange.append(line)
        batch.reject(
            line,
            "unit-unknown",
            f"{line.serial!r} is not a unit of {line.license}. Check the serial number; units "
            "become known by filing their shipment.",
            "/serial",
        )
    batch.lines = kept


def _keep_strange(session: Session, batch: _Batch) -> list[UUID]:
    """Keep what was said of units nobody knows: refused as readings, evidence all the same."""
    found: list[UUID] = []
    by_license: dict[str, list[Line]] = {}
    for line in sorted(batch.strange, key=_order):
        by_license.setdefault(line.license, []).append(line)
    for number, lines in by_license.items():
        said = [(_said(batch, line), to_jsonable_python(line.facts)) for line in lines]
        found += strangers.keep(session, batch.dockets[number], said, now=batch.now)
    return found


def _said(batch: _Batch, line: Line) -> Statement[Any]:
    """Dress a line as a statement."""
    return Statement(
        statements.reading_id(line.serial, line.at),
        Subject("unit", line.serial),
        catalogue().stated(line.facts),
        line.observed_at,
        line.observed_at,
        batch.now,
        _source(batch),
    )


Known = dict[tuple[int, str, datetime], tuple[str | None, str]]


def _sort_out(session: Session, batch: _Batch) -> None:
    """Count duplicates, reject contradictions, and note which units spoke out of order."""
    known = _known(session, batch)
    named = _named(session, batch)
    seen: dict[tuple[int, str, datetime], Line] = {}
    by_id: dict[tuple[int, str], Line] = {}
    kept = []
    for line in batch.lines:
        license_id = batch.dockets[line.license].license_id
        key = (license_id, line.serial, line.observed_at)
        stored, before = known.get(key), seen.get(key)
        other = named.get((license_id, line.id)) if line.id else None
        twin = by_id.get((license_id, line.id)) if line.id else None
        if stored is not None or before is not None:
            facts = before.facts if before else catalogue().facts_of(stored[1] if stored else "")
            if facts == line.facts:
                batch.duplicates += 1
            else:
                _contradict(batch, line, "observed_at")
        elif (other is not None and other != key[1:]) or twin is not None:
            _contradict(batch, line, "id")
        else:
            seen[key] = line
            if line.id:
                by_id[license_id, line.id] = line
            kept.append(line)
    batch.lines = kept


def _contradict(batch: _Batch, line: Line, name: str) -> None:
    batch.reject(
        line,
        "reading-contradicts",
        f"A reading of {line.serial} with this {name} is on file and says something else. "
        "Readings are never replaced; send a report that corrects it.",
        f"/{name}",
    )


def _known(session: Session, batch: _Batch) -> Known:
    """Read what is stored of these units from the earliest time of each on: twins and later ones."""
    earliest: dict[tuple[int, str], datetime] = {}
    for line in batch.lines:
        key = (batch.dockets[line.license].license_id, line.serial)
        moment = earliest.get(key)
        if moment is None or line.observed_at < moment:
            earliest[key] = line.observed_at
    if not earliest:
        return {}
    asked = {
        "licenses": array([key[0] for key in earliest]),
        "serials": array([key[1] for key in earliest]),
        "since": array([moment.isoformat() for moment in earliest.values()]),
    }
    batch.late.update(session.scalars(_LATER_SAID, asked))
    rows = session.execute(_LATER, asked | {"earliest": min(earliest.values())})
    known: Known = {}
    for license_id, serial, observed_at, reading_id, facts in rows:
        known[license_id, serial, observed_at] = (reading_id, facts)
        since = earliest[license_id, serial]
        if observed_at > since:
            batch.late.add(license_id)
    return known


def _named(session: Session, batch: _Batch) -> dict[tuple[int, str], tuple[str, datetime]]:
    """Find stored readings by the ids that lines carry."""
    ids = [(batch.dockets[line.license].license_id, line.id) for line in batch.lines if line.id]
    if not ids:
        return {}
    rows = session.execute(
        _BY_ID,
        {"licenses": array([pair[0] for pair in ids]), "ids": array([pair[1] for pair in ids])},
    )
    return {
        (license_id, reading_id): (serial, observed_at)
        for license_id, reading_id, serial, observed_at in rows
    }


def _hear(session: Session, batch: _Batch) -> list[Hearing]:
    """Dress the lines as statements, license by license, in order of time."""
    words, now = catalogue(), batch.now
    source = _source(batch)
    subjects: dict[str, Subject] = {}
    said: dict[str, list[Statement[Any]]] = {}
    for line in sorted(batch.lines, key=_order):
        subject = subjects.get(line.serial)
        if subject is None:
            subject = subjects[line.serial] = Subject("unit", line.serial)
        said.setdefault(line.license, []).append(
            Statement(
                statements.reading_id(line.serial, line.at),
                subject,
                words.stated(line.facts),
                line.observed_at,
                line.observed_at,
                now,
                source,
            )
        )
    return [_hearing(session, batch, number, heard) for number, heard in said.items()]


def _hearing(session: Session, batch: _Batch, number: str, heard: list[Statement[Any]]) -> Hearing:
    """Put what was said of a license together; note whether it came out of order."""
    docket = batch.dockets[number]
    hearing = Hearing(docket, heard, batch.units.get(docket.license_id, {}))
    if docket.hears_all:
        late = assessments.interrupts(session, hearing)
    else:
        late = docket.license_id in batch.late and assessments.listens(docket, heard)
    return replace(hearing, late=True) if late else hearing


def _order(line: Line) -> tuple[datetime, str]:
    return (line.observed_at, line.serial)


def _source(batch: _Batch) -> Source:
    """Grade readings: D under the exporter's own machine key, E when somebody else brings them."""
    own = batch.actor.party
    return Source(statements.READING, Grade.D if own else Grade.E, own or str(batch.actor.role))


def _copy(session: Session, batch: _Batch) -> None:
    """Store the readings by COPY in its text format: codes hold no backslash, tab or line end."""
    if not batch.lines:
        return
    source = _source(batch)
    shared = f"{batch.now.isoformat()}\t{batch.id}\t{source.grade}\t{source.by}"
    ids = {number: docket.license_id for number, docket in batch.dockets.items()}
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    rows = "".join(
        f"{ids[line.license]}\t{line.serial}\t{line.at}\t{shared}\t{line.id or NULL}\t{facts}\n"
        for line, facts in zip(batch.lines, batch.facts, strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute(_ARRIVING)
        with cursor.copy(_COPY) as copy:
            copy.write(rows)
        cursor.execute(_KEEP, [batch.id])


NULL = "\\N"


def _newest(batch: _Batch) -> dict[tuple[int, str], datetime]:
    newest: dict[tuple[int, str], datetime] = {}
    for line in batch.lines:
        key = (batch.dockets[line.license].license_id, line.serial)
        if key not in newest or line.observed_at > newest[key]:
            newest[key] = line.observed_at
    return newest


def _judge_again(session: Session, batch: _Batch, hearing: Hearing) -> list[UUID]:
    """Judge history again where a reading came out of order and other verdicts hang on it."""
    return assessments.rejudge(
        session,
        hearing.docket,
        since=hearing.said[0].observed_at,
        now=batch.now,
        only_listening=True,
        facts=assessments.stated(hearing.said),
        subjects=assessments.touched(hearing.said),
    ).deviations


def _record(session: Session, batch: _Batch, answer: ReadingsOut) -> None:
    """Keep the batch and tell the journal of it in one entry."""
    merkle = root(list(map(_leaf, batch.lines, batch.facts)))
    session.execute(
        insert(ReadingBatch),
        {
            "id": batch.id,
            "filed_by": batch.actor.name,
            "owner": batch.actor.owner,
            "received_at": batch.now,
            "lines": batch.count,
            "accepted": answer.accepted,
            "duplicates": answer.duplicates,
            "rejected": [reject.model_dump() for reject in answer.rejected[:REJECTS_KEPT]],
            "root": merkle,
        },
    )
    journal.append(
        session,
        actor=batch.actor.name,
        action="readings.filed",
        subject=f"batch:{batch.id}",
        receipt=answer.receipt.id,
        party=batch.actor.party,
        body={
            "digest": batch.digest,
            "root": f"sha256:{merkle.hex()}",
            "accepted": answer.accepted,
            "duplicates": answer.duplicates,
            "rejected": len(answer.rejected),
            "licenses": sorted({line.license for line in batch.lines}),
        },
        now=batch.now,
    )


def _leaf(line: Line, facts: str) -> bytes:
    """Write a reading as the leaf of its batch's tree."""
    return f"{line.license}\n{line.serial}\n{line.at}\n{facts}".encode()
