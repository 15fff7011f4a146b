"""EPCIS events as an exporter's system would send them."""

from itertools import count
from typing import Any

CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]
GATE = "urn:epc:id:sgtin:4012345.011111."
_numbers = count(1)


def event(*serials: str, **more: Any) -> dict[str, Any]:
    """Gates are received by the border agency in Nairobi."""
    return {
        "type": "ObjectEvent",
        "eventID": f"urn:uuid:00000000-0000-4000-8000-{next(_numbers):012}",
        "eventTime": "2026-04-01T12:00:00.000+02:00",
        "eventTimeZoneOffset": "+02:00",
        "action": "OBSERVE",
        "bizStep": "receiving",
        "disposition": "in_progress",
        "epcList": [f"{GATE}{serial}" for serial in serials],
        "bizLocation": {"id": "urn:endwatch:site:NBO-T1"},
        "sourceList": [{"type": "possessing_party", "source": "urn:endwatch:party:NORDLICHT"}],
        "destinationList": [
            {"type": "possessing_party", "destination": "urn:endwatch:party:KE-BCA"}
        ],
    } | more


def document(*events: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document of events."""
    return {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-04-01T12:30:00.000Z",
        "epcisBody": {"eventList": list(events)},
    } | more


def declared_wrong(wrong: dict[str, Any], *correct: dict[str, Any]) -> dict[str, Any]:
    """The same event once more, declared in error."""
    return wrong | {
        "errorDeclaration": {
            "declarationTime": "2026-04-02T08:00:00Z",
            "reason": "incorrect_data",
            "correctiveEventIDs": [one["eventID"] for one in correct],
        }
    }
