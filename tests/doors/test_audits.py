"""End-use checks through the doors: by whom, when, twice, late, at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.access import service as access
from app.access.rules import Role
from app.audits import looking
from app.audits.rules import Reason
from app.database import Sessions
from app.journal.sequencer import Sequencer
from app.obligations import service as obligations
from app.parties import standings
from app.parties.rules import Standing
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import pages, problem
from tests.evidence import good
from tests.evidence.handing_in import accepted, digest_of, put
from tests.world import condition

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
RECEIPT = good.pdf("Received.")
DIGEST, NOT_HANDED_IN = digest_of(RECEIPT), f"sha256:{'9f' * 32}"


def rows(sessions: Sessions, query: str) -> list[Any]:
    with sessions() as session:
        return list(session.execute(text(query)))


class Staff:
    """Everybody who has to do with a check."""

    def __init__(self, door: OpenDoor) -> None:
        self.ada, self.ben = door(Role.INSPECTOR), door(Role.INSPECTOR)
        self.officer = door(Role.LICENSING_OFFICER)
        self.reviewer, self.other = door(Role.REVIEWER), door(Role.REVIEWER)
        self.supervisor = door(Role.SUPERVISOR)
        self.exporter = door(Role.EXPORTER, "NORDLICHT")
        self.auditor, self.dashboard = door(Role.AUDITOR), door(Role.DASHBOARD)


class Check:
    """One check and its doors."""

    def __init__(self, staff: Staff, body: dict[str, Any]) -> None:
        self.staff = staff
        self.id, self.number, self.license = body["id"], body["number"], body["license"]
        self.path = f"/v1/audits/{self.id}"

    def post(self, door: Door, step: str, **body: Any) -> dict[str, Any]:
        answer = door.post(f"{self.path}/{step}", body)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def refused(self, door: Door, step: str, status: int, kind: str, **body: Any) -> dict[str, Any]:
        return dict(problem(door.post(f"{self.path}/{step}", body), status, kind))

    def shown(self, door: Door | None = None) -> dict[str, Any]:
        answer = (door or self.staff.auditor).get(self.path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def inspection(self, door: Door, at: datetime, **more: Any) -> str:
        """File what was seen of units FR-1 and FR-2."""
        seen = {"access_granted": True, "sighted_serials": ["FR-1", "FR-2", "FR-99"]}
        said = [{"subject": {"site": "NBO-T1"}, "facts": seen}]
        body = {
            "kind": "inspection",
            "license": self.license,
            "reference": f"INS-{uuid4().hex[:8]}",
            "observed_at": at.isoformat(),
            "mode": "physical",
            "statements": said,
        } | more
        answer = door.post("/v1/reports", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def reported(self, at: datetime, **more: Any) -> dict[str, Any]:
        """Ada makes the check, from acceptance to report."""
        ada = self.staff.ada
        self.post(ada, "acceptance")
        self.post(self.staff.officer, "notification")
        self.post(ada, "start")
        return self.post(ada, "report", reports=[self.inspection(ada, at)], **more)


Plan = Callable[..., Check]


@pytest.fixture
def staff(door: OpenDoor, time: Clock) -> Staff:
    """Everybody, when the reviewer has handed in what shows a receipt."""
    time.now = START
    staff = Staff(door)
    assert accepted(staff.reviewer, RECEIPT) == DIGEST
    return staff


@pytest.fixture
def number(staff: Staff, make_license: MakeLicense) -> str:
    """A license with two days of notice and two visits a year, and three units."""
    right = condition("audit_right", notice_hours=48, max_per_year=2)
    return str(make_license(right, serials=("FR-1", "FR-2", "FR-3"))["number"])


def body(number: str, **more: Any) -> dict[str, Any]:
    return {
        "license": number,
        "mode": "physical",
        "planned_for": "2026-05-11",
        "site": "NBO-T1",
        "note": "They were told by somebody.",
    } | more


@pytest.fixture
def plan(staff: Staff, number: str) -> Plan:
    def make(door: Door | None = None, **more: Any) -> Check:
        answer = (door or staff.officer).post("/v1/audits", body(number, **more))
        assert answer.status_code == 201, answer.text
        return Check(staff, answer.json())

    return make


@pytest.fixture
def check(plan: Plan) -> Check:
    return plan()


def test_a_check_is_planned_of_the_end_user_and_shown_whole(check: Check, number: str) -> None:
    shown = check.shown()
    assert shown["number"] == "CHK-2026-00001"
    assert shown["state"] == "planned"
    assert (shown["license"], shown["party"], shown["site"]) == (number, "KE-BCA", "NBO-T1")
    assert shown["responsible"] == check.staff.officer.actor.key
    assert [step["step"] for step in shown["steps"]] == ["planned"]
    assert shown["assignee"] is shown["notified_at"] is shown["outcome"] is None


def test_numbers_are_without_gaps_also_after_a_refusal(
    plan: Plan, staff: Staff, number: str
) -> None:
    assert plan().number == "CHK-2026-00001"
    problem(staff.officer.post("/v1/audits", body(number, site="NOWHERE")), 422, "site-unknown")
    assert plan().number == "CHK-2026-00002"


def test_a_check_from_plan_to_close(check: Check, time: Clock) -> None:
    staff = check.staff
    assert check.post(staff.officer, "assignment", to=staff.ada.actor.key)["state"] == "planned"
    check.post(staff.ada, "acceptance")
    check.post(staff.ada, "notification")
    time.forward(days=7)
    assert check.post(staff.ada, "start")["state"] == "in_progress"
    delivered = staff.exporter.post(
        "/v1/deliveries",
        {
            "license": check.license,
            "reference": "DEL-1",
            "shipment": "SHIP-1",
            "arrived_on": "2026-03-20",
            "quantity": "3",
        },
    )
    assert delivered.status_code == 201, delivered.text
    report = check.inspection(staff.ada, time())
    told = check.post(staff.ada, "report", reports=[report], receipt={"delivery": "DEL-1"})
    assert told["state"] == "reported"
    rating = {"outcome": "favorable", "ground": "All as licensed."}
    assert check.post(staff.reviewer, "outcome", **rating)["state"] == "under_review"
    assert check.post(staff.reviewer, "closing")["state"] == "closed"
    shown = check.shown()
    assert (shown["units_expected"], shown["units_sighted"]) == (3, 2)
    assert (shown["mode_carried_out"], shown["receipt_delivery"]) == ("physical", "DEL-1")
    assert (shown["outcome"], shown["waived_by"]) == ("favorable", None)
    assert [one["report"] for one in shown["reports"]] == [report]
    assert [step["step"] for step in shown["steps"]] == [
        "planned",
        "assigned",
        "accepted",
        "notified",
        "started",
        "reported",
        "rated",
        "closed",
    ]


def test_every_change_is_in_the_journal_without_notes(
    check: Check, time: Clock, sessions: Sessions
) -> None:
    check.reported(time())
    check.post(check.staff.reviewer, "outcome", outcome="inconclusive", ground="x", note="Hush.")
    found = rows(
        sessions,
        "SELECT action, party, body::text FROM journal_pending WHERE subject LIKE 'audit:%'"
        " ORDER BY id",
    )
    own = [action for action, party, _ in found if party is None]
    assert own == [
        f"audit.{step}"
        for step in ("planned", "accepted", "notified", "started", "reported", "rated")
    ]
    assert [action for action, party, _ in found if party == "NORDLICHT"] == ["audit.told"] * 3
    assert not any("Hush" in body or "told by somebody" in body for *_, body in found)


def test_an_exporter_learns_of_a_check_when_it_is_announced_and_of_nothing_internal(
    check: Check, sequencer: Sequencer, time: Clock
) -> None:
    staff, exporter = check.staff, check.staff.exporter

    def told() -> list[dict[str, Any]]:
        sequencer.tick()
        entries = exporter.get("/v1/journal?limit=500").json()["items"]
        return [one for one in entries if one["subject"].startswith("audit:")]

    check.post(staff.ada, "acceptance")
    assert exporter.get("/v1/audits").json()["items"] == []
    unknown = exporter.get(f"/v1/audits/{uuid4()}")
    hidden = exporter.get(check.path)
    assert problem(hidden, 404, "audit-unknown") | {"detail": ""} == unknown.json() | {"detail": ""}
    assert told() == []
    check.post(staff.ada, "notification", note="By telephone.")
    (item,) = exporter.get("/v1/audits").json()["items"]
    shown = check.shown(exporter)
    assert item == {name: value for name, value in shown.items() if name != "actions"}
    assert set(shown) == {
        *("id", "number", "license", "mode", "partner", "state", "site", "party", "planned_for"),
        *("notified_at", "started_at", "reported_at", "closed_at", "outcome", "reasons", "actions"),
    }
    assert [one["body"]["state"] for one in told()] == ["notified"]
    time.forward(days=7)
    check.post(staff.ada, "start")
    check.post(staff.ada, "report", reports=[check.inspection(staff.ada, time())])
    check.post(staff.reviewer, "outcome", outcome="unfavorable", reasons=["diversion"], ground="x")
    check.post(staff.reviewer, "actions", text="Ask the neighbors.")
    check.post(staff.reviewer, "actions", text="Return the units.", for_party=True)
    shown = check.shown(exporter)
    assert (shown["state"], shown["outcome"], shown["reasons"]) == ("under_review", None, [])
    assert [one["text"] for one in shown["actions"]] == ["Return the units."]


def test_another_exporter_never_sees_a_check(check: Check, door: OpenDoor) -> None:
    other = door(Role.EXPORTER, "KE-BCA")
    check.post(check.staff.officer, "notification")
    problem(other.get(check.path), 404, "audit-unknown")
    assert other.get("/v1/audits").json()["items"] == []


def test_a_check_that_could_not_be_made_before_it_was_announced_stays_unknown(check: Check) -> None:
    check.post(check.staff.officer, "unable", cause="authority", ground="No visa in time.")
    problem(check.staff.exporter.get(check.path), 404, "audit-unknown")
    assert check.shown()["unresolved_since"] is None


def test_everybody_of_the_authority_who_reads_filings_reads_checks(check: Check) -> None:
    for one in (check.staff.auditor, check.staff.dashboard, check.staff.ben, check.staff.reviewer):
        assert check.shown(one)["note"] == "They were told by somebody."


def test_checks_are_listed_newest_first_by_pages_and_what_is_asked(
    plan: Plan, staff: Staff, time: Clock
) -> None:
    checks = []
    for mode in ("documentary", "documentary", "physical"):
        checks.append(plan(mode=mode))
        time.forward(minutes=1)
    checks[0].post(staff.ada, "acceptance")
    found = [[one["number"] for one in page] for page in pages(staff.auditor, "/v1/audits", 2)]
    assert found == [["CHK-2026-00003", "CHK-2026-00002"], ["CHK-2026-00001"]]

    def numbers(query: str) -> list[str]:
        return [one["number"] for one in staff.auditor.get(f"/v1/audits?{query}").json()["items"]]

    assert numbers("mode=physical") == ["CHK-2026-00003"]
    assert numbers(f"assignee={staff.ada.actor.key}") == ["CHK-2026-00001"]
    assert numbers("state=planned&state=closed") == found[0] + found[1]
    assert numbers("state=closed") == []
    assert numbers("before=2026-05-11") == []
    assert numbers("license=BX-NONE") == []


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"mode": "telepathy"}, "/mode"),
        ({"planned_for": "soon"}, "/planned_for"),
        ({"mode": "delegated"}, ""),
        ({"partner": "Customs of Kenya"}, ""),
        ({"site": "MOMBASA"}, "/site"),
        ({"party": "ACME"}, "/party"),
        ({"planned_for": "2026-05-03"}, "/planned_for"),
        ({"surprise": True}, "/surprise"),
        ({"note": ""}, "/note"),
    ],
)
def test_a_plan_that_cannot_be_names_the_field(
    staff: Staff, number: str, given: dict[str, Any], pointer: str
) -> None:
    answer = staff.officer.post("/v1/audits", body(number, **given))
    assert answer.status_code == 422, answer.text
    told = answer.json()
    named = [told.get("pointer"), *(one["pointer"] for one in told.get("errors", ()))]
    assert pointer in named, told


def test_a_delegated_check_names_its_partner_and_is_reported_by_what_it_says(
    plan: Plan, staff: Staff, time: Clock
) -> None:
    check = plan(mode="delegated", partner="Customs of Kenya", party="NORDLICHT")
    check.post(staff.ada, "acceptance")
    check.post(staff.ada, "notification")
    word = check.inspection(staff.officer, time(), kind="third_party", mode="documentary")
    check.post(staff.ada, "report", reports=[word])
    shown = check.shown()
    assert (shown["partner"], shown["party"]) == ("Customs of Kenya", "NORDLICHT")
    assert shown["mode_carried_out"] == "delegated"


# Notice and yearly limits


def test_a_visit_is_not_planned_inside_the_notice(staff: Staff, number: str, time: Clock) -> None:
    """48 hours from 8:00 on 4 May lie before the end of 6 May in Nairobi, after the end of 5 May."""
    refused = problem(
        staff.officer.post("/v1/audits", body(number, planned_for="2026-05-05")),
        409,
        "notice-too-short",
    )
    assert refused["pointer"] == "/planned_for"
    assert refused["earliest"] == "2026-05-06T08:00:00+00:00"
    assert staff.officer.post("/v1/audits", body(number, planned_for="2026-05-06")).is_success


def test_a_supervisor_overrides_with_a_ground_and_nobody_else(staff: Staff, number: str) -> None:
    soon = body(number, planned_for="2026-05-05", override={"ground": "Units are being moved."})
    for one in (staff.officer, staff.ada):
        told = problem(one.post("/v1/audits", soon), 403, "override-not-yours")
        assert told["pointer"] == "/override"
    made = staff.supervisor.post("/v1/audits", soon).json()
    assert made["override_by"] == staff.supervisor.actor.key
    assert made["override_ground"] == "Units are being moved."


def test_a_check_by_right_comes_unannounced(plan: Plan, staff: Staff, time: Clock) -> None:
    check = plan(planned_for="2026-05-04", unannounced_right="Decree 12, section 3")
    check.post(staff.ada, "acceptance")
    check.post(staff.ada, "start")
    shown = check.shown(staff.exporter)
    assert (shown["state"], shown["notified_at"]) == ("in_progress", None)


def test_what_must_be_announced_is_not_begun_nor_refused_before(check: Check) -> None:
    ada = check.staff.ada
    check.post(ada, "acceptance")
    check.refused(ada, "start", 409, "not-announced")
    check.refused(ada, "refusal", 409, "not-announced", ground="The door stayed shut.")


def test_the_year_has_as_many_visits_as_the_license_says(
    plan: Plan, staff: Staff, number: str
) -> None:
    plan()
    second = plan()
    refused = problem(staff.officer.post("/v1/audits", body(number)), 409, "too-many-visits")
    assert refused["visits"] == 2
    right = body(number, unannounced_right="Decree 12, section 3")
    problem(staff.officer.post("/v1/audits", right), 409, "too-many-visits")
    assert plan(mode="documentary").number == "CHK-2026-00003"
    assert plan(planned_for="2027-01-04").shown()["state"] == "planned"
    second.post(staff.officer, "unable", cause="authority", ground="Ill.")
    third = plan()
    second.refused(staff.officer, "notification", 409, "too-many-visits")
    third.post(staff.officer, "notification")
    over = {"override": {"ground": "The last two were cut short."}}
    second.post(staff.supervisor, "notification", **over)
    assert second.shown()["override_by"] == staff.supervisor.actor.key


def test_the_notice_of_the_license_in_force_on_the_day_counts(
    staff: Staff, make_license: MakeLicense
) -> None:
    now = {"effective_from": "2026-03-02T00:00:00Z", "effective_to": "2026-05-05T12:00:00Z"}
    number = make_license(condition("audit_right", notice_hours=48, _=now))["number"]
    problem(
        staff.officer.post("/v1/audits", body(number, planned_for="2026-05-05")),
        409,
        "notice-too-short",
    )
    later = body(number, planned_for="2026-05-06")
    assert staff.officer.post("/v1/audits", later).is_success


def test_announcing_too_late_moves_the_visit(check: Check, time: Clock) -> None:
    officer = check.staff.officer
    time.now = datetime(2026, 5, 10, 12, tzinfo=UTC)
    check.refused(officer, "notification", 409, "notice-too-short")
    check.refused(officer, "notification", 422, "day-past", planned_for="2026-05-09")
    check.post(officer, "notification", planned_for="2026-05-13")
    assert check.shown()["planned_for"] == "2026-05-13"
    earlier = "2026-05-08T09:00:00Z"
    check.post(officer, "notification", at=earlier, planned_for="2026-05-12")
    assert check.shown()["planned_for"] == "2026-05-13"


# Whose it is


def test_only_the_assignee_makes_a_check(check: Check, time: Clock) -> None:
    staff = check.staff
    check.post(staff.officer, "assignment", to=staff.ada.actor.key)
    told = check.refused(staff.ben, "acceptance", 403, "not-offered")
    assert staff.ada.actor.key in told["detail"]
    check.refused(staff.ada, "notification", 403, "not-assignee")
    check.post(staff.ada, "acceptance")
    check.post(staff.officer, "notification")
    report = check.inspection(staff.ben, time())
    steps: dict[str, dict[str, Any]] = {
        "start": {},
        "refusal": {"ground": "No."},
        "unable": {"cause": "party", "ground": "No."},
        "report": {"reports": [report]},
        "handover": {"to": staff.ada.actor.key},
        "notification": {},
    }
    for step, more in steps.items():
        told = check.refused(staff.ben, step, 403, "not-assignee", **more)
        assert told["responsible"] == staff.ada.actor.key
    check.post(staff.ada, "start")
    check.refused(staff.ben, "actions", 403, "not-assignee", text="Come again.")
    check.post(staff.ada, "actions", text="Come again.")


def test_a_check_is_offered_to_inspectors_only(check: Check, sessions: Sessions) -> None:
    staff = check.staff
    check.post(staff.ada, "acceptance")
    for to in ("nobody", staff.reviewer.actor.key):
        for one, step in ((staff.officer, "assignment"), (staff.ada, "handover")):
            assert check.refused(one, step, 422, "inspector-unknown", to=to)["pointer"] == "/to"
    with sessions.begin() as session:
        access.revoke(session, staff.ben.actor.key, now=START)
    check.refused(staff.ada, "handover", 422, "inspector-unknown", to=staff.ben.actor.key)
    check.refused(staff.officer, "assignment", 409, "already-theirs", to=staff.ada.actor.key)


def test_somebody_is_responsible_at_every_moment_of_a_handover(check: Check) -> None:
    staff = check.staff
    responsible = [check.shown()["responsible"]]
    for door, step, more in (
        (staff.ada, "acceptance", {}),
        (staff.ada, "handover", {"to": staff.ben.actor.key}),
        (staff.ben, "acceptance", {}),
    ):
        responsible.append(check.post(door, step, **more)["responsible"])
    officer, ada, ben = (one.actor.key for one in (staff.officer, staff.ada, staff.ben))
    assert responsible == [officer, ada, ada, ben]


def test_two_inspectors_accept_at_once_and_one_has_it(check: Check) -> None:
    staff = check.staff
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(
                lambda one: (one.actor.key, one.post(f"{check.path}/acceptance", {})),
                (staff.ada, staff.ben),
            )
        )
    assert sorted(answer.status_code for _, answer in answers) == [201, 409]
    (winner,) = (key for key, answer in answers if answer.status_code == 201)
    (other,) = (answer for _, answer in answers if answer.status_code == 409)
    assert problem(other, 409, "already-accepted")["assignee"] == winner
    assert check.shown()["assignee"] == winner


def test_two_plans_at_once_keep_the_yearly_limit(plan: Plan, staff: Staff, number: str) -> None:
    plan()
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(
                lambda one: one.post("/v1/audits", body(number)), (staff.officer, staff.supervisor)
            )
        )
    assert sorted(answer.status_code for answer in answers) == [201, 409]


# Late, and twice


def test_what_was_written_down_without_network_takes_its_own_place(
    check: Check, time: Clock
) -> None:
    staff = check.staff
    check.post(staff.ada, "acceptance")
    check.post(staff.officer, "notification")
    time.now = datetime(2026, 5, 11, 20, tzinfo=UTC)
    at = {hour: f"2026-05-11T{hour:02}:00:00Z" for hour in range(24)}
    report = check.inspection(staff.ada, datetime(2026, 5, 11, 10, tzinfo=UTC))
    check.post(staff.ada, "report", reports=[report], at=at[12])
    check.post(staff.ada, "start", at=at[9])
    shown = check.shown()
    assert (shown["state"], shown["started_at"]) == ("reported", at[9])
    assert [step["step"] for step in shown["steps"]][-2:] == ["started", "reported"]
    assert {step["recorded_at"] for step in shown["steps"][-2:]} == {at[20]}


def test_a_report_of_the_morning_counts_after_the_check_was_handed_over(
    check: Check, time: Clock
) -> None:
    staff = check.staff
    check.post(staff.ada, "acceptance")
    check.post(staff.officer, "notification")
    time.now = noon = datetime(2026, 5, 11, 12, tzinfo=UTC)
    check.post(staff.ada, "handover", to=staff.ben.actor.key)
    check.post(staff.ben, "acceptance")
    time.forward(hours=8)
    reports = [check.inspection(staff.ada, noon - timedelta(hours=2))]
    late = {"reports": reports, "at": (noon + timedelta(hours=1)).isoformat()}
    check.refused(staff.ada, "report", 403, "not-assignee", **late)
    told = check.post(
        staff.ada, "report", reports=reports, at=(noon - timedelta(hours=1)).isoformat()
    )
    assert (told["state"], told["responsible"]) == ("reported", staff.ben.actor.key)


def test_nothing_is_done_in_the_future_or_before_the_check_was_planned(
    check: Check, time: Clock
) -> None:
    ada = check.staff.ada
    ahead = (time() + timedelta(minutes=11)).isoformat()
    assert check.refused(ada, "acceptance", 422, "not-yet-come", at=ahead)["pointer"] == "/at"
    early = (time() - timedelta(minutes=11)).isoformat()
    assert check.refused(ada, "acceptance", 409, "step-out-of-turn", at=early)["pointer"] == "/at"
    slow = (time() - timedelta(minutes=10)).isoformat()
    assert check.post(ada, "acceptance", at=slow)["at"] == time().isoformat().replace("+00:00", "Z")


def test_the_same_step_sent_again_gets_the_same_answer(check: Check, time: Clock) -> None:
    staff = check.staff
    first = staff.ada.post(f"{check.path}/acceptance", {"reference": "A-1"})
    check.post(staff.officer, "notification")
    time.forward(days=1)
    again = staff.ada.post(f"{check.path}/acceptance", {"reference": "A-1"})
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    for door, step, more in (
        (staff.ada, "acceptance", {"note": "Other words."}),
        (staff.ada, "start", {}),
        (staff.ben, "acceptance", {}),
    ):
        told = check.refused(door, step, 409, "reference-taken", reference="A-1", **more)
        assert told["pointer"] == "/reference"
    assert len(check.shown()["steps"]) == 3


def test_every_step_may_be_sent_twice(plan: Plan, time: Clock) -> None:
    check = plan()
    staff, seen = check.staff, list[str]()

    def twice(door: Door, step: str, **more: Any) -> None:
        sent = more | {"reference": f"R-{len(seen)}"}
        answers = [door.post(f"{check.path}/{step}", sent) for _ in range(2)]
        assert [one.status_code for one in answers] == [201, 201], answers[-1].text
        assert answers[0].json() == answers[1].json()
        seen.append(step)

    twice(staff.officer, "assignment", to=staff.ada.actor.key)
    twice(staff.ada, "acceptance")
    twice(staff.officer, "notification")
    twice(staff.ada, "start")
    twice(staff.ada, "unable", cause="circumstances", ground="Flood.")
    twice(staff.ada, "start")
    twice(staff.ada, "refusal", ground="They sent us away.")
    twice(staff.ada, "start")
    twice(staff.ada, "handover", to=staff.ben.actor.key)
    twice(staff.ben, "acceptance")
    twice(staff.ben, "report", reports=[check.inspection(staff.ben, time())])
    twice(staff.reviewer, "actions", text="Write to them.")
    twice(staff.officer, "actions/1/done", account="Written.")
    twice(staff.reviewer, "actions", text="Write again.")
    twice(staff.other, "actions/2/waiver", ground="Not needed.")
    twice(staff.reviewer, "outcome", outcome="inconclusive", ground="They hesitated.")
    twice(staff.reviewer, "closing", receipt={"digest": DIGEST})
    shown = check.shown()
    assert len(shown["steps"]) == len(seen) + 1
    assert (len(shown["actions"]), len(shown["ratings"])) == (2, 1)


def test_a_reference_is_about_one_action(check: Check) -> None:
    staff = check.staff
    for name in ("First.", "Second."):
        check.post(staff.reviewer, "actions", text=name)
    done = {"account": "Done.", "reference": "D-1"}
    check.post(staff.officer, "actions/1/done", **done)
    check.refused(staff.officer, "actions/2/done", 409, "reference-taken", **done)


def test_planning_with_a_key_happens_once(staff: Staff, number: str) -> None:
    headers = {"Idempotency-Key": "plan-1"}
    answers = [staff.officer.post("/v1/audits", body(number), headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(staff.auditor.get("/v1/audits").json()["items"]) == 1


# Reports, rating, closing


def test_a_report_belongs_to_one_check_of_its_own_license_and_time(
    plan: Plan, staff: Staff, make_license: MakeLicense, time: Clock
) -> None:
    check, other = plan(), plan()
    for one in (check, other):
        one.post(staff.ada, "acceptance")
        one.post(staff.officer, "notification")
    report = check.inspection(staff.ada, time())
    check.post(staff.ada, "report", reports=[report])
    told = other.refused(staff.ada, "report", 409, "report-taken", reports=[report])
    assert told["check"] == check.number
    elsewhere = Check(staff, {"id": "", "number": "", "license": make_license()["number"]})
    elsewhere.license = str(make_license()["number"])
    attested = staff.exporter.post(
        "/v1/reports",
        {
            "kind": "attestation",
            "license": check.license,
            "reference": "ATT",
            "observed_at": time().isoformat(),
            "statements": [{"subject": {"serial": "FR-1"}, "facts": {"country": "KE"}}],
        },
    ).json()["id"]
    strange = {
        "another license": staff.ada.post(
            "/v1/reports",
            {
                "kind": "inspection",
                "license": elsewhere.license,
                "reference": "INS",
                "observed_at": time().isoformat(),
                "statements": [{"subject": {"site": "NBO-T1"}, "facts": {"access_granted": True}}],
            },
        ).json()["id"],
        "another kind": attested,
        "nothing": str(uuid4()),
        "before the check": other.inspection(staff.ada, time() - timedelta(minutes=11)),
    }
    good = other.inspection(staff.ada, time())
    for one in strange.values():
        told = other.refused(staff.ada, "report", 422, "report-unfit", reports=[good, one])
        assert told["pointer"] == "/reports/1"
    assert other.shown()["reports"] == []
    assert other.shown()["state"] == "notified"


def test_what_the_reports_cover_is_counted_unless_it_is_told(check: Check, time: Clock) -> None:
    staff = check.staff
    check.reported(time())
    third = {"statements": [{"subject": {"serial": "FR-3"}, "facts": {"country": "KE"}}]}
    check.post(staff.ada, "report", reports=[check.inspection(staff.ada, time(), **third)])
    assert check.shown()["units_sighted"] == 3
    counted = {"units_expected": 2, "units_sighted": 1}
    more = [check.inspection(staff.ada, time())]
    check.post(staff.ada, "report", reports=more, coverage=counted, mode="remote_video")
    check.post(staff.ada, "report", reports=[check.inspection(staff.ada, time())])
    shown = check.shown()
    assert (shown["units_expected"], shown["units_sighted"]) == (2, 1)
    assert (shown["mode"], shown["mode_carried_out"]) == ("physical", "remote_video")
    too_many = {"units_expected": 1, "units_sighted": 2}
    check.refused(staff.ada, "report", 422, "fields-invalid", reports=more, coverage=too_many)
    gone = {"receipt": {"delivery": "DEL-9"}, "reports": [check.inspection(staff.ada, time())]}
    told = check.refused(staff.ada, "report", 422, "delivery-unknown", **gone)
    assert told["pointer"] == "/receipt/delivery"


def test_where_units_were_drawn_the_drawn_ones_are_expected(check: Check, time: Clock) -> None:
    staff = check.staff
    check.post(staff.ada, "acceptance")
    check.post(staff.officer, "notification")
    check.post(staff.ada, "sample", missing=2, probability="0.6")
    drawn = staff.ada.post(f"{check.path}/sample/reveal").json()["drawn"]
    assert len(drawn) == 1
    seen = {"statements": [{"subject": {"serial": drawn[0]}, "facts": {"country": "KE"}}]}
    check.post(staff.ada, "report", reports=[check.inspection(staff.ada, time(), **seen)])
    shown = check.shown()
    assert (shown["units_expected"], shown["units_sighted"]) == (1, 1)


def test_a_check_closes_only_whole_or_waived_by_a_second_person(check: Check, time: Clock) -> None:
    staff = check.staff
    check.reported(time())
    check.refused(staff.reviewer, "closing", 409, "step-out-of-turn")
    check.post(staff.reviewer, "outcome", outcome="favorable", ground="As licensed.")
    told = check.refused(staff.reviewer, "closing", 409, "not-whole")
    assert told["missing"] == ["evidence of receipt"]
    waiver = {"waiver": {"ground": "Receipt was shown at the check of 2025."}}
    check.refused(staff.reviewer, "closing", 409, "second-person-needed", **waiver)
    assert check.post(staff.other, "closing", **waiver)["state"] == "closed"
    shown = check.shown()
    assert shown["waived_by"] == staff.other.actor.key
    seen = check.shown(staff.exporter)
    assert (seen["outcome"], seen["state"]) == ("favorable", "closed")


@pytest.mark.parametrize("handed_in", [NOT_HANDED_IN, digest_of(b"MZ")])
def test_a_step_names_only_files_that_were_handed_in_and_not_rejected(
    handed_in: str, check: Check, time: Clock
) -> None:
    staff, kind = check.staff, "evidence-not-handed-in"
    assert put(staff.ada, b"MZ").json()["state"] == "rejected"
    files, receipt = [DIGEST, handed_in], {"digest": handed_in}
    check.post(staff.ada, "acceptance")
    check.post(staff.officer, "notification")
    told = check.refused(staff.ada, "refusal", 422, kind, ground="Shut.", evidence=files)
    assert told["pointer"] == "/evidence/1"
    absent = {"cause": "circumstances", "ground": "Flood.", "evidence": files}
    told = check.refused(staff.ada, "unable", 422, kind, **absent)
    assert told["pointer"] == "/evidence/1"
    report = [check.inspection(staff.ada, time())]
    check.post(staff.ada, "start")
    told = check.refused(staff.ada, "report", 422, kind, reports=report, receipt=receipt)
    assert told["pointer"] == "/receipt/digest"
    check.post(staff.ada, "report", reports=report)
    check.post(staff.reviewer, "outcome", outcome="favorable", ground="As licensed.")
    told = check.refused(staff.reviewer, "closing", 422, kind, receipt=receipt)
    assert told["pointer"] == "/receipt/digest"
    check.post(staff.reviewer, "closing", receipt={"digest": DIGEST})


def test_a_waiver_of_nothing_is_none(check: Check, time: Clock) -> None:
    check.reported(time(), receipt={"digest": DIGEST})
    check.post(check.staff.reviewer, "outcome", outcome="favorable", ground="As licensed.")
    check.post(check.staff.reviewer, "closing", waiver={"ground": "To be sure."})
    assert check.shown()["waived_by"] is None


def test_a_check_nobody_made_is_not_favorable_and_closes_only_by_a_waiver(check: Check) -> None:
    staff = check.staff
    check.post(staff.supervisor, "unable", cause="authority", ground="The license was returned.")
    good = {"outcome": "favorable", "ground": "Why not."}
    check.refused(staff.reviewer, "outcome", 409, "outcome-unfounded", **good)
    check.post(staff.reviewer, "outcome", outcome="inconclusive", ground="Nothing was seen.")
    all_of_it = {
        "mode": "physical",
        "coverage": {"units_expected": 3, "units_sighted": 3},
        "receipt": {"digest": DIGEST},
    }
    told = check.refused(staff.reviewer, "closing", 409, "not-whole", **all_of_it)
    assert told["missing"] == ["mode"]
    check.post(staff.other, "closing", **all_of_it, waiver={"ground": "Nothing is left."})


def test_the_database_itself_keeps_a_check_from_closing_unfinished(
    check: Check, sessions: Sessions, time: Clock
) -> None:
    check.reported(time())
    check.post(check.staff.reviewer, "outcome", outcome="favorable", ground="As licensed.")
    rater = check.staff.reviewer.actor.key
    for change, name in {
        "state = 'closed'": "closed_whole",
        f"waived_by = '{rater}', waiver_ground = 'x'": "second_person",
        f"waived_by = '{check.staff.ada.actor.key}', waiver_ground = 'x'": "second_person",
        "units_sighted = 4": "coverage",
        "mode = 'delegated'": "delegated_to",
    }.items():
        with sessions() as session, pytest.raises(IntegrityError, match=f"ck_audits_{name}"):
            session.execute(text(f"UPDATE audits SET {change}"))


def test_steps_reports_and_ratings_are_only_ever_added(
    check: Check, owners: Sessions, time: Clock
) -> None:
    check.reported(time())
    check.post(check.staff.reviewer, "outcome", outcome="favorable", ground="As licensed.")
    for table in ("audit_steps", "audit_ratings", "audit_reports"):
        for change in (f"UPDATE {table} SET audit_id = audit_id", f"DELETE FROM {table}"):
            with owners() as session, pytest.raises(IntegrityError, match=table):
                session.execute(text(change))


@pytest.mark.parametrize(
    "given",
    [
        {"outcome": "unfavorable"},
        {"outcome": "unfavorable", "reasons": []},
        {"outcome": "favorable", "reasons": ["diversion"]},
        {"outcome": "inconclusive", "reasons": ["diversion"]},
        {"outcome": "unfavorable", "reasons": ["diversion", "diversion"]},
        {"outcome": "unfavorable", "reasons": ["bad_mood"]},
        {"outcome": "splendid"},
    ],
)
def test_an_unfavorable_outcome_has_reasons_and_no_other_has(
    check: Check, given: dict[str, Any]
) -> None:
    check.refused(check.staff.reviewer, "outcome", 422, "fields-invalid", ground="x", **given)


def test_there_are_ten_reasons_and_all_may_be_given(check: Check, time: Clock) -> None:
    check.reported(time())
    reasons = [str(reason) for reason in Reason]
    assert len(reasons) == 10
    check.post(
        check.staff.reviewer, "outcome", outcome="unfavorable", reasons=reasons, ground="All of it."
    )
    assert check.shown()["reasons"] == reasons


def test_a_changed_rating_is_a_new_version_also_after_closing(check: Check, time: Clock) -> None:
    staff = check.staff
    check.reported(time(), receipt={"digest": DIGEST})
    check.post(staff.reviewer, "outcome", outcome="favorable", ground="As licensed.")
    check.post(staff.reviewer, "closing")
    changed = {"outcome": "unfavorable", "reasons": ["stockpiling"], "ground": "A second store."}
    assert check.post(staff.supervisor, "outcome", **changed)["state"] == "closed"
    shown = check.shown()
    assert [(one["version"], one["outcome"], one["rated_by"]) for one in shown["ratings"]] == [
        (1, "favorable", staff.reviewer.actor.key),
        (2, "unfavorable", staff.supervisor.actor.key),
    ]
    assert (shown["outcome"], shown["reasons"]) == ("unfavorable", ["stockpiling"])


def test_a_report_after_the_rating_asks_for_another_rating(check: Check, time: Clock) -> None:
    staff = check.staff
    check.reported(time(), receipt={"digest": DIGEST})
    rating = {"outcome": "favorable", "ground": "As licensed."}
    check.post(staff.reviewer, "outcome", **rating)
    late = (time() - timedelta(minutes=0)).isoformat()
    check.post(staff.ada, "report", reports=[check.inspection(staff.ada, time())], at=late)
    check.refused(staff.reviewer, "closing", 409, "evidence-unrated")
    check.post(staff.reviewer, "outcome", **rating)
    check.post(staff.reviewer, "closing")
    assert len(check.shown()["ratings"]) == 2


def test_actions_keep_a_check_open_until_done_or_waived_by_a_second_person(
    check: Check, time: Clock
) -> None:
    staff = check.staff
    check.reported(time(), receipt={"digest": DIGEST})
    for name in ("Seal the ports.", "Come again."):
        check.post(staff.reviewer, "actions", text=name, due_on="2026-06-01")
    check.post(staff.reviewer, "outcome", outcome="favorable", ground="As licensed.")
    told = check.refused(staff.reviewer, "closing", 409, "actions-open")
    assert told["actions"] == [1, 2]
    waiver = {"waiver": {"ground": "Enough."}}
    check.refused(staff.other, "closing", 409, "actions-open", **waiver)
    assert check.post(staff.ada, "actions/1/done", account="Sealed.")["action"] == 1
    check.refused(staff.reviewer, "actions/2/waiver", 409, "second-person-needed", ground="No.")
    check.post(staff.other, "actions/2/waiver", ground="It is on next year's plan.")
    for step in ("actions/1/done", "actions/2/done"):
        check.refused(staff.officer, step, 409, "action-ended", account="Again.")
    check.refused(staff.other, "actions/1/waiver", 409, "action-ended", ground="Again.")
    check.refused(staff.officer, "actions/3/done", 404, "action-unknown", account="What?")
    check.post(staff.reviewer, "closing")
    assert [one["state"] for one in check.shown()["actions"]] == ["done", "waived"]
    check.refused(staff.reviewer, "actions", 409, "step-out-of-turn", text="Too late.")


def test_what_a_check_fulfills_is_linked(
    staff: Staff, make_license: MakeLicense, time: Clock, sessions: Sessions
) -> None:
    """The serial inventory of the site was owed, and came with the inspection."""
    owed = condition("serial_inventory", initial_within_days=90, every_days=365)
    number = make_license(owed, serials=("FR-1", "FR-2"))["number"]
    obligations.attend_around(sessions, now=time())
    check = Check(staff, staff.officer.post("/v1/audits", body(number)).json())
    check.post(staff.ada, "acceptance")
    time.forward(days=1)
    report = check.inspection(staff.ada, time())
    obligations.attend_around(sessions, now=time())
    check.post(staff.officer, "notification")
    check.post(staff.ada, "report", reports=[report])
    (fulfilled,) = check.shown()["fulfilled"]
    assert (fulfilled["condition"], fulfilled["state"]) == ("serial_inventory", "met")


# What delay leads to


@pytest.fixture
def refused(check: Check, time: Clock) -> Check:
    check.post(check.staff.ada, "acceptance")
    check.post(check.staff.officer, "notification")
    time.now = datetime(2026, 5, 11, 9, tzinfo=UTC)
    check.post(check.staff.ada, "refusal", ground="The guard had orders.")
    return check


def _rungs(check: Check) -> list[tuple[str, bool]]:
    return [(one["rung"], one["ended_at"] is None) for one in check.shown()["rungs"]]


def _told(sessions: Sessions) -> list[str]:
    found = rows(
        sessions,
        "SELECT action FROM journal_pending WHERE action IN"
        " ('audit.unverified', 'audit.recommend_listing') ORDER BY id",
    )
    return [action for (action,) in found]


def _standings(sessions: Sessions) -> list[str]:
    found = rows(
        sessions, "SELECT standing FROM party_standings WHERE party = 'KE-BCA' ORDER BY id"
    )
    return [standing for (standing,) in found]


def test_a_refused_check_climbs_once_each_at_sixty_and_a_hundred_and_twenty_days(
    refused: Check, sessions: Sessions, time: Clock
) -> None:
    assert refused.shown()["unresolved_since"] == "2026-05-11T09:00:00Z"
    looked = []
    for days, seconds in ((60, 0), (0, 1), (0, 0), (59, 86399), (0, 1), (100, 0)):
        time.forward(days=days, seconds=seconds)
        looked.append(looking.look_around(sessions, now=time()))
    assert looked == [0, 1, 0, 0, 1, 0]
    assert _told(sessions) == ["audit.unverified", "audit.recommend_listing"]
    assert _standings(sessions) == ["unverified", "listing_recommended"]


def test_what_its_delay_leads_to_is_an_alert_for_the_authority_until_it_is_made(
    refused: Check,
    dashboard: Door,
    exporter: Door,
    sessions: Sessions,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    shown, staff = refused.shown(), refused.staff
    for days in (61, 1, 60):
        time.forward(days=days)
        looking.look_around(sessions, now=time())
    refused.post(staff.ada, "start")
    refused.post(staff.ada, "report", reports=[refused.inspection(staff.ada, time())])
    sequencer.tick()
    items = dashboard.get("/v1/alerts").json()["items"]
    told = [one for one in items if one["audit"] == shown["id"]]
    assert [one["seq"] for one in told] == sorted(one["seq"] for one in told)
    assert [(one["change"], one["severity"]) for one in told] == [
        ("raised", "high"),
        ("escalated", "critical"),
        ("cleared", "critical"),
    ]
    assert told[0]["title"] == f"End-use check {shown['number']}, party KE-BCA: unverified"
    assert {(one["kind"], one["deviation"], one["obligation"]) for one in told} == {
        ("end_use_check", None, None)
    }
    assert not [one for one in exporter.get("/v1/alerts").json()["items"] if one["audit"]]


def test_after_an_outage_it_goes_straight_to_the_right_rung(
    refused: Check, sessions: Sessions, time: Clock
) -> None:
    time.forward(days=130)
    with ThreadPoolExecutor(2) as pool:
        looks = pool.map(lambda _: looking.look_around(sessions, now=time()), range(2))
        assert sum(looks) == 1
    assert _told(sessions) == ["audit.recommend_listing"]
    assert _rungs(refused) == [("unverified", True), ("recommend_listing", True)]
    assert _standings(sessions) == ["listing_recommended"]


def test_the_check_that_is_made_after_all_stops_the_clock_and_keeps_the_history(
    refused: Check, sessions: Sessions, time: Clock
) -> None:
    time.forward(days=61)
    looking.look_around(sessions, now=time())
    staff = refused.staff
    refused.post(staff.ada, "start")
    refused.post(staff.ada, "report", reports=[refused.inspection(staff.ada, time())])
    time.forward(days=100)
    assert looking.look_around(sessions, now=time()) == 0
    assert _rungs(refused) == [("unverified", False)]
    assert _standings(sessions) == ["unverified", "good"]
    assert refused.shown()["unresolved_since"] is None


def test_an_earlier_refusal_that_comes_late_moves_the_clock_and_climbs_no_rung_twice(
    check: Check, sessions: Sessions, time: Clock
) -> None:
    staff = check.staff
    check.post(staff.ada, "acceptance")
    check.post(staff.officer, "notification")
    time.now = datetime(2026, 5, 20, 9, tzinfo=UTC)
    check.post(staff.ada, "unable", cause="party", ground="Nobody came.")
    time.forward(days=60, seconds=1)
    assert looking.look_around(sessions, now=time()) == 1
    early = {"at": "2026-05-12T09:00:00Z", "cause": "party", "ground": "Nobody came then either."}
    check.refused(staff.ada, "unable", 409, "step-out-of-turn", **early)
    check.post(staff.officer, "notification", at="2026-05-15T09:00:00Z", planned_for="2026-05-19")
    check.post(staff.ada, "unable", **early)
    assert check.shown()["unresolved_since"] == "2026-05-12T09:00:00Z"
    time.now = datetime(2026, 9, 9, 10, tzinfo=UTC)
    assert looking.look_around(sessions, now=time()) == 1
    assert _told(sessions) == ["audit.unverified", "audit.recommend_listing"]


def test_closing_an_unfavorable_check_does_not_stop_its_clock(
    refused: Check, sessions: Sessions, time: Clock
) -> None:
    staff = refused.staff
    rating = {"outcome": "unfavorable", "reasons": ["access_refused"], "ground": "They refused."}
    refused.post(staff.reviewer, "outcome", **rating)
    refused.post(staff.other, "closing", waiver={"ground": "There is nothing to cover."})
    time.forward(days=60, seconds=1)
    assert looking.look_around(sessions, now=time()) == 1
    assert _rungs(refused) == [("unverified", True)]


def test_a_later_check_of_the_same_party_and_place_stops_the_clock_of_an_earlier_one(
    refused: Check, plan: Plan, time: Clock
) -> None:
    staff = refused.staff
    time.forward(days=10)
    papers = plan(mode="documentary", planned_for="2026-06-01")
    papers.post(staff.ada, "acceptance")
    papers.post(staff.ada, "start")
    reading = papers.inspection(staff.ada, time(), mode="documentary")
    papers.post(staff.ada, "report", reports=[reading])
    assert refused.shown()["unresolved_since"] is not None
    visit = plan(planned_for="2026-06-01")
    time.now = datetime(2026, 5, 29, 9, tzinfo=UTC)
    visit.reported(time())
    shown = refused.shown()
    assert (shown["unresolved_since"], shown["state"]) == (None, "refused")
    assert (shown["steps"][-1]["step"], shown["steps"][-1]["to"]) == (
        "completed_elsewhere",
        visit.number,
    )


def test_a_refusal_inside_the_notice_counts_from_its_end(
    plan: Plan, staff: Staff, time: Clock
) -> None:
    check = plan(staff.supervisor, planned_for="2026-05-05", override={"ground": "Units move."})
    check.post(staff.ada, "acceptance")
    check.post(staff.ada, "notification")
    time.forward(hours=10)
    check.post(staff.ada, "refusal", ground="Come on Thursday.")
    assert check.shown()["unresolved_since"] == "2026-05-06T08:00:00Z"


@pytest.mark.parametrize("check_first", [True, False])
def test_checks_and_duties_that_end_apart_leave_the_party_as_it_should_stand_at_once(
    check_first: bool,  # noqa: FBT001
    refused: Check,
    sessions: Sessions,
    time: Clock,
) -> None:
    staff, duty = refused.staff, f"obligation:{uuid4()}"
    time.forward(days=61)
    looking.look_around(sessions, now=time())
    with sessions.begin() as session:
        lowered = standings.lower(
            session,
            "KE-BCA",
            Standing.LISTING_RECOMMENDED,
            ground="x",
            source=duty,
            actor="x",
            now=time(),
        )
    assert lowered

    def finish_check() -> None:
        refused.post(staff.ada, "start")
        refused.post(staff.ada, "report", reports=[refused.inspection(staff.ada, time())])

    def finish_duty() -> None:
        with sessions.begin() as session:
            standings.end(session, duty, ground="x", actor="x", now=time())

    told = []
    for finish in (finish_check, finish_duty) if check_first else (finish_duty, finish_check):
        finish()
        told.append(_standings(sessions)[-1])
    assert told == ["listing_recommended", "good"]


def test_nobody_finds_a_check_that_is_not_there(staff: Staff, number: str) -> None:
    lost = Check(staff, {"id": str(uuid4()), "number": "", "license": number})
    lost.refused(staff.ada, "acceptance", 404, "audit-unknown")
    problem(staff.auditor.get(lost.path), 404, "audit-unknown")
    problem(staff.officer.post("/v1/audits", body("BX-NONE")), 404, "license-unknown")
