"""What is said under the one license: by its units every hour, by an inspector, of its sites.

Drawn from fixed seeds. Everything is in order but one reading in two hundred.
"""

from datetime import timedelta
from random import Random
from typing import Any

from app.assessments import statements
from benchmarks.one_license import BEGUN, EXPORTER, NUMBER, SITES, TERMS, UNITS, home, serial
from monitors import Grade, Source, Statement, Subject, catalogue

DEVICE = Source("reading", Grade.D, "NORDLICHT")
INSPECTOR = Source("inspection", Grade.A, "inspector", "physical")
ONE_IN = 200
ROUND = 5
"""Hours in which a unit has said everything there is to say once."""


def readings(since: int, hours: int) -> list[Statement[Any]]:
    """Give what every unit says in each of some hours, counted from `BEGUN`, in order of time."""
    said = [
        _reading(unit, hour) for hour in range(since, since + hours) for unit in range(1, UNITS + 1)
    ]
    return sorted(said, key=statements.order)


def _reading(unit: int, hour: int) -> Statement[Any]:
    draw = Random(f"{unit} {hour}")
    at = BEGUN + timedelta(hours=hour, seconds=unit)
    name, facts = (
        serial(unit),
        _usual(unit, hour, draw) | _in_turn(unit, (unit + hour) % ROUND, draw),
    )
    if not draw.randrange(ONE_IN):
        facts["identify_calls"] = draw.randint(1, 90)
    checked = catalogue().stated(catalogue().validate_facts(facts))
    return Statement(
        f"reading:{name}@{at.isoformat()}", Subject("unit", name), checked, at, at, at, DEVICE
    )


def _usual(unit: int, hour: int, draw: Random) -> dict[str, Any]:
    """State what a unit says every hour."""
    lat, lon, country = SITES[home(unit)]
    away = {"lat": lat + draw.gauss(0, 1e-4), "lon": lon + draw.gauss(0, 1e-4)}
    return {
        "position": away | {"accuracy_m": draw.uniform(3, 60)},
        "country": country,
        "site": home(unit),
        "gallery_size": 2_000 + 41 * unit + hour // 40 + draw.randint(-2, 2),
        "software_version": f"4.{2 + unit % 3}.1",
        "match_modes": ["verify_1_1"],
        "identify_calls": 0,
    }


def _in_turn(unit: int, turn: int, draw: Random) -> dict[str, Any]:
    """State what a unit says every fifth hour."""
    if turn == 0:
        return {
            "storage_countries": ["KE"],
            "processing_countries": ["KE", "DE"],
            "oldest_probe_days": round(draw.uniform(0, 29), 1),
            "oldest_non_match_hours": round(draw.uniform(0, 23), 1),
            "oldest_template_days": round(draw.uniform(100, 400), 1),
            "oldest_log_days": round(draw.uniform(91, 170), 1),
        }
    if turn == 1:
        return {
            "seal_intact": True,
            "secure_boot": True,
            "enabled_modules": ["verify", "enrol"],
            "encryption_at_rest": "aes-256-gcm",
            "tls_min_version": "1.3",
            "key_custodian": "KE-BCA",
        }
    if turn == 2:
        return {
            "end_uses": ["border_control"],
            "operating_parties": ["KE-BCA"],
            "integrations": ["border_management_system"],
            "bulk_exports": 0,
            "inferred_attributes": [],
            "enrolled_groups": [],
        }
    return _counted(unit, draw) if turn == 3 else _kept(draw)


def _counted(unit: int, draw: Random) -> dict[str, Any]:
    return {
        "false_match_rate": draw.choice([0.0001, 0.00005, 0.00001]),
        "unconfirmed_actions": 0,
        "watchlist_size": 90 + 7 * unit,
        "watchlist_categories": ["warrant", "revoked_passport"],
        "watchlist_without_basis": 0,
        "concurrent_streams": draw.randint(1, 20),
    }


def _kept(draw: Random) -> dict[str, Any]:
    return {
        "model_hash": f"sha256:{TERMS['software_version']['model_hashes'][0]}",
        "remote_sessions": [{"country": "DE", "account": "nordlicht-support"}],
        "log_gap_hours": round(draw.uniform(0, 20), 2),
        "log_chain_intact": True,
        "possessor": "KE-BCA",
        "disposition": "in_use",
    }


def inspected(hour: int) -> list[Statement[Any]]:
    """Give what an inspector saw of two units in the hour before: what the units say themselves."""
    return [
        one._replace(id=f"report:inspected#{number}", source=INSPECTOR)
        for number, one in enumerate(readings(hour - 1, 1)[:2])
    ]


def attested(many: int) -> list[Statement[Any]]:
    """Give what the exporter states of the sites, one after the other, and of the license."""
    about = [*(Subject("site", site) for site in SITES), Subject("license", NUMBER)]
    said = []
    for number in range(many):
        subject, at = about[number % len(about)], BEGUN + timedelta(hours=number)
        stated = {
            name: value
            for name, value in _of_a_site(subject, Random(number)).items()
            if subject.kind in catalogue().facts[name].scopes
        }
        facts = catalogue().stated(catalogue().validate_facts(stated))
        said.append(Statement(f"report:a{number}#0", subject, facts, at, at, at, EXPORTER))
    return said


def _of_a_site(subject: Subject, draw: Random) -> dict[str, Any]:
    return {
        "access_granted": True,
        "access_delay_hours": round(draw.uniform(0, 70), 1),
        "scope_limited": False,
        "certified_on": "2026-05-04",
        "security_failures": [],
        "changes": [],
        "channel_published": True,
        "channel_languages": ["en", "sw"],
        "oldest_complaint_days": draw.randint(0, 80),
        "notice_published": True,
        "notice_languages": ["en", "sw", "fr"],
        "operators_active": 40,
        "operators_trained": draw.randint(39, 40),
        "enrolments_sampled": draw.randint(100, 300),
        "enrolments_without_basis": 0,
        "subcontractors": ["KE-TECHSERV"],
        "sighted_serials": [serial(n) for n in range(1, UNITS + 1) if home(n) == subject.reference],
    }
