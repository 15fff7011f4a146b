"""One license with every kind of condition on it, for 50 units at three airports, and its file.

Everything asked for was handed in, and every deadline so far was met.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from app.assessments import dockets
from app.assessments.rules import Docket, Ruling
from monitors import (
    CustodyEvent,
    Delivery,
    Document,
    Filing,
    Grade,
    Line,
    Need,
    Obligation,
    Party,
    Screening,
    Shipment,
    Source,
    StateSpan,
    Subject,
    Unit,
    catalogue,
)

TERMS: dict[str, Any] = json.loads(Path(__file__).with_name("terms.json").read_text("utf-8"))
NUMBER, UNITS = "BX-2026-00500", 50
GRANTED = datetime(2026, 1, 5, tzinfo=UTC)
ARRIVED = GRANTED + timedelta(days=30)
BEGUN = datetime(2026, 7, 1, tzinfo=UTC)
SITES = {
    "NBO-T1": (-1.319, 36.928, "KE"),
    "MBA-1": (-4.035, 39.55, "KE"),
    "EBB-1": (0.042, 32.443, "UG"),
}
"""Latitude, longitude and country of each site."""
EXPORTER = Source("attestation", Grade.D, "NORDLICHT", "documentary")
PARTIES = (
    Party("NORDLICHT", "exporter", "Nordlicht Biometrics GmbH", "DE"),
    Party("KE-BCA", "end_user", "Border Control Agency", "KE"),
    Party("UG-DCIC", "end_user", "Directorate of Citizenship and Immigration Control", "UG"),
    Party("KE-TECHSERV", "subcontractor", "TechServ", "KE"),
)


def serial(number: int) -> str:
    """Name a unit."""
    return f"FR-{number:04}"


def home(number: int) -> str:
    """Say at which site a unit stands."""
    return list(SITES)[number % len(SITES)]


def without_terms() -> set[str]:
    """Name the kinds written on licenses that `terms.json` has no terms for."""
    return set(catalogue().written) - set(TERMS)


@cache
def docket() -> Docket:
    """Give the license as its monitors see it: every kind there is, the standing ones too."""
    written = {
        kind: (_ruling(number, kind),)
        for number, kind in enumerate(catalogue().written, 1)
        if kind in TERMS
    }
    return Docket(
        license_id=1,
        license=NUMBER,
        exporter="NORDLICHT",
        state="issued",
        granted_on=GRANTED.date(),
        expires_on=date(2028, 1, 5),
        time_zone="Africa/Nairobi",
        end_use="border_control",
        countries=("KE", "UG"),
        sites=frozenset(SITES),
        parties=PARTIES,
        rulings=written | dockets.standing_rulings(GRANTED),
        states=(StateSpan("issued", GRANTED),),
    )


def _ruling(number: int, kind: str) -> Ruling:
    return dockets.ruling_of(
        kind=kind,
        terms=catalogue().terms(kind, TERMS[kind]),
        condition_id=number,
        key=kind,
        version=1,
        severity=catalogue()[kind].severity,
        binds=("exporter",),
        lines=frozenset(),
        effective_from=GRANTED,
        effective_to=None,
    )


@cache
def units() -> Mapping[str, Unit]:
    """Give the units by serial number, all shipped on one day."""
    return {
        serial(number): Unit(serial(number), 1, GRANTED.date(), home(number), "KE-BCA")
        for number in range(1, UNITS + 1)
    }


@cache
def filed() -> Mapping[Need, Mapping[str, tuple[Any, ...]]]:
    """Give what is on file, by who needs it; every deadline so far was met."""
    pieces, serials = Decimal(UNITS), tuple(units())
    line = Line(1, "piece", pieces, None, None, pieces, shipments=("S-1",))
    delivery = Delivery("delivery:1", ARRIVED.date(), ARRIVED, pieces, serials, by="NORDLICHT")
    shipment = Shipment(
        "shipment:S-1", "S-1", 1, GRANTED.date(), pieces, GRANTED, serials, deliveries=(delivery,)
    )
    lists = frozenset(TERMS["party_standing"]["lists"])
    return {
        Need.LEDGER: {"ledger": (line,)},
        Need.SHIPMENTS: {"shipments": (shipment,)},
        Need.DOCUMENTS: {"documents": tuple(_documents())},
        Need.SCREENING: {
            "screenings": tuple(Screening(one.reference, lists, ARRIVED) for one in PARTIES)
        },
        Need.CUSTODY: {"custody": tuple(_received(one) for one in serials)},
    }


def _documents() -> Iterator[Document]:
    license = Subject("license", NUMBER)
    papers = [
        ("delivery_verification_certificate", "S-1", "KE-CUSTOMS"),
        ("human_rights_impact_assessment", None, "NORDLICHT"),
        *(("certificate", scheme, "bsi") for scheme in TERMS["certification"]["schemes"]),
    ]
    for number, (kind, about, issuer) in enumerate(papers, start=1):
        yield Document(
            f"document:{number}",
            kind,
            license,
            issued_on=GRANTED.date(),
            received_at=GRANTED,
            issuer=issuer,
            about=about,
            accepted=True,
            grade=Grade.B,
        )


def _received(unit: str) -> CustodyEvent:
    return CustodyEvent(
        f"custody:{unit}",
        unit,
        ARRIVED,
        ARRIVED,
        EXPORTER,
        disposition="in_use",
        to_party="KE-BCA",
        site=units()[unit].site,
    )


@cache
def owed() -> dict[str, tuple[Any, ...]]:
    """Give what was owed in the last days and came: a reading of every unit, a report."""
    day = timedelta(days=1)
    readings = [
        Obligation(Subject("unit", unit), 60, BEGUN, BEGUN + day, met_at=BEGUN, last_heard_at=BEGUN)
        for unit in units()
    ]
    facts = frozenset({"end_uses", "gallery_size"})
    report = Filing("r1", "attestation", frozenset({"exporter"}), facts, BEGUN, BEGUN)
    return {"obligations": tuple(readings), "filings": (report,)}
