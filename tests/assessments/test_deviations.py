"""How deviations are recorded: fingerprints, occurrences, severity, monitors that fail."""

from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from app.assessments import dockets, service
from app.assessments.models import Unassessed
from app.assessments.rules import Docket
from app.assessments.service import Hearing
from app.database import Sessions
from app.journal.sequencer import Sequencer
from app.licenses.models import License
from monitors import Unit
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import (
    changes,
    day,
    deviations,
    file,
    history,
    reading,
    report,
    send,
    stated,
)
from tests.monitors.heard import say
from tests.world import condition


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


def cap(most: int = 5000, **more: Any) -> dict[str, Any]:
    return condition("gallery_cap", max_enrolled=most, **more)


def test_the_same_thing_wrong_again_is_another_occurrence_of_one_deviation(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sequencer: Sequencer, time: Clock
) -> None:
    number = make_license(cap(), serials=("FR-1", "FR-2"))["number"]
    time.now = day(9)
    for at in (3, 1, 2):
        send(exporter, reading(number, "FR-1", day(at), gallery_size=5000 + at))
    send(exporter, reading(number, "FR-2", day(1), gallery_size=9000))
    first, other = sorted(deviations(dashboard), key=itemgetter("subject"))
    assert (first["subject"], other["subject"]) == ("FR-1", "FR-2")
    assert (first["occurrences"], other["occurrences"]) == (3, 1)
    assert first["first_observed_at"] == "2026-06-02T12:00:00Z"
    assert first["last_observed_at"] == "2026-06-04T12:00:00Z"
    assert "5,003 enrolled" in first["sentence"]  # it speaks with its latest
    sequencer.tick()
    assert changes(dashboard) == [("raised", first["id"]), ("raised", other["id"])]


def test_the_same_reading_again_adds_nothing(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(cap(), serials=("FR-1",))["number"]
    time.now = day(9)
    one = reading(number, "FR-1", day(1), gallery_size=5001)
    (id,) = send(exporter, one)["deviations"]
    again = send(exporter, one)
    assert (again["accepted"], again["duplicates"], again["deviations"]) == (0, 1, [])
    assert len(history(dashboard, id)) == 1


def test_weak_evidence_stays_at_moderate_until_better_comes(
    make_license: MakeLicense,
    exporter: Door,
    door: OpenDoor,
    dashboard: Door,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    number = make_license(cap(_={"severity": "critical"}), serials=("FR-1",))["number"]
    time.now = day(9)
    told = file(exporter, report(number, day(1), stated("FR-1", gallery_size=5001)))
    (id,) = told["deviations"]
    assert deviations(dashboard)[0]["severity"] == "moderate"
    remote = report(number, day(2), stated("FR-1", gallery_size=5001), kind="inspection")
    file(door("inspector"), remote | {"mode": "remote_video"})
    assert deviations(dashboard)[0]["severity"] == "moderate"
    seen = report(number, day(3), stated("FR-1", gallery_size=5001), kind="inspection")
    file(door("inspector"), seen | {"mode": "physical"})
    assert deviations(dashboard)[0]["severity"] == "critical"
    assert [one["evidence"][0]["grade"] for one in history(dashboard, id)] == ["A", "E", "E"]
    sequencer.tick()
    assert changes(dashboard) == [("raised", id), ("escalated", id)]
    (alert,) = dashboard.get("/v1/alerts/current").json()["items"]
    assert alert["severity"] == "critical"


def test_better_evidence_that_is_withdrawn_lets_the_severity_fall_again(
    make_license: MakeLicense,
    exporter: Door,
    door: OpenDoor,
    dashboard: Door,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    number = make_license(cap(), serials=("FR-1",))["number"]
    inspector = door("inspector")
    time.now = day(9)
    file(exporter, report(number, day(1), stated("FR-1", gallery_size=5001)))
    seen = report(number, day(3), stated("FR-1", gallery_size=5001), kind="inspection")
    wrong = file(inspector, seen | {"mode": "physical"})
    right = report(number, day(3), stated("FR-1", gallery_size=5000), kind="inspection")
    file(inspector, right | {"mode": "physical", "corrects": wrong["id"]})
    assert deviations(dashboard)[0]["severity"] == "moderate"
    sequencer.tick()
    assert [change for change, _ in changes(dashboard)] == ["raised", "escalated", "changed"]


def test_the_same_inputs_give_the_same_deviation_in_a_fresh_database(
    make_license: MakeLicense, exporter: Door, dashboard: Door, owner: Engine, time: Clock
) -> None:
    told: list[tuple[str, ...]] = []
    for _ in range(2):
        with owner.begin() as connection:
            connection.execute(
                text("TRUNCATE licenses, parties, sites, readings, alerts RESTART IDENTITY CASCADE")
            )
        dockets.forget()
        time.now = day(0)
        if told:  # so that row numbers differ from the first time
            make_license(serials=("FR-9",))
        number = make_license(cap(), number="BX-SAME", serials=("FR-1",))["number"]
        time.now = day(9)
        send(exporter, reading(number, "FR-1", day(1), gallery_size=5001))
        (found,) = deviations(dashboard)
        (shown,) = history(dashboard, found["id"])
        told.append((found["id"], shown["source"], shown["digest"]))
    assert told[0] == told[1]


def crashing(docket: Docket) -> Docket:
    """Give a docket whose gallery cap crashes on a unit that says 13."""

    def evaluate(terms: Any, heard: Any, case: Any, moment: Any) -> Iterator[Any]:
        if any(one.facts.gallery_size == 13 for one in heard):
            raise ZeroDivisionError
        return ruling.monitor.evaluate(terms, heard, case, moment)

    (ruling,) = docket.rulings["gallery_cap"]
    broken = replace(ruling, monitor=replace(ruling.monitor, evaluate=evaluate))
    return replace(docket, rulings={**docket.rulings, "gallery_cap": (broken,)})


def docket_of(session: Session, number: str) -> Docket:
    license = session.scalars(select(License).where(License.number == number)).one()
    return dockets.one(session, license)


def test_a_monitor_that_crashes_is_noted_and_the_rest_is_judged(
    make_license: MakeLicense, sessions: Sessions, dashboard: Door
) -> None:
    modes = condition("match_mode", allowed=["verify_1_1"])
    number = make_license(cap(), modes, serials=("FR-1", "FR-2"))["number"]
    said = [
        say("FR-1", at=day(1), id="r1", gallery_size=13, match_modes=frozenset({"identify_1_n"})),
        say("FR-2", at=day(2), id="r2", gallery_size=5001),
    ]
    with sessions() as session:
        docket = crashing(docket_of(session, number))
        units = {serial: Unit(serial, 1) for serial in ("FR-1", "FR-2")}
        verdict = service.judge(session, [Hearing(docket, said, units)], now=day(3))
        session.commit()
        (noted,) = session.scalars(select(Unassessed)).all()
    assert [one.finding.reason for one in verdict.unclear] == ["monitor_failed"]
    assert (noted.kind, noted.subject, noted.reason) == ("gallery_cap", "FR-1", "monitor_failed")
    assert noted.missing == ["ZeroDivisionError in gallery_cap"]
    assert {(one["kind"], one["subject"]) for one in deviations(dashboard)} == {
        ("gallery_cap", "FR-2"),
        ("match_mode", "FR-1"),
    }


def test_a_report_is_taken_though_a_monitor_crashes_and_its_author_is_told(
    make_license: MakeLicense, sessions: Sessions, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(cap(), serials=("FR-1",))["number"]
    with sessions() as session:
        license = session.scalars(select(License).where(License.number == number)).one()
        docket = crashing(dockets.one(session, license))
        dockets._shelf.keep((license.id, license.revision), docket)  # noqa: SLF001 - as if deployed
    time.now = day(9)
    told = file(exporter, report(number, day(1), stated("FR-1", gallery_size=13)))
    assert told["deviations"] == []
    (unclear,) = told["not_assessable"]
    assert (unclear["condition"], unclear["reason"]) == ("gallery_cap", "monitor_failed")
    answer = send(exporter, reading(number, "FR-1", day(2), gallery_size=13))
    assert (answer["accepted"], answer["deviations"]) == (1, [])
    (noted,) = dashboard.get("/v1/unassessed").json()["items"]
    assert (noted["first_at"], noted["last_at"]) == ("2026-06-02T12:00:00Z", "2026-06-03T12:00:00Z")
