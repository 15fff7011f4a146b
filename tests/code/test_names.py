import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitors import catalogue

ROOT = Path(__file__).parents[2]
CODE = [
    path
    for folder in ("app", "monitors", "migrations", "tests", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "core", "misc", "manager", "managers"}
READS_THE_CLOCK = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time")}


def _trees(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    found = [path for path in CODE if path.is_relative_to(ROOT / folder)]
    assert found
    for path in found:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert len(CODE) > 80
    for path in CODE:
        parts = {part.strip("_") for part in path.relative_to(ROOT).with_suffix("").parts}
        assert not parts & FORBIDDEN, path


def test_only_the_clock_reads_the_clock() -> None:
    reading = {
        path.relative_to(ROOT).as_posix()
        for folder in ("app", "monitors")
        for path, tree in _trees(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in READS_THE_CLOCK
    }
    assert reading == {"app/clock.py"}


def test_only_the_edge_commits() -> None:
    """A service that commits ends a transaction that is not its own."""
    committing = {
        path.relative_to(ROOT).as_posix()
        for path, tree in _trees("app")
        if path.name in {"rules.py", "router.py", "models.py", "schemas.py"}
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    }
    assert committing == set()


def test_every_monitor_has_documentation_and_a_test() -> None:
    monitors = catalogue().monitors
    assert len(monitors) >= 12
    for kind, monitor in monitors.items():
        assert (ROOT / "monitors" / f"{kind}.py").exists()
        assert (ROOT / "tests" / "monitors" / f"test_{kind}.py").exists(), kind
        assert "**Broken**" in monitor.documentation, kind
        assert "**Source.**" in monitor.documentation, kind


@pytest.mark.parametrize("folder", ["app", "monitors"])
def test_every_module_says_what_it_is(folder: str) -> None:
    for path, tree in _trees(folder):
        assert ast.get_docstring(tree), path
