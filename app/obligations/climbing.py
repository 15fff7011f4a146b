"""Takes obligations up their ladders: each rung once for each deadline, whoever looks and when.

The caller holds the license. What a rung leads to happens only for who recorded it, in the same
transaction: so twice looked is once told, also by two schedulers.
"""

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.alerts import rungs
from app.assessments.rules import AUTHORITY_ALONE, Docket, Ruling
from app.obligations import calendars, ladder, record
from app.obligations.ladder import RUNGS, Climb, Rung
from app.obligations.models import Obligation, RungReached
from app.obligations.rules import Deadline
from app.parties import standings
from app.parties.rules import Standing, concerned

WORDS = {"reminder_14": "reminded", "reminder_3": "reminded", "due": "fell_due"}
CAME = "what was owed about it has come, or is owed no more"


def climb(
    session: Session, row: Obligation, docket: Docket, ruling: Ruling, *, now: datetime
) -> Climb:
    """Take an obligation to the rung where it is, and draw what follows from it."""
    deadline = Deadline(row.due_at, row.grace_until)
    zone = ZoneInfo(docket.time_zone)
    climbed = ladder.climb(
        ruling.monitor.ladder,
        deadline,
        since=_since(row, zone),
        zone=zone,
        now=now,
        reached=_reached(session, row),
    )
    before, row.rung = row.rung, climbed.rung.name if climbed.rung else None
    if climbed.told is not None or climbed.skipped:
        _record(session, row, climbed, deadline, zone, now)
    if climbed.rung is not None and climbed.rung.standing is not None:
        _lower(session, row, docket, ruling, climbed.rung.standing, now)
        _sound(session, row, docket, ruling, climbed.rung.standing, now)
    elif _unsettles(before):
        _end(session, row, now)
    return climbed


def word(rung: Rung) -> str:
    """Name for the journal what reaching a rung is."""
    return WORDS.get(rung.name, "escalated")


def settled(session: Session, row: Obligation, *, now: datetime) -> None:
    """Let parties stand well again whom nothing unsettles any more, now that this has come."""
    if _unsettles(row.rung):
        _end(session, row, now)


def waived(session: Session, row: Obligation, *, now: datetime) -> None:
    """Let what nobody asks for now keep no party from being restored, until it is owed again."""
    if _unsettles(row.rung):
        standings.pause(session, _source(row), now=now)
        rungs.clear(session, "obligation", row.id, actor=record.SYSTEM, now=now)


def _unsettles(rung: str | None) -> bool:
    return rung is not None and RUNGS[rung].standing is not None


def _end(session: Session, row: Obligation, now: datetime) -> None:
    standings.end(session, _source(row), ground=CAME, actor=record.SYSTEM, now=now)
    rungs.clear(session, "obligation", row.id, actor=record.SYSTEM, now=now)


def _source(row: Obligation) -> str:
    return f"obligation:{row.id}"


def _since(row: Obligation, zone: ZoneInfo) -> datetime:
    """Say from when it was owed: nobody is reminded before."""
    if row.period_from is not None:
        return calendars.begins(row.period_from, zone)
    return row.awaited_from


def _reached(session: Session, row: Obligation) -> Collection[str]:
    query = select(RungReached.rung).where(
        RungReached.obligation_id == row.id, RungReached.due_at == row.due_at
    )
    return set(session.scalars(query))


def _record(
    session: Session,
    row: Obligation,
    climbed: Climb,
    deadline: Deadline,
    zone: ZoneInfo,
    now: datetime,
) -> None:
    passed = [*climbed.skipped, *([climbed.told] if climbed.told else [])]
    session.execute(
        insert(RungReached).on_conflict_do_nothing(),
        [
            {
                "obligation_id": row.id,
                "due_at": row.due_at,
                "rung": rung.name,
                "at": rung.at(deadline, zone),
                "skipped": rung is not climbed.told,
                "recorded_at": now,
            }
            for rung in passed
        ],
    )


def _lower(
    session: Session,
    row: Obligation,
    docket: Docket,
    ruling: Ruling,
    standing: Standing,
    now: datetime,
) -> None:
    """Let the parties that could not be verified stand worse."""
    ground = (
        f"{ruling.monitor.title} under {docket.license} was due on "
        f"{calendars.last_day(row.due_at, ZoneInfo(docket.time_zone))} and has not come"
    )
    for party in _concerned(row, docket):
        standings.lower(
            session,
            party,
            standing,
            ground=ground,
            source=_source(row),
            actor=record.SYSTEM,
            now=now,
        )


def _sound(
    session: Session,
    row: Obligation,
    docket: Docket,
    ruling: Ruling,
    standing: Standing,
    now: datetime,
) -> None:
    """Show on dashboards what the silence has led to."""
    about = f", {row.subject_kind} {row.subject}" if row.subject != docket.license else ""
    subject = rungs.Subject(
        what="obligation",
        id=row.id,
        title=f"{ruling.monitor.title}, {docket.license}{about}",
        license=docket.license,
        party=AUTHORITY_ALONE if ruling.monitor.confidential else docket.exporter,
        kind=ruling.kind,
        country=docket.countries[0] if docket.countries else "",
    )
    rungs.sound(session, subject, standing, actor=record.SYSTEM, now=now)


def _concerned(row: Obligation, docket: Docket) -> list[str]:
    if row.subject_kind == "party":
        return [row.subject]
    return concerned((party.role, party.reference) for party in docket.parties)
