"""Reads EPCIS 2.0 events: which serial numbers, what became of them, from whom to whom, and where.

Pure: no database, no clock. Words of the Core Business Vocabulary come bare (`shipping`) or as web
address (`https://ref.gs1.org/cbv/BizStep-shipping`); the schema refuses the URNs of EPCIS 1.
Sources: GS1 EPCIS 2.0; GS1 Core Business Vocabulary 2.0 (business steps, dispositions, sources and
destinations); GS1 EPC Tag Data Standard (SGTIN, SGLN, PGLN); GS1 Digital Link URI syntax.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from pydantic import AwareDatetime, TypeAdapter

DISPOSITIONS: Mapping[str, str] = {
    "destroyed": "destroyed",
    "disposed": "disposed",
    "returned": "returned",
    "stolen": "stolen",
    "retail_sold": "transferred",
}
"""What a disposition of the CBV says became of a unit. `in_transit`, `in_progress`, `active`,
`unknown` and the others say nothing that would be one of ours: unknown is not lost."""

STEPS: Mapping[str, str] = {
    "destroying": "destroyed",
    "holding": "stored",
    "installing": "in_use",
    "retail_selling": "transferred",
    "stocking": "stored",
    "storing": "stored",
}
"""What a business step says became of a unit, where no disposition does."""

OURS = re.compile(
    r"^urn:endwatch:disposition:"
    r"(in_use|stored|lost|stolen|destroyed|transferred|returned|disposed)$"
)
"""The CBV has no word for lost or transferred; these URIs say exactly what is meant here."""

ON_THE_WAY = frozenset(
    {
        "collecting",
        "consigning",
        "departing",
        "loading",
        "packing",
        "picking",
        "shipping",
        "staging_outbound",
        "transporting",
        "unloading",
        "void_shipping",
    }
)
"""Steps after which goods do not stay where they were seen."""

KEPT: Mapping[str, tuple[str, ...]] = {
    "type": (),
    "eventTime": (),
    "recordTime": (),
    "eventTimeZoneOffset": (),
    "eventID": (),
    "errorDeclaration": ("declarationTime", "reason", "correctiveEventIDs"),
    "epcList": (),
    "quantityList": ("epcClass", "quantity", "uom"),
    "parentID": (),
    "childEPCs": (),
    "childQuantityList": ("epcClass", "quantity", "uom"),
    "inputEPCList": (),
    "inputQuantityList": ("epcClass", "quantity", "uom"),
    "outputEPCList": (),
    "outputQuantityList": ("epcClass", "quantity", "uom"),
    "transformationID": (),
    "action": (),
    "bizStep": (),
    "disposition": (),
    "persistentDisposition": ("set", "unset"),
    "readPoint": ("id",),
    "bizLocation": ("id",),
    "bizTransactionList": ("type", "bizTransaction"),
    "sourceList": ("type", "source"),
    "destinationList": ("type", "destination"),
}
"""Fields that are kept as they came, with what they have inside. Extensions, master data and sensor
elements are not: what has no fixed form could hold an image, a template or a person."""

LONGEST = 1_000
"""Characters of any text that is kept."""

_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
_CBV = re.compile(r"^(?:https?://ref\.gs1\.org/cbv/|cbv:)(?:BizStep|Disp|BTT|SDT)-")
_SGTIN = re.compile(r"^urn:epc:id:sgtin:\d+\.\d+\.(.+)$")
_LINK = re.compile(r"^https?://[^/?#]+/(?:[^?#]*/)?01/\d{8,14}/(?:[^?#]*/)?21/([^/?#]+)")
_GLN_URN = re.compile(r"^urn:epc:id:(sgln|pgln):(\d+)\.(\d*)(?:\.(.+))?$")
_GLN_LINK = re.compile(r"^https?://[^/?#]+/(?:[^?#]*/)?(414|417)/(\d{13})(?:/254/([^/?#]+))?")
_NAMED = re.compile(r"^urn:endwatch:(party|site):(.+)$")
_GEO = re.compile(r"^geo:(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)(?:,-?\d+(?:\.\d+)?)?(?:;.*)?$")


@dataclass(frozen=True, slots=True)
class Event:
    """What an event says, in words of ours where there are any; parties and places as they came.

    `serials` are those of the units it names, `unread` how many other things it names. `resting` says
    that the place is where the units stay. `silent` is why it tells nothing of custody.
    """

    id: str
    type: str
    at: datetime
    in_error: bool
    body: dict[str, Any]
    digest: bytes
    serials: tuple[str, ...]
    unread: int
    transactions: tuple[str, ...]
    disposition: str | None
    from_party: str | None
    to_party: str | None
    place: str | None
    resting: bool
    silent: str | None


def events_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the events of a document, of a query's answer, or the one event sent by itself."""
    body = document.get("epcisBody")
    if not isinstance(body, Mapping):
        return [dict(document)]
    results = body.get("queryResults", {}).get("resultsBody", body)
    return list(results.get("eventList", []))


def read(event: Mapping[str, Any]) -> Event:
    """Read one event that the schema has let through."""
    kept = {name: _pruned(event[name], inside) for name, inside in KEPT.items() if name in event}
    serials, unread = _serials(event)
    step, disposition = _word(event.get("bizStep")), _disposition(event)
    from_party, to_party = _parties(event) if step != "void_shipping" else (None, None)
    stays = _place(event.get("bizLocation"))
    place = stays or _place(event.get("readPoint"))
    digest = digest_of(event)
    return Event(
        id=event.get("eventID") or f"ni:///sha-256;{digest.hex()}",
        type=event["type"],
        at=_MOMENT.validate_python(event["eventTime"]).astimezone(UTC),
        in_error="errorDeclaration" in event,
        body=kept,
        digest=digest,
        serials=serials,
        unread=unread,
        transactions=tuple(_transactions(event)),
        disposition=disposition,
        from_party=from_party,
        to_party=to_party,
        place=place,
        resting=stays is not None and step not in ON_THE_WAY,
        silent=_silent(event, serials, (disposition, from_party, to_party, place)),
    )


def _pruned(value: Any, inside: tuple[str, ...]) -> Any:
    """Leave out of a field what EPCIS does not define in it."""
    if isinstance(value, list):
        return [_pruned(one, inside) for one in value]
    if isinstance(value, Mapping):
        return {name: value[name] for name in inside if name in value}
    return value


def digest_of(event: Mapping[str, Any]) -> bytes:
    """Hash what an event says. An error declaration repeats all of it."""
    left_out = {"@context", "recordTime", "errorDeclaration", "certificationInfo"}
    said = {name: value for name, value in event.items() if name not in left_out}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


def too_long(value: Any) -> bool:
    """Say whether a text is longer than any name of something needs to be."""
    if isinstance(value, str):
        return len(value) > LONGEST
    if isinstance(value, Mapping):
        return any(too_long(one) for pair in value.items() for one in pair)
    return isinstance(value, list) and any(map(too_long, value))


def _silent(event: Mapping[str, Any], serials: tuple[str, ...], said: Iterable[Any]) -> str | None:
    """Say why an event tells nothing of anybody's custody."""
    if event["type"] == "TransformationEvent":
        return (
            "a transformation does not say what became of a unit; tell that by an event of its own"
        )
    if event["type"] not in NAMING:
        return f"events of type {event['type']} are not of EPCIS 2.0, and not read here"
    if not serials:
        return "it names no unit by serial number (SGTIN, or GS1 Digital Link with 01 and 21)"
    if all(word is None for word in said):
        return "it says neither what became of the units, nor who holds them, nor where they are"
    return None


NAMING: Mapping[str, tuple[str, ...]] = {
    "ObjectEvent": ("epcList",),
    "AggregationEvent": ("parentID", "childEPCs"),
    "TransactionEvent": ("parentID", "epcList"),
    "TransformationEvent": ("inputEPCList", "outputEPCList"),
    "AssociationEvent": ("parentID", "childEPCs"),
}
"""Where each type of event names things."""


def _serials(event: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    """Read the serial numbers of the things it names, and count those that have none."""
    names: list[str] = []
    for field in NAMING.get(event["type"], ()):
        value = event.get(field) or ()
        names += [value] if isinstance(value, str) else value
    read = {name: serial_of(name) for name in names}
    serials = dict.fromkeys(serial for serial in read.values() if serial is not None)
    return tuple(serials), sum(serial is None for serial in read.values())


def serial_of(name: str) -> str | None:
    """Read the serial number in an EPC URI or a GS1 Digital Link."""
    found = _SGTIN.match(name) or _LINK.match(name)
    return unquote(found[1]) if found else None


def _word(word: str | None) -> str | None:
    return None if word is None else _CBV.sub("", word)


def _disposition(event: Mapping[str, Any]) -> str | None:
    """Say what became of the units: by its disposition, one that persists, or the step."""
    words = [event.get("disposition"), *event.get("persistentDisposition", {}).get("set", ())]
    for word in filter(None, words):
        ours = OURS.match(word)
        said = ours[1] if ours else DISPOSITIONS.get(_word(word) or "")
        if said is not None:
            return said
    step = event.get("bizStep")
    ours = OURS.match(step) if step else None
    if event.get("action") == "DELETE" and _word(step) != "destroying":
        return None
    return ours[1] if ours else STEPS.get(_word(step) or "")


def _parties(event: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Read from whom to whom: whoever possesses the units; only else, whoever owns them."""
    return _party(event, "source"), _party(event, "destination")


def _party(event: Mapping[str, Any], end: str) -> str | None:
    named = {_word(one["type"]): one[end] for one in event.get(f"{end}List", ())}
    found: str | None = named.get("possessing_party") or named.get("owning_party")
    return found


def _place(place: Mapping[str, str] | None) -> str | None:
    return None if place is None else place["id"]


def _transactions(event: Mapping[str, Any]) -> Iterable[str]:
    """Give the last part of each business transaction: it may be the number of a license."""
    for one in event.get("bizTransactionList", ()):
        yield unquote(re.split(r"[/:?#=]", one["bizTransaction"].rstrip("/"))[-1])


def canonical(name: str) -> str:
    """Write a GLN in one way, whether it came as EPC URI, as Digital Link or as 13 digits.

    The extension 0 of an SGLN means the place itself (EPC Tag Data Standard, SGLN).
    """
    urn, link = _GLN_URN.match(name), _GLN_LINK.match(name)
    if urn and len(urn[2] + urn[3]) == 12:
        digits, extension = urn[2] + urn[3], urn[4]
        return _gln(digits + check_digit(digits), extension)
    if link:
        return _gln(link[2], link[3])
    return f"gln:{name}" if re.fullmatch(r"\d{13}", name) else name


def _gln(digits: str, extension: str | None) -> str:
    return f"gln:{digits}" if extension in {None, "0"} else f"gln:{digits}.{extension}"


def check_digit(digits: str) -> str:
    """Work out the check digit of a GS1 key (GS1 General Specifications)."""
    weighted = sum(int(one) * (3 if at % 2 == 0 else 1) for at, one in enumerate(digits[::-1]))
    return str(-weighted % 10)


def own_reference(name: str, kind: str) -> str | None:
    """Read a reference of ours: `urn:endwatch:party:…` or `urn:endwatch:site:…`."""
    found = _NAMED.match(name)
    return unquote(found[2]) if found and found[1] == kind else None


def position_of(name: str) -> tuple[float, float] | None:
    """Read latitude and longitude of a `geo:` URI (RFC 5870), degrees of WGS 84."""
    found = _GEO.match(name)
    if found is None:
        return None
    lat, lon = float(found[1]), float(found[2])
    return (lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None


def as_code(name: str) -> str:
    """Write a name as it came, as far as a reference here can hold it; else a hash of it."""
    code = re.sub(r"[^A-Za-z0-9._:/+-]", "_", name).replace("_", "-")
    if len(code) <= 64 and re.match(r"[A-Za-z0-9]", code):
        return code
    return f"epcis:{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def reference_of(event_id: str, *, in_error: bool = False) -> str:
    """Name a custody event after the EPCIS event that told of it."""
    if not in_error and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}", event_id):
        return event_id
    word = "epcis-error" if in_error else "epcis"
    return f"{word}:{hashlib.sha256(event_id.encode()).hexdigest()[:40]}"
