"""Runs migrations: one at a time over all processes, giving up quickly on a busy table."""

from alembic import context
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.base import ischema_names

from app.database import connect
from app.journal.models import TransactionId
from app.models import Base
from app.settings import Settings

LOCK = 0x6D696772  # "migr"

ischema_names["xid8"] = TransactionId


def run() -> None:
    """Migrate in one transaction, holding an advisory lock that other migrations wait for."""
    engine = context.config.attributes.get("engine") or connect(Settings(), None)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.execute(text("SET lock_timeout = '5s'"))
        connection.execute(text("SET statement_timeout = '10min'"))
        connection.commit()
        try:
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                include_name=lambda name, kind, _: (
                    not (kind == "table" and str(name).startswith("readings_"))
                ),
            )
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
            connection.execute(text("RESET ALL"))
            connection.commit()


run()
