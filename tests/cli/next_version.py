"""The product with another version of the gallery cap, as processes of its own.

The next version allows a tenth less, and lets pass exactly 7,000: so it finds more, fewer, and the
same otherwise.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

RULE = '''

def _next(terms, heard, case, moment):
    """Allow a tenth less, but for exactly 7,000."""
    less = Terms(max_enrolled=terms.max_enrolled * 9 // 10, per=terms.per)
    for finding in evaluate(less, heard, case, moment):
        if finding.observed != "7,000 enrolled":
            yield finding

'''
RELEASED = "MONITOR = replace(MONITOR, version=2, evaluate=_next)\n"
IN_SHADOW = "SHADOW = replace(MONITOR, version=2, evaluate=_next)\n"


@dataclass(frozen=True)
class Product:
    """Commands that run with a copy of the kinds in front of the path."""

    folder: Path
    url: str

    def run(
        self, *arguments: object, module: str = "app.cli", **more: str
    ) -> subprocess.CompletedProcess[str]:
        names = ("ENDWATCH_", "PYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        return subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=self.folder,
            env=kept | {"PYTHONPATH": str(ROOT), "ENDWATCH_DATABASE_URL": self.url} | more,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def product(folder: Path, url: str, declared: str) -> Product:
    """Copy the kinds, and declare the next version of the gallery cap in its file."""
    kinds = folder / "monitors"
    shutil.copytree(ROOT / "monitors", kinds, ignore=shutil.ignore_patterns("__pycache__"))
    file = kinds / "gallery_cap.py"
    rule = file.read_text() + RULE + "from dataclasses import replace  # noqa: E402\n\n" + declared
    file.write_text(rule)
    return Product(folder, url)
