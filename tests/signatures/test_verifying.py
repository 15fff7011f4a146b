"""Signatures are checked again, offline, by `endwatch verify`."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from app.cli import verify
from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense
from tests.doors.filings import attestation
from tests.journal.test_verify import Check, check, harm
from tests.journal.told_keys import tell_of_keys
from tests.signatures.signers import DAY, made, registered, signed

__all__ = ["check"]
KINDS = ("Ed25519", "ES256", "ES384", "PS256")


@pytest.fixture
def filed(
    exporter: Door,
    make_license: MakeLicense,
    owners: Sessions,
    sequencer: Sequencer,
    time: Clock,
) -> str:
    """A report signed by a key of every sort; the keys are revoked afterwards."""
    number = make_license(serials=("FR-1",))["number"]
    for kind in KINDS:
        key = made(kind)
        id = registered(exporter, key)["id"]
        body = attestation(number, time() - DAY, reference=f"ATT-{kind}") | {
            "observed_at": (time() - DAY).isoformat().replace("+00:00", "+0000"),
            "period": {"from": "2026-04-01", "to": "2026-06-30"},
        }
        answer = exporter.post("/v1/reports", signed(body, key, time()))
        assert answer.status_code == 201, answer.text
        exporter.post(f"/v1/signing-keys/{id}/revocation", {"ground": "Replaced."})
    tell_of_keys(owners, time())
    sequencer.tick()
    return str(number)


def test_every_signature_is_checked_again(filed: str, check: Check) -> None:
    findings = check()
    assert findings.faults == []
    assert "4 signatures on reports are by registered keys" in findings.checked
    assert "4 rows of signatures are what the entries add up to" in findings.checked


def test_a_signature_that_was_changed_in_its_table_is_found(
    filed: str, check: Check, owner: Engine
) -> None:
    harm(owner, "UPDATE report_signatures SET signature = signature || 'x'")
    assert any("signatures" in what for _, what in check().faults)


Entry = tuple[dict[str, Any], str, dict[str, Any]]


@pytest.fixture
def entries(filed: str, engine: Engine) -> list[Entry]:
    """What the journal holds of keys, reports and signatures, in order."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT seq, action, subject, party, body FROM journal ORDER BY seq"
        ).all()
    return [
        (
            {"seq": row.seq, "action": row.action, "party": row.party},
            row.subject.partition(":")[2],
            row.body,
        )
        for row in found
    ]


def faults(entries: list[Entry], action: str, **change: Any) -> list[str]:
    """What is found when whoever writes the journal lies in all entries of an action."""
    signatures = verify.Signatures()
    for told, name, body in json.loads(json.dumps(entries)):
        if told["action"] == action:
            body.update({key: lie(body[key]) for key, lie in change.items()})
        signatures.take(told, name, body)
    return [what for _, what in signatures.faults]


def test_a_service_that_lies_about_what_was_signed_is_found_out(entries: list[Entry]) -> None:
    assert faults(entries, "nothing") == []
    lies: list[tuple[str, dict[str, Any], str]] = [
        ("report.signed", {"payload": lambda text: text.replace("4210", "1")}, "its digest"),
        ("report.signed", {"signature": lambda text: text[:-6] + "AAAAAA"}, "not by key"),
        ("report.signed", {"kid": lambda _: "x"}, "no key x"),
        ("report.filed", {"reference": lambda _: "ATT-9"}, "not what was filed"),
        (
            "report.filed",
            {"statements": lambda said: [one | {"facts": {"gallery_size": 1}} for one in said]},
            "not what was filed",
        ),
        ("report.filed", {"observed_at": lambda _: "2026-04-01T00:00:00Z"}, "not what was filed"),
        ("signing_key.registered", {"party": lambda _: "OTHER"}, "no key"),
        ("signing_key.registered", {"jwk": lambda jwk: jwk | {"kty": "none"}}, "not by key"),
    ]
    for action, change, words in lies:
        found = faults(entries, action, **change)
        assert len(found) == len(KINDS), (action, change)
        assert all(words in one for one in found), found
    late = sorted(entries, key=lambda entry: entry[0]["action"] == "report.signed")
    assert all("revoked before" in one for one in faults(late, "nothing"))
