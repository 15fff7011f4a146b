"""What exporters and inspectors of the sample world file, and what officers amend."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from samples import grants
from samples.hidden import on
from samples.world import Grant, condition

Gallery = Callable[[str, int, date], int]
Report = dict[str, Any]

AMENDMENTS: list[dict[str, Any]] = [
    {
        "license": grants.PANAMA.number,
        "proposed_at": "2026-09-22T14:10:00Z",
        "approved_at": "2026-09-24T09:30:00Z",
        "amendment": {
            "ground": "The ports administration moves all its employees to the readers.",
            "effective_from": "2026-10-01T00:00:00Z",
            "conditions": [
                condition(
                    "gallery_cap",
                    "No more than 1,000 employees shall be enrolled per reader.",
                    max_enrolled=1000,
                    per="unit",
                )
            ],
        },
    },
    {
        "license": grants.SENEGAL.number,
        "proposed_at": "2026-10-05T10:00:00Z",
        "approved_at": "2026-10-07T10:00:00Z",
        "amendment": {
            "ground": "Releases before 3.2 do not delete references of the dead.",
            "effective_from": "2026-10-10T00:00:00Z",
            "conditions": [
                condition(
                    "software_version",
                    "Software releases from 3.2 up to, not including, 4.",
                    versions=">=3.2,<4",
                )
            ],
        },
    },
    {
        "license": grants.KAZAKHSTAN.number,
        "proposed_at": "2026-10-13T08:00:00Z",
        "approved_at": "2026-10-14T08:00:00Z",
        "amendment": {
            "ground": "Release 3.0 was examined and changes nothing in how persons are compared.",
            "effective_from": "2026-10-11T00:00:00Z",
            "conditions": [
                condition(
                    "software_version",
                    "Software releases from 2.4 up to, not including, 3.1, with the model of "
                    "annex B.",
                    versions=">=2.4,<3.1",
                    model_hashes=[grants.VEIN_MODEL],
                )
            ],
        },
    },
]


def unit(serial: str, **facts: Any) -> dict[str, Any]:
    """Say something of a unit."""
    return {"subject": {"serial": serial}, "facts": facts}


def site(reference: str, **facts: Any) -> dict[str, Any]:
    """Say something of a site."""
    return {"subject": {"site": reference}, "facts": facts}


def filed(
    grant: Grant,
    number: str,
    kind: str,
    days: tuple[date, date],
    captured: date,
    *statements: dict[str, Any],
    **more: Any,
) -> tuple[str, Report]:
    """Write a report for some days, observed at noon of the last and written down later."""
    first, last = days
    prefix = {"attestation": "ATT", "check_in": "CHK", "delivery_verification": "FAT"}[kind]
    report = {
        "kind": kind,
        "license": grant.number,
        "reference": f"{prefix}-{grant.number[-5:]}-{number}",
        "period": {"from": f"{first}", "to": f"{last}"},
        "observed_at": f"{last}T12:00:00Z",
        "captured_at": f"{captured}T16:20:00Z",
        "mode": "documentary",
        "statements": list(statements),
    }
    return "attestations", report | more


def inspected(
    grant: Grant,
    number: int,
    day: date,
    *statements: dict[str, Any],
    mode: str = "physical",
) -> tuple[str, Report]:
    """Write what an inspector saw in the morning and wrote down in the afternoon."""
    return "inspections", {
        "kind": "inspection",
        "license": grant.number,
        "reference": f"INS-{grant.number[-5:]}-{number}",
        "observed_at": f"{day}T10:00:00Z",
        "captured_at": f"{day}T15:45:00Z",
        "mode": mode,
        "statements": list(statements),
    }


FOUR_WEEKS = {
    1: (date(2026, 8, 10), date(2026, 9, 6)),
    2: (date(2026, 9, 7), date(2026, 10, 4)),
}
TWO_WEEKS = {
    1: (date(2026, 9, 7), date(2026, 9, 20)),
    2: (date(2026, 9, 21), date(2026, 10, 4)),
    3: (date(2026, 10, 5), date(2026, 10, 18)),
}


def reports(gallery: Gallery) -> Iterator[tuple[str, Report]]:
    """Give every report with the folder it goes to."""

    def counted(grant: Grant, day: date, *serials: str) -> list[dict[str, Any]]:
        """State the galleries of some units as the units themselves do."""
        scale = grant.fleet.scale or 0
        return [unit(serial, gallery_size=gallery(serial, scale, day)) for serial in serials]

    yield from _statements_in_order(counted)
    yield from _statements_of_note(counted)
    yield from _inspections(counted)


Counted = Callable[..., list[dict[str, Any]]]


def _statements_in_order(counted: Counted) -> Iterator[tuple[str, Report]]:
    """Reports in which nothing is wrong, though some come late."""
    grant = grants.KENYA
    for number, captured in ((1, on(9, 9)), (2, on(10, 14))):
        days = FOUR_WEEKS[number]
        sizes = counted(grant, days[1], "NB-KE-0004", "NB-KE-0020", "NB-KE-0036", "NB-KE-0052")
        yield filed(grant, f"{number}", "attestation", days, captured, *sizes)
    grant, tested = grants.GHANA, date(2026, 5, 26)
    empty = [unit(serial, gallery_size=0) for serial in grant.units]
    shipped = date(2026, 5, 27)
    yield filed(grant, "1", "delivery_verification", (tested, tested), shipped, *empty)
    used = [site(one.site, end_uses=["travel_facilitation"]) for one in grant.parcels]
    yield filed(grant, "1", "attestation", FOUR_WEEKS[1], on(9, 11), *used)
    grant = grants.JORDAN_AID
    for number, days in TWO_WEEKS.items():
        used = [site(one.site, end_uses=["humanitarian_aid"]) for one in grant.parcels]
        captured = on(*((9, 22), (10, 6), (10, 20))[number - 1])
        yield filed(grant, f"{number}", "check_in", days, captured, *used)
    grant, quarter = grants.BRAZIL, (date(2026, 7, 6), date(2026, 10, 4))
    used = [site(one.site, end_uses=["banking_kyc"]) for one in grant.parcels]
    sizes = counted(grant, quarter[1], "FV-BR-0002", "FV-BR-0015")
    yield filed(grant, "1", "attestation", quarter, on(10, 6), *used, *sizes)
    grant = grants.MEXICO
    for number, captured in ((1, on(10, 1)), (2, on(10, 8))):
        days = FOUR_WEEKS[number]
        sizes = counted(grant, days[1], "FV-MX-0005", "FV-MX-0019")
        yield filed(grant, f"{number}", "attestation", days, captured, *sizes)


def _statements_of_note(counted: Counted) -> Iterator[tuple[str, Report]]:
    """Reports that leave something out, give something away, or are wrong and corrected."""
    grant, days = grants.SENEGAL, FOUR_WEEKS[2]
    used = [site(one.site, end_uses=["civil_registry"]) for one in grant.parcels]
    yield filed(grant, "1", "attestation", FOUR_WEEKS[1], on(9, 8), *used)
    used[2] = site("KLK-REG", end_uses=["civil_registry", "elections"])
    sizes = counted(grant, days[1], "AU-SN-0003", "AU-SN-0022", "AU-SN-0044")
    yield filed(grant, "2", "attestation", days, on(10, 9), *used, *sizes)
    grant = grants.PHILIPPINES
    sizes = counted(grant, FOUR_WEEKS[1][1], "TI-PH-0002", "TI-PH-0016", "TI-PH-0028")
    yield filed(grant, "1", "attestation", FOUR_WEEKS[1], on(9, 10), *sizes)
    sizes = counted(grant, days[1], "TI-PH-0002", "TI-PH-0016", "TI-PH-0028")
    slip, mended = unit("TI-PH-0009", gallery_size=9410), unit("TI-PH-0009", gallery_size=941)
    yield filed(grant, "2", "attestation", days, on(10, 7), *sizes, slip)
    corrects = {"corrects": "ATT-00106-2"}
    yield filed(grant, "2B", "attestation", days, on(10, 9), *sizes, mended, **corrects)
    month = (on(9, 14), on(10, 13))
    told = [unit("MK-CO-0003", operating_parties=["CO-PNI"])]
    told.append(unit("MK-CO-0020", operating_parties=[]))
    yield filed(grants.COLOMBIA, "1", "check_in", month, on(10, 14), *told)
    month = (on(9, 6), on(10, 5))
    told = [site("BLB-PORT", end_uses=[]), site("CRI-PORT", end_uses=["access_control"])]
    yield filed(grants.PANAMA, "1", "check_in", month, on(10, 6), *told)


def _inspections(counted: Counted) -> Iterator[tuple[str, Report]]:
    """Checks on site: five in order, three that find something."""
    grant, day = grants.KENYA, on(9, 30)
    seen = unit("NB-KE-0001", match_modes=["verify_1_1"], site="NBO-T1")
    yield inspected(grant, 1, day, *counted(grant, day, "NB-KE-0005"), seen)
    grant, day = grants.GHANA, on(10, 12)
    used = site("ACC-AP", end_uses=["travel_facilitation", "border_control"])
    yield inspected(grant, 1, day, used, *counted(grant, day, "NB-GH-0002", "NB-GH-0009"))
    grant, day = grants.JORDAN_POLICE, on(10, 20)
    seen = unit("AU-JO-0003", match_modes=["verify_1_1", "identify_1_n"], site="AMM-AP")
    yield inspected(grant, 1, day, seen, *counted(grant, day, "AU-JO-0004"))
    used = site("ZAATARI", end_uses=["humanitarian_aid"])
    probes = unit("TI-JO-0006", oldest_probe_days=6.5, oldest_non_match_hours=22)
    yield inspected(grants.JORDAN_AID, 1, on(10, 8), used, probes)
    used = site("UTH-AP", end_uses=["border_control"])
    yield inspected(grants.THAILAND, 1, on(9, 17), used, mode="remote_video")
    grant, day = grants.BRAZIL, on(9, 24)
    seen = unit("FV-BR-0004", match_modes=["verify_1_1", "search_n_n"], search_calls=12)
    yield inspected(grant, 1, day, seen, *counted(grant, day, "FV-BR-0006"))
    used = site("CRI-PORT", end_uses=["access_control", "public_space_surveillance"])
    yield inspected(grants.PANAMA, 1, on(10, 15), used)
    others = site("ALA-AKI", operating_parties=["KZ-BMO", "KZ-CSD"])
    yield inspected(grants.KAZAKHSTAN, 1, on(10, 21), others)
