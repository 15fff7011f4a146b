import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.cli import check
from tests.cli.files import FORMATS, written
from tests.cli.running import endwatch
from tests.cli.test_imports import reading, shipment
from tests.world import condition, license_body

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEXT = "No more than 5,000 persons per gate."
CAP = condition("gallery_cap", TEXT, max_enrolled=5000)
MODES = condition("match_mode", allowed=["verify_1_1"])
NUMBER = "BX-2026-77777"

Check = Callable[..., int]


def report(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "kind": "attestation",
        "license": NUMBER,
        "reference": "ATT-1",
        "observed_at": "2026-05-01T12:00:00Z",
        "statements": list(statements),
    } | more


def said(serial: str, **facts: Any) -> dict[str, Any]:
    return {"subject": {"serial": serial}, "facts": facts}


@pytest.fixture
def judge(tmp_path: Path) -> Check:
    """Checks reports by a license with the given conditions."""

    def run(
        *reports: dict[str, Any] | Path,
        conditions: tuple[dict[str, Any], ...] = (CAP, MODES),
        shipped: tuple[dict[str, Any], ...] = (),
        as_json: bool = False,
    ) -> int:
        license = tmp_path / "license.json"
        license.write_text(json.dumps(license_body(*conditions, number=NUMBER)))
        files = [
            one if isinstance(one, Path) else written(tmp_path / f"report-{index}.json", [one])
            for index, one in enumerate(reports)
        ]
        shipments = [written(tmp_path / "shipments.csv", shipped)] if shipped else []
        return check.run(license, files, shipments, as_json=as_json, now=NOW)

    return run


def test_a_report_in_order_is_clean_and_the_rest_is_told_apart(
    judge: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(report(said("A-1", gallery_size=5000))) == 0
    out, err = capsys.readouterr()
    assert "0 would be flagged" in out
    assert "- Match mode: nothing here speaks of it (identify_calls, match_modes" in out
    assert err == ""


def test_a_deviation_is_told_in_a_paragraph(
    judge: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(report(said("A-1", gallery_size=5001, match_modes=["verify_1_1"]))) == 1
    out = capsys.readouterr().out
    paragraph = next(part for part in out.split("\n\n") if part.startswith("1. "))
    for part in (
        "A-1",
        "5,001 enrolled",
        "at most 5,000 enrolled per unit",
        "Severity moderate;",  # an exporter's unsigned word alone goes no higher
        "seen once, 2026-05-01T12:00:00Z.",
        f"The condition says: “{TEXT}”",
        "Evidence: report:ATT-1#0 (grade E).",
        "What clears it: a reading at or below the cap",
    ):
        assert part in paragraph
    assert "\n" not in paragraph.strip()


@pytest.mark.parametrize("form", FORMATS)
def test_readings_are_judged_from_every_kind_of_file(
    judge: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    rows = [reading(NUMBER, "A-1", 6000, hour) for hour in (0, 1, 2)]
    rows += [reading(NUMBER, "A-2", 10, 2), reading(NUMBER, "A-2", 10, 2)]
    assert judge(written(tmp_path / f"readings.{form}", rows), as_json=True) == 1
    (license,) = json.loads(capsys.readouterr().out)["licenses"]
    assert license["statements"] == 4  # the same reading twice is one
    (flagged,) = license["flagged"]
    assert flagged["subject"] == {"kind": "unit", "reference": "A-1"}
    assert (flagged["occurrences"], flagged["severity"]) == (3, "high")
    assert flagged["first_observed_at"] == "2026-05-01T00:00:00Z"
    assert flagged["condition"] == TEXT


def test_statements_of_all_files_are_heard_together(
    judge: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    per_site = condition("gallery_cap", max_enrolled=5000, per="site")
    one = report(said("A-1", gallery_size=3000, site="NBO-T1"))
    other = report(
        said("A-2", gallery_size=2001, site="NBO-T1"),
        reference="ATT-2",
        observed_at="2026-05-02T12:00:00Z",
    )
    assert judge(one, conditions=(per_site,)) == 0
    assert judge(other, one, conditions=(per_site,)) == 1
    (flagged,) = [part for part in capsys.readouterr().out.split("\n\n") if part[0] == "1"]
    assert "NBO-T1" in flagged
    assert "5,001 enrolled" in flagged


def test_a_corrected_report_no_longer_counts(judge: Check) -> None:
    wrong = report(said("A-1", gallery_size=50_000))
    right = report(said("A-1", gallery_size=500), reference="ATT-1b", corrects="ATT-1")
    assert judge(wrong) == 1
    assert judge(wrong, right) == 0


def test_shipments_say_which_units_there_are_and_what_was_drawn(
    judge: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = condition("quantity_limit")
    shipped = shipment(NUMBER, "S-1", "A-1", quantity="41")
    assert judge(report(said("A-1", gallery_size=1)), conditions=(CAP, limit)) == 0
    assert "- Quantity limit: give what was shipped with --shipments." in capsys.readouterr().out
    assert judge(report(said("A-1", gallery_size=1)), conditions=(limit,), shipped=(shipped,)) == 1
    assert "Quantity limit" in capsys.readouterr().out
    assert judge(report(said("B-1", gallery_size=1)), shipped=(shipped,)) == 2
    assert "/statements/0/subject: 'B-1' is not a unit of" in capsys.readouterr().err


def test_what_is_owed_is_not_judged_and_that_is_said(
    judge: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    heartbeat = condition("heartbeat", every_hours=72)
    assert judge(report(said("A-1", gallery_size=1)), conditions=(CAP, heartbeat)) == 0
    assert "what is owed by a date is not judged offline" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (report(said("A-1", gallery="x")), "/statements/0/facts/gallery: "),
        (report(said("A-1", gallery_size="many")), "/statements/0/facts/gallery_size: "),
        (report(said("A-1", gallery_size=1), observed_at="2026-07-01T00:00:00Z"), "/observed_at: "),
        (report(said("A-1", gallery_size=1), observed_at="2026-01-01T00:00:00Z"), "/observed_at: "),
        (report({"subject": {"site": "XX"}, "facts": {"end_uses": []}}), "/statements/0/subject: "),
        (report(said("A-1", gallery_size=1), license="BX-OTHER"), "/license: "),
        (report(said("A-1", gallery_size=1), kind="gossip"), "/kind: "),
        (reading(NUMBER, "A-1", 1, photo="x"), "/facts/photo: "),
        (reading(NUMBER, "A-1", -1), "/facts/gallery_size: "),
        (reading("BX-OTHER", "A-1", 1), "/license: "),
    ],
)
def test_what_cannot_be_read_is_told_by_its_field(
    judge: Check, capsys: pytest.CaptureFixture[str], wrong: dict[str, Any], where: str
) -> None:
    good = report(said("A-1", gallery_size=1), reference="ATT-GOOD")
    assert judge(good, wrong) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith(f"endwatch: report-1.json: item 1, {where}")
    assert "1 statements judged" in out


def test_readings_that_contradict_each_other_are_told(
    judge: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [reading(NUMBER, "A-1", 1), reading(NUMBER, "A-1", 2)]
    assert judge(written(tmp_path / "readings.csv", rows)) == 2
    assert "row 3, column 'observed_at': another reading" in capsys.readouterr().err


def test_the_command_needs_no_database(tmp_path: Path) -> None:
    license = tmp_path / "license.json"
    license.write_text(json.dumps(license_body(CAP, number=NUMBER)))
    clean = written(tmp_path / "clean.json", [report(said("A-1", gallery_size=1))])
    flagged = written(tmp_path / "flagged.json", [report(said("A-1", gallery_size=5001))])
    nowhere = "postgresql://127.0.0.1:1/none"
    assert endwatch("check", license, clean, url=nowhere).returncode == 0
    assert endwatch("check", license, flagged, url=nowhere).returncode == 1

    license.write_text('{"number": ')
    broken = endwatch("check", license, clean, url=nowhere)
    assert (broken.returncode, broken.stdout) == (2, "")
    (line,) = broken.stderr.splitlines()
    assert line.startswith("endwatch: license.json: not JSON")


def test_a_license_that_cannot_be_read_is_told_by_its_field(
    judge: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(report(said("A-1")), conditions=(condition("gallery_cap", max_enrolled=-1),)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("endwatch: license.json: item 1, /conditions/0/terms/max_enrolled: ")
