import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments.models import Reading
from app.cli import samples
from app.cli.world import moved
from app.database import Sessions
from app.deviations import service as deviations
from app.deviations.models import Deviation
from app.journal.models import Entry
from app.licenses.models import License
from app.parties.models import Site
from app.settings import Settings
from app.shipments.models import Unit
from monitors import catalogue
from samples import make_samples

UNMOVED = datetime(2026, 11, 1, 9, tzinfo=UTC)
MOVED = datetime(2028, 4, 2, 23, tzinfo=UTC)

FIRST_KINDS = {
    "permitted_end_use",
    "permitted_end_users",
    "permitted_sites",
    "permitted_countries",
    "match_mode",
    "gallery_cap",
    "retention_limit",
    "data_localization",
    "software_version",
    "heartbeat",
    "reporting_cadence",
    "quantity_limit",
}

Row = tuple[str, ...]


def expected() -> list[set[Row]]:
    """Read the three tables of EXPECTED.md, without the sentence that says why."""
    tables: list[set[Row]] = []
    for line in (samples.FOLDER / "EXPECTED.md").read_text().splitlines():
        if line.startswith("## "):
            tables.append(set())
        if line.startswith("| BX-"):
            row = tuple(cell.strip(" `") for cell in line.strip("|").split("|"))[:-1]
            assert row not in tables[-1], line
            tables[-1].add(row)
    return tables


def state(deviation: Deviation) -> str:
    if deviation.withdrawn_at:
        return "withdrawn"
    return "cleared" if deviation.cleared_at else "standing"


def found(session: Session) -> set[Row]:
    wanted: dict[str, Any] = dict.fromkeys(("party", "state", "severity", "license", "kind"))
    rows = deviations.listed(session, **wanted, after=None, limit=1000)
    return {(one.license, one.kind, one.subject, one.reason, state(one)) for one in rows}


def unclear(session: Session) -> set[Row]:
    rows = assessments.unassessed(session, party=None, license=None, after=None, limit=1000)
    return {(number, one.kind, one.subject, one.reason) for one, number in rows}


def arrived_after(session: Session, serial: str, days: int) -> int:
    """Count readings of a unit that came so many days late."""
    late = Reading.received_at - Reading.observed_at > timedelta(days=days)
    return session.scalars(select(func.count()).where(Reading.serial == serial, late)).one()


def load(settings: Settings, now: datetime) -> list[str]:
    told: list[str] = []
    samples.load(settings, samples.FOLDER, now=now, progress=told.append)
    return told


@pytest.mark.parametrize("now", [UNMOVED, MOVED], ids=["as in the files", "moved"])
def test_exactly_what_was_hidden_is_found(
    settings: Settings, sessions: Sessions, now: datetime
) -> None:
    broken, not_assessable, innocent = expected()
    assert load(settings, now)
    with sessions() as session:
        assert found(session) == broken
        assert unclear(session) == not_assessable
        assert innocent.isdisjoint(row[:3] for row in broken | not_assessable)
        assert {arrived_after(session, f"AU-SN-00{n}", 5) for n in (17, 18)} == {1}
        newest = session.scalars(select(func.max(Reading.observed_at))).one()
        assert newest.date() == now.date() - timedelta(days=1)
        assert session.scalars(select(func.count()).select_from(Reading)).one() == distinct()
        assert session.scalars(select(Entry.action).order_by(Entry.seq.desc())).first() == (
            samples.MARK
        )
        sizes = [
            session.scalars(select(func.count()).select_from(it)).one()
            for it in (License, Site, Unit)
        ]
    assert sizes == [12, 30, 400]
    assert load(settings, now) == ["The samples are loaded already."]


def distinct() -> int:
    with gzip.open(samples.FOLDER / "readings.ndjson.gz", "rt") as file:
        lines = list(file)
    assert len(lines) == len(set(lines)) + 1  # the one the gateway delivered twice
    return len(set(lines))


def test_each_of_the_first_kinds_is_broken_somewhere() -> None:
    broken, not_assessable, innocent = expected()
    assert {row[1] for row in broken} == FIRST_KINDS | {"consistent_sources"}
    assert set(catalogue().monitors) >= FIRST_KINDS
    assert {row[4] for row in broken} == {"standing", "cleared", "withdrawn"}
    assert not_assessable
    assert innocent


def test_a_broken_off_load_is_told_and_not_gone_on_with(
    settings: Settings, sessions: Sessions
) -> None:
    def break_off(line: str) -> None:
        if "so far" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        samples.load(settings, samples.FOLDER, now=UNMOVED, progress=break_off)
    assert load(settings, UNMOVED) == [
        "Loading the samples was broken off before; use an empty database."
    ]
    with sessions() as session:
        assert session.scalars(select(func.count()).select_from(License)).one() == 1


def test_the_files_are_those_the_script_writes() -> None:
    made = dict(make_samples.files())
    for name, content in made.items():
        shipped = (samples.FOLDER / name).read_bytes()
        if name.endswith(".gz"):  # how it is packed depends on the machine's zlib
            assert gzip.decompress(shipped) == gzip.decompress(content), name
        else:
            assert shipped == content, name
    filed = {f"{path.relative_to(samples.FOLDER)}" for path in samples.FOLDER.glob("*s/*.json")}
    assert filed == {name for name in made if "/" in name}


def test_the_files_can_be_written_elsewhere(tmp_path: Path) -> None:
    written = samples.write(tmp_path / "new")
    assert {path.name for path in written} >= {"README.md", "EXPECTED.md", "licenses.json"}
    for path in written:
        name = path.relative_to(tmp_path / "new")
        assert path.read_bytes() == (samples.FOLDER / name).read_bytes()


def test_dates_move_and_words_do_not() -> None:
    value = {
        "granted_on": "2026-02-28",
        "times": ["2026-10-31T19:30:00Z"],
        "text": "since 2026-02-28",
        "quantity": 3,
    }
    assert moved(value, timedelta(days=1)) == {
        "granted_on": "2026-03-01",
        "times": ["2026-11-01T19:30:00Z"],
        "text": "since 2026-02-28",
        "quantity": 3,
    }
