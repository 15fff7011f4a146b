import json
import subprocess
import sys
import threading
import time as clock
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.access.rules import Role
from app.audits import ordering
from app.audits.plan_desk import ATTEMPTS, HELD, PlanDesk
from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import once, pages, problem, rows

HOME = {"lat": 50.0, "lon": 8.0}
NEAR_NAIROBI = {"lat": -1.3, "lon": 36.9}


def place(reference: str, **more: Any) -> dict[str, Any]:
    return {"reference": reference, "country": "DE", "position": HOME} | more


def body(**more: Any) -> dict[str, Any]:
    """A week of one inspector, and ten places beside them."""
    return {
        "period": {"from": "2027-01-04", "to": "2027-01-10"},
        "inspectors": [{"reference": "I-1", "position": HOME}],
        "places": [place(f"P-{n}", known={"tier": 1 + n % 3}) for n in range(10)],
    } | more


@pytest.fixture
def supervisor(door: OpenDoor) -> Door:
    return door(Role.SUPERVISOR)


@pytest.fixture
def desk(sessions: Sessions, time: Clock) -> PlanDesk:
    return PlanDesk(sessions, time)


def ordered(supervisor: Door, **more: Any) -> str:
    answer = supervisor.post("/v1/audit-plans", body(**more))
    assert answer.status_code == 202, answer.text
    return f"/v1/audit-plans/{answer.json()['id']}"


def test_a_plan_is_ordered_solved_and_explained(
    supervisor: Door, desk: PlanDesk, sequencer: Sequencer
) -> None:
    must = [{"place": "P-0", "by": "2027-01-04", "ground": "ordered by the court"}]
    answer = supervisor.post("/v1/audit-plans", body(mandatory=must, random_percent=20))
    waiting = answer.json()
    assert answer.status_code == 202
    assert (waiting["state"], waiting["seed"], waiting["points"]) == ("planned", None, None)
    assert len(waiting["commitment"]) == 64
    path = f"/v1/audit-plans/{waiting['id']}"
    assert supervisor.get(f"{path}/explain").json()["items"] == []
    assert desk.tick()
    assert not desk.tick()
    solved = supervisor.get(path).json()
    assert solved["state"] == "solved"
    assert (solved["visits"], solved["mandatory_made"], solved["drawn_made"]) == (5, 1, 1)
    assert solved["points"] == solved["bound"]
    assert solved["gap"] == "0.0"
    assert solved["solver"].startswith("HiGHS")
    assert (solved["stopped"], solved["trouble"]) == (False, None)
    (told,) = pages(supervisor, f"{path}/explain", 100)
    assert [one["place"] for one in told] == [f"P-{n}" for n in range(10)]
    assert told[0]["ground"] == "ordered by the court"
    assert (told[0]["why"], told[0]["first_on"]) == ("mandatory", "2027-01-04")
    assert told[2]["parts"] == {"tier": 40, "unverified": 73, "overdue": 0, "deviations": 0}
    assert told[2]["score"] == 113
    visited = pages(supervisor, f"{path}/explain?visited=true", 2)
    assert [len(page) for page in visited] == [2, 2, 1]
    (one,) = supervisor.get(f"{path}/explain?place=P-2").json()["items"]
    assert one == told[2]
    sequencer.tick()
    entries = supervisor.get("/v1/journal").json()["items"]
    assert [one["action"] for one in entries if one["action"].startswith("plan.")] == [
        "plan.ordered",
        "plan.solved",
    ]


def test_inputs_and_seed_are_bound_when_ordered_and_told_when_solved(
    supervisor: Door, desk: PlanDesk
) -> None:
    path = ordered(supervisor)
    before = supervisor.get(f"{path}/inputs").json()
    assert before["seed"] is None
    assert desk.tick()
    plan, told = supervisor.get(path).json(), supervisor.get(f"{path}/inputs").json()
    assert told["inputs"] == before["inputs"]
    assert told["seed"] == plan["seed"]
    digest = ordering.digest_of(told["inputs"])
    assert digest.hex() == plan["inputs_digest"]
    bound = ordering.commitment(plan["id"], bytes.fromhex(plan["seed"]), digest)
    assert bound.hex() == plan["commitment"]


def test_whoever_doubts_a_plan_solves_it_again(supervisor: Door, desk: PlanDesk) -> None:
    path = ordered(supervisor, random_percent=40)
    desk.tick()
    again = supervisor.post(f"{path}/repeat")
    assert again.status_code == 202
    other = f"/v1/audit-plans/{again.json()['id']}"
    assert again.json()["repeats"] == path.rpartition("/")[2]
    desk.tick()
    assert pages(supervisor, f"{other}/explain", 100) == pages(supervisor, f"{path}/explain", 100)
    told = supervisor.get(f"{path}/inputs").content
    alone = subprocess.run(
        [sys.executable, "-m", "app.audits.solving"], input=told, capture_output=True, check=True
    )
    visits = {one["place"]: one["first"] for one in json.loads(alone.stdout)["visits"]}
    (stored,) = pages(supervisor, f"{path}/explain?visited=true", 100)
    assert visits == {one["place"]: one["first_on"] for one in stored}


def test_visits_that_must_be_made_and_cannot_are_told_with_the_reason(
    supervisor: Door, desk: PlanDesk
) -> None:
    places = [
        place("A", country="KP"),
        place("B"),
        place("C", position=None),
        place("D", position={"lat": -41.0, "lon": 174.0}),
    ]
    must = [
        {"place": name, "by": day, "ground": "overdue"}
        for name, day in (
            ("A", "2027-01-10"),
            ("B", "2027-01-03"),
            ("C", "2027-01-10"),
            ("D", "2027-01-05"),
        )
    ]
    crew = [{"reference": "I-1", "position": HOME, "countries": ["DE"]}]
    path = ordered(supervisor, places=places, mandatory=must, inspectors=crew)
    desk.tick()
    (told,) = pages(supervisor, f"{path}/explain?mandatory=true&visited=false", 100)
    assert [(one["place"], one["why"]) for one in told] == [
        ("A", "country_closed"),
        ("B", "too_late"),
        ("C", "no_position"),
        ("D", "too_late"),
    ]
    plan = supervisor.get(path).json()
    assert (plan["mandatory"], plan["mandatory_made"], plan["mandatory_bound"]) == (4, 0, 0)


def test_by_default_the_sites_of_licenses_in_force_are_planned(
    supervisor: Door, officer: Door, make_license: MakeLicense, desk: PlanDesk, sessions: Sessions,
    time: Clock,
) -> None:  # fmt: skip
    site = {"reference": "MBA-T1", "name": "Mombasa", "country": "KE"}
    near = {"reference": "NBO-T1", "name": "Nairobi", "country": "KE", "position": NEAR_NAIROBI}
    first = make_license(sites=[near, site], serials=("FR-1",))
    make_license(sites=[near | {"reference": "KIS-1", "position": NEAR_NAIROBI}], state="draft")
    with sessions() as session:
        license_id, tier = session.execute(
            text("SELECT id, tier FROM licenses WHERE number = :n"), {"n": first["number"]}
        ).one()
        condition = (
            "INSERT INTO conditions (license_id, key, version, kind, text, terms, source, binds,"
            " lines, severity, effective_from, created_at) VALUES (:l, 'heartbeat', 1,"
            " 'heartbeat', 't', '{}', 'license', '{}', '{}', 'low', :now, :now) RETURNING id"
        )
        now = time()
        id = session.execute(text(condition), {"l": license_id, "now": now}).scalar_one()
        session.execute(
            text(
                "INSERT INTO obligations (id, license_id, condition_id, key, what, subject_kind,"
                " subject, slot, awaited_from, due_at, grace_until, state, created_at)"
                " VALUES (gen_random_uuid(), :l, :c, 'heartbeat', 'reading', 'site', 'NBO-T1', 0,"
                " :due, :due, :due, 'overdue', :due)"
            ),
            {"l": license_id, "c": id, "due": now - timedelta(days=75)},
        )
        session.execute(
            text(
                "INSERT INTO statements (license_id, report_id, number, subject_kind, subject,"
                " observed_at, captured_at, received_at, source_kind, grade, said_by, facts)"
                " VALUES (:l, gen_random_uuid(), 0, 'site', 'MBA-T1', :at, :at, :at, 'inspection',"
                " 'A', 'inspector', '{}')"
            ),
            {"l": license_id, "at": now - timedelta(days=30)},
        )
        session.commit()
    path = ordered(supervisor, places=None)
    known = {
        one["reference"]: one for one in supervisor.get(f"{path}/inputs").json()["inputs"]["places"]
    }
    assert set(known) == {"MBA-T1", "NBO-T1"}
    nairobi = known["NBO-T1"]
    assert nairobi["known"]["tier"] == tier
    assert (nairobi["known"]["overdue"], nairobi["known"]["overdue_days"]) == (1, 75)
    assert (nairobi["due_by"], nairobi["ground"]) == (
        "2027-04-04",
        "something is overdue there for 75 days",
    )
    assert known["MBA-T1"]["known"]["overdue"] == 0
    assert known["MBA-T1"]["known"]["verified_days"] == {"A": 30}
    assert known["MBA-T1"]["position"] is None
    desk.tick()
    assert supervisor.get(path).json()["state"] == "solved"


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "time that runs backwards": (
        {"period": {"from": "2027-02-01", "to": "2027-01-01"}}, "fields-invalid", "/period"),
    "more than a year": (
        {"period": {"from": "2027-01-01", "to": "2028-01-02"}}, "fields-invalid", "/period"),
    "nobody to send": ({"inspectors": []}, "fields-invalid", "/inspectors"),
    "somebody from nowhere": (
        {"inspectors": [{"reference": "I"}]}, "fields-invalid", "/inspectors/0/position"),
    "no places": ({"places": []}, "fields-invalid", "/places"),
    "no such country": (
        {"places": [place("P", country="XX")]}, "fields-invalid", "/places/0/country"),
    "a place twice": ({"places": [place("P"), place("P")]}, "fields-invalid", ""),
    "what must be visited and is unknown": (
        {"mandatory": [{"place": "Z", "by": "2027-01-05", "ground": "g"}]},
        "place-unknown", "/mandatory/0/place"),
    "steps that fall": (
        {"travel": {"steps": [[100, 1], [50, 2]]}}, "fields-invalid", "/travel"),
    "more chance than there is": ({"random_percent": 101}, "fields-invalid", "/random_percent"),
    "points for a country": ({"weights": {"country": {"KE": 9}}}, "fields-invalid", "/weights/country"),
    "a seed of one's own": ({"seed": "00"}, "fields-invalid", "/seed"),
}  # fmt: skip


def test_an_order_that_cannot_be_is_refused(
    supervisor: Door, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    for what, (change, slug, pointer) in REFUSED.items():
        with subtests.test(what):
            told = problem(supervisor.post("/v1/audit-plans", body(**change)), 422, slug)
            assert told["pointer"] == pointer
            assert rows(sessions, "audit_plans") == {"audit_plans": 0}
    limit = {"period": {"from": "2027-01-01", "to": "2028-01-01"}}
    ordered(supervisor, **limit)


def test_without_any_site_there_is_nothing_to_plan(supervisor: Door) -> None:
    problem(supervisor.post("/v1/audit-plans", body(places=None)), 422, "no-places")


def test_plans_are_for_those_who_send_inspectors_and_never_for_the_inspected(
    supervisor: Door, door: OpenDoor, exporter: Door
) -> None:
    path = ordered(supervisor)
    for role in (Role.INSPECTOR, Role.AUDITOR):
        problem(door(role).post("/v1/audit-plans", body()), 403, "role-not-allowed")
        assert door(role).get(path).status_code == 200
    for one in (exporter, door(Role.DASHBOARD), door(Role.REVIEWER)):
        for address in ("/v1/audit-plans", path, f"{path}/explain", f"{path}/inputs"):
            problem(one.get(address), 403, "role-not-allowed")
    nothing = "/v1/audit-plans/6f1c7a52-3f0e-4f0b-9c3e-0d7d5f6a1b2c"
    for address in (nothing, f"{nothing}/explain", f"{nothing}/inputs"):
        problem(supervisor.get(address), 404, "plan-unknown")
    problem(supervisor.post(f"{nothing}/repeat"), 404, "plan-unknown")


def test_the_same_order_sent_twice_is_one_plan(supervisor: Door, sessions: Sessions) -> None:
    key = {"Idempotency-Key": "p-1"}
    first = supervisor.post("/v1/audit-plans", body(), headers=key)
    again = supervisor.post("/v1/audit-plans", body(), headers=key)
    assert (again.status_code, again.json()) == (202, first.json())
    assert rows(sessions, "audit_plans") == {"audit_plans": 1}


def test_plans_are_listed_newest_first(supervisor: Door, time: Clock) -> None:
    paths = []
    for _ in range(3):
        time.forward(minutes=1)
        paths.append(ordered(supervisor))
    found = pages(supervisor, "/v1/audit-plans", 2)
    assert [len(page) for page in found] == [2, 1]
    ids = [one["id"] for page in found for one in page]
    assert [f"/v1/audit-plans/{id}" for id in ids] == paths[::-1]


SLEEPS = (sys.executable, "-c", "import time; time.sleep(60)")
BREAKS = (sys.executable, "-c", "raise SystemExit('out of memory')")


def test_a_plan_whose_solver_dies_is_tried_three_times(
    supervisor: Door, sessions: Sessions, time: Clock
) -> None:
    path = ordered(supervisor)
    desk = PlanDesk(sessions, time, BREAKS)
    for _ in range(ATTEMPTS):
        assert supervisor.get(path).json()["state"] == "planned"
        assert desk.tick()
    plan = supervisor.get(path).json()
    assert plan["state"] == "failed"
    assert "out of memory" in plan["trouble"]
    assert plan["seed"] is None
    assert not desk.tick()


def test_a_scheduler_that_stops_gives_its_plan_back_at_once(
    supervisor: Door, sessions: Sessions, time: Clock, desk: PlanDesk
) -> None:
    path = ordered(supervisor)
    stopped = PlanDesk(sessions, time, SLEEPS)
    solving = threading.Thread(target=stopped.tick)
    begun = clock.monotonic()
    solving.start()
    once(lambda: supervisor.get(path).json()["state"] == "solving")
    once(lambda: stopped.busy)
    assert not desk.tick()
    stopped.close()
    solving.join(20)
    assert clock.monotonic() - begun < 20
    assert supervisor.get(path).json()["state"] == "planned"
    assert desk.tick()
    assert supervisor.get(path).json()["state"] == "solved"


def test_a_plan_of_a_scheduler_that_was_killed_is_solved_again(
    supervisor: Door, sessions: Sessions, time: Clock, desk: PlanDesk
) -> None:
    path = ordered(supervisor)
    with sessions() as session:  # as a killed process leaves it
        session.execute(
            text("UPDATE audit_plans SET state = 'solving', attempts = 1, held_until = :until"),
            {"until": time() + HELD},
        )
        session.commit()
    time.forward(seconds=HELD.total_seconds() - 1)
    assert not desk.tick()
    time.forward(seconds=1)
    assert desk.tick()
    assert supervisor.get(path).json()["state"] == "solved"


def test_a_result_that_comes_after_the_hold_was_lost_is_thrown_away(
    supervisor: Door, sessions: Sessions, time: Clock, desk: PlanDesk
) -> None:
    path = ordered(supervisor)
    late = PlanDesk(sessions, time, SLEEPS)
    solving = threading.Thread(target=late.tick)
    solving.start()
    once(lambda: late.busy)
    time.forward(seconds=HELD.total_seconds())
    assert desk.tick()
    before = supervisor.get(path).json()
    late.close()
    solving.join(20)
    assert supervisor.get(path).json() == before
    assert before["state"] == "solved"


def test_several_desks_share_what_waits(supervisor: Door, sessions: Sessions, time: Clock) -> None:
    paths = [ordered(supervisor) for _ in range(2)]
    desks = [threading.Thread(target=PlanDesk(sessions, time).tick) for _ in range(3)]
    for one in desks:
        one.start()
    for one in desks:
        one.join(60)
    assert {supervisor.get(path).json()["state"] for path in paths} == {"solved"}
    with sessions() as session:
        assert session.scalars(text("SELECT attempts FROM audit_plans")).all() == [1, 1]
