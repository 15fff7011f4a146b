"""A party's record, as the authority and the party itself may read it."""

from datetime import UTC, datetime

import pytest

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


def test_how_a_party_stands_is_told_with_its_ground_and_history(
    number: str, dashboard: Door, sessions: Sessions
) -> None:
    told = []
    for at, standing in enumerate((Standing.UNVERIFIED, Standing.UNVERIFIED, Standing.GOOD)):
        more = {"ground": f"ground {at}", "source": "audit:1", "actor": "x", "now": day(at)}
        with sessions() as session:
            if standing is Standing.GOOD:
                told.append(standings.restore(session, "KE-BCA", **more))  # type: ignore[arg-type]
            else:
                told.append(standings.lower(session, "KE-BCA", standing, **more))  # type: ignore[arg-type]
            session.commit()
    assert told == [True, False, True]
    record = dashboard.get("/v1/parties/KE-BCA").json()
    assert (record["standing"], record["ground"]) == ("good", "ground 2")
    assert [one["standing"] for one in record["standings"]] == ["good", "unverified"]
