"""Detached signatures: a JWS in compact form without its payload (RFC 7515, appendix F). Pure.

The payload of a report's signature is the report's body as it was sent, without its member
`signature`, in canonical JSON (RFC 8785). So what is signed is what the exporter wrote, not what this
service made of it, and any JSON library may write it.

Everything about a signature that has more than one reading is refused: members said twice, numbers
that two readers take for two, headers nobody needs. The cryptography is joserfc's.
"""

import hashlib
import json
import re
from binascii import Error as Base64Broken
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from app.errors import Invalid
from app.journal import canonical
from app.parties.public_keys import FAMILIES, PublicKey

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far ahead a signer's clock may be."""
LONGEST = 4096
"""Characters of a whole signature; the longest that is taken, of RSA with 8192 bits, has 1,700."""
LONGEST_HEADER = 1024
SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]+)")
MEMBERS = frozenset({"alg", "kid", "iat", "typ"})
"""What a header may say. Nothing else is needed, and what is ignored could mean something elsewhere."""
NAMES: Mapping[str, str] = {"EdDSA": "Ed25519"}
"""Older names of algorithms (RFC 8037, superseded by RFC 9864)."""
POINTER = "/signature"


class SignatureRefused(Invalid):
    """The signature does not hold; nothing was stored."""


class SignatureMalformed(SignatureRefused):
    """The signature is not a detached JWS as it is taken here."""


class SignatureAlgorithmRefused(SignatureRefused):
    """The algorithm is none that is taken, or not that of the key."""


class SigningKeyUnknown(SignatureRefused):
    """You have registered no signing key of this name."""


class SigningKeyOutOfTime(SignatureRefused):
    """The signing key is not valid yet, or not any more."""


class SigningKeyRevoked(SignatureRefused):
    """The signing key was revoked."""


class SignatureWrong(SignatureRefused):
    """The signature is not of this content by this key."""


class SignedInFuture(SignatureRefused):
    """The signature says it was made in the future."""


class BodyAmbiguous(SignatureRefused):
    """What was signed has no canonical form: two readers could take it for two things."""


@dataclass(frozen=True, slots=True)
class Detached:
    """A signature taken apart, and believed in nothing yet."""

    text: str
    algorithm: str
    kid: str
    signed_at: datetime | None
    """What the signer says; his own word."""


def read(text: str, *, pointer: str = POINTER) -> Detached:
    """Take a signature apart. Raises SignatureMalformed, SignatureAlgorithmRefused."""
    shape = SHAPE.fullmatch(text) if len(text) <= LONGEST else None
    if shape is None or len(shape[1]) > LONGEST_HEADER:
        raise SignatureMalformed(
            "Send a detached JWS, `header..signature` in base64url without padding: two dots, "
            f"nothing between them, at most {LONGEST:,} characters.",
            pointer=pointer,
        )
    header = _header(shape[1], pointer)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or NAMES.get(algorithm, algorithm) not in ALGORITHMS:
        raise SignatureAlgorithmRefused(
            f"Algorithms that are taken: {', '.join([*sorted(ALGORITHMS), *NAMES])}.",
            pointer=pointer,
        )
    if not isinstance(kid, str) or not re.fullmatch("[A-Za-z0-9_-]{43}", kid):
        raise SignatureMalformed(
            "The header names no `kid`: the thumbprint (RFC 7638) of the key that signed.",
            pointer=pointer,
        )
    return Detached(text, NAMES.get(algorithm, algorithm), kid, _moment(header, pointer))


def _header(part: str, pointer: str) -> dict[str, Any]:
    try:
        header = json.loads(urlsafe_b64decode(part.encode()), object_pairs_hook=_each_once)
    except (ValueError, RecursionError, Base64Broken, BodyAmbiguous) as error:
        raise SignatureMalformed(
            "The header of the signature is not JSON in base64url, or says something twice.",
            pointer=pointer,
        ) from error
    if not isinstance(header, dict) or header.keys() - MEMBERS:
        raise SignatureMalformed(
            f"The header may hold {', '.join(sorted(MEMBERS))} and nothing else; `crit` and `b64` "
            "are not taken.",
            pointer=pointer,
        )
    return header


def _moment(header: Mapping[str, Any], pointer: str) -> datetime | None:
    seconds = header.get("iat")
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds < 2**33:
        raise SignatureMalformed(
            "`iat` in the header is a time in whole seconds since 1970.", pointer=pointer
        )
    return datetime.fromtimestamp(seconds, UTC)


ALGORITHMS = frozenset({"Ed25519", "ES256", "ES384", "PS256"})
_MODELS = {name: JWSRegistry(algorithms=ALGORITHMS).get_alg(name) for name in ALGORITHMS}


def verify(
    signature: Detached,
    payload: bytes,
    key: PublicKey,
    *,
    now: datetime,
    pointer: str = POINTER,
) -> None:
    """Check that a key made a signature of these bytes. Raises a SignatureRefused."""
    if signature.algorithm != key.algorithm:
        raise SignatureAlgorithmRefused(
            f"Key {key.kid} signs with {key.algorithm}; the signature says {signature.algorithm}.",
            pointer=pointer,
        )
    if signature.signed_at is not None and signature.signed_at > now + CLOCKS_DIFFER:
        raise SignedInFuture(
            f"The signature says it was made at {signature.signed_at.isoformat()}; the time here is "
            f"{now.isoformat()}. Check the clock of the machine that signs.",
            pointer=pointer,
        )
    if not _holds(signature.text, payload, key):
        raise SignatureWrong(
            f"The signature is not of this content by key {key.kid}. The canonical bytes "
            f"(RFC 8785) of what was sent, {len(payload):,} of them, have the SHA-256 in `digest`: "
            "compare it with that of what you signed, as `endwatch sign --digest` prints it.",
            pointer=pointer,
            digest=digest_of(payload),
        )


def _holds(text: str, payload: bytes, key: PublicKey) -> bool:
    header, _, signature = text.encode().split(b".")
    model = _MODELS[key.algorithm]
    checked = FAMILIES[key.jwk["kty"]].import_key(dict(key.jwk))
    try:
        model.check_key(checked)
        octets = urlsafe_b64decode(signature)
        return bool(model.verify(header + b"." + urlsafe_b64encode(payload), octets, checked))
    except (JoseError, ValueError, Base64Broken):
        return False


def sign(payload: bytes, key: Key, public: PublicKey, *, now: datetime | None) -> str:
    """Make a detached signature; with a time, the header says when."""
    header: dict[str, Any] = {"alg": public.algorithm, "kid": public.kid}
    if now is not None:
        header["iat"] = int(now.timestamp())
    written = urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode())
    octets = _MODELS[public.algorithm].sign(written + b"." + urlsafe_b64encode(payload), key)
    return f"{written.decode()}..{urlsafe_b64encode(octets).decode()}"


def digest_of(payload: bytes) -> str:
    """Name bytes by their SHA-256."""
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"


def payload_of(raw: bytes) -> bytes:
    """Write what a report's signature is of: its body without `signature`, canonical.

    Raises BodyAmbiguous.
    """
    try:
        body = json.loads(
            raw.decode(),
            object_pairs_hook=_each_once,
            parse_int=_whole,
            parse_float=_broken,
            parse_constant=_no_number,
        )
        if not isinstance(body, dict):
            raise BodyAmbiguous("A report is a JSON object.", pointer="")
        body.pop("signature", None)
        return canonical.body(json.dumps(body))
    except (ValueError, RecursionError) as error:
        raise BodyAmbiguous(
            "The body cannot be written in canonical form (RFC 8785): it must be JSON in UTF-8 "
            "without half characters.",
            pointer=POINTER,
        ) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise BodyAmbiguous(
                f"{name[:60]!r} stands twice in one object; readers differ in which they take.",
                pointer=POINTER,
            )
        members[name] = value
    return members


def _whole(text: str) -> int:
    number = int(text) if len(text) < 18 else 10**18
    if abs(number) > canonical.GREATEST:
        raise BodyAmbiguous(
            f"{text[:30]} is beyond the whole numbers that every reader takes alike "
            "(RFC 8785, appendix D).",
            pointer=POINTER,
        )
    return number


def _broken(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        return _no_number(text)
    return number


def _no_number(text: str) -> float:
    raise BodyAmbiguous(f"{text[:30]} is no number of JSON.", pointer=POINTER)
