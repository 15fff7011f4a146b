import json
import signal
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
import structlog

from app.cli import greeting
from app.settings import Settings
from tests.cli.running import (
    Service,
    empty_folder,
    endwatch,
    eventually,
    free_port,
    gone,
    running,
)
from tests.conftest import MakeLicense


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with empty_folder() as folder, running(folder) as service:
        yield service


def test_a_service_on_an_empty_folder_answers_and_prints_keys_that_work(service: Service) -> None:
    address, dashboard, officer, more = service.out.read_text().splitlines()
    assert f"http://127.0.0.1:{service.port}" in address
    assert dashboard.startswith("dashboard key: ew_")
    assert officer.startswith("licensing officer key: ew_")
    assert "keys add --role dashboard" in more
    assert service.get("/readyz") == 200
    assert [service.get("/v1/alerts", key) for key in service.keys] == [200, 200]
    assert service.get("/v1/alerts") == 401


def test_a_second_service_on_the_folder_is_refused_in_one_line(service: Service) -> None:
    second = endwatch("serve", "--port", free_port(), folder=service.folder / "data")
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert "in use by another Endwatch service" in line
    assert str(service.process.pid) in line


def test_a_port_in_use_is_told_before_anything_is_started(service: Service) -> None:
    with empty_folder() as folder:
        second = endwatch("serve", "--port", service.port, folder=folder / "data")
        assert second.returncode == 1
        (line,) = second.stderr.splitlines()
        assert f"port {service.port} of 127.0.0.1 is in use" in line
        assert not (folder / "data" / "postgres").exists()  # at most the log's signing key is there


def test_a_key_made_beside_a_running_service_stands_alone_and_works(service: Service) -> None:
    data = service.folder / "data"
    made = endwatch("keys", "add", "--role", "dashboard", "--label", "wall", folder=data)
    assert (made.returncode, made.stderr) == (0, "")
    (token,) = made.stdout.splitlines()
    assert service.get("/v1/alerts", token) == 200

    id = token.split("_")[1]
    assert any(
        line.startswith(id) and "valid" in line and line.endswith("wall")
        for line in endwatch("keys", "list", folder=data).stdout.splitlines()
    )
    assert endwatch("keys", "revoke", id, folder=data).returncode == 0
    # Long before the half minute for which a key is remembered: the journal tells of it.
    assert eventually(lambda: service.get("/v1/alerts", token) == 401, seconds=15)


@pytest.mark.parametrize("name", ["api", "scheduler"])
def test_a_process_that_is_killed_is_started_again(service: Service, name: str) -> None:
    killed = service.child(name)
    killed.kill()
    assert eventually(lambda: not killed.is_running())
    assert eventually(lambda: _other(service, name, killed.pid))
    assert eventually(lambda: service.get("/readyz") == 200)
    assert f'"process": "{name}"' in service.err.read_text()


def _other(service: Service, name: str, pid: int) -> bool:
    with suppress(AssertionError, psutil.Error):
        return service.child(name).pid != pid
    return False


def test_without_its_database_the_service_answers_503_until_it_is_back(service: Service) -> None:
    key = service.keys[0]
    assert eventually(lambda: service.get("/v1/deviations", key) == 200)
    api = service.child("api").pid
    postgres = service.child("postgres")
    postgres.suspend()  # or it would be back before anybody could ask
    children = postgres.children(recursive=True)
    for each in [*children, postgres]:
        each.kill()
    answers = {service.get("/v1/deviations", key) for _ in range(3)}
    assert answers <= {200, 503}
    assert 503 in answers
    assert eventually(lambda: service.get("/v1/deviations", key) == 200)
    assert eventually(lambda: service.get("/readyz") == 200)
    assert service.child("api").pid == api


def test_ctrl_c_ends_every_process() -> None:
    with empty_folder() as folder, running(folder) as service:
        family = service.family()
        assert len(family) >= 4
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(20) == 0
        assert gone(family)


def test_a_killed_service_leaves_nothing_running() -> None:
    with empty_folder() as folder, running(folder) as service:
        family = service.family()
        service.process.kill()
        assert eventually(lambda: gone(family), seconds=15)


def test_an_order_during_the_start_is_heard() -> None:
    with empty_folder() as folder:
        service = Service(folder)
        assert eventually((folder / "data" / "postgres.log").exists)
        family = service.family()
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(20) == 0
        assert gone(family)
        assert service.keys == []


def test_on_a_given_database_keys_are_printed_on_the_very_first_start_only(
    settings: Settings, database_url: str
) -> None:
    with empty_folder() as folder, running(folder, url=database_url) as service:
        assert service.get("/readyz") == 200
        assert len(service.keys) == 2
        assert not (folder / "data" / "postgres").exists()  # at most the key of the log
        health = endwatch("health", "--port", service.port)
        assert (health.returncode, health.stderr) == (0, "")
    assert service.process.returncode == 0
    assert endwatch("health", "--port", service.port).returncode == 1
    assert greeting.prepare(settings, samples=False, embedded=False).tokens == {}
    assert list(greeting.prepare(settings, samples=False, embedded=True).tokens) == [
        "dashboard",
        "licensing officer",
    ]


def test_later_starts_print_a_dashboard_key_and_no_other(
    settings: Settings, make_license: MakeLicense
) -> None:
    make_license()
    assert list(greeting.prepare(settings, samples=True, embedded=True).tokens) == ["dashboard"]


def test_samples_that_were_loaded_halfway_are_told_of(
    settings: Settings, make_license: MakeLicense, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = structlog.testing.CapturingLogger()
    monkeypatch.setattr(greeting, "log", said)
    known = json.loads((greeting.SAMPLES / "licenses.json").read_text())[0]["number"]
    make_license(number=known)
    greeting.prepare(settings, samples=True, embedded=True)
    assert [call.args for call in said.calls] == [("samples_half_loaded",)]
