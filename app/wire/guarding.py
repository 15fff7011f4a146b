"""Headers that every answer carries, so that no browser guesses, runs, keeps, frames or passes on.

OWASP ASVS 5.0, chapters 3 and 14. What a route sets itself stays as it set it.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    b"default-src 'none'; base-uri 'none'; object-src 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, no-store"),
)
BY_HTTPS_ALONE = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
"""Two years. Told where a request came by https, or where every address that is set is one of https:
a browser that hears it over plain http must ignore it (RFC 6797, 8.1)."""


class Guarded:
    """ASGI layer around the whole application, also around what nobody foresaw."""

    def __init__(self, app: ASGIApp, *, origins: str = "") -> None:
        self.app = app
        addresses = origins.split()
        self._https = bool(addresses) and all(one.startswith("https://") for one in addresses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add what an answer does not say itself."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        https = self._https or scope.get("scheme") == "https"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _with(message.get("headers", ()), https=https)}
            await send(message)

        await self.app(scope, receive, guarded)


def _with(headers: list[tuple[bytes, bytes]], *, https: bool) -> list[tuple[bytes, bytes]]:
    said = {name.lower() for name, _ in headers}
    added = [one for one in ALWAYS if one[0] not in said]
    if https and BY_HTTPS_ALONE[0] not in said:
        added.append(BY_HTTPS_ALONE)
    return [*headers, *added]
