"""One party floods the service with readings; nobody else notices, and nothing is lost."""

from pathlib import Path

from app.access import service as access
from app.access.rules import Role
from app.clock import now
from app.database import Sessions
from benchmarks import floods
from benchmarks.drills import LICENSE, SERIALS
from tests.cli.running import served
from tests.conftest import Door, MakeLicense
from tests.doors.filings import rows


def test_a_flood_of_readings_stops_neither_filings_nor_dashboards(
    database_url: str, tmp_path: Path, sessions: Sessions, officer: Door, make_license: MakeLicense
) -> None:
    make_license(*LICENSE["conditions"], number=LICENSE["number"], serials=tuple(SERIALS))

    def key(role: Role, party: str | None = None) -> str:
        with sessions() as session:
            _, token = access.issue(session, role, party=party, label="flood", now=now())
            session.commit()
        return token

    keys = floods.Keys(
        officer=officer.token,
        flooder=key(Role.EXPORTER, "NORDLICHT"),
        filer=key(Role.EXPORTER, "ACME"),
        dashboard=key(Role.DASHBOARD),
    )
    with served(database_url, tmp_path) as port:
        told = floods.flood(f"http://127.0.0.1:{port}", keys, LICENSE, SERIALS, 2)
    print(told.figures())
    assert told.reports
    assert told.readings
    assert told.broken_off == 0
    assert rows(sessions, "reports", "readings") == {
        "reports": len(told.reports),
        "readings": told.readings,
    }
    assert {429, 503} & set(told.statuses["flooder"])
