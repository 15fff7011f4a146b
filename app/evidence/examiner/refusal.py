"""How an examiner says no."""

from collections.abc import Iterator
from contextlib import contextmanager


class Refused(Exception):
    """The file is none that is taken; the message says why, to the one who sent it."""


def insist(holds: object, reason: str) -> None:
    """Refuse the file unless something holds."""
    if not holds:
        raise Refused(reason)


@contextmanager
def damaged(what: str, *kinds: type[Exception]) -> Iterator[None]:
    """Take errors of these kinds as a sign that the file is no whole file of its type."""
    try:
        yield
    except kinds as error:
        raise Refused(f"It is no whole {what}.") from error
