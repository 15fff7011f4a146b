"""What is on record is what judging all history again finds, in whatever portions; and what is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from app.assessments import differences
from app.assessments.differences import Recorded
from app.assessments.replaying import EVER, Span
from app.cli import samples
from app.database import Sessions
from app.deviations.models import Deviation, Occurrence
from app.deviations.rules import Found
from app.obligations import replaying, slicing
from app.obligations.replaying import Outcome
from app.obligations.slicing import Task, Wanted
from app.settings import Settings
from monitors import Answer, Finding, Severity, Subject, catalogue
from tests.conftest import Clock, Door, Harm, MakeLicense, OpenDoor
from tests.journeys.telling import (
    amend,
    beat,
    day,
    entries,
    file,
    heartbeat,
    reading,
    report,
    send,
    stated,
)
from tests.world import condition

UNITS = ("FR-1", "FR-2", "FR-3", "FR-4", "FR-5")
Again = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


def whole(sessions: Sessions, wanted: Wanted, now: datetime, at_once: int, slice: int) -> Outcome:
    """Judge everything again, task by task, each in a transaction of its own."""
    total = Outcome(0, "")
    for task in slicing.planned(sessions, wanted, slice=slice):
        with sessions() as session:
            one = replaying.judged(session, task, wanted, now=now, at_once=at_once)
        total.statements += one.statements
        total.same += one.same
        total.unclear += one.unclear
        total.differences += one.differences
        for change, many in one.counts.items():
            total.counts[change] += many
    return total


@pytest.fixture
def again(sessions: Sessions, time: Clock) -> Again:
    """Judges history again in portions of one moment each, and says what differs."""

    def judge(kind: str, span: Span = EVER, **more: Any) -> Outcome:
        return whole(sessions, Wanted(kind, span, **more), time.now, at_once=1, slice=2)

    return judge


def changes(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(one.change, one.subject, one.reason) for one in outcome.differences]


def store(sessions: Sessions, number: str, kind: str, now: datetime) -> Outcome:
    wanted = Wanted(kind, license=number)
    tasks: list[Task] = list(slicing.planned(sessions, wanted, slice=2))
    with sessions() as session:
        stored = replaying.store(session, tasks, number, wanted, now=now)
        session.commit()
    return stored


def cap(most: int = 5000, per: str = "unit") -> dict[str, Any]:
    return condition("gallery_cap", max_enrolled=most, per=per)


def size(number: str, serial: str, at: float, persons: int, **facts: Any) -> dict[str, Any]:
    return reading(number, serial, day(at), gallery_size=persons, **facts)


def test_nothing_of_the_sample_world_differs(settings: Settings, sessions: Sessions) -> None:
    now = datetime(2026, 11, 1, 9, tzinfo=UTC)
    samples.load(settings, samples.FOLDER, now=now, progress=lambda _: None)
    last = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)
    with sessions() as session:
        standing = select(Deviation.kind, func.count()).join(Occurrence).group_by(Deviation.kind)
        rows = session.execute(standing.where(Occurrence.withdrawn_at.is_(None)))
        recorded = {row[0]: row[1] for row in rows}
    assert len(recorded) >= 12
    for kind in catalogue().monitors:
        for at_once, slice in ((4_000, 20_000), (97, 500)):
            found = whole(sessions, Wanted(kind), last, at_once, slice)
            assert found.differences == [], (kind, at_once)
            assert found.same == recorded.get(kind, 0), (kind, at_once)


@pytest.mark.parametrize("per", ["unit", "site", "license"])
def test_late_and_out_of_order_evidence_is_found_as_it_was(
    make_license: MakeLicense, exporter: Door, again: Again, time: Clock, per: str
) -> None:
    number = make_license(cap(per=per), serials=UNITS)["number"]
    time.now = day(40)
    for serial, at, persons in [("FR-1", 9, 4900), ("FR-2", 3, 2500), ("FR-1", 1, 5100)]:
        send(exporter, size(number, serial, at, persons, site="NBO-T1"))
    send(exporter, size(number, "FR-1", 30, 4950, site="NBO-T1"))
    found = again("gallery_cap")
    assert (found.differences, found.statements) == ([], 4)
    assert found.same >= 1


def test_terms_of_their_time_judge_again(
    make_license: MakeLicense,
    exporter: Door,
    officer: Door,
    door: OpenDoor,
    again: Again,
    time: Clock,
) -> None:
    number = make_license(cap(), serials=UNITS)["number"]
    time.now = day(3)
    amend((officer, door("licensing_officer")), number, day(3), cap(4000))
    time.now = day(8)
    send(exporter, size(number, "FR-1", 2.9, 4500), size(number, "FR-2", 3, 4500))
    found = again("gallery_cap")
    assert (found.differences, found.same) == ([], 1)


def test_a_corrected_report_is_not_heard_again(
    make_license: MakeLicense, exporter: Door, again: Again, time: Clock
) -> None:
    number = make_license(cap(), serials=UNITS)["number"]
    time.now = day(5)
    wrong = file(exporter, report(number, day(1), stated("FR-1", gallery_size=50_000)))
    right = report(number, day(1), stated("FR-1", gallery_size=10), corrects=wrong["id"])
    file(exporter, right)
    found = again("gallery_cap")
    assert (found.differences, found.same, found.statements) == ([], 0, 1)


def test_a_report_of_several_moments_is_judged_as_one(
    make_license: MakeLicense, exporter: Door, again: Again, time: Clock
) -> None:
    number = make_license(serials=UNITS)["number"]
    time.now = day(5)
    said = [
        stated(serial, gallery_size=4321, search_calls=123) | {"observed_at": day(at).isoformat()}
        for at, serial in enumerate(UNITS)
    ]
    file(exporter, report(number, day(5), *said))
    found = again("plausible_reports")
    assert (found.differences, found.same) == ([], 1)
    within = Span(day(1.5), day(2.5))  # cuts the report, which is judged whole all the same
    assert again("plausible_reports", within).differences == []


def test_what_was_said_of_a_unit_nobody_knows_is_judged_again(
    make_license: MakeLicense, exporter: Door, again: Again, time: Clock
) -> None:
    number = make_license(serials=UNITS)["number"]
    time.now = day(5)
    answer = exporter.post("/v1/readings", [size(number, "NOBODY-1", 1, 10)])
    assert [one["type"] for one in answer.json()["rejected"]] == ["unit-unknown"]
    found = again("license_scope")
    assert (found.differences, found.same) == ([], 1)


def test_silence_and_missing_reports_are_judged_again_by_what_was_owed(
    make_license: MakeLicense, exporter: Door, sessions: Sessions, again: Again, time: Clock
) -> None:
    cadence = condition(
        "reporting_cadence",
        every="P1M",
        by="exporter",
        starts="2026-06-01",
        grace_days=5,
        required_facts=["end_uses", "gallery_size"],
    )
    number = make_license(heartbeat(), cadence, serials=UNITS[:2])["number"]
    beat(sessions, day(0))
    time.now = day(10)
    beat(sessions, time.now)
    send(exporter, size(number, "FR-1", 10, 1))  # late: the miss stays
    file(exporter, report(number, day(9)))  # in time, without gallery_size
    time.now = day(80)
    beat(sessions, time.now)
    for kind, many in (("heartbeat", 3), ("reporting_cadence", 2)):
        found = again(kind)
        assert (found.differences, found.same) == ([], many), kind


def test_the_ledger_is_judged_again(
    make_license: MakeLicense, exporter: Door, sessions: Sessions, again: Again, time: Clock
) -> None:
    number = make_license(condition("quantity_limit"), serials=UNITS)["number"]
    shipment = {"license": number, "reference": "SHIP-2", "line": 1, "date": "2026-03-03"}
    shipped = exporter.post("/v1/shipments", shipment | {"quantity": 41})
    assert shipped.status_code == 201, shipped.text
    beat(sessions, time.now)
    found = again("quantity_limit")
    assert (found.differences, found.same) == ([], 1)


@pytest.fixture
def capped(make_license: MakeLicense, exporter: Door, time: Clock) -> str:
    """A license with three findings, on the days 1, 2 and 3, and one that was kept."""
    number: str = make_license(cap(), serials=UNITS)["number"]
    time.now = day(4)
    for at, serial in enumerate(UNITS[:3], start=1):
        send(exporter, size(number, serial, at, 6000 + at))
    send(exporter, size(number, "FR-4", 2, 4000))
    return number


LOST = "DELETE FROM occurrences WHERE source LIKE 'reading:FR-1@%'"
OTHERWISE = "UPDATE occurrences SET observed = 'nothing' WHERE source LIKE 'reading:FR-2@%'"
MILDER = (  # as another version of the monitor would have found it
    "UPDATE occurrences SET severity = 'low', digest = '' WHERE source LIKE 'reading:FR-2@%'"
)
NOT_SHOWN = "UPDATE readings SET facts = '{\"gallery_size\": 1}' WHERE serial = 'FR-3'"
SAYS_NOTHING = "UPDATE readings SET facts = '{\"country\": \"KE\"}' WHERE serial = 'FR-3'"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (LOST, ("appeared", "FR-1")),
        (OTHERWISE, ("changed", "FR-2")),
        (MILDER, ("changed", "FR-2")),
        (NOT_SHOWN, ("vanished", "FR-3")),
        (SAYS_NOTHING, ("vanished", "FR-3")),
    ],
)
def test_what_is_not_on_record_as_it_should_be_is_told_and_mended_when_asked(
    capped: str,
    sessions: Sessions,
    harm: Harm,
    again: Again,
    time: Clock,
    change: str,
    told: tuple[str, str],
) -> None:
    harm(change)
    differs = [(*told, "over_cap")]
    for _ in range(2):  # nothing is stored by looking
        assert changes(again("gallery_cap")) == differs
    assert entries(sessions, "monitor.replayed") == 0
    assert changes(store(sessions, capped, "gallery_cap", time.now)) == differs
    assert entries(sessions, "monitor.replayed") == 1
    assert changes(again("gallery_cap")) == []
    assert changes(store(sessions, capped, "gallery_cap", time.now)) == []
    assert entries(sessions, "monitor.replayed") == 1


def test_what_is_stored_names_the_same_inputs_as_at_intake(
    capped: str, sessions: Sessions, harm: Harm, time: Clock
) -> None:
    digests = text("SELECT digest FROM occurrences WHERE withdrawn_at IS NULL ORDER BY source")
    with sessions() as session:
        before = session.scalars(digests).all()
    harm('UPDATE readings SET facts = facts || \'{"country": "KE"}\'')
    harm(LOST)
    store(sessions, capped, "gallery_cap", time.now)
    with sessions() as session:
        after = session.scalars(digests).all()
    assert (after[0] != before[0], after[1:]) == (
        True,
        before[1:],
    )  # a fact not read is one of them


def test_only_the_days_asked_for_are_looked_at(capped: str, harm: Harm, again: Again) -> None:
    harm("DELETE FROM occurrences")
    for first, last, serials in [(0, 2, ["FR-1"]), (2, 3, ["FR-2"]), (1.5, 9, ["FR-2", "FR-3"])]:
        found = again("gallery_cap", Span(day(first), day(last)))
        assert [subject for _, subject, _ in changes(found)] == serials
    assert changes(again("gallery_cap", Span(day(3) + timedelta(seconds=1), day(9)))) == []


def test_only_the_license_asked_for_is_looked_at(
    capped: str, make_license: MakeLicense, harm: Harm, again: Again
) -> None:
    other = make_license(cap(), serials=UNITS)["number"]
    harm("DELETE FROM occurrences")
    assert again("gallery_cap", license=other).statements == 0
    assert len(changes(again("gallery_cap", license=capped))) == 3


def recorded_of(one: Found, **more: Any) -> Recorded:
    return replace(
        Recorded(
            uuid4(),
            one.source,
            one.fingerprint,
            "unit",
            "FR-1",
            "over_cap",
            one.finding.at,
            one.own_severity,
            one.finding.expected,
            one.finding.observed,
            "A sentence.",
            cleared=False,
            closed=False,
            stated_at=one.finding.at,
        ),
        **more,
    )


def finding(observed: str = "6,000 enrolled", source: str = "reading:FR-1@x") -> Found:
    told = Finding(
        answer=Answer.BROKEN,
        subject=Subject("unit", "FR-1"),
        reason="over_cap",
        at=day(1),
        expected="at most 5,000 enrolled",
        observed=observed,
        clears="less",
        evidence=(source,),
    )
    return Found(
        license_id=1,
        license="BX-1",
        exporter="NORDLICHT",
        country="KE",
        condition_id=1,
        kind="gallery_cap",
        title="Gallery cap",
        monitor_version=1,
        severity=Severity.HIGH,
        finding=told,
        digest="",
    )


def test_what_a_person_closed_stands_whatever_is_found_now() -> None:
    closed = recorded_of(finding(), closed=True)
    assert not differences.compared([], [closed]).differs
    assert not differences.compared([finding("7,000 enrolled")], [closed]).differs
    reopened = recorded_of(finding(), deviation_id=UUID(int=1))
    for rows in ([closed, reopened], [reopened, closed]):
        assert differences.compared([], rows).vanished == [reopened]


def test_what_the_file_showed_is_over_only_when_no_piece_shows_it() -> None:
    document = recorded_of(finding(source="document:1"), stated_at=None)
    assert differences.compared([], [document]).vanished == [document]
    assert not differences.compared([], [replace(document, cleared=True)]).differs
    other = differences.compared([finding(source="document:2")], [document])
    assert (other.vanished, len(other.appeared)) == ([], 1)


def test_of_two_conditions_of_a_kind_either_may_be_on_record() -> None:
    both = [finding(), finding("7,000 enrolled")]
    for one in both:
        assert not differences.compared(both, [recorded_of(one)]).differs
