"""How many requests one may send: so many a minute, evenly refilled, a minute's worth at once.

Counted in the memory of each process, by party, or by key for those who have none: over several
processes it is at least the quota and at most as many times that as there are processes. A poll
that finds nothing new (304 from memory) does not count, nor does who asks for health.
"""

import math
import time
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders, State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.router import METERED, bearer, password
from app.errors import TooMany
from app.lanes import note_refusal
from app.wire.problems import answer

SENDERS = 10_000
POLICY = "requests"


class RequestsQuotaUsed(TooMany):
    """The sender has sent as many requests within a minute as one may; this one was not looked at."""


@dataclass(slots=True)
class _Bucket:
    """What is left to a sender, as of a moment of the monotonic clock."""

    left: float
    at: float


class Quotas:
    """A token bucket for each sender (RFC 2697 without colors)."""

    def __init__(self, a_minute: int) -> None:
        self.a_minute = a_minute
        self._buckets: dict[str, _Bucket] = {}

    def take(self, sender: str) -> int:
        """Count a request; gives how many are left. Raises RequestsQuotaUsed."""
        moment, a_second = time.monotonic(), self.a_minute / 60
        bucket = self._buckets.get(sender)
        if bucket is None:
            if len(self._buckets) >= SENDERS:
                self._forget(moment)
            bucket = self._buckets[sender] = _Bucket(self.a_minute, moment)
        bucket.left = min(self.a_minute, bucket.left + (moment - bucket.at) * a_second)
        bucket.at = moment
        if bucket.left < 1:
            note_refusal("quota", "requests_a_minute", sender)
            wait = max(1, math.ceil((1 - bucket.left) / a_second))
            refused = RequestsQuotaUsed(
                f"At most {self.a_minute:,} requests a minute are taken from one sender. Send several "
                "readings in one request, poll with If-None-Match, and go on after Retry-After."
            )
            refused.wait = wait
            raise refused
        bucket.left -= 1
        return int(bucket.left)

    def _forget(self, moment: float) -> None:
        """Forget who has had a quiet minute: they have their whole quota again."""
        self._buckets = {
            sender: bucket for sender, bucket in self._buckets.items() if moment - bucket.at < 60
        }

    def told(self, left: int) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """Tell a sender how it stands (draft-ietf-httpapi-ratelimit-headers-10)."""
        full = math.ceil((self.a_minute - left) * 60 / self.a_minute)
        return (
            (b"ratelimit-policy", b'"%b";q=%d;w=60' % (POLICY.encode(), self.a_minute)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (POLICY.encode(), left, full)),
        )


class Metered:
    """ASGI layer that counts the requests of senders it knows, before anything is read of them.

    Whose key is not in memory is counted by `May`, once it is recognized.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is beyond the quota; tell others how much of theirs is left."""
        token = self._token(scope) if scope["type"] == "http" else None
        if token is None:
            await self.app(scope, receive, send)
            return
        quotas: Quotas = self.state.quotas
        actor = self.state.keyring.remembered(token, self.state.clock())
        if actor is not None:
            try:
                scope[METERED] = quotas.take(actor.owner)
            except RequestsQuotaUsed as refused:
                response = answer(refused)
                response.raw_headers.extend(quotas.told(0))
                await response(scope, receive, send)
                return

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start" and METERED in scope:
                MutableHeaders(scope=message).raw.extend(quotas.told(scope[METERED]))
            await send(message)

        await self.app(scope, receive, telling)

    def _token(self, scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if name == b"authorization":
                header = value.decode("latin-1")
                return bearer(header) or password(header)
        return None
