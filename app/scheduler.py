"""The metronome: the only module that knows every job.

APScheduler remembers nothing here. Each job only says "look now"; what is due is stored in rows, so
any number of schedulers may run, and one that was away has lost nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine

from app import clock
from app.access.rules import Actor, Role
from app.assessments import partitions
from app.audits import looking as audits
from app.audits.plan_desk import PlanDesk
from app.database import Sessions, connect, sessions_of
from app.evidence import looking as evidence
from app.evidence.room import Room, room_of
from app.journal import signing, witness_watch
from app.journal.sequencer import Sequencer
from app.licenses import service as licenses
from app.obligations import service as obligations
from app.people import tidying as sign_ins
from app.settings import Settings

_log = structlog.get_logger()

SYSTEM = Actor("scheduler", Role.ADMINISTRATOR)
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Metronome:
    """A scheduler with what it holds."""

    scheduler: BackgroundScheduler
    sequencer: Sequencer
    plan_desk: PlanDesk
    engine: Engine

    def start(self) -> None:
        """Begin to beat."""
        self.scheduler.start()

    def stop(self) -> None:
        """Finish what runs, give up the lead, close connections."""
        self.plan_desk.close()
        self.scheduler.shutdown(wait=True)
        self.sequencer.close()
        self.engine.dispose()


def create_scheduler(settings: Settings, now: Clock = clock.now) -> Metronome:
    """Make the scheduler with every job."""
    engine = connect(settings, pool_size=6)
    sessions = sessions_of(engine)
    key = signing.key_file(settings.data_dir, settings.log_key_file)
    sequencer = Sequencer(
        engine,
        partial(signing.load, path=key, origin=settings.log_origin),
        partial(signing.mark, path=key),
    )
    plan_desk = PlanDesk(sessions, now)
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(4), "sequencer": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.add_job(
        sequencer.tick, "interval", seconds=0.1, executor="sequencer", id="sequence the journal"
    )
    jobs: dict[str, tuple[Callable[[Sessions, datetime], object], float]] = {
        "look at obligations": (_look, 1),
        "attend to changed licenses": (_attend, 1),
        "work out what is owed": (_reschedule, 86_400),
        "let licenses lapse": (_lapse, 60),
        "look at unfinished checks": (_look_at_checks, 60),
        "examine evidence in quarantine": (_examine(room_of(settings)), 2),
        "tidy up evidence": (_tidy(room_of(settings)), 60),
        "solve plans of visits": (lambda *_: plan_desk.tick(), 2),
        "tidy up sign-ins": (_tidy_sign_ins, 3600),
        "prepare partitions": (_prepare(settings), 3600),
        "look at witnesses": (_look_at_witnesses(settings), 600),
    }
    for name, (job, seconds) in jobs.items():
        scheduler.add_job(
            _calm(name, job, sessions, now),
            "interval",
            seconds=seconds,
            id=name,
            next_run_time=now(),
        )
    return Metronome(scheduler, sequencer, plan_desk, engine)


def _calm(
    name: str, job: Callable[[Sessions, datetime], object], sessions: Sessions, now: Clock
) -> Callable[[], None]:
    """Wrap a job so that its failure is logged and the next beat tries again."""

    def beat() -> None:
        try:
            job(sessions, now())
        except Exception as error:
            _log.warning("job_failed", job=name, error=str(error).splitlines()[0][:300])

    return beat


def _look(sessions: Sessions, now: datetime) -> None:
    while obligations.look_around(sessions, now=now):
        pass


def _attend(sessions: Sessions, now: datetime) -> None:
    obligations.attend_around(sessions, now=now)


def _look_at_checks(sessions: Sessions, now: datetime) -> None:
    audits.look_around(sessions, now=now)


def _reschedule(sessions: Sessions, now: datetime) -> None:
    obligations.reschedule_around(sessions, now=now)


def _tidy_sign_ins(sessions: Sessions, now: datetime) -> None:
    sign_ins.tidy(sessions, now=now)


def _lapse(sessions: Sessions, now: datetime) -> None:
    with sessions() as session:
        numbers = licenses.to_lapse(session, now=now, limit=1_000)
    for number in numbers:
        with sessions() as session:
            licenses.lapse(session, number, actor=SYSTEM, now=now)
            session.commit()


def _examine(room: Room) -> Callable[[Sessions, datetime], None]:
    def examine(sessions: Sessions, now: datetime) -> None:
        evidence.look_around(sessions, room, now=now)

    return examine


def _tidy(room: Room) -> Callable[[Sessions, datetime], None]:
    def tidy(sessions: Sessions, now: datetime) -> None:
        evidence.tidy(sessions, room, now=now)

    return tidy


def _look_at_witnesses(settings: Settings) -> Callable[[Sessions, datetime], None]:
    def look(sessions: Sessions, now: datetime) -> None:
        with sessions() as session:
            witness_watch.look(session, settings.log_witnesses, now=now)
            session.commit()

    return look


def _prepare(settings: Settings) -> Callable[[Sessions, datetime], None]:
    def prepare(sessions: Sessions, now: datetime) -> None:
        with sessions() as session:
            partitions.prepare(session, now=now, ahead=settings.partitions_ahead_months)
            session.commit()

    return prepare
