"""The table of OWASP ASVS in docs/trust.md is whole, in order, and names tests that exist.

`asvs-5.0.csv` holds the ids and levels of ASVS 5.0.0 (OWASP Foundation, CC BY-SA 4.0), from its
repository: 5.0/docs_en/OWASP_Application_Security_Verification_Standard_5.0.0_en.csv.
"""

import ast
import csv
import re
from collections import Counter
from pathlib import Path

from benchmarks.drills import DRILLS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (V[\d.]+) \| (\d) \| (.+?) \| ([a-z ]+) \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
VERDICTS = ("met", "partly", "not met", "not applicable")


def _place(id: str) -> tuple[int, ...]:
    return tuple(map(int, id.removeprefix("V").split(".")))


def _asked() -> dict[str, str]:
    with (ROOT / "tests" / "code" / "asvs-5.0.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["level"] for row in csv.DictReader(file)}


def test_the_list_is_that_of_the_standard() -> None:
    asked = _asked()

    assert Counter(asked.values()) == {"1": 70, "2": 183, "3": 92}
    assert sorted(asked, key=_place) == list(asked)


def test_every_requirement_of_levels_1_and_2_is_judged_once_and_in_order() -> None:
    rows = ROW.findall(PAGE)

    assert PAGE.count("\n| V") == len(rows)
    assert [(id, level) for id, level, *_ in rows] == [
        (id, level) for id, level in _asked().items() if level in {"1", "2"}
    ]


def test_every_verdict_says_what_shows_it_or_why_not() -> None:
    for id, _, asks, verdict, shown in ROW.findall(PAGE):
        assert verdict in VERDICTS, id
        assert 3 <= len(asks) <= 100, id
        assert shown.strip(), id


def test_the_sums_are_those_of_the_table() -> None:
    counted = Counter((level, verdict) for _, level, _, verdict, _ in ROW.findall(PAGE))

    for level in "12":
        sums = [counted[level, verdict] for verdict in VERDICTS]
        line = " | ".join(map(str, [level, *sums, sum(sums)]))
        assert f"\n| {line} |\n" in PAGE


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE)

    assert len(named) >= 200
    for file, name in named:
        path = ROOT / file
        assert path.is_file(), file
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not name or name in found, f"{file}::{name}"


def test_every_drill_has_its_row_and_every_row_its_drill() -> None:
    told = set(re.findall(r"^\| `(\w+)`: ", PAGE, re.MULTILINE))

    assert told == set(DRILLS)


def test_every_heading_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", PAGE)

    assert len(links) >= 20
    for file, anchor in links:
        paper = ROOT / "docs" / file if file else ROOT / "docs" / "trust.md"
        headings = re.findall(r"^#+ (.+)$", paper.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert anchor in anchors, f"{file}#{anchor}"
