"""What standing monitors make somebody owe belongs to no condition: acknowledgments of transfers.

Transfers that are authorized and not acknowledged are taken up soon after.
"""

from alembic import op

revision = "0012"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("obligations", "condition_id", nullable=True)
    op.execute(
        "UPDATE licenses SET attend_from = least(attend_from, now()) WHERE id IN ("
        "SELECT license_id FROM transfers WHERE state = 'authorized' AND acknowledged_at IS NULL)"
    )


def downgrade() -> None:
    """Forget what is owed under no condition: the release before cannot hold it."""
    op.execute("ALTER TABLE rungs DISABLE TRIGGER rungs_are_kept")
    op.execute(
        "DELETE FROM rungs USING obligations o"
        " WHERE o.id = obligation_id AND o.condition_id IS NULL"
    )
    op.execute("ALTER TABLE rungs ENABLE TRIGGER rungs_are_kept")
    op.execute(
        "DELETE FROM waivers USING obligations o"
        " WHERE o.id = obligation_id AND o.condition_id IS NULL"
    )
    op.execute("DELETE FROM obligations WHERE condition_id IS NULL")
    op.alter_column("obligations", "condition_id", nullable=False)
