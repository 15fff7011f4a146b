"""What is hidden in the sample world: where units say something else, late, twice or not at all.

What each of these must lead to stands in `EXPECTED.md`, written by hand: it says what was meant,
never what the service answered. A difference between the two is a fault of one of them.
"""

from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

from samples.world import LAST_DAY, SITES, model

METRES_PER_DEGREE = 111_195.0
"""Of latitude, on the sphere that `permitted_sites` measures on."""


@dataclass(frozen=True)
class Change:
    """From one day to another a unit states something else; None takes a fact away."""

    serial: str
    first: date
    last: date
    facts: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Late:
    """What a unit said on a day reaches the gateway on a later one."""

    serial: str
    observed: date
    arrives: date


@dataclass(frozen=True)
class Silence:
    """A unit says nothing from one day to another."""

    serial: str
    first: date
    last: date


def on(month: int, day: int) -> date:
    """Name a day of the sample world."""
    return date(2026, month, day)


def place(lat: float, lon: float, accuracy_m: float) -> dict[str, Any]:
    """State a position."""
    return {"position": {"lat": lat, "lon": lon, "accuracy_m": accuracy_m}}


def north_of(site: str, metres: float, accuracy_m: float) -> dict[str, Any]:
    """State a position so many metres north of the middle of a site."""
    _, _, lat, lon = SITES[site]
    return place(round(lat + metres / METRES_PER_DEGREE, 6), lon, accuracy_m)


def fixed(serial: str, month: int, first: int, last: int, **facts: Any) -> Change:
    """Let a unit state something else on some days of a month."""
    return Change(serial, on(month, first), on(month, last), facts)


def ever(serial: str, month: int = 9, first: int = 2, **facts: Any) -> Change:
    """Let a unit state something else from a day on."""
    return Change(serial, on(month, first), LAST_DAY, facts)


CHANGES = (
    # BX-2026-00101
    fixed("NB-KE-0007", 9, 18, 21, gallery_size=5140),
    fixed("NB-KE-0021", 10, 6, 6, identify_calls=3),
    fixed("NB-KE-0027", 10, 11, 13, **place(-1.3217, 36.8148, 15)),
    ever("NB-KE-0045", 10, 20, software_version="5.0.1"),
    fixed("NB-KE-0012", 9, 25, 25, **north_of("NBO-T1", 1000, 900)),
    ever("NB-KE-0013", **north_of("NBO-T1", 1480, 15)),
    ever("NB-KE-0002", gallery_size=5000),
    ever("NB-KE-0040", 10, 1, software_version="4.3rc1"),
    # BX-2026-00102
    fixed("NB-GH-0018", 10, 3, 5, gallery_size=42_180),
    fixed("NB-GH-0030", 9, 28, 28, storage_countries=[]),
    # BX-2026-00103
    ever("AU-SN-0040", gallery_size=20_300),
    fixed("AU-SN-0017", 10, 8, 8, software_version="3.1.4"),
    fixed("AU-SN-0018", 10, 12, 12, software_version="3.1.4"),
    # BX-2026-00104
    fixed("AU-JO-0009", 10, 7, 7, gallery_size=31_000),
    ever("AU-JO-0025", gallery_size=None),
    # BX-2026-00105
    fixed("TI-JO-0011", 9, 29, 29, country="SY", position=None),
    fixed("TI-JO-0024", 10, 2, 2, **place(32.2961, 36.3244, 50_000)),
    # BX-2026-00106
    fixed("TI-PH-0014", 10, 5, 5, oldest_log_days=30.5),
    fixed("TI-PH-0030", 10, 5, 5, oldest_log_days=12.5),
    ever("TI-PH-0009", gallery_size=941),
    # BX-2026-00107
    fixed("FV-BR-0012", 10, 12, 12, storage_countries=["BR", "US"]),
    fixed("FV-BR-0016", 10, 5, 5, match_modes=[]),
    # BX-2026-00108
    fixed("FV-MX-0022", 10, 8, 10, site="MTY-CEN"),
    ever("FV-MX-0003", oldest_probe_days=30),
    # BX-2026-00110
    fixed("MK-PA-0008", 9, 21, 21, oldest_probe_days=22.5),
    fixed("MK-PA-0003", 9, 2, 30, gallery_size=250),
    ever("MK-PA-0003", 10, 1, gallery_size=250),
    ever("MK-PA-0003", 10, 3, gallery_size=340),
    # BX-2026-00111
    ever("KV-KZ-0014", 10, 19, model_hash=model("kitayama-vein-25-preview")),
    ever("KV-KZ-0020", 10, 12, software_version="3.0.0"),
    fixed("KV-KZ-0027", 9, 30, 30, software_version="nightly-0814"),
    # BX-2026-00112
    fixed("KV-TH-0003", 10, 9, 10, **place(19.8845, 102.1350, 20), country=None),
    fixed("KV-TH-0008", 9, 24, 24, **place(17.8802, 102.7145, 400)),
    fixed("KV-TH-0009", 9, 28, 30, **place(17.8600, 102.7300, 25)),
)

GROWING = "TI-PH-0005"
"""A reader whose gallery grows by 20 a day from 12 October on, from 1,200."""

UPGRADED = "AU-SN"
"""Stations that go from 3.1.4 to 3.2.0 between 6 and 9 October."""

LATE = (
    Late("AU-SN-0017", on(10, 8), on(10, 13)),
    Late("AU-SN-0018", on(10, 12), on(10, 17)),
    Late("AU-JO-0009", on(10, 7), on(10, 12)),
)

AGAIN = Late("NB-KE-0050", on(10, 2), on(10, 3))
"""A reading that the gateway delivers a second time."""

SILENCES = (
    Silence("MK-CO-0006", on(9, 20), on(9, 25)),
    Silence("MK-CO-0010", on(10, 6), on(10, 7)),
    Silence("KV-TH-0015", on(10, 24), LAST_DAY),
)

AT = {
    ("MK-CO-0010", on(10, 5)): (time(8, 30), time(18, 0)),
    ("MK-CO-0010", on(10, 8)): (time(19, 30),),
}
"""Readings whose time of day matters (UTC)."""
