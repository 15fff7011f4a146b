"""Checklists on phones: handed out, filled in, sent: twice, late, at once, in parts, by the wrong one."""

import hashlib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from defusedxml.ElementTree import fromstring
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.access import service as access
from app.access.rules import Role
from app.audits import openrosa
from app.database import Sessions
from app.obligations import service as obligations
from app.settings import Settings
from tests.cli.running import empty_folder, running
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import problem, rows
from tests.doors.phones import JPEG, PNG, SIGHTED, Phone, basic, fill, refused, said
from tests.evidence import good
from tests.evidence.handing_in import digest_of
from tests.world import condition

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
CAP = condition("gallery_cap", max_enrolled=5000)
STORED = (
    "forms",
    "form_submissions",
    "form_attachments",
    "evidence",
    "evidence_filings",
    "reports",
    "statements",
    "audit_reports",
)
Filler = Callable[..., bytes]


@pytest.fixture
def ada(door: OpenDoor, time: Clock) -> Phone:
    time.now = START
    return Phone(door(Role.INSPECTOR))


@pytest.fixture
def ben(door: OpenDoor, ada: Phone) -> Phone:
    return Phone(door(Role.INSPECTOR))


@pytest.fixture
def number(ada: Phone, make_license: MakeLicense) -> str:
    right, signs = condition("audit_right", notice_hours=0), condition("heartbeat", every_hours=72)
    license = make_license(CAP, right, signs, serials=("FR-1", "FR-2"))
    return str(license["number"])


def planned(officer: Door, number: str, phone: Phone | None = None, **more: Any) -> str:
    """Plan a check, and offer it to whoever has the phone."""
    body = {"license": number, "mode": "physical", "planned_for": "2026-05-11", "site": "NBO-T1"}
    answer = officer.post("/v1/audits", body | more)
    assert answer.status_code == 201, answer.text
    if phone is not None:
        offer(officer, answer.json()["id"], phone)
    return str(answer.json()["id"])


def offer(officer: Door, check: str, phone: Phone) -> None:
    given = officer.post(f"/v1/audits/{check}/assignment", {"to": phone.door.actor.key})
    assert given.status_code == 201, given.text


@pytest.fixture
def check(number: str, officer: Door, ada: Phone) -> str:
    """A check that is offered to Ada."""
    return planned(officer, number, ada)


@pytest.fixture
def filler(check: str, number: str, ada: Phone, time: Clock) -> Filler:
    """Fills in the form that Ada was handed, a week later."""
    form = ada.form(number)
    time.forward(days=7)

    def fill_in(answers: dict[str, Any] | None = None, **more: Any) -> bytes:
        times = {"begun": time() - timedelta(hours=2), "ended": time() - timedelta(hours=1)}
        return fill(form, SIGHTED | (answers or {}), **(times | more))

    return fill_in


def submissions(officer: Door, check: str) -> list[dict[str, Any]]:
    answer = officer.get(f"/v1/audits/{check}/submissions")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


# Handing out


def test_the_list_says_what_a_phone_must_know(check: str, number: str, ada: Phone) -> None:
    listed = ada.listed()
    assert set(listed) == {f"endwatch_{number}"}
    one = listed[f"endwatch_{number}"]
    assert one["name"] == f"Endwatch: check of {number}"
    form = ada.get(one["downloadUrl"])
    assert one["hash"] == f"md5:{hashlib.md5(form.content).hexdigest()}"
    (data,) = [e for e in fromstring(form.content).iter() if e.get("id") == one["formID"]]
    assert data.get("version") == one["version"]
    manifest = ada.get(one["manifestUrl"])
    assert manifest.status_code == 200
    root = fromstring(manifest.content)
    assert (root.tag, len(root)) == ("{http://openrosa.org/xforms/xformsManifest}manifest", 0)
    for answer in (form, manifest):
        assert answer.headers["content-type"].startswith("text/xml")
        assert answer.headers["X-OpenRosa-Version"] == "1.0"


def test_one_form_can_be_asked_for(check: str, number: str, ada: Phone) -> None:
    one = ada.get(f"/openrosa/formList?formID=endwatch_{number}&verbose=true")
    none = ada.get("/openrosa/formList?formID=endwatch_BX-1")
    assert [len(fromstring(answer.content)) for answer in (one, none)] == [1, 0]


def test_each_inspector_is_listed_what_is_theirs_to_make_and_nothing_else(
    number: str, officer: Door, ada: Phone, ben: Phone
) -> None:
    form = f"endwatch_{number}"
    check = planned(officer, number)
    assert ada.listed() == ben.listed() == {}
    offer(officer, check, ada)
    assert (set(ada.listed()), ben.listed()) == ({form}, {})
    ada.door.post(f"/v1/audits/{check}/acceptance", {})
    assert set(ada.listed()) == {form}
    ada.door.post(f"/v1/audits/{check}/handover", {"to": ben.door.actor.key})
    assert set(ada.listed()) == set(ben.listed()) == {form}  # until the other accepts
    ben.door.post(f"/v1/audits/{check}/acceptance", {})
    assert (ada.listed(), set(ben.listed())) == ({}, {form})


def test_who_planned_a_check_is_responsible_until_it_is_offered(
    number: str, officer: Door, ada: Phone, ben: Phone
) -> None:
    check = planned(ada.door, number)
    assert set(ada.listed()) == {f"endwatch_{number}"}
    offer(officer, check, ben)
    assert ada.listed() == {}


def test_a_form_of_somebody_else_is_like_one_that_is_not_there(
    check: str, number: str, ben: Phone
) -> None:
    for path in ("", "/manifest"):
        foreign = refused(ben.get(f"/openrosa/forms/{number}{path}"), 404)
        missing = refused(ben.get(f"/openrosa/forms/BX-NONE{path}"), 404)
        assert foreign.replace(number, "BX-NONE") == missing


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.INSPECTOR}))
def test_only_inspectors_have_forms(role: Role, check: str, number: str, door: OpenDoor) -> None:
    phone = Phone(door(role, "NORDLICHT" if role is Role.EXPORTER else None))
    for path in ("formList", f"forms/{number}", f"forms/{number}/manifest"):
        assert role in refused(phone.get(f"/openrosa/{path}"), 403)
    assert role in phone.refused(403, b"<data/>")


def test_a_form_that_was_handed_out_stays_as_it_was(
    check: str, number: str, ada: Phone, sessions: Sessions
) -> None:
    first = ada.listed()
    with ThreadPoolExecutor(4) as pool:
        forms = set(pool.map(lambda _: ada.form(number), range(8)))
    assert len(forms) == 1
    assert ada.listed() == first
    assert rows(sessions, "forms") == {"forms": 1}


def test_a_changed_license_has_another_version_of_the_same_form(
    check: str, number: str, officer: Door, exporter: Door, ada: Phone
) -> None:
    (before,) = ada.listed().values()
    shipped = exporter.post(
        "/v1/shipments",
        {
            "license": number,
            "reference": "SHIP-2",
            "line": 1,
            "date": "2026-04-01",
            "quantity": 1,
            "serials": ["FR-3"],
        },
    )
    assert shipped.status_code == 201, shipped.text
    (after,) = ada.listed().values()
    assert before["formID"] == after["formID"]
    assert before["version"] != after["version"]
    assert before["hash"] != after["hash"]
    assert b"FR-3" in ada.form(number)


# Keys as passwords


def test_a_key_is_sent_as_password_or_as_it_is_elsewhere(check: str, ada: Phone) -> None:
    client, token = ada.door.client, ada.door.token
    for headers in (ada.headers, ada.door.headers, basic(token, ""), basic(token, "a b")):
        assert client.get("/openrosa/formList", headers=headers).status_code == 200
    for headers in (
        {},
        basic("wrong"),
        basic(token[:-1]),
        basic("", token),
        {"Authorization": "Basic !"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Digest x"},
    ):
        answer = client.get("/openrosa/formList", headers=headers)
        assert "password" in refused(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="Endwatch"')


def test_a_password_opens_nothing_else(ada: Phone) -> None:
    answer = ada.get("/v1/licenses")
    problem(answer, 401, "key-missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "X-OpenRosa-Version" not in answer.headers


def test_a_revoked_key_hands_out_nothing(
    check: str, ada: Phone, sessions: Sessions, time: Clock
) -> None:
    with sessions.begin() as session:
        access.revoke(session, ada.door.actor.key, now=time())
    refused(ada.get("/openrosa/formList"), 401)


def test_a_phone_asks_first_where_to_send(ada: Phone) -> None:
    answer = ada.door.client.head("/openrosa/submission", headers=ada.headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Location"] == "http://testserver/openrosa/submission"
    assert answer.headers["X-OpenRosa-Version"] == "1.0"
    assert answer.headers["X-OpenRosa-Accept-Content-Length"] == str(openrosa.POST_LIMIT)
    without = ada.door.client.head("/openrosa/submission")
    assert without.status_code == 401
    assert without.headers["WWW-Authenticate"].startswith("Basic ")


# Filled forms


def test_a_filled_form_becomes_an_inspection_that_reports_its_check(
    check: str,
    filler: Filler,
    officer: Door,
    ada: Phone,
    number: str,
    time: Clock,
    sessions: Sessions,
) -> None:
    id = uuid4()
    told = ada.files(filler(id=f"uuid:{id}", pictures=["1.jpg"]), {"1.jpg": JPEG})
    assert told == f"Filed as inspection {id} of {number}, for CHK-2026-00001."
    shown = officer.get(f"/v1/audits/{check}").json()
    assert shown["state"] == "reported"
    assert shown["assignee"] == ada.door.actor.key
    assert (shown["mode_carried_out"], shown["units_sighted"]) == ("physical", 1)
    assert [step["step"] for step in shown["steps"]][2:] == ["accepted", "started", "reported"]
    (linked,) = shown["reports"]
    report = officer.get(f"/v1/reports/{linked['report']}").json()
    assert (report["kind"], report["grade"], report["reference"]) == ("inspection", "A", str(id))
    assert report["observed_at"] == (time() - timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    with sessions() as session:
        evidence = session.scalar(text("SELECT body -> 'evidence' FROM reports"))
    assert evidence == [digest_of(JPEG)]
    (sent,) = submissions(officer, check)
    assert (sent["instance_id"], sent["report"]) == (f"uuid:{id}", linked["report"])
    assert (sent["unlinked"], sent["missing"]) == (None, [])


def test_what_a_phone_says_is_judged(check: str, filler: Filler, officer: Door, ada: Phone) -> None:
    unit = {"serial": "FR-1", "sighted": "yes", "site": "NBO-T1", "gallery_size": "5001"}
    ada.files(filler({"unit": [unit]}))
    found = officer.get("/v1/deviations?kind=gallery_cap").json()["items"]
    assert [one["state"] for one in found] == ["suspected"]


def test_a_form_fulfills_what_was_owed_with_its_check(
    ada: Phone, officer: Door, make_license: MakeLicense, time: Clock, sessions: Sessions
) -> None:
    owed = condition("serial_inventory", initial_within_days=90, every_days=365)
    number = make_license(owed, serials=("FR-1",))["number"]
    obligations.attend_around(sessions, now=time())
    check = planned(officer, number, ada)
    form = ada.form(number)
    time.forward(days=7)
    site = {"reference": "NBO-T1", "units_looked_for": "all"}
    unit = {"serial": "FR-1", "sighted": "yes", "site": "NBO-T1"}
    ada.files(fill(form, {"visit": {"mode": "physical"}, "site_1": site, "unit": [unit]}))
    obligations.attend_around(sessions, now=time())
    shown = officer.get(f"/v1/audits/{check}").json()
    assert (shown["units_expected"], shown["units_sighted"]) == (1, 1)
    assert [(one["condition"], one["state"]) for one in shown["fulfilled"]] == [
        ("serial_inventory", "met")
    ]


def test_a_check_that_was_begun_is_reported_only(
    check: str, filler: Filler, officer: Door, ada: Phone, time: Clock
) -> None:
    ada.door.post(f"/v1/audits/{check}/acceptance", {})
    ada.door.post(f"/v1/audits/{check}/start", {})
    ada.files(filler())  # finished before the check was accepted in the office's books
    ada.files(filler(begun=time(), ended=time()))
    ada.files(filler(begun=None, ended=None))
    steps = [step["step"] for step in officer.get(f"/v1/audits/{check}").json()["steps"]]
    assert steps[2:] == ["accepted", "started", *["reported"] * 3]


def test_the_same_form_again_gets_the_same_answer(
    filler: Filler, ada: Phone, sessions: Sessions, time: Clock
) -> None:
    xml = filler(pictures=["1.jpg"])
    first = ada.send(xml, {"1.jpg": JPEG})
    before = rows(sessions, *STORED)
    time.forward(days=90)
    again, bare = ada.send(xml, {"1.jpg": JPEG}), ada.send(xml)
    for answer in (again, bare):
        assert (answer.status_code, answer.content) == (201, first.content)
    assert rows(sessions, *STORED) == before
    assert before["reports"] == before["form_submissions"] == before["form_attachments"] == 1


def test_another_form_of_the_same_id_is_refused(
    filler: Filler, ada: Phone, sessions: Sessions
) -> None:
    ada.files(filler(id="uuid:one-and-only"))
    before = rows(sessions, *STORED)
    told = ada.refused(409, filler({"visit": {"mode": "documentary"}}, id="uuid:one-and-only"))
    assert "/meta/instanceID" in told
    assert rows(sessions, *STORED) == before


def test_the_same_form_sent_at_once_is_one(filler: Filler, ada: Phone, sessions: Sessions) -> None:
    xml = filler(pictures=["1.jpg"])
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ada.send(xml, {"1.jpg": JPEG}), range(12)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    stored = rows(sessions, *STORED)
    assert stored["reports"] == stored["form_submissions"] == stored["form_attachments"] == 1


def test_two_forms_of_one_id_at_once_are_one_and_a_refusal(
    filler: Filler, ada: Phone, sessions: Sessions
) -> None:
    both = [
        filler(id="uuid:contested"),
        filler({"visit": {"mode": "documentary"}}, id="uuid:contested"),
    ]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ada.send, both))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert rows(sessions, "reports") == {"reports": 1}


def test_a_form_that_was_handed_out_before_the_license_changed_is_taken_as_it_was(
    filler: Filler, exporter: Door, officer: Door, number: str, ada: Phone, check: str
) -> None:
    old = filler({"license": {"seen_heartbeat": "no", "remark_heartbeat": "no_access"}})
    exporter.post(
        "/v1/shipments",
        {
            "license": number,
            "reference": "SHIP-2",
            "line": 1,
            "date": "2026-04-01",
            "quantity": 1,
            "serials": ["FR-3"],
        },
    )
    fresh = ada.form(number)
    assert b"FR-3" in fresh
    ada.files(fill(fresh, SIGHTED, begun=START + timedelta(days=1)))
    ada.files(old)
    sent = submissions(officer, check)
    assert len({one["form_version"] for one in sent}) == 2
    (seen,) = [one["observations"] for one in sent if one["observations"]]
    assert seen == [{"condition": "heartbeat", "seen": "no", "remarks": ["no_access"]}]


@pytest.mark.parametrize("version", ["1-000000000000", "", "x" * 300, "1-\u00e9"])
def test_a_version_nobody_was_handed_is_refused(
    version: str, filler: Filler, ada: Phone, sessions: Sessions
) -> None:
    instance = fromstring(filler())
    xml = filler().replace(f'"{instance.get("version")}"'.encode(), f'"{version}"'.encode())
    told = ada.refused(422, xml)
    assert "Get the form from the list" in told
    assert rows(sessions, "form_submissions") == {"form_submissions": 0}


@pytest.mark.parametrize(
    ("change", "place", "why"),
    [
        (("<gallery_size>4210", "<gallery_size>many"), "/unit[1]/gallery_size", "whole number"),
        (("<gallery_size>4210", "<gallery_size>-1"), "/unit[1]/gallery_size", "greater than"),
        (
            ("<sighted>", "<face_template>AAAA</face_template><sighted>"),
            "/unit[1]/face_template",
            "not ask",
        ),
        (
            ("<sighted>", "<gallery_size>7</gallery_size><sighted>"),
            "/unit[1]/gallery_size",
            "twice",
        ),
        (("<unit>", "<person><name>X</name></person><unit>"), "/person", "not ask"),
        (("<mode>physical", "<mode>dreamt"), "/visit/mode", "should be"),
        (("<mode>physical", "<mode>physical<deep/>"), "/visit/mode/deep", "not ask"),
        (("<serial>FR-1", "<serial>"), "/unit[1]/serial", "which unit"),
        (("<access_granted>yes", "<access_granted>perhaps"), "/site_1/access_granted", "neither"),
    ],
)
def test_a_wrong_answer_is_refused_naming_place_reason_and_way_out(
    change: tuple[str, str], place: str, why: str, filler: Filler, ada: Phone, sessions: Sessions
) -> None:
    before = rows(sessions, *STORED)
    xml = filler(pictures=["1.jpg"]).decode().replace(*change).encode()
    told = ada.refused(422, xml, {"1.jpg": JPEG})
    assert place in told
    assert why in told
    assert "send the form again" in told
    assert rows(sessions, *STORED) == before


def test_a_refusal_repeats_the_question(filler: Filler, ada: Phone) -> None:
    told = ada.refused(422, filler().replace(b">4210<", b">x<"))
    assert "Question: How many" in told


def test_an_empty_form_is_refused_and_one_that_only_tells_what_was_seen_is_kept(
    filler: Filler, ada: Phone, officer: Door, check: str, sessions: Sessions
) -> None:
    nothing = {"site_1": {"reference": "NBO-T1"}, "unit": [{"sighted": "no"}]}
    assert "No question was answered" in ada.refused(422, filler(nothing))
    told = ada.files(filler(nothing | {"license": {"seen_heartbeat": "yes"}}))
    assert told.startswith("Kept with CHK-2026-00001")
    (sent,) = submissions(officer, check)
    assert (sent["report"], sent["observations"][0]["seen"]) == (None, "yes")
    assert rows(sessions, "reports") == {"reports": 0}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"<data", 400),
        (b"\xff\xfe<\x00d\x00/\x00>\x00", 400),
        (b'<!DOCTYPE data [<!ENTITY e "x">]><data id="endwatch_X">&e;</data>', 400),
        (b'<!DOCTYPE data SYSTEM "file:///etc/passwd"><data/>', 400),
        (b"<data/>", 422),
        (b'<data id="household_survey" version="1"/>', 422),
        (b'<data id="endwatch_BX-2026-1" version="1"/>', 422),
        (b'<data id="endwatch_BX-2026-1"><meta><instanceID>short</instanceID></meta></data>', 422),
        (b"<a>" * 50_000 + b"</a>" * 50_000, 422),
        (b"<data>" + b" " * openrosa.XML_LIMIT + b"</data>", 413),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_filled_form_is_refused(body: bytes, status: int, ada: Phone) -> None:
    ada.refused(status, body)


@pytest.mark.parametrize(
    ("sent", "media_type"),
    [
        (b"", None),
        (b"<data/>", None),
        (b"<data/>", "text/xml"),
        (b"{}", "application/json"),
        (b"x", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary=y"),
    ],
)
def test_a_post_without_a_form_is_refused(sent: bytes, media_type: str | None, ada: Phone) -> None:
    headers = ada.headers | ({"content-type": media_type} if media_type else {})
    client = ada.door.client
    refused(client.post("/openrosa/submission", content=sent, headers=headers), 400)


def test_a_post_of_files_alone_is_refused(ada: Phone) -> None:
    files = {"1.jpg": ("1.jpg", JPEG)}
    answer = ada.door.client.post("/openrosa/submission", files=files, headers=ada.headers)
    assert "xml_submission_file" in refused(answer, 400)


def test_a_post_that_is_too_large_is_refused_before_it_is_read(ada: Phone) -> None:
    headers = ada.headers | {"content-type": "multipart/form-data; boundary=y"}
    large = b"x" * (openrosa.POST_LIMIT + 1)
    answer = ada.door.client.post("/openrosa/submission", content=large, headers=headers)
    assert f"{openrosa.POST_LIMIT:,}" in refused(answer, 413)


def test_a_form_of_a_check_of_somebody_else_is_refused_as_if_there_were_none(
    filler: Filler, ben: Phone, number: str, sessions: Sessions
) -> None:
    xml = filler()
    foreign = ben.refused(404, xml)
    missing = ben.refused(404, xml.replace(number.encode(), b"BX-NONE"))
    assert foreign.replace(number, "BX-NONE") == missing
    assert "handed over" in foreign
    assert rows(sessions, "form_submissions") == {"form_submissions": 0}


def test_what_was_filled_in_before_a_handover_still_counts_for_the_check(
    check: str, filler: Filler, officer: Door, ada: Phone, ben: Phone, time: Clock
) -> None:
    ada.door.post(
        f"/v1/audits/{check}/acceptance", {"at": (time() - timedelta(days=1)).isoformat()}
    )
    morning = filler()
    time.forward(hours=1)
    ada.door.post(f"/v1/audits/{check}/handover", {"to": ben.door.actor.key})
    ben.door.post(f"/v1/audits/{check}/acceptance", {})
    time.forward(days=2)
    assert "could not" not in ada.files(morning)
    shown = officer.get(f"/v1/audits/{check}").json()
    assert (shown["state"], shown["assignee"]) == ("reported", ben.door.actor.key)


def test_a_report_is_kept_although_its_check_does_not_allow_it(
    check: str, filler: Filler, officer: Door, ada: Phone, ben: Phone, time: Clock
) -> None:
    """Ben accepted the check that Ada was to have, and Ada went all the same."""
    xml = filler(begun=START + timedelta(hours=1), ended=START + timedelta(hours=2))
    offer(officer, check, ben)
    ben.door.post(f"/v1/audits/{check}/acceptance", {})
    told = ada.files(xml)
    assert "The check could not be reported with it" in told
    assert ada.files(xml) == told
    (sent,) = submissions(officer, check)
    assert sent["unlinked"]
    assert sent["report"]
    shown = officer.get(f"/v1/audits/{check}").json()
    assert (shown["state"], shown["reports"]) == ("planned", [])
    ben.door.post(f"/v1/audits/{check}/start", {})
    linked = ben.door.post(f"/v1/audits/{check}/report", {"reports": [sent["report"]]})
    assert linked.status_code == 201, linked.text


def test_a_visit_that_had_to_be_announced_is_told_so_and_its_report_kept(
    ada: Phone, officer: Door, make_license: MakeLicense, time: Clock
) -> None:
    right = condition("audit_right", notice_hours=48)
    number = make_license(CAP, right, serials=("FR-1",))["number"]
    check = planned(officer, number, ada)
    form = ada.form(number)
    time.forward(days=7)
    told = ada.files(fill(form, SIGHTED, begun=time() - timedelta(hours=1)))
    assert "announced" in told
    assert officer.get(f"/v1/audits/{check}").json()["state"] == "planned"
    assert submissions(officer, check)[0]["report"]


def test_a_form_that_comes_after_the_closing_is_kept_and_asks_for_another_rating(
    check: str, filler: Filler, officer: Door, ada: Phone, door: OpenDoor
) -> None:
    ada.files(filler())
    reviewer, supervisor = door(Role.REVIEWER), door(Role.SUPERVISOR)
    rating = {"outcome": "inconclusive", "ground": "Too few seen."}
    assert reviewer.post(f"/v1/audits/{check}/outcome", rating).status_code == 201
    closing = {"waiver": {"ground": "No receipt is to be had."}}
    closed = supervisor.post(f"/v1/audits/{check}/closing", closing)
    assert closed.status_code == 201, closed.text
    assert ada.listed() == {}
    assert "could not" not in ada.files(filler())
    assert len(officer.get(f"/v1/audits/{check}").json()["reports"]) == 2


def test_of_several_checks_the_one_that_fits_is_reported(
    number: str, officer: Door, ada: Phone, time: Clock
) -> None:
    papers = planned(officer, number, ada, mode="documentary", site=None, planned_for="2026-09-01")
    visit = planned(officer, number, ada, planned_for="2026-05-12")
    form = ada.form(number)
    time.forward(days=7)
    ada.files(fill(form, SIGHTED, begun=time() - timedelta(hours=1)))
    states = [officer.get(f"/v1/audits/{id}").json()["state"] for id in (papers, visit)]
    assert states == ["planned", "reported"]


def test_a_clock_that_is_ahead_costs_nobody_an_entry(
    filler: Filler, officer: Door, ada: Phone, time: Clock
) -> None:
    told = ada.files(filler(begun=time() + timedelta(days=400), ended=time() + timedelta(days=400)))
    assert "ahead" in told
    (report,) = officer.get("/v1/reports").json()["items"]
    assert report["observed_at"] == time().isoformat().replace("+00:00", "Z")
    slightly = ada.files(filler(begun=time() + timedelta(minutes=9), ended=None))
    assert "ahead" not in slightly


@pytest.mark.parametrize(
    ("begun", "place"),
    [
        ("1970-01-01T00:00:00.000+00:00", "/start"),
        ("yesterday", "/start"),
        ("2026-05-11T08:00", "/start"),
        ("0001-01-01T00:00:00+14:00", "/start"),
    ],
)
def test_a_time_that_cannot_be_is_refused(
    begun: str, place: str, filler: Filler, ada: Phone, time: Clock
) -> None:
    xml = filler(begun=time())
    told = ada.refused(
        422, xml.replace(f"<start>{time().isoformat()}".encode(), f"<start>{begun}".encode())
    )
    assert place in told


# Files


def test_files_may_come_in_several_posts_in_any_order(
    check: str, filler: Filler, officer: Door, ada: Phone, sessions: Sessions
) -> None:
    xml = filler(pictures=["1.jpg", "2.png", "3.jpg"])
    first = ada.files(xml, {"2.png": PNG})
    (sent,) = submissions(officer, check)
    assert sent["missing"] == ["1.jpg", "3.jpg"]
    assert ada.files(xml, {"1.jpg": JPEG}) == first
    assert ada.files(xml, {"1.jpg": JPEG, "2.png": PNG}) == first
    (sent,) = submissions(officer, check)
    kept = {one["name"]: (one["media_type"], one["size"]) for one in sent["attachments"]}
    assert kept == {"1.jpg": ("image/jpeg", len(JPEG)), "2.png": ("image/png", len(PNG))}
    assert sent["missing"] == ["3.jpg"]
    assert rows(sessions, "reports") == {"reports": 1}


def test_posts_of_one_form_that_come_at_once_are_joined(
    check: str, filler: Filler, officer: Door, ada: Phone
) -> None:
    names = [f"{number}.jpg" for number in range(8)]
    xml = filler(pictures=names)
    with ThreadPoolExecutor(4) as pool:
        told = set(
            pool.map(
                lambda name: ada.files(xml, {name: good.picture(comment=name.encode())}), names
            )
        )
    assert len(told) == 1
    (sent,) = submissions(officer, check)
    assert [one["name"] for one in sent["attachments"]] == names


def test_another_picture_of_the_same_name_is_refused(filler: Filler, ada: Phone) -> None:
    xml = filler(pictures=["1.jpg"])
    ada.files(xml, {"1.jpg": JPEG})
    assert "1.jpg" in ada.refused(409, xml, {"1.jpg": PNG})


def test_a_file_that_the_form_does_not_name_is_left_out_and_that_is_told(
    check: str, filler: Filler, officer: Door, ada: Phone
) -> None:
    told = ada.files(filler(pictures=["1.jpg"]), {"1.jpg": JPEG, "face.jpg": JPEG})
    assert told.endswith("Left out, since the form does not name it: face.jpg.")
    (sent,) = submissions(officer, check)
    assert [one["name"] for one in sent["attachments"]] == ["1.jpg"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"GIF89a", "no type that is taken"),
        (b"MZ", "It is a program"),
        (JPEG[:-20], "It is cut short"),
        (JPEG + PNG, "Something follows the picture"),
    ],
    ids=["GIF", "program", "cut", "two in one"],
)
def test_a_rejected_file_is_told_and_costs_nobody_the_form(
    content: bytes, why: str, check: str, filler: Filler, officer: Door, ada: Phone
) -> None:
    xml = filler(pictures=["1.jpg", "2.png"])
    told = ada.files(xml, {"1.jpg": content, "2.png": PNG})
    assert "1.jpg was refused: " in told
    assert "2.png" not in told
    assert ada.files(xml) == ada.files(xml, {"1.jpg": content}) == told
    (sent,) = submissions(officer, check)
    one, two = sent["attachments"]
    assert (one["state"], one["media_type"], two["state"]) == ("rejected", None, "accepted")
    assert why in one["reason"]
    assert one["reason"] in told
    assert sent["missing"] == []
    report = officer.get(f"/v1/reports/{sent['report']}").json()
    assert [file["digest"] for file in report["evidence"]] == [digest_of(PNG)]
    assert officer.get(f"/v1/audits/{check}").json()["state"] == "reported"


def test_an_empty_file_and_one_that_is_too_large_are_told_and_stay_missing(
    check: str, filler: Filler, officer: Door, ada: Phone
) -> None:
    state = ada.door.client.app.state  # type: ignore[attr-defined]
    state.room = replace(state.room, limit=len(PNG))
    large = good.picture(comment=bytes(len(PNG)))
    xml = filler(pictures=["1.jpg", "2.jpg", "3.png"])
    told = ada.files(xml, {"1.jpg": b"", "2.jpg": large, "3.png": PNG})
    assert "1.jpg was refused: It is empty. 2.jpg was refused: At most" in told
    (sent,) = submissions(officer, check)
    assert [one["name"] for one in sent["attachments"]] == ["3.png"]
    assert sent["missing"] == ["1.jpg", "2.jpg"]


def test_a_file_that_is_still_examined_is_named_by_the_report(
    check: str, filler: Filler, officer: Door, ada: Phone
) -> None:
    state = ada.door.client.app.state  # type: ignore[attr-defined]
    state.room = replace(state.room, answer_seconds=0.001)
    assert "refused" not in ada.files(filler(pictures=["1.jpg"]), {"1.jpg": JPEG})
    (sent,) = submissions(officer, check)
    report = officer.get(f"/v1/reports/{sent['report']}").json()
    for one in (*sent["attachments"], *report["evidence"]):
        assert (one["digest"], one["state"]) == (digest_of(JPEG), "quarantined")


def test_who_has_handed_in_too_much_today_keeps_the_form_and_sends_it_later(
    filler: Filler, ada: Phone, sessions: Sessions, time: Clock
) -> None:
    ada.door.client.app.state.uploads.daily = len(JPEG)  # type: ignore[attr-defined]
    xml = filler(pictures=["1.jpg", "2.png"])
    ada.files(xml, {"1.jpg": JPEG})
    before = rows(sessions, *STORED)
    ada.refused(429, xml, {"2.png": PNG})
    assert rows(sessions, *STORED) == before
    ada.files(filler())
    time.forward(days=1, seconds=1)
    ada.files(xml, {"2.png": PNG})


def test_a_photo_tells_where_it_contradicts_its_form(
    check: str, filler: Filler, officer: Door, ada: Phone
) -> None:
    elsewhere = good.photo(taken_at="2026:01:02 10:00:00", position=(52.5, 13.4))
    ada.files(filler(pictures=["1.jpg"]), {"1.jpg": elsewhere})
    (sent,) = submissions(officer, check)
    (named,) = officer.get(f"/v1/reports/{sent['report']}").json()["evidence"]
    assert named["camera"]["lat"] == pytest.approx(52.5)
    assert any("before observed_at" in one for one in named["differs"])


def test_a_file_is_evidence_for_those_who_read_the_check(
    check: str, filler: Filler, ada: Phone, door: OpenDoor
) -> None:
    name = "a \u2019b; c=\u00e9.jpg"
    ada.files(filler(pictures=[name]), {name: JPEG})
    path = f"/v1/evidence/{digest_of(JPEG)}"
    for role in (Role.INSPECTOR, Role.REVIEWER, Role.AUDITOR):
        answer = door(role).get(path)
        assert (answer.status_code, answer.content) == (200, JPEG)
    assert answer.headers["content-type"] == "image/jpeg"
    assert "a%20%E2%80%99b%3B%20c%3D%C3%A9.jpg" in answer.headers["content-disposition"]
    exporter = door(Role.EXPORTER, "NORDLICHT")
    problem(exporter.get(path), 404, "evidence-unknown")
    problem(exporter.get(f"/v1/audits/{check}/submissions"), 403, "role-not-allowed")
    unknown = f"/v1/audits/{uuid4()}/submissions"
    problem(door(Role.AUDITOR).get(unknown), 404, "audit-unknown")


def test_what_came_is_listed_by_pages_in_the_order_it_came(
    check: str, filler: Filler, officer: Door, ada: Phone, time: Clock
) -> None:
    sent = []
    for number in range(3):
        time.forward(minutes=1)
        sent.append(f"uuid:form-number-{number}")
        ada.files(filler(id=sent[-1]))
    first = officer.get(f"/v1/audits/{check}/submissions?limit=2").json()
    rest = officer.get(f"/v1/audits/{check}/submissions?limit=2&after={first['next']}").json()
    assert [one["instance_id"] for one in first["items"] + rest["items"]] == sent
    assert rest["next"] is None


def test_every_form_and_file_is_in_the_journal_without_its_content(
    filler: Filler, ada: Phone, sessions: Sessions
) -> None:
    ada.files(filler(pictures=["1.jpg"], id="uuid:journaled-1"), {"1.jpg": JPEG})
    with sessions() as session:
        query = "SELECT action, party, body::text FROM journal_pending WHERE action LIKE 'form.%' ORDER BY id"
        found = list(session.execute(text(query)))
    assert [row.action for row in found] == ["form.made", "form.filed", "form.attachment_kept"]
    assert {row.party for row in found} == {None}
    assert digest_of(JPEG) in found[-1].body


@pytest.mark.parametrize("table", ["forms", "form_submissions", "form_attachments"])
@pytest.mark.parametrize("change", ["UPDATE {} SET digest = digest", "DELETE FROM {}"])
def test_what_came_is_only_ever_added(
    table: str, change: str, filler: Filler, ada: Phone, owners: Sessions
) -> None:
    ada.files(filler(pictures=["1.jpg"]), {"1.jpg": JPEG})
    with owners() as session, pytest.raises(IntegrityError, match="only ever added"):
        session.execute(text(change.format(table)))


def test_a_phone_is_told_in_xml_whatever_a_file_is_called(filler: Filler, ada: Phone) -> None:
    named = b'Content-Disposition: form-data; name="%s"; filename="%s"'
    parts = ((b"xml_submission_file", b"f.xml", filler()), (b"x", b"a\x01<b>&.jpg", JPEG))
    sent = b"".join(
        b"\r\n".join([b"--y", named % (name, file), b"", content, b""])
        for name, file, content in parts
    )
    headers = ada.headers | {"content-type": "multipart/form-data; boundary=y"}
    client = ada.door.client
    answer = client.post("/openrosa/submission", content=sent + b"--y--\r\n", headers=headers)
    assert "a\ufffd<b>&.jpg" in said(answer)


def test_a_post_that_says_that_more_will_come_is_taken_at_once(
    check: str, filler: Filler, officer: Door, ada: Phone
) -> None:
    """ODK Collect adds this part to all posts of a form but the last."""
    xml = filler(pictures=["1.jpg"])
    parts = {"xml_submission_file": ("form.xml", xml), "1.jpg": ("1.jpg", JPEG)}
    answer = ada.door.client.post(
        "/openrosa/submission", headers=ada.headers, files=parts, data={"*isIncomplete*": "yes"}
    )
    assert said(answer) == ada.files(xml)
    assert officer.get(f"/v1/audits/{check}").json()["state"] == "reported"


def test_a_server_on_the_wire_dates_its_answers_and_refuses_in_time(
    check: str, number: str, ada: Phone, settings: Settings
) -> None:
    with empty_folder() as folder, running(folder, url=settings.url) as service:
        with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as client:
            listed = client.get("/openrosa/formList", headers=ada.headers)
            asked = client.head("/openrosa/submission", headers=ada.headers)
            locked = client.head("/openrosa/submission")
        for answer, status in ((listed, 200), (asked, 204), (locked, 401)):
            assert answer.status_code == status, answer.text
            assert len(answer.headers.get_list("Date")) == 1
            assert answer.headers["X-OpenRosa-Version"] == "1.0"
        address = f"http://127.0.0.1:{service.port}/openrosa"
        assert f"<downloadUrl>{address}/forms/{number}</downloadUrl>" in listed.text
        assert asked.headers["Location"] == f"{address}/submission"
        key = ada.headers["Authorization"]
        assert _unsent(service.port, openrosa.POST_LIMIT) == 401
        assert _unsent(service.port, openrosa.POST_LIMIT + 1, f"Authorization: {key}") == 413


def _unsent(port: int, size: int, *headers: str) -> int:
    """Announce a body of so many bytes and send none of it; answers the status."""
    lines = [
        "POST /openrosa/submission HTTP/1.1",
        "Host: x",
        "Content-Type: multipart/form-data; boundary=y",
        f"Content-Length: {size}",
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(64).split()[1])


def test_all_that_is_said_under_this_address_is_said_as_openrosa_says_it(ada: Phone) -> None:
    client = ada.door.client
    refused(client.get("/openrosa/nothing", headers=ada.headers), 404)
    refused(client.delete("/openrosa/submission", headers=ada.headers), 405)
    with pytest.raises(AssertionError):
        said(client.get("/openrosa/nothing", headers=ada.headers))
