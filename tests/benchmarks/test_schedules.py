"""The short form of what is measured and drilled of schedules."""

from app.cli.postgres import Postgres
from benchmarks import schedule, schedulers


def test_the_schedule_of_many_licenses_can_be_measured(postgres: Postgres) -> None:
    whole, tick = schedule.figures(postgres.url, 0.02)
    assert "min" in whole.measured
    assert "ms" in tick.measured


def test_two_schedulers_of_which_one_sleeps_and_one_dies_miss_and_double_nothing() -> None:
    figures = schedulers.schedulers(1)
    assert figures["silences"] == 200
    assert (figures["pauses"], figures["kills"]) == (2, 2)
    assert (figures["missed"], figures["doubled"], figures["gaps in the journal"]) == (0, 0, 0)
