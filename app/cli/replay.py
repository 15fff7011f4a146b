"""`endwatch replay`: what a monitor says today of all history, beside what is on record.

The work is shared by processes, a slice of one license's time each. Nothing is stored unless asked
for; then it is stored license by license, each held while what differs is found out again.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import partial
from itertools import groupby

from sqlalchemy import select

from app.assessments import dockets
from app.assessments.replaying import EVER, Span
from app.cli import databases, logs
from app.cli.crew import available, spread
from app.cli.differing import Paper, Tally, told
from app.cli.progress import Bar, progress
from app.cli.troubles import WrongUse
from app.database import Sessions, connect, sessions_of
from app.licenses.models import License
from app.obligations import replaying, slicing
from app.obligations.replaying import Outcome
from app.obligations.slicing import Task, Wanted
from app.settings import Settings
from monitors import catalogue

SAME, DIFFERS = 0, 1
OBJECTS_BETWEEN_COLLECTIONS = 100_000

Job = list[Task]
"""What a worker does at a time: one slice, or all slices of a license to be stored."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told once: where the database is, what is wanted, and which time it is."""

    settings: Settings
    wanted: Wanted
    now: datetime
    store: bool = False


def run(
    settings: Settings,
    wanted: Wanted,
    *,
    workers: int | None,
    store: bool,
    as_json: bool,
    now: datetime,
) -> int:
    """Judge history again and tell what differs; 1 when something does."""
    _check(wanted, store=store)
    tally = Tally()
    with databases.database(settings) as here, told(wanted, tally, as_json=as_json) as paper:
        order, many = Order(here, wanted, now), workers or available()
        tasks = _planned(order)
        differing = _judge(order, tasks, many, tally, paper)
        if store and differing:
            jobs = [job for job in _by_license(tasks) if job[0].license_id in differing]
            _store(Order(here, wanted, now, store=True), jobs, many, tally)
    return DIFFERS if tally.counts.total() else SAME


def wanted_of(
    kind: str, license: str | None, first: date | None, last: date | None, *, shadow: bool
) -> Wanted:
    """Understand what is wanted; days begin and end in UTC. Raises WrongUse."""
    words = catalogue()
    if kind not in words:
        near = get_close_matches(kind, words.monitors, n=1, cutoff=0)
        raise WrongUse(f"there is no kind of condition {kind!r}; the nearest is {near[0]!r}")
    if shadow and kind not in words.shadows:
        raise WrongUse(
            f"{kind} has no next version in shadow: its file declares no SHADOW "
            "(see docs/operations.md)"
        )
    if first and last and first > last:
        raise WrongUse(f"--from {first} is later than --to {last}")
    since = datetime.combine(first, time(), UTC) if first else EVER.since
    until = datetime.combine(last + timedelta(days=1), time(), UTC) if last else EVER.until
    return Wanted(kind, Span(since, until), license, shadow)


def _check(wanted: Wanted, *, store: bool) -> None:
    if wanted.shadow and store:
        raise WrongUse(
            "what a version in shadow finds is not stored: release it as the present version, "
            "then replay with --store"
        )


def _planned(order: Order) -> list[Task]:
    """Divide the work; a license that is not there is told."""
    engine = connect(order.settings, pool_size=1)
    try:
        sessions = sessions_of(engine)
        if order.wanted.license is not None:
            _check_license(sessions, order.wanted.license)
        return list(slicing.planned(sessions, order.wanted))
    finally:
        engine.dispose()


def _check_license(sessions: Sessions, number: str) -> None:
    with sessions() as session:
        if session.scalar(select(License.id).where(License.number == number)) is None:
            raise WrongUse(f"there is no license {number!r} here")


def _judge(
    order: Order, tasks: Sequence[Task], workers: int, tally: Tally, paper: Paper
) -> set[int]:
    """Judge everything and show what differs; give the licenses that storing would touch."""
    differing: set[int] = set()
    jobs = [[task] for task in tasks]
    with progress(f"replaying {order.wanted.kind}", _weight(jobs)) as bar:
        for outcome in _done(order, jobs, workers, bar):
            tally.add(outcome)
            paper.show(outcome.differences)
            if outcome.differs or outcome.unclear:
                differing.add(outcome.license_id)
    return differing


def _store(order: Order, jobs: list[Job], workers: int, tally: Tally) -> None:
    """Store what differs, license by license."""
    tally.stored = Tally()
    with progress(f"storing {order.wanted.kind}", _weight(jobs)) as bar:
        for outcome in _done(order, jobs, workers, bar):
            if outcome.differs:
                tally.stored.add(outcome)


def _done(order: Order, jobs: list[Job], workers: int, bar: Bar) -> Iterator[Outcome]:
    """Have jobs done, as many at a time as there are workers."""
    done = 0
    for job, outcome in zip(
        jobs, spread(_begin, order, jobs, workers=max(1, min(workers, len(jobs)))), strict=True
    ):
        yield outcome
        done += _weight([job])
        bar(done)


def _weight(jobs: Sequence[Job]) -> int:
    """Say how much work it is, in statements; looking at a license is worth one."""
    return sum(task.statements + 1 for job in jobs for task in job)


def _by_license(tasks: Sequence[Task]) -> Iterator[Job]:
    for _, group in groupby(tasks, key=lambda task: task.license_id):
        yield list(group)


@contextmanager
def _begin(order: Order) -> Iterator[Callable[[Job], Outcome]]:
    """Make ready in a worker: a connection, and nothing remembered of another database.

    Statements make no cycles: looking for garbage among thousands of them is seldom worth it.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 10, 20)
    logs.configure(order.settings.log_level)
    dockets.forget()
    engine = connect(order.settings, pool_size=1)
    try:
        yield partial(_store_job if order.store else _judge_job, sessions_of(engine), order)
    finally:
        engine.dispose()


def _judge_job(sessions: Sessions, order: Order, job: Job) -> Outcome:
    (task,) = job
    with sessions() as session:
        return replaying.judged(session, task, order.wanted, now=order.now)


def _store_job(sessions: Sessions, order: Order, job: Job) -> Outcome:
    with sessions() as session:
        number = session.get_one(License, job[0].license_id).number
        session.rollback()
        outcome = replaying.store(session, job, number, order.wanted, now=order.now)
        session.commit()
        return outcome
