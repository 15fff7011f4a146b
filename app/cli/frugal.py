"""Reads little of a request ahead of the application.

Left to themselves the event loops read up to 256 KB at once, and uvicorn pauses beyond 64 KB. So a
body of which nothing may be read before its sender is known would be in memory already. Here at most
56 KB are: what comes is read in parts of 32 KB, and beyond 24 KB waits until somebody asks for it.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PART = 32 * 1024
AHEAD = 24 * 1024


class _Pausing(HttpToolsProtocol):
    """Speaks HTTP, and lets the sender wait earlier."""

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if len(self.cycle.body) > AHEAD:
            self.flow.pause_reading()


class Frugal(asyncio.BufferedProtocol):
    """Hands over what comes in parts.

    A protocol of its own that owns the other, since uvloop takes no part size from a streaming one.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._inner = _Pausing(*arguments, **named)
        self._part = bytearray(PART)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 the size is ours to say
        """Give room for one part."""
        return self._part

    def buffer_updated(self, nbytes: int) -> None:
        """Take over what came."""
        self._inner.data_received(bytes(self._part[:nbytes]))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._inner.connection_made(cast("asyncio.Transport", transport))  # uvloop's is its own

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._inner.connection_lost(exc)

    def eof_received(self) -> None:
        """Hear that no more will come."""
        self._inner.eof_received()

    def pause_writing(self) -> None:
        """Wait until the receiver has taken what was written."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._inner.resume_writing()
