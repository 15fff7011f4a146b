"""Certificates that exporters sign with: whose they are, for how long, and who vouches for them."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.errors import Invalid
from app.parties import public_keys
from app.parties.public_keys import KeyUnfit, PublicKey

POINTER = "/certificate"
MOST = 8
"""Certificates in one bundle; chains of signers are of three or four."""


class CertificateUnfit(Invalid):
    """The certificate cannot be read, has run out, or leads to no trusted root."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with those above it, and its public key."""

    key: PublicKey
    bundle: str
    subject: str
    issuer: str
    fingerprint: str
    names: str
    valid_from: datetime
    valid_until: datetime


def read(text: str, *, now: datetime) -> Certificate:
    """Read a certificate: PEM, those above it may follow, or DER in base64.

    Raises CertificateUnfit, KeyUnfit.
    """
    chain = _chain(text)
    first = chain[0]
    try:
        names = first.issuer.public_bytes() + first.subject.public_bytes()
        subject, issuer = first.subject.rfc4514_string(), first.issuer.rfc4514_string()
        key = public_keys.from_key(first.public_key(), pointer=POINTER)
    except KeyUnfit:
        raise
    except Exception as error:  # the library's many ways to say that a name or key is none
        raise CertificateUnfit(
            "The certificate holds a name or a key that cannot be read.", pointer=POINTER
        ) from error
    if first.not_valid_after_utc <= now:
        raise CertificateUnfit(
            f"The certificate ran out on {first.not_valid_after_utc:%Y-%m-%d}. Register the one "
            "that took its place.",
            pointer=POINTER,
        )
    return Certificate(
        key=key,
        bundle="".join(one.public_bytes(Encoding.PEM).decode() for one in chain),
        subject=subject[:1000],
        issuer=issuer[:1000],
        fingerprint=hashlib.sha256(first.public_bytes(Encoding.DER)).hexdigest(),
        names=hashlib.sha256(names).hexdigest(),
        valid_from=first.not_valid_before_utc,
        valid_until=first.not_valid_after_utc,
    )


def _chain(text: str) -> list[x509.Certificate]:
    try:
        if "-----BEGIN" in text:
            found = x509.load_pem_x509_certificates(text.encode())
        else:
            der = base64.b64decode("".join(text.split()), validate=True)
            found = [x509.load_der_x509_certificate(der)]
    except ValueError as error:
        raise CertificateUnfit(
            "Send a certificate in PEM, or DER in base64.", pointer=POINTER
        ) from error
    if len(found) > MOST:
        raise CertificateUnfit(f"At most {MOST} certificates are taken.", pointer=POINTER)
    return found
