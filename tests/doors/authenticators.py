"""An authenticator in software: makes passkeys and signs what it is asked (WebAuthn level 3, 6.3)."""

import hashlib
import json
import secrets
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey of one person. What tests want to be wrong is an attribute, or an argument."""

    def __init__(self, origin: str = "https://localhost") -> None:
        self.origin = origin
        self.id = secrets.token_bytes(32)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.count = 0
        self.step = 1
        self.flags = PRESENT | VERIFIED
        self.user = b""
        self.domain = ""

    def register(self, options: dict[str, Any], **wrong: Any) -> dict[str, Any]:
        """Answer `navigator.credentials.create()`."""
        self.user = base64url_to_bytes(options["user"]["id"])
        self.domain = wrong.get("domain", options["rp"]["id"])
        told = {"fmt": "none", "attStmt": {}, "authData": self._data() + self._attested()}
        return self._credential(
            {
                "clientDataJSON": self._client("webauthn.create", options, wrong),
                "attestationObject": bytes_to_base64url(cbor2.dumps(told)),
            }
        )

    def sign(self, options: dict[str, Any], **wrong: Any) -> dict[str, Any]:
        """Answer `navigator.credentials.get()`."""
        self.count += self.step
        self.domain = wrong.get("domain", options["rpId"])
        client = self._client("webauthn.get", options, wrong)
        data = self._data(attested=False)
        signed = data + hashlib.sha256(base64url_to_bytes(client)).digest()
        key = wrong.get("key", self.key)
        return self._credential(
            {
                "clientDataJSON": client,
                "authenticatorData": bytes_to_base64url(data),
                "signature": bytes_to_base64url(key.sign(signed, ec.ECDSA(SHA256()))),
                "userHandle": bytes_to_base64url(wrong.get("user", self.user)),
            }
        )

    def _client(self, kind: str, options: dict[str, Any], wrong: dict[str, Any]) -> str:
        told = {
            "type": wrong.get("type", kind),
            "challenge": wrong.get("challenge", options["challenge"]),
            "origin": wrong.get("origin", self.origin),
        }
        return bytes_to_base64url(json.dumps(told).encode())

    def _data(self, *, attested: bool = True) -> bytes:
        flags = self.flags | (ATTESTED if attested else 0)
        place = hashlib.sha256(self.domain.encode()).digest()
        return place + bytes([flags]) + self.count.to_bytes(4, "big")

    def _attested(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        return bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        id = bytes_to_base64url(self.id)
        return {
            "id": id,
            "rawId": id,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }
