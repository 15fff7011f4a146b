"""The short form of every benchmark and drill, so that they cannot rot. Figures are not judged here."""

import os

import pytest

from app.cli.postgres import Postgres
from benchmarks import drills
from benchmarks.figures import FIGURES


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_figure_can_be_measured(postgres: Postgres, name: str) -> None:
    figures = FIGURES[name](postgres.url, 0.1)
    assert figures
    for figure in figures:
        assert any(character.isdigit() for character in figure.measured)


def test_nothing_acknowledged_is_lost_when_processes_are_killed() -> None:
    figures = drills.kills(3)
    assert figures["kills"] == 3
    assert figures["acknowledged"] > 0
    assert (figures["lost"], figures["doubled"], figures["row without entry"]) == (0, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk to fill")
def test_a_full_disk_loses_nothing_and_is_survived() -> None:
    figures = drills.full_disk(1)
    assert figures["lost"] == 0
    assert figures["seconds until back"] <= 30
