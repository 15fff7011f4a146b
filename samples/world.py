"""The sample world: who exports what to whom, where it stands, and under which conditions.

All companies and agencies are fictional; the places are real and public, so that positions lie
where maps say they lie. Degrees are WGS 84.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

FIRST_DAY = date(2026, 9, 2)
LAST_DAY = date(2026, 10, 31)
DAYS = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]

EXPORTERS = {
    "NORDLICHT": ("Nordlicht Biometrics GmbH", "DE"),
    "AURELINE": ("Aureline Identité SAS", "FR"),
    "TESSERA": ("Tessera Iris Ltd", "GB"),
    "FJELLVOX": ("Fjellvox AS", "NO"),
    "MAPLEKEY": ("Maplekey Identity Inc.", "CA"),
    "KITAYAMA": ("Kitayama Vein Systems KK", "JP"),
}

SITES: dict[str, tuple[str, str, float, float]] = {
    "NBO-T1": ("Jomo Kenyatta International Airport, terminal 1", "KE", -1.3192, 36.9278),
    "NBO-ICD": ("Embakasi Inland Container Depot", "KE", -1.3370, 36.8850),
    "KIS-AP": ("Kisumu International Airport", "KE", -0.0861, 34.7289),
    "EDL-AP": ("Eldoret International Airport", "KE", 0.4045, 35.2389),
    "ACC-AP": ("Kotoka International Airport, Accra", "GH", 5.6052, -0.1668),
    "KMS-AP": ("Kumasi International Airport", "GH", 6.7146, -1.5908),
    "TML-AP": ("Tamale International Airport", "GH", 9.5572, -0.8632),
    "DKR-MIN": ("Ministry of the Interior, Dakar", "SN", 14.6660, -17.4330),
    "THI-REG": ("Regional registry, Thiès", "SN", 14.7910, -16.9256),
    "KLK-REG": ("Regional registry, Kaolack", "SN", 14.1520, -16.0726),
    "AMM-AP": ("Queen Alia International Airport, Amman", "JO", 31.7226, 35.9932),
    "AMM-PSD": ("Public security directorate, Amman", "JO", 31.9570, 35.9450),
    "ZAATARI": ("Zaatari camp", "JO", 32.2950, 36.3250),
    "AZRAQ": ("Azraq camp", "JO", 31.9060, 36.5800),
    "MNL-PGH": ("Philippine General Hospital, Manila", "PH", 14.5780, 120.9857),
    "CEB-VSM": ("Vicente Sotto Medical Center, Cebu", "PH", 10.3077, 123.8914),
    "DVO-SPM": ("Southern Philippines Medical Center, Davao", "PH", 7.0987, 125.6197),
    "SAO-PAU": ("Bank service centre, Avenida Paulista, São Paulo", "BR", -23.5614, -46.6559),
    "BSB-SBS": ("Bank service centre, Setor Bancário Sul, Brasília", "BR", -15.8010, -47.8830),
    "MEX-REF": ("Benefits office, Paseo de la Reforma, Mexico City", "MX", 19.4230, -99.1740),
    "GDL-CEN": ("Benefits office, Guadalajara", "MX", 20.6767, -103.3475),
    "BOG-AP": ("El Dorado International Airport, Bogotá", "CO", 4.7016, -74.1469),
    "MDE-AP": ("José María Córdova International Airport", "CO", 6.1645, -75.4231),
    "CLO-POL": ("Police headquarters, Cali", "CO", 3.4516, -76.5320),
    "BLB-PORT": ("Port of Balboa", "PA", 8.9570, -79.5660),
    "CRI-PORT": ("Port of Cristóbal, Colón", "PA", 9.3520, -79.9080),
    "AST-MIN": ("House of Ministries, Astana", "KZ", 51.1280, 71.4300),
    "ALA-AKI": ("City administration, Almaty", "KZ", 43.2389, 76.9450),
    "BKK-AP": ("Suvarnabhumi Airport, Bangkok", "TH", 13.6900, 100.7501),
    "UTH-AP": ("Udon Thani International Airport", "TH", 17.3864, 102.7880),
}


@dataclass(frozen=True)
class Parcel:
    """What left on one day for one site; `declared` is the quantity, if not that of the serials."""

    site: str
    day: date
    units: int
    price: int
    declared: int | None = None


@dataclass(frozen=True)
class Fleet:
    """How the units of a license talk: what they state every day, and what only on Mondays.

    `scale` is what a full gallery would be; `None` for units that keep none.
    """

    version: str
    scale: int | None
    daily: tuple[str, ...]
    weekly: dict[str, Any]
    log_days: bool = False
    a_day: int = 1


@dataclass(frozen=True)
class Grant:
    """A license with its parcels and its fleet."""

    number: str
    prefix: str
    exporter: str
    granted_on: date
    expires_on: date
    end_use: str
    country: str
    time_zone: str
    end_user: tuple[str, str]
    item: tuple[str, str, str]
    quantity: int
    value: tuple[str, str] | None
    parcels: tuple[Parcel, ...]
    conditions: tuple[dict[str, Any], ...]
    fleet: Fleet
    humanitarian: bool = False

    @property
    def units(self) -> dict[str, Parcel]:
        """Every serial with the parcel it came in, in order."""
        found: dict[str, Parcel] = {}
        for parcel in self.parcels:
            for _ in range(parcel.units):
                found[f"{self.prefix}-{len(found) + 1:04}"] = parcel
        return found


def model(name: str) -> str:
    """Give the SHA-256 a model file of this name might have."""
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def condition(kind: str, text: str, /, **terms: Any) -> dict[str, Any]:
    """Write a condition; who is bound by it is the end user, unless the exporter reports."""
    binds = ["exporter"] if kind in {"reporting_cadence", "quantity_limit"} else ["end_user"]
    return {"kind": kind, "text": text, "binds": binds, "terms": terms}


def cadence(every: str, starts: str, words: str, **terms: Any) -> dict[str, Any]:
    """Write the condition that the exporter reports for every period."""
    text = f"The exporter shall file an end-use statement every {words}, within 15 days of its end."
    return condition(
        "reporting_cadence", text, every=every, grace_days=15, by="exporter", starts=starts, **terms
    )


def quantity(text: str = "No more shall be shipped than is authorized.", **terms: Any) -> Any:
    """Write the condition on the quantity shipped."""
    return condition("quantity_limit", text, **terms)


def circles(radius_m: int, *references: str) -> dict[str, Any]:
    """Write the condition that units stay within so many metres of their sites."""
    sites = [
        {
            "reference": reference,
            "position": {"lat": SITES[reference][2], "lon": SITES[reference][3]},
            "radius_m": radius_m,
        }
        for reference in references
    ]
    text = f"Units shall remain within {radius_m:,} m of the sites listed in annex A."
    return condition("permitted_sites", text, sites=sites)


def countries(code: str, name: str) -> dict[str, Any]:
    """Write the condition that units stay in the country."""
    text = f"Units shall not leave {name} without written consent."
    return condition("permitted_countries", text, countries=[code])


def body(grant: Grant) -> dict[str, Any]:
    """Write a license as it is sent to POST /v1/licenses."""
    description, classification, modality = grant.item
    line: dict[str, Any] = {
        "line": 1,
        "description": description,
        "classification": classification,
        "modality": modality,
        "quantity": grant.quantity,
        "unit": "piece",
    }
    if grant.value:
        line["value"] = {"amount": grant.value[0], "currency": grant.value[1]}
    name, country = EXPORTERS[grant.exporter]
    reference, end_user = grant.end_user
    return {
        "number": grant.number,
        "exporter": {"reference": grant.exporter, "name": name, "country": country},
        "granted_on": f"{grant.granted_on}",
        "expires_on": f"{grant.expires_on}",
        "end_use": grant.end_use,
        "destination_countries": [grant.country],
        "humanitarian_track": grant.humanitarian,
        "time_zone": grant.time_zone,
        "parties": [
            {"role": "end_user", "reference": reference, "name": end_user, "country": grant.country}
        ],
        "sites": [site(parcel.site) for parcel in grant.parcels],
        "lines": [line],
        "conditions": list(grant.conditions),
    }


def site(reference: str) -> dict[str, Any]:
    """Write a site as a license names it."""
    name, country, lat, lon = SITES[reference]
    position = {"lat": lat, "lon": lon}
    return {"reference": reference, "name": name, "country": country, "position": position}
