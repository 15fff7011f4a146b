"""The cluster of a data folder: PostgreSQL's files, made once, and of one major version."""

import os
import re
import shutil
from pathlib import Path
from typing import Final

from app.cli.postgres_programs import Programs
from app.cli.postgres_troubles import OtherVersion
from app.cli.system_account import hand_over

SUPERUSER: Final = "postgres"
RESTORING: Final = "restoring"
"""Folder in a data folder where a restore makes the cluster until it is whole."""


def make_cluster(cluster: Path, programs: Programs) -> None:
    """Make the cluster beside its place and move it there: half a cluster never stands there."""
    if not (cluster / "PG_VERSION").exists():
        unfinished = cluster.with_name(cluster.name + ".unfinished")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        if programs.account:
            os.chown(unfinished, programs.account.uid, programs.account.gid)
        _initialize(unfinished, programs)
        unfinished.rename(cluster)
        _sync(cluster.parent)
    _refuse_other_version(cluster, programs)
    if programs.account:
        hand_over(cluster, programs.account)


def _initialize(cluster: Path, programs: Programs) -> None:
    """Make a cluster that sorts and folds case the same way on every machine.

    The built-in C.UTF-8 needs no locale of the system; with one, the data could not be moved to
    a machine that lacks it.
    """
    programs.output_of(
        "initdb",
        f"--pgdata={cluster}",
        f"--username={SUPERUSER}",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--auth-local=trust",
        "--auth-host=reject",
        "--data-checksums",
        "--no-instructions",
    )


def _refuse_other_version(cluster: Path, programs: Programs) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    ours = re.findall(r"\d+", programs.output_of("postgres", "--version"))[0]
    if found != ours:
        raise OtherVersion(
            f"{cluster} was made by PostgreSQL {found} and this is PostgreSQL {ours}: "
            f"go back to the release that made it, or move the data with pg_upgrade"
        )


def _sync(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
