"""What the identity provider says is believed only where every part of it holds."""

import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import OctKey, RSAKey

from app.access.rules import Role
from app.clock import now
from app.outbound import Caller, Limits
from app.people import oidc_published, oidc_rules
from app.people.oidc import KEYS_AGAIN, Provider
from app.people.oidc_rules import (
    ClockSkew,
    Identity,
    IdentityExpired,
    IdentityRefused,
    IdentityUnsigned,
    NonceMismatch,
    ProviderDeclined,
    ProviderUnfit,
    ProviderUnreachable,
    SigningKeyUnknown,
    WrongAudience,
    WrongIssuer,
)
from tests.oidc.hostile import (
    CLIENT,
    KEYS,
    REDIRECT,
    SECRET,
    Consent,
    Hostile,
    provider,
    raw,
    settings_of,
    signed_by,
    slow,
)

NOW = now()
MOMENT = int(NOW.timestamp())
CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    with provider(lambda: NOW) as one:
        yield one


def ours(hostile: Hostile, **more: Any) -> Provider:
    settings = settings_of(hostile, **more)
    quick = Limits(connect_seconds=1, read_seconds=0.5, total_seconds=1)
    return Provider(settings, Caller.of(settings, limits=quick))


def identify(
    hostile: Hostile,
    one: Provider | None = None,
    *,
    back: Callable[[Consent], Consent] = lambda consent: consent,
    at: datetime = NOW,
) -> Identity:
    """Go there and come back, as a browser would."""
    one = one or ours(hostile)
    secret = secrets.token_urlsafe(32)
    consent = back(hostile.consent(one.address(secret, REDIRECT, again=False, now=at)))
    return one.identify(consent.code, secret, REDIRECT, iss=consent.iss, now=at)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"])
def test_who_is_well_identified_is_told_with_the_role_of_the_group(
    hostile: Hostile, algorithm: str
) -> None:
    hostile.algorithm = algorithm

    assert identify(hostile) == Identity(
        issuer=hostile.issuer,
        subject="248289761001",
        name="Ada Example",
        email="Ada@Example.org",
        role=Role.AUDITOR,
        seen_at=NOW,
    )
    assert "/userinfo" not in hostile.asked


def test_the_address_carries_nothing_by_which_the_secret_could_be_known(hostile: Hostile) -> None:
    secret = secrets.token_urlsafe(32)
    address = ours(hostile).address(secret, REDIRECT, again=True, now=NOW)
    query = parse_qs(urlsplit(address).query)

    assert secret not in address
    assert oidc_rules.derived(secret, "verifier") not in address
    assert len({query[name][0] for name in ("state", "nonce", "code_challenge")}) == 3
    assert (query["prompt"], query["max_age"], query["tenant"]) == (["login"], ["0"], ["1"])


@pytest.mark.parametrize(
    ("claims", "refused"),
    [
        ({"aud": "another"}, WrongAudience),
        ({"aud": ["another", "third"], "azp": CLIENT}, WrongAudience),
        ({"aud": [CLIENT, "another"]}, WrongAudience),
        ({"aud": [CLIENT, "another"], "azp": "another"}, WrongAudience),
        ({"azp": "another"}, WrongAudience),
        ({"aud": []}, WrongAudience),
        ({"aud": {CLIENT: 1}}, WrongAudience),
        ({"aud": None}, WrongAudience),
        ({"iss": "https://idp.example"}, WrongIssuer),
        ({"iss": None}, WrongIssuer),
        ({"iss": ["x"]}, WrongIssuer),
        ({"nonce": "another"}, NonceMismatch),
        ({"nonce": None}, NonceMismatch),
        ({"nonce": ""}, NonceMismatch),
        ({"exp": MOMENT - 61}, IdentityExpired),
        ({"exp": MOMENT - 60}, IdentityExpired),
        ({"iat": MOMENT + 61}, ClockSkew),
        ({"nbf": MOMENT + 61}, ClockSkew),
        ({"exp": None}, IdentityUnsigned),
        ({"exp": "never"}, IdentityUnsigned),
        ({"iat": None}, IdentityUnsigned),
        ({"iat": "now"}, IdentityUnsigned),
        ({"sub": None}, IdentityUnsigned),
        ({"sub": ""}, IdentityUnsigned),
        ({"sub": 17}, IdentityUnsigned),
        ({"sub": "s" * 256}, IdentityUnsigned),
    ],
)
def test_a_claim_that_does_not_hold_is_refused_by_its_name(
    hostile: Hostile, claims: dict[str, Any], refused: type[IdentityRefused]
) -> None:
    hostile.claims = claims
    with pytest.raises(refused):
        identify(hostile)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": MOMENT - 59},
        {"iat": MOMENT + 60},
        {"nbf": MOMENT + 60},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another"], "azp": CLIENT},
        {"sub": "s" * 255},
    ],
)
def test_clocks_may_be_a_minute_apart_and_audiences_several(
    hostile: Hostile, claims: dict[str, Any]
) -> None:
    hostile.claims = claims
    assert identify(hostile).role is Role.AUDITOR


def _public_pem() -> bytes:
    key = KEYS["RS256"]
    assert isinstance(key, RSAKey)
    return key.public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _hmac_by(key: bytes) -> Callable[[dict[str, Any]], str]:
    def sign(claims: dict[str, Any]) -> str:
        header = {"alg": "HS256", "kid": "rsa"}
        unsigned = raw(header, claims).rpartition(".")[0]
        return raw(header, claims, hmac.digest(key, unsigned.encode(), "sha256"))

    return sign


OTHER = RSAKey.generate_key(2048)


@pytest.mark.parametrize(
    "sign",
    [
        lambda claims: raw({"alg": "none"}, claims),
        lambda claims: raw({"alg": "None", "kid": "rsa"}, claims),
        lambda claims: raw({"kid": "rsa"}, claims, b"x" * 256),
        lambda claims: raw({"alg": "RS256", "kid": "rsa"}, claims),
        lambda claims: raw({"alg": "RS256", "kid": "rsa"}, claims, b"x" * 256),
        lambda claims: raw({"alg": "RS256", "kid": "rsa", "crit": ["x"], "x": 1}, claims, b"x"),
        lambda claims: raw({"alg": ["RS256"], "kid": "rsa"}, claims, b"x"),
        lambda claims: raw({"alg": "RS256", "kid": "ec"}, claims, b"x" * 256),
        _hmac_by(_public_pem()),
        _hmac_by(SECRET.encode()),
        _hmac_by(b""),
        signed_by(OTHER, "RS256"),
        signed_by(OTHER, "RS256", jwk=OTHER.as_dict(private=False)),
        signed_by(KEYS["RS256"], "RS512"),
        lambda _: "one.two.three",
        lambda _: "one.two.three.four.five",
        lambda _: "",
        lambda _: "." * 10_000,
        lambda _: "x" * 200_000,
        lambda _: {"alg": "RS256"},
        lambda _: None,
    ],
)
def test_what_is_not_signed_by_a_published_key_is_refused(
    hostile: Hostile, sign: Callable[[dict[str, Any]], Any]
) -> None:
    hostile.sign = sign
    with pytest.raises(IdentityUnsigned):
        identify(hostile)


def test_a_secret_among_the_published_keys_signs_nothing(hostile: Hostile) -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    public = [key.as_dict(private=False) for key in hostile.published]
    keys = json.dumps({"keys": [*public, shared.as_dict(private=True)]}).encode()
    hostile.answers["/jwks"] = (200, {}, keys)
    hostile.sign = signed_by(shared, "HS256", kid="shared")
    with pytest.raises(IdentityRefused):
        identify(hostile)


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_a_key_that_is_too_short_or_for_something_else_signs_nothing(hostile: Hostile) -> None:
    short = RSAKey.generate_key(1024, {"kid": "short"})
    encrypts = RSAKey.generate_key(2048, {"kid": "encrypts"})
    public = RSAKey.import_key({**encrypts.as_dict(private=False), "use": "enc"})
    hostile.published = [*hostile.published, short, public]
    for key, kid in ((short, "short"), (encrypts, "encrypts")):
        hostile.sign = signed_by(key, "RS256", kid=kid)
        with pytest.raises(IdentityRefused):
            identify(hostile)


def test_a_new_key_is_fetched_when_it_first_signs_and_an_old_one_is_gone(hostile: Hostile) -> None:
    one = ours(hostile)
    identify(hostile, one)
    fresh = RSAKey.generate_key(2048, {"kid": "2027"})
    hostile.published = [fresh]
    hostile.sign = signed_by(fresh, "RS256", kid="2027")
    later = NOW + KEYS_AGAIN

    assert identify(hostile, one, at=later).name == "Ada Example"
    hostile.sign = signed_by(KEYS["RS256"], "RS256")
    with pytest.raises(SigningKeyUnknown):
        identify(hostile, one, at=later)


def test_unknown_keys_do_not_have_keys_fetched_over_and_over(hostile: Hostile) -> None:
    one = ours(hostile)
    hostile.sign = signed_by(OTHER, "RS256", kid="nobody's")
    for _ in range(3):
        with pytest.raises(SigningKeyUnknown):
            identify(hostile, one)
    assert hostile.asked.count("/jwks") == 1
    assert hostile.asked.count(CONFIGURATION) == 1


def test_what_the_provider_publishes_is_fetched_again_after_an_hour(hostile: Hostile) -> None:
    one = ours(hostile)
    hostile.claims = {"exp": MOMENT + 9000}
    for at in (NOW, NOW + oidc_published.FRESH - timedelta(seconds=1), NOW + oidc_published.FRESH):
        identify(hostile, one, at=at)
    assert hostile.asked.count(CONFIGURATION) == hostile.asked.count("/jwks") == 2


def test_the_answer_of_another_issuer_is_refused_before_its_code_is_sent(hostile: Hostile) -> None:
    def mixed_up(consent: Consent) -> Consent:
        return Consent(consent.code, consent.state, "https://idp.example")

    def unnamed(consent: Consent) -> Consent:
        return Consent(consent.code, consent.state, None)

    for back in (mixed_up, unnamed):
        with pytest.raises(WrongIssuer):
            identify(hostile, back=back)
    hostile.metadata = {"authorization_response_iss_parameter_supported": None}
    with pytest.raises(WrongIssuer):
        identify(hostile, back=mixed_up)
    assert identify(hostile).name == "Ada Example"
    assert hostile.asked.count("/token") == 1


@pytest.mark.parametrize(
    ("path", "answer", "refused"),
    [
        (CONFIGURATION, (302, {"Location": "http://127.0.0.1/x"}, b""), ProviderUnreachable),
        (CONFIGURATION, (404, {}, b"{}"), ProviderUnreachable),
        (CONFIGURATION, (200, {}, b"<html>"), ProviderUnreachable),
        (CONFIGURATION, (200, {}, b"[]"), ProviderUnreachable),
        (CONFIGURATION, (200, {}, b"{}"), ProviderUnfit),
        (CONFIGURATION, (200, {}, b" " * 600_000), ProviderUnreachable),
        (CONFIGURATION, slow(2), ProviderUnreachable),
        ("/jwks", (500, {}, b"{}"), ProviderUnreachable),
        ("/jwks", (200, {}, b"{}"), ProviderUnfit),
        ("/jwks", (200, {}, b'{"keys": []}'), ProviderUnfit),
        ("/jwks", (200, {}, b'{"keys": [{"kty": "RSA"}]}'), ProviderUnfit),
        ("/jwks", (200, {}, b'{"keys": "none"}'), ProviderUnfit),
        ("/token", (400, {}, b'{"error": "invalid_grant"}'), ProviderDeclined),
        ("/token", (401, {}, b'{"error": "invalid_client"}'), ProviderUnfit),
        ("/token", (200, {}, b"token"), ProviderUnfit),
        ("/token", (502, {}, b"gateway"), ProviderUnreachable),
        ("/token", (429, {}, b"{}"), ProviderUnreachable),
        ("/token", (307, {"Location": "http://127.0.0.1/x"}, b""), ProviderUnreachable),
        ("/token", slow(2), ProviderUnreachable),
    ],
)
def test_a_provider_that_does_not_do_its_part_is_told_apart(
    hostile: Hostile, path: str, answer: Any, refused: type[Exception]
) -> None:
    hostile.answers[path] = answer
    with pytest.raises(refused):
        identify(hostile)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://idp.example"},
        {"issuer": "+/"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
        {"token_endpoint": 17},
        {"jwks_uri": None},
    ],
)
def test_a_discovery_document_of_somebody_else_or_half_of_one_is_refused(
    hostile: Hostile, metadata: dict[str, Any]
) -> None:
    if metadata.get("issuer") == "+/":  # the same address, but not to the letter
        metadata = {"issuer": hostile.issuer + "/"}
    hostile.metadata = metadata
    with pytest.raises(ProviderUnfit):
        ours(hostile).address("s", REDIRECT, again=False, now=NOW)


def test_endpoints_that_lead_inside_are_not_called(hostile: Hostile) -> None:
    hostile.metadata = {"token_endpoint": "http://169.254.169.254/latest/meta-data/"}
    with pytest.raises(ProviderUnreachable) as told:
        identify(hostile)
    assert "169.254" not in str(told.value.problem())


def test_a_provider_that_is_away_is_left_alone_for_a_moment(hostile: Hostile) -> None:
    one = ours(hostile)
    hostile.answers[CONFIGURATION] = (503, {}, b"")
    for _ in range(3):
        with pytest.raises(ProviderUnreachable):
            one.address("s", REDIRECT, again=False, now=NOW)
    del hostile.answers[CONFIGURATION]
    assert hostile.asked == [CONFIGURATION]
    assert one.address("s", REDIRECT, again=False, now=NOW + oidc_published.AWAY).startswith(
        hostile.issuer
    )
    assert ProviderUnreachable.headers["Retry-After"] == "30"


def test_groups_are_asked_for_where_the_token_does_not_name_them(hostile: Hostile) -> None:
    hostile.user = {"groups": None}
    hostile.userinfo = {"groups": ["heads"], "name": "Another"}
    told = identify(hostile)
    assert (told.role, told.name) == (Role.SUPERVISOR, "Ada Example")

    hostile.userinfo = {"groups": ["heads"], "sub": "somebody else"}
    with pytest.raises(IdentityUnsigned):
        identify(hostile)
    hostile.userinfo = {}
    assert identify(hostile).role is None
    hostile.answers["/userinfo"] = (403, {}, b"{}")
    with pytest.raises(ProviderUnfit):
        identify(hostile)
    hostile.metadata = {"userinfo_endpoint": None}
    assert identify(hostile).role is None


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["auditors", "eum-inspectors"], Role.INSPECTOR),
        ("auditors", Role.AUDITOR),
        ([], None),
        (["Auditors"], None),
        ([{"name": "auditors"}, 17], None),
        ({"auditors": True}, None),
        ("auditors,eum-inspectors", None),
    ],
)
def test_the_first_line_of_the_mapping_that_fits_decides(
    hostile: Hostile, groups: Any, role: Role | None
) -> None:
    hostile.user = {"groups": groups}
    assert identify(hostile).role is role


def test_the_claim_of_groups_is_set_by_the_operator(hostile: Hostile) -> None:
    hostile.user = {"groups": ["heads"], "https://example.org/roles": ["auditors"]}
    one = ours(hostile, oidc_groups_claim="https://example.org/roles")
    assert identify(hostile, one).role is Role.AUDITOR


def test_names_hold_nothing_that_misleads_and_an_unverified_address_is_none(
    hostile: Hostile,
) -> None:
    hostile.user = {"name": " A\u202eda\n\x00 ", "email_verified": False}
    told = identify(hostile)
    assert (told.name, told.email) == ("Ada", None)
    hostile.user = {"name": 17, "preferred_username": "ada", "email": ["x"]}
    told = identify(hostile)
    assert (told.name, told.email) == ("ada", None)


def test_when_the_provider_saw_the_person_is_what_counts(hostile: Hostile) -> None:
    for auth_time, seen in ((MOMENT - 7200, -7200), (MOMENT + 30, 0), ("today", 0), (None, 0)):
        hostile.user = {"auth_time": auth_time}
        if auth_time == "today":
            with pytest.raises(IdentityUnsigned):
                identify(hostile)
            continue
        at = identify(hostile).seen_at
        assert abs((at - NOW).total_seconds() - seen) < 1


@pytest.mark.parametrize("methods", [None, ["client_secret_post"], ["private_key_jwt"]])
def test_the_client_proves_itself_in_a_way_the_provider_knows(
    hostile: Hostile, methods: list[str] | None
) -> None:
    hostile.metadata = {"token_endpoint_auth_methods_supported": methods}
    identify(hostile)
    basic = [one for one in hostile.authorizations if one.startswith("Basic ")]
    assert bool(basic) == (methods != ["client_secret_post"])


def test_a_client_without_a_secret_proves_itself_by_pkce_alone(hostile: Hostile) -> None:
    one = ours(hostile, oidc_client_secret=None)
    with pytest.raises(ProviderUnfit):
        identify(hostile, one)
    assert not any(hostile.authorizations)
