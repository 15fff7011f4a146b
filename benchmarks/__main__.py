"""`make bench`: prints the table of figures. `--quick` runs a short form; names choose figures."""

import argparse
import sys

from rich.console import Console

from benchmarks import ground
from benchmarks.figures import FIGURES
from benchmarks.table import Figure, show


def main() -> int:
    """Measure, and print the table; exit 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--quick", action="store_true", help="a short form with smaller worlds")
    chosen = parser.parse_args()
    scale = 1 if chosen.quick else 3
    console = Console(stderr=True)
    figures: list[Figure] = []
    with ground.postgres() as url:
        for name in chosen.names or FIGURES:
            console.print(f"measuring {name} ...")
            figures += FIGURES[name](url, scale)
    show(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
