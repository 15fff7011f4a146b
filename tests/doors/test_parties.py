"""A party's record, as the authority and the party itself may read it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from app.database import Sessions
from app.parties import standings
from app.parties.rules import Standing
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import beat, day, file, heartbeat, report, stated
from tests.world import condition


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def number(make_license: MakeLicense, sessions: Sessions, exporter: Door, time: Clock) -> str:
    cap = condition("gallery_cap", max_enrolled=10)
    made: str = make_license(cap, heartbeat(), serials=("FR-1",))["number"]
    beat(sessions, time.now)
    file(exporter, report(made, time.now, stated("FR-1", gallery_size=90)))
    return made


def test_the_authority_reads_the_whole_record(number: str, dashboard: Door) -> None:
    record = dashboard.get("/v1/parties/KE-BCA").json()
    assert (record["name"], record["standing"], record["standings"]) == (
        "Border Control Agency",
        "good",
        [],
    )
    assert record["roles"] == [{"license": number, "state": "issued", "role": "end_user"}]
    assert [one["kind"] for one in record["deviations"]] == ["gallery_cap"]
    assert [one["condition"] for one in record["obligations"]] == ["heartbeat"]
    assert (record["past_deviations"], record["more"]) == (0, [])


def test_a_party_reads_its_own_record_and_no_other(
    number: str, exporter: Door, door: OpenDoor
) -> None:
    own = exporter.get("/v1/parties/NORDLICHT").json()
    assert [one["license"] for one in own["deviations"]] == [number]
    other = exporter.get("/v1/parties/KE-BCA")
    nobody = exporter.get("/v1/parties/NOBODY")
    assert (other.status_code, nobody.status_code) == (404, 404)
    assert other.json()["detail"].replace("KE-BCA", "") == nobody.json()["detail"].replace(
        "NOBODY", ""
    )
    assert door("grievance_officer").get("/v1/parties/KE-BCA").status_code == 403


def test_an_exporter_that_is_end_user_elsewhere_sees_nothing_of_that_license(
    number: str, door: OpenDoor
) -> None:
    own = door("exporter", "KE-BCA").get("/v1/parties/KE-BCA").json()
    assert (own["obligations"], own["deviations"]) == ([], [])


CHECK, DUTY = "audit:1", "obligation:1"


def _lowered(
    session: Session, standing: Standing, source: str, *, ground: str = "x", now: datetime
) -> bool:
    return standings.lower(
        session, "KE-BCA", standing, ground=ground, source=source, actor="x", now=now
    )


@pytest.mark.parametrize("order", [(CHECK, DUTY), (DUTY, CHECK)])
def test_a_party_stands_well_again_as_soon_as_the_last_cause_has_ended(
    order: tuple[str, str], number: str, sessions: Sessions
) -> None:
    first, last = order
    with sessions.begin() as session:
        assert _lowered(session, Standing.LISTING_RECOMMENDED, CHECK, now=day(0))
        assert not _lowered(session, Standing.UNVERIFIED, DUTY, now=day(1))
        assert standings.end(session, first, ground="x", actor="x", now=day(2)) == 0
        assert standings.end(session, last, ground="x", actor="x", now=day(3)) == 1
        assert standings.end(session, last, ground="x", actor="x", now=day(4)) == 0
        assert standings.end(session, "audit:9", ground="x", actor="x", now=day(4)) == 0


def test_what_is_not_asked_for_now_keeps_nobody_from_being_restored_and_may_come_back(
    number: str, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        assert _lowered(session, Standing.UNVERIFIED, CHECK, now=day(0))
        assert not _lowered(session, Standing.UNVERIFIED, DUTY, now=day(1))
        standings.pause(session, DUTY, now=day(2))
        assert standings.end(session, CHECK, ground="x", actor="x", now=day(3)) == 1
        assert _lowered(session, Standing.UNVERIFIED, DUTY, now=day(4))
        assert standings.end(session, DUTY, ground="x", actor="x", now=day(5)) == 1


def test_how_a_party_stands_is_told_with_its_ground_and_history(
    number: str, dashboard: Door, sessions: Sessions
) -> None:
    told = []
    for at, standing in enumerate((Standing.UNVERIFIED, Standing.UNVERIFIED, Standing.GOOD)):
        ground, now = f"ground {at}", day(at)
        with sessions() as session:
            if standing is Standing.GOOD:
                told.append(standings.end(session, CHECK, ground=ground, actor="x", now=now))
            else:
                told.append(_lowered(session, standing, CHECK, ground=ground, now=now))
            session.commit()
    assert told == [True, False, 1]
    record = dashboard.get("/v1/parties/KE-BCA").json()
    assert (record["standing"], record["ground"]) == ("good", "ground 2")
    assert [one["standing"] for one in record["standings"]] == ["good", "unverified"]
