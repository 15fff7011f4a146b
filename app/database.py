"""PostgreSQL: the engine, the declarative base, and one transaction per request.

The session dependency has function scope: it commits when the endpoint has returned and before the
answer is sent, so that a 2xx means committed (decision record 5).
"""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import datetime
from typing import Annotated, Any

import psycopg
import sqlalchemy
from anyio import CancelScope, CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from sqlalchemy import BigInteger, DateTime, MetaData, Text, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Engine, ExceptionContext, make_url
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from app import walls
from app.errors import Conflict, Invalid, StorageFull, Trouble, Unavailable, Unknown
from app.lanes import STRANGER, Lanes
from app.settings import Settings
from app.walls import Asker, Part

Sessions = sessionmaker[Session]


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        int: BigInteger,
        str: Text,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


def connect(settings: Settings, part: Part | None = Part.JOBS, *, pool_size: int = 6) -> Engine:
    """Make an engine whose connections give up rather than hang, and work as a role that owns nothing.

    Without a part they work as whoever the address names: for migrations alone.
    """
    address = settings.url if part is Part.API else settings.owners_url
    url = make_url(address).set(drivername="postgresql+psycopg")
    milliseconds = settings.statement_seconds * 1000
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_wait_seconds,
        pool_pre_ping=False,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 5,
            "application_name": "endwatch",
            "options": (
                # Every query here is as good with any parameters: do not plan it anew each time.
                "-c plan_cache_mode=force_generic_plan"
                f" -c timezone=UTC -c statement_timeout={milliseconds} -c lock_timeout=10000"
                " -c idle_in_transaction_session_timeout=60000"
                f"{as_role(part)}"
            ),
        },
    )


def fall_together(engines: Collection[Engine]) -> None:
    """Let every engine forget its connections when one finds its own cut: so are the others'.

    Else each lane would give a 503 of its own after the database was away.
    """

    def forget(context: ExceptionContext) -> None:
        if context.is_disconnect:
            for other in engines:
                if other is not context.engine:
                    other.dispose()

    for engine in engines:
        event.listen(engine, "handle_error", forget)


def as_role(part: Part | None) -> str:
    """Write the option with which a connection works as a part of the service from its start."""
    return "" if part is None else f" -c role={part}"


def sessions_of(engine: Engine, asker: Asker | None = None) -> Sessions:
    """Make the session factory; `asker` says who asks where no request does.

    Objects stay readable after the commit.
    """
    info = None if asker is None else walls.of(asker)
    return sessionmaker(engine, expire_on_commit=False, autoflush=False, info=info)


def sender(request: Request) -> str:
    """Say in whose name a request takes a place; all who are not known are one."""
    asker = walls.of_whom(request.scope)
    return STRANGER if asker is None or asker.owner is None else asker.owner


async def sessions_in_lane(request: Request) -> AsyncIterator[Sessions]:
    """Hold a place in the request's lane, from when its body is whole until before the answer.

    A lane has as many connections as places, so none is waited for once a place is found.
    """
    lanes: Lanes = request.app.state.lanes
    lane = lanes.of(request.method, request.url.path)
    if lane is None:
        yield request.app.state.pools["files"]
        return
    if request.method not in {"GET", "HEAD"}:
        await request.body()  # remembered; whoever sends it slowly holds no place
    async with lane.place(sender(request)):
        yield request.app.state.pools[lane.name]


SessionsDep = Annotated[Sessions, Depends(sessions_in_lane, scope="function")]


def takes_a_place(dependant: Dependant) -> bool:
    """Whether a route, or one of its dependencies, works in a lane."""
    return dependant.call is sessions_in_lane or any(map(takes_a_place, dependant.dependencies))


async def session_of(request: Request, sessions: SessionsDep) -> AsyncIterator[Session]:
    """Open the request's one transaction and commit it before the answer.

    Opening costs no query, so only the end is worth a thread. It has a limiter of its own: were all
    threads waiting for what this transaction holds, it could otherwise never end.
    """
    session = sessions(info=walls.of_request(request.scope))
    ending: CapacityLimiter = request.app.state.ending
    try:
        yield session
    except BaseException:
        with CancelScope(shield=True):
            await run_sync(session.close, limiter=ending)
        raise
    await run_sync(_commit, session, limiter=ending)


def _commit(session: Session) -> None:
    with session:
        session.commit()


SessionDep = Annotated[Session, Depends(session_of, scope="function")]


class NotYours(Unknown):
    """There is nothing here by that name, or it is not yours: the database itself refused."""


def trouble_of(error: Exception) -> Trouble | None:  # noqa: PLR0911 a table of meanings
    """Say what a database error means to the caller; None when it is a fault of ours."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return Unavailable("All database connections are busy. Try again shortly.")
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    if isinstance(cause, psycopg.errors.DiskFull):
        return StorageFull("The database has no space left. Nothing was stored; try again later.")
    if isinstance(cause, (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)):
        return Unavailable("The request met another one at the same record. Send it again.")
    if isinstance(cause, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled):
        return Unavailable("The record is busy. Send the request again.")
    if isinstance(cause, psycopg.errors.InsufficientPrivilege) and "row-level" in str(cause):
        return NotYours("There is nothing of yours here by that name. Nothing was stored.")
    if isinstance(cause, psycopg.errors.UniqueViolation):
        return Conflict("The same record was written a moment ago. Read it, or send again.")
    if isinstance(cause, psycopg.DataError):
        return Invalid("A value is out of range, or holds a character that no text here may hold.")
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return Unavailable("The database does not answer. Nothing was stored; try again shortly.")
    return None


def array(values: Iterable[str | int]) -> str:
    """Write codes, numbers or ISO times as a PostgreSQL array literal, to be cast in the query.

    The driver's own array adapter costs far more for a thousand values. Values must not hold quotes
    or backslashes; codes of the contract cannot.
    """
    inner = '","'.join(map(str, values))
    return f'{{"{inner}"}}' if inner else "{}"
