"""`endwatch scheduler`: the metronome in a process of its own."""

import signal
import threading
from types import FrameType

import structlog

from app.cli import children
from app.scheduler import create_scheduler
from app.settings import Settings

log = structlog.get_logger()


def run(settings: Settings, *, parent: int | None) -> int:
    """Beat until SIGTERM or SIGINT; finish the beat that runs."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        # Not by this thread, which may hold the event's own lock just now.
        threading.Thread(target=stop.set).start()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ask)
    children.end_with(parent)
    metronome = create_scheduler(settings)
    metronome.start()
    log.info("scheduler_runs")
    stop.wait()
    metronome.stop()
    return 0
