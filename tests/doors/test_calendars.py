"""Calendars of what is owed, as calendar programs read them."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import icalendar
import pytest
from sqlalchemy import text

from app.access import service as access
from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import beat, file, heartbeat, report
from tests.world import condition


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def owing(make_license: MakeLicense, sessions: Sessions, time: Clock) -> str:
    cadence = condition("reporting_cadence", every="P1M", by="exporter", starts="2026-06-01")
    screened = condition("party_standing", lists=["un-sc"])
    body = {"time_zone": "Africa/Nairobi"}
    number: str = make_license(cadence, screened, heartbeat(), serials=("FR-1",), **body)["number"]
    beat(sessions, time.now)
    return number


def path_of(door: Door) -> str:
    made = door.post("/v1/calendars", {"label": "Owed by us"})
    assert made.status_code == 201, made.text
    path: str = made.json()["path"]
    return path


def events(content: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(content).walk("VEVENT"))


def test_a_calendar_program_without_a_key_reads_what_people_owe(owing: str, exporter: Door) -> None:
    answer = exporter.client.get(path_of(exporter))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    (event,) = [one for one in events(answer.content) if "Reporting" in one["SUMMARY"]]
    assert event.decoded("DTSTART") == date(2026, 6, 30)
    assert event["SUMMARY"] == f"Reporting cadence, {owing}"
    assert event["STATUS"] == "CONFIRMED"
    assert "Owed by: exporter" in event["DESCRIPTION"]
    assert "Accepted late until: 2026-07-15" in event["DESCRIPTION"]
    alarms = [one.decoded("TRIGGER") for one in event.walk("VALARM")]
    assert alarms == [timedelta(days=-14), timedelta(days=-3)]
    assert "Heartbeat" not in answer.text


def test_the_file_is_as_the_standard_wants_it(owing: str, dashboard: Door) -> None:
    content = dashboard.client.get(path_of(dashboard)).content
    lines = content.split(b"\r\n")
    assert (lines[0], lines[-2:]) == (b"BEGIN:VCALENDAR", [b"END:VCALENDAR", b""])
    assert all(len(line) <= 75 for line in lines)
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert {b"VERSION:2.0", b"METHOD:PUBLISH"} <= set(lines)
    for event in events(content):
        assert {"UID", "DTSTAMP", "DTSTART", "SEQUENCE", "STATUS", "SUMMARY"} <= set(event)
        assert event.decoded("DTSTAMP").tzinfo is not None
        assert re.search(rb"DTSTART;VALUE=DATE:\d{8}\r\n", content)
    uids = [str(event["UID"]) for event in events(content)]
    assert len(uids) == len(set(uids)) > 1


def test_a_party_sees_its_own_and_nothing_secret(
    owing: str, exporter: Door, door: OpenDoor, dashboard: Door
) -> None:
    whole = dashboard.client.get(path_of(dashboard)).text
    assert "Party standing" in whole
    secret = "Party standing" in exporter.client.get(path_of(exporter)).text
    listed = {one["title"] for one in exporter.get("/v1/obligations").json()["items"]}
    assert secret == ("Party standing" in listed)
    stranger = door("exporter", "OTHER")
    assert events(stranger.client.get(path_of(stranger)).content) == []


def test_what_has_not_changed_is_not_sent_again(
    owing: str, exporter: Door, sessions: Sessions, time: Clock
) -> None:
    path = path_of(exporter)
    first = exporter.client.get(path)
    tag = first.headers["etag"]
    time.forward(hours=1)
    again = exporter.client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    uid = [str(event["UID"]) for event in events(first.content)]
    file(exporter, report(owing, time.now))
    changed = exporter.client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert set(uid) <= {str(event["UID"]) for event in events(changed.content)}
    (met,) = [one for one in events(changed.content) if "(met)" in one["SUMMARY"]]
    assert list(met.walk("VALARM")) == []


def test_a_waived_obligation_is_cancelled_in_the_calendar(
    owing: str, exporter: Door, officer: Door, door: OpenDoor
) -> None:
    (row,) = [
        one
        for one in officer.get("/v1/obligations").json()["items"]
        if one["condition"] == "reporting_cadence"
    ]
    ask = {"ground": "a strike", "expires_on": "2026-08-01"}
    officer.post(f"/v1/obligations/{row['id']}/waiver", ask)
    door("supervisor").post(f"/v1/obligations/{row['id']}/waiver/approval")
    (event,) = [
        one
        for one in events(exporter.client.get(path_of(exporter)).content)
        if str(one["UID"]).startswith(row["id"])
    ]
    assert event["STATUS"] == "CANCELLED"
    assert "Waived until: 2026-08-01" in event["DESCRIPTION"]


def test_an_address_is_stored_hashed_and_never_shown_again(
    owing: str, exporter: Door, sessions: Sessions
) -> None:
    keyed = {"Idempotency-Key": "c-1"}
    made = [exporter.post("/v1/calendars", {"label": "Ours"}, headers=keyed) for _ in range(2)]
    path = made[0].json()["path"]
    token = path.removeprefix("/v1/calendar/").removesuffix(".ics")
    assert (made[1].json()["id"], made[1].json()["path"]) == (made[0].json()["id"], None)
    assert token not in exporter.get("/v1/calendars").text
    with sessions() as session:
        for table in ("calendars", "answers_given", "journal_pending"):
            stored = session.execute(text(f"SELECT * FROM {table}")).all()
            assert token not in str(stored), table
            assert token.encode() not in b"".join(
                bytes(one) for row in stored for one in row if isinstance(one, bytes | memoryview)
            )


def test_what_is_unknown_revoked_or_of_a_dead_key_is_not_there(
    owing: str, exporter: Door, door: OpenDoor, sessions: Sessions, time: Clock
) -> None:
    client = exporter.client
    paths = [path_of(exporter) for _ in range(2)]
    id = exporter.get("/v1/calendars").json()[0]["id"]
    unknown = client.get(f"/v1/calendar/{'a' * 43}.ics")
    assert (unknown.status_code, client.get("/v1/calendar/x.ics").status_code) == (404, 404)
    other = door("exporter", "OTHER").post(f"/v1/calendars/{id}/revocation")
    nobody = exporter.post(f"/v1/calendars/{uuid4()}/revocation")
    assert (other.status_code, nobody.status_code) == (404, 404)
    assert client.get(paths[1]).status_code == 200
    for _ in range(2):
        assert exporter.post(f"/v1/calendars/{id}/revocation").status_code == 200
    gone = [client.get(path) for path in paths]
    assert sorted(one.status_code for one in gone) == [200, 404]
    dead = next(one for one in gone if one.status_code == 404)
    assert dead.json() == unknown.json()
    with sessions() as session:
        access.revoke(session, exporter.actor.key, now=time.now)
        session.commit()
    assert [client.get(path).status_code for path in paths] == [404, 404]


def test_a_calendar_ends_with_a_key_that_expires(
    owing: str, exporter: Door, sessions: Sessions, time: Clock
) -> None:
    path = path_of(exporter)
    with sessions() as session:
        session.execute(
            text("UPDATE keys SET expires_at = :at WHERE id = :id"),
            {"at": time.now + timedelta(hours=1), "id": exporter.actor.key},
        )
        session.commit()
    assert exporter.client.get(path).status_code == 200
    time.forward(hours=1)
    assert exporter.client.get(path).status_code == 404


def test_the_label_is_checked_and_makers_need_a_key(client: Any, exporter: Door) -> None:
    assert "/label" in exporter.post("/v1/calendars", {"label": ""}).text
    assert client.post("/v1/calendars", json={}).status_code == 401
    assert exporter.post("/v1/calendars", {}).json()["label"] == "Endwatch"
