"""`endwatch sign` and `endwatch signing-key`: signing reports on one's own machine.

For exporters: they need no database and no account, and the private key leaves the machine never.
"""

import json
import os
import sys
from datetime import datetime
from getpass import getpass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from app.cli.algorithms import Algorithm
from app.cli.tables import FileTrouble
from app.cli.troubles import WrongUse
from app.errors import Trouble
from app.parties import detached, public_keys, signing_keys
from app.parties.public_keys import PublicKey

RSA_BITS = 3072


def sign(report: Path, key: Path, *, fill: bool, now: datetime | None) -> int:
    """Print the detached signature of a report, or the report with its signature filled in."""
    payload, body = _read(report)
    private, public = _opened(key)
    signature = detached.sign(payload, public_keys.private(private), public, now=now)
    if fill:
        print(json.dumps(body | {"signature": signature}, ensure_ascii=False, indent=1))
    else:
        print(signature)
    return 0


def digest(report: Path) -> int:
    """Print the SHA-256 of a report's canonical body: what a signed PDF must name."""
    payload, _ = _read(report)
    print(detached.digest_of(payload))
    return 0


def canonical(report: Path) -> int:
    """Print a report's canonical body, for signing by other means; nothing follows it."""
    payload, _ = _read(report)
    sys.stdout.flush()
    sys.stdout.buffer.write(payload)
    return 0


def _read(report: Path) -> tuple[bytes, dict[str, Any]]:
    raw = report.read_bytes()
    try:
        payload = detached.payload_of(raw)
    except Trouble as error:
        raise FileTrouble(f"{report.name}: {error.detail}") from error
    return payload, json.loads(raw)


def new(file: Path, algorithm: Algorithm, party: str, label: str | None) -> int:
    """Make a key, write it to a new file that only its owner reads, and print its registration."""
    private = _made(algorithm)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise WrongUse(f"{file} exists already; a key is never overwritten") from error
    with os.fdopen(number, "wb") as out:
        out.write(pem)
    _print_registration(private, party, label, None)
    return 0


def register(file: Path, party: str, label: str | None, certificate: Path | None) -> int:
    """Print the body that registers a key which is there already."""
    private, _ = _opened(file)
    text = certificate.read_text() if certificate is not None else None
    _print_registration(private, party, label, text)
    return 0


def _made(algorithm: Algorithm) -> Any:
    match algorithm:
        case Algorithm.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        case Algorithm.ES256:
            return ec.generate_private_key(ec.SECP256R1())
        case Algorithm.ES384:
            return ec.generate_private_key(ec.SECP384R1())
        case Algorithm.PS256:
            return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def _print_registration(
    private: Any, party: str, label: str | None, certificate: str | None
) -> None:
    public = public_keys.from_key(private.public_key(), pointer="")
    challenge = signing_keys.challenge(party, public.kid)
    body: dict[str, Any] = {"certificate": certificate} if certificate else {"jwk": public.jwk}
    if label is not None:
        body["label"] = label
    proof = detached.sign(challenge, public_keys.private(private), public, now=None)
    print(json.dumps(body | {"proof": proof}, indent=1))


def _opened(file: Path) -> tuple[Any, PublicKey]:
    """Read a private key in PEM; ask for its password if it has one."""
    pem = file.read_bytes()
    try:
        try:
            private = load_pem_private_key(pem, None)
        except TypeError:  # how the library says that it is encrypted
            private = load_pem_private_key(pem, getpass(f"Password of {file.name}: ").encode())
        return private, public_keys.from_key(private.public_key(), pointer="")
    except (ValueError, TypeError) as error:
        raise FileTrouble(
            f"{file.name}: no private key in PEM, or the password is wrong"
        ) from error
    except Trouble as error:
        raise FileTrouble(f"{file.name}: {error.detail}") from error
