"""What the authority's identity provider publishes of itself: its addresses, and its public keys.

Remembered for an hour, so that a sign-in costs the provider one call; kept by no file and no table.
"""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from pydantic import BaseModel, ConfigDict, ValidationError

from app.outbound import Answer, Caller, CallFailed, CallRefused, Limits
from app.people.oidc_rules import ProviderUnfit, ProviderUnreachable
from app.settings import Settings

_log = structlog.get_logger()

DISCOVERY = "/.well-known/openid-configuration"
KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
RSA_BITS = 2048
"""The least of a key that signs by RSA (RFC 7518, 3.3)."""
FRESH = timedelta(hours=1)
"""How long what the provider publishes is taken as it was."""
AWAY = timedelta(seconds=10)
"""How long a provider that does not answer as it should is left alone, so that nobody waits in vain."""
LIMITS = Limits(connect_seconds=4, read_seconds=8, total_seconds=12, answer_bytes=512 * 1024)


class Metadata(BaseModel):
    """What a provider says of itself (OpenID Connect Discovery 1.0), as far as it is needed."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Published:
    """Fetches and remembers what a provider publishes; safe to use from threads."""

    def __init__(self, issuer: str, caller: Caller) -> None:
        self.issuer = issuer
        self._caller = caller
        self._lock = threading.Lock()
        self._metadata: tuple[Metadata, datetime] | None = None
        self._keys: tuple[KeySet, datetime] | None = None
        self._away_until: datetime | None = None

    @classmethod
    def of(cls, settings: Settings, caller: Caller | None = None) -> "Published":
        """Make it for the provider the operator has set."""
        assert settings.oidc_issuer is not None
        return cls(settings.oidc_issuer, caller or Caller.of(settings, limits=LIMITS))

    def metadata(self, now: datetime) -> Metadata:
        """Give the discovery document, fetched at most once an hour; its issuer must be exact."""
        with self._lock:
            if self._metadata is not None and now - self._metadata[1] < FRESH:
                return self._metadata[0]
            if self._away_until is not None and now < self._away_until:
                raise ProviderUnreachable("Try again in half a minute.")
            try:
                metadata = self._read(self._fetch(self.issuer.rstrip("/") + DISCOVERY))
            except (ProviderUnreachable, ProviderUnfit):
                self._away_until = now + AWAY
                raise
            self._metadata = metadata, now
            return metadata

    def _read(self, found: dict[str, Any]) -> Metadata:
        try:
            metadata = Metadata.model_validate(found)
        except ValidationError as error:
            raise self.unfit("its discovery document lacks what is needed") from error
        if metadata.issuer != self.issuer:
            raise self.unfit(f"it calls itself {metadata.issuer[:200]!r}, not {self.issuer!r}")
        plain = self.issuer.startswith("http://")  # inside alone; the caller sees to that
        if not metadata.authorization_endpoint.startswith(
            ("https://", "http://") if plain else "https://"
        ):
            raise self.unfit("its authorization endpoint is no https address")
        return metadata

    def keys(self, now: datetime, *, at_most: timedelta = FRESH) -> KeySet:
        """Give the public keys, fetched no longer ago than `at_most`."""
        address = self.metadata(now).jwks_uri
        with self._lock:
            if self._keys is not None and now - self._keys[1] < at_most:
                return self._keys[0]
            found = self._fetch(address)
            try:
                public = [key for key in found["keys"] if key["kty"] in KEY_TYPES]
                keys = KeySet(
                    [
                        key
                        for key in KeySet.import_key_set({"keys": public})
                        if not isinstance(key, RSAKey) or key.public_key.key_size >= RSA_BITS
                    ]
                )
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise self.unfit("it publishes no key that can be read") from error
            self._keys = keys, now
            return keys

    def _fetch(self, address: str) -> dict[str, Any]:
        answer = self.call("GET", address, {"Accept": "application/json"})
        found = read(answer)
        if answer.status != 200 or found is None:
            raise self.unreachable(f"{address} answers {answer.status}")
        return found

    def call(
        self, method: str, address: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> Answer:
        """Call the provider at an address it has published."""
        try:
            return self._caller.call(method, address, headers=headers, content=content)
        except (CallFailed, CallRefused) as error:
            raise self.unreachable(f"{error.slug()}: {error.detail}") from error

    def unreachable(self, why: str) -> ProviderUnreachable:
        """Say to the person that it is away; why is for the operator alone."""
        _log.warning("provider_unreachable", issuer=self.issuer, why=why)
        return ProviderUnreachable("Try again in half a minute.")

    def unfit(self, why: str) -> ProviderUnfit:
        """Say to the person that something is set up wrongly; what, is for the operator alone."""
        _log.error("provider_unfit", issuer=self.issuer, why=why)
        return ProviderUnfit("The operator finds the reason in the log.")


def read(answer: Answer) -> dict[str, Any] | None:
    """Read an answer as a JSON object, if it is one."""
    try:
        found = answer.json()
    except CallFailed:
        return None
    return found if isinstance(found, dict) else None
