"""What the HTTP wire looks like: problems, pages, bodies and times, the same everywhere."""

from app.wire.pages import Limit, Page, cursor, page_after
from app.wire.problems import answer, install, problems
from app.wire.types import Moment, Out, Strict

__all__ = [
    "Limit",
    "Moment",
    "Out",
    "Page",
    "Strict",
    "answer",
    "cursor",
    "install",
    "page_after",
    "problems",
]
