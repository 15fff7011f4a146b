"""The third wall: what PostgreSQL is told about who is asking, so that it refuses the rest itself.

The service works as one of two database roles, neither of which owns anything:

- `endwatch_api` answers requests. Row-level security shows it what the asker of the transaction may
  see; of a transaction that does not say who asks, it shows nothing.
- `endwatch_jobs` runs the scheduler and the operator's commands, and sees every row.

Who asks is said at the beginning of each transaction, for that transaction alone. The policies that
read it stand in the migrations (0013 and later).
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, event, text
from sqlalchemy.orm import Session, SessionTransaction


class Part(StrEnum):
    """As which database role a process works."""

    API = "endwatch_api"
    JOBS = "endwatch_jobs"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the role, the one party an exporter is bound to, whose idempotency keys, whose name."""

    role: str
    party: str | None = None
    owner: str | None = None
    name: str | None = None


DOOR: Final = Asker("door")
"""Looks at keys, sessions and addresses of calendars to recognize who is asking; sees nothing else."""
JUDGE: Final = "judge"
"""The role under which the service judges what a party files: all that is kept of the licenses of
that party, also what the party itself is not shown, and what monitors read of parties and lists."""

_KEY = "endwatch.asker"
_TELL = (
    "SELECT set_config('app.role', %s, true), set_config('app.party', %s, true),"
    " set_config('app.owner', %s, true), set_config('app.name', %s, true)"
)
AS_JUDGE: Final = (
    "set_config('app.role', CASE current_setting('app.role', true) WHEN 'exporter' THEN 'judge'"
    " ELSE coalesce(current_setting('app.role', true), '') END, true)"
)
"""SQL that judges from here on, for a statement that takes a license: it does so only if there is
a row, and the row is what lets the party in. The authority's people judge as themselves."""
_JUDGE = text(f"SELECT {AS_JUDGE}")


def note(scope: MutableMapping[str, Any], asker: Asker) -> None:
    """Note on a request who sends it; its transaction begins by saying so."""
    scope[_KEY] = asker


def note_at_the_door(scope: MutableMapping[str, Any]) -> None:
    """Note on a request that who sends it is about to be recognized, if nobody is yet."""
    scope.setdefault(_KEY, DOOR)


def of(asker: Asker) -> dict[str, Any]:
    """Give a session's `info` that says who asks, where there is no request."""
    return {_KEY: {_KEY: asker}}


def of_request(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Give the `info` of a request's session: who asks is looked up when its transaction begins."""
    return {_KEY: scope}


def of_whom(scope: Mapping[str, Any]) -> Asker | None:
    """Give who sends a request, if that is known."""
    asker: Asker | None = scope.get(_KEY)
    return asker


def become(session: Session, asker: Asker) -> None:
    """Say in the middle of a transaction who asks, once that is known."""
    _tell(session.connection(), asker)


def judge(session: Session) -> None:
    """Judge from here on what a party files. Only for one that has just been let in to a license."""
    session.execute(_JUDGE)


@event.listens_for(Session, "after_begin")
def _begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    scope = session.info.get(_KEY)
    if scope is not None and not transaction.nested:
        asker = scope.get(_KEY)
        if asker is not None:
            _tell(connection, asker)


def _tell(connection: Connection, asker: Asker) -> None:
    told = (asker.role, asker.party or "", asker.owner or "", asker.name or "")
    connection.exec_driver_sql(_TELL, told)
