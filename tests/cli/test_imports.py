from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.cli import imports
from app.cli.intakes import Readings
from app.cli.kinds import Kind
from app.cli.tables import FileTrouble
from app.database import Sessions
from app.deviations.models import Deviation
from app.journal.models import PendingEntry
from app.licenses.models import License
from app.settings import Settings
from app.shipments.models import Shipment, Unit
from tests.cli.files import FORMATS, written
from tests.cli.running import endwatch
from tests.conftest import MakeLicense
from tests.world import condition, license_body

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CAP = condition("gallery_cap", max_enrolled=5000)

Import = Callable[..., int]


@pytest.fixture
def take(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Import:
    """Imports a file; what was printed before is forgotten."""

    def run(kind: Kind, file: Path, *, partial: bool = False, party: str | None = None) -> int:
        capsys.readouterr()
        return imports.run(settings, kind, file, partial=partial, party=party, now=NOW)

    return run


@pytest.fixture
def count(sessions: Sessions) -> Callable[[Any], int]:
    def run(model: Any) -> int:
        with sessions() as session:
            return session.scalar(select(func.count()).select_from(model)) or 0

    return run


def shipment(number: str, reference: str, *serials: str, **more: Any) -> dict[str, Any]:
    return {
        "license": number,
        "reference": reference,
        "line": 1,
        "date": "2026-03-04",
        "quantity": str(len(serials)),
        "value": {"amount": "12000.00", "currency": "EUR"},
        "serials": list(serials),
    } | more


def reading(number: str, serial: str, size: int, hour: int = 0, **facts: Any) -> dict[str, Any]:
    moment = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=hour)
    return {
        "license": number,
        "serial": serial,
        "observed_at": moment.isoformat(),
        "facts": {"gallery_size": size, **facts},
    }


@pytest.mark.parametrize("form", FORMATS)
def test_licenses_come_in_from_every_kind_of_file(
    take: Import, count: Callable[[Any], int], tmp_path: Path, form: str
) -> None:
    bodies = [license_body(CAP), license_body(CAP, condition("match_mode", allowed=["verify_1_1"]))]
    assert take(Kind.LICENSES, written(tmp_path / f"licenses.{form}", bodies)) == 0
    assert count(License) == 2


@pytest.mark.parametrize("form", FORMATS)
def test_shipments_come_in_from_every_kind_of_file(
    take: Import, make_license: MakeLicense, tmp_path: Path, count: Callable[[Any], int], form: str
) -> None:
    number = make_license()["number"]
    rows = [shipment(number, "S-1", "A-1", "A-2"), shipment(number, "S-2", "A-3")]
    assert take(Kind.SHIPMENTS, written(tmp_path / f"shipments.{form}", rows)) == 0
    assert (count(Shipment), count(Unit)) == (2, 3)


@pytest.mark.parametrize("form", FORMATS)
def test_readings_come_in_from_every_kind_of_file_and_are_judged(
    take: Import,
    make_license: MakeLicense,
    tmp_path: Path,
    count: Callable[[Any], int],
    capsys: pytest.CaptureFixture[str],
    form: str,
) -> None:
    number = make_license(CAP, serials=("A-1", "A-2"))["number"]
    rows = [
        reading(number, "A-1", 4000, position={"lat": -1.319, "lon": 36.928, "accuracy_m": 12}),
        reading(number, "A-2", 5001, match_modes=["verify_1_1"]),
    ]
    file = written(tmp_path / f"readings.{form}", rows)
    assert take(Kind.READINGS, file, party="NORDLICHT") == 0
    assert capsys.readouterr().out == f"{file.name}: 2 stored, 1 deviation found\n"
    assert count(Deviation) == 1


def test_the_same_file_again_changes_nothing(
    take: Import,
    make_license: MakeLicense,
    tmp_path: Path,
    count: Callable[[Any], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    number = make_license()["number"]
    shipments = written(tmp_path / "shipments.csv", [shipment(number, "S-1", "A-1")])
    readings = written(tmp_path / "readings.csv", [reading(number, "A-1", 1)])
    licenses = written(tmp_path / "licenses.json", [license_body(number=number)])
    assert (take(Kind.SHIPMENTS, shipments), take(Kind.READINGS, readings)) == (0, 0)
    written_down = count(PendingEntry)
    capsys.readouterr()
    assert take(Kind.SHIPMENTS, shipments) == 0
    assert capsys.readouterr().out == "shipments.csv: 0 stored, 1 already on file\n"
    assert take(Kind.READINGS, readings) == 0
    assert capsys.readouterr().out == "readings.csv: 0 stored, 1 already on file\n"
    assert take(Kind.LICENSES, licenses) == 1
    said = capsys.readouterr().err
    assert f"licenses.json: item 1, /number: {number} is already on file\n" in said
    assert count(PendingEntry) - written_down <= 1  # the second batch of readings, with its count


def test_every_fault_is_told_with_row_and_column_and_nothing_is_stored(
    take: Import,
    make_license: MakeLicense,
    tmp_path: Path,
    count: Callable[[Any], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    number = make_license(serials=("A-1",))["number"]
    before = count(PendingEntry)
    file = tmp_path / "readings.csv"
    file.write_text(
        "license,serial,observed_at,gallery_size,country\n"
        f"{number},A-1,2026-05-01T00:00:00Z,1,KE\n"
        f"{number},A-1,2026-05-01,2,KE\n"
        f"{number},A-1,2026-05-03T00:00:00Z,-3,Kenya\n"
        f"{number},A-1,2026-05-04T00:00:00Z,4,KE,5\n"
    )
    assert take(Kind.READINGS, file) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0].startswith("readings.csv: row 3, column 'observed_at': ")
    assert lines[1].startswith("readings.csv: row 5: 6 cells where the header has 5")
    assert lines[2].startswith("readings.csv: row 4, column 'country': ")
    assert lines[3].startswith("readings.csv: row 4, column 'gallery_size': ")
    assert lines[4].startswith("endwatch: readings.csv: 4 faults, nothing was stored")
    assert count(PendingEntry) == before


def test_what_only_the_database_can_refuse_stores_nothing_either(
    take: Import,
    make_license: MakeLicense,
    tmp_path: Path,
    count: Callable[[Any], int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = make_license(CAP, serials=("A-1",))["number"]
    before = count(PendingEntry)
    monkeypatch.setattr(Readings, "at_once", 2)
    good = [reading(number, "A-1", 9000, hour) for hour in range(5)]
    bad = [reading(number, "B-1", 1), reading("BX-NONE", "A-1", 1)]
    assert take(Kind.READINGS, written(tmp_path / "readings.ndjson", good + bad)) == 1
    said = capsys.readouterr().err
    assert "readings.ndjson: line 6, /serial: 'B-1' is not a unit of" in said
    assert "readings.ndjson: line 7, /license: There is no license 'BX-NONE' here." in said

    rows = [shipment(number, "S-9", "A-9"), shipment(number, "S-8", "A-8", line=7)]
    assert take(Kind.SHIPMENTS, written(tmp_path / "shipments.xlsx", rows)) == 1
    assert "row 3, column C 'line': " in capsys.readouterr().err

    twice = license_body()
    assert take(Kind.LICENSES, written(tmp_path / "licenses.csv", [twice, twice])) == 1
    assert "row 3, column 'number': " in capsys.readouterr().err
    assert (count(PendingEntry), count(Deviation), count(Shipment)) == (before, 0, 1)


def test_partial_stores_the_good_rows_and_lists_the_others(
    take: Import,
    make_license: MakeLicense,
    tmp_path: Path,
    count: Callable[[Any], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    number = make_license(serials=("A-1",))["number"]
    rows = [
        reading(number, "A-1", 1),
        reading(number, "A-1", -1, 1),
        reading(number, "B-1", 1, 2),
        reading(number, "A-1", 4, 3),
    ]
    file = written(tmp_path / "readings.json", rows)
    assert take(Kind.READINGS, file, partial=True) == 1
    out, err = capsys.readouterr()
    assert out == "readings.json: 2 stored, 2 faults, 1 deviation found\n"
    assert err.splitlines()[0].startswith("readings.json: item 2, /facts/gallery_size: ")
    assert err.splitlines()[1].startswith("readings.json: item 3, /serial: ")

    rows = [shipment(number, "S-9", "A-9"), shipment(number, "S-8", "A-8", line=7)]
    assert take(Kind.SHIPMENTS, written(tmp_path / "shipments.csv", rows), partial=True) == 1
    assert count(Shipment) == 2
    licenses = [license_body(), license_body(number=number), {"number": "BX-3"}, license_body()]
    assert take(Kind.LICENSES, written(tmp_path / "licenses.ndjson", licenses), partial=True) == 1
    assert count(License) == 3


def test_a_condition_with_a_wrong_term_is_told_by_its_cell(
    take: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = license_body(CAP, condition("match_mode", allowed=["by_eye"]))
    assert take(Kind.LICENSES, written(tmp_path / "licenses.csv", [body])) == 1
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith(
        "licenses.csv: row 2, column 'conditions', entry 2, /terms/allowed/0: Input should be"
    )


def test_what_looks_like_a_person_is_refused(
    take: Import, make_license: MakeLicense, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = make_license(serials=("A-1",))["number"]
    rows = [reading(number, "A-1", 1, face_template="AAAA")]
    assert take(Kind.READINGS, written(tmp_path / "readings.ndjson", rows)) == 1
    said = capsys.readouterr().err
    assert "line 1, /facts/face_template: " in said
    assert "Biometric data and data about persons are never taken" in said


@pytest.mark.parametrize("kind", list(Kind))
def test_a_wrong_header_is_told_before_any_row(take: Import, tmp_path: Path, kind: Kind) -> None:
    file = tmp_path / "file.csv"
    file.write_text("licence,serial\nBX-1,A-1\n")
    with pytest.raises(FileTrouble, match=r"file\.csv: .*unknown column 'licence'"):
        take(kind, file)


def test_the_command_says_in_its_exit_code_what_became_of_a_file(
    database_url: str, tmp_path: Path
) -> None:
    licenses = written(tmp_path / "licenses.json", [license_body()])
    done = endwatch("import", "licenses", licenses, url=database_url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "licenses.json: 1 stored\n", "")
    header = tmp_path / "header.csv"
    header.write_text("wrong\n1\n")
    refused = endwatch("import", "readings", header, url=database_url)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith("endwatch: header.csv: unknown column 'wrong'")


def test_a_file_that_is_not_there_is_told(take: Import, tmp_path: Path) -> None:
    with pytest.raises(FileTrouble, match=r"^none\.csv: No such file or directory$"):
        take(Kind.READINGS, tmp_path / "none.csv")
