"""The only place that reads the clock. Everything else is told the time."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request


def now() -> datetime:
    """Read the time now, in UTC."""
    return datetime.now(UTC)


async def _of_request(request: Request) -> datetime:
    """Ask the clock the application was made with."""
    moment: datetime = request.app.state.clock()
    return moment


Now = Annotated[datetime, Depends(_of_request)]
