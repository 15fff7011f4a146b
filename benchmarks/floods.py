"""A flood of readings from one party, while another files and dashboards look; and then a worse one.

Everybody speaks HTTP over raw streams, so that the clients cost the two cores little.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.clock import now
from benchmarks import load

CALM = {200, 201, 304, 429, 503}
CONNECTIONS = 8
WORSE = 96
"""Connections of the second flood: more than there are places for batches."""
FILER_PAUSE = 0.05
LOOK_PAUSE = 0.1
P99_SECONDS = 1.5
"""No filing and no look of anybody else may take longer, but one in a hundred."""


@dataclass(frozen=True)
class Keys:
    """Who takes part."""

    officer: str
    flooder: str
    filer: str
    dashboard: str


@dataclass
class Told:
    """What was answered to each, and how soon."""

    times: dict[str, list[float]] = field(default_factory=dict)
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    reports: set[str] = field(default_factory=set)
    readings: int = 0
    without_retry_after: int = 0
    broken_off: int = 0

    def note(self, who: str, status: int, head: bytes, seconds: float) -> None:
        """Count an answer; only those that are no refusal count in the times."""
        self.statuses.setdefault(who, Counter())[status] += 1
        if status in {429, 503}:
            self.without_retry_after += b"\r\nretry-after: " not in head.lower()
        else:
            self.times.setdefault(who, []).append(seconds)

    def percentile(self, who: str, share: float) -> float:
        """Seconds within which so large a share of somebody's answers came."""
        return load.Outcome(times=self.times.get(who, [])).percentile(share)

    def figures(self) -> dict[str, Any]:
        """Name what is printed; raises when somebody was stopped by the flood of another."""
        for who in self.statuses:
            assert set(self.statuses[who]) <= CALM, (who, self.statuses[who])
        assert self.without_retry_after == 0, self.without_retry_after
        figures: dict[str, Any] = {"readings taken": self.readings, "reports": len(self.reports)}
        for who in ("filer", "dashboard", "poll", "livez", "readyz"):
            p99 = self.percentile(who, 0.99)
            figures[who] = f"p50 {self.percentile(who, 0.5) * 1000:.0f} ms p99 {p99 * 1000:.0f} ms"
            assert p99 <= P99_SECONDS, (who, p99)
            refused = sum(self.statuses[who][status] for status in (429, 503))
            assert refused == 0, (who, self.statuses[who])
        figures["statuses of the flood"] = dict(self.statuses["flooder"])
        return figures


def compare(told: Told, stored: dict[str, Any]) -> dict[str, Any]:
    """Hold what was acknowledged against what is on file; what broke off may be on file as well."""
    lost = len(told.reports - stored["references"]) + max(0, told.readings - stored["readings"])
    assert lost == 0, (told.reports - stored["references"], told.readings, stored["readings"])
    return {"lost": lost}


def flood(
    url: str, keys: Keys, license: dict[str, Any], serials: list[str], seconds: float
) -> Told:
    """Flood for so long with few connections, then a quarter as long with many, then ask again."""
    _register_other(url, keys, license, serials)
    told = asyncio.run(_flood(urlsplit(url).port or 80, keys, license["number"], serials, seconds))
    _works_again(url, keys, license)
    return told


def _register_other(url: str, keys: Keys, license: dict[str, Any], serials: list[str]) -> None:
    exporter = {"reference": "ACME", "name": "Acme Biometrics", "country": "NL"}
    body = license | {"number": "BX-DRILL-2", "exporter": exporter}
    shipment = {
        "license": "BX-DRILL-2",
        "reference": "SHIP-2",
        "line": 1,
        "date": license["granted_on"],
        "quantity": len(serials),
        "serials": [f"A-{serial}" for serial in serials],
    }
    for path, key, sent in (
        ("/v1/licenses", keys.officer, body),
        ("/v1/shipments", keys.filer, shipment),
    ):
        headers = {"Authorization": f"Bearer {key}"}
        httpx.post(f"{url}{path}", json=sent, headers=headers, timeout=30).raise_for_status()


def _works_again(url: str, keys: Keys, license: dict[str, Any]) -> None:
    """After the flood the one who made it is served like anybody else."""
    for path, key in (
        (f"/v1/licenses/{license['number']}", keys.flooder),
        ("/v1/reports?limit=1", keys.filer),
        ("/v1/alerts", keys.dashboard),
    ):
        headers = {"Authorization": f"Bearer {key}"}
        httpx.get(f"{url}{path}", headers=headers, timeout=30).raise_for_status()


async def _flood(port: int, keys: Keys, number: str, serials: list[str], seconds: float) -> Told:
    told = Told()
    for connections, share in ((CONNECTIONS, 1.0), (WORSE, 0.25)):
        until = time.perf_counter() + seconds * share
        await asyncio.gather(
            *(_flooder(port, keys, number, serials, until, at, told) for at in range(connections)),
            *(_filer(port, keys, serials, until, f"{connections}-{at}", told) for at in (1, 2)),
            _looker(port, keys, until, told),
        )
    return told


class _Line:
    """A connection that is opened anew when it breaks off."""

    def __init__(self, port: int, told: Told) -> None:
        self.port, self.told = port, told
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, who: str, request: bytes) -> tuple[int, bytes, bytes]:
        """Send a request and note its answer; gives status, head and body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._streams
        begun = time.perf_counter()
        try:
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            status, body = int(head[9:12]), b""
            at = head.lower().find(b"content-length:")
            if at >= 0 and status != 304:
                body = await reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
        except (OSError, asyncio.IncompleteReadError):
            self._streams = None
            self.told.broken_off += 1
            return 0, b"", b""
        self.told.note(who, status, head, time.perf_counter() - begun)
        return status, head, body

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


def _with_key(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


async def _flooder(
    port: int,
    keys: Keys,
    number: str,
    serials: list[str],
    until: float,
    at: int,
    told: Told,
) -> None:
    """Send batch after batch, without a pause and whatever the answer is."""
    line, sent, since = _Line(port, told), 0, now() - timedelta(days=1)
    headers = _with_key(keys.flooder, **{"Content-Type": "application/x-ndjson"})
    while time.perf_counter() < until:
        sent += 1
        body = _batch(number, serials, since + timedelta(seconds=sent * 30, milliseconds=at))
        status, _, answer = await line.ask(
            "flooder", load.request("POST", "/v1/readings", headers, body)
        )
        if status == 200:
            told.readings += json.loads(answer)["accepted"]
        await asyncio.sleep(0)
    line.close()


def _batch(number: str, serials: list[str], moment: Any) -> bytes:
    return b"\n".join(
        b'{"license":"%b","serial":"%b","observed_at":"%b","facts":{"gallery_size":100}}'
        % (
            number.encode(),
            serial.encode(),
            (moment + timedelta(microseconds=many)).isoformat().encode(),
        )
        for many in range(500 // len(serials))
        for serial in serials
    )


async def _filer(
    port: int, keys: Keys, serials: list[str], until: float, name: str, told: Told
) -> None:
    """File reports one by one, as another exporter does in a busy hour."""
    line, number = _Line(port, told), 0
    headers = _with_key(keys.filer, **{"Content-Type": "application/json"})
    while time.perf_counter() < until:
        number += 1
        reference = f"F-{name}-{number}"
        serial = f"A-{serials[number % len(serials)]}"
        body = {
            "kind": "attestation",
            "license": "BX-DRILL-2",
            "reference": reference,
            "observed_at": now().isoformat(),
            "statements": [{"subject": {"serial": serial}, "facts": {"gallery_size": 90}}],
        }
        sent = load.request("POST", "/v1/reports", headers, json.dumps(body).encode())
        status, _, _ = await line.ask("filer", sent)
        if status == 201:
            told.reports.add(reference)
        await asyncio.sleep(FILER_PAUSE)
    line.close()


async def _looker(port: int, keys: Keys, until: float, told: Told) -> None:
    """Look at a dashboard: polls, counts, lists; and at health, as whoever restarts things does."""
    headers, tag = _with_key(keys.dashboard), ""

    async def get(who: str, line: _Line, path: str, **more: str) -> bytes:
        _, head, _ = await line.ask(who, load.request("GET", path, headers | more))
        return head

    async def looking(who: str, *paths: str) -> None:
        line = _Line(port, told)
        while time.perf_counter() < until:
            for path in paths:
                await get(who, line, path)
                await asyncio.sleep(LOOK_PAUSE)
        line.close()

    async def polling() -> None:
        nonlocal tag
        line = _Line(port, told)
        while time.perf_counter() < until:
            head = await get("poll", line, "/v1/alerts", **{"If-None-Match": tag or '"none"'})
            at = head.lower().find(b"etag: ")
            tag = head[at + 6 : head.index(b"\r\n", at)].decode() if at >= 0 else ""
            await asyncio.sleep(LOOK_PAUSE)
        line.close()

    lookers: list[Callable[[], Awaitable[None]]] = [
        polling,
        lambda: looking("dashboard", "/v1/alerts/summary", "/v1/alerts/current", "/v1/licenses"),
        lambda: looking("livez", "/livez"),
        lambda: looking("readyz", "/readyz"),
    ]
    await asyncio.gather(*(look() for look in lookers))
