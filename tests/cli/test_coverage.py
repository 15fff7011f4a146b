import json

import pytest

from app.cli import coverage
from app.obligations.coverage import KindUnknown
from app.settings import Settings
from tests.conftest import Clock, Door, MakeLicense
from tests.journeys.telling import day, reading, send
from tests.world import condition


def test_coverage_is_printed_as_tables_and_as_json(
    settings: Settings,
    make_license: MakeLicense,
    exporter: Door,
    time: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    time.now = day(0)
    cap = condition("gallery_cap", max_enrolled=5000)
    place = condition("permitted_countries", countries=["KE"])
    number = make_license(cap, place, serials=("FR-1",))["number"]
    time.now = day(2)
    send(exporter, reading(number, "FR-1", day(1), gallery_size=1))

    def run(*, as_json: bool, kind: str | None = None) -> str:
        done = coverage.run(settings, kind=kind, country="KE", tier=2, as_json=as_json, now=day(2))
        assert done == 0
        return capsys.readouterr().out

    lines = run(as_json=False).splitlines()
    assert ["all", "conditions", "2", "1", "50.0%", "0", "1", "0"] in map(str.split, lines)
    assert ["gallery_cap", "1", "1", "100.0%", "0", "0", "0"] in map(str.split, lines)
    assert ["D", "1"] in map(str.split, lines)
    told = json.loads(run(as_json=True, kind="permitted_countries"))
    assert (told["total"]["in_force"], told["total"]["never_heard"]) == (1, 1)
    with pytest.raises(KindUnknown):
        run(as_json=True, kind="no_such_kind")
