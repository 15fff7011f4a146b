"""Every class of address is refused, in every disguise; what is public is called."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from app.outbound import rules
from app.outbound.rules import DENIED, Network
from app.outbound.troubles import (
    AddressUnreadable,
    CallRefused,
    NetworkRefused,
    PortRefused,
    SchemeRefused,
)

HTTPS = frozenset({443})

REFUSED = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "this network",
    "10.20.30.40": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "carrier",
    "100.100.100.200": "carrier",
    "100.127.255.255": "carrier",
    "169.254.1.1": "link-local",
    "169.254.169.254": "metadata",
    "168.63.129.16": "metadata",
    "192.0.0.192": "protocols",
    "192.0.2.1": "documentation",
    "198.51.100.7": "documentation",
    "203.0.113.9": "documentation",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "192.88.99.1": "6to4",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "compatible",
    "::8.8.8.8": "compatible",
    "::ffff:127.0.0.1": "mapped",
    "::ffff:8.8.8.8": "mapped",
    "::ffff:0:10.0.0.1": "translated",
    "64:ff9b::10.0.0.1": "NAT64",
    "64:ff9b::8.8.8.8": "NAT64",
    "64:ff9b:1::1": "NAT64",
    "100::1": "discarded",
    "2001::1": "Teredo",
    "2001:2::1": "benchmarking",
    "2001:10::1": "ORCHID",
    "2001:20::1": "ORCHID",
    "2001:1::1": "protocols",
    "2001:db8::1": "documentation",
    "3fff::1": "documentation",
    "2002:7f00:1::1": "6to4",
    "2002:808:808::1": "6to4",
    "fc00::1": "unique local",
    "fd00:ec2::254": "unique local",
    "fd20:ce::254": "unique local",
    "fe80::1": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "5f00::1": "protocols",
    "4000::1": "reserved",
    "1::1": "reserved",
    "2606:4700::5efe:10.0.0.1": "private, inside",
    "2606:4700::200:5efe:127.0.0.1": "loopback, inside",
}
CALLED = [
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "192.0.1.1",
    "198.20.0.1",
    "223.255.255.1",
]
CALLED += ["2606:4700:4700::1111", "2a00:1450:4001::200e", "2001:4860:4860::8888", "2003::1"]


@pytest.mark.parametrize(("address", "why"), REFUSED.items())
def test_what_is_not_public_is_refused_and_told_why(address: str, why: str) -> None:
    assert why in str(rules.refusal(ip_address(address)))


@pytest.mark.parametrize("address", CALLED)
def test_what_is_public_is_called(address: str) -> None:
    assert rules.refusal(ip_address(address)) is None


def _inside(network: Network) -> SearchStrategy[IPv4Address | IPv6Address]:
    most = network.num_addresses - 1
    offsets = st.integers(0, most) | st.sampled_from([0, most])
    return offsets.map(lambda offset: network.network_address + offset)


@pytest.mark.parametrize("network", [network for network, _ in DENIED], ids=str)
def test_every_address_of_a_denied_network_is_refused(network: Network) -> None:
    @given(_inside(network))
    def refused(address: IPv4Address | IPv6Address) -> None:
        assert rules.refusal(address) is not None

    refused()


@given(st.ip_addresses())
def test_python_calls_nothing_global_less_that_is_called_here(
    address: IPv4Address | IPv6Address,
) -> None:
    if rules.refusal(address) is None:
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_address_of_version_4_is_judged_in_all_its_disguises(address: IPv4Address) -> None:
    number = int(address)
    everywhere = [network for network, _ in DENIED if network.version == 6]
    disguises = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0xFFFF << 48 | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x20010000 << 96 | number << 64 | (0x08080808 ^ 0xFFFFFFFF)),
        IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | (number ^ 0xFFFFFFFF)),
    ]
    plain = rules.refusal(address)
    for disguise in disguises:
        hidden = rules.refusal(disguise, everywhere)
        assert (hidden is None) == (plain is None), (disguise, hidden)
    if plain is not None:  # RFC 6052 knows several places; each of them is judged
        assert rules.refusal(IPv6Address(0x0064FF9B0001FFFE << 64 | number), everywhere) is not None


def test_a_network_allowed_by_the_operator_allows_nothing_hidden_in_it() -> None:
    nat64 = [ip_network("64:ff9b::/96")]

    assert rules.refusal(ip_address("64:ff9b::8.8.8.8"), nat64) is None
    assert (
        rules.refusal(ip_address("64:ff9b::10.0.0.1"), nat64) == "private, inside an IPv6 address"
    )
    assert (
        rules.refusal(ip_address("64:ff9b::10.0.0.1"), [*nat64, IPv4Network("10.0.0.0/8")]) is None
    )
    assert rules.refusal(ip_address("::ffff:10.0.0.1"), [IPv4Network("10.0.0.0/8")]) is not None
    assert rules.refusal(ip_address("::1"), [IPv6Network("::1/128")]) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://127.0.0.0x1/",
        "https://example.0x/",
        "https://1.2.3.4.5/",
        "https://example.org./",
        "https://.example.org/",
        "https://exa mple.org/",
        "https://ex\tample.org/",
        "https://ex\nample.org/",
        "https://b\u00fccher.example/",
        "https://\u2460\u2461\u2466.0.0.1/",
        "https://127\u30020\u30020\u30021/",
        "https://%31%32%37.0.0.1/",
        "https://[fe80::1%25eth0]/",
        "https://[::1%lo]/",
        "https://[v1.x]/",
        "https://[::1/",
        "https://::1/",
        "https://user:word@example.org/",
        "https://example.org@127.0.0.1/",
        "https://example.org\\@127.0.0.1/",
        "https://example.org:99999/",
        "https://example.org:/",
        "https://example.org:4a3/",
        "https:///nowhere",
        "https://-example.org/",
        f"https://{'a' * 64}.example/",
        f"https://{'abcdefgh.' * 30}example/",
        f"https://example.org/{'a' * 2000}",
        "https:example.org",
    ],
)
def test_what_two_readers_may_read_in_two_ways_is_no_address(url: str) -> None:
    with pytest.raises(AddressUnreadable):
        rules.target(url)


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/passwd", "//example.org/", "x"])
def test_nothing_but_http_is_called(url: str) -> None:
    with pytest.raises(SchemeRefused):
        rules.target(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://Example.ORG", "example.org", 443, "/"),
        ("https://xn--bcher-kva.example:8443/a/b?c=d#e", "xn--bcher-kva.example", 8443, "/a/b?c=d"),
        ("https://8.8.8.8/x", "8.8.8.8", 443, "/x"),
        ("https://[2606:4700:0::1]:444/", "2606:4700::1", 444, "/"),
        ("https://[::FFFF:127.0.0.1]/", "::ffff:7f00:1", 443, "/"),
        ("http://idp:80?a", "idp", 80, "/?a"),
        ("https://example.org:0/", "example.org", 0, "/"),
    ],
)
def test_an_address_is_read_once_into_its_parts(url: str, host: str, port: int, path: str) -> None:
    target = rules.target(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@given(st.text(max_size=60))
def test_whatever_is_written_as_a_host_is_plain_or_refused(host: str) -> None:
    try:
        target = rules.target(f"https://{host}/")
    except CallRefused:
        return
    assert target.literal is not None or rules.NAME.match(target.host)


def _judge(url: str, *found: str, allowed: tuple[Network, ...] = ()) -> list[str]:
    judged = rules.judge(rules.target(url), found, allowed=allowed, ports=HTTPS)
    return [str(address) for address in judged]


def test_one_bad_address_condemns_the_name() -> None:
    assert _judge("https://example.org/", "8.8.8.8", "2606:4700::1") == ["8.8.8.8", "2606:4700::1"]
    for bad in ("127.0.0.1", "::1", "fe80::1%2", "no address"):
        with pytest.raises(NetworkRefused):
            _judge("https://example.org/", "8.8.8.8", bad)


def test_http_is_for_allowed_networks_and_ports_are_listed() -> None:
    inside = (IPv4Network("10.0.0.0/8"),)

    assert _judge("http://idp:443/", "10.0.0.1", allowed=inside) == ["10.0.0.1"]
    with pytest.raises(SchemeRefused):
        _judge("http://idp:443/", "10.0.0.1", "8.8.8.8", allowed=inside)
    with pytest.raises(SchemeRefused):
        _judge("http://example.org:443/", "8.8.8.8")
    for port in (22, 25, 80, 8443, 0):
        with pytest.raises(PortRefused):
            _judge(f"https://example.org:{port}/", "8.8.8.8")


def test_a_teredo_address_leads_to_its_client_turned_over() -> None:
    """The example of RFC 4380, 4: the client behind 192.0.2.45."""
    address = IPv6Address("2001:0:4136:e378:8000:63bf:3fff:fdd2")
    assert IPv4Address("192.0.2.45") in set(rules.embedded(address))


def test_a_local_translation_prefix_hides_an_address_in_two_parts() -> None:
    """RFC 6052, 2.2, prefix of 48 bits: 16 bits, eight of zero, 16 bits."""
    address = IPv6Address("64:ff9b:1:c000:2:2d00::")
    assert IPv4Address("192.0.2.45") in set(rules.embedded(address))
