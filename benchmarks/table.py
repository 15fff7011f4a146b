"""The table of figures, what is shown beneath it, and how seconds on one core are taken."""

import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One line of the table; `beneath` are rows of a table of their own, the first its heading."""

    what: str
    measured: str
    limit: str
    wanted: str
    met: bool
    beneath: Sequence[tuple[str, ...]] = ()


def show(figures: Sequence[Figure]) -> None:
    """Print the figures, then what belongs beneath some of them."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    heading = ("what", "measured", "beside", "wanted", "met")
    lines = [
        (one.what, one.measured, one.limit, one.wanted, "yes" if one.met else "NO")
        for one in figures
    ]
    _print([heading, *lines])
    for one in figures:
        if one.beneath:
            print(f"\n{one.what}, in detail:")
            _print(one.beneath)


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    heading, *lines = rows
    table = Table(*heading)
    for line in lines:
        table.add_row(*line)
    Console(width=200 if not sys.stdout.isatty() else None).print(table)


def spent(do: Callable[[], object], times: int = 5) -> float:
    """Give the seconds one thread is at work with something, in the quickest of several times.

    They are the processor's own, and other work on the machine can only make them more.
    """
    taken = []
    for _ in range(times):
        begun = time.thread_time()
        do()
        taken.append(time.thread_time() - begun)
    return min(taken)
