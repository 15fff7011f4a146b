import csv
import io
from datetime import timedelta
from typing import Any

import openpyxl
import pytest

from app.access.rules import Role
from app.database import Sessions
from app.obligations import service as obligations
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import ndjson, problem, reading, send, shipment
from tests.epcis.events import document, event
from tests.world import condition

DELIVERY = {"reference": "DEL-1", "shipment": "SHIP-1", "arrived_on": "2026-03-20"}


@pytest.fixture
def number(make_license: MakeLicense) -> str:
    proof = condition("delivery_verification", within_days=30, transit_days=60)
    return str(make_license(proof, serials=("FR-1", "FR-2", "FR-3"))["number"])


@pytest.fixture
def inspector(door: OpenDoor) -> Door:
    return door(Role.INSPECTOR)


def account(door: Door, number: str) -> dict[str, Any]:
    answer = door.get(f"/v1/licenses/{number}/reconciliation")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    for line in told["lines"]:
        assert sum(map(float, line["places"].values())) == float(line["delivered"])
    return told


def gaps(told: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["kind"], one["serial"]) for one in told["gaps"]]


def deliver(door: Door, number: str, **more: Any) -> None:
    answer = door.post("/v1/deliveries", DELIVERY | {"license": number} | more)
    assert answer.status_code == 201, answer.text


def inspect(door: Door, number: str, site: str, at: Any, reference: str, *serials: str) -> None:
    report = {
        "kind": "inspection",
        "license": number,
        "reference": reference,
        "observed_at": at.isoformat(),
        "mode": "physical",
        "statements": [{"subject": {"site": site}, "facts": {"sighted_serials": list(serials)}}],
    }
    answer = door.post("/v1/reports", report)
    assert answer.status_code == 201, answer.text


def test_a_license_is_followed_from_shipment_to_the_last_disposition(
    exporter: Door, inspector: Door, number: str, time: Clock
) -> None:
    told = account(exporter, number)
    assert told["lines"][0] | {"places": None} == {
        "line": 1,
        "unit": "piece",
        "authorized": "40",
        "shipped": "3",
        "delivered": "0",
        "accounted_for": "0",
        "places": None,
    }
    (gap,) = told["gaps"]
    assert gap["explanation"] == (
        "3 of line 1 shipped on 2026-03-02 with SHIP-1 and not told delivered: overdue since "
        "2026-06-01 00:00 UTC"
    )
    assert (gap["since"], gap["due_at"]) == ("2026-03-02", "2026-06-01T00:00:00Z")
    deliver(exporter, number, serials=["FR-1", "FR-2", "FR-3"])
    told = account(exporter, number)
    assert (told["lines"][0]["delivered"], told["lines"][0]["accounted_for"]) == ("3", "0")
    assert gaps(told) == [("never_heard", serial) for serial in ("FR-1", "FR-2", "FR-3")]
    now = time()
    assert send(exporter, ndjson([reading(number, now, "FR-1")])).json()["accepted"] == 1
    inspect(inspector, number, "NBO-T1", now, "INS-1", "FR-2")
    lost = event("FR-3", disposition="urn:endwatch:disposition:lost")
    assert exporter.post("/epcis/capture", document(lost)).json()["success"] is True
    told = account(exporter, number)
    assert told["lines"][0]["places"] == {"heard": "2", "lost": "1"}
    assert [(one["serial"], one["place"], one["last_heard_by"]) for one in told["units"]] == [
        ("FR-1", "heard", "reading"),
        ("FR-2", "heard", "inspection at NBO-T1"),
        ("FR-3", "lost", "custody"),
    ]
    assert gaps(told) == [("missing", "FR-3")]


def test_the_journey_to_an_accepted_certificate_of_disposal(
    officer: Door,
    exporter: Door,
    inspector: Door,
    make_license: MakeLicense,
    sessions: Sessions,
    time: Clock,
) -> None:
    rule = condition("disposal", methods=["shredding"], certificate_within_days=30)
    number = make_license(rule, serials=("FR-1",))["number"]
    deliver(exporter, number, serials=["FR-1"])
    sent = event("FR-1", bizStep="destroying", action="DELETE", disposition="destroyed")
    sent["eventTime"] = time.forward(hours=1).isoformat()
    assert exporter.post("/epcis/capture", document(sent)).json()["success"] is True
    obligations.attend_around(sessions, now=time.forward(seconds=1))
    owed = officer.get(f"/v1/obligations?license={number}").json()["items"]
    assert [(one["subject"], one["state"]) for one in owed if "disposal" in one["condition"]] == [
        ("FR-1", "upcoming")
    ]
    certificate = {
        "reference": "CERT-1",
        "kind": "disposal_certificate",
        "subject": {"serial": "FR-1"},
        "issued_on": time().date().isoformat(),
        "issuer": "Shredders Ltd",
    }
    filed = exporter.post(f"/v1/licenses/{number}/documents", certificate)
    assert filed.status_code == 201, filed.text
    decided = officer.post(
        f"/v1/licenses/{number}/documents/{filed.json()['id']}/decisions",
        {"verdict": "accepted", "ground": "Seen.", "effective_on": time().date().isoformat()},
    )
    assert decided.status_code == 201, decided.text
    obligations.attend_around(sessions, now=time.forward(seconds=1))
    owed = officer.get(f"/v1/obligations?license={number}").json()["items"]
    assert [one["state"] for one in owed if "disposal" in one["condition"]] == ["met"]
    told = account(exporter, number)
    assert told["lines"][0]["places"] == {"destroyed": "1"}
    assert told["gaps"] == []
    inspect(inspector, number, "NBO-T1", time.forward(days=1), "INS-1", "FR-1")
    assert gaps(account(exporter, number)) == [("heard_after_end", "FR-1")]


def test_a_corrected_event_counts_no_more(exporter: Door, number: str) -> None:
    deliver(exporter, number, serials=["FR-1"])
    path = f"/v1/licenses/{number}/custody"
    said = {"reference": "C-1", "at": "2026-04-01T10:00:00Z", "serials": ["FR-1"]}
    exporter.post(path, said | {"disposition": "stolen"})
    assert account(exporter, number)["lines"][0]["places"] == {"stolen": "1"}
    exporter.post(path, said | {"reference": "C-2", "corrects": "C-1"})
    assert account(exporter, number)["lines"][0]["places"] == {"unaccounted": "1"}


@pytest.mark.parametrize("late_first", [False, True])
def test_a_serial_at_two_places_at_once_is_found_whichever_report_comes_last(
    *, late_first: bool, inspector: Door, make_license: MakeLicense, time: Clock
) -> None:
    sites = [
        {"reference": name, "name": name, "country": "KE", "position": {"lat": lat, "lon": 36.9}}
        for name, lat in (("NBO-T1", -1.319), ("MBA-1", -4.03))
    ]
    number = make_license(serials=("FR-1",), sites=sites)["number"]
    reports = [("NBO-T1", time() - timedelta(hours=20), "I-1"), ("MBA-1", time(), "I-2")]
    for site, at, reference in reversed(reports) if late_first else reports:
        inspect(inspector, number, site, at, reference, "FR-1")
    told = account(inspector, number)
    assert ("two_places", "FR-1") in gaps(told)
    (gap,) = [one for one in told["gaps"] if one["kind"] == "two_places"]
    assert "NBO-T1" in gap["explanation"].split(" and at ")[0]


def test_a_silent_unit_is_told_with_when_it_was_last_heard(
    exporter: Door, make_license: MakeLicense, time: Clock
) -> None:
    number = make_license(condition("heartbeat", every_hours=72, grace_hours=3), serials=("FR-7",))[
        "number"
    ]
    deliver(exporter, number, serials=["FR-7"])
    heard = time()
    send(exporter, ndjson([reading(number, heard, "FR-7")]))
    time.forward(hours=75)
    assert account(exporter, number)["gaps"] == []
    time.forward(microseconds=1)
    (gap,) = account(exporter, number)["gaps"]
    assert gap["explanation"] == f"FR-7: last heard {heard:%Y-%m-%d} (reading), nothing since"


def test_delivered_means_what_the_license_says(
    officer: Door,
    door: OpenDoor,
    exporter: Door,
    make_license: MakeLicense,
    sessions: Sessions,
    time: Clock,
) -> None:
    proof = condition("delivery_verification", within_days=30, transit_days=60)
    license = make_license(proof, serials=("FR-1",), delivered_when="installed")
    number = license["number"]
    assert license["delivered_when"] == "installed"
    deliver(exporter, number, serials=["FR-1"])
    told = account(exporter, number)
    assert told["lines"][0]["delivered"] == "0"
    assert (
        "1 told to have reached arrival, and delivered means installed"
        in (told["gaps"][0]["explanation"])
    )
    obligations.attend_around(sessions, now=time())
    obligations.look_around(sessions, now=time.forward(seconds=1))
    missed = officer.get(f"/v1/deviations?license={number}").json()["items"]
    assert [one["reason"] for one in missed] == ["not_verified"]
    deliver(exporter, number, reference="DEL-2", serials=["FR-1"], milestone="installed")
    assert account(exporter, number)["lines"][0]["delivered"] == "1"
    change = {
        "ground": "Customs is enough.",
        "effective_from": time().isoformat(),
        "delivered_when": "customs_cleared",
    }
    proposed = officer.post(f"/v1/licenses/{number}/amendments", change)
    assert proposed.status_code == 201, proposed.text
    assert account(exporter, number)["delivered_when"] == "installed"
    second = door(Role.LICENSING_OFFICER)
    second.post(f"/v1/licenses/{number}/amendments/{proposed.json()['id']}/approval")
    told = account(exporter, number)
    assert (told["delivered_when"], told["lines"][0]["delivered"]) == ("customs_cleared", "0")


def test_an_unknown_milestone_is_refused(officer: Door, exporter: Door, number: str) -> None:
    body = DELIVERY | {"license": number, "milestone": "somewhere"}
    told = problem(exporter.post("/v1/deliveries", body), 422, "fields-invalid")
    assert told["pointer"] == "/milestone"


def test_csv_and_xlsx_say_the_same_as_the_page(exporter: Door, number: str) -> None:
    deliver(exporter, number, serials=["FR-1"])
    told = account(exporter, number)
    flat = exporter.get(f"/v1/licenses/{number}/reconciliation.csv")
    assert flat.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.reader(io.StringIO(flat.content.decode("utf-8-sig"))))
    assert [row[1] for row in table if row[0] == "units"] == ["FR-1", "FR-2", "FR-3"]
    assert [row[-1] for row in table if row[0] == "gaps"] == [
        one["explanation"] for one in told["gaps"]
    ]
    book = exporter.get(f"/v1/licenses/{number}/reconciliation.xlsx")
    sheets = openpyxl.load_workbook(io.BytesIO(book.content))
    assert sheets.sheetnames == ["lines", "units", "gaps"]
    assert [cell.value for cell in sheets["lines"][2]][:6] == [1, "piece", 40, 3, 1, 0]
    assert [row[0].value for row in sheets["units"].iter_rows(min_row=2)] == [
        "FR-1",
        "FR-2",
        "FR-3",
    ]


def test_no_cell_is_ever_a_formula() -> None:
    from datetime import date

    from app.assessments.balance import Account, Gap
    from app.assessments.reconciliation_sheets import as_csv, as_xlsx

    nasty = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "plain", "a\x00b"]
    made = Account([], [], [Gap(one, None, one, date(2026, 3, 2), one) for one in nasty])
    table = list(csv.reader(io.StringIO(as_csv(made).decode("utf-8-sig"), newline="")))
    told = [row[1] for row in table if row[0] == "gaps"]
    assert told == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "'\r=1", "plain", "a\x00b"]
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(made)))["gaps"]
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s"}
    assert [cell.value for cell in sheet["A"]][1:5] == nasty[:4]


def test_what_is_not_yours_is_not_there(door: OpenDoor, number: str) -> None:
    stranger = door(Role.EXPORTER, "SOMEBODY-ELSE")
    for ending in ("", ".csv", ".xlsx"):
        path = f"/v1/licenses/{number}/reconciliation{ending}"
        problem(stranger.get(path), 404, "license-unknown")
        assert door(Role.AUDITOR).get(path).status_code == 200


def test_the_ledger_adds_up_however_many_shipments(exporter: Door, number: str) -> None:
    exporter.post("/v1/shipments", shipment(number, serials=["A-1", "A-2"], quantity="38"))
    told = account(exporter, number)
    assert (told["lines"][0]["authorized"], told["lines"][0]["shipped"]) == ("40", "41")
    assert ("over_shipped", None) in gaps(told)
