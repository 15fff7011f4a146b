"""Answers an unchanged poll from memory: no route, no session, no query.

The ETag of a feed is made of who asks, what is asked and the last alert's number. When a poll
brings the ETag that would be made now, nothing has changed. While the journal is not heard, no
answer is given from here.
"""

import hashlib

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.router import bearer
from app.access.rules import READS_FILINGS, Actor

PATH = "/v1/alerts"
HEADERS = {"Poll-After": "5", "Cache-Control": "private, no-cache"}
_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


def etag(actor: Actor, query: str, seq: int) -> str:
    """Name the state of a feed as this caller sees it."""
    text = f"{actor.key}|{actor.role}|{actor.party}|{query}|{seq}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


class Freshness:
    """ASGI layer in front of the application. `state` is the application's own."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 304 when that is known to be right; pass everything else on."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            tag = self._unchanged(scope)
            if tag is not None:
                headers = [(b"etag", tag), *_RAW]
                await send({"type": "http.response.start", "status": 304, "headers": headers})
                await send({"type": "http.response.body", "body": b""})
                return
        await self.app(scope, receive, send)

    def _unchanged(self, scope: Scope) -> bytes | None:
        """Give the ETag if the caller has what we would answer now."""
        headers = dict(scope["headers"])
        offered: bytes | None = headers.get(b"if-none-match")
        progress = self.state.watch.current
        if offered is None or progress is None:
            return None
        token = bearer(headers.get(b"authorization", b"").decode("latin-1"))
        actor = self.state.keyring.remembered(token, self.state.clock()) if token else None
        if actor is None or actor.role not in READS_FILINGS:
            return None
        now = etag(actor, scope["query_string"].decode("latin-1"), progress.alerts).encode()
        return now if now in offered else None
