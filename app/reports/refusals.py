"""Tells the journal of signatures that were refused: forged, foreign, revoked or merely mistaken.

The refused request stores nothing, so the entry is written in a transaction of its own.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import structlog
from anyio import CancelScope
from anyio.to_thread import run_sync
from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError

from app import journal, walls
from app.access.router import May
from app.access.rules import Actor
from app.access.service import asker
from app.clock import Now
from app.database import Sessions
from app.parties.detached import SignatureRefused
from app.parties.public_keys import PrivateKeySent

_log = structlog.get_logger()


def telling(may: May) -> Any:
    """Make the dependency of a route that tells of refusals, for whom the route lets in."""

    async def tell(
        request: Request, actor: Annotated[Actor, Depends(may)], now: Now
    ) -> AsyncIterator[None]:
        try:
            yield
        except (SignatureRefused, PrivateKeySent) as refused:
            sessions: Sessions = request.app.state.pools["door"]
            with CancelScope(shield=True):
                await run_sync(_tell, sessions, refused, actor, request.url.path, now)
            raise

    return Depends(tell, scope="function")


def _tell(
    sessions: Sessions,
    refused: SignatureRefused | PrivateKeySent,
    actor: Actor,
    path: str,
    now: datetime,
) -> None:
    """Write the entry; when that fails the refusal stands all the same."""
    try:
        with sessions(info=walls.of(asker(actor))) as session:
            journal.append(
                session,
                actor=actor.name,
                action="signature.refused",
                subject=f"party:{actor.party}" if actor.party else f"key:{actor.key}",
                party=actor.party,
                body={
                    "reason": refused.slug(),
                    "detail": refused.detail,
                    "address": path,
                    "digest": refused.more.get("digest"),
                },
                now=now,
            )
            session.commit()
    except SQLAlchemyError as error:
        _log.warning("refusal_untold", reason=refused.slug(), error=str(error)[:200])
