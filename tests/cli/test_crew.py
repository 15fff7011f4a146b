"""Work is shared by processes; none is left behind, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from app.cli.crew import WorkerFailed, available, spread
from tests.cli.crew_tasks import dying, failing, squaring
from tests.cli.running import PROJECT, eventually, gone


def left_behind() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [one for one in children if "spawn_main" in " ".join(one.cmdline())]


def test_results_come_in_order_from_several_processes() -> None:
    results = list(spread(squaring, 0.2, range(40), workers=2))
    assert [square for square, _ in results] == [number * number for number in range(40)]
    workers = {pid for _, pid in results}
    assert len(workers) == 2
    assert os.getpid() not in workers
    assert left_behind() == []


def test_one_worker_is_this_process() -> None:
    assert list(spread(squaring, 0.0, range(3), workers=1)) == [
        (number * number, os.getpid()) for number in range(3)
    ]


def test_tasks_are_fetched_as_they_are_wanted() -> None:
    fetched = 0

    def tasks() -> Iterator[int]:
        nonlocal fetched
        for number in range(100_000):
            fetched += 1
            yield number

    results = spread(squaring, 0.0, tasks(), workers=2)
    assert [next(results)[0] for _ in range(5)] == [0, 1, 4, 9, 16]
    assert fetched < 200
    results.close()  # type: ignore[attr-defined]
    assert left_behind() == []


def test_a_worker_that_dies_is_told_and_the_others_end() -> None:
    with pytest.raises(WorkerFailed, match=r"worker [12] of 2 \(process \d+\) died with code 9"):
        list(spread(dying, 5, range(100), workers=2))
    assert left_behind() == []


def test_a_worker_that_fails_says_why() -> None:
    with pytest.raises(WorkerFailed, match="no such number: 5"):
        list(spread(failing, 5, range(100), workers=2))
    assert left_behind() == []


@pytest.mark.parametrize("signals", [signal.SIGINT, signal.SIGKILL])
def test_stopping_stops_all(signals: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.cli.crew_tasks"]
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    with process.stdout, process.stderr:
        assert process.stdout.readline().startswith("0 ")
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 2
        if signals is signal.SIGINT:  # as a terminal does: everybody in the group hears it
            os.killpg(process.pid, signals)
        else:
            process.send_signal(signals)
        assert process.wait(30) == (130 if signals is signal.SIGINT else -signal.SIGKILL)
        assert eventually(lambda: gone(family), 30)
        if signals is signal.SIGINT:
            assert process.stderr.read() == ""


def test_there_are_cores() -> None:
    assert 1 <= available() <= (os.cpu_count() or 1)
