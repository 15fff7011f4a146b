"""The short form of every benchmark and drill, so that they cannot rot. Figures are not judged here."""

import os
import re
from pathlib import Path

import pytest

from app.cli.postgres import Postgres
from benchmarks import drills, one_license
from benchmarks.backups import backups
from benchmarks.commits import commits
from benchmarks.figures import FIGURES
from benchmarks.hostile_files import hostile_files
from benchmarks.point_in_time import point_in_time
from benchmarks.tampering import tamper_with
from monitors import catalogue


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_figure_can_be_measured(postgres: Postgres, name: str) -> None:
    figures = FIGURES[name](postgres.url, 0.1)
    assert figures
    for figure in figures:
        assert any(character.isdigit() for character in figure.measured)


def test_the_cost_of_every_kind_is_told() -> None:
    (figure,) = FIGURES["kinds"]("", 0.1)
    kinds = [row[0] for row in figure.beneath[1:]]
    assert sorted(kinds) == list(catalogue().monitors)
    assert one_license.without_terms() == set()


def test_what_is_judged_there_is_nearly_all_in_order() -> None:
    measured = FIGURES["kinds"]("", 0.1)[0].measured
    broken, unclear = map(int, re.findall(r"(\d+) (?:broken|not assessable)", measured))
    assert (0 < broken < 60, unclear) == (True, 0)


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


def test_a_commit_that_is_cut_off_or_fails_is_never_acknowledged_without_its_row() -> None:
    figures = commits(1)
    assert min(figures[f"cut {when} COMMIT"] for when in ("before", "after")) >= 10
    assert figures["COMMIT failed"] > 0
    assert figures["answered as the first time"] > 0
    assert (figures["lost"], figures["doubled"], figures["answered otherwise"]) == (0, 0, 0)


def test_a_backup_beside_running_clients_comes_back_to_the_row() -> None:
    figures = backups(1)
    assert figures["acknowledged before"] > 0
    assert (figures["tables that differ"], figures["lost of these"]) == (0, 0)


def test_a_database_set_back_in_time_is_right_to_the_row_and_the_rollback_is_flagged() -> None:
    figures = point_in_time(1)
    assert figures["tables that differ"] == 0
    assert figures["filed after the moment"] > 0
    assert figures["witnessed"] > figures["went back to"]
    assert figures["flagged by the verifier"]
    assert figures["silent until decided"]


def test_whatever_a_superuser_changes_is_found_and_the_first_bad_entry_named(
    postgres: Postgres, tmp_path: Path
) -> None:
    figures = tamper_with(postgres, tmp_path, 42, seed=2)
    assert (figures["mutations"], figures["found"]) == (42, 42)
    assert figures["first bad entry known and named"] >= 30


def test_no_hostile_file_is_taken_no_good_one_refused_and_of_a_stranger_little_is_read() -> None:
    figures = hostile_files(24)
    assert (figures["bad accepted"], figures["good refused"]) == (0, 0)
    assert min(figures["bad"], figures["good"]) >= 3
