"""Does tasks in several processes and gives what came of them in order, with flat memory.

Each process is started afresh (spawn) and has connections of its own. When one dies or fails, or the
caller stops, all end at once; what they were doing is not committed.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from app.cli import troubles
from app.errors import Unavailable

A = TypeVar("A")
T = TypeVar("T")
R = TypeVar("R")

Begin = Callable[[A], AbstractContextManager[Callable[[T], R]]]

AHEAD = 64
"""Tasks that may be done before one that is not: so many results are held at most."""
LAST_WORDS = 5.0
"""Seconds a process may take to end before it is killed."""


class WorkerFailed(Unavailable):
    """A process of the crew died, or met what it could not do; the message says which."""


def spread(begin: Begin[A, T, R], given: A, tasks: Iterable[T], *, workers: int) -> Iterator[R]:
    """Do tasks with the function that `begin(given)` opens in each process; results come in order.

    With one worker it is done in this process. Raises WorkerFailed.
    """
    if workers == 1:
        with begin(given) as do:
            yield from map(do, tasks)
        return
    crew = _Crew[T, R](begin, given, workers)
    try:
        yield from crew.do(tasks)
    finally:
        crew.end()


class _Crew(Generic[T, R]):
    """The processes, and which of them is at what."""

    def __init__(self, begin: Begin[Any, T, R], given: Any, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._members: dict[Connection, SpawnProcess] = {}
        self._idle: list[Connection] = []
        self._busy: dict[Connection, int] = {}
        for number in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(theirs, begin, given), name=f"worker {number + 1}", daemon=True
            )
            process.start()
            theirs.close()
            self._members[ours] = process
            self._idle.append(ours)

    def do(self, tasks: Iterable[T]) -> Iterator[R]:
        """Hand out tasks and give results in order."""
        waiting, done, following = iter(enumerate(tasks)), dict[int, R](), 0
        more = True
        while more or self._busy:
            while more and self._idle and len(done) + len(self._busy) < AHEAD + len(self._members):
                more = self._hand_out(waiting)
            for number, result in self._results():
                done[number] = result
            while following in done:
                yield done.pop(following)
                following += 1

    def _hand_out(self, waiting: Iterator[tuple[int, T]]) -> bool:
        task = next(waiting, None)
        if task is None:
            return False
        member = self._idle.pop()
        self._busy[member] = task[0]
        try:
            member.send(task[1])
        except OSError as error:
            raise self._died(member) from error
        return True

    def _results(self) -> Iterator[tuple[int, R]]:
        """Wait until somebody is done, or gone."""
        if not self._busy:
            return
        for member in wait(list(self._busy)):
            assert isinstance(member, Connection)
            try:
                trouble, result = member.recv()
            except (EOFError, OSError) as error:
                raise self._died(member) from error
            if trouble is not None:
                raise WorkerFailed(trouble)
            self._idle.append(member)
            yield self._busy.pop(member), result

    def _died(self, member: Connection) -> WorkerFailed:
        process = self._members[member]
        process.join(LAST_WORDS)
        return WorkerFailed(
            f"{process.name} of {len(self._members)} (process {process.pid}) died with code "
            f"{process.exitcode}; the others were stopped. Was it killed, or is memory short?"
        )

    def end(self) -> None:
        """End all processes."""
        for member, process in self._members.items():
            member.close()
            process.terminate()
        for process in self._members.values():
            process.join(LAST_WORDS)
            if process.is_alive():
                process.kill()


def _work(connection: Connection, begin: Begin[A, T, R], given: A) -> None:
    """Do what is handed over until nobody hands over any more. Ctrl-C is for the caller to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            with begin(given) as do:
                while True:
                    connection.send((None, do(connection.recv())))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            connection.send((troubles.told(error), None))


def available() -> int:
    """Count the cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
