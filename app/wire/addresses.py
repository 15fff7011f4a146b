"""How an address is written in logs: whoever reads them must not learn what opens something."""

from starlette.types import Scope

CALENDARS = "/v1/calendar/"
"""Who knows the address of a calendar may read it: calendar programs send no key."""


def shown(scope: Scope) -> str:
    """Name what was asked for, without what is a secret in it."""
    path: str = scope["path"]
    return f"{CALENDARS}…" if path.startswith(CALENDARS) else path
