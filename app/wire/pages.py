"""Keyset pages: `?limit=` and an opaque `after`; no totals."""

import base64
import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, TypeAdapter

from app.errors import Invalid

T = TypeVar("T")
R = TypeVar("R")

Limit = Annotated[int, Query(ge=1, le=500, description="How many items at most")]


class CursorUnreadable(Invalid):
    """The cursor is not one that this list gave out."""


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the `after` of the following page, null on the last."""

    items: list[T]
    next: str | None


def cursor(*keys: Any) -> str:
    """Wrap sort keys as an opaque cursor."""
    text = json.dumps(keys, separators=(",", ":"), default=str).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def page_after(after: str | None, *types: Any) -> tuple[Any, ...] | None:
    """Unwrap a cursor of keys of these types; None starts at the beginning."""
    if after is None:
        return None
    try:
        text = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True)
        return _keys(types).validate_json(text, strict=True)
    except ValueError as error:
        raise CursorUnreadable(
            "Use the `next` of the page before, unchanged, or leave `after` out.", pointer="/after"
        ) from error


@cache
def _keys(types: tuple[Any, ...]) -> TypeAdapter[tuple[Any, ...]]:
    """Build the reader of a cursor: nothing of another type reaches the database."""
    made: Any = tuple.__class_getitem__(types)
    return TypeAdapter(made)


def page_of(
    rows: Sequence[R], limit: int, show: Callable[[R], T], keys: Callable[[R], tuple[Any, ...]]
) -> Page[T]:
    """Make a page of `limit + 1` fetched rows: the extra one only tells that there is more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(items=[show(row) for row in shown], next=cursor(*keys(shown[-1])) if more else None)
