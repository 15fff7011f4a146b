"""The one client for calls to the outside.

It stands on httpcore, the network layer of httpx, and not on httpx itself: there are no redirects,
cookies, proxies or credentials from the environment that would have to be switched off.
"""

import json
import ssl
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import certifi
import httpcore

from app.outbound import rules
from app.outbound.connecting import Deadline, Pinned, Resolve, addresses_of, system_addresses
from app.outbound.rules import Network
from app.outbound.troubles import AnswerTooLarge, AnswerUnreadable, NotConnected, SentElsewhere
from app.settings import Settings

USER_AGENT = "Endwatch/0.1"
GZIP = 31
"""zlib's word for: gzip alone, with the largest window."""
NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take, in seconds, and how large its answer may be once decoded."""

    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    total_seconds: float = 20.0
    answer_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side answered, decoded. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON; raises when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise AnswerUnreadable("The answer is not JSON.") from error


class Caller:
    """Calls addresses that somebody else has named, and nothing inside; safe to use from threads.

    A name is resolved once. Each of its addresses is judged, one that may not be called condemns the
    name, and the connection goes to an address that was judged.
    """

    def __init__(
        self,
        *,
        allowed: Sequence[Network] = (),
        ports: frozenset[int] = frozenset({443}),
        ca_file: Path | None = None,
        limits: Limits | None = None,
        resolve: Resolve = system_addresses,
    ) -> None:
        self._allowed = allowed
        self._ports = ports
        self._limits = limits or Limits()
        self._resolve = resolve
        self._context = _context(ca_file)

    @classmethod
    def of(cls, settings: Settings, *, limits: Limits | None = None) -> Self:
        """Make one as the operator has set it."""
        return cls(
            allowed=settings.outbound_allow,
            ports=settings.outbound_ports,
            ca_file=settings.outbound_ca_file,
            limits=limits,
        )

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Call an address once, and give its answer; raises `CallRefused` or `CallFailed`.

        A redirect is an error, every other status an answer for the caller to judge.
        """
        target = rules.target(url)
        limits, deadline = self._limits, Deadline(self._limits.total_seconds)
        with self._pool(target, deadline) as pool:
            request = httpcore.Request(
                method,
                httpcore.URL(
                    scheme=target.scheme,
                    host=target.host,
                    port=target.port,
                    target=target.path,
                ),
                headers=_headers(target, headers or {}, content),
                content=content,
                extensions={"timeout": {"read": limits.read_seconds, "write": limits.read_seconds}},
            )
            return _asked(pool, request, limits.answer_bytes)

    def _pool(self, target: rules.Target, deadline: Deadline) -> httpcore.ConnectionPool:
        """Make the pool of one connection, which can lead nowhere but where it was judged."""
        limits = self._limits
        found = (
            addresses_of(self._resolve, target.host, target.port, deadline, limits.connect_seconds)
            if target.literal is None
            else [target.host]
        )
        addresses = rules.judge(target, found, allowed=self._allowed, ports=self._ports)
        return httpcore.ConnectionPool(
            ssl_context=self._context,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=Pinned(addresses, deadline, limits.connect_seconds),
        )


def _context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the public certificate authorities, and those of the operator; not the environment."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies names and chains
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(certifi.where())
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _written(host: str) -> str:
    """Write a host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def _headers(
    target: rules.Target, headers: Mapping[str, str], content: bytes | None
) -> list[tuple[str, str]]:
    """Add what every call says; the caller decides neither on host nor on framing."""
    port = "" if target.port == rules.PORTS[target.scheme] else f":{target.port}"
    ours = {
        "host": _written(target.host) + port,
        "user-agent": USER_AGENT,
        "accept-encoding": "gzip",
        "connection": "close",
    }
    if content is not None:
        ours["content-length"] = str(len(content))
    theirs = {name.lower(): value for name, value in headers.items()}
    return list(({"accept": "*/*"} | theirs | ours).items())


def _asked(pool: httpcore.ConnectionPool, request: httpcore.Request, most: int) -> Answer:
    try:
        response = pool.handle_request(request)
        try:
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            if response.status < 200:
                raise AnswerUnreadable("The answer switches to a protocol nobody asked for.")
            if 300 <= response.status < 400 and response.status != NOT_MODIFIED:
                raise SentElsewhere("The answer is a redirect. Give the address it leads to.")
            body = _decoded(response.iter_stream(), headers, most)
            return Answer(response.status, headers, body)
        finally:
            response.close()
    except httpcore.ProtocolError as error:
        raise AnswerUnreadable("The other side does not speak HTTP as it should.") from error
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        raise NotConnected("The other side broke the connection off.") from error


def _decoded(parts: Iterator[bytes], headers: Mapping[str, str], most: int) -> bytes:
    """Read a body of at most `most` bytes: nothing more is ever decoded or kept."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise AnswerUnreadable(f"The answer is encoded as {encoding!r}; only gzip was asked for.")
    gunzip = zlib.decompressobj(GZIP) if encoding.endswith("gzip") else None
    body, came = bytearray(), False
    for part in parts:
        came = True
        body += part if gunzip is None else _unzipped(gunzip, part, most + 1 - len(body))
        if len(body) > most:
            raise AnswerTooLarge(f"The answer is larger than {most:,} bytes.")
    if gunzip is not None and came and not gunzip.eof:
        raise AnswerUnreadable("The answer ends before its gzip does.")
    return bytes(body)


def _unzipped(gunzip: "zlib._Decompress", part: bytes, most: int) -> bytes:
    try:
        return gunzip.decompress(part, most)
    except zlib.error as error:
        raise AnswerUnreadable("The answer is not the gzip it claims to be.") from error
