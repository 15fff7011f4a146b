"""A lean HTTP client that can keep a server busy from the same two cores: prepared bytes, raw streams.

A general client costs more processor time than the server it would measure.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What a run gave: answers by status, and the seconds each took."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Seconds within which so large a share of the answers came."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Write a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run(
    port: int,
    make: Callable[[], Iterator[bytes]],
    *,
    clients: int,
    seconds: float,
    most: int | None = None,
) -> Outcome:
    """Send requests from so many clients for so long, each waiting for its answer."""
    return asyncio.run(_run(port, make(), clients, seconds, most))


async def _run(
    port: int, requests: Iterator[bytes], clients: int, seconds: float, most: int | None
) -> Outcome:
    outcome, begun = Outcome(), time.perf_counter()
    until = begun + seconds
    left = [most if most is not None else 10**12]
    await asyncio.gather(*(_client(port, requests, until, left, outcome) for _ in range(clients)))
    outcome.seconds = time.perf_counter() - begun
    return outcome


async def _client(
    port: int, requests: Iterator[bytes], until: float, left: list[int], outcome: Outcome
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until and left[0] > 0:
        left[0] -= 1
        sent = next(requests, None)
        if sent is None:
            break
        begun = time.perf_counter()
        writer.write(sent)
        await writer.drain()
        status = await _answer(reader)
        outcome.times.append(time.perf_counter() - begun)
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    """Read one answer and throw its body away."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    if status == 304:
        return status
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    if at >= 0:
        length = int(lowered[at + 15 : lowered.index(b"\r\n", at)])
        await reader.readexactly(length)
    return status
