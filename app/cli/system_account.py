"""The system user PostgreSQL runs as when the service is run by root, and what it may reach.

PostgreSQL refuses to run as root, so a service run by root runs it as an account without rights.
"""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from app.cli.postgres_troubles import PostgresTrouble

log = structlog.get_logger()

_ACCOUNTS: Final = ("postgres", "endwatch")


@dataclass(frozen=True)
class Account:
    """The system user PostgreSQL runs as when the service is run by root."""

    name: str
    uid: int
    gid: int


def account_to_run_as() -> Account | None:
    """Choose whom PostgreSQL runs as under root: a user made for it if possible, else nobody."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        if account := _account_named(name):
            return account
    if useradd := shutil.which("useradd"):
        command = [useradd, "--system", "--no-create-home", "--shell", "/bin/false", _ACCOUNTS[-1]]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 no outside input
    account = _account_named(_ACCOUNTS[-1]) or _account_named("nobody")
    if account is None:
        raise PostgresTrouble(
            "PostgreSQL does not run as root and this system has no other user: "
            "create a system user named endwatch"
        )
    return account


def _account_named(name: str) -> Account | None:
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam(name)
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    return None


def open_the_way(account: Account, *places: Path) -> None:
    """Let the account pass through, not look into, the folders above and including these."""
    opened = []
    for folder in dict.fromkeys(f for place in places for f in [place, *place.parents]):
        facts = folder.stat()
        if not facts.st_mode & _traverse_bit(account, facts):
            folder.chmod(stat.S_IMODE(facts.st_mode) | _traverse_bit(account, facts))
            opened.append(str(folder))
    if opened:
        log.warning("folders opened for passing through", account=account.name, folders=opened)


def _traverse_bit(account: Account, facts: os.stat_result) -> int:
    if facts.st_uid == account.uid:
        return stat.S_IXUSR
    return stat.S_IXGRP if facts.st_gid == account.gid else stat.S_IXOTH


def hand_over(cluster: Path, account: Account) -> None:
    """Give the account a cluster made by another, as when a service is run by root from now on."""
    if cluster.stat().st_uid == account.uid:
        return
    log.warning("cluster given to another user", account=account.name, folder=str(cluster))
    for place, folders, files in os.walk(cluster):
        for name in [*folders, *files]:
            os.chown(Path(place, name), account.uid, account.gid, follow_symlinks=False)
    os.chown(cluster, account.uid, account.gid)


def make_private(folder: Path, account: Account | None, *, ours: bool) -> None:
    """Make a folder only PostgreSQL's user may enter; `ours` says nobody else could have made it."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if not ours and os.fstat(file).st_uid not in {uid, os.geteuid()}:
            raise PostgresTrouble(f"{folder} belongs to another user: have it removed")
        os.fchown(file, uid, gid)
        os.fchmod(file, 0o700)
    finally:
        os.close(file)
