"""Drill: the authorization matrix of `tests/walls`, with the combinations it asked for counted.

The matrix is made from the routes, so a route that it does not know fails it. This runs it as the suite
does, and counts from inside what was asked: which route, by whom, of whose record, behind which walls.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
MATRIX = "tests/walls/test_matrix.py"
SOME = ["-k", "every_route or each_role or no_key"]


def authorization(whole: int) -> dict[str, Any]:
    """Run the matrix, whole or in part, and count."""
    with tempfile.TemporaryDirectory(prefix="endwatch-drill-") as folder:
        asked, told = Path(folder, "asked.json"), Path(folder, "told.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "benchmarks.asked", MATRIX]
        done = subprocess.run(
            [*command, f"--junitxml={told}", *(() if whole else SOME)],
            cwd=ROOT,
            env=os.environ | {"ENDWATCH_DRILL_ASKED": str(asked), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-1_000:]
        return _figures(json.loads(asked.read_text()), ET.parse(told).getroot())


def _figures(asked: list[list[str]], told: Any) -> dict[str, Any]:
    """Count what was asked: `asked` is of route, by whom, whose record, walls and test."""
    suites = list(told.iter("testsuite"))
    counts = {name: sum(int(one.get(name)) for one in suites) for name in ("tests", "failures")}
    routes, who, whose, walls, _ = (sorted(set(one)) for one in zip(*asked, strict=True))
    behind = Counter(one[3] for one in asked)
    return {
        "tests": counts["tests"],
        "failed": counts["failures"] + sum(int(one.get("errors")) for one in suites),
        "combinations": len(asked),
        "routes": len(routes),
        "by whom": len(who),
        "whose": ", ".join(whose),
    } | {f"with {one}": behind[one] for one in walls}
