"""A progress bar on stderr, where somebody looks at it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Bar = Callable[[int | None], None]
"""Told how many bytes of the file are done; None changes nothing."""


@contextmanager
def progress(doing: str, total: int | None) -> Iterator[Bar]:
    """Show how far a file of so many bytes is done, when stderr is a terminal."""
    if not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn(doing), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(doing, total=total)

        def advance(done: int | None) -> None:
            if done is not None:
                shown.update(task, completed=done)

        yield advance


def _nothing(_done: int | None) -> None:
    """Show nothing."""
