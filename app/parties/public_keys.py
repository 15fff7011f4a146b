"""Public keys that exporters sign with: which are taken, what they are called, which algorithm is theirs.

One algorithm a key, so that a signature cannot choose how it is checked. The name of a key (`kid`) is
its RFC 7638 thumbprint.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from app.errors import Invalid

SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members of a JWK that only a private or symmetric key has (RFC 7518, section 6)."""
RSA_BITS = range(3072, 8193)
"""NIST SP 800-57 part 1: 3072 bits are worth 128; more than 8192 only cost time to check."""
RSA_EXPONENTS = range(65537, 2**32)
FAMILIES: Mapping[str, type[Key]] = {"OKP": OKPKey, "EC": ECKey, "RSA": RSAKey}
TAKEN = "Ed25519, ES256 (P-256), ES384 (P-384), and PS256 (RSA of 3072 to 8192 bits)"


class KeyUnfit(Invalid):
    """The key is none that signatures are taken of."""


class PrivateKeySent(Invalid):
    """A private key was sent; it was not stored, and is no secret any more."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: its name, its algorithm, and as JWK with nothing but what makes the key."""

    kid: str
    algorithm: str
    jwk: dict[str, str]
    spki: bytes
    """As DER, which is how certificates hold it."""


def from_jwk(jwk: Mapping[str, Any]) -> PublicKey:
    """Read a public key from a JWK. Raises KeyUnfit, PrivateKeySent."""
    if SECRET_MEMBERS & jwk.keys():
        raise PrivateKeySent(
            "This JWK holds the private key. Only the public part is ever sent: whoever saw this "
            "request can sign in your name. Make a new key, and register its public part.",
            pointer="/jwk",
        )
    family = FAMILIES.get(str(jwk.get("kty")))
    if family is None:
        raise KeyUnfit(f"Keys that are taken: {TAKEN}.", pointer="/jwk/kty")
    needed = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    try:
        key = family.import_key(needed)
        raw = key.public_key
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise KeyUnfit("The JWK does not hold a whole public key.", pointer="/jwk") from error
    return from_key(raw, pointer="/jwk")


def from_key(raw: Any, *, pointer: str) -> PublicKey:
    """Read a public key of the `cryptography` library. Raises KeyUnfit."""
    family, algorithm = _family(raw, pointer)
    spki = raw.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = family.import_key(pem)
    jwk = {str(name): str(value) for name, value in key.as_dict(private=False).items()}
    jwk = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    return PublicKey(key.thumbprint(), algorithm, jwk, spki)


def _family(raw: Any, pointer: str) -> tuple[type[Key], str]:
    if isinstance(raw, Ed25519PublicKey):
        return OKPKey, "Ed25519"
    if isinstance(raw, EllipticCurvePublicKey):
        if isinstance(raw.curve, SECP256R1):
            return ECKey, "ES256"
        if isinstance(raw.curve, SECP384R1):
            return ECKey, "ES384"
    if isinstance(raw, RSAPublicKey):
        if raw.key_size in RSA_BITS and raw.public_numbers().e in RSA_EXPONENTS:
            return RSAKey, "PS256"
        raise KeyUnfit(
            f"RSA keys of {RSA_BITS.start} to {RSA_BITS.stop - 1} bits with an exponent of at least "
            f"65537 are taken; this one has {raw.key_size} bits.",
            pointer=pointer,
        )
    raise KeyUnfit(f"Keys that are taken: {TAKEN}.", pointer=pointer)


def private(raw: Any) -> Key:
    """Dress a private key of the `cryptography` library for signing. Raises KeyUnfit."""
    if not isinstance(raw, Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey):
        raise KeyUnfit(f"Keys that are taken: {TAKEN}.")
    family, _ = _family(raw.public_key(), "")
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    pem = raw.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return family.import_key(pem)
