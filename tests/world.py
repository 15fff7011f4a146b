"""A small world to test in: bodies of licenses and conditions as an officer would send them."""

from itertools import count
from typing import Any

_numbers = count(1)


def condition(kind: str, text: str = "As the license says.", **terms: Any) -> dict[str, Any]:
    """A condition of a kind; extra fields of the record go under `_`."""
    record: dict[str, Any] = terms.pop("_", {})
    return {"kind": kind, "text": text, "terms": terms} | record


def license_body(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A license of Nordlicht for face gates in Nairobi, granted in March 2026."""
    return {
        "number": f"BX-2026-{next(_numbers):05}",
        "exporter": {
            "reference": "NORDLICHT",
            "name": "Nordlicht Biometrics GmbH",
            "country": "DE",
        },
        "granted_on": "2026-03-02",
        "expires_on": "2028-03-01",
        "end_use": "border_control",
        "destination_countries": ["KE"],
        "parties": [
            {
                "role": "end_user",
                "reference": "KE-BCA",
                "name": "Border Control Agency",
                "country": "KE",
            }
        ],
        "sites": [
            {
                "reference": "NBO-T1",
                "name": "Nairobi terminal 1",
                "country": "KE",
                "position": {"lat": -1.319, "lon": 36.928},
            }
        ],
        "lines": [
            {
                "line": 1,
                "description": "Face verification gate",
                "classification": "3A981",
                "modality": "face",
                "quantity": 40,
                "unit": "piece",
                "value": {"amount": "480000.00", "currency": "EUR"},
            }
        ],
        "conditions": list(conditions),
    } | more
