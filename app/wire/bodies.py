"""Bodies: refused when too large before they are read on, and decoded without being fooled.

The limit stands in pure ASGI, ahead of every parser.
"""

import zlib
from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Malformed, NotReadable, TooLarge, Trouble
from app.wire.problems import answer

try:
    from compression import zstd  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    from backports import zstd

CHUNK = 1 << 16
MEMBERS = 1_000  # what follows a member is copied, so very many small ones would take very long


class BodyTooLarge(TooLarge):
    """The body is larger than this address takes."""


class EncodingUnknown(NotReadable):
    """The content encoding is not one of gzip, zstd and identity."""


class EncodingBroken(Malformed):
    """The compressed body is damaged or cut short."""


class BodyLimit:
    """ASGI layer that counts body bytes and answers 413 as soon as there are too many."""

    def __init__(self, app: ASGIApp, *, limit: int, limits: dict[str, int]) -> None:
        self.app = app
        self.limit = limit
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse by the declared length, or count while the body arrives."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limits.get(scope["path"], self.limit)
        declared = _declared(scope)
        if declared is not None and declared > limit:
            await answer(_too_large(limit))(scope, receive, send)
            return
        if declared is not None:  # the server itself holds the sender to what was declared
            await self.app(scope, receive, send)
            return
        await self._count(limit, scope, receive, send)

    async def _count(self, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives. Too much ends the reading, and 413 is the answer whoever was reading."""
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
            return message

        async def telling(message: Message) -> None:
            if seen <= limit:
                await send(message)

        await self.app(scope, counting, telling)
        if seen > limit:
            await answer(_too_large(limit))(scope, receive, send)


def _declared(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
        if name == b"transfer-encoding":
            return None
    return 0


def _too_large(limit: int) -> Trouble:
    return BodyTooLarge(f"At most {limit:,} bytes are taken here. Send it in several parts.")


def decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo gzip or zstd, never producing more than `limit` bytes."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    if name not in {"gzip", "x-gzip", "zstd"}:
        raise EncodingUnknown(
            f"Content-Encoding {name[:40]!r} is not known here; use gzip, zstd or none.",
            pointer="/content-encoding",
        )
    parts, size = [], 0
    try:
        for part in _unzstd(body) if name == "zstd" else _gunzip(body):
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise EncodingBroken(
            f"The body does not decode as {name}. Compress and send again."
        ) from error
    return b"".join(parts)


def _gunzip(body: bytes) -> Iterator[bytes]:
    """Decode gzip (one or more members) in steps of at most 64 KiB."""
    for _ in range(MEMBERS + 1):
        if not body:
            return
        stream = zlib.decompressobj(wbits=31)
        pending = body
        while pending and not stream.eof:
            yield stream.decompress(pending, CHUNK)
            pending = stream.unconsumed_tail
        if not stream.eof:
            raise EOFError
        body = stream.unused_data
    raise EOFError


def _unzstd(body: bytes) -> Iterator[bytes]:
    """Decode zstd (one or more frames) in steps of at most 64 KiB."""
    for _ in range(MEMBERS + 1):
        if not body:
            return
        stream: Any = zstd.ZstdDecompressor()
        yield stream.decompress(body, CHUNK)
        while not stream.eof:
            if stream.needs_input:
                raise EOFError
            yield stream.decompress(b"", CHUNK)
        body = stream.unused_data
    raise EOFError
