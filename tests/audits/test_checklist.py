"""The checklist of a license over HTTP, and the report that a form made from it becomes."""

from datetime import timedelta
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from app.access.rules import Role
from app.audits import checklist as checklists
from app.audits.answers import report_of
from app.database import Sessions
from tests.audits.forms import filled
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.world import condition

CAP = condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000)
BEAT = condition("heartbeat", "Each gate reports every three days.", every_hours=72)
COUNT = condition("serial_inventory", "All gates are counted once a year.", every_days=365)
SERIALS = ("FR-000001", "FR-000002")
FORMATS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "text/xml",
    "pdf": "application/pdf",
}


def address(license: dict[str, Any], ending: str = "") -> str:
    return f"/v1/licenses/{license['number']}/checklist{ending}"


@pytest.fixture
def inspector(door: OpenDoor) -> Door:
    return door(Role.INSPECTOR)


def test_every_condition_asks_and_every_unit_is_listed(
    make_license: MakeLicense, inspector: Door
) -> None:
    license = make_license(CAP, BEAT, serials=SERIALS)
    answer = inspector.get(address(license))
    assert answer.status_code == 200
    told = answer.json()
    assert (told["license"], told["exporter"]) == (license["number"], "NORDLICHT")
    assert [one["kind"] for one in told["parts"]] == ["gallery_cap", "heartbeat"]
    cap, beat = told["parts"]
    assert cap["text"] == "No more than 5,000 persons per gate."
    assert cap["how_to_check"]
    assert cap["what_to_see"]
    assert {one["fact"] for one in cap["questions"]} == {"gallery_size", "site"}
    assert [one["fact"] for one in beat["questions"]] == [None, None]
    assert [one["serial"] for one in told["units"]] == list(SERIALS)
    assert told["sites"] == [{"reference": "NBO-T1", "name": "Nairobi terminal 1", "country": "KE"}]
    assert len(told["digest"]) == 64


@pytest.mark.parametrize("ending", sorted(FORMATS))
def test_each_format_is_a_file_with_the_version_in_its_name(
    make_license: MakeLicense, inspector: Door, ending: str
) -> None:
    license = make_license(CAP, serials=SERIALS)
    told = inspector.get(address(license)).json()
    answer = inspector.get(address(license, f".{ending}"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == FORMATS[ending]
    name = f"endwatch_{license['number']}_1-{told['digest'][:12]}.{ending}"
    assert name in answer.headers["content-disposition"]
    assert answer.content


@pytest.mark.parametrize("ending", ["", ".xlsx", ".xml", ".pdf"])
def test_who_may_read_a_checklist(make_license: MakeLicense, door: OpenDoor, ending: str) -> None:
    license = make_license(CAP)
    for role in (Role.INSPECTOR, Role.SUPERVISOR, Role.AUDITOR, Role.LICENSING_OFFICER):
        assert door(role).get(address(license, ending)).status_code == 200
    assert door(Role.EXPORTER, "NORDLICHT").get(address(license, ending)).status_code == 200
    other = door(Role.EXPORTER, "SUEDLICHT")
    foreign = other.get(address(license, ending))
    unknown = other.get(address({"number": "BX-0000-00000"}, ending))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["type"] == unknown.json()["type"]
    assert door(Role.GRIEVANCE_OFFICER).get(address(license, ending)).status_code == 403


def test_a_license_without_conditions_sites_or_units_has_a_checklist(
    make_license: MakeLicense, inspector: Door
) -> None:
    license = make_license(sites=[])
    told = inspector.get(address(license)).json()
    assert (told["parts"], told["sites"], told["units"]) == ([], [], [])
    for ending in FORMATS:
        assert inspector.get(address(license, f".{ending}")).status_code == 200


def test_only_conditions_in_force_now_ask(
    make_license: MakeLicense, inspector: Door, time: Clock
) -> None:
    tomorrow = time() + timedelta(days=1)
    ends = condition("heartbeat", every_hours=72, _={"effective_to": tomorrow.isoformat()})
    begins = condition("gallery_cap", max_enrolled=10, _={"effective_from": tomorrow.isoformat()})
    license = make_license(ends, begins)
    before = inspector.get(address(license)).json()
    time.forward(days=1)
    after = inspector.get(address(license)).json()
    assert [one["kind"] for one in before["parts"]] == ["heartbeat"]
    assert [one["kind"] for one in after["parts"]] == ["gallery_cap"]
    assert before["digest"] != after["digest"]


def test_what_changes_on_the_license_is_another_version_of_the_same_form(
    make_license: MakeLicense, officer: Door, inspector: Door, exporter: Door
) -> None:
    license = make_license(CAP)

    def form() -> tuple[str, str]:
        (data,) = fromstring(inspector.get(address(license, ".xml")).content).iterfind(
            ".//{http://www.w3.org/2002/xforms}data"
        )
        return data.attrib["id"], data.attrib["version"]

    versions = [form(), form()]
    assert versions[0] == versions[1]
    shipment = {
        "license": license["number"],
        "reference": "SHIP-1",
        "line": 1,
        "date": "2026-03-02",
        "quantity": 1,
        "serials": ["FR-1"],
    }
    assert exporter.post("/v1/shipments", shipment).status_code == 201
    versions.append(form())
    state = {"state": "suspended", "ground": "A check is due."}
    assert officer.post(f"/v1/licenses/{license['number']}/state", state).status_code == 200
    versions.append(form())
    assert {id for id, _ in versions} == {f"endwatch_{license['number']}"}
    assert len({version for _, version in versions}) == 3


def test_what_was_filled_in_is_filed_and_judged(
    make_license: MakeLicense, inspector: Door, sessions: Sessions, time: Clock
) -> None:
    license = make_license(CAP, COUNT, serials=SERIALS)
    form = inspector.get(address(license, ".xml")).content
    instance = filled(
        form,
        {
            "visit": {"mode": "physical"},
            "site_1": {"reference": "NBO-T1", "units_looked_for": "all"},
            "unit": [
                {
                    "serial": "FR-000001",
                    "sighted": "yes",
                    "site": "NBO-T1",
                    "gallery_size": "5001",
                }
            ],
        },
    )
    with sessions() as session:
        checklist = checklists.load(session, license["number"], party=None, now=time())
    report = report_of(
        instance, checklist, reference="uuid:1", observed_at=time(), captured_at=time()
    )
    answer = inspector.post("/v1/reports", report.model_dump(mode="json", by_alias=True))
    assert answer.status_code == 201, answer.text
    found = inspector.get("/v1/deviations", params={"license": license["number"]}).json()["items"]
    assert {(one["kind"], one["reason"]) for one in found} == {
        ("gallery_cap", "over_cap"),
        ("serial_inventory", "inventory_overdue"),
        ("serial_inventory", "unaccounted"),
    }
