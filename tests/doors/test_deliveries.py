from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from app.access.rules import Role
from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import pages, problem, rows, shipment


def delivery(number: str, **more: Any) -> dict[str, Any]:
    """Six of the ten gates of SHIP-9 arrive."""
    return {
        "license": number,
        "reference": "DEL-1",
        "shipment": "SHIP-9",
        "arrived_on": "2026-03-20",
        "quantity": "6",
    } | more


@pytest.fixture
def number(make_license: MakeLicense, exporter: Door) -> str:
    number = str(make_license()["number"])
    filed = exporter.post("/v1/shipments", shipment(number, serials=["A-1", "A-2"]))
    assert filed.status_code == 201
    return number


@pytest.fixture
def inspector(door: OpenDoor) -> Door:
    return door(Role.INSPECTOR)


def test_what_is_outstanding_is_what_has_not_arrived(exporter: Door, number: str) -> None:
    first = exporter.post("/v1/deliveries", delivery(number, serials=["A-1"], site="NBO-T1"))
    assert first.status_code == 201
    assert first.json() == {
        "license": number,
        "reference": "DEL-1",
        "shipment": "SHIP-9",
        "arrived_on": "2026-03-20",
        "quantity": "6",
        "units": 1,
        "outstanding_quantity": "4",
        "milestone": "arrival",
        "receipt": first.json()["receipt"],
    }
    rest = delivery(number, reference="DEL-2", quantity="3.5")
    assert exporter.post("/v1/deliveries", rest).json()["outstanding_quantity"] == "0.5"


def test_serials_alone_count_one_each_and_neither_counts_nothing(
    exporter: Door, number: str
) -> None:
    units = delivery(number, quantity=None, serials=["A-1", "A-2"])
    told = exporter.post("/v1/deliveries", units).json()
    assert (told["quantity"], told["units"], told["outstanding_quantity"]) == (None, 2, "8")
    something = delivery(number, reference="DEL-2", quantity=None)
    told = exporter.post("/v1/deliveries", something).json()
    assert (told["quantity"], told["units"], told["outstanding_quantity"]) == (None, 0, "8")


def test_two_who_tell_of_one_arrival_do_not_add_up(
    exporter: Door, inspector: Door, officer: Door, number: str
) -> None:
    exporter.post("/v1/deliveries", delivery(number, quantity="10"))
    for door, reference in ((inspector, "INS-1"), (officer, "DOC-1")):
        told = door.post("/v1/deliveries", delivery(number, reference=reference, quantity="10"))
        assert (told.status_code, told.json()["outstanding_quantity"]) == (201, "0")
    (page,) = pages(exporter, f"/v1/licenses/{number}/deliveries", 10)
    assert [(one["said_by"], one["grade"]) for one in page] == [
        ("NORDLICHT", "E"),
        ("inspector", "A"),
        ("licensing_officer", "E"),
    ]


def test_more_or_other_than_was_declared_is_recorded_all_the_same(
    exporter: Door, number: str
) -> None:
    strange = delivery(number, quantity="11", serials=["A-1", "B-9"], site="ELSEWHERE")
    told = exporter.post("/v1/deliveries", strange)
    assert (told.status_code, told.json()["outstanding_quantity"]) == (201, "-1")
    ((filed,),) = pages(exporter, f"/v1/licenses/{number}/deliveries", 10)
    assert (filed["serials"], filed["site"]) == (["A-1", "B-9"], "ELSEWHERE")


def test_serials_may_reach_the_quantity_and_not_pass_it(exporter: Door, number: str) -> None:
    too_many = delivery(number, quantity="1.9", serials=["A-1", "A-2"])
    told = problem(exporter.post("/v1/deliveries", too_many), 422, "fields-invalid")
    assert (told["pointer"], "2 serials" in told["detail"]) == ("/serials", True)
    just = delivery(number, quantity="2", serials=["A-1", "A-2"])
    assert exporter.post("/v1/deliveries", just).status_code == 201


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a shipment it lacks": ({"shipment": "SHIP-8"}, "shipment-unknown", "/shipment"),
    "before it left": ({"arrived_on": "2026-03-09"}, "arrived-before-shipped", "/arrived_on"),
    "less than nothing": ({"quantity": "-1"}, "fields-invalid", "/quantity"),
    "no number": ({"quantity": "Infinity"}, "fields-invalid", "/quantity"),
    "a serial twice": ({"serials": ["A-1", "A-1"]}, "fields-invalid", "/serials"),
    "a serial with a quote": ({"serials": ['A"1']}, "fields-invalid", "/serials/0"),
    "a field nobody knows": ({"photo": "x"}, "fields-invalid", "/photo"),
}


def test_a_delivery_that_cannot_be_is_refused(
    exporter: Door, number: str, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    before = rows(sessions, "deliveries", "journal_pending")
    for what, (change, slug, pointer) in REFUSED.items():
        with subtests.test(what):
            answer = exporter.post("/v1/deliveries", delivery(number, **change))
            assert problem(answer, 422, slug)["pointer"] == pointer
            assert rows(sessions, "deliveries", "journal_pending") == before


def test_it_may_arrive_the_day_it_left(exporter: Door, number: str) -> None:
    same_day = delivery(number, arrived_on="2026-03-10")
    assert exporter.post("/v1/deliveries", same_day).status_code == 201


def test_it_may_arrive_on_a_day_that_has_begun_somewhere_and_no_later(
    exporter: Door, number: str, time: Clock
) -> None:
    time.now = time().replace(hour=10, minute=0, second=0, microsecond=0)
    today = time().astimezone(ZoneInfo("Pacific/Kiritimati")).date()
    assert today == time().date() + timedelta(days=1)
    tomorrow = delivery(number, arrived_on=(today + timedelta(days=1)).isoformat())
    told = problem(exporter.post("/v1/deliveries", tomorrow), 422, "not-yet-come")
    assert told["pointer"] == "/arrived_on"
    now = delivery(number, arrived_on=today.isoformat())
    assert exporter.post("/v1/deliveries", now).status_code == 201
    time.now -= timedelta(minutes=1)
    early = delivery(number, reference="DEL-2", arrived_on=today.isoformat())
    problem(exporter.post("/v1/deliveries", early), 422, "not-yet-come")


def test_the_same_delivery_again_gets_its_first_answer(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    first = exporter.post("/v1/deliveries", delivery(number))
    exporter.post("/v1/deliveries", delivery(number, reference="DEL-2", quantity="1"))
    again = exporter.post("/v1/deliveries", delivery(number))
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    keyed = {"Idempotency-Key": "k-1"}
    body = delivery(number, reference="DEL-3", quantity="1")
    third = exporter.post("/v1/deliveries", body, headers=keyed)
    assert exporter.post("/v1/deliveries", body, headers=keyed).content == third.content
    other = exporter.post("/v1/deliveries", delivery(number), headers=keyed)
    problem(other, 409, "key-used-for-other")
    assert rows(sessions, "deliveries") == {"deliveries": 3}


def test_another_delivery_of_the_same_reference_is_refused_with_the_difference(
    exporter: Door, inspector: Door, number: str, sessions: Sessions
) -> None:
    exporter.post("/v1/deliveries", delivery(number))
    changed = exporter.post("/v1/deliveries", delivery(number, quantity="7"))
    told = problem(changed, 409, "reference-taken")
    assert told["pointer"] == "/reference"
    assert any(line.startswith("-") and '"6"' in line for line in told["diff"])
    assert any(line.startswith("+") and '"7"' in line for line in told["diff"])
    anothers = inspector.post("/v1/deliveries", delivery(number))
    assert "NORDLICHT" in problem(anothers, 409, "reference-taken")["detail"]
    assert rows(sessions, "deliveries") == {"deliveries": 1}


def test_what_is_not_yours_is_not_there(door: OpenDoor, exporter: Door, number: str) -> None:
    assert exporter.post("/v1/deliveries", delivery(number)).status_code == 201
    stranger = door(Role.EXPORTER, "SOMEBODY-ELSE")
    for named in (number, "BX-NONE"):
        problem(stranger.post("/v1/deliveries", delivery(named)), 404, "license-unknown")
        problem(stranger.get(f"/v1/licenses/{named}/deliveries"), 404, "license-unknown")
    auditor = door(Role.AUDITOR)
    problem(auditor.post("/v1/deliveries", delivery(number)), 403, "role-not-allowed")
    assert len(auditor.get(f"/v1/licenses/{number}/deliveries").json()["items"]) == 1


def test_deliveries_are_listed_page_by_page(exporter: Door, number: str) -> None:
    for at in range(5):
        exporter.post("/v1/deliveries", delivery(number, reference=f"DEL-{at}", quantity="1"))
    path = f"/v1/licenses/{number}/deliveries"
    found = pages(exporter, path, 2)
    assert [len(page) for page in found] == [2, 2, 1]
    listed = [one["reference"] for page in found for one in page]
    assert listed == ["DEL-0", "DEL-1", "DEL-2", "DEL-3", "DEL-4"]
    assert found[0][0]["shipment"] == "SHIP-9"
    problem(exporter.get(f"{path}?after=nonsense"), 422, "cursor-unreadable")


def test_a_delivery_is_told_to_the_journal_and_its_license_is_attended(
    exporter: Door, number: str, sessions: Sessions, sequencer: Sequencer, time: Clock
) -> None:
    with sessions() as session:
        session.execute(text("UPDATE licenses SET attend_from = NULL"))
        session.commit()
    exporter.post("/v1/deliveries", delivery(number))
    with sessions() as session:
        assert session.scalar(text("SELECT attend_from FROM licenses")) == time()
    sequencer.tick()
    last = exporter.get("/v1/journal").json()["items"][-1]
    assert (last["action"], last["subject"]) == ("delivery.filed", f"delivery:{number}/DEL-1")
    assert last["body"]["quantity"] == "6"
