"""How conditions stood at any date: what was true then, as it was known at some time."""

from datetime import datetime
from typing import Any

import pytest

from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import (
    amend,
    beat,
    day,
    file,
    heartbeat,
    reading,
    report,
    send,
    stated,
    whole,
)
from tests.world import condition

CAP = condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000)


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


def asked(
    door: Door, number: str, as_of: datetime | None = None, known_at: datetime | None = None
) -> dict[str, dict[str, Any]]:
    """Ask how the conditions of a license stood; answer them by key."""
    moments = {"as_of": as_of, "known_at": known_at}
    params = {name: moment.isoformat() for name, moment in moments.items() if moment}
    answer = door.get(f"/v1/licenses/{number}/compliance", params=params)
    assert answer.status_code == 200, answer.text
    return {one["key"]: one for one in answer.json()["conditions"]}


def answers(door: Door, number: str, *moments: Any) -> dict[str, str]:
    return {key: one["answer"] for key, one in asked(door, number, *moments).items()}


def test_kept_broken_and_nothing_heard_are_three_answers(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    place = condition("permitted_countries", countries=["KE"])
    number = make_license(
        CAP, place, condition("match_mode", allowed=["verify_1_1"]), serials=("FR-1",)
    )["number"]
    time.now = day(5)
    send(exporter, reading(number, "FR-1", day(4), gallery_size=5001, country="KE"))
    told = asked(dashboard, number)
    cap, country, mode = told["gallery_cap"], told["permitted_countries"], told["match_mode"]

    assert (cap["answer"], cap["reason"], cap["since"]) == (
        "broken",
        "over_cap",
        "2026-06-05T12:00:00Z",
    )
    assert cap["text"] == "No more than 5,000 persons per gate."
    (subject,) = cap["subjects"]
    assert (subject["subject"], subject["observed"]) == ("FR-1", "5,001 enrolled")
    assert (country["answer"], country["reason"]) == ("kept", None)
    (proof,) = country["evidence"]
    assert proof["id"].startswith("reading:FR-1@2026-06-05")
    assert (proof["source_kind"], proof["grade"], country["grade"]) == ("reading", "D", "D")
    assert country["next_verification_due"] == "2026-12-02T12:00:00Z"  # tier 2: 180 days on
    assert (mode["answer"], mode["reason"], mode["since"]) == (
        "not_assessable",
        "nothing_heard",
        None,
    )
    assert mode["last_verified_at"] is None
    assert mode["counts"] == {"kept": 0, "broken": 0, "not_assessable": 1}


def test_a_unit_nobody_spoke_of_keeps_the_condition_from_being_kept(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(CAP, serials=("FR-1", "FR-2"))["number"]
    time.now = day(5)
    send(exporter, reading(number, "FR-1", day(4), gallery_size=1))
    cap = asked(dashboard, number)["gallery_cap"]
    assert (cap["answer"], cap["reason"]) == ("not_assessable", "nothing_heard")
    assert cap["counts"] == {"kept": 1, "broken": 0, "not_assessable": 1}
    assert [one["subject"] for one in cap["subjects"]] == ["FR-2", "FR-1"]
    send(exporter, reading(number, "FR-2", day(4), gallery_size=1))
    assert answers(dashboard, number) == {"gallery_cap": "kept"}


def test_what_is_not_clear_is_not_kept(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(condition("permitted_countries", countries=["KE"]), serials=("FR-1",))[
        "number"
    ]
    time.now = day(5)
    wide = {"lat": -1.0, "lon": 34.2, "accuracy_m": 50_000.0}
    send(exporter, reading(number, "FR-1", day(4), position=wide))
    place = asked(dashboard, number)["permitted_countries"]
    assert place["answer"] == "not_assessable"
    assert place["reason"] not in {None, "nothing_heard"}


def test_the_latest_word_counts_and_history_can_be_asked_for(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(CAP, serials=("FR-1",))["number"]
    time.now = day(9)
    sizes = {1: 10, 3: 6000, 6: 20}
    send(
        exporter,
        *(reading(number, "FR-1", day(at), gallery_size=size) for at, size in sizes.items()),
    )
    seen = [answers(dashboard, number, day(at))["gallery_cap"] for at in (0.5, 2, 4, 7)]
    assert seen == ["not_assessable", "kept", "broken", "kept"]
    before = asked(dashboard, number, day(7), day(8))
    assert before["gallery_cap"]["reason"] == "nothing_heard"


def test_each_fact_counts_as_it_was_said_last(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    limits = condition("retention_limit", probe_days=30, template_days=365)
    number = make_license(limits, serials=("FR-1",))["number"]
    time.now = day(9)
    send(
        exporter,
        reading(number, "FR-1", day(1), oldest_probe_days=31, oldest_template_days=400),
        reading(number, "FR-1", day(2), oldest_template_days=10),
        reading(number, "FR-1", day(3), software_version="1.0"),
    )
    told = asked(dashboard, number)["retention_limit"]
    assert (told["answer"], told["reason"]) == ("broken", "probes_too_old")
    assert told["unstated"] == ["oldest_log_days", "oldest_non_match_hours"]
    send(exporter, reading(number, "FR-1", day(4), oldest_probe_days=1))
    assert answers(dashboard, number) == {"retention_limit": "kept"}


def test_a_late_reading_changes_the_past_only_as_it_is_known_later(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(CAP, serials=("FR-1",))["number"]
    time.now = day(2)
    send(exporter, reading(number, "FR-1", day(1), gallery_size=100))
    time.now = day(8)
    send(exporter, reading(number, "FR-1", day(3), gallery_size=9000))
    assert answers(dashboard, number, day(4), day(7)) == {"gallery_cap": "kept"}
    assert answers(dashboard, number, day(4), day(8)) == {"gallery_cap": "broken"}
    assert answers(dashboard, number, day(2), day(8)) == {"gallery_cap": "kept"}


def test_a_correction_changes_the_past_only_from_when_it_was_known(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(CAP, serials=("FR-1",))["number"]
    time.now = day(3)
    wrong = file(exporter, report(number, day(1), stated("FR-1", gallery_size=50_000)))
    time.now = day(6)
    right = report(number, day(1), stated("FR-1", gallery_size=5000), corrects=wrong["id"])
    right_id = file(exporter, right)["id"]
    assert answers(dashboard, number, day(2), day(5)) == {"gallery_cap": "broken"}
    now = asked(dashboard, number, day(2), day(6))["gallery_cap"]
    assert (now["answer"], now["evidence"][0]["id"]) == ("kept", f"report:{right_id}#0")
    assert (now["evidence"][0]["source_kind"], now["grade"]) == ("attestation", "E")


def test_an_amendment_with_a_past_date_counts_from_when_it_was_approved(
    make_license: MakeLicense,
    exporter: Door,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
) -> None:
    number = make_license(CAP, serials=("FR-1",))["number"]
    time.now = day(3)
    send(exporter, reading(number, "FR-1", day(2), gallery_size=4500))
    time.now = day(8)
    lower = condition("gallery_cap", "No more than 4,000.", max_enrolled=4000)
    amend((officer, door("licensing_officer")), number, day(1), lower)
    before = asked(dashboard, number, day(5), day(7))["gallery_cap"]
    after = asked(dashboard, number, day(5), day(8))["gallery_cap"]
    assert (before["version"], before["answer"]) == (1, "kept")
    assert (after["version"], after["answer"], after["text"]) == (
        2,
        "broken",
        "No more than 4,000.",
    )


def test_what_was_said_under_earlier_terms_does_not_answer_for_new_ones(
    make_license: MakeLicense,
    exporter: Door,
    officer: Door,
    door: OpenDoor,
    dashboard: Door,
    time: Clock,
) -> None:
    number = make_license(CAP, serials=("FR-1",))["number"]
    time.now = day(3)
    send(exporter, reading(number, "FR-1", day(2), gallery_size=10))
    amend((officer, door("licensing_officer")), number, day(5), CAP)
    time.now = day(6)
    assert answers(dashboard, number, day(4)) == {"gallery_cap": "kept"}
    assert answers(dashboard, number, day(6)) == {"gallery_cap": "not_assessable"}


@pytest.mark.parametrize("per", ["license", "site"])
def test_a_sum_is_judged_with_the_latest_word_of_every_unit(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock, per: str
) -> None:
    cap = condition("gallery_cap", max_enrolled=5000, per=per)
    number = make_license(cap, serials=("FR-1", "FR-2"))["number"]
    time.now = day(20)
    send(exporter, reading(number, "FR-1", day(1), gallery_size=3000, site="NBO-T1"))
    assert answers(dashboard, number) == {"gallery_cap": "not_assessable"}
    send(exporter, reading(number, "FR-2", day(2), gallery_size=2500, site="NBO-T1"))
    told = asked(dashboard, number)["gallery_cap"]
    assert (told["answer"], told["subjects"][0]["observed"]) == ("broken", "5,500 enrolled")
    assert told["subjects"][0]["subject"] == ("NBO-T1" if per == "site" else number)
    assert told["since"] == "2026-06-03T12:00:00Z"
    send(exporter, reading(number, "FR-1", day(18), gallery_size=2500, site="NBO-T1"))
    assert answers(dashboard, number) == {"gallery_cap": "kept"}


def test_a_silent_unit_breaks_the_heartbeat_until_a_late_reading_is_known(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(heartbeat(), serials=("FR-1",))["number"]
    time.now = day(1)
    assert answers(dashboard, number) == {"heartbeat": "not_assessable"}
    send(exporter, reading(number, "FR-1", day(1)))
    told = asked(dashboard, number)["heartbeat"]
    assert (told["answer"], told["next_verification_due"]) == ("kept", "2026-06-05T12:00:00Z")
    time.now = day(6)
    told = asked(dashboard, number)["heartbeat"]
    assert (told["answer"], told["reason"]) == ("broken", "silent")
    assert told["since"] == "2026-06-05T15:00:00Z"
    time.now = day(7)
    send(exporter, reading(number, "FR-1", day(3)))
    assert answers(dashboard, number, day(5.5), day(6)) == {"heartbeat": "broken"}
    assert answers(dashboard, number, day(5.5), day(7)) == {"heartbeat": "kept"}


def test_a_report_that_is_missing_breaks_the_cadence_until_it_comes(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    cadence = condition(
        "reporting_cadence", every="P1M", grace_days=5, by="exporter", starts="2026-06-01"
    )
    number = make_license(cadence)["number"]
    for at in (0, 30, 40):
        time.now = day(at)
        beat(sessions, day(at))
    assert answers(dashboard, number, day(20), day(40)) == {"reporting_cadence": "not_assessable"}
    told = asked(dashboard, number)["reporting_cadence"]
    assert (told["answer"], told["reason"]) == ("broken", "report_missing")
    assert told["since"] == "2026-07-06T00:00:00Z"
    time.now = day(42)
    june = {"from": "2026-06-01", "to": "2026-06-30"}
    file(exporter, report(number, day(29), whole(), period=june))
    told = asked(dashboard, number)["reporting_cadence"]
    assert (told["answer"], told["evidence"][0]["source_kind"]) == ("kept", "attestation")
    assert told["next_verification_due"] == "2026-08-01T00:00:00Z"
    assert answers(dashboard, number, day(41)) == {"reporting_cadence": "broken"}


def test_a_report_that_leaves_out_what_it_must_say_breaks_the_cadence_until_corrected(
    make_license: MakeLicense, exporter: Door, dashboard: Door, sessions: Sessions, time: Clock
) -> None:
    cadence = condition(
        "reporting_cadence",
        every="P1M",
        by="exporter",
        starts="2026-06-01",
        required_facts=["subcontractors"],
    )
    number = make_license(cadence)["number"]
    beat(sessions, day(0))
    time.now = day(31)
    june = {"from": "2026-06-01", "to": "2026-06-30"}
    uses = report(number, day(29), whole(end_uses=["border_control"]), period=june)
    left_out = file(exporter, uses)
    told = asked(dashboard, number)["reporting_cadence"]
    assert (told["answer"], told["reason"]) == ("broken", "required_fact_absent")
    assert told["evidence"][0]["id"] == f"report:{left_out['id']}"
    time.now = day(33)
    said = whole(subcontractors=["KE-SUB"])
    file(exporter, report(number, day(29), said, period=june, corrects=left_out["id"]))
    assert answers(dashboard, number) == {"reporting_cadence": "kept"}
    assert answers(dashboard, number, day(32), day(32)) == {"reporting_cadence": "broken"}


def test_the_ledger_is_read_as_far_as_it_was_declared(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    number = make_license(condition("quantity_limit"))["number"]
    assert answers(dashboard, number) == {"quantity_limit": "not_assessable"}
    shipment = {"license": number, "line": 1}
    for at, on, quantity in ((5, "2026-06-03", 40), (9, "2026-06-04", 1)):
        time.now = day(at)
        sent = shipment | {"reference": f"S-{at}", "date": on, "quantity": quantity}
        assert exporter.post("/v1/shipments", sent).status_code == 201
    assert answers(dashboard, number, day(8), day(8)) == {"quantity_limit": "kept"}
    assert answers(dashboard, number, day(2.2), day(9)) == {"quantity_limit": "kept"}
    told = asked(dashboard, number, day(8), day(9))["quantity_limit"]
    assert (told["answer"], told["reason"]) == ("broken", "quantity_exceeded_line_1")
    assert told["evidence"][0]["id"] == "S-9"


def test_one_word_about_the_whole_license_speaks_for_its_units(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    use = condition("permitted_end_use", allowed=["border_control"])
    number = make_license(use, serials=("FR-1", "FR-2"))["number"]
    time.now = day(5)
    file(exporter, report(number, day(4), whole(end_uses=["border_control"])))
    assert answers(dashboard, number) == {"permitted_end_use": "kept"}


def test_a_condition_of_some_lines_hears_their_units_alone(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    lines = make_license()["lines"]
    both = [line | {"line": at} for at in (1, 2) for line in lines]
    number = make_license(CAP | {"lines": [2]}, lines=both, serials=("FR-1",))["number"]
    time.now = day(5)
    send(exporter, reading(number, "FR-1", day(4), gallery_size=9000))
    told = asked(dashboard, number)["gallery_cap:2"]
    assert (told["answer"], told["subjects"]) == ("not_assessable", [])


def test_only_fifty_subjects_are_shown_and_all_are_counted(
    make_license: MakeLicense, exporter: Door, dashboard: Door, time: Clock
) -> None:
    serials = tuple(f"U-{at:03}" for at in range(60))
    number = make_license(CAP, serials=serials)["number"]
    time.now = day(5)
    send(exporter, *(reading(number, one, day(4), gallery_size=5001) for one in serials[:55]))
    told = asked(dashboard, number)["gallery_cap"]
    assert told["counts"] == {"kept": 0, "broken": 55, "not_assessable": 5}
    assert len(told["subjects"]) == 50


def test_the_future_is_not_told_and_foreign_licenses_are_not_there(
    make_license: MakeLicense, exporter: Door, door: OpenDoor
) -> None:
    path = f"/v1/licenses/{make_license(CAP)['number']}/compliance"
    for name in ("as_of", "known_at"):
        refused = exporter.get(path, params={name: day(1).isoformat()})
        assert (refused.status_code, refused.json()["pointer"]) == (422, f"/{name}")
        assert refused.json()["type"] == "urn:endwatch:problem:not-yet"
    assert exporter.get(path).status_code == 200
    foreign = door("exporter", "ANOTHER")
    missing = foreign.get(path.replace("/BX-", "/XX-"))
    hidden = foreign.get(path)
    assert (hidden.status_code, hidden.json()["type"]) == (404, missing.json()["type"])


def test_before_a_license_was_registered_nothing_was_known_of_it(
    make_license: MakeLicense, dashboard: Door
) -> None:
    number = make_license(CAP)["number"]
    assert asked(dashboard, number, day(-1), day(-1)) == {}
    assert answers(dashboard, number, day(-1)) == {"gallery_cap": "not_assessable"}
