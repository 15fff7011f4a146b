"""Which addresses may be called. Pure: names are resolved elsewhere, and judged here.

Networks are those of the IANA registries of special-purpose addresses (IPv4 and IPv6, as of 2026),
and what they leave out: multicast, deprecated forms, the addresses where clouds tell secrets.
Beyond the table only the space that IANA gives out for IPv6 (2000::/3) is called at all.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

from app.outbound.troubles import (
    AddressUnreadable,
    NetworkRefused,
    PortRefused,
    SchemeRefused,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DENIED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network, or unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier's customers"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's metadata"),
        ("169.254.0.0/16", "link-local, a cloud's metadata"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "for protocols"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "for protocols"),
        ("192.52.193.0/24", "for protocols"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "for protocols"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discarded"),
        ("100:0:0:1::/64", "for protocols"),
        ("2001::/32", "Teredo"),
        ("2001:2::/48", "benchmarking"),
        ("2001:10::/28", "ORCHID"),
        ("2001:20::/28", "ORCHID"),
        ("2001::/23", "for protocols"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "for protocols"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "for protocols"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
GIVEN_OUT = IPv6Network("2000::/3")
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"^{LABEL}(?:\.{LABEL})*$")
NUMBER = re.compile(r"^(?:\d+|0x[0-9a-f]*)$")
VISIBLE = re.compile(r"^[\x21-\x5b\x5d-\x7e]{1,2000}$")
PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: the parts of its address, read once."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> Address | None:
        """The host, if it is an address itself and not a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def target(url: str) -> Target:
    """Read an address; whatever two readers might read in two ways is refused.

    A host is a name in ASCII, four decimal numbers, or an IPv6 address in brackets. Numbers in other
    notations (0x7f.1, 2130706433, 0177.0.0.1), names that end in a dot, zones and other scripts are
    refused: who means them can write them plainly.
    """
    if not VISIBLE.match(url):
        raise AddressUnreadable(
            "Write the address in ASCII, without spaces, 2,000 characters at most."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressUnreadable(f"This cannot be read as an address: {error}.") from error
    if parts.scheme not in PORTS:
        raise SchemeRefused("Write an address that begins with https://.")
    if "@" in parts.netloc:
        raise AddressUnreadable("Leave name and password out of the address.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    chosen = PORTS[parts.scheme] if port is None else port
    return Target(parts.scheme, _host(parts.netloc), chosen, path)


def _host(netloc: str) -> str:
    """Take the host out of `host:port`, in the one notation it may have."""
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?", netloc)
    try:
        if bracketed:
            return str(IPv6Address(bracketed[1]))
        host = re.fullmatch(r"([^:\[\]]+)(?::\d+)?", netloc)
        if host is not None:
            name = host[1].lower()
            if NUMBER.match(name.rpartition(".")[2]):
                return str(IPv4Address(name))
            if len(name) <= 253 and NAME.match(name):
                return name
    except ValueError:
        pass
    raise AddressUnreadable(
        "The host is neither a name in ASCII (xn--… for other scripts; no dot at its end), nor four "
        "decimal numbers, nor an IPv6 address in brackets."
    )


def judge(
    target: Target, found: Sequence[str], *, allowed: Sequence[Network], ports: frozenset[int]
) -> list[Address]:
    """Give the addresses that may be called, as they were found; raises if a single one may not.

    One bad address among good ones condemns the name: whoever answers for it chooses which is used.
    """
    addresses = [_read(address) for address in found]
    inside = bool(addresses) and all(_within(address, allowed) for address in addresses)
    if target.scheme != "https" and not inside:
        raise SchemeRefused("Call it by https; http is for networks in ENDWATCH_OUTBOUND_ALLOW.")
    if target.port not in ports:
        raise PortRefused(
            f"Port {target.port} may not be called; ENDWATCH_OUTBOUND_PORTS says which."
        )
    for address in addresses:
        why = refusal(address, allowed)
        if why is not None:
            raise NetworkRefused(f"{target.host} leads into a network that is not called ({why}).")
    return addresses


def _read(address: str) -> Address:
    try:
        read = ip_address(address)
    except ValueError as error:
        raise NetworkRefused("The name leads to something that is no address.") from error
    if read.version == 6 and read.scope_id is not None:
        raise NetworkRefused("The name leads to an address with a zone.")
    return read


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Say why an address may not be called; None if it may.

    An IPv4 address inside an IPv6 one is judged as well: to allow NAT64 allows nothing behind it.
    """
    if not _within(address, allowed):
        for network, what in DENIED:
            if address in network:
                return what
        if address.version == 6 and address not in GIVEN_OUT:
            return "reserved"
    inner = (refusal(one, allowed) for one in embedded(address))
    return next((f"{why}, inside an IPv6 address" for why in inner if why is not None), None)


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def embedded(address: Address) -> Iterator[IPv4Address]:
    """Give the IPv4 addresses that an IPv6 address may lead to."""
    if address.version == 4:
        return
    number = int(address)
    last = number & 0xFFFFFFFF
    for network, shifts in EMBEDDING:
        if address in network:
            for shift in shifts:
                yield IPv4Address(number >> shift & 0xFFFFFFFF)
    if address in LOCAL_NAT64:  # RFC 6052: in two parts, around eight bits that are zero
        yield IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
    if address in TEREDO:  # RFC 4380: the client's, turned over
        yield IPv4Address(last ^ 0xFFFFFFFF)
    if number >> 32 & 0xFDFFFFFF == 0x00005EFE:  # RFC 5214: ISATAP, under any prefix
        yield IPv4Address(last)


TEREDO = IPv6Network("2001::/32")
LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
EMBEDDING: tuple[tuple[IPv6Network, tuple[int, ...]], ...] = (
    (IPv6Network("::ffff:0:0/96"), (0,)),
    (IPv6Network("::ffff:0:0:0/96"), (0,)),
    (IPv6Network("64:ff9b::/96"), (0,)),
    (LOCAL_NAT64, (0,)),
    (IPv6Network("2002::/16"), (80,)),
    (TEREDO, (64,)),
    *((network, (0,)) for network in IPv6Network("::/96").address_exclude(IPv6Network("::/127"))),
)
