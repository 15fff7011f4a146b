"""Reads little of a request ahead of the application, and waits for nobody for ever.

Left to themselves the event loops read up to 256 KB at once, and uvicorn pauses beyond 64 KB. So a
body of which nothing may be read before its sender is known would be in memory already. Here at most
56 KB are: what comes is read in parts of 32 KB, and beyond 24 KB waits until somebody asks for it.

Nor does uvicorn end a connection that says nothing, says it byte by byte, or takes no answer. Here
each has a watch that looks at it now and then; a request costs no timer of its own.
"""

import asyncio
import json
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import Malformed
from app.lanes import STRANGER, LaneFull, note_refusal
from app.wire.problems import MEDIA_TYPE, answer

PART = 32 * 1024
AHEAD = 24 * 1024
PATIENCE = 20.0
"""Seconds; `ENDWATCH_SLOW_SECONDS` sets others."""
MOST_CONNECTIONS = 4_096
DISCARDED = 1024 * 1024
"""Bytes. The rest of a refused request that is no longer than this is read and thrown away."""
BYTES_A_SECOND = 500
"""A body that comes slower than this is not waited for, once the patience is used up."""
LOOKS = 4
"""How often a connection is looked at within the time it is allowed."""
HEALTH = frozenset({"/livez", "/readyz"})


class SenderTooSlow(Malformed):
    """The request did not come in time; nothing was stored."""

    status = 408


class _Pausing(HttpToolsProtocol):
    """Speaks HTTP, lets the sender wait earlier, and knows how long it has waited for the sender."""

    def __init__(self, *arguments: Any, most: int = MOST_CONNECTIONS, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._most = most
        self._usual = self.app
        self.receiving = False
        self.begun = False
        self.body_bytes = 0
        self.waited = 0.0
        """Seconds spent waiting for more of this request, or for the first."""

    def on_message_begin(self) -> None:
        self.receiving, self.begun, self.body_bytes, self.waited = True, False, 0, 0.0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.begun = True
        self.app = self._usual if len(self.connections) < self._most else self._crowded
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        super().on_body(body)
        if len(self.cycle.body) > AHEAD and not (self.cycle.response_complete and self._is_small):
            self.flow.pause_reading()

    @property
    def _is_small(self) -> bool:
        """Whether the rest of a request that was refused may run by unread, so that the next can come.

        Who was refused with more to send is not listened to any longer, and hung up on after a while.
        """
        declared = next((value for name, value in self.headers if name == b"content-length"), b"")
        return declared.isdigit() and int(declared) <= DISCARDED

    def on_message_complete(self) -> None:
        self.receiving, self.waited = False, 0.0
        super().on_message_complete()

    async def _crowded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send away whoever comes beyond the connections there are files for; health is told."""
        if scope["path"] in HEALTH:
            await cast("ASGIApp", self._usual)(scope, receive, send)
            return
        note_refusal("connections", "full", STRANGER)
        refused = answer(LaneFull("There are too many connections. Come back after Retry-After."))
        refused.headers["Connection"] = "close"
        await refused(scope, receive, send)

    @property
    def is_owed(self) -> bool:
        """Whether it is the other side's turn: to begin, to go on, or to stop sending empty lines."""
        if self.receiving and self.begun:
            return not self.flow.read_paused or self.cycle.response_complete
        at_rest = self.cycle is None or self.cycle.response_complete
        return at_rest and (self.receiving or self.timeout_keep_alive_task is None)

    @property
    def allowed(self) -> float:
        """Seconds that a body of this length may take beyond the patience there is with anybody."""
        return self.body_bytes / BYTES_A_SECOND

    def give_up(self) -> None:
        """Say that it took too long, if that can still be said, and hang up."""
        note_refusal("connections", "slow_body" if self.begun else "slow_headers", STRANGER)
        if self.receiving and not (self.begun and self.cycle.response_started):
            self.transport.write(_too_slow())
        self.transport.close()


def _too_slow() -> bytes:
    problem = SenderTooSlow("The request did not come in time. Send it again, faster.").problem()
    body = json.dumps(problem).encode()
    return (
        b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: %b\r\n"
        b"content-length: %d\r\n\r\n%b" % (MEDIA_TYPE.encode(), len(body), body)
    )


class Frugal(asyncio.BufferedProtocol):
    """Hands over what comes in parts, and watches that the connection goes on.

    A protocol of its own that owns the other, since uvloop takes no part size from a streaming one.
    """

    def __init__(self, *arguments: Any, patience: float = PATIENCE, **named: Any) -> None:
        self._inner = _Pausing(*arguments, **named)
        self._part = bytearray(PART)
        self._patience = patience
        self._stuck = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 the size is ours to say
        """Give room for one part."""
        return self._part

    def buffer_updated(self, nbytes: int) -> None:
        """Take over what came."""
        self._inner.data_received(bytes(self._part[:nbytes]))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._inner.connection_made(cast("asyncio.Transport", transport))  # uvloop's is its own
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._watch is not None:
            self._watch.cancel()
        self._inner.connection_lost(exc)

    def eof_received(self) -> None:
        """Hear that no more will come."""
        self._inner.eof_received()

    def pause_writing(self) -> None:
        """Wait until the receiver has taken what was written."""
        self._stuck = 0.0
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._inner.resume_writing()

    def _look_later(self) -> None:
        self._watch = self._inner.loop.call_later(self._patience / LOOKS, self._look)

    def _look(self) -> None:
        """Hang up on who takes nothing, or owes us the rest of a request for too long."""
        passed, inner = self._patience / LOOKS, self._inner
        taking_nothing = inner.flow.write_paused or inner.transport.is_closing()
        self._stuck = self._stuck + passed if taking_nothing else 0.0
        inner.waited = inner.waited + passed if inner.is_owed else inner.waited
        self._look_later()
        if self._stuck > self._patience:
            note_refusal("connections", "slow_reader", STRANGER)
            inner.transport.abort()
        elif inner.waited > self._patience + inner.allowed and not inner.transport.is_closing():
            inner.give_up()
