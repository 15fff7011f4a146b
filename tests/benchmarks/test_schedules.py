"""The short form of what is drilled of schedules; what is measured of them is among the figures."""

from benchmarks import schedulers


def test_two_schedulers_of_which_one_sleeps_and_one_dies_miss_and_double_nothing() -> None:
    figures = schedulers.schedulers(1)
    assert figures["silences"] == 200
    assert (figures["pauses"], figures["kills"]) == (2, 2)
    assert (figures["missed"], figures["doubled"], figures["gaps in the journal"]) == (0, 0, 0)
