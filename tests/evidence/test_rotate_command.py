from pathlib import Path

from app.evidence.room import room_of
from tests.cli.running import endwatch
from tests.conftest import Clock, Door, settings_for
from tests.evidence import good
from tests.evidence.handing_in import accepted


def test_the_master_key_is_rotated_on_the_command_line_beside_the_service(
    exporter: Door, database_url: str, tmp_path: Path, time: Clock
) -> None:
    digest = accepted(exporter)
    done = endwatch("keys", "rotate-evidence", folder=tmp_path / "data", url=database_url)
    assert done.returncode == 0, done.stderr
    settings = settings_for(database_url, data_dir=tmp_path / "data")
    newest = room_of(settings).keys.all(time())[-1]
    assert (
        done.stdout == f"{newest.id} is the new master key; the keys of 1 file are wrapped by it\n"
    )
    assert exporter.get(f"/v1/evidence/{digest}").content == good.pdf()
