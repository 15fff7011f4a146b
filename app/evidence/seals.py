"""Asks the examiner of signatures about PDFs and certificates, which it reads in a process of its own.

Roots are certificates that the operator trusts to vouch for signers; with none, nobody is asked who
vouches for a certificate, and that is said.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.errors import Unavailable
from app.evidence import examination

ANSWER = 128 * 1024
"""Bytes; what is said of twenty signatures is shorter."""


class SealsNotExamined(Unavailable):
    """The signatures could not be examined within the limits; nothing was stored."""


class RootsUnreadable(Exception):
    """The certificates in ENDWATCH_SIGNATURE_ROOTS cannot be read."""


class SealsUnreadable(Exception):
    """The examiner cannot read the file; the message says why."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature in a PDF, as it was found: nothing is decided here.

    `intact`: the signed bytes are as they were signed, by the key of the certificate. `covers`:
    `file`, `file_but_proofs` (only time stamps and proofs of validity follow) or `less`. `trusted`:
    the certificate leads to a root. `revocation_embedded`: what is embedded shows that it was not
    revoked, `revoked` that it was. `fingerprint`, `key` and `names` (issuer and subject) are SHA-256
    in hex, of DER. `digests`: what the properties of the document named when it was signed.
    """

    field: str
    intact: bool
    covers: str
    trusted: bool
    why: str | None
    revoked: bool
    revocation_embedded: bool
    claimed_at: datetime | None
    stamped_at: datetime | None
    stamp_trusted: bool
    mechanism: str
    digests: Sequence[str]
    fingerprint: str
    key: str
    names: str
    subject: str
    issuer: str
    valid_from: datetime
    valid_until: datetime


MOMENTS = ("claimed_at", "stamped_at", "valid_from", "valid_until")


def roots_of(place: Path | None) -> tuple[str, ...]:
    """Read the trusted roots, as PEM, from a file or from every file in a folder.

    Raises RootsUnreadable.
    """
    if place is None:
        return ()
    try:
        inside = place.is_dir()
        files = sorted(one for one in place.iterdir() if one.is_file()) if inside else [place]
        texts = [file.read_bytes() for file in files]
        found = [one for text in texts for one in x509.load_pem_x509_certificates(text)]
        if not found:
            raise ValueError("the folder is empty")  # noqa: TRY301 told as the others are
    except (OSError, ValueError) as error:
        raise RootsUnreadable(
            f"ENDWATCH_SIGNATURE_ROOTS: no certificates in PEM can be read from {place}: {error}"
        ) from error
    return tuple(one.public_bytes(Encoding.PEM).decode() for one in found)


def seals_of(
    content: Iterable[bytes], *, roots: Sequence[str], seconds: float, now: datetime
) -> list[Seal]:
    """Find the signatures of a PDF. Raises SealsNotExamined, SealsUnreadable."""
    answer = _asked("seals", content, roots, seconds, now)
    return [_seal(one) for one in answer["seals"]]


def leads_to_root(
    bundle: str, *, roots: Sequence[str], seconds: float, now: datetime
) -> str | None:
    """Say why the first of some certificates (PEM) leads to no root; None when it does.

    Raises SealsNotExamined, SealsUnreadable.
    """
    answer = _asked("chain", [bundle.encode()], roots, seconds, now)
    return None if answer["trusted"] else str(answer["why"])


def _asked(
    about: str, content: Iterable[bytes], roots: Sequence[str], seconds: float, now: datetime
) -> dict[str, Any]:
    question = {"about": about, "roots": list(roots), "now": now.isoformat()}
    written = json.dumps(question).encode()
    head = len(written).to_bytes(4, "big") + written
    told, _ = examination.converse("seals", chain([head], content), seconds=seconds, most=ANSWER)
    try:
        answer: dict[str, Any] = json.loads(told)
    except ValueError as error:
        raise SealsNotExamined(
            f"Reading the signatures took longer than {seconds:g} seconds. Send it again later."
        ) from error
    if answer["trouble"] is not None:
        raise SealsUnreadable(answer["trouble"])
    return answer


def _seal(told: dict[str, Any]) -> Seal:
    values = {one.name: told[one.name] for one in fields(Seal)}
    for name in MOMENTS:
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name])
    return Seal(**values)
