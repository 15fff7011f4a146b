"""Whose filing it is: reports and batches of readings name their owner, whose quota they count in.

What was filed before has none and counts in nobody's quota. A party sees all of its own batches,
whichever of its keys sent them; else it could not be counted what it has sent.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

OWNER = "(SELECT nullif(current_setting('app.owner', true), ''))"
NAME = "(SELECT nullif(current_setting('app.name', true), ''))"
ROLE = "(SELECT current_setting('app.role', true))"
READS = (
    f"{ROLE} IN ('licensing_officer', 'inspector', 'reviewer', 'supervisor', 'auditor',"
    " 'dashboard')"
)
TABLES = ("reports", "reading_batches")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("owner", sa.Text(), nullable=True))
        op.create_index(op.f(f"ix_{table}_owner_received_at"), table, ["owner", "received_at"])
    _let_see(f"{READS} OR filed_by = {NAME} OR owner = {OWNER}")


def _let_see(seen: str) -> None:
    op.execute("DROP POLICY seen ON reading_batches")
    op.execute(f"CREATE POLICY seen ON reading_batches FOR SELECT TO endwatch_api USING ({seen})")


def downgrade() -> None:
    _let_see(f"{READS} OR filed_by = {NAME}")
    for table in TABLES:
        op.drop_index(op.f(f"ix_{table}_owner_received_at"), table)
        op.drop_column(table, "owner")
