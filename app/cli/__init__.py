"""The command line: thin doors to the same services."""

import sys


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    from app.cli.commands import run

    sys.exit(run(sys.argv[1:]))
