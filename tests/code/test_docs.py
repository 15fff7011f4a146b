"""The papers say what the code does: pages are current, commands and settings exist."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

import pytest

import monitors
from app.journal.sequencer import Sequencer
from app.models import Base
from app.settings import Settings
from docs import make_conditions
from monitors import Catalogue
from monitors._catalogue import discover
from tests.conftest import Browser, OpenDoor

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^]\n]*\]\(([^)\s]+)\)")

HOSTS = re.compile(
    rb"pypi\.org|pythonhosted\.org|registry\.npmjs|registry\.yarnpkg|crates\.io"
    rb"|proxy\.golang|conda\.anaconda|index[-]url",
    re.IGNORECASE,
)
MACHINE_PATHS = re.compile(rb"(?<![\w.~-])/(?:home|root|Users|work)/\w")


def test_the_page_of_conditions_is_what_the_monitors_say() -> None:
    page = make_conditions.render()

    assert make_conditions.PAGE.read_text(encoding="utf-8") == page, (
        "run: .venv/bin/python -m docs.make_conditions"
    )
    assert all(f"\n## {kind}\n" in page for kind in monitors.catalogue().monitors)
    assert all(f"`{name}`" in page for name in monitors.catalogue().facts)


@pytest.mark.parametrize("paper", ["README.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_every_command_of_the_papers_is_a_target_of_the_makefile(paper: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / paper).read_text(), re.MULTILINE)

    assert len(targets) >= 5
    assert named
    assert set(named) <= targets


def test_the_readme_names_both_commands_a_stranger_needs() -> None:
    readme = (ROOT / "README.md").read_text()

    assert {"make run", "make test"} <= set(re.findall(r"^make [a-z]+", readme, re.MULTILINE))


REQUEST = re.compile(
    r"^curl -si? \$URL(?P<path>\S+) -H \"Authorization: Bearer \$(?P<key>\w+)\""
    r"(?: -H \"Content-Type: (?P<type>[^\"]+)\"(?: \\\n)?"
    r"\s+(?:-d|--data-binary) '(?P<body>[^']*)')?"
    r"(?: > \S+)?$",
    re.MULTILINE,
)


def test_the_first_try_of_the_readme_works(door: OpenDoor, sequencer: Sequencer) -> None:
    readme = (ROOT / "README.md").read_text()
    doors = {
        "OFFICER": door("licensing_officer"),
        "ACME": door("exporter", "ACME"),
        "SUPERVISOR": door("supervisor"),
    }
    requests = list(REQUEST.finditer(readme))
    told = []

    for request in requests:
        opened = doors[request["key"]]
        if request["body"] is None:
            sequencer.tick()
            answer = opened.get(request["path"])
        else:
            headers = {"Content-Type": request["type"]}
            answer = opened.post(request["path"], content=request["body"], headers=headers)
        assert answer.is_success, answer.text
        told.append(answer.json() if "json" in answer.headers["Content-Type"] else answer.content)

    assert len(requests) == readme.count("\ncurl ") == 8
    _, _, report, readings, alerts, deviation, audit, checklist = told
    assert audit["state"] == "planned"
    assert checklist.startswith(b"%PDF")
    assert report["deviations"] == [deviation["id"]]
    assert (readings["accepted"], [one["line"] for one in readings["rejected"]]) == (2, [3])
    assert len(alerts["items"]) == 3
    assert (deviation["severity"], deviation["evidence"][0]["grade"]) == ("moderate", "E")


WEB = re.compile(r"^web \$URL(?P<path>\S+)(?: -d '(?P<body>.*)')?(?: -X POST)?$", re.MULTILINE)


def test_signing_in_as_the_readme_says_works(
    browser: Callable[[], Browser], settings: Settings
) -> None:
    readme = (ROOT / "README.md").read_text()
    (add,) = re.findall(r"app\.cli (people add (?:.|\n)*?)\)\n", readme)
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *shlex.split(add.replace("\\\n", " "))],
        cwd=ROOT,
        env={**os.environ, "ENDWATCH_DATABASE_URL": settings.url},
        capture_output=True,
        text=True,
        check=True,
    )
    token, one, told = done.stdout.strip(), browser(), []

    for request in WEB.finditer(readme):
        if request["body"] is None and request["path"] != "/v1/sign-out":
            answer = one.get(request["path"])
        else:
            body = (request["body"] or "").replace("'$TOKEN'", token)
            headers = {"Content-Type": "application/json"}
            answer = one.post(request["path"], content=body, headers=headers)
        assert answer.is_success, answer.text
        told.append(answer)

    assert [one.status_code for one in told] == [200, 200, 201, 204]
    assert told[1].json()["person"]["administers_party"] is True


def test_every_setting_is_explained_and_nothing_else_is() -> None:
    explained = re.findall(
        r"^\| `ENDWATCH_([A-Z_]+)` \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    named = set(
        re.findall(r"ENDWATCH_([A-Z_]*[A-Z])", "".join(paper.read_text() for paper in PAPERS))
    )

    assert sorted(explained) == sorted(field.upper() for field in Settings.model_fields)
    assert named <= set(explained)


def test_every_metric_and_every_event_of_the_logs_is_explained() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    sources = [file.read_text() for file in (ROOT / "app").rglob("*.py")]
    names = {
        name
        for source in sources
        for name in re.findall(
            r"""(?:\blog\.\w+|_log\.\w+|Counter|Gauge|Histogram)\(\s*"([a-z_]+)\"""", source
        )
    }

    assert {"answered", "endwatch_requests_total", "endwatch_request_seconds"} <= names
    assert {
        name for name in names if not re.search(rf"^\|[^|]*`{name}`", page, re.MULTILINE)
    } == set()


def test_the_tour_names_functions_and_tables_that_exist() -> None:
    tour = (ROOT / "docs/architecture.md").read_text()
    steps = re.findall(r"^\| \d+ \| `([\w/.]+)` \| `(\w+)` \|", tour, re.MULTILINE)
    drawn = set(re.findall(r"^    (\w+) \S+ (\w+) :", tour, re.MULTILINE))

    assert len(steps) >= 20
    for file, name in steps:
        source = (ROOT / file).read_text()
        assert re.search(rf"^(?:async )?(?:def|class) {name}\b", source, re.MULTILINE), (file, name)
    assert {table for pair in drawn for table in pair} == set(Base.metadata.tables) - {
        "journal_head"
    }


def test_decision_records_are_numbered_without_gaps_and_have_every_part() -> None:
    records = sorted(DECISIONS.glob("*.md"))

    assert len(records) >= 13
    for number, record in enumerate(records, start=1):
        text = record.read_text()
        assert re.fullmatch(rf"{number:04}-[a-z0-9-]+\.md", record.name)
        assert text.startswith(f"# {number}. ")
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Rejected"], record.name


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))
def test_every_link_of_a_paper_leads_somewhere(paper: Path) -> None:
    for link in LINK.findall(paper.read_text()):
        target, _, _ = link.partition("#")
        if target and "://" not in target:
            assert (paper.parent / target).exists(), f"{paper.name} links to {link}"


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    files = list(_files())

    assert ROOT / "requirements.lock" in files
    assert len(files) >= 100
    for file in files:
        content = file.read_bytes()
        assert not HOSTS.search(content), f"{file} names a package registry"
        assert not MACHINE_PATHS.search(content), f"{file} names a path of one machine"


def _files() -> Iterator[Path]:
    """List the files of the repository: all that .gitignore does not leave out."""
    left_out = [".git", *(ROOT / ".gitignore").read_text().split()]

    def ignored(name: str) -> bool:
        return any(fnmatch(name, pattern.rstrip("/")) for pattern in left_out)

    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if not ignored(name)]
        yield from (Path(folder, name) for name in names if not ignored(name))


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The tests of CONTRIBUTING's worked example, its monitor dropped in beside the others."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    monitor, tests = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "wrongful_rejection.py").write_text(monitor, encoding="utf-8")
    (tmp_path / "example_of_contributing.py").write_text(tests, encoding="utf-8")
    monkeypatch.setattr(monitors, "__path__", [*monitors.__path__, str(tmp_path / "kinds")])
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("example_of_contributing")
    for name in ("monitors.wrongful_rejection", "example_of_contributing"):
        sys.modules.pop(name)
    del monitors.wrongful_rejection  # type: ignore[attr-defined]


def test_the_worked_example_of_contributing_works(example: ModuleType) -> None:
    grown = Catalogue(discover("monitors"))

    assert set(grown.monitors) == {*monitors.catalogue().monitors, "wrongful_rejection"}
    assert "travellers_checked" in grown.facts
    cases = example.test_the_share_is_judged_once_enough_were_checked.pytestmark[0].args[1]
    assert len(cases) == 3
    for values in cases:
        example.test_the_share_is_judged_once_enough_were_checked(*values)
    example.test_one_number_alone_cannot_be_assessed()
    example.test_what_is_not_stated_is_not_judged()
