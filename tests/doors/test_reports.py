from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.access.rules import Role
from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import attestation, pages, problem, rows, stating
from tests.world import condition

CAP = condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000)


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    return str(make_license(CAP, serials=("FR-1",))["number"])


@pytest.fixture
def body(number: str, time: Clock) -> dict[str, Any]:
    return attestation(number, time() - timedelta(days=1))


FACTS = "/statements/0/facts"
STRANGE: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown fact": ({"colour": "red"}, f"{FACTS}/colour"),
    "a template": ({"face_template": "QUJD"}, f"{FACTS}/face_template"),
    "an image": ({"gallery_size": 1, "probe_image": "iVBORw0"}, f"{FACTS}/probe_image"),
    "a person": ({"person_name": "Jane Doe"}, f"{FACTS}/person_name"),
    "an embedding": ({"embedding": [0.1] * 512}, f"{FACTS}/embedding"),
    "text for a number": ({"gallery_size": "4210"}, f"{FACTS}/gallery_size"),
    "a truth for a number": ({"gallery_size": True}, f"{FACTS}/gallery_size"),
    "fewer than none": ({"gallery_size": -1}, f"{FACTS}/gallery_size"),
    "a half person": ({"gallery_size": 0.5}, f"{FACTS}/gallery_size"),
    "a mode nobody knows": ({"match_modes": ["guess"]}, f"{FACTS}/match_modes/0"),
    "a country in words": ({"country": "Kenya"}, f"{FACTS}/country"),
    "a picture as a site": ({"site": "data:image/png;base64,AA=="}, f"{FACTS}/site"),
    "a template beside a position": (
        {"position": {"lat": 1, "lon": 2, "iris": "QUJD"}},
        f"{FACTS}/position/iris",
    ),
    "facts that are a list": ([], FACTS),  # type: ignore[dict-item]
}


def test_what_is_not_in_the_vocabulary_is_refused_and_not_stored(
    exporter: Door, body: dict[str, Any], sessions: Sessions, subtests: pytest.Subtests
) -> None:
    before = rows(sessions)
    for what, (facts, pointer) in STRANGE.items():
        with subtests.test(what):
            answer = exporter.post("/v1/reports", body | {"statements": stating(facts)})
            told = problem(answer, 422)
            assert told["pointer"] == pointer
            assert "Jane" not in str(told)
            assert "QUJD" not in str(told)
            assert rows(sessions) == before


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a kind nobody knows": ({"kind": "rumour"}, "/kind"),
    "no zone": ({"observed_at": "2026-03-03T12:00:00"}, "/observed_at"),
    "no time": ({"observed_at": "yesterday"}, "/observed_at"),
    "a time before time": ({"observed_at": "0001-01-01T00:00:00+14:00"}, "/observed_at"),
    "a time after time": ({"observed_at": "9999-12-31T23:59:59-12:00"}, "/observed_at"),
    "no statements": ({"statements": []}, "/statements"),
    "a period that runs backwards": (
        {"period": {"from": "2026-04-01", "to": "2026-03-01"}},
        "/period",
    ),
    "a subject of nothing": (
        {"statements": [{"subject": {}, "facts": {}}]},
        "/statements/0/subject",
    ),
    "two subjects at once": (
        {"statements": stating({}, serial="FR-1", site="NBO-T1")},
        "/statements/0/subject",
    ),
    "a serial not on the license": (
        {"statements": stating({}, serial="FR-2")},
        "/statements/0/subject/serial",
    ),
    "a site not on the license": (
        {"statements": stating({}, site="NBO-T9")},
        "/statements/0/subject/site",
    ),
    "a fact of units said of a site": (
        {"statements": stating({"gallery_size": 1}, site="NBO-T1")},
        f"{FACTS}/gallery_size",
    ),
    "evidence without its hash": ({"evidence": ["photo.jpg"]}, "/evidence/0"),
    "a reference with a space": ({"reference": "ATT 1"}, "/reference"),
    "from before the license": ({"observed_at": "2026-03-01T23:59:59Z"}, "/observed_at"),
    "a correction of nothing": ({"corrects": str(uuid4())}, "/corrects"),
}


def test_a_report_that_cannot_be_is_refused_naming_the_field(
    exporter: Door, body: dict[str, Any], sessions: Sessions, subtests: pytest.Subtests
) -> None:
    before = rows(sessions)
    for what, (change, pointer) in WRONG.items():
        with subtests.test(what):
            assert problem(exporter.post("/v1/reports", body | change), 422)["pointer"] == pointer
            assert rows(sessions) == before


def test_nothing_is_observed_in_the_future(
    exporter: Door, body: dict[str, Any], time: Clock
) -> None:
    soon = (time() + timedelta(minutes=9)).isoformat()
    later = (time() + timedelta(minutes=11)).isoformat()
    for name in ("observed_at", "captured_at"):
        told = problem(exporter.post("/v1/reports", body | {name: later}), 422, "in-future")
        assert told["pointer"] == f"/{name}"
    statements = [body["statements"][0] | {"observed_at": later}]
    told = problem(exporter.post("/v1/reports", body | {"statements": statements}), 422)
    assert told["pointer"] == "/statements/0/observed_at"
    assert exporter.post("/v1/reports", body | {"observed_at": soon}).status_code == 201


def test_each_role_files_its_own_kinds(
    exporter: Door, door: OpenDoor, body: dict[str, Any]
) -> None:
    told = problem(exporter.post("/v1/reports", body | {"kind": "inspection"}), 403)
    assert (told["type"], told["pointer"]) == ("urn:endwatch:problem:kind-not-yours", "/kind")
    inspection = body | {"kind": "inspection", "mode": "physical"}
    filed = door(Role.INSPECTOR).post("/v1/reports", inspection)
    assert filed.status_code == 201
    assert exporter.get(f"/v1/reports/{filed.json()['id']}").json()["grade"] == "A"


def test_the_same_report_again_gets_the_same_bytes(
    exporter: Door, body: dict[str, Any], sessions: Sessions, time: Clock
) -> None:
    over = body | {"statements": stating({"gallery_size": 5001})}
    first = exporter.post("/v1/reports", over)
    stored = rows(sessions)
    time.forward(days=2)
    again = exporter.post("/v1/reports", over)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert rows(sessions) == stored


def test_another_report_of_the_same_reference_is_refused_with_the_difference(
    exporter: Door, body: dict[str, Any], sessions: Sessions
) -> None:
    exporter.post("/v1/reports", body)
    stored = rows(sessions)
    other = body | {"statements": stating({"gallery_size": 17})}
    told = problem(exporter.post("/v1/reports", other), 409, "reference-taken")
    assert told["pointer"] == "/reference"
    assert any(line.startswith("-") and "4210" in line for line in told["diff"])
    assert any(line.startswith("+") and "17" in line for line in told["diff"])
    assert rows(sessions) == stored


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "twins"}])
def test_twins_sent_at_once_are_one_report_and_get_one_answer(
    headers: dict[str, str], exporter: Door, body: dict[str, Any], sessions: Sessions
) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: exporter.post("/v1/reports", body, headers=headers), range(4))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert sorted(replayed, key=str) == [None, "true", "true", "true"]
    assert rows(sessions, "reports", "statements") == {"reports": 1, "statements": 1}


def test_an_idempotency_key_belongs_to_one_request_of_one_party(
    exporter: Door, door: OpenDoor, body: dict[str, Any], sessions: Sessions
) -> None:
    key = {"Idempotency-Key": "key-1"}
    first = exporter.post("/v1/reports", body, headers=key)
    again = door(Role.EXPORTER, "NORDLICHT").post("/v1/reports", body, headers=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"

    other = body | {"reference": "ATT-2"}
    told = problem(exporter.post("/v1/reports", other, headers=key), 409, "key-used-for-other")
    assert any("ATT-2" in line for line in told["diff"])
    elsewhere = exporter.post("/v1/shipments", {"license": body["license"]}, headers=key)
    assert elsewhere.status_code in {409, 422}
    inspector = door(Role.INSPECTOR)
    mine = other | {"kind": "inspection", "mode": "physical"}
    assert inspector.post("/v1/reports", mine, headers=key).status_code == 201
    assert rows(sessions, "reports", "answers_given") == {"reports": 2, "answers_given": 2}


def test_a_key_of_a_refused_request_may_be_used_again(exporter: Door, body: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "key-1"}
    wrong = body | {"statements": stating({}, serial="FR-9")}
    problem(exporter.post("/v1/reports", wrong, headers=key), 422, "subject-unknown")
    assert exporter.post("/v1/reports", body, headers=key).status_code == 201


def test_an_idempotency_key_that_is_none_is_refused(exporter: Door, body: dict[str, Any]) -> None:
    for key in ("", "two words", "k" * 201):
        answer = exporter.post("/v1/reports", body, headers={"Idempotency-Key": key})
        assert problem(answer, 422, "key-unfit")["pointer"] == "/idempotency-key"


def test_an_idempotency_key_of_another_route_is_refused(
    officer: Door, make_license: MakeLicense
) -> None:
    numbers = [make_license()["number"] for _ in range(2)]
    change = {"state": "suspended", "ground": "for now"}
    key = {"Idempotency-Key": "key-1"}
    one, other = (f"/v1/licenses/{number}/state" for number in numbers)
    assert officer.post(one, change, headers=key).status_code == 200
    problem(officer.post(other, change, headers=key), 409, "key-used-for-other")
    again = officer.post(one, change, headers=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")


def test_reports_are_listed_latest_first_and_read_as_they_were_handed_in(
    exporter: Door, body: dict[str, Any], time: Clock
) -> None:
    filed = []
    for at in range(5):
        answer = exporter.post("/v1/reports", body | {"reference": f"ATT-{at}"})
        filed.append(answer.json())
        time.forward(minutes=at % 2)
    found = pages(exporter, "/v1/reports", limit=2)
    assert [len(page) for page in found] == [2, 2, 1]
    listed = [row["id"] for page in found for row in page]
    assert sorted(listed) == sorted(one["id"] for one in filed)
    assert listed[0] == filed[-1]["id"]
    read = exporter.get(f"/v1/reports/{filed[0]['id']}").json()
    assert read["body"]["statements"] == body["statements"]
    assert read["answer"] == filed[0]
    assert exporter.get("/v1/reports?license=BX-NONE").json() == {"items": [], "next": None}
    problem(exporter.get(f"/v1/reports/{uuid4()}"), 404, "report-unknown")
    problem(exporter.get("/v1/reports/17"), 422, "fields-invalid")
