"""Lives the sample world through, day by day, so that its histories are true.

Everything goes through the services behind the API, one transaction a step, at the time the world
says it is. See `samples/README.md` for the files.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from app import journal
from app.cli.world import LAST_DAY as FILES_END
from app.cli.world import Step, World, at
from app.database import Sessions, connect, sessions_of
from app.journal.sequencer import Sequencer
from app.licenses import service as licenses
from app.obligations import service as obligations
from app.scheduler import SYSTEM
from app.settings import Settings

FOLDER = Path(__file__).parents[2] / "samples"
SHIPPED = (
    "README.md",
    "EXPECTED.md",
    "licenses.json",
    "shipments.csv",
    "shipments-2.xlsx",
    "readings.ndjson.gz",
    "amendments.json",
    "attestations/*.json",
    "inspections/*.json",
)
MARK, TOPIC = "samples.loaded", "samples"
DAY = timedelta(days=1)
EVENING = time(23, 59, 59, tzinfo=UTC)


def write(folder: Path) -> list[Path]:
    """Copy the shipped files to a folder; gives their new paths."""
    written = []
    for source in sorted(path for pattern in SHIPPED for path in FOLDER.glob(pattern)):
        target = folder / source.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        written.append(Path(shutil.copyfile(source, target)))
    return written


def load(
    settings: Settings, folder: Path, *, now: datetime, progress: Callable[[str], None]
) -> None:
    """Live the world in a folder through, its last day being yesterday (UTC).

    No scheduler may run beside it: it would look at the world with today's clock. Does nothing but
    tell so when it is loaded already, wholly or half. Raises FileTrouble when a file is not as it
    should be, and whatever a model or a service refuses it with.
    """
    engine = connect(settings)
    sequencer = Sequencer(engine)
    try:
        sessions = sessions_of(engine)
        world = World(folder, now.astimezone(UTC).date() - DAY - FILES_END)
        match found(sessions, world, sequencer):
            case "whole":
                progress("The samples are loaded already.")
            case "half":
                progress("Loading the samples was broken off before; use an empty database.")
            case "none":
                _live(sessions, world, progress)
                _number(sequencer)
    finally:
        sequencer.close()
        engine.dispose()


def found(
    sessions: Sessions, world: World, sequencer: Sequencer
) -> Literal["none", "half", "whole"]:
    """Say how much of the world the database knows: its licenses, and the mark of its end."""
    if not any(_knows(sessions, number) for number in world.exporters):
        return "none"
    if not _marked(sessions):
        _number(sequencer)  # it may stand among what is not numbered yet
    return "whole" if _marked(sessions) else "half"


def _knows(sessions: Sessions, number: str) -> bool:
    with sessions() as session:
        try:
            licenses.read(session, number, party=None)
        except licenses.LicenseUnknown:
            return False
        return True


def _marked(sessions: Sessions) -> bool:
    with sessions() as session:
        return bool(journal.read(session, after=0, limit=1, topic=TOPIC))


def _number(sequencer: Sequencer) -> None:
    """Number the journal, unless a running service does."""
    while sequencer.tick():
        pass


def _live(sessions: Sessions, world: World, progress: Callable[[str], None]) -> None:
    """Let every step happen in order of time, with the scheduler's evening after each day."""
    progress("Loading the samples: sixty days of twelve licenses, lived through one by one ...")
    steps, filed = world.steps(), 0
    day, last = steps[0].at.date(), world.last_day
    while day <= last:
        today = [step for step in steps if step.at.date() == day]
        for step in today:
            _take(sessions, step)
        _evening(sessions, at(day, EVENING))
        filed += len(today)
        if day == last or day.month != (day + DAY).month:
            progress(f"{day:%B %Y}: {filed} filings so far")
        day += DAY
    mark = partial(journal.append, actor=SYSTEM.name, action=MARK, subject=TOPIC, topic=TOPIC)
    body = {"last_day": f"{last}", "moved_days": world.by.days}
    _take(sessions, Step(at(last, EVENING), partial(mark, body=body)))


def _take(sessions: Sessions, step: Step) -> None:
    with sessions() as session:
        step.do(session, now=step.at)
        session.commit()


def _evening(sessions: Sessions, now: datetime) -> None:
    """Do what the scheduler does all day: attend to changes, look at what is due, let lapse."""
    with sessions() as session:
        lapsing = licenses.to_lapse(session, now=now, limit=1_000)
    for number in lapsing:
        _take(sessions, Step(now, partial(licenses.lapse, number=number, actor=SYSTEM)))
    obligations.attend_around(sessions, now=now)
    while obligations.look_around(sessions, now=now):
        pass
