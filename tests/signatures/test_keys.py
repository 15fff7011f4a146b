"""Signing keys: who may register them, what is refused, and what a lost one means."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from joserfc.jwk import OctKey
from sqlalchemy import text

from app.access.rules import Role
from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import attestation, pages, problem, rows
from tests.signatures.signers import (
    DAY,
    DER,
    Authority,
    jwk,
    kid,
    made,
    offer,
    pem,
    registered,
    signature,
    signed,
)

KINDS = ("Ed25519", "ES256", "ES384", "PS256")
KEYS = "/v1/signing-keys"


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_registered_by_who_shows_to_hold_it(kind: str, exporter: Door) -> None:
    key = made(kind)
    told = registered(exporter, key, label="Export desk")
    assert (told["party"], told["kid"], told["algorithm"]) == ("NORDLICHT", kid(key), kind)
    assert told["jwk"] == jwk(key)
    assert told["revoked_at"] is None
    assert exporter.get(f"{KEYS}/{told['id']}").json() == told
    assert exporter.get(KEYS).json()["items"] == [told]


def test_the_name_of_a_key_is_its_thumbprint(exporter: Door) -> None:
    """The key and thumbprint of RFC 8037, appendix A.3."""
    from app.parties import public_keys

    known = public_keys.from_jwk(
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    )
    assert known.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def _oct() -> dict[str, Any]:
    return dict(OctKey.generate_key(256).as_dict(private=False))


def test_a_key_of_another_sort_is_not_taken(exporter: Door, sessions: Sessions) -> None:
    small, odd, curve = (
        rsa.generate_private_key(65537, 2048),
        rsa.generate_private_key(3, 3072),
        ec.generate_private_key(ec.SECP256K1()),
    )
    numbers = [one.public_key().public_numbers() for one in (small, odd)]
    offered: list[dict[str, Any]] = [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "OKP", "crv": "Ed448", "x": _x(ed448.Ed448PrivateKey.generate())},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": ["RSA"]},
        {},
        *({"kty": "RSA", "n": _number(one.n), "e": _number(one.e)} for one in numbers),
    ]
    assert curve.curve.name == "secp256k1"
    proof = signature(b"", made())
    for one in offered:
        answer = exporter.post(KEYS, {"jwk": one, "proof": proof})
        slug = "private-key-sent" if "k" in one else "key-unfit"
        assert problem(answer, 422, slug)["pointer"].startswith("/jwk")
    assert rows(sessions, "signing_keys") == {"signing_keys": 0}


def _x(key: Any) -> str:
    return base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")


def _number(value: int) -> str:
    octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def test_a_private_key_is_refused_told_of_and_stored_nowhere(
    exporter: Door, sessions: Sessions
) -> None:
    key = made()
    secret = base64.urlsafe_b64encode(key.private_bytes_raw()).decode().rstrip("=")
    told = problem(
        exporter.post(KEYS, offer(key) | {"jwk": jwk(key) | {"d": secret}}), 422, "private-key-sent"
    )
    assert "new key" in told["detail"]
    with sessions() as session:
        entries = session.execute(text("SELECT action, body::text FROM journal_pending")).all()
    assert [one.action for one in entries] == ["signature.refused"]
    assert secret not in str(entries)


def test_the_proof_must_be_of_the_key_for_the_party(exporter: Door, sessions: Sessions) -> None:
    key, other = made(), made("ES256")
    whole = offer(key)
    for proof, slug in (
        (offer(key, "SOMEBODY-ELSE")["proof"], "signature-wrong"),
        (offer(other)["proof"], "signing-key-unknown"),
        (signature(b"anything", key), "signature-wrong"),
        ("x", "signature-malformed"),
        (whole["proof"][:-8] + "AAAAAAAA", "signature-wrong"),
    ):
        answer = exporter.post(KEYS, whole | {"proof": proof})
        assert problem(answer, 422, slug)["pointer"] == "/proof"
    assert rows(sessions, "signing_keys") == {"signing_keys": 0}


def test_a_key_is_registered_once_also_by_two_parties(exporter: Door, door: OpenDoor) -> None:
    key = made()
    registered(exporter, key)
    problem(exporter.post(KEYS, offer(key)), 409, "signing-key-taken")
    assert registered(door(Role.EXPORTER, "OTHER"), key)["party"] == "OTHER"


def test_the_same_request_with_its_key_gets_the_same_answer(exporter: Door) -> None:
    body, named = offer(made()), {"Idempotency-Key": "one"}
    first = exporter.post(KEYS, body, headers=named)
    again = exporter.post(KEYS, body, headers=named)
    assert (first.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_is_valid_for_two_years_or_as_asked(exporter: Door, time: Clock) -> None:
    assert registered(exporter, made())["valid_until"][:4] == str((time() + 730 * DAY).year)
    until = (time() + timedelta(days=30)).isoformat()
    asked = registered(exporter, made(), valid_until=until)
    assert asked["valid_until"][:10] == until[:10]
    for wrong in (time() - DAY, time() + 2000 * DAY):
        body = offer(made()) | {"valid_until": wrong.isoformat()}
        assert (
            problem(exporter.post(KEYS, body), 422, "validity-unfit")["pointer"] == "/valid_until"
        )


def test_a_certificate_brings_its_key_subject_and_validity(exporter: Door) -> None:
    root, key = Authority(), made("PS256")
    given = root.issue("Erika Muster", key)
    told = registered(exporter, key, certificate=pem(given, root.certificate))
    assert (told["algorithm"], told["subject"]) == ("PS256", "CN=Erika Muster")
    assert (told["issuer"], told["rooted"]) == ("CN=Trusted Root", None)
    assert told["valid_until"][:10] == given.not_valid_after_utc.date().isoformat()
    again = made("ES384")
    der = base64.b64encode(root.issue("Erika", again).public_bytes(DER)).decode()
    assert registered(exporter, again, certificate=der)["subject"] == "CN=Erika"


def test_a_certificate_that_cannot_be_read_or_has_run_out_is_refused(exporter: Door) -> None:
    root, key = Authority(), made("ES256")
    small = rsa.generate_private_key(65537, 2048)
    for certificate, slug in (
        (pem(root.issue("Erika", key, (-20, -1))), "certificate-unfit"),
        (pem(root.issue("Erika", small)), "key-unfit"),
        (pem(root.certificate)[:200], "certificate-unfit"),
        ("junk", "certificate-unfit"),
        (pem(*[root.certificate] * 9), "certificate-unfit"),
    ):
        body = offer(key, certificate=certificate)
        assert problem(exporter.post(KEYS, body), 422, slug)["pointer"] == "/certificate"


def test_an_exporter_sees_its_own_keys_and_the_authority_all(
    exporter: Door, door: OpenDoor
) -> None:
    stranger, auditor = door(Role.EXPORTER, "OTHER"), door(Role.AUDITOR)
    mine, theirs = registered(exporter, made()), registered(stranger, made())
    assert [one["id"] for one in exporter.get(KEYS).json()["items"]] == [mine["id"]]
    assert exporter.get(f"{KEYS}?party=OTHER").json()["items"] == []
    for path in ("", "/doubtful"):
        unknown = stranger.get(f"{KEYS}/{mine['id']}{path}")
        problem(unknown, 404, "signing-key-not-found")
    problem(stranger.post(f"{KEYS}/{mine['id']}/revocation", {"ground": "x"}), 404)
    found = [[one["id"] for one in page] for page in pages(auditor, KEYS, 1)]
    assert sorted(found) == sorted([[mine["id"]], [theirs["id"]]])
    listed = auditor.get(f"{KEYS}?party=OTHER").json()["items"]
    assert [one["id"] for one in listed] == [theirs["id"]]


def test_officers_and_keys_without_a_party_register_none(door: OpenDoor) -> None:
    for role in (Role.LICENSING_OFFICER, Role.INSPECTOR, Role.AUDITOR):
        problem(door(role).post(KEYS, offer(made())), 403, "role-not-allowed")


def test_a_lost_key_is_refused_and_what_it_signed_meanwhile_is_in_doubt(
    exporter: Door,
    officer: Door,
    make_license: MakeLicense,
    time: Clock,
    sessions: Sessions,
) -> None:
    number = make_license(serials=("FR-1",))["number"]
    key = made()
    id = registered(exporter, key)["id"]
    filed = []
    for reference in ("ATT-1", "ATT-2"):
        body = attestation(number, time() - DAY, reference=reference)
        filed.append(exporter.post("/v1/reports", signed(body, key)).json())
        time.forward(days=2)
    since = (time() - 3 * DAY).isoformat()
    wrong = {"ground": "Stolen.", "compromised_since": (time() + DAY).isoformat()}
    revocation = f"{KEYS}/{id}/revocation"
    problem(exporter.post(revocation, wrong), 422, "compromise-in-future")
    told = exporter.post(revocation, {"ground": "Stolen.", "compromised_since": since})
    assert (told.status_code, told.json()["doubtful"]) == (201, 1)
    problem(exporter.post(revocation, {"ground": "Again."}), 409, "signing-key-revoked-before")

    third = signed(attestation(number, time() - DAY, reference="ATT-3"), key)
    assert problem(exporter.post("/v1/reports", third), 422, "signing-key-revoked")
    doubtful = officer.get(f"{KEYS}/{id}/doubtful").json()["items"]
    assert [(one["report"], one["grade"]) for one in doubtful] == [(filed[1]["id"], "D")]
    shown = [officer.get(f"/v1/reports/{one['id']}").json() for one in filed]
    assert [one["grade"] for one in shown] == ["D", "D"]
    assert shown[0]["signature"]["doubtful"] is None
    assert "somebody else" in shown[1]["signature"]["doubtful"]
    with sessions() as session:
        (entry,) = session.scalars(
            text("SELECT body FROM journal_pending WHERE action = 'signing_key.revoked'")
        )
    assert (entry["doubtful"], entry["reports"]) == (1, [filed[1]["id"]])

    fresh = made("ES256")
    registered(exporter, fresh)
    body = attestation(number, time() - DAY, reference="ATT-4", corrects=filed[1]["id"])
    corrected = exporter.post("/v1/reports", signed(body, fresh)).json()
    again = officer.get(f"{KEYS}/{id}/doubtful").json()["items"]
    assert again[0]["corrected_by"] == corrected["id"]


def test_the_authority_revokes_a_key_for_a_party_that_cannot(
    exporter: Door, door: OpenDoor, officer: Door
) -> None:
    id = registered(exporter, made())["id"]
    problem(door(Role.AUDITOR).post(f"{KEYS}/{id}/revocation", {"ground": "x"}), 403)
    assert officer.post(f"{KEYS}/{id}/revocation", {"ground": "By telephone."}).status_code == 201
    assert exporter.get(f"{KEYS}/{id}").json()["revoked_at"] is not None
    assert exporter.get(f"{KEYS}/{id}/doubtful").json()["items"] == []
