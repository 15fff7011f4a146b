"""Finding the addresses of a name, and a connection to just the one that was judged."""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore

from app.outbound.rules import Address
from app.outbound.troubles import AnswerTooLate, CertificateRefused, NameUnknown, NotConnected

Resolve = Callable[[str, int], Sequence[str]]
ASKING_AT_ONCE = 16
WRITTEN_AT_ONCE = 64 * 1024
_asking = threading.BoundedSemaphore(ASKING_AT_ONCE)


class Deadline:
    """The moment by which a call must be over, however slowly the other side goes on."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Seconds that are left, `most` at most; raises when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise AnswerTooLate("The call took longer than it may take as a whole.")
        return left if most is None else min(left, most)


def system_addresses(host: str, port: int) -> list[str]:
    """Ask the system's resolver for all addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def addresses_of(
    resolve: Resolve, host: str, port: int, deadline: Deadline, most: float
) -> list[str]:
    """Resolve a name once, in time: the system's resolver itself knows no limit."""
    told: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            told.put(list(resolve(host, port)))
        except (OSError, ValueError) as error:
            told.put(error)
        finally:
            _asking.release()

    if not _asking.acquire(timeout=deadline.left(most)):
        raise AnswerTooLate("Too many names wait for an answer of the name server.")
    threading.Thread(target=ask, name="resolving", daemon=True).start()
    try:
        answer = told.get(timeout=deadline.left(most))
    except queue.Empty:
        raise AnswerTooLate(f"The name server did not say in time where {host} is.") from None
    if isinstance(answer, Exception) or not answer:
        raise NameUnknown(f"The name server knows no address of {host}.")
    return answer


class Pinned(httpcore.NetworkBackend):
    """Connects to the addresses that were judged, whatever the name would lead to by now."""

    def __init__(self, addresses: Sequence[Address], deadline: Deadline, seconds: float) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._seconds = seconds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 the limits are those of the call
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect to the first of the addresses that takes the connection."""
        failed: OSError | None = None
        for address in self._addresses:
            seconds = self._deadline.left(self._seconds)
            try:
                connected = socket.create_connection((str(address), port), timeout=seconds)
            except OSError as error:
                failed = error
                continue
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Line(connected, self._deadline, self._seconds)
        if isinstance(failed, TimeoutError):
            raise AnswerTooLate(f"{host} does not answer on port {port}.") from failed
        raise NotConnected(f"{host} takes no connection on port {port}.") from failed


class Line(httpcore.NetworkStream):
    """A connection whose every step has its limit, and all of them together theirs."""

    def __init__(self, connected: socket.socket, deadline: Deadline, seconds: float) -> None:
        self._socket = connected
        self._deadline = deadline
        self._seconds = seconds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come."""
        self._limit(timeout)
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise AnswerTooLate("The other side fell silent.") from error
        except OSError as error:
            raise NotConnected("The other side broke the connection off.") from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it, within the limit of the whole call."""
        rest = memoryview(buffer)
        try:
            while rest:
                self._limit(timeout)
                rest = rest[self._socket.send(rest[:WRITTEN_AT_ONCE]) :]
        except TimeoutError as error:
            raise AnswerTooLate("The other side takes nothing more.") from error
        except OSError as error:
            raise httpcore.WriteError(error) from error  # it may have answered before it hung up

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Begin TLS: the certificate must name the host that was called, not the address."""
        self._limit(self._seconds)
        try:
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except TimeoutError as error:
            raise AnswerTooLate("The other side did not finish the TLS handshake.") from error
        except ssl.SSLCertVerificationError as error:
            raise CertificateRefused(
                f"The certificate of {server_hostname} does not hold: {error.verify_message}."
            ) from error
        except OSError as error:
            raise NotConnected("The other side does not speak TLS as it should.") from error
        return Line(secured, self._deadline, self._seconds)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """Tell what is asked about the connection: whether TLS chose another protocol."""
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        return None

    def _limit(self, seconds: float | None) -> None:
        self._socket.settimeout(self._deadline.left(seconds))
