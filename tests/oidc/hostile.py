"""An identity provider that does as a test says: right in all, but for what is to be wrong."""

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from app.settings import Settings

CLIENT = "endwatch"
SECRET = "a secret: of the + tests %"
REDIRECT = "https://localhost/v1/sign-in/oidc/callback"
ROLES = "eum-inspectors=inspector,auditors=auditor,heads=supervisor,admins=administrator"
KEYS: dict[str, Key] = {
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"}),
}
KEYS |= {"PS256": KEYS["RS256"], "EdDSA": KEYS["Ed25519"]}


@dataclass
class Consent:
    """What the browser comes back with."""

    code: str
    state: str
    iss: str | None

    @property
    def query(self) -> dict[str, str]:
        given = {"code": self.code, "state": self.state}
        return given if self.iss is None else given | {"iss": self.iss}


@dataclass
class Hostile:
    """The provider. `claims` are put over the right ones (None takes one away); `answers` replace
    whole answers by path: status, headers, body, or a function that makes them.
    """

    now: Callable[[], datetime]
    port: int = 0
    claims: dict[str, Any] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    sign: Callable[[dict[str, Any]], Any] | None = None
    published: list[Key] = field(
        default_factory=lambda: [KEYS[name] for name in ("RS256", "ES256", "Ed25519")]
    )
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, **more: Any) -> dict[str, Any]:
        """Settings under which this is the authority's provider."""
        return {
            "oidc_issuer": self.issuer,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_roles": ROLES,
            "origins": "https://localhost",
            "outbound_allow": "127.0.0.0/8",
            "outbound_ports": f"443 {self.port}",
        } | more

    def consent(self, address: str) -> Consent:
        """Do what a person does at the address: agree, and be sent back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        announces = self.document().get("authorization_response_iss_parameter_supported")
        return Consent(code, query["state"], self.issuer if announces else None)

    def document(self) -> dict[str, Any]:
        right = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }
        return _without_none(right | self.metadata)

    def id_token(self, query: dict[str, str]) -> Any:
        moment = int(self.now().timestamp())
        right = {
            "iss": self.issuer,
            "sub": "248289761001",
            "aud": CLIENT,
            "exp": moment + 300,
            "iat": moment,
            "nonce": query["nonce"],
            "name": "Ada Example",
            "email": "Ada@Example.org",
            "groups": ["auditors", "staff"],
        }
        claims = _without_none(right | self.user | self.claims)
        if self.sign is not None:
            return self.sign(claims)
        key = KEYS[self.algorithm]
        return jwt.encode({"alg": self.algorithm, "kid": key.kid}, claims, key, [self.algorithm])

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        query = self.codes.pop(form.get("code", ""), None)
        if query is None:
            return 400, {"error": "invalid_grant"}
        challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(challenge).decode().rstrip("=") != query["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        assert form["redirect_uri"] == query["redirect_uri"]
        if authorization:
            name, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            client = unquote_plus(name), unquote_plus(secret)
        else:
            client = form["client_id"], form.get("client_secret", "")
        if client not in {(CLIENT, SECRET), ("public", "")}:
            return 401, {"error": "invalid_client"}
        tokens = {"access_token": "an access token", "token_type": "Bearer"}
        return 200, _without_none(tokens | {"id_token": self.id_token(query)})

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[Any, ...]:
        self.asked.append(path)
        self.authorizations.append(authorization)
        replaced = self.answers.get(path)
        if replaced is not None:
            status, headers, body = replaced() if callable(replaced) else replaced
            return status, headers, body
        status = 200
        if path == "/.well-known/openid-configuration":
            body = self.document()
        elif path == "/jwks":
            body = dict(KeySet(self.published).as_dict(private=False))
        elif path == "/token":
            status, body = self.redeem(form, authorization)
        else:
            assert authorization == "Bearer an access token"
            body = {"sub": "248289761001", **self.userinfo}
        return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


@contextlib.contextmanager
def provider(now: Callable[[], datetime]) -> Iterator[Hostile]:
    """Run one on a port of this machine."""
    hostile = Hostile(now=now)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._say({name: values[0] for name, values in parse_qs(body).items()})

        def _say(self, form: dict[str, str]) -> None:
            authorization = self.headers.get("Authorization", "")
            status, headers, body = hostile.answer(urlsplit(self.path).path, form, authorization)
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hostile.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    yield hostile
    server.shutdown()
    server.server_close()
    thread.join()


def slow(seconds: float) -> Callable[[], tuple[int, dict[str, str], bytes]]:
    def late() -> tuple[int, dict[str, str], bytes]:
        time.sleep(seconds)
        return 200, {}, b"{}"

    return late


def raw(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand, signed by nothing or by anything."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def signed_by(key: Key, algorithm: str, **header: Any) -> Callable[[dict[str, Any]], str]:
    """Sign claims by a key of the test's choice."""

    def sign(claims: dict[str, Any]) -> str:
        told = {"alg": algorithm, "kid": "rsa"} | header
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        return jwt.encode(told, claims, key, registry=registry)

    return sign


def settings_of(hostile: Hostile, **more: Any) -> Settings:
    values = hostile.settings(**more)
    return Settings(**values)
