"""What was under way under the release before goes on under this one."""

from datetime import timedelta
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from app.cli.migrations import MIGRATIONS
from app.database import Sessions
from tests.conftest import Clock, Door, MakeLicense
from tests.journeys.telling import beat, owed
from tests.world import condition

POLICE = {"reference": "KE-POL", "name": "Kenya Police", "country": "KE"}
TRANSFER = {"reference": "TR-1", "serials": ["FR-1"], "to_party": POLICE, "ground": "Theirs now."}
BEFORE = "0008"


def _there_and_back(owner: Engine) -> None:
    """Go back to the release before, and forward again."""
    owner.dispose()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = owner
    command.downgrade(config, BEFORE)
    command.upgrade(config, "head")
    owner.dispose()


def _rows(sessions: Sessions, query: str) -> list[Any]:
    with sessions() as session:
        return [tuple(row) for row in session.execute(text(query))]


def test_causes_and_acknowledgments_are_taken_up_where_they_were(
    make_license: MakeLicense,
    exporter: Door,
    officer: Door,
    dashboard: Door,
    sessions: Sessions,
    owner: Engine,
    time: Clock,
) -> None:
    inventory = condition("serial_inventory", initial_within_days=90)
    path = f"/v1/licenses/{make_license(inventory, serials=('FR-1',))['number']}/transfers"
    id = exporter.post(path, TRANSFER).json()["id"]
    decision = {"verdict": "authorized", "ground": "Seen and agreed."}
    assert officer.post(f"{path}/{id}/decision", decision).status_code == 201
    beat(sessions, time.forward(seconds=1))
    beat(sessions, time.now + timedelta(days=100))
    causes = "SELECT party, standing, ended_at IS NULL FROM party_causes ORDER BY 1"
    known, waiting = _rows(sessions, causes), owed(dashboard)
    assert "KE-BCA" in {party for party, _, still in known if still}

    _there_and_back(owner)

    assert _rows(sessions, causes) == known
    assert [one["title"] for one in owed(dashboard)] == ["Serial inventory"]
    beat(sessions, time.forward(days=101))
    names = {"title", "subject", "item", "state", "rung", "due_at"}
    assert [{name: one[name] for name in names} for one in owed(dashboard)] == [
        {name: one[name] for name in names} for one in waiting
    ]
