"""The monthly partitions of readings, and readings that come before their month is prepared."""

import threading
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from app.assessments import partitions
from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense
from tests.journeys.telling import day, reading, send

NOW = datetime(2031, 11, 15, 12, tzinfo=UTC)  # no month near it is prepared yet


def prepare(sessions: Sessions, now: datetime, ahead: int = 3) -> list[str]:
    with sessions() as session:
        made = partitions.prepare(session, now=now, ahead=ahead)
        session.commit()
    return made


def where(sessions: Sessions) -> dict[str, str]:
    """Say in which table each reading is, by the day it was true."""
    query = text("SELECT observed_at::date::text, tableoid::regclass::text FROM readings")
    with sessions() as session:
        return {row[0]: row[1] for row in session.execute(query)}


@pytest.mark.parametrize(
    ("now", "months"),
    [
        (NOW, ["2031-10-01", "2031-11-01", "2031-12-01", "2032-01-01"]),
        (
            datetime(2032, 1, 1, tzinfo=UTC),
            ["2031-12-01", "2032-01-01", "2032-02-01", "2032-03-01"],
        ),
        (
            datetime.fromisoformat("2032-01-01T00:30:00+03:00"),  # still December in UTC
            ["2031-11-01", "2031-12-01", "2032-01-01", "2032-02-01"],
        ),
    ],
)
def test_last_month_this_one_and_those_to_come_are_wanted(now: datetime, months: list[str]) -> None:
    assert partitions.months(now, 2) == [date.fromisoformat(month) for month in months]


def test_months_are_prepared_ahead_once(sessions: Sessions) -> None:
    assert prepare(sessions, NOW, ahead=2) == [
        "readings_2031_10",
        "readings_2031_11",
        "readings_2031_12",
        "readings_2032_01",
    ]
    assert prepare(sessions, NOW, ahead=2) == []
    assert prepare(sessions, datetime(2031, 12, 1, tzinfo=UTC), ahead=2) == ["readings_2032_02"]


def test_a_reading_without_a_month_is_kept_and_moved_when_its_month_is_made(
    make_license: MakeLicense, sessions: Sessions, exporter: Door, time: Clock
) -> None:
    time.now = day(0)
    number = make_license(serials=("FR-1",))["number"]
    time.now = NOW
    said = [
        reading(number, "FR-1", datetime.fromisoformat(at), gallery_size=7)
        for at in ("2031-06-30T23:59:59.999999Z", "2031-07-01T00:00:00Z", "2031-11-14T00:00:00Z")
    ]
    assert send(exporter, *said)["accepted"] == 3
    assert set(where(sessions).values()) == {"readings_default"}
    made = prepare(sessions, NOW, ahead=1)
    assert made == [
        "readings_2031_06",
        "readings_2031_07",
        "readings_2031_10",
        "readings_2031_11",
        "readings_2031_12",
    ]
    assert where(sessions) == {
        "2031-06-30": "readings_2031_06",
        "2031-07-01": "readings_2031_07",
        "2031-11-14": "readings_2031_11",
    }
    again = send(exporter, *said)
    assert (again["accepted"], again["duplicates"]) == (0, 3)


def test_a_prepared_month_has_the_key_and_the_index_of_all_readings(sessions: Sessions) -> None:
    prepare(sessions, NOW, ahead=1)
    query = text("SELECT indexdef FROM pg_indexes WHERE tablename = :table ORDER BY indexdef")
    with sessions() as session:
        made, default = (
            [
                definition.partition(" USING ")[2]
                for definition in session.scalars(query, {"table": table})
            ]
            for table in ("readings_2031_11", "readings_default")
        )
    assert made == default
    assert len(made) == 2


def test_any_number_of_schedulers_prepare_each_month_once(sessions: Sessions) -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend(prepare(sessions, NOW))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [
        "readings_2031_10",
        "readings_2031_11",
        "readings_2031_12",
        "readings_2032_01",
        "readings_2032_02",
    ]


def test_readings_are_taken_while_their_month_is_being_made(
    make_license: MakeLicense, sessions: Sessions, exporter: Door, time: Clock
) -> None:
    time.now = day(0)
    number = make_license(serials=("FR-1",))["number"]
    time.now = NOW
    with sessions() as session:
        partitions.prepare(session, now=NOW, ahead=1)
        taken: list[int] = []
        one = reading(number, "FR-1", NOW, gallery_size=7)
        sender = threading.Thread(target=lambda: taken.append(send(exporter, one)["accepted"]))
        sender.start()
        sender.join(timeout=0.3)
        assert taken == []  # it waits
        session.commit()
    sender.join()
    assert taken == [1]
    assert where(sessions) == {"2031-11-15": "readings_2031_11"}
