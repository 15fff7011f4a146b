"""Asks the authority's identity provider who somebody is: OpenID Connect, authorization code, PKCE.

Tokens are read here, once, at the sign-in; what counts afterwards is the session.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import (
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
)
from joserfc.jws import JWSRegistry

from app.outbound import Caller
from app.people import oidc_rules as rules
from app.people.oidc_published import Metadata, Published, read
from app.people.oidc_rules import (
    ClockSkew,
    Identity,
    IdentityExpired,
    IdentityUnsigned,
    NonceMismatch,
    ProviderDeclined,
    SigningKeyUnknown,
    WrongAudience,
    WrongIssuer,
)
from app.settings import Settings

SCOPE = "openid profile email"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""Signatures by public keys alone: neither `none`, nor a secret that the client knows too."""
KEYS_AGAIN = timedelta(seconds=30)
"""How soon keys are fetched again for a key that is not among them."""

WRONG: Mapping[str, type[rules.IdentityRefused]] = {
    "iss": WrongIssuer,
    "aud": WrongAudience,
    "azp": WrongAudience,
    "nonce": NonceMismatch,
    "exp": IdentityExpired,
    "iat": ClockSkew,
    "nbf": ClockSkew,
}


TIMES = frozenset({"exp", "iat", "nbf"})


class Provider:
    """The authority's identity provider; safe to use from threads.

    Keys are fetched again when a token is signed by a new one.
    """

    def __init__(self, settings: Settings, caller: Caller | None = None) -> None:
        self._published = Published.of(settings, caller)
        self.issuer = self._published.issuer
        self._client = settings.oidc_client_id or ""
        secret = settings.oidc_client_secret
        self._secret = secret.get_secret_value() if secret else None
        self._groups = settings.oidc_groups_claim
        self._roles = rules.mapping(settings.oidc_roles)

    def address(self, secret: str, redirect_uri: str, *, again: bool, now: datetime) -> str:
        """Give the address at the provider to send the browser to; `again`: ask for a fresh sign-in."""
        fresh = {"prompt": "login", "max_age": "0"} if again else {}
        address: str = prepare_grant_uri(
            self._published.metadata(now).authorization_endpoint,
            client_id=self._client,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=SCOPE,
            state=rules.derived(secret, "state"),
            nonce=rules.derived(secret, "nonce"),
            code_challenge=create_s256_code_challenge(rules.derived(secret, "verifier")),
            code_challenge_method="S256",
            **fresh,
        )
        return address

    def identify(
        self, code: str, secret: str, redirect_uri: str, *, iss: str | None, now: datetime
    ) -> Identity:
        """Redeem a code and say who it stands for; raises what is named in `oidc_rules`."""
        published = self._published.metadata(now)
        announced = published.authorization_response_iss_parameter_supported
        rules.check_issuer(iss, self.issuer, announced=announced)
        tokens = self._redeem(published, code, rules.derived(secret, "verifier"), redirect_uri)
        claims = self._checked(tokens, rules.derived(secret, "nonce"), now)
        groups = rules.groups_of(claims.get(self._groups))
        if groups is None and published.userinfo_endpoint is not None:
            claims = self._more(published.userinfo_endpoint, tokens, claims) | claims
            groups = rules.groups_of(claims.get(self._groups))
        subject = claims["sub"]
        verified = claims.get("email_verified") is not False
        return Identity(
            issuer=self.issuer,
            subject=subject,
            name=rules.told(claims, "name", "preferred_username", "email") or subject,
            email=rules.told(claims, "email") if verified else None,
            role=rules.role_of(groups or [], self._roles),
            seen_at=_seen(claims.get("auth_time"), now),
        )

    def _redeem(
        self, published: Metadata, code: str, verifier: str, redirect_uri: str
    ) -> Mapping[str, Any]:
        """Exchange the code for tokens, proving to be the client it was given to."""
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=verifier
        )
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        client = self._authentication(published.token_endpoint_auth_methods_supported)
        uri, headers, body = client.prepare("POST", published.token_endpoint, headers, body)
        answer = self._published.call("POST", uri, headers, body.encode())
        tokens = read(answer)
        if answer.status == 200 and tokens is not None:
            return tokens
        if answer.status >= 500 or answer.status == 429:
            raise self._published.unreachable(f"its token endpoint answers {answer.status}")
        error = str((tokens or {}).get("error", answer.status))[:100]
        if error == "invalid_grant":
            raise ProviderDeclined("The code has expired or was used before. Begin anew.")
        raise self._published.unfit(f"its token endpoint says {error!r}")

    def _authentication(self, methods: tuple[str, ...]) -> ClientAuth:
        """Choose how to prove who we are. Basic wants both parts encoded first (RFC 6749, 2.3.1)."""
        if self._secret is None:
            return ClientAuth(self._client, None, "none")
        if "client_secret_basic" in methods or "client_secret_post" not in methods:
            parts = quote_plus(self._client), quote_plus(self._secret)
            return ClientAuth(*parts, "client_secret_basic")
        return ClientAuth(self._client, self._secret, "client_secret_post")

    def _checked(self, tokens: Mapping[str, Any], nonce: str, now: datetime) -> dict[str, Any]:
        """Give the claims of the ID token once signature and every claim hold."""
        token = self._decoded(tokens.get("id_token"), now)
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._client},
            },
            {"nonce": nonce, "client_id": self._client},
        )
        try:
            claims.validate(now=int(now.timestamp()), leeway=int(rules.SKEW.total_seconds()))
        except ExpiredTokenError as error:
            raise IdentityExpired("Begin anew. If it repeats, a clock is wrong.") from error
        except ClaimError as error:
            kind = WRONG.get(error.claim, IdentityUnsigned)
            if error.claim in TIMES and not isinstance(claims.get(error.claim), int | float):
                kind = IdentityUnsigned
            raise kind(f"The claim {error.claim!r} is not as it must be.") from error
        if not claims["sub"] or len(claims["sub"]) > 255:
            raise IdentityUnsigned("The claim 'sub' is not as it must be.")
        return dict(claims)

    def _decoded(self, token: Any, now: datetime) -> jwt.Token:
        """Check the signature by the keys the provider publishes, fetched anew for a new key."""
        if not isinstance(token, str):
            raise IdentityUnsigned("The identity provider gave no ID token.")
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        registry.max_header_length = 8192  # some providers put their certificates there
        try:
            try:
                return jwt.decode(token, self._published.keys(now), registry=registry)
            except InvalidKeyIdError:
                keys = self._published.keys(now, at_most=KEYS_AGAIN)
                return jwt.decode(token, keys, registry=registry)
        except InvalidKeyIdError as error:
            raise SigningKeyUnknown("Begin anew in a minute.") from error
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise IdentityUnsigned(
                "Its signature does not hold, or is of a kind not taken."
            ) from error

    def _more(
        self, address: str, tokens: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Ask for the claims that are not in the ID token; they must be about the same person."""
        bearer = {"Authorization": f"Bearer {tokens.get('access_token')}"}
        answer = self._published.call("GET", address, bearer)
        found = read(answer)
        if answer.status != 200 or found is None:
            raise self._published.unfit(f"its userinfo endpoint answers {answer.status}")
        if found.get("sub") != claims["sub"]:
            raise IdentityUnsigned("Its userinfo endpoint speaks of somebody else.")
        return found


def _seen(auth_time: Any, now: datetime) -> datetime:
    """Say when the provider saw the person; now, if it does not tell, and never later than now."""
    if isinstance(auth_time, int | float) and 0 <= auth_time <= now.timestamp():
        return datetime.fromtimestamp(auth_time, UTC)
    return now
