"""The twelve licenses of the sample world."""

from datetime import date
from typing import Any

from samples.world import (
    Fleet,
    Grant,
    Parcel,
    cadence,
    circles,
    condition,
    countries,
    model,
    quantity,
)

VERIFY = ["verify_1_1"]
IDENTIFY = ["verify_1_1", "identify_1_n"]
SEEN = ("gallery_size", "position", "identify_calls", "software_version")


def cap(text: str, most: int, **terms: Any) -> dict[str, Any]:
    """Write the condition on how many may be enrolled."""
    return condition("gallery_cap", text, max_enrolled=most, **terms)


def modes(allowed: list[str], text: str) -> dict[str, Any]:
    """Write the condition on how persons may be compared."""
    return condition("match_mode", text, allowed=allowed)


def uses(text: str, **terms: Any) -> dict[str, Any]:
    """Write the condition on the end use."""
    return condition("permitted_end_use", text, **terms)


def software(text: str, **terms: Any) -> dict[str, Any]:
    """Write the condition on software and models."""
    return condition("software_version", text, **terms)


ONE_TO_ONE = "The system shall be used for one-to-one verification only."
AT_HOME = "Data shall be stored and processed in the country of destination."

KENYA = Grant(
    number="BX-2026-00101",
    prefix="NB-KE",
    exporter="NORDLICHT",
    granted_on=date(2026, 3, 2),
    expires_on=date(2028, 3, 1),
    end_use="border_control",
    country="KE",
    time_zone="Africa/Nairobi",
    end_user=("KE-BCA", "Border Control Agency"),
    item=("Face verification gate", "3A981", "face"),
    quantity=64,
    value=("768000.00", "EUR"),
    parcels=(
        Parcel("NBO-T1", date(2026, 4, 14), 16, 12_000),
        Parcel("NBO-ICD", date(2026, 4, 14), 16, 12_000),
        Parcel("KIS-AP", date(2026, 4, 21), 16, 12_000),
        Parcel("EDL-AP", date(2026, 4, 21), 16, 12_000),
    ),
    conditions=(
        cap("No more than 5,000 persons shall be enrolled per gate.", 5000, per="unit"),
        modes(VERIFY, ONE_TO_ONE),
        circles(1500, "NBO-T1", "NBO-ICD", "KIS-AP", "EDL-AP"),
        countries("KE", "Kenya"),
        software("Software releases from 4.2 up to, not including, 5.", versions=">=4.2,<5"),
        condition("data_localization", AT_HOME, storage_countries=["KE"]),
        cadence("P4W", "2026-08-10", "four weeks"),
        quantity(),
    ),
    fleet=Fleet(
        "4.2.1", 5000, SEEN, {"match_modes": VERIFY, "country": "KE", "storage_countries": ["KE"]}
    ),
)

GHANA = Grant(
    number="BX-2026-00102",
    prefix="NB-GH",
    exporter="NORDLICHT",
    granted_on=date(2026, 4, 20),
    expires_on=date(2026, 10, 15),
    end_use="travel_facilitation",
    country="GH",
    time_zone="Africa/Accra",
    end_user=("GH-AFA", "Airport Facilitation Authority"),
    item=("Face and fingerprint kiosk", "3A981", "multimodal"),
    quantity=42,
    value=("630000.00", "EUR"),
    parcels=(
        Parcel("ACC-AP", date(2026, 5, 27), 14, 15_000),
        Parcel("KMS-AP", date(2026, 5, 27), 14, 15_000),
        Parcel("TML-AP", date(2026, 5, 27), 14, 15_000),
    ),
    conditions=(
        cap("No more than 60,000 persons shall be enrolled per airport.", 60_000, per="site"),
        modes(VERIFY, ONE_TO_ONE),
        countries("GH", "Ghana"),
        condition(
            "data_localization", AT_HOME, storage_countries=["GH"], processing_countries=["GH"]
        ),
        uses(
            "For the passage of travellers only.", allowed=["travel_facilitation", "border_control"]
        ),
        cadence("P4W", "2026-08-10", "four weeks"),
        quantity(),
    ),
    fleet=Fleet(
        "2.9.0",
        4200,
        SEEN,
        {"match_modes": VERIFY, "storage_countries": ["GH"], "processing_countries": ["GH"]},
    ),
)

SENEGAL = Grant(
    number="BX-2026-00103",
    prefix="AU-SN",
    exporter="AURELINE",
    granted_on=date(2026, 2, 9),
    expires_on=date(2029, 2, 8),
    end_use="civil_registry",
    country="SN",
    time_zone="Africa/Dakar",
    end_user=("SN-REG", "National Registry Office"),
    item=("Fingerprint enrolment station", "3A981", "finger"),
    quantity=48,
    value=("432000.00", "EUR"),
    parcels=(
        Parcel("DKR-MIN", date(2026, 3, 18), 16, 9_000),
        Parcel("THI-REG", date(2026, 3, 18), 16, 9_000),
        Parcel("KLK-REG", date(2026, 3, 25), 16, 9_000),
    ),
    conditions=(
        cap(
            "No more than 20,000 persons per station; two percent more are let pass.",
            20_000,
            per="unit",
            tolerance_percent="2",
        ),
        modes(VERIFY, ONE_TO_ONE),
        uses("For the civil registry only.", allowed=["civil_registry"]),
        condition(
            "permitted_end_users",
            "Only the National Registry Office shall operate the stations.",
            parties=["SN-REG"],
        ),
        condition(
            "retention_limit", "References shall be deleted after two years.", template_days=730
        ),
        software("Software releases from 3.1 up to, not including, 4.", versions=">=3.1,<4"),
        countries("SN", "Senegal"),
        cadence("P4W", "2026-08-10", "four weeks", required_facts=["end_uses", "gallery_size"]),
    ),
    fleet=Fleet(
        "3.1.4",
        20_000,
        ("gallery_size", "position", "software_version"),
        {"match_modes": VERIFY, "country": "SN", "oldest_template_days": 190.5},
    ),
)

JORDAN_POLICE = Grant(
    number="BX-2026-00104",
    prefix="AU-JO",
    exporter="AURELINE",
    granted_on=date(2026, 5, 11),
    expires_on=date(2028, 5, 10),
    end_use="law_enforcement",
    country="JO",
    time_zone="Asia/Amman",
    end_user=("JO-APD", "Airport Police Directorate"),
    item=("Face identification camera with server", "3A981", "face"),
    quantity=24,
    value=("480000.00", "EUR"),
    parcels=(
        Parcel("AMM-AP", date(2026, 6, 22), 13, 20_000),
        Parcel("AMM-PSD", date(2026, 7, 6), 12, 20_000),
    ),
    conditions=(
        cap("No more than 60,000 persons in all galleries together.", 60_000, per="license"),
        modes(IDENTIFY, "Searches of whole collections against each other are not permitted."),
        circles(2500, "AMM-AP", "AMM-PSD"),
        condition("data_localization", AT_HOME, storage_countries=["JO"]),
        quantity(
            "Five percent more than authorized may be shipped.",
            tolerance_percent="5",
            value_tolerance_percent="5",
        ),
    ),
    fleet=Fleet("7.0.3", 3400, SEEN, {"match_modes": IDENTIFY, "storage_countries": ["JO"]}),
)

JORDAN_AID = Grant(
    number="BX-2026-00105",
    prefix="TI-JO",
    exporter="TESSERA",
    granted_on=date(2026, 6, 1),
    expires_on=date(2027, 5, 31),
    end_use="humanitarian_aid",
    country="JO",
    time_zone="Asia/Amman",
    end_user=("JO-RSO", "Relief Supply Organization"),
    item=("Iris reader for aid counters", "3A981", "iris"),
    quantity=30,
    value=("300000.00", "GBP"),
    parcels=(
        Parcel("ZAATARI", date(2026, 7, 13), 15, 10_000),
        Parcel("AZRAQ", date(2026, 7, 13), 15, 10_000),
    ),
    conditions=(
        countries("JO", "Jordan"),
        modes(VERIFY, ONE_TO_ONE),
        uses(
            "Not for policing or the control of migration.",
            denied=["law_enforcement", "migration_control", "national_security"],
        ),
        condition(
            "retention_limit",
            "Probes shall be deleted after 7 days, those that matched nobody after 24 hours.",
            probe_days=7,
            non_match_hours=24,
        ),
        cadence("P2W", "2026-09-07", "two weeks"),
        quantity(),
    ),
    fleet=Fleet(
        "1.8.2",
        None,
        ("position", "country", "software_version"),
        {"match_modes": VERIFY, "oldest_probe_days": 5.5, "oldest_non_match_hours": 20},
    ),
    humanitarian=True,
)

PHILIPPINES = Grant(
    number="BX-2026-00106",
    prefix="TI-PH",
    exporter="TESSERA",
    granted_on=date(2026, 1, 19),
    expires_on=date(2028, 1, 18),
    end_use="healthcare",
    country="PH",
    time_zone="Asia/Manila",
    end_user=("PH-HSA", "Hospital Services Administration"),
    item=("Iris reader for patient records", "3A981", "iris"),
    quantity=36,
    value=("288000.00", "GBP"),
    parcels=(
        Parcel("MNL-PGH", date(2026, 3, 2), 12, 8_000),
        Parcel("CEB-VSM", date(2026, 3, 2), 12, 8_000),
        Parcel("DVO-SPM", date(2026, 8, 10), 12, 8_000),
    ),
    conditions=(
        cap("No more than 2,000 patients shall be enrolled per reader.", 2000, per="unit"),
        circles(800, "MNL-PGH", "CEB-VSM", "DVO-SPM"),
        condition(
            "retention_limit",
            "Logs shall be kept for 180 days, references for one year at most.",
            log_days=180,
            template_days=365,
        ),
        condition(
            "data_localization", AT_HOME, storage_countries=["PH"], processing_countries=["PH"]
        ),
        uses("For the care of patients only.", allowed=["healthcare"]),
        cadence("P4W", "2026-08-10", "four weeks"),
    ),
    fleet=Fleet(
        "1.8.2",
        2000,
        ("gallery_size", "position", "software_version"),
        {"storage_countries": ["PH"], "processing_countries": ["PH"], "oldest_template_days": 120},
        log_days=True,
    ),
)

BRAZIL = Grant(
    number="BX-2026-00107",
    prefix="FV-BR",
    exporter="FJELLVOX",
    granted_on=date(2026, 4, 7),
    expires_on=date(2027, 4, 6),
    end_use="banking_kyc",
    country="BR",
    time_zone="America/Sao_Paulo",
    end_user=("BR-BCU", "Banco Cooperativo Unido"),
    item=("Speaker verification server", "5A992", "voice"),
    quantity=24,
    value=("720000.00", "EUR"),
    parcels=(
        Parcel("SAO-PAU", date(2026, 5, 18), 11, 30_000, declared=10),
        Parcel("BSB-SBS", date(2026, 5, 18), 10, 30_000),
    ),
    conditions=(
        cap("No more than 100,000 customers shall be enrolled per server.", 100_000, per="unit"),
        modes(VERIFY, ONE_TO_ONE),
        condition("data_localization", AT_HOME, storage_countries=["BR"]),
        uses("To recognize customers of the bank only.", allowed=["banking_kyc"]),
        cadence("P13W", "2026-07-06", "thirteen weeks"),
        quantity(),
    ),
    fleet=Fleet(
        "12.4",
        100_000,
        ("gallery_size", "identify_calls", "search_calls", "software_version"),
        {"match_modes": VERIFY, "storage_countries": ["BR"]},
    ),
)

VOICE_MODEL = model("fjellvox-es-3")

MEXICO = Grant(
    number="BX-2026-00108",
    prefix="FV-MX",
    exporter="FJELLVOX",
    granted_on=date(2026, 5, 25),
    expires_on=date(2028, 5, 24),
    end_use="social_benefits",
    country="MX",
    time_zone="America/Mexico_City",
    end_user=("MX-IBS", "Instituto de Beneficios Sociales"),
    item=("Speaker verification server", "5A992", "voice"),
    quantity=30,
    value=None,
    parcels=(
        Parcel("MEX-REF", date(2026, 7, 2), 15, 30_000),
        Parcel("GDL-CEN", date(2026, 7, 2), 15, 30_000),
    ),
    conditions=(
        cap("No more than 50,000 persons shall be enrolled per server.", 50_000, per="unit"),
        circles(600, "MEX-REF", "GDL-CEN"),
        software("Only the voice model named in annex B.", model_hashes=[VOICE_MODEL]),
        condition("retention_limit", "Recordings shall be deleted after 30 days.", probe_days=30),
        cadence("P4W", "2026-08-10", "four weeks"),
        quantity(),
    ),
    fleet=Fleet(
        "12.4",
        50_000,
        ("gallery_size", "site", "software_version"),
        {"model_hash": VOICE_MODEL, "oldest_probe_days": 28.5},
    ),
)

COLOMBIA = Grant(
    number="BX-2026-00109",
    prefix="MK-CO",
    exporter="MAPLEKEY",
    granted_on=date(2026, 8, 3),
    expires_on=date(2027, 8, 2),
    end_use="law_enforcement",
    country="CO",
    time_zone="America/Bogota",
    end_user=("CO-PNI", "Policía Nacional, Identification"),
    item=("Handheld fingerprint reader", "3A981", "finger"),
    quantity=24,
    value=("96000.00", "CAD"),
    parcels=(
        Parcel("BOG-AP", date(2026, 8, 31), 8, 4_000),
        Parcel("MDE-AP", date(2026, 8, 31), 8, 4_000),
        Parcel("CLO-POL", date(2026, 8, 31), 8, 4_000),
    ),
    conditions=(
        condition(
            "heartbeat",
            "Every reader shall report at least every 72 hours.",
            every_hours=72,
            grace_hours=3,
        ),
        countries("CO", "Colombia"),
        condition(
            "permitted_end_users",
            "Readers shall not be lent to other services.",
            parties=["CO-PNI"],
        ),
        modes(IDENTIFY, "Searches of whole collections against each other are not permitted."),
        software("Software releases of the 6.1 series.", versions="==6.1.*"),
        quantity(),
    ),
    fleet=Fleet(
        "6.1.7",
        None,
        ("position", "identify_calls", "software_version"),
        {"match_modes": IDENTIFY, "operating_parties": ["CO-PNI"]},
        a_day=2,
    ),
)

PANAMA = Grant(
    number="BX-2026-00110",
    prefix="MK-PA",
    exporter="MAPLEKEY",
    granted_on=date(2026, 3, 23),
    expires_on=date(2028, 3, 22),
    end_use="access_control",
    country="PA",
    time_zone="America/Panama",
    end_user=("PA-APC", "Ports Administration of Colón"),
    item=("Face reader for port gates", "3A981", "face"),
    quantity=30,
    value=("240000.00", "CAD"),
    parcels=(
        Parcel("BLB-PORT", date(2026, 5, 4), 20, 8_000),
        Parcel("CRI-PORT", date(2026, 6, 15), 12, 6_500),
    ),
    conditions=(
        cap("No more than 300 employees shall be enrolled per reader.", 300, per="unit"),
        modes(VERIFY, ONE_TO_ONE),
        circles(2000, "BLB-PORT", "CRI-PORT"),
        uses(
            "For access to the ports, never for watching public space.",
            allowed=["access_control"],
            denied=["public_space_surveillance"],
        ),
        condition("retention_limit", "Probes shall be deleted after 14 days.", probe_days=14),
        quantity(),
    ),
    fleet=Fleet("3.3.0", 300, SEEN, {"match_modes": VERIFY, "oldest_probe_days": 13}),
)

VEIN_MODEL = model("kitayama-vein-24")

KAZAKHSTAN = Grant(
    number="BX-2026-00111",
    prefix="KV-KZ",
    exporter="KITAYAMA",
    granted_on=date(2026, 5, 18),
    expires_on=date(2028, 5, 17),
    end_use="access_control",
    country="KZ",
    time_zone="Asia/Almaty",
    end_user=("KZ-BMO", "Government Building Management Office"),
    item=("Palm vein reader", "3A981", "vein"),
    quantity=32,
    value=("9600000", "JPY"),
    parcels=(
        Parcel("AST-MIN", date(2026, 7, 20), 16, 300_000),
        Parcel("ALA-AKI", date(2026, 7, 20), 16, 300_000),
    ),
    conditions=(
        cap("No more than 4,000 employees shall be enrolled per reader.", 4000, per="unit"),
        modes(VERIFY, ONE_TO_ONE),
        circles(1000, "AST-MIN", "ALA-AKI"),
        countries("KZ", "Kazakhstan"),
        condition(
            "permitted_end_users",
            "Only the Building Management Office shall operate the readers.",
            parties=["KZ-BMO"],
        ),
        software(
            "Software releases from 2.4 up to, not including, 3, with the model of annex B.",
            versions=">=2.4,<3",
            model_hashes=[VEIN_MODEL],
        ),
        quantity(),
    ),
    fleet=Fleet(
        "2.4.6",
        4000,
        ("gallery_size", "position", "software_version"),
        {"match_modes": VERIFY, "country": "KZ", "model_hash": VEIN_MODEL},
    ),
)

THAILAND = Grant(
    number="BX-2026-00112",
    prefix="KV-TH",
    exporter="KITAYAMA",
    granted_on=date(2026, 8, 10),
    expires_on=date(2027, 8, 9),
    end_use="border_control",
    country="TH",
    time_zone="Asia/Bangkok",
    end_user=("TH-IMS", "Immigration Mobile Service"),
    item=("Mobile kit for vein and face", "3A981", "multimodal"),
    quantity=20,
    value=("16000000", "JPY"),
    parcels=(
        Parcel("BKK-AP", date(2026, 8, 31), 8, 800_000),
        Parcel("UTH-AP", date(2026, 8, 31), 8, 800_000),
    ),
    conditions=(
        condition(
            "heartbeat",
            "Every kit shall report at least every 48 hours.",
            every_hours=48,
            grace_hours=6,
        ),
        countries("TH", "Thailand"),
        modes(VERIFY, ONE_TO_ONE),
        cap("No more than 3,000 persons shall be enrolled per kit.", 3000, per="unit"),
        uses("For border control only.", allowed=["border_control"]),
        cadence("P3M", "2026-08-15", "three months"),
        quantity(),
    ),
    fleet=Fleet("2.4.6", 3000, SEEN, {"match_modes": VERIFY, "country": "TH"}, a_day=2),
)

GRANTS = (
    KENYA,
    GHANA,
    SENEGAL,
    JORDAN_POLICE,
    JORDAN_AID,
    PHILIPPINES,
    BRAZIL,
    MEXICO,
    COLOMBIA,
    PANAMA,
    KAZAKHSTAN,
    THAILAND,
)
