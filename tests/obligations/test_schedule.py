"""The schedule as a whole: days off, certificates of sites, and working it out anew."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import text

from app.database import Sessions
from app.obligations import awaiting
from app.obligations import service as obligations
from tests.conftest import Clock, Door, Harm, MakeLicense, OpenDoor
from tests.journeys.telling import beat, day, deviations, file, heartbeat, owed, report, states
from tests.world import condition


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


def monthly(**more: Any) -> dict[str, Any]:
    terms = {"every": "P1M", "by": "exporter", "starts": "2026-05-01"} | more
    return condition("reporting_cadence", **terms)


def test_days_off_at_the_site_move_a_deadline_only_where_the_license_says_so(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    """The 31st of May 2026 is a Sunday, and the 1st of June Madaraka Day in Kenya."""
    plain = make_license(monthly())["number"]
    moved = make_license(monthly(working_days=True))["number"]
    without = make_license(monthly(working_days=True), sites=[], destination_countries=["DE"])
    beat(sessions, day(0))
    due = {
        number: owed(dashboard, license=number)[0]["due_at"]
        for number in (plain, moved, without["number"])
    }
    assert list(due.values()) == [
        "2026-06-01T00:00:00Z",
        "2026-06-03T00:00:00Z",
        "2026-06-02T00:00:00Z",
    ]


def test_a_site_owes_a_certificate_before_its_last_one_is_too_old(
    make_license: MakeLicense,
    sessions: Sessions,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
) -> None:
    certified = condition("physical_security", recertify_days=100)
    number = make_license(certified)["number"]
    beat(sessions, day(0))
    (first,) = owed(dashboard)
    assert (first["subject"], first["item"], first["due_at"], first["by"]) == (
        "NBO-T1",
        "first_certificate",
        "2026-06-11T00:00:00Z",
        ["exporter"],
    )
    beat(sessions, day(15))
    (missing,) = deviations(dashboard)
    assert (missing["reason"], missing["subject"]) == ("certificate_missing", "NBO-T1")
    time.now = day(16)
    seen = {"subject": {"site": "NBO-T1"}, "facts": {"certified_on": "2026-06-16"}}
    file(door("inspector"), report(number, time.now, seen, kind="inspection", mode="physical"))
    beat(sessions, day(16))
    settled, following = owed(dashboard)
    assert (settled["state"], following["item"]) == ("met_late", "certificate")
    assert following["due_at"] == "2026-09-25T00:00:00Z"
    assert deviations(dashboard)[0]["cleared_at"] == "2026-06-17T12:00:00Z"
    time.now = datetime(2026, 9, 26, tzinfo=UTC)
    beat(sessions, time.now)
    assert [one["reason"] for one in deviations(dashboard)][1:] == ["certificate_too_old"]
    (answer,) = dashboard.get(f"/v1/licenses/{number}/compliance").json()["conditions"]
    assert (answer["answer"], answer["reason"]) == ("broken", "certificate_too_old")


def schedule(sessions: Sessions) -> list[tuple[Any, ...]]:
    query = "SELECT license_id, key, subject, slot, item, due_at, state FROM obligations"
    with sessions() as session:
        return sorted(map(tuple, session.execute(text(query))))


def test_worked_out_anew_the_schedule_is_what_it_was_and_what_is_missing_is_added(
    make_license: MakeLicense,
    sessions: Sessions,
    harm: Harm,
    exporter: Door,
    dashboard: Door,
    time: Clock,
) -> None:
    numbers = [
        make_license(
            monthly(),
            heartbeat(),
            condition("delivery_verification"),
            condition("party_standing", lists=["un"]),
            serials=("FR-1", "FR-2"),
        )["number"]
        for _ in range(3)
    ]
    beat(sessions, day(0))
    file(exporter, report(numbers[0], day(0), period={"from": "2026-05-01", "to": "2026-05-31"}))
    before = schedule(sessions)
    assert obligations.reschedule_around(sessions, now=day(0), limit=2) == 3
    assert schedule(sessions) == before
    untouched = "NOT EXISTS (SELECT FROM rungs r WHERE r.obligation_id = o.id)"
    assert harm(f"DELETE FROM obligations o WHERE settled_at IS NULL AND {untouched}")
    for share in range(2):
        obligations.reschedule_around(sessions, now=day(0), share=(share, 2))
    assert [row[:3] for row in schedule(sessions)] == [row[:3] for row in before]


def test_a_license_that_fails_is_left_to_be_attended_to_by_itself(
    make_license: MakeLicense, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        make_license(monthly())
    beat(sessions, day(0))

    def fail(*_: object, **__: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(awaiting, "follow", fail)
    assert obligations.reschedule_around(sessions, now=day(0)) == 0
    with sessions() as session:
        waiting = session.scalar(
            text("SELECT count(*) FROM licenses WHERE attend_from IS NOT NULL")
        )
    assert waiting == 2


def test_shipments_and_arrivals_move_the_schedule_and_leave_the_past(
    make_license: MakeLicense, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    verified = condition("delivery_verification", within_days=30, transit_days=60)
    number = make_license(verified, serials=("FR-1",), granted_on="2026-06-01")["number"]
    beat(sessions, day(0))
    (assumed,) = owed(dashboard)
    # 60 days in transit, 30 more: until the end of 30 August
    assert (assumed["item"], assumed["due_at"]) == ("SHIP-1", "2026-08-31T00:00:00Z")
    time.now = day(20)
    arrived = {"reference": "D-1", "license": number, "shipment": "SHIP-1"}
    body = arrived | {"arrived_on": date(2026, 6, 20).isoformat(), "serials": ["FR-1"]}
    told = exporter.post("/v1/deliveries", body)
    assert told.status_code == 201, told.text
    beat(sessions, day(20))
    assert states(owed(dashboard)) == ["met"]
    settled = owed(dashboard)
    second = {"license": number, "reference": "SHIP-2", "line": 1, "date": "2026-06-20"}
    shipped = exporter.post("/v1/shipments", second | {"quantity": 1, "serials": ["FR-2"]})
    assert shipped.status_code == 201, shipped.text
    beat(sessions, day(20))
    assert [one for one in owed(dashboard) if one in settled] == settled
    assert states(owed(dashboard, state="upcoming")) == ["upcoming"]
