"""What the crew does in its tests. Started with `-m`: spreads slow tasks until it is stopped."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.cli.crew import spread

Do = Callable[[int], tuple[int, int]]


@contextmanager
def squaring(slowest: float) -> Iterator[Do]:
    """Square numbers; the smaller the slower, so that they are done out of order."""

    def square(number: int) -> tuple[int, int]:
        time.sleep(slowest / (number + 1))
        return number * number, os.getpid()

    yield square


@contextmanager
def dying(at: int) -> Iterator[Do]:
    """Die in the middle of a task, as a process does that is killed."""

    def die(number: int) -> tuple[int, int]:
        if number == at:
            os._exit(9)
        return number, os.getpid()

    yield die


@contextmanager
def failing(at: int) -> Iterator[Do]:
    """Fail at a task."""

    def fail(number: int) -> tuple[int, int]:
        if number == at:
            raise ValueError(f"no such number: {number}")
        return number, os.getpid()

    yield fail


if __name__ == "__main__":
    try:
        for square, pid in spread(squaring, 1.0, range(1_000_000), workers=2):
            print(square, pid, flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
