from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from app.access.rules import Role
from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import pages, problem, rows
from tests.evidence.handing_in import accepted

DIGEST = f"sha256:{'9f' * 32}"


def document(**more: Any) -> dict[str, Any]:
    """A certificate for the terminal."""
    return {
        "reference": "DOC-1",
        "kind": "certificate",
        "subject": {"site": "NBO-T1"},
        "issued_on": "2026-04-01",
    } | more


def decision(verdict: str, **more: Any) -> dict[str, Any]:
    return {"verdict": verdict, "ground": "As checked.", "effective_on": "2026-04-10"} | more


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    return str(make_license(serials=("FR-1",))["number"])


@pytest.fixture
def path(number: str) -> str:
    return f"/v1/licenses/{number}/documents"


@pytest.fixture
def reviewer(door: OpenDoor) -> Door:
    return door(Role.REVIEWER)


def _listed(door: Door, path: str) -> list[dict[str, Any]]:
    return [one for page in pages(door, path, 100) for one in page]


def test_a_document_is_on_file_as_it_was_handed_in(
    exporter: Door, number: str, path: str, time: Clock
) -> None:
    body = document(
        about="ISO/IEC 30107-3",
        issuer="TÜV Nord",
        valid_until="2026-04-01",
        witnessed_by="Customs, Mombasa",
        evidence=accepted(exporter),
    )
    filed = exporter.post(path, body)
    assert filed.status_code == 201
    shown = filed.json()
    assert shown == body | {
        "id": shown["id"],
        "license": number,
        "subject": {"kind": "site", "reference": "NBO-T1"},
        "grade": "E",
        "said_by": "NORDLICHT",
        "received_at": time().isoformat().replace("+00:00", "Z"),
        "receipt": shown["receipt"],
    }
    assert _listed(exporter, path) == [shown | {"decision": None}]


def test_a_document_is_about_something_of_the_license(
    exporter: Door, officer: Door, door: OpenDoor, number: str, path: str
) -> None:
    subjects = {
        "unit": ({"serial": "FR-1"}, "FR-1", officer),
        "site": ({"site": "NBO-T1"}, "NBO-T1", exporter),
        "party": ({"party": "KE-BCA"}, "KE-BCA", exporter),
        "license": ({"license": True}, number, door(Role.INSPECTOR)),
    }
    for kind, (subject, reference, by) in subjects.items():
        told = by.post(path, document(reference=kind, subject=subject))
        assert told.status_code == 201, told.text
        assert told.json()["subject"] == {"kind": kind, "reference": reference}
    assert [one["grade"] for one in _listed(exporter, path)] == ["E", "E", "E", "A"]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a unit it lacks": (
        {"subject": {"serial": "FR-9"}},
        "document-subject-unknown",
        "/subject/serial",
    ),
    "a site it lacks": ({"subject": {"site": "X"}}, "document-subject-unknown", "/subject/site"),
    "a party it lacks": (
        {"subject": {"party": "X"}},
        "document-subject-unknown",
        "/subject/party",
    ),
    "two subjects": (
        {"subject": {"site": "NBO-T1", "serial": "FR-1"}},
        "fields-invalid",
        "/subject",
    ),
    "no subject": ({"subject": {}}, "fields-invalid", "/subject"),
    "not the license": ({"subject": {"license": False}}, "fields-invalid", "/subject/license"),
    "over before it began": ({"valid_until": "2026-03-31"}, "fields-invalid", "/valid_until"),
    "a kind that is no code": ({"kind": "a certificate"}, "fields-invalid", "/kind"),
    "a file not handed in": ({"evidence": DIGEST}, "evidence-not-handed-in", "/evidence"),
    "a digest that is none": ({"evidence": "sha256:9F"}, "fields-invalid", "/evidence"),
    "an issuer that is blank": ({"issuer": "  "}, "fields-invalid", "/issuer"),
    "a field nobody knows": ({"photo": "x"}, "fields-invalid", "/photo"),
}


def test_a_document_that_cannot_be_is_refused(
    exporter: Door, path: str, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    before = rows(sessions, "documents", "journal_pending")
    for what, (change, slug, pointer) in REFUSED.items():
        with subtests.test(what):
            told = problem(exporter.post(path, document(**change)), 422, slug)
            assert told["pointer"] == pointer
            assert rows(sessions, "documents", "journal_pending") == before


def test_nothing_is_issued_or_decided_on_a_day_that_has_not_begun(
    exporter: Door, reviewer: Door, path: str, time: Clock
) -> None:
    today = time().astimezone(ZoneInfo("Pacific/Kiritimati")).date()
    tomorrow = (today + timedelta(days=1)).isoformat()
    told = problem(exporter.post(path, document(issued_on=tomorrow)), 422, "not-yet-come")
    assert told["pointer"] == "/issued_on"
    filed = exporter.post(path, document(issued_on=today.isoformat())).json()
    decide = f"{path}/{filed['id']}/decisions"
    early = reviewer.post(decide, decision("accepted", effective_on=tomorrow))
    assert problem(early, 422, "not-yet-come")["pointer"] == "/effective_on"
    before = (today - timedelta(days=1)).isoformat()
    told = problem(
        reviewer.post(decide, decision("accepted", effective_on=before)),
        422,
        "decided-before-issued",
    )
    assert told["pointer"] == "/effective_on"
    at_once = decision("accepted", effective_on=today.isoformat())
    assert reviewer.post(decide, at_once).status_code == 201


def test_the_same_document_again_gets_its_first_answer(
    exporter: Door, reviewer: Door, path: str, sessions: Sessions
) -> None:
    first = exporter.post(path, document())
    accepted = reviewer.post(f"{path}/{first.json()['id']}/decisions", decision("accepted"))
    assert accepted.status_code == 201
    again = exporter.post(path, document())
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert rows(sessions, "documents") == {"documents": 1}


def test_another_document_of_the_same_reference_is_refused_with_the_difference(
    exporter: Door, door: OpenDoor, path: str, sessions: Sessions
) -> None:
    exporter.post(path, document())
    changed = exporter.post(path, document(issued_on="2026-04-02"))
    told = problem(changed, 409, "reference-taken")
    assert told["pointer"] == "/reference"
    assert any("2026-04-01" in line and line.startswith("-") for line in told["diff"])
    assert any("2026-04-02" in line and line.startswith("+") for line in told["diff"])
    anothers = door(Role.INSPECTOR).post(path, document())
    assert "NORDLICHT" in problem(anothers, 409, "reference-taken")["detail"]
    assert rows(sessions, "documents") == {"documents": 1}


VERDICTS: dict[tuple[str, ...], set[str]] = {
    (): {"accepted", "refused"},
    ("refused",): {"accepted"},
    ("accepted",): {"revoked"},
    ("refused", "accepted"): {"revoked"},
    ("accepted", "revoked"): set(),
}


@pytest.mark.parametrize(
    ("before", "allowed"), VERDICTS.items(), ids=["none", "refused", "accepted", "both", "revoked"]
)
def test_a_verdict_must_follow_from_the_one_before(
    before: tuple[str, ...],
    allowed: set[str],
    exporter: Door,
    reviewer: Door,
    path: str,
) -> None:
    for verdict in ("accepted", "refused", "revoked"):
        filed = exporter.post(path, document(reference=verdict)).json()
        decide = f"{path}/{filed['id']}/decisions"
        for earlier in before:
            assert reviewer.post(decide, decision(earlier)).status_code == 201
        answer = reviewer.post(decide, decision(verdict, ground="Now."))
        shown = next(one for one in _listed(exporter, path) if one["id"] == filed["id"])
        if verdict in allowed:
            assert answer.status_code == 201
            assert shown["decision"] == answer.json()
            assert (answer.json()["verdict"], answer.json()["ground"]) == (verdict, "Now.")
        else:
            told = problem(answer, 409, "document-verdict-out-of-turn")
            assert told["pointer"] == "/verdict"
            assert (shown["decision"] or {}).get("ground") in {None, "As checked."}


def test_who_filed_a_document_does_not_decide_on_it(
    officer: Door, exporter: Door, door: OpenDoor, path: str, sessions: Sessions
) -> None:
    decide = f"{path}/{officer.post(path, document()).json()['id']}/decisions"
    problem(officer.post(decide, decision("accepted")), 409, "second-person-needed")
    for other in (exporter, door(Role.INSPECTOR), door(Role.AUDITOR)):
        problem(other.post(decide, decision("accepted")), 403, "role-not-allowed")
    assert rows(sessions, "document_decisions") == {"document_decisions": 0}
    second = door(Role.LICENSING_OFFICER)
    assert second.post(decide, decision("refused")).status_code == 201
    told = door(Role.SUPERVISOR).post(decide, decision("accepted"))
    assert told.status_code == 201


def test_a_decision_is_of_a_document_of_this_license(
    exporter: Door, reviewer: Door, make_license: MakeLicense, path: str
) -> None:
    id = exporter.post(path, document()).json()["id"]
    other = f"/v1/licenses/{make_license()['number']}/documents"
    problem(reviewer.post(f"{other}/{id}/decisions", decision("accepted")), 404, "document-unknown")
    problem(
        reviewer.post(f"{path}/{id + 1}/decisions", decision("accepted")), 404, "document-unknown"
    )
    problem(reviewer.post(f"{path}/{2**80}/decisions", decision("accepted")), 422)
    unsaid = {"verdict": "accepted", "effective_on": "2026-04-10"}
    told = problem(reviewer.post(f"{path}/{id}/decisions", unsaid), 422, "fields-invalid")
    assert told["pointer"] == "/ground"


def test_a_decision_sent_twice_is_one(
    exporter: Door, reviewer: Door, path: str, sessions: Sessions
) -> None:
    decide = f"{path}/{exporter.post(path, document()).json()['id']}/decisions"
    keyed = {"Idempotency-Key": "k-1"}
    first = reviewer.post(decide, decision("accepted"), headers=keyed)
    again = reviewer.post(decide, decision("accepted"), headers=keyed)
    assert (again.status_code, again.content) == (201, first.content)
    problem(reviewer.post(decide, decision("revoked"), headers=keyed), 409, "key-used-for-other")
    assert rows(sessions, "document_decisions") == {"document_decisions": 1}


def test_what_is_not_yours_is_not_there(door: OpenDoor, exporter: Door, path: str) -> None:
    assert exporter.post(path, document()).status_code == 201
    stranger = door(Role.EXPORTER, "SOMEBODY-ELSE")
    for address in (path, "/v1/licenses/BX-NONE/documents"):
        problem(stranger.post(address, document()), 404, "license-unknown")
        problem(stranger.get(address), 404, "license-unknown")
    assert len(_listed(door(Role.DASHBOARD), path)) == 1


def test_documents_are_listed_page_by_page_with_what_counts(
    exporter: Door, reviewer: Door, path: str
) -> None:
    for at in range(5):
        filed = exporter.post(path, document(reference=f"DOC-{at}")).json()
        if at % 2:
            decide = f"{path}/{filed['id']}/decisions"
            reviewer.post(decide, decision("accepted"))
            reviewer.post(decide, decision("revoked"))
    found = pages(exporter, path, 2)
    assert [len(page) for page in found] == [2, 2, 1]
    listed = [one for page in found for one in page]
    assert [one["reference"] for one in listed] == [f"DOC-{at}" for at in range(5)]
    verdicts = [one["decision"] and one["decision"]["verdict"] for one in listed]
    assert verdicts == [None, "revoked", None, "revoked", None]
    problem(exporter.get(f"{path}?after=nonsense"), 422, "cursor-unreadable")


def test_a_document_and_its_decision_are_told_and_the_license_attended(
    exporter: Door,
    reviewer: Door,
    path: str,
    sessions: Sessions,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    _forget_to_attend(sessions)
    id = exporter.post(path, document()).json()["id"]
    assert _attended_from(sessions) == time()
    _forget_to_attend(sessions)
    time.forward(minutes=1)
    reviewer.post(f"{path}/{id}/decisions", decision("accepted"))
    assert _attended_from(sessions) == time()
    sequencer.tick()
    filed, accepted = exporter.get("/v1/journal").json()["items"][-2:]
    assert (filed["action"], filed["body"]["kind"]) == ("document.filed", "certificate")
    assert (accepted["action"], accepted["subject"]) == ("document.accepted", f"document:{id}")
    assert accepted["body"]["ground"] == "As checked."


def _forget_to_attend(sessions: Sessions) -> None:
    with sessions() as session:
        session.execute(text("UPDATE licenses SET attend_from = NULL"))
        session.commit()


def _attended_from(sessions: Sessions) -> Any:
    with sessions() as session:
        return session.scalar(text("SELECT attend_from FROM licenses"))
