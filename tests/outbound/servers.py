"""Servers on this machine, good and bad, and a certificate authority of our own."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.clock import now
from app.outbound import Caller, Limits

Speak = Callable[[socket.socket, bytes], None]
HERE = "127.0.0.1"
TLS = b"\x16\x03"
INSIDE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
QUICK = Limits(connect_seconds=0.6, read_seconds=0.6, total_seconds=1.2, answer_bytes=100_000)


@dataclass
class Server:
    """A port on loopback, and the heads of the requests that came."""

    port: int
    heard: list[bytes]

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.port}/"


@contextlib.contextmanager
def serving(
    speak: Speak, context: ssl.SSLContext | None = None, host: str = HERE
) -> Iterator[Server]:
    """Accept connections, read the head of one request, and let `speak` say the rest."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, 0), family=family)
    server = Server(listening.getsockname()[1], [])

    def attend(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            head = _head(connection)
            server.heard.append(head)
            speak(connection, head)
            connection.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=attend, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def _head(connection: socket.socket) -> bytes:
    connection.settimeout(5)
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        head += part
        if not part or head.startswith(TLS):
            break
    return head


def saying(raw: bytes) -> Speak:
    return lambda connection, _: connection.sendall(raw)


def answering(body: bytes, status: str = "200 OK", *headers: str) -> Speak:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return saying("\r\n".join(lines).encode() + body)


def caller(server: Server, *names: str, limits: Limits = QUICK, ca: Path | None = None) -> Caller:
    """A caller that may call this machine, where every name leads."""
    return Caller(
        allowed=INSIDE,
        ports=frozenset({server.port}),
        ca_file=ca,
        limits=limits,
        resolve=lambda *_: list(names) or [HERE],
    )


class Authority:
    """A certificate authority, and the contexts of servers it vouches for."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        self._folder = folder
        made = self._certificate(self._name, self._key.public_key(), ca=True).sign(
            self._key, hashes.SHA256()
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def context(self, *names: str, days: int = 30) -> ssl.SSLContext:
        """Make the server's side of TLS for these names; with `days` below zero it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        made = (
            self._certificate(subject, key.public_key(), ca=False, days=days)
            .add_extension(alternatives, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"{made.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + made.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool, days: int = 30
    ) -> x509.CertificateBuilder:
        day = timedelta(days=1)
        ends = now() + days * day
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now(), ends) - day)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
