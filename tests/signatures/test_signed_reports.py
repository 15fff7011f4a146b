"""Reports signed by an exporter: verified before anything is stored, or refused by name."""

import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OctKey
from sqlalchemy import text

from app.access.rules import Role
from app.database import Sessions
from app.parties import detached
from app.parties.detached import BodyAmbiguous, digest_of
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import attestation, problem, rows, stating
from tests.signatures.signers import (
    DAY,
    PEM,
    Authority,
    canonical,
    kid,
    made,
    part,
    pem,
    registered,
    signature,
    signed,
)
from tests.world import condition

STORED = ("reports", "statements", "report_signatures")
CAP = condition("gallery_cap", max_enrolled=4000)


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    return str(make_license(CAP, serials=("FR-1",))["number"])


@pytest.fixture
def body(number: str, time: Clock) -> dict[str, Any]:
    return attestation(number, time() - DAY)


def send(door: Door, raw: bytes | str, path: str = "/v1/reports") -> Any:
    """Send a report as these very bytes."""
    return door.post(path, content=raw, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("kind", ["Ed25519", "ES256", "ES384", "PS256"])
def test_a_signed_report_is_of_grade_d_and_says_what_was_verified(
    kind: str, exporter: Door, officer: Door, body: dict[str, Any], time: Clock
) -> None:
    key = made(kind)
    id = registered(exporter, key, label="Export desk")["id"]
    answer = exporter.post("/v1/reports", signed(body, key, time()))
    assert answer.status_code == 201, answer.text
    told = answer.json()["signature"]
    assert (told["kind"], told["grade"], told["key"]) == ("jws", "D", id)
    assert (told["kid"], told["signer"]) == (kid(key), "Export desk")
    assert told["digest"] == digest_of(canonical(body))
    assert told["signed_at"][:19] == time().isoformat()[:19]
    assert any("very body" in one for one in told["verified"])
    assert any("own word" in one for one in told["not_verified"])
    shown = officer.get(f"/v1/reports/{answer.json()['id']}").json()
    assert shown["grade"] == "D"
    assert shown["signature"] == told | {"doubtful": None}
    (deviation,) = answer.json()["deviations"]
    found = officer.get(f"/v1/deviations/{deviation}").json()
    assert found["evidence"][0]["grade"] == "D"


def test_an_unsigned_report_is_of_grade_e_as_ever(
    exporter: Door, officer: Door, body: dict[str, Any]
) -> None:
    answer = exporter.post("/v1/reports", body).json()
    assert answer["signature"] is None
    shown = officer.get(f"/v1/reports/{answer['id']}").json()
    assert (shown["grade"], shown["signature"]) == ("E", None)


def test_what_is_signed_is_what_was_sent_however_it_was_written(
    exporter: Door, number: str, time: Clock
) -> None:
    """Order, space, escapes, ways to write a number or a time: the canonical form is the same."""
    key = made("ES256")
    registered(exporter, key)
    at = (time() - DAY).isoformat(timespec="seconds")
    raw = (
        '{ "statements":[{"facts":{"position":{"lon":36.9280,"lat":-1.319e0,"accuracy_m":1.20E1},'
        '"country":"\\u004bE"},"subject":{"serial":"FR-1"}}],\n'
        f'"observed_at":"{at}","reference":"ATT-\\u0031","kind":"attestation","license":"{number}"'
    )
    payload = detached.payload_of((raw + "}").encode())
    assert b'"lat":-1.319,"lon":36.928' in payload
    assert b'"accuracy_m":12' in payload
    answer = send(exporter, raw + f',"signature":"{signature(payload, key)}"}}')
    assert answer.status_code == 201, answer.text
    assert answer.json()["signature"]["digest"] == digest_of(payload)


REFUSED = "signature.refused"


def test_a_signature_that_does_not_hold_is_refused_and_told_of(
    exporter: Door,
    door: OpenDoor,
    body: dict[str, Any],
    sessions: Sessions,
    time: Clock,
    subtests: pytest.Subtests,
) -> None:
    key, foreign, unknown, gone = made("ES256"), made(), made(), made()
    registered(exporter, key)
    registered(door(Role.EXPORTER, "OTHER"), foreign)
    lost = registered(exporter, gone)
    exporter.post(f"/v1/signing-keys/{lost['id']}/revocation", {"ground": "Lost."})
    right = signature(canonical(body), key)
    header, _, octets = right.split(".")
    public = key.public_key().public_bytes(PEM, _spki())
    cases = {
        "nothing at all": ("", "signature-malformed"),
        "not detached": (f"{header}.{part(canonical(body))}.{octets}", "signature-malformed"),
        "padded": (right + "==", "signature-malformed"),
        "no signature": (f"{header}..", "signature-malformed"),
        "a header that is no JSON": (f"{part(b'{')}..{octets}", "signature-malformed"),
        "a header that is a list": (f"{part([])}..{octets}", "signature-malformed"),
        "a huge header": (
            f"{part({'alg': 'ES256', 'kid': 'k' * 2000})}..AA",
            "signature-malformed",
        ),
        "a huge signature": (f"{header}..{'A' * 9000}", "signature-malformed"),
        "a header that says alg twice": (
            _with(b'{"alg":"ES256","alg":"none","kid":"%b"}' % kid(key).encode(), octets),
            "signature-malformed",
        ),
        "crit": (_header(key, octets, crit=["exp"], exp=1), "signature-malformed"),
        "b64": (_header(key, octets, crit=["b64"], b64=False), "signature-malformed"),
        "a key that comes along": (_header(key, octets, jwk={}), "signature-malformed"),
        "no kid": (_with(b'{"alg":"ES256"}', octets), "signature-malformed"),
        "a time that is none": (_header(key, octets, iat="now"), "signature-malformed"),
        "alg none": (_header(key, octets, alg="none"), "signature-algorithm-refused"),
        "the public key as a secret": (
            _hmac(canonical(body), public, key),
            "signature-algorithm-refused",
        ),
        "RS256": (_header(key, octets, alg="RS256"), "signature-algorithm-refused"),
        "the algorithm of another key": (
            _header(key, octets, alg="Ed25519"),
            "signature-algorithm-refused",
        ),
        "an unknown key": (signature(canonical(body), unknown), "signing-key-unknown"),
        "a competitor's key": (signature(canonical(body), foreign), "signing-key-unknown"),
        "a revoked key": (signature(canonical(body), gone), "signing-key-revoked"),
        "another key's signature": (
            f"{header}..{signature(canonical(body), made('ES256')).split('.')[2]}",
            "signature-wrong",
        ),
        "a signature of another algorithm's length": (f"{header}..AAAA", "signature-wrong"),
        "of another body": (
            signature(canonical(body | {"reference": "ATT-9"}), key),
            "signature-wrong",
        ),
        "of bytes that are not canonical": (
            signature(json.dumps(body, indent=1).encode(), key),
            "signature-wrong",
        ),
        "from the future": (
            signature(canonical(body), key, time() + timedelta(minutes=6)),
            "signed-in-future",
        ),
    }
    before = rows(sessions, *STORED)
    for count, (what, (given, slug)) in enumerate(cases.items(), start=1):
        with subtests.test(what):
            told = problem(exporter.post("/v1/reports", body | {"signature": given}), 422, slug)
            assert told["pointer"] == "/signature"
            if slug == "signature-wrong":
                assert told["digest"] == digest_of(canonical(body))
            ahead = exporter.post("/v1/reports/preflight", body | {"signature": given})
            assert problem(ahead, 422, slug)["detail"] == told["detail"]
            assert rows(sessions, *STORED) == before
            with sessions() as session:
                told_of = session.execute(
                    text("SELECT body FROM journal_pending WHERE action = 'signature.refused'")
                ).all()
            assert len(told_of) == count
            assert told_of[-1].body["reason"] == slug
    assert exporter.post("/v1/reports", body | {"signature": right}).status_code == 201


def _spki() -> Any:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return PublicFormat.SubjectPublicKeyInfo


def _with(header: bytes, octets: str) -> str:
    return f"{part(header)}..{octets}"


def _header(key: Any, octets: str, **more: Any) -> str:
    return _with(json.dumps({"alg": "ES256", "kid": kid(key)} | more).encode(), octets)


def _hmac(payload: bytes, secret: bytes, key: Any) -> str:
    whole = jws.serialize_compact(
        {"alg": "HS256", "kid": kid(key)}, payload, OctKey.import_key(secret.hex()), ["HS256"]
    )
    return jws.detach_content(whole)


def test_a_signers_clock_may_be_five_minutes_ahead(
    exporter: Door, body: dict[str, Any], time: Clock
) -> None:
    key = made()
    registered(exporter, key)
    ahead = signed(body, key, time() + timedelta(minutes=4, seconds=59))
    assert exporter.post("/v1/reports", ahead).status_code == 201


def test_the_older_name_of_ed25519_is_taken(exporter: Door, body: dict[str, Any]) -> None:
    key = made()
    registered(exporter, key)
    head = part({"alg": "EdDSA", "kid": kid(key)})
    octets = key.sign(f"{head}.{part(canonical(body))}".encode())
    answer = exporter.post("/v1/reports", body | {"signature": f"{head}..{part(octets)}"})
    assert answer.status_code == 201, answer.text


def test_a_key_counts_only_in_its_time(exporter: Door, number: str, time: Clock) -> None:
    root, late, early = Authority(), made(), made("ES256")
    registered(exporter, late, valid_until=(time() + DAY).isoformat())
    registered(exporter, early, certificate=pem(root.issue("Erika", early, (3, 300))))
    time.forward(days=2)
    for key in (late, early):
        report = signed(attestation(number, time() - DAY), key)
        problem(exporter.post("/v1/reports", report), 422, "signing-key-out-of-time")
    time.forward(days=2)
    report = signed(attestation(number, time() - DAY), early)
    assert exporter.post("/v1/reports", report).json()["signature"]["signer"] == "CN=Erika"


def test_what_has_no_one_meaning_cannot_be_signed(
    exporter: Door, number: str, time: Clock, sessions: Sessions
) -> None:
    key = made()
    registered(exporter, key)
    whole = json.dumps(signed(attestation(number, time() - DAY), key))
    for raw in (
        whole.replace('"kind"', '"kind": "incident", "kind"', 1),
        whole.replace("4210", '4210, "gallery_size": 1', 1),
        whole.replace("4210", "9007199254740993", 1),
        whole.encode("utf-16"),
    ):
        answer = send(exporter, raw)
        assert answer.status_code in {400, 422}
        assert answer.json()["type"].endswith(("body-ambiguous", "fields-invalid"))
    assert rows(sessions, *STORED) == dict.fromkeys(STORED, 0)


VECTORS = {
    '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
    '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
    '"literals":[null,true,false]}': '{"literals":[null,true,false],'
    '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
    '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew","1":"One",'
    '"\\ud83d\\ude00":"Smiley","\\u0080":"Control","\\u00f6":"o"}': '{"\\r":"Carriage Return",'
    '"1":"One","\x80":"Control","\u00f6":"o","\u20ac":"Euro Sign","\U0001f600":"Smiley",'
    '"\ufb33":"Hebrew"}',
    '{"n":[-0,-0.0,1e0]}': '{"n":[0,0,1]}',
    '{"n":[9007199254740991,1e21,1e20,5e-324,1.7976931348623157e308]}': '{"n":[9007199254740991,'
    "1e+21,100000000000000000000,5e-324,1.7976931348623157e+308]}",
    '{"a":{},"signature":"x","b":{"signature":1}}': '{"a":{},"b":{"signature":1}}',
}
"""RFC 8785, sections 3.2.2 to 3.2.4 and appendix B; and that only the report's own signature is left out."""


@pytest.mark.parametrize("sent", VECTORS)
def test_the_canonical_form_is_that_of_the_standard(sent: str) -> None:
    assert detached.payload_of(sent.encode()).decode() == VECTORS[sent]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":9007199254740992}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        b"[1]",
        b"[" * 100_000,
        pytest.param(
            b"{" + b"".join(b'"%d":1,' % number for number in range(60_000)) + b'"59999":1}',
            id="very many members",
        ),
        b"",
    ],
)
def test_what_has_no_canonical_form_is_refused(raw: bytes) -> None:
    with pytest.raises(BodyAmbiguous):
        detached.payload_of(raw)


def test_the_same_signed_report_again_gets_the_first_answer(
    exporter: Door, body: dict[str, Any], sessions: Sessions, time: Clock
) -> None:
    key = made("PS256")
    id = registered(exporter, key)["id"]
    first = signed(body, key)
    answer = exporter.post("/v1/reports", first)
    signed_anew = signed(body, key, time())
    assert signed_anew != first
    exporter.post(f"/v1/signing-keys/{id}/revocation", {"ground": "Lost."})
    for again in (first, signed_anew):
        told = exporter.post("/v1/reports", again)
        assert (told.status_code, told.json()) == (201, answer.json())
        assert told.headers["Idempotent-Replayed"] == "true"
    problem(exporter.post("/v1/reports", body), 409, "reference-taken")
    problem(exporter.post("/v1/reports", signed(body, made())), 409, "reference-taken")
    other = signed(body | {"statements": stating({"gallery_size": 1})}, key)
    problem(exporter.post("/v1/reports", other), 409, "reference-taken")
    assert rows(sessions, *STORED) == {"reports": 1, "statements": 1, "report_signatures": 1}


def test_a_signature_does_not_do_for_another_report(exporter: Door, body: dict[str, Any]) -> None:
    key = made()
    registered(exporter, key)
    first = signed(body, key)
    assert exporter.post("/v1/reports", first).status_code == 201
    changes: tuple[dict[str, Any], ...] = (
        {"reference": "ATT-2"},
        {"mode": "physical"},
        {"evidence": []},
    )
    for change in changes:
        replayed = first | {"reference": "ATT-3"} | change
        problem(exporter.post("/v1/reports", replayed), 422, "signature-wrong")


def test_preflight_tells_what_the_signature_would_be_and_stores_nothing(
    exporter: Door, body: dict[str, Any], sessions: Sessions
) -> None:
    key = made()
    registered(exporter, key)
    told = exporter.post("/v1/reports/preflight", signed(body, key))
    assert told.status_code == 200, told.text
    assert (told.json()["signature"]["kind"], told.json()["signature"]["grade"]) == ("jws", "D")
    assert rows(sessions, *STORED) == dict.fromkeys(STORED, 0)


def test_officers_do_not_sign(officer: Door, body: dict[str, Any]) -> None:
    report = signed(body | {"kind": "incident"}, made())
    problem(officer.post("/v1/reports", report), 422, "signature-not-yours")


def test_what_a_video_shows_is_unsigned_whoever_signs(exporter: Door, body: dict[str, Any]) -> None:
    key = made()
    registered(exporter, key)
    told = exporter.post("/v1/reports", signed(body | {"mode": "remote_video"}, key)).json()
    assert told["signature"]["grade"] == "E"
    assert any("remote video" in one for one in told["signature"]["not_verified"])


def test_signatures_and_keys_are_never_changed_or_removed_by_the_service(
    exporter: Door, body: dict[str, Any], sessions: Sessions
) -> None:
    key = made()
    registered(exporter, key)
    exporter.post("/v1/reports", signed(body, key))
    with sessions() as session:
        row = session.execute(
            text("SELECT signature, payload, digest FROM report_signatures")
        ).one()
        entry = session.scalars(
            text("SELECT body FROM journal_pending WHERE action = 'report.signed'")
        ).one()
    assert row.signature == entry["signature"]
    assert row.payload == entry["payload"] == canonical(body).decode()
    assert row.digest == entry["digest"] == digest_of(canonical(body))
    assert "Export desk" not in str(entry)
