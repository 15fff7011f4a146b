from datetime import timedelta
from typing import Any

import pytest

from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense
from tests.doors.filings import problem, rows, shipment
from tests.world import license_body


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    return str(make_license()["number"])


def test_a_shipment_is_drawn_from_its_line(exporter: Door, number: str) -> None:
    value = {"amount": "120000.00", "currency": "EUR"}
    filed = exporter.post("/v1/shipments", shipment(number, serials=["A-1", "A-2"], value=value))
    assert filed.status_code == 201
    assert filed.json() == {
        "license": number,
        "reference": "SHIP-9",
        "line": 1,
        "date": "2026-03-10",
        "quantity": "10",
        "units": 2,
        "remaining_quantity": "30",
        "remaining_value": "360000.00",
        "receipt": filed.json()["receipt"],
    }
    ledger = exporter.get(f"/v1/licenses/{number}/ledger").json()
    assert [(unit["serial"], unit["shipment"]) for unit in ledger["units"]] == [
        ("A-1", "SHIP-9"),
        ("A-2", "SHIP-9"),
    ]
    assert ledger["lines"][0]["shipments"] == ["SHIP-9"]


def test_drawdown_is_reckoned_in_decimals(exporter: Door, officer: Door) -> None:
    body = license_body()
    body["lines"] = [body["lines"][0] | {"quantity": "0.3", "unit": "kg"}]
    number = officer.post("/v1/licenses", body).json()["number"]
    for reference, quantity in (("S-1", "0.1"), ("S-2", 0.2)):
        filed = exporter.post(
            "/v1/shipments", shipment(number, reference=reference, quantity=quantity)
        )
        assert filed.status_code == 201
    assert filed.json()["remaining_quantity"] == "0.0"
    (line,) = exporter.get(f"/v1/licenses/{number}/ledger").json()["lines"]
    assert (line["shipped_quantity"], line["remaining_quantity"]) == ("0.3", "0.0")
    assert officer.get(f"/v1/licenses/{number}").json()["state"] == "exhausted"


def test_what_has_left_is_recorded_even_when_it_is_too_much(
    exporter: Door, officer: Door, number: str
) -> None:
    first = exporter.post("/v1/shipments", shipment(number, reference="S-1", quantity=41))
    assert (first.status_code, first.json()["remaining_quantity"]) == (201, "-1")
    second = exporter.post("/v1/shipments", shipment(number, reference="S-2", quantity=1))
    assert (second.status_code, second.json()["remaining_quantity"]) == (201, "-2")
    states = officer.get(f"/v1/licenses/{number}").json()["states"]
    assert [state["state"] for state in states] == ["issued", "exhausted"]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "another currency": (
        {"value": {"amount": "1", "currency": "USD"}},
        "currency-differs",
        "/value",
    ),
    "a line it lacks": ({"line": 2}, "line-unknown", "/line"),
    "a site it lacks": ({"site": "NBO-T9"}, "site-unknown", "/site"),
    "nothing": ({"quantity": 0}, "fields-invalid", "/quantity"),
    "no number": ({"quantity": "NaN"}, "fields-invalid", "/quantity"),
    "an ITN that is none": ({"itn": "12"}, "fields-invalid", "/itn"),
    "an MRN that is none": ({"mrn": "12"}, "fields-invalid", "/mrn"),
    "a serial with a quote": ({"serials": ['A"1']}, "fields-invalid", "/serials/0"),
}


def test_a_shipment_that_cannot_be_is_refused(
    exporter: Door, number: str, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    before = rows(sessions)
    for what, (change, slug, pointer) in REFUSED.items():
        with subtests.test(what):
            answer = exporter.post("/v1/shipments", shipment(number, **change))
            assert problem(answer, 422, slug)["pointer"] == pointer
            assert rows(sessions) == before


def test_a_shipment_of_no_license_is_unknown(exporter: Door) -> None:
    problem(exporter.post("/v1/shipments", shipment("BX-0000")), 404, "license-unknown")


def test_a_shipment_is_filed_when_it_has_left(exporter: Door, number: str, time: Clock) -> None:
    tomorrow = (time() + timedelta(days=1)).date().isoformat()
    told = problem(
        exporter.post("/v1/shipments", shipment(number, date=tomorrow)), 422, "shipment-in-future"
    )
    assert told["pointer"] == "/date"


def test_a_serial_is_on_a_license_once(exporter: Door, number: str, sessions: Sessions) -> None:
    twice = shipment(number, serials=["A-1", "A-2", "A-1"])
    assert "A-1" in problem(exporter.post("/v1/shipments", twice), 422)["detail"]
    first = shipment(number, serials=["A-1", "A-2"])
    assert exporter.post("/v1/shipments", first).status_code == 201
    other = shipment(number, reference="SHIP-10", serials=["A-3", "A-2"])
    told = problem(exporter.post("/v1/shipments", other), 409, "serial-taken")
    assert (told["pointer"], "A-2" in told["detail"]) == ("/serials", True)
    assert rows(sessions, "units", "shipments") == {"units": 2, "shipments": 1}


@pytest.mark.parametrize("state", ["draft", "cancelled"])
def test_nothing_leaves_under_a_license_that_was_never_in_force(
    state: str, exporter: Door, officer: Door
) -> None:
    number = officer.post("/v1/licenses", license_body(state="draft")).json()["number"]
    if state == "cancelled":
        officer.post(f"/v1/licenses/{number}/state", {"state": state, "ground": "withdrawn"})
    problem(exporter.post("/v1/shipments", shipment(number)), 409, "not-yet-issued")


def test_the_same_shipment_again_gets_its_first_answer(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    first = exporter.post("/v1/shipments", shipment(number))
    later = exporter.post("/v1/shipments", shipment(number, reference="SHIP-10"))
    assert later.json()["remaining_quantity"] == "20"
    again = exporter.post("/v1/shipments", shipment(number))
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert rows(sessions, "shipments", "ledger_entries") == {"shipments": 2, "ledger_entries": 2}


def test_another_shipment_of_the_same_reference_is_refused_with_the_difference(
    exporter: Door, number: str, sessions: Sessions
) -> None:
    exporter.post("/v1/shipments", shipment(number))
    told = problem(
        exporter.post("/v1/shipments", shipment(number, quantity=11)), 409, "reference-taken"
    )
    assert any("10" in line and line.startswith("-") for line in told["diff"])
    assert any("11" in line and line.startswith("+") for line in told["diff"])
    assert rows(sessions, "shipments") == {"shipments": 1}
