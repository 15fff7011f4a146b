import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import structlog

from app.access.rules import Role
from app.access.service import PartyNeeded
from app.cli import keys, logs
from app.settings import Settings
from tests.cli.running import PROJECT, empty_folder, endwatch

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from app.cli.commands import run; run(['--help']);"
        "print(sorted({'sqlalchemy', 'fastapi', 'monitors', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for command in ("serve", "scheduler", "migrate", "import", "check", "keys", "samples"):
        assert f"  {command} " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_of_serve_documents_every_setting() -> None:
    shown = endwatch("serve", "--help").stdout
    for name in Settings.model_fields:
        assert f"ENDWATCH_{name.upper()} " in shown
    assert "--no-samples" in shown


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ([], {}, "Missing command"),
        (["serve", "--speed", "9"], {}, "--speed"),
        (["serve", "--workers", "40"], {}, "lower --workers, or ENDWATCH_READS"),
        (["keys", "add", "--role", "king"], {}, "'king' is not one of"),
        (["keys", "list"], {"ENDWATCH_LINE_LENGTH": "many"}, "ENDWATCH_LINE_LENGTH: "),
        (["keys", "list"], {"ENDWATCH_DATABASE_URL": "nowhere"}, "not the address of"),
        (["scheduler"], {}, "set ENDWATCH_DATABASE_URL"),
        (["import", "licenses", "no.csv", "--party", "ACME"], {}, "by the authority"),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    arguments: list[str], environment: dict[str, str], said: str
) -> None:
    with empty_folder() as folder:
        done = endwatch(*arguments, folder=folder / "data", **environment)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert said in line
        assert not (folder / "data").exists()


def test_a_database_that_does_not_answer_is_told_in_one_line() -> None:
    url = "postgresql://127.0.0.1:1/endwatch"
    for command in (["keys", "list"], ["serve", "--port", "0"]):
        done = endwatch(*command, url=url)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "does not answer" in line


def test_keys_know_whom_they_are_for(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    add = partial(keys.print_new, settings, Role.EXPORTER, label="", expires_days=3, now=NOW)
    with pytest.raises(PartyNeeded):
        add(party=None)
    assert add(party="ACME") == 0
    id, secret = capsys.readouterr().out.strip().split("_")[1:]

    assert keys.print_all(settings, now=NOW) == 0
    listed = capsys.readouterr().out
    assert secret not in listed
    ends = ["2026-06-01", "2026-06-04"]
    assert listed.splitlines()[1].split() == [id, "exporter", "ACME", "valid", *ends, "-", "-"]
    keys.print_all(settings, now=NOW + timedelta(days=3))
    assert "expired" in capsys.readouterr().out
    keys.end(settings, id, now=NOW)
    keys.print_all(settings, now=NOW)
    assert "revoked" in capsys.readouterr().out


def test_a_key_nobody_has_is_told_in_one_line(database_url: str) -> None:
    unknown = endwatch("keys", "revoke", "nobody", url=database_url)
    assert (unknown.returncode, unknown.stderr) == (1, "endwatch: There is no key 'nobody'.\n")


def test_migrating_again_does_no_harm(database_url: str) -> None:
    # The database of every test is migrated already.
    done = endwatch("migrate", url=database_url)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_database_of_another_form_is_told_in_one_line(postgres_url: str) -> None:
    done = endwatch("keys", "list", url=postgres_url)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "run `migrate` first" in line


@pytest.fixture
def postgres_url(database_url: str) -> str:
    """A database that was never migrated."""
    return database_url.rpartition("/")[0] + "/postgres" + database_url[database_url.index("?") :]


def test_samples_are_copied_to_look_at() -> None:
    with empty_folder() as folder:
        done = endwatch("samples", folder / "copy")
        assert done.returncode == 0
        assert (folder / "copy" / "licenses.json").exists()
        (folder / "file").write_text("")
        refused = endwatch("samples", folder / "file")
        assert refused.returncode == 1
        assert len(refused.stderr.splitlines()) == 1


@pytest.fixture
def restored() -> Iterator[None]:
    """Puts logging back as it was."""
    handlers, level = logging.root.handlers, logging.root.level
    known = structlog.get_config()
    yield
    structlog.configure(**known)
    logging.captureWarnings(capture=False)
    logging.root.handlers, logging.root.level = handlers, level
    for name in logs.QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.usefixtures("restored")
def test_logs_are_json_lines_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    structlog.get_logger().info("looked", found=3)
    structlog.get_logger().debug("not told")
    logging.getLogger("uvicorn.error").error("broke: %s", "why")
    logging.getLogger("apscheduler").info("not told")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["found"], ours["level"]) == ("looked", 3, "info")
    assert (theirs["event"], theirs["logger"]) == ("broke: why", "uvicorn.error")


@pytest.mark.usefixtures("restored")
def test_logs_are_readable_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", terminal=True)
    structlog.get_logger().warning("looked", found=3)
    said = capsys.readouterr().err
    assert "looked" in said
    assert "found=3" in said
    assert not said.startswith("{")
