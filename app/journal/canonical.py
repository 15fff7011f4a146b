"""How an entry is written before it is hashed: canonical JSON (RFC 8785), the same for ever.

What is sealed is a short **sealed form** of the entry. It names the body by its SHA-256, so that an
entry is small whatever was filed (C2SP entry bundles hold at most 65,535 bytes an entry), and it
holds a random nonce, so that nobody guesses an entry from its hash, which is public.
"""

import hashlib
import json
import math
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import rfc8785

GREATEST = 2**53 - 1
"""The greatest whole number that every reader of JSON understands alike (RFC 8785, appendix D)."""


LAST_OF_16_BITS = "\uffff"

_sorted = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
_listed = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Sealable(Protocol):
    """The columns of an entry."""

    seq: int
    recorded_at: datetime
    sequenced_at: datetime
    actor: str
    action: str
    subject: str
    party: str | None
    topic: str | None
    receipt: UUID | None
    nonce: UUID


def parsed(text: str) -> Any:
    """Read JSON as PostgreSQL writes it. What no double holds stays text, as RFC 8785 advises."""
    return json.loads(text, parse_int=_whole, parse_float=_broken)


def _whole(text: str) -> int | str:
    number = int(text) if len(text) < 18 else 10**18
    return number if -GREATEST <= number <= GREATEST else text


def _broken(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def body(text: str) -> bytes:
    """Write the body of an entry, given as the database's JSON, in canonical form.

    Python's own encoder writes the same, and ten times as fast, where there is no fraction or exponent
    to be written and no name beyond 16 bits to be put in order; a property test holds them alike.
    """
    fractions: list[str] = []

    def broken(part: str) -> float | str:
        fractions.append(part)
        return _broken(part)

    value = json.loads(text, parse_int=_whole, parse_float=broken)
    written = "" if fractions else _sorted(value)
    if fractions or max(written) > LAST_OF_16_BITS:
        return rfc8785.dumps(value)
    return written.encode()


def entry(row: Sealable, written: bytes) -> bytes:
    """Write the sealed form of an entry whose body is written in canonical form already.

    Its names stand in order here, and its only number is whole: so it is canonical as it is written.
    """
    return _listed(
        {
            "action": row.action,
            "actor": row.actor,
            "body": f"sha256:{hashlib.sha256(written).hexdigest()}",
            "nonce": str(row.nonce),
            "party": row.party,
            "receipt": str(row.receipt) if row.receipt else None,
            "recorded_at": _moment(row.recorded_at),
            "seq": row.seq,
            "sequenced_at": _moment(row.sequenced_at),
            "subject": row.subject,
            "topic": row.topic,
        }
    ).encode()


def _moment(moment: datetime) -> str:
    """Write a time in UTC, always to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
