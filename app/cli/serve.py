"""`endwatch serve`: everything on one machine, looked after until it is told to stop.

One process is in charge. It holds the port and the data folder, runs the embedded PostgreSQL, and
starts the API and the scheduler as processes of their own. One that dies is started again; when
`serve` itself dies, the others notice and end.
"""

import errno
import os
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType

import structlog

from app.cli import databases, greeting
from app.cli.children import Child
from app.cli.greeting import Greeting
from app.cli.migrations import migrate
from app.cli.postgres import Postgres
from app.cli.troubles import CannotListen, TooManyConnections
from app.evidence.seals import roots_of
from app.lanes import connections_in_all
from app.settings import Settings

log = structlog.get_logger()

BACKLOG = 2048
BEAT = 0.2
"""Seconds between two looks at the children."""
API_PATIENCE = 12.0
"""Seconds: the ten an API process gives its requests, and a little."""
SCHEDULER_PATIENCE = 30.0
"""Seconds the beat that runs may take; a beat is divided into short transactions."""
CONNECTIONS = 80
"""Of the 100 of the embedded PostgreSQL; the others are for the scheduler and for commands."""
ORDERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Told(BaseException):
    """Somebody told the service to stop before it was up. No `except Exception` may keep it."""


class Orders:
    """Hears Ctrl-C and SIGTERM: the first order stops, the second hurries."""

    def __init__(self) -> None:
        self.count = 0
        self.starting = True
        for number in ORDERS:
            signal.signal(number, self._hear)

    @property
    def stop(self) -> bool:
        """Whether to stop."""
        return self.count > 0

    def hurry(self) -> bool:
        """Whether to stop without waiting for anybody."""
        return self.count > 1

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1
        if self.starting:
            self.starting = False
            raise Told


def run(
    settings: Settings, *, host: str, port: int, scheduler: bool, samples: bool, workers: int
) -> int:
    """Serve until told to stop; 0 when it stopped in order. Raises RootsUnreadable, and others."""
    roots_of(settings.signature_roots)  # every process reads them; here a mistake is told in a line
    orders = Orders()
    with ExitStack() as stack:
        try:
            listening = stack.enter_context(bound(host, port))
            here, postgres = _database(settings, stack, workers)
            migrate(here)
            hello = greeting.prepare(
                here, samples=samples and postgres is not None, embedded=postgres is not None
            )
            api_url = here.url if postgres is None else databases.let_in(here)
            children = _children(here, api_url, listening, scheduler=scheduler, workers=workers)
            # In the stack before they start, in the order opposite to that of their ending.
            stack.callback(_end, children, listening, orders)
            for child in children:
                child.start()
        except Told:
            return 0
        finally:
            orders.starting = False
        _look_after(children, postgres, hello, host, listening.getsockname()[1], orders)
    log.info("stopped")
    return 0


def bound(host: str, port: int) -> socket.socket:
    """Open the port before anything is started, so that a port in use costs nothing."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(_reason(error, host, port)) from error


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use by another program: "
            "stop that one, or choose another with --port"
        )
    why = error.strerror or str(error)
    return f"cannot listen on {host}, port {port} ({why}): choose others with --host and --port"


def _database(
    settings: Settings, stack: ExitStack, workers: int
) -> tuple[Settings, Postgres | None]:
    """Take the database that was given, or run one in the data folder."""
    if settings.database_url is not None:
        return settings, None
    each = connections_in_all(settings)
    if workers * each > CONNECTIONS:
        raise TooManyConnections(
            f"{workers} API processes with {each} connections each are more than the {CONNECTIONS} "
            "that PostgreSQL has for them: lower --workers, or ENDWATCH_READS_AT_ONCE and its like"
        )
    postgres = stack.enter_context(Postgres(databases.data_folder(settings)))
    return databases.with_url(settings, postgres.url), postgres


def _children(
    settings: Settings, api_url: str, listening: socket.socket, *, scheduler: bool, workers: int
) -> list[Child]:
    environment = os.environ | {"ENDWATCH_DATA_DIR": str(databases.data_folder(settings))}
    environment.pop("ENDWATCH_OWNER_URL", None)  # the API is not told it
    address = "ENDWATCH_DATABASE_URL"
    file = listening.fileno()
    children = [
        Child("api", ["api", "--file", str(file)], environment | {address: api_url}, [file])
        for _ in range(workers)
    ]
    if scheduler:
        environment |= {address: settings.owners_url}
        children.append(Child("scheduler", ["scheduler"], environment))
    return children


def _look_after(
    children: Sequence[Child],
    postgres: Postgres | None,
    hello: Greeting,
    host: str,
    port: int,
    orders: Orders,
) -> None:
    """Keep everything running until an order comes."""
    looked = time.monotonic()
    while not orders.stop:
        for child in children:
            child.tend()
        if postgres is not None and time.monotonic() - looked >= 1:
            looked = time.monotonic()
            postgres.restart_if_dead()
        hello.say_once_ready(host, port)
        time.sleep(BEAT)


def _end(children: Sequence[Child], listening: socket.socket, orders: Orders) -> None:
    """End the API, which finishes what it accepted, and then the scheduler."""
    orders.starting = False
    listening.close()
    for name, patience in (("api", API_PATIENCE), ("scheduler", SCHEDULER_PATIENCE)):
        chosen = [child for child in children if child.name == name]
        for child in chosen:
            child.ask_to_end()
        for child in chosen:
            child.end(patience, orders.hurry)
