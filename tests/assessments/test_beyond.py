"""A device's own reading before is heard where much changed, and only there."""

from collections.abc import Callable
from typing import Any

import pytest

from app.assessments import statements
from tests.conftest import Clock, Door, MakeLicense
from tests.journeys.telling import day, deviations, file, reading, report, send, stated

NAIROBI = {"lat": -1.319, "lon": 36.928, "accuracy_m": 10}
MOMBASA = {"lat": -4.034, "lon": 39.599, "accuracy_m": 10}
Heard = Callable[[], list[str]]


@pytest.fixture
def number(make_license: MakeLicense, time: Clock) -> str:
    time.now = day(1)
    made: str = make_license(serials=("FR-1", "FR-2"))["number"]
    return made


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """List the earlier statements that were fetched since it was last asked."""
    fetched: list[str] = []
    dressed = statements._by_license  # noqa: SLF001 what the database gave, and nothing of it changed

    def listen(rows: str) -> Any:
        found = dressed(rows)
        fetched.extend(one.id for said in found.values() for one in said)
        return found

    monkeypatch.setattr(statements, "_by_license", listen)

    def told() -> list[str]:
        now = sorted(fetched)
        fetched.clear()
        return now

    return told


def reasons(door: Door) -> list[str]:
    return [one["reason"] for one in deviations(door)]


def read(number: str, minutes: int, **facts: Any) -> dict[str, Any]:
    return reading(number, "FR-1", day(0, minutes=minutes), **facts)


def test_a_unit_that_stays_as_it_is_is_not_compared_with_its_reading_before(
    number: str, exporter: Door, heard: Heard
) -> None:
    send(exporter, read(number, 0, position=NAIROBI, gallery_size=50_000))
    send(exporter, read(number, 1, position=NAIROBI | {"lat": -1.31905}, gallery_size=70_000))
    assert heard() == []


def test_a_unit_that_moved_is(number: str, exporter: Door, heard: Heard) -> None:
    send(exporter, read(number, 0, position=NAIROBI))
    send(exporter, read(number, 5, position=MOMBASA))
    assert len(heard()) == 1
    assert "impossible_movement" in reasons(exporter)


def test_a_gallery_that_grew_by_more_than_it_can_in_an_hour_is(
    number: str, exporter: Door, heard: Heard
) -> None:
    send(exporter, read(number, 0, gallery_size=50_000))
    send(exporter, read(number, 5, gallery_size=70_001))
    assert len(heard()) == 1
    assert "impossible_growth" in reasons(exporter)


def test_where_somebody_else_spoke_of_the_unit_its_reading_is_heard_as_well(
    number: str, exporter: Door, heard: Heard
) -> None:
    """A report from Nairobi, then the unit reads from Mombasa: only the first reading is strange."""
    file(exporter, report(number, day(0), stated("FR-1", position=NAIROBI)))
    send(exporter, read(number, 5, position=MOMBASA))
    send(exporter, read(number, 6, position=MOMBASA))
    found = [one for one in deviations(exporter) if one["reason"] == "impossible_movement"]
    assert [one["occurrences"] for one in found] == [1]
    assert any(id.startswith("reading:") for id in heard())
