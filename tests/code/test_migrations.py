from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.dialects.postgresql.base import ischema_names

from app.assessments import partitions
from app.cli.migrations import MIGRATIONS, migrate
from app.clock import now
from app.database import Sessions
from app.journal.models import TransactionId
from app.models import Base
from app.settings import Settings

CATALOGUE = Path(__file__).with_name("catalogue.txt")

# Partitions of readings are made by a job, with names of their month.
EVERYTHING = text(r"""
WITH ours AS (
    SELECT c.oid, c.relname, c.relkind FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    WHERE c.relname !~ '^readings_[0-9]{4}_[0-9]{2}' AND c.relname !~ '^alembic_version'
)
SELECT 'table ' || relname || CASE relkind WHEN 'p' THEN ' by '
       || pg_get_partkeydef(oid) ELSE '' END
FROM ours WHERE relkind IN ('r', 'p')
UNION ALL
SELECT 'column ' || o.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
       || CASE a.attidentity WHEN '' THEN '' ELSE ' identity' END
FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
WHERE o.relkind IN ('r', 'p')
UNION ALL
SELECT 'index ' || regexp_replace(pg_get_indexdef(o.oid), '^CREATE ', '')
FROM ours o WHERE o.relkind IN ('i', 'I')
UNION ALL
SELECT 'constraint ' || o.relname || '.' || k.conname || ' ' || pg_get_constraintdef(k.oid)
FROM ours o JOIN pg_constraint k ON k.conrelid = o.oid AND k.contype IN ('c', 'f', 'x', 'u')
UNION ALL
SELECT 'trigger ' || pg_get_triggerdef(t.oid)
FROM ours o JOIN pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'policy ' || o.relname || '.' || p.polname || ' '
       || regexp_replace(concat_ws(' with check ', pg_get_expr(p.polqual, p.polrelid),
                                   pg_get_expr(p.polwithcheck, p.polrelid)), '\s+', ' ', 'g')
FROM ours o JOIN pg_policy p ON p.polrelid = o.oid
UNION ALL
SELECT 'row security ' || o.relname FROM ours o JOIN pg_class c ON c.oid = o.oid
WHERE c.relrowsecurity AND c.relforcerowsecurity
UNION ALL
SELECT 'grant to ' || grantee || ': ' || string_agg(privilege_type, ', ' ORDER BY privilege_type)
       || ' on ' || table_name
FROM information_schema.role_table_grants JOIN ours ON relname = table_name
WHERE table_schema = 'public' AND grantee IN ('endwatch_api', 'endwatch_jobs')
GROUP BY grantee, table_name
UNION ALL
SELECT 'view ' || relname FROM ours WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'function ' || p.proname FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'public'
UNION ALL
SELECT 'option ' || o.relname || ' ' || array_to_string(c.reloptions, ' ')
FROM ours o JOIN pg_class c ON c.oid = o.oid WHERE c.reloptions IS NOT NULL
ORDER BY 1
""")


@pytest.fixture
def config(owner: Engine) -> Iterator[Config]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = owner
    yield config
    owner.dispose()


def _catalogue(owner: Engine) -> list[str]:
    """List everything in the database that matters, one thing a line."""
    with owner.connect() as connection:
        return [str(line).replace("public.", "") for (line,) in connection.execute(EVERYTHING)]


def test_there_is_one_head_and_one_way_to_it(config: Config) -> None:
    scripts = ScriptDirectory.from_config(config)
    (head,) = scripts.get_heads()
    steps = list(scripts.walk_revisions())
    assert steps[0].revision == head
    assert all(step.doc and step.module.downgrade for step in steps)
    assert len(steps) == len(list(MIGRATIONS.glob("versions/*.py")))


def test_migrations_go_up_down_and_up_again(config: Config, owner: Engine) -> None:
    whole = _catalogue(owner)
    command.downgrade(config, "base")
    assert _catalogue(owner) == []
    command.upgrade(config, "head")
    assert _catalogue(owner) == whole


def test_migrating_twice_changes_nothing(settings: Settings, owner: Engine) -> None:
    before = _catalogue(owner)
    migrate(settings)
    assert _catalogue(owner) == before


def test_models_and_migrations_agree(owner: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ischema_names, "xid8", TransactionId)
    with owner.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: (
                    not (kind == "table" and str(name).startswith("readings_"))
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []
    assert len(Base.metadata.tables) > 15


def test_the_database_is_as_its_catalogue_says(owner: Engine) -> None:
    """After a migration delete the file and run this twice: its diff shows what was changed.

    Alembic's autogenerate does not see checks, policies, triggers, functions and views.
    """
    found = _catalogue(owner)
    if not CATALOGUE.exists():
        CATALOGUE.write_text("\n".join([*found, ""]))
        pytest.fail(f"{CATALOGUE.name} was missing and is written; read it, then run again")
    assert found == CATALOGUE.read_text().splitlines()


def test_readings_have_a_partition_for_this_month_and_the_next_ones(
    sessions: Sessions, settings: Settings
) -> None:
    months = partitions.months(now(), settings.partitions_ahead_months)
    with sessions() as session:
        made = session.scalars(text("SELECT relname FROM pg_class WHERE relispartition")).all()
        assert partitions.prepare(session, now=now(), ahead=3) == []
    assert {f"readings_{month:%Y_%m}" for month in months} <= set(made)
    assert "readings_default" in made
