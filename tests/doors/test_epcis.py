from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from app.access.rules import Role
from app.database import Sessions
from app.obligations import service as obligations
from app.shipments.models import CapturedEvent, Custody
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import pages, problem, rows
from tests.epcis.events import CONTEXT, GATE, declared_wrong, document, event
from tests.world import condition

PROCEED = {"GS1-Capture-Error-Behaviour": "proceed"}


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    held = condition("no_onward_transfer", _={"binds": ["end_user"]})
    return str(make_license(held, serials=("FR-1", "FR-2", "FR-3"))["number"])


def capture(door: Door, *events: dict[str, Any], **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = door.post("/epcis/capture", document(*events), headers=named)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


def _custody(sessions: Sessions) -> list[tuple[Any, ...]]:
    with sessions() as session:
        rows = session.execute(
            select(
                Custody.serial,
                Custody.disposition,
                Custody.from_party,
                Custody.to_party,
                Custody.site,
                Custody.corrected_at.is_not(None),
            ).order_by(Custody.id)
        )
        return [tuple(row) for row in rows]


def test_an_event_becomes_custody_of_the_units_it_names(
    exporter: Door, number: str, sessions: Sessions, time: Clock
) -> None:
    sent = event("FR-1", "FR-2", bizStep="installing")
    answer = exporter.post("/epcis/capture", document(sent))
    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["Location"] == f"/epcis/capture/{told['captureID']}"
    assert answer.headers["GS1-EPCIS-Version"] == "2.0"
    now = time().isoformat().replace("+00:00", "Z")
    assert told == {
        "captureID": told["captureID"],
        "receipt": told["receipt"],
        "createdAt": now,
        "finishedAt": now,
        "running": False,
        "success": True,
        "captureErrorBehaviour": "rollback",
        "errors": [],
        "events": [
            {
                "position": 0,
                "eventID": sent["eventID"],
                "type": "ObjectEvent",
                "verdict": "captured",
                "reason": None,
                "licenses": [number],
                "units": 2,
            }
        ],
    }
    assert exporter.get(answer.headers["Location"]).json() == told
    assert _custody(sessions) == [
        (serial, "in_use", "NORDLICHT", "KE-BCA", "NBO-T1", False) for serial in ("FR-1", "FR-2")
    ]
    (listed,) = pages(exporter, f"/v1/licenses/{number}/custody", 10)
    assert (listed[0]["reference"], listed[0]["at"]) == (sent["eventID"], "2026-04-01T10:00:00Z")
    assert (listed[0]["grade"], listed[0]["said_by"]) == ("E", "NORDLICHT")


@pytest.mark.parametrize("media_type", ["application/json", "application/ld+json"])
def test_a_single_event_is_taken_as_json_and_as_json_ld(
    media_type: str, exporter: Door, number: str
) -> None:
    alone = event("FR-1") | {"@context": CONTEXT}
    answer = exporter.post("/epcis/capture", alone, headers={"Content-Type": media_type})
    assert [one["verdict"] for one in answer.json()["events"]] == ["captured"]


def test_the_same_again_is_on_file_and_counts_once(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    sent = event("FR-1")
    capture(exporter, sent)
    again = capture(exporter, sent | {"recordTime": "2026-04-01T12:00:01Z"}, event("FR-2"))
    assert [one["verdict"] for one in again["events"]] == ["captured", "captured"]
    assert again["events"][0]["reason"] == "on file since before"
    assert rows(sessions, "custody", "custody_events") == {"custody": 2, "custody_events": 2}
    twice = capture(exporter, sent, sent)
    assert twice["success"] is True
    assert rows(sessions, "custody", "custody_events") == {"custody": 2, "custody_events": 2}


def test_another_event_of_the_same_id_is_refused(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    sent = event("FR-1")
    capture(exporter, sent)
    other = capture(exporter, sent | {"disposition": "stolen"})
    assert (other["success"], other["events"][0]["verdict"]) == (False, "refused")
    assert "says something else" in other["errors"][0]["detail"]
    assert rows(sessions, "custody") == {"custody": 1}


def test_an_idempotency_key_gives_the_first_answer_with_its_address(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    body, key = document(event("FR-1")), {"Idempotency-Key": "k-1"}
    first = exporter.post("/epcis/capture", body, headers=key)
    again = exporter.post("/epcis/capture", body, headers=key)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert rows(sessions, "custody_captures", "custody") == {"custody_captures": 1, "custody": 1}


def test_two_captures_of_one_event_at_the_same_time_record_it_once(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    sent = event("FR-1", "FR-2")
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: capture(exporter, sent), range(8)))
    assert all(one["success"] for one in told)
    assert rows(sessions, "custody", "custody_captures", "custody_events") == {
        "custody": 2,
        "custody_captures": 8,
        "custody_events": 1,
    }


def test_by_default_all_events_of_a_capture_are_recorded_or_none(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    good, bad = event("FR-1"), event("FR-2", eventTime="2199-01-01T00:00:00Z")
    told = capture(exporter, good, bad)
    assert told["success"] is False
    assert [one["verdict"] for one in told["events"]] == ["refused", "refused"]
    assert "another event" in told["events"][0]["reason"]
    assert "not come yet" in told["events"][1]["reason"]
    assert rows(sessions, "custody", "custody_events") == {"custody": 0, "custody_events": 2}
    mended = capture(exporter, good, bad | {"eventTime": "2026-04-02T00:00:00Z"})
    assert [one["verdict"] for one in mended["events"]] == ["captured", "captured"]
    assert rows(sessions, "custody") == {"custody": 2}


def test_if_asked_to_proceed_what_can_be_captured_is(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    bad = event("FR-2", eventTime="2199-01-01T00:00:00Z")
    answer = exporter.post(
        "/epcis/capture", document(event("FR-1"), bad, event("FR-3")), headers=PROCEED
    ).json()
    assert [one["verdict"] for one in answer["events"]] == ["captured", "refused", "captured"]
    assert [one["position"] for one in answer["errors"]] == [1]
    assert [serial for serial, *_ in _custody(sessions)] == ["FR-1", "FR-3"]


def test_an_error_declaration_corrects_and_deletes_nothing(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    wrong, right = event("FR-1", disposition="stolen"), event("FR-2", disposition="stolen")
    capture(exporter, wrong)
    told = capture(exporter, declared_wrong(wrong, right), right)
    assert [one["verdict"] for one in told["events"]] == ["captured", "captured"]
    assert [(serial, became, gone) for serial, became, *_, gone in _custody(sessions)] == [
        ("FR-1", "stolen", True),
        ("FR-1", None, False),
        ("FR-2", "stolen", False),
    ]
    again = capture(exporter, declared_wrong(wrong, right), wrong)
    assert [one["reason"] for one in again["events"]] == ["on file since before"] * 2
    assert rows(sessions, "custody", "custody_events") == {"custody": 3, "custody_events": 3}


@pytest.mark.parametrize("together", [True, False])
def test_an_event_declared_wrong_before_it_comes_is_ignored(
    *, together: bool, exporter: Door, number: str, sessions: Sessions
) -> None:
    wrong = event("FR-1", disposition="stolen")
    if together:
        first, second = capture(exporter, declared_wrong(wrong), wrong)["events"]
    else:
        (first,) = capture(exporter, declared_wrong(wrong))["events"]
        (second,) = capture(exporter, wrong)["events"]
    assert (first["verdict"], second["verdict"]) == ("ignored", "ignored")
    assert second["reason"] == "it was declared wrong before it came"
    assert rows(sessions, "custody", "custody_events") == {"custody": 0, "custody_events": 2}


def test_another_role_cannot_declare_an_event_wrong(
    exporter: Door, door: OpenDoor, number: str, sessions: Sessions
) -> None:
    wrong = event("FR-1")
    capture(exporter, wrong)
    capture(door(Role.INSPECTOR), declared_wrong(wrong))
    assert [gone for *_, gone in _custody(sessions)] == [False]


def test_goods_of_others_are_ignored_and_told_apart_from_nobodys_by_nothing(
    exporter: Door, door: OpenDoor, number: str, sessions: Sessions
) -> None:
    stranger = door(Role.EXPORTER, "SOMEBODY-ELSE")
    theirs, nobodys = event("FR-1"), event("XX-1")
    first, second = capture(stranger, theirs, nobodys)["events"]
    assert first | {"position": 1, "eventID": second["eventID"]} == second
    assert first["verdict"] == "ignored"
    assert rows(sessions, "custody") == {"custody": 0}
    named = stranger.post(
        "/epcis/capture", document(theirs), headers={"X-Endwatch-License": number}
    )
    problem(named, 404, "license-unknown")


def test_a_capture_is_seen_by_its_author_and_the_authority_alone(
    exporter: Door, door: OpenDoor, officer: Door, number: str
) -> None:
    path = f"/epcis/capture/{capture(exporter, event('FR-1'))['captureID']}"
    assert officer.get(path).json() == exporter.get(path).json()
    problem(door(Role.EXPORTER, "SOMEBODY-ELSE").get(path), 404, "capture-unknown")
    missing = "/epcis/capture/00000000-0000-4000-8000-000000000000"
    problem(exporter.get(missing), 404, "capture-unknown")
    problem(door(Role.REVIEWER).post("/epcis/capture", document()), 403, "role-not-allowed")


@pytest.mark.parametrize("how", ["header", "business transaction"])
def test_an_event_that_names_its_license_is_held_to_it(
    how: str, exporter: Door, number: str, sessions: Sessions
) -> None:
    po = {"bizTransactionList": [{"type": "po", "bizTransaction": f"http://acme.test/po/{number}"}]}
    more = po if how == "business transaction" else {}
    headers = {"X_Endwatch_License": number} if how == "header" else {}
    told = capture(exporter, event("FR-1", "XX-1", **more), **headers)
    assert told["events"][0]["verdict"] == "refused"
    assert "XX-1" in told["events"][0]["reason"]
    assert "FR-1" not in told["events"][0]["reason"]
    told = capture(exporter, event("FR-1", **more), **headers)
    assert told["events"][0]["licenses"] == [number]


def test_of_a_mixed_pallet_our_units_are_captured_and_the_rest_is_counted(
    exporter: Door, number: str
) -> None:
    pallet = event("FR-1", "XX-1") | {"epcList": [f"{GATE}FR-1", f"{GATE}XX-1", "urn:x:pallet"]}
    (told,) = capture(exporter, pallet)["events"]
    assert (told["verdict"], told["units"]) == ("captured", 1)
    assert told["reason"] == f"2 further things it names are no units of {number}"


def test_an_event_of_units_of_two_licenses_is_recorded_under_each(
    exporter: Door, make_license: MakeLicense, number: str, sessions: Sessions
) -> None:
    other = make_license(serials=("G-1", "FR-3"))["number"]
    (told,) = capture(exporter, event("FR-1", "G-1"))["events"]
    assert (told["licenses"], told["units"]) == (sorted([number, other]), 2)
    (doubtful,) = capture(exporter, event("FR-3"))["events"]
    assert doubtful["verdict"] == "refused"
    assert "name the license" in doubtful["reason"]
    assert rows(sessions, "custody", "custody_events") == {"custody": 2, "custody_events": 3}


def test_parties_and_sites_are_known_by_gln_alias_reference_or_position(
    officer: Door, exporter: Door, number: str, sessions: Sessions
) -> None:
    party, place = "urn:epc:id:pgln:4012345.00000", "urn:epc:id:sgln:0614141.00001.0"
    for identifier, meant in ((party, {"party": "KE-BCA"}), ("0614141000012", {"site": "NBO-T1"})):
        filed = officer.post("/v1/aliases", {"identifier": identifier} | meant)
        assert filed.status_code == 201, filed.text
    to_party = {
        "destinationList": [
            {"type": "possessing_party", "destination": "https://id.gs1.org/417/4012345000009"}
        ]
    }
    capture(
        exporter,
        event("FR-1", bizLocation={"id": place}, **to_party),
        event("FR-2", bizLocation={"id": "geo:-1.3191,36.9282"}),
        event("FR-3", bizLocation={"id": "geo:-4.0348,39.5942"}),
    )
    assert [(to, site) for _, _, _, to, site, _ in _custody(sessions)] == [
        ("KE-BCA", "NBO-T1"),
        ("KE-BCA", "NBO-T1"),
        ("KE-BCA", "geo:-4.0348-39.5942"),
    ]
    listed = pages(officer, "/v1/aliases", 1)
    assert [one["reference"] for page in listed for one in page] == ["NBO-T1", "KE-BCA"]
    again = officer.post("/v1/aliases", {"identifier": "4012345000009", "party": "NORDLICHT"})
    assert problem(again, 409, "alias-taken")["pointer"] == "/identifier"
    nobody = officer.post("/v1/aliases", {"identifier": "urn:x:1", "site": "XX"})
    assert problem(nobody, 422, "alias-of-nobody")["pointer"] == "/site"
    problem(exporter.post("/v1/aliases", {"identifier": "urn:x:1", "site": "NBO-T1"}), 403)
    problem(officer.post("/v1/aliases", {"identifier": "urn:x:1"}), 422, "fields-invalid")


def test_a_party_nobody_knows_stays_as_it_came_and_is_found(
    exporter: Door, number: str, sessions: Sessions, time: Clock
) -> None:
    name = "urn:epc:id:pgln:9520001.11111"
    stranger = {"destinationList": [{"type": "possessing_party", "destination": name}]}
    capture(exporter, event("FR-1", **stranger))
    obligations.attend_around(sessions, now=time())
    found = exporter.get(f"/v1/deviations?license={number}").json()["items"]
    assert [one["reason"] for one in found if one["kind"] == "no_onward_transfer"] == [
        "possessor_unlisted"
    ]
    assert name in str(found)


def test_what_is_no_epcis_is_refused_naming_the_field_and_nothing_is_kept(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    told = problem(
        exporter.post("/epcis/capture", document(event("FR-1", photo="aGVsbG8="))),
        400,
        "document-invalid",
    )
    assert told["pointer"] == "/epcisBody/eventList/0"
    assert "aGVsbG8=" not in str(told)
    problem(exporter.post("/epcis/capture", {"type": "EPCISDocument"}), 400, "document-invalid")
    for moment in (
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2016-12-31T23:59:60Z",
    ):
        never = exporter.post("/epcis/capture", document(event("FR-1", eventTime=moment)))
        assert problem(never, 400)["pointer"] == "/epcisBody/eventList/0/eventTime"
    problem(exporter.post("/epcis/capture", []), 422, "fields-invalid")
    strange = {"GS1-Capture-Error-Behaviour": "shrug"}
    problem(exporter.post("/epcis/capture", document(), headers=strange), 422, "fields-invalid")
    assert rows(sessions, "custody_captures") == {"custody_captures": 0}
    assert capture(exporter)["events"] == []


def test_a_text_too_long_for_any_name_is_refused_and_not_kept(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    picture = event("FR-1", bizLocation={"id": f"data:image/png;base64,{'A' * 2_000}"})
    (told,) = capture(exporter, picture)["events"]
    assert told["verdict"] == "refused"
    with sessions() as session:
        assert [row.body for row in session.scalars(select(CapturedEvent))] == [{}]


def test_captured_events_are_kept_as_they_came_and_the_journal_is_told(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    sent = event("FR-1")
    capture(exporter, sent)
    with sessions() as session:
        (row,) = session.scalars(select(CapturedEvent))
        actions = session.scalars(text("SELECT action FROM journal_pending")).all()
    assert (row.body, row.verdict, row.event_id) == (sent, "captured", sent["eventID"])
    assert {"custody.recorded", "epcis.captured"} <= set(actions)
