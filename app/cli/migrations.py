"""Brings a database to the newest form."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from app.assessments import partitions
from app.clock import now
from app.database import connect, sessions_of
from app.settings import Settings

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def migrate(settings: Settings) -> None:
    """Run every migration that is missing, and prepare the months to come."""
    engine = connect(settings, None, pool_size=2)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = engine
    command.upgrade(config, "head")
    with sessions_of(engine)() as session:
        partitions.prepare(session, now=now(), ahead=settings.partitions_ahead_months)
        session.commit()
    engine.dispose()
