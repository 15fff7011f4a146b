"""`endwatch replay`, as an operator runs it: before a new version, and after."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.database import Sessions
from tests.cli.next_version import IN_SHADOW, RELEASED, Product, product
from tests.cli.running import endwatch
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import day, deviations, entries, reading, send
from tests.world import condition

UNITS = ("FR-1", "FR-2", "FR-3", "FR-4")
DIFFERS = [
    ("appeared", "FR-2", "4,600 enrolled"),
    ("changed", "FR-3", "6,000 enrolled"),
    ("vanished", "FR-4", "7,000 enrolled"),
]


@pytest.fixture(autouse=True)
def begin(time: Clock) -> None:
    time.now = day(0)


def sizes(number: str) -> list[dict[str, Any]]:
    stated = zip(UNITS, (4000, 4600, 6000, 7000), strict=True)
    return [
        reading(number, serial, day(at), gallery_size=persons)
        for at, (serial, persons) in enumerate(stated, start=1)
    ]


@pytest.fixture
def capped(make_license: MakeLicense, time: Clock) -> str:
    """A license that allows 5,000 on each of its four units."""
    number: str = make_license(condition("gallery_cap", max_enrolled=5000), serials=UNITS)["number"]
    time.now = day(10)
    return number


@pytest.fixture
def said(capped: str, exporter: Door) -> str:
    """The same, and what each of the units said: two are above the cap."""
    send(exporter, *sizes(capped))
    return capped


def replayed(made: Product, *arguments: object) -> tuple[int, dict[str, Any]]:
    done = made.run("replay", "--kind", "gallery_cap", "--json", *arguments)
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, told


def differences(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (one["change"], one["subject"], one["sentence"].partition(": ")[2].partition(";")[0])
        for one in told["differences"]
    ]


def standing(sessions: Sessions) -> list[tuple[str, str, int]]:
    query = text(
        "SELECT d.subject, o.expected, o.monitor_version FROM occurrences o JOIN deviations d"
        " ON d.id = o.deviation_id WHERE o.withdrawn_at IS NULL ORDER BY d.subject"
    )
    with sessions() as session:
        return [tuple(row) for row in session.execute(query)]


FIRST = [("FR-3", 5000, 1), ("FR-4", 5000, 1)]
SECOND = [("FR-2", 4500, 2), ("FR-3", 4500, 2)]


def as_found(found: list[tuple[str, int, int]]) -> list[tuple[str, str, int]]:
    return [(unit, f"at most {most:,} enrolled per unit", version) for unit, most, version in found]


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_differs_while_nothing_has_changed(
    said: str, database_url: str, sessions: Sessions, workers: int
) -> None:
    command = ("replay", "--kind", "gallery_cap", "--workers", workers)
    done = endwatch(*command, url=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing differs from what is on record" in done.stdout
    told = json.loads(endwatch(*command, "--json", url=database_url).stdout)
    assert (told["statements"], told["same"], told["differences"]) == (4, 2, [])
    assert standing(sessions) == as_found(FIRST)


def test_a_changed_monitor_shows_what_it_changes_before_anything_is_stored(
    said: str, database_url: str, sessions: Sessions, dashboard: Door, tmp_path: Path
) -> None:
    made = product(tmp_path, database_url, RELEASED)
    before = dashboard.get("/v1/alerts/current").json()
    code, told = replayed(made)
    assert (code, told["version"], told["stored"]) == (1, 2, None)
    assert differences(told) == DIFFERS
    assert [told[name] for name in ("appeared", "vanished", "changed", "same")] == [1, 1, 1, 0]
    assert standing(sessions) == as_found(FIRST)
    assert dashboard.get("/v1/alerts/current").json() == before
    in_words = made.run("replay", "--kind", "gallery_cap")
    assert in_words.returncode == 1
    assert f"appeared: {said}, unit FR-2, 2026-06-03T12:00:00Z: Gallery cap" in in_words.stdout
    assert "On record: Gallery cap, unit FR-3: 6,000 enrolled; expected: at most 5,000" in (
        in_words.stdout
    )
    assert in_words.stdout.endswith("nothing was stored\n")


def test_what_is_shown_is_stored_when_asked_and_once(
    said: str, database_url: str, sessions: Sessions, dashboard: Door, tmp_path: Path
) -> None:
    made = product(tmp_path, database_url, RELEASED)
    code, told = replayed(made, "--store")
    assert (code, differences(told)) == (1, DIFFERS)
    assert {name: told["stored"][name] for name in ("licenses", "appeared", "vanished")} == {
        "licenses": 1,
        "appeared": 1,
        "vanished": 1,
    }
    assert standing(sessions) == as_found(SECOND)
    withdrawn = {one["subject"]: one["withdrawn_at"] is not None for one in deviations(dashboard)}
    assert withdrawn == {"FR-2": False, "FR-3": False, "FR-4": True}
    assert entries(sessions, "monitor.replayed") == 1
    code, told = replayed(made, "--store")
    assert (code, told["differences"], told["same"]) == (0, [], 2)
    assert standing(sessions) == as_found(SECOND)
    assert entries(sessions, "monitor.replayed") == 1


def test_days_and_licenses_narrow_it_down(said: str, database_url: str, tmp_path: Path) -> None:
    made = product(tmp_path, database_url, RELEASED)
    code, told = replayed(made, "--from", "2026-06-04", "--to", "2026-06-04", "--license", said)
    assert (code, told["from"], told["to"]) == (1, "2026-06-04", "2026-06-04")
    assert differences(told) == [DIFFERS[1]]


def shadow_rows(sessions: Sessions) -> list[tuple[str, int, str]]:
    query = text("SELECT subject, version, observed FROM shadow_findings ORDER BY subject")
    with sessions() as session:
        return [tuple(row) for row in session.execute(query)]


def test_a_version_in_shadow_judges_at_intake_and_nobody_is_told(
    capped: str,
    door: OpenDoor,
    dashboard: Door,
    database_url: str,
    sessions: Sessions,
    tmp_path: Path,
) -> None:
    made = product(tmp_path, database_url, IN_SHADOW)
    file = tmp_path / "readings.ndjson"
    file.write_text("\n".join(map(json.dumps, sizes(capped))))
    taken = made.run("import", "readings", file, "--party", "NORDLICHT")
    assert (taken.returncode, taken.stderr) == (0, "")
    assert taken.stdout == "readings.ndjson: 4 stored, 2 deviations found\n"
    assert shadow_rows(sessions) == [("FR-2", 2, "4,600 enrolled"), ("FR-3", 2, "6,000 enrolled")]
    assert standing(sessions) == as_found(FIRST)
    assert {one["subject"] for one in deviations(dashboard)} == {"FR-3", "FR-4"}
    assert entries(sessions, "deviation.recorded") == 2
    with sessions() as session:
        alerts = session.scalar(text("SELECT count(*) FROM alerts"))
        told_of = text("SELECT count(*) FROM journal_pending WHERE body::text LIKE '%FR-2%'")
        assert (alerts, session.scalar(told_of)) == (2, shipped_with(sessions, "FR-2"))
    show_beside(made, capped, door)
    code, told = replayed(made, "--shadow")
    assert (code, told["shadow"], told["version"], differences(told)) == (1, True, 2, DIFFERS)
    assert standing(sessions) == as_found(FIRST)
    refused = made.run("replay", "--kind", "gallery_cap", "--shadow", "--store")
    assert refused.returncode == 2
    assert "release it as the present version" in refused.stderr


def shipped_with(sessions: Sessions, serial: str) -> int:
    """Count the entries that name a unit because it was shipped."""
    query = text(
        "SELECT count(*) FROM journal_pending WHERE action LIKE 'shipment%'"
        " AND body::text LIKE '%' || :serial || '%'"
    )
    with sessions() as session:
        return int(session.scalar(query, {"serial": serial}) or 0)


def show_beside(made: Product, number: str, door: OpenDoor) -> None:
    """Read over HTTP what was found in shadow, page by page, beside the present findings."""
    path = "/v1/condition-types/gallery_cap/shadow"
    module = "tests.assessments.shadow_told"
    done = made.run(path, f"{path}?limit=1", module=module, KEY=door("reviewer").token)
    (status, whole), (_, first) = json.loads(done.stdout)
    assert (status, whole["version"], whole["shadow_version"]) == (200, 1, 2)
    assert (whole["agrees"], whole["only_shadow"], whole["next"]) == (1, 1, None)
    assert [(one["license"], one["subject"], one["beside"]) for one in whole["items"]] == [
        (number, "FR-2", "only_shadow"),
        (number, "FR-3", "agrees"),
    ]
    assert first["items"] == whole["items"][:1]
    done = made.run(
        f"{path}?after={first['next']}",
        path.replace("gallery_cap", "match_mode"),
        module=module,
        KEY=door("auditor").token,
    )
    (_, second), (missing, problem) = json.loads(done.stdout)
    assert (second["items"], second["next"]) == (whole["items"][1:], None)
    assert (missing, problem["type"]) == (404, "urn:endwatch:problem:shadow-unknown")


def test_what_is_found_in_shadow_is_for_those_who_decide_on_its_release(
    exporter: Door, dashboard: Door, officer: Door
) -> None:
    path = "/v1/condition-types/gallery_cap/shadow"
    assert [one.get(path).status_code for one in (exporter, dashboard, officer)] == [403, 403, 404]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--kind", "galery_cap"],
            "no kind of condition 'galery_cap'; the nearest is 'gallery_cap'",
        ),
        (["--kind", "gallery_cap", "--shadow"], "gallery_cap has no next version in shadow"),
        (["--kind", "gallery_cap", "--license", "BX-0"], "there is no license 'BX-0' here"),
        (
            ["--kind", "gallery_cap", "--from", "2026-02-02", "--to", "2026-02-01"],
            "--from 2026-02-02 is later than --to 2026-02-01",
        ),
        (["--kind", "gallery_cap", "--from", "soon"], "'soon'"),
        (["--kind", "gallery_cap", "--workers", "0"], "--workers"),
        ([], "--kind"),
    ],
)
def test_a_wrong_use_is_told_with_2(database_url: str, arguments: list[str], says: str) -> None:
    done = endwatch("replay", *arguments, url=database_url)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_database_that_does_not_answer_is_told() -> None:
    url = "postgresql://postgres@127.0.0.1:1/nothing"
    done = endwatch("replay", "--kind", "gallery_cap", url=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("endwatch: ")
