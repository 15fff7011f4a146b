from datetime import timedelta
from typing import Any

from app.access.rules import Role
from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import problem, rows
from tests.world import condition

CAP = condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000)


def test_an_amendment_needs_a_second_person(
    officer: Door, door: OpenDoor, make_license: MakeLicense, time: Clock
) -> None:
    license = make_license(CAP)
    path = f"/v1/licenses/{license['number']}/amendments"
    begins = time() + timedelta(days=3)
    lower = condition("gallery_cap", "No more than 100.", max_enrolled=100)
    body = {"ground": "fewer", "effective_from": begins.isoformat(), "conditions": [lower]}

    proposed = officer.post(path, body)
    assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed")
    approval = f"{path}/{proposed.json()['id']}/approval"
    problem(officer.post(approval), 409, "second-person-needed")
    assert len(_conditions(officer, license)) == 1

    second = door(Role.LICENSING_OFFICER)
    approved = second.post(approval)
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    problem(second.post(approval), 409, "amendment-settled")
    assert [row["state"] for row in officer.get(path).json()] == ["approved"]

    assert _conditions(officer, license) == [(1, 5000, True), (2, 100, False)]
    time.now = begins
    assert _conditions(officer, license) == [(1, 5000, False), (2, 100, True)]


def _conditions(officer: Door, license: dict[str, Any]) -> list[tuple[int, int, bool]]:
    told = officer.get(f"/v1/licenses/{license['number']}").json()["conditions"]
    return [(row["version"], row["terms"]["max_enrolled"], row["in_force"]) for row in told]


def test_an_amendment_can_end_a_condition(
    officer: Door, door: OpenDoor, make_license: MakeLicense, time: Clock
) -> None:
    license = make_license(CAP)
    path = f"/v1/licenses/{license['number']}/amendments"
    body = {"ground": "not needed", "effective_from": time().isoformat(), "ends": ["gallery_cap"]}
    proposed = officer.post(path, body).json()
    approved = door(Role.LICENSING_OFFICER).post(f"{path}/{proposed['id']}/approval")
    assert approved.status_code == 200
    assert [in_force for _, _, in_force in _conditions(officer, license)] == [False, False]


def test_an_amendment_must_speak_of_this_license(
    officer: Door, make_license: MakeLicense, time: Clock, sessions: Sessions
) -> None:
    path = f"/v1/licenses/{make_license(CAP)['number']}/amendments"
    base = {"ground": "g", "effective_from": time().isoformat()}
    strange = problem(officer.post(path, base | {"conditions": [CAP | {"lines": [9]}]}), 422)
    assert strange["pointer"] == "/conditions"
    problem(officer.post(path, base | {"ends": ["heartbeat"]}), 422, "condition-unknown")
    problem(officer.post(path, base), 422, "fields-invalid")
    problem(officer.post(f"{path}/1/approval"), 404, "amendment-unknown")
    problem(officer.post(f"{path}/{2**80}/approval"), 422)
    other = f"/v1/licenses/{make_license()['number']}/amendments"
    proposed = officer.post(path, base | {"ends": ["gallery_cap"]}).json()
    problem(officer.post(f"{other}/{proposed['id']}/approval"), 404, "amendment-unknown")
    assert rows(sessions, "amendments", "conditions") == {"amendments": 1, "conditions": 1}
