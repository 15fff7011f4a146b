"""Where log lines go: to stderr, readable on a terminal and JSON lines everywhere else.

What libraries say through the standard library's `logging` takes the same way.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import Processor

QUIET: Mapping[str, int] = {
    "apscheduler": logging.ERROR,  # a beat that is passed over is no news
    "uvicorn": logging.WARNING,
    "alembic": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
}
"""Libraries that say much of no use here, and from which level on they are heard."""


def configure(level: str, *, terminal: bool | None = None) -> None:
    """Send everything logged in this process to stderr from this level on."""
    readable = sys.stderr.isatty() if terminal is None else terminal
    number = logging.getLevelNamesMapping()[level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = _readable() if readable else _json()
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _route_libraries(number, [structlog.stdlib.ExtraAdder(), _name, *shared], last)


def _readable() -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            repr_native_str=True,  # what strangers name may hold what a terminal obeys
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


def _json() -> list[Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _name(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say which library speaks."""
    event["logger"] = event["_record"].name
    return event


def _route_libraries(level: int, before: list[Processor], last: list[Processor]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    logging.captureWarnings(True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(level, least) if level > logging.DEBUG else least)
