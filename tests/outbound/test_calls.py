"""The one way out, against real servers that behave well and badly."""

import gzip
import os
import socket
import time
import zlib
from pathlib import Path

import pytest

from app.outbound import Caller
from app.outbound.connecting import Deadline, addresses_of, system_addresses
from app.outbound.troubles import (
    AnswerTooLarge,
    AnswerTooLate,
    AnswerUnreadable,
    CertificateRefused,
    NameUnknown,
    NetworkRefused,
    NotConnected,
    PortRefused,
    SchemeRefused,
    SentElsewhere,
)
from app.settings import Settings
from tests.outbound.servers import (
    HERE,
    QUICK,
    Authority,
    Server,
    Speak,
    answering,
    caller,
    saying,
    serving,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_an_answer_comes_back_whole_and_the_request_says_who_calls() -> None:
    with serving(answering(b'{"a": 1}', "200 OK", "Content-Type: application/json")) as server:
        answer = caller(server).call(
            "POST",
            f"http://idp.example:{server.port}/token?x=1",
            headers={"Content-Type": "text/plain", "Host": "other", "Content-Length": "3"},
            content=b"hello",
        )

    assert (answer.status, answer.json()) == (200, {"a": 1})
    assert answer.headers["content-type"] == "application/json"
    first, *lines = server.heard[0].decode().split("\r\n")
    assert first == "POST /token?x=1 HTTP/1.1"
    assert f"host: idp.example:{server.port}" in lines
    assert "content-length: 5" in lines
    assert sum(line.lower().startswith(("host:", "content-length:")) for line in lines) == 2
    assert any(line.startswith("user-agent: Endwatch") for line in lines)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "404 No", "500 Oh"])
def test_every_status_but_a_redirect_is_an_answer(status: str) -> None:
    with serving(answering(b"", status)) as server:
        assert caller(server).call("GET", server.url).status == int(status[:3])


@pytest.mark.parametrize("status", ["300 X", "301 X", "302 X", "303 X", "307 X", "308 X"])
def test_a_redirect_is_not_followed_wherever_it_leads(status: str) -> None:
    with (
        serving(answering(b"secret")) as inside,
        serving(answering(b"", status, f"Location: {inside.url}")) as server,
        pytest.raises(SentElsewhere),
    ):
        caller(server).call("GET", server.url)
    assert len(server.heard) == 1
    assert inside.heard == []


def test_a_switch_to_another_protocol_is_no_answer() -> None:
    raw = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    with serving(saying(raw)) as server, pytest.raises(AnswerUnreadable):
        caller(server).call("GET", server.url)


def test_a_name_is_resolved_once_so_it_cannot_turn_inward_in_between() -> None:
    asked = []

    def turning(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["192.0.0.9"] if len(asked) == 1 else [HERE]

    with serving(answering(b"inside")) as server:
        turned = Caller(ports=frozenset({server.port}), limits=QUICK, resolve=turning)
        with pytest.raises(NetworkRefused):
            turned.call("GET", f"https://rebind.example:{server.port}/")
    assert asked == ["rebind.example"]


def test_the_connection_goes_to_the_judged_address_and_nowhere_else() -> None:
    """127.0.0.9 was judged and answers nothing; the name itself would lead to a server."""
    with serving(answering(b"inside")) as server:
        with pytest.raises(NotConnected):
            caller(server, "127.0.0.9").call("GET", f"http://localhost:{server.port}/")
        assert caller(server).call("GET", f"http://nowhere.invalid:{server.port}/").status == 200


def test_of_several_good_addresses_the_first_that_answers_is_used() -> None:
    with serving(answering(b"here")) as server:
        answer = caller(server, "127.0.0.9", HERE).call("GET", server.url.replace(HERE, "two"))
    assert answer.body == b"here"


def test_one_bad_address_among_several_stops_the_call_before_any_connection() -> None:
    with serving(answering(b"here")) as server, pytest.raises(NetworkRefused):
        caller(server, HERE, "169.254.169.254").call("GET", f"https://two:{server.port}/")
    assert server.heard == []


@pytest.mark.parametrize("host", ["localhost", HERE, "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_is_not_called_unless_the_operator_says_so(host: str) -> None:
    with serving(answering(b"here")) as server, pytest.raises(NetworkRefused):
        Caller(ports=frozenset({server.port})).call("GET", f"https://{host}:{server.port}/")
    assert server.heard == []


def test_the_port_and_http_are_refused_without_a_connection() -> None:
    with serving(answering(b"here")) as server:
        with pytest.raises(PortRefused):
            Caller(allowed=[], resolve=lambda *_: ["8.8.8.8"]).call(
                "GET", f"https://dns.example:{server.port}/"
            )
        with pytest.raises(SchemeRefused):
            Caller(ports=frozenset({server.port})).call("GET", server.url)
    assert server.heard == []


def test_an_address_of_version_6_is_called_too() -> None:
    with serving(answering(b"six"), host="::1") as server:
        assert caller(server).call("GET", f"http://[::1]:{server.port}/").body == b"six"
    assert f"host: [::1]:{server.port}".encode() in server.heard[0]


def test_tls_verifies_the_name_that_was_called(authority: Authority) -> None:
    context = authority.context("idp.example", HERE)
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with serving(answering(b"safe"), context) as server:
        trusting = caller(server, ca=authority.file)
        for host in ("idp.example", HERE):
            assert trusting.call("GET", f"https://{host}:{server.port}/").body == b"safe"
        with pytest.raises(CertificateRefused, match=r"idp\.other"):
            trusting.call("GET", f"https://idp.other:{server.port}/")
        with pytest.raises(CertificateRefused):
            caller(server).call("GET", f"https://idp.example:{server.port}/")
    assert names[:3] == ["idp.example", None, "idp.other"]


def test_an_expired_certificate_and_an_old_protocol_are_refused(authority: Authority) -> None:
    with (
        serving(answering(b""), authority.context("idp.example", days=-2)) as server,
        pytest.raises(CertificateRefused, match="expired"),
    ):
        caller(server, ca=authority.file).call("GET", f"https://idp.example:{server.port}/")
    with serving(answering(b"plain")) as server, pytest.raises(NotConnected):
        caller(server, ca=authority.file).call("GET", f"https://idp.example:{server.port}/")


def _endless(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1000\r\n" + bytes(4096) + b"\r\n")


BOMB = gzip.compress(bytes(50_000_000))
DEFLATE = zlib.compress(b"{}")


@pytest.mark.parametrize(
    "speak",
    [
        answering(bytes(100_001)),
        _endless,
        answering(BOMB, "200 OK", "Content-Encoding: gzip"),
    ],
    ids=["too large", "endless", "a bomb"],
)
def test_an_answer_that_is_too_large_is_not_read_on(speak: Speak) -> None:
    with serving(speak) as server, pytest.raises(AnswerTooLarge):
        caller(server).call("GET", server.url)


def test_an_answer_of_just_the_limit_is_taken_plain_and_compressed() -> None:
    body = os.urandom(50_000) * 2
    for speak in (
        answering(body),
        answering(gzip.compress(body), "200 OK", "Content-Encoding: GZIP"),
    ):
        with serving(speak) as server:
            assert caller(server).call("GET", server.url).body == body


@pytest.mark.parametrize(
    "speak",
    [
        saying(b"SSH-2.0-OpenSSH_9.9\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive."),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nfive.."),
        saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nX\xff: y\r\nContent-Length: 0\r\n\r\n"),
        answering(b"no gzip at all", "200 OK", "Content-Encoding: gzip"),
        answering(gzip.compress(b"{}")[:-9], "200 OK", "Content-Encoding: gzip"),
        answering(DEFLATE, "200 OK", "Content-Encoding: deflate"),
        answering(DEFLATE, "200 OK", "Content-Encoding: gzip, br"),
    ],
)
def test_an_answer_that_is_not_http_or_not_as_asked_is_unreadable(speak: Speak) -> None:
    with serving(speak) as server, pytest.raises(AnswerUnreadable):
        caller(server).call("GET", server.url)


def test_json_that_is_none_is_told() -> None:
    for body in (b"<html>", b"\xff\xfe\x00", b"[" * 100_000):
        with serving(answering(body)) as server, pytest.raises(AnswerUnreadable):
            caller(server).call("GET", server.url).json()


def _silent(connection: socket.socket, _: bytes) -> None:
    time.sleep(3)


def _dripping(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _turn in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


def _dripping_heads(connection: socket.socket, _: bytes) -> None:
    for _turn in range(100):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("speak", [_silent, _dripping, _dripping_heads])
def test_no_call_takes_longer_than_it_may(speak: Speak) -> None:
    begun = time.monotonic()
    with serving(speak) as server, pytest.raises(AnswerTooLate):
        caller(server).call("GET", server.url)
    assert time.monotonic() - begun < 2.5


def test_a_handshake_that_never_ends_is_given_up() -> None:
    begun = time.monotonic()
    with socket.create_server((HERE, 0)) as listening:
        silent = Server(listening.getsockname()[1], [])
        with pytest.raises(AnswerTooLate):
            caller(silent).call("GET", f"https://{HERE}:{silent.port}/")
    assert time.monotonic() - begun < 2.5


def test_a_body_that_nobody_takes_is_given_up() -> None:
    def deaf(connection: socket.socket, _: bytes) -> None:
        time.sleep(3)

    begun = time.monotonic()
    with serving(deaf) as server, pytest.raises(AnswerTooLate):
        caller(server).call("POST", server.url, content=bytes(20_000_000))
    assert time.monotonic() - begun < 2.5


def test_an_answer_given_before_the_body_was_taken_is_heard() -> None:
    with serving(answering(b"too large", "413 No")) as server:
        assert caller(server).call("POST", server.url, content=bytes(20_000)).status == 413


def test_names_that_lead_nowhere_or_never_answer_are_told() -> None:
    def hanging(host: str, port: int) -> list[str]:
        time.sleep(1.5)
        return ["8.8.8.8"]

    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    def empty(host: str, port: int) -> list[str]:
        return []

    for resolve in (unknown, empty):
        with pytest.raises(NameUnknown):
            Caller(resolve=resolve).call("GET", "https://nowhere.example/")
    with pytest.raises(AnswerTooLate):
        Caller(resolve=hanging, limits=QUICK).call("GET", "https://slow.example/")


def test_the_systems_resolver_is_asked_for_all_addresses() -> None:
    assert HERE in system_addresses("localhost", 443)
    assert addresses_of(system_addresses, HERE, 443, Deadline(5), 5) == [HERE]


def test_the_environment_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, tmp_path: Path
) -> None:
    with (
        serving(answering(b"by the proxy")) as proxy,
        serving(answering(b"direct")) as server,
        serving(answering(b"safe"), authority.context("idp.example")) as secure,
    ):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        (tmp_path / ".netrc").write_text(f"machine {HERE} login a password b\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        assert caller(server).call("GET", server.url).body == b"direct"
        with pytest.raises(CertificateRefused):
            caller(secure).call("GET", f"https://idp.example:{secure.port}/")
    assert proxy.heard == []
    assert b"authorization" not in server.heard[0].lower()


def test_no_cookie_is_kept() -> None:
    with serving(answering(b"", "200 OK", "Set-Cookie: a=b")) as server:
        one = caller(server)
        one.call("GET", server.url)
        one.call("GET", server.url)
    assert all(b"cookie" not in head.lower() for head in server.heard)


def test_the_operators_settings_reach_the_caller(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    with serving(answering(b"set"), authority.context(HERE)) as server:
        monkeypatch.setenv("ENDWATCH_OUTBOUND_ALLOW", "10.0.0.0/8 127.0.0.1/32")
        monkeypatch.setenv("ENDWATCH_OUTBOUND_PORTS", f"443 {server.port}")
        monkeypatch.setenv("ENDWATCH_OUTBOUND_CA_FILE", str(authority.file))
        told = Caller.of(Settings())
        assert told.call("GET", f"https://{HERE}:{server.port}/").body == b"set"


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALLOW", "10.0.0.1/8"), ("ALLOW", "inside"), ("PORTS", "https"), ("PORTS", "0")],
)
def test_settings_that_mean_nothing_stop_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENDWATCH_OUTBOUND_{name}", value)
    with pytest.raises(ValueError, match=f"outbound_{name.lower()}"):
        Settings()
