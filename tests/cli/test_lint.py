import json
from pathlib import Path
from typing import Any

from tests.cli.running import endwatch
from tests.world import condition, license_body


def _file(folder: Path, body: Any, name: str = "license.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(body))
    return path


def test_mistakes_are_told_with_what_to_do_and_exit_1(tmp_path: Path) -> None:
    body = license_body(condition("gallery_cap", "At most 6,000.", max_enrolled=5000))
    done = endwatch("lint", _file(tmp_path, body))
    assert (done.returncode, done.stderr) == (1, "")
    heading, *lines = done.stdout.splitlines()
    assert heading.startswith(f"{body['number']} (license.json): ")
    assert any(
        line.startswith("- warning text_number_not_in_terms at /conditions/0/text: ")
        for line in lines
    )


def test_notes_alone_are_clean(tmp_path: Path) -> None:
    alone = {"condition": condition("heartbeat", "Every 72 hours.", every_hours=72, grace_hours=6)}
    done = endwatch("lint", _file(tmp_path, alone))
    assert done.returncode == 0
    assert "heartbeat alone (license.json): 1 note." in done.stdout
    quiet = {"condition": condition("heartbeat", "Every 72 hours.", every_hours=72)}
    done = endwatch("lint", _file(tmp_path, quiet))
    assert (done.returncode, done.stdout) == (
        0,
        "heartbeat alone (license.json): nothing to say.\n",
    )


def test_several_files_and_lists_are_looked_at_and_told_as_json(tmp_path: Path) -> None:
    two = _file(tmp_path, [license_body(), license_body()], "two.json")
    one = _file(tmp_path, license_body(condition("operator_training"), sites=[]), "one.json")
    done = endwatch("lint", "--json", two, one)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert [each["file"] for each in told["looked_at"]] == ["two.json", "two.json", "one.json"]
    assert told["looked_at"][2]["advice"][0]["code"] == "nothing_can_verify"
    assert told["unreadable"] == []


def test_what_cannot_be_read_is_told_and_exits_2(tmp_path: Path) -> None:
    bad = _file(tmp_path, license_body(condition("gallery_cap")))
    done = endwatch("lint", bad)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "max_enrolled" in line
    torn = tmp_path / "torn.ndjson"
    torn.write_text('{"number": \n')
    assert endwatch("lint", torn).returncode == 2
    assert endwatch("lint", tmp_path / "nowhere.json").returncode == 2
    assert endwatch("lint").returncode == 2
